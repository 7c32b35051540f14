//! What is run before a query: its WITH queries, and the subqueries that mention nothing of it.
//!
//! The value of a subquery, or its error, then stands in the query as a constant; an error is raised only if a row asks
//! for the value. The rows of a WITH query are kept in memory. When one fails the query declines: the row executor runs
//! them as they are read, and knows whether this one is.

use std::collections::HashMap;
use std::sync::Arc;

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use nqdb_sql::ir::{Expr, ExprKind, Query, Rel, WithBody, WithId};
use nqdb_sql::plan::{expressions, free_columns, inputs, operands};
use nqdb_sqlstate::{CARDINALITY_VIOLATION, SqlError, SqlResult};
use nqdb_types::{Array, Datum, oid};
use parking_lot::Mutex;

use crate::column::datum_at;
use crate::executor::Statement;
use crate::expression::{SubqueryValues, Wanted, subquery_key};
use crate::failure::{Failure, Outcome};
use crate::kept::KeptRows;

/// The rows of the WITH queries of a statement.
#[derive(Default)]
pub(crate) struct WithRows(Mutex<HashMap<WithId, Arc<KeptRows>>>);

impl WithRows {
    pub fn keep(&self, id: WithId, rows: KeptRows) {
        self.0.lock().insert(id, Arc::new(rows));
    }

    pub fn get(&self, id: WithId) -> Option<Arc<KeptRows>> {
        self.0.lock().get(&id).cloned()
    }
}

/// The WITH queries of a query, not those within them, in their order; one that changes rows declines.
pub(crate) fn with_queries(query: &Query) -> Vec<(WithId, Outcome<&Query>)> {
    let mut found = Vec::new();
    collect_with(&query.rel, &mut found);
    found
}

fn collect_with<'a>(rel: &'a Rel, out: &mut Vec<(WithId, Outcome<&'a Query>)>) {
    if let Rel::With { queries, input } = rel {
        out.extend(queries.iter().map(|query| match &query.body {
            WithBody::Query(inner) => (query.id, Ok(inner)),
            WithBody::Change(_) => (query.id, Err(Failure::Declined("a WITH query that changes rows"))),
        }));
        return collect_with(input, out);
    }
    inputs(rel).into_iter().for_each(|input| collect_with(input, out));
}

/// Runs the WITH queries of a query and keeps their rows.
pub(crate) fn run_with_queries<'a>(query: &'a Query, statement: &'a Statement) -> BoxFuture<'a, Outcome<()>> {
    async move {
        for (id, inner) in with_queries(query) {
            let inner = inner?;
            if !free_columns(inner).is_empty() {
                return Err(Failure::Declined("a correlated WITH query"));
            }
            let rows = statement.rows_of(inner).await?;
            let kept = KeptRows::collect(rows, statement.memory.clone()).await;
            statement.with.keep(id, kept.map_err(|_| Failure::Declined("a WITH query failed"))?);
        }
        Ok(())
    }
    .boxed()
}

/// The subqueries of a query's expressions, not those within them, and what is wanted of them.
pub(crate) fn subqueries_of(query: &Query) -> Vec<(&Query, Wanted)> {
    let mut found = Vec::new();
    collect(&query.rel, &mut found);
    found
}

/// The values of all subqueries of a query's expressions.
pub(crate) fn subquery_values<'a>(
    query: &'a Query,
    statement: &'a Statement,
) -> BoxFuture<'a, Outcome<SubqueryValues>> {
    async move {
        let mut values = SubqueryValues::new();
        for (subquery, wanted) in subqueries_of(query) {
            let Some(key) = subquery_key(subquery, wanted) else { continue };
            if values.contains_key(&key) {
                continue;
            }
            let value = match value_of(subquery, wanted, statement).await {
                Ok(value) => Ok(value),
                Err(Failure::Sql(error)) => Err(error),
                Err(declined) => return Err(declined),
            };
            values.insert(key, value);
        }
        Ok(values)
    }
    .boxed()
}

/// NULL for each of them, for a look at the query's shape.
pub(crate) fn assume_nulls(query: &Query, values: &mut SubqueryValues) {
    let uncorrelated = subqueries_of(query).into_iter().filter(|(subquery, _)| free_columns(subquery).is_empty());
    values.extend(uncorrelated.filter_map(|(subquery, wanted)| {
        let value = match wanted {
            Wanted::List => array_of(subquery, vec![Datum::Null]),
            Wanted::Value | Wanted::Existence => Ok(Datum::Null),
        };
        Some((subquery_key(subquery, wanted)?, value))
    }));
}

fn collect<'a>(rel: &'a Rel, out: &mut Vec<(&'a Query, Wanted)>) {
    for expr in expressions(rel) {
        collect_within(expr, out);
    }
    // The WITH queries themselves are run on their own.
    if let Rel::With { input, .. } = rel {
        return collect(input, out);
    }
    for input in inputs(rel) {
        collect(input, out);
    }
}

fn collect_within<'a>(expr: &'a Expr, out: &mut Vec<(&'a Query, Wanted)>) {
    match &expr.kind {
        ExprKind::ScalarSubquery(query) => out.push((query, Wanted::Value)),
        ExprKind::Exists(query) => out.push((query, Wanted::Existence)),
        ExprKind::Quantified { query, .. } => out.push((query, Wanted::List)),
        _ => {}
    }
    for operand in operands(expr) {
        collect_within(operand, out);
    }
}

/// The values of a subquery that are kept, at most.
const LIST_VALUES_MAX: usize = 200_000;

async fn value_of(query: &Query, wanted: Wanted, statement: &Statement) -> Outcome<Datum> {
    if !free_columns(query).is_empty() {
        return Err(Failure::Declined("a correlated subquery"));
    }
    let mut rows = statement.rows_of(query).await?;
    let shape = rows.shapes.first().copied();
    let mut values = Vec::new();
    while let Some(batch) = rows.stream.next().await {
        let batch = batch?;
        for row in 0..batch.num_rows() {
            match wanted {
                Wanted::Existence => return Ok(Datum::Bool(true)),
                Wanted::Value if !values.is_empty() => {
                    let message = "more than one row returned by a subquery used as an expression";
                    return Err(SqlError::new(CARDINALITY_VIOLATION, message).into());
                }
                Wanted::List if values.len() == LIST_VALUES_MAX => {
                    return Err(Failure::Declined("a subquery of very many rows"));
                }
                Wanted::Value | Wanted::List => {}
            }
            values.push(match (shape, batch.columns().first()) {
                (Some(shape), Some(column)) => datum_at(column, row, shape)?,
                _ => Datum::Null,
            });
        }
    }
    Ok(match wanted {
        Wanted::Existence => Datum::Bool(false),
        Wanted::Value => values.pop().unwrap_or(Datum::Null),
        Wanted::List => array_of(query, values)?,
    })
}

/// Values of a query's first column as an array.
fn array_of(query: &Query, values: Vec<Datum>) -> SqlResult<Datum> {
    let element = query.output.first().map_or(oid::TEXT, |column| column.ty.oid);
    Array::from_elements(element, values).map(Datum::array)
}
