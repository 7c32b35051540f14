//! Names inside of stored expressions.

use std::ops::ControlFlow;

use nqdb_catalog::{IndexComputation, TableDef};
use nqdb_sqlstate::{SqlError, SqlResult};
use nqdb_types::Oid;
use sqlparser::ast::{Expr, Ident, VisitMut, visit_expressions_mut};

use crate::names::name_of;
use crate::parse::parse_expression;

/// The checks of a table that name a column, with the column under its new name: position and text.
pub(super) fn renamed_checks(table: &TableDef, position: usize, new_name: &str) -> SqlResult<Vec<(usize, String)>> {
    let column = &table.columns[position];
    let mut renamed = Vec::new();
    for (at, check) in table.checks.iter().enumerate() {
        if check.columns.contains(&column.attnum) {
            let (_, mut expression) = parse_expression(&check.expression)?;
            rename_column(&mut expression, &column.name, new_name);
            renamed.push((at, expression.to_string()));
        }
    }
    Ok(renamed)
}

/// The generated columns of a table whose expression names a column, with that column under its new name.
pub(super) fn renamed_generations(
    table: &TableDef,
    position: usize,
    new_name: &str,
) -> SqlResult<Vec<(usize, String, Vec<i16>)>> {
    let column = &table.columns[position];
    let mut renamed = Vec::new();
    for (at, other) in table.live_columns() {
        if let (Some(columns), Some(text)) = (&other.generated, &other.default)
            && columns.contains(&column.attnum)
        {
            let (_, mut expression) = parse_expression(text)?;
            rename_column(&mut expression, &column.name, new_name);
            renamed.push((at, expression.to_string(), columns.clone()));
        }
    }
    Ok(renamed)
}

/// The indexes of a table whose expressions or condition name a column, with that column under its new name.
pub(super) fn renamed_indexes(
    table: &TableDef,
    position: usize,
    new_name: &str,
) -> SqlResult<Vec<(Oid, IndexComputation)>> {
    let column = &table.columns[position];
    let mut renamed = Vec::new();
    for index in &table.indexes {
        let Some(computation) = index.computation.as_ref().filter(|found| found.columns.contains(&column.attnum))
        else {
            continue;
        };
        renamed.push((index.oid, renamed_computation(computation, &column.name, new_name)?));
    }
    Ok(renamed)
}

/// The filter of a table's published changes, if it names a column, with that column under its new name.
pub(super) fn renamed_filter(table: &TableDef, position: usize, new_name: &str) -> SqlResult<Option<IndexComputation>> {
    let Some(column) = table.columns.get(position) else { return Ok(None) };
    let filter = table.published.as_ref().and_then(|published| published.filter.as_ref());
    let filter = filter.filter(|filter| filter.columns.contains(&column.attnum));
    filter.map(|filter| renamed_computation(filter, &column.name, new_name)).transpose()
}

fn renamed_computation(computation: &IndexComputation, old_name: &str, new_name: &str) -> SqlResult<IndexComputation> {
    let rename = |text: &str| {
        let (_, mut expression) = parse_expression(text)?;
        rename_column(&mut expression, old_name, new_name);
        Ok::<_, SqlError>(expression.to_string())
    };
    let mut computation = computation.clone();
    for expression in &mut computation.expressions {
        expression.text = rename(&expression.text)?;
    }
    computation.predicate = computation.predicate.as_deref().map(rename).transpose()?;
    Ok(computation)
}

fn rename_column(expression: &mut impl VisitMut, old_name: &str, new_name: &str) {
    let _: ControlFlow<()> = visit_expressions_mut(expression, |expression| {
        match expression {
            Expr::Identifier(name) if name_of(name) == old_name => *name = Ident::with_quote('"', new_name),
            Expr::CompoundIdentifier(names) => {
                if let Some(last) = names.last_mut()
                    && name_of(last) == old_name
                {
                    *last = Ident::with_quote('"', new_name);
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    });
}
