//! Evaluating a live query: in a session of its own, read only, with the rights of its role as they are now.

use std::fmt::Display;
use std::io;
use std::sync::Arc;

use nqdb_catalog::rights::SecuredKind;
use nqdb_functions::{FunctionContext, row_as_json};
use nqdb_sql::ir::OutputColumn;
use nqdb_sql::plan::Plan;
use nqdb_sql::statement::StatementKind;
use nqdb_sqlstate::{
    INVALID_AUTHORIZATION_SPECIFICATION, INVALID_CATALOG_NAME, Notice, PROGRAM_LIMIT_EXCEEDED, SqlError, SqlResult,
    UNDEFINED_COLUMN,
};
use nqdb_types::{Datum, FormatContext, Oid};

use super::difference::Rows;
use super::query::LiveQuery;
use super::{Held, RESULT_BYTES_MAX, ROWS_MAX};
use crate::client_sink::{ClientSink, Formats};
use crate::extended::BindRequest;
use crate::instance::Instance;
use crate::session::{Failure, Session};
use crate::table_changes::json_string;

/// Settings of a session that evaluates. Times in milliseconds.
const SETTINGS: [(&str, &str); 4] = [
    ("application_name", "live query"),
    ("default_transaction_read_only", "on"),
    ("statement_timeout", "10000"),
    ("lock_timeout", "5000"),
];

/// A result.
pub(super) struct Evaluated {
    /// Names and types, as a JSON array.
    pub columns_json: String,
    pub rows: Rows,
    /// The newest commit that it shows.
    pub csn: u64,
    /// The room that it takes.
    _held: Held,
}

impl Evaluated {
    /// What who comes is given.
    pub(super) fn to_json(&self) -> String {
        let rows: Vec<&str> = self.rows.iter().collect();
        format!(
            "{{\"csn\":{},\"columns\":{},\"key\":{},\"rows\":[{}]}}",
            self.csn,
            self.columns_json,
            self.rows.key_json(),
            rows.join(",")
        )
    }
}

/// Evaluates a query. What it reads is watched before it is looked at.
pub(super) async fn evaluate(instance: &Arc<Instance>, query: &Arc<LiveQuery>) -> SqlResult<Evaluated> {
    let Ok(_turn) = instance.live.evaluations.acquire().await else {
        return Err(SqlError::internal("live queries are never closed"));
    };
    let shared = instance.cluster.shared_objects();
    let role = shared.role_by_oid(query.key.role).map(|role| role.name.clone());
    let role = role.ok_or_else(|| SqlError::new(INVALID_AUTHORIZATION_SPECIFICATION, "the role was dropped"))?;
    let database = shared.database_by_oid(query.key.database).map(|database| database.name.clone());
    let database = database.ok_or_else(|| SqlError::new(INVALID_CATALOG_NAME, "the database was dropped"))?;
    let registration = instance.register()?;
    let options = SETTINGS.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let mut session = Session::new(instance.clone(), registration, &role, &database, &options).await?;
    let evaluated = session.evaluate_live(instance, query).await;
    session.end().await;
    evaluated
}

impl Session {
    async fn evaluate_live(&mut self, instance: &Arc<Instance>, query: &Arc<LiveQuery>) -> SqlResult<Evaluated> {
        self.begin_command();
        self.parse("", &query.key.request.sql, &[]).await?;
        let mut watched: Vec<u32> = Vec::new();
        loop {
            let plan = self.live_plan().await?;
            let relations = relations_of(&plan);
            let is_watched = relations.iter().all(|relation| watched.contains(relation));
            if is_watched {
                return self.run_live(&plan, query).await;
            }
            instance.live.watch(query, &relations);
            watched = relations;
        }
    }

    /// The plan of the statement without a name, as it is now. 0A000 for what is no query.
    async fn live_plan(&mut self) -> SqlResult<Arc<Plan>> {
        let prepared = self.prepared.get("").ok_or_else(|| SqlError::internal("a statement was not prepared"))?;
        let mut statement = prepared.statement.clone();
        if !matches!(statement.kind(), StatementKind::Rows(_)) {
            return Err(SqlError::unsupported("a live query that is not a SELECT"));
        }
        let plan = self.current_plan(&mut statement)?;
        if plan.writes || plan.locks_rows.is_some() {
            return Err(SqlError::unsupported("a live query that changes or locks rows"));
        }
        Ok(plan)
    }

    async fn run_live(&mut self, plan: &Plan, query: &Arc<LiveQuery>) -> SqlResult<Evaluated> {
        let request = &query.key.request;
        let values: Vec<Option<&[u8]>> =
            request.parameters.iter().map(|value| value.as_deref().map(str::as_bytes)).collect();
        let bind =
            BindRequest { portal: "", statement: "", parameter_formats: &[], values: &values, result_formats: &[] };
        self.bind(bind).await?;
        let snapshot = self.open.as_ref().and_then(|open| open.txn.snapshot());
        let csn = snapshot.ok_or_else(|| SqlError::internal("a query without a snapshot"))?.csn.0;
        let mut result = ResultSink::default();
        let columns = plan.output.clone().unwrap_or_else(|| Arc::from([]));
        match self.execute("", 0, &mut result).await {
            Ok(_) => {}
            Err(Failure::Sql(error)) => return Err(error),
            Err(Failure::Client(_)) => return Err(SqlError::internal("nobody is there who could go")),
        }
        let key = match &request.key {
            Some(names) => Some(positions_of(names, &columns)?),
            None => self.primary_key_of(plan, &columns),
        };
        let rows = self.rows_of(&columns, &result.rows, key.as_deref(), request.key.is_none())?;
        let held = self.surroundings.instance.live.hold(rows.bytes())?;
        self.sync().await?;
        Ok(Evaluated { columns_json: self.columns_json(&columns), rows, csn, _held: held })
    }

    fn rows_of(
        &self,
        columns: &[OutputColumn],
        rows: &[Vec<Datum>],
        key: Option<&[usize]>,
        may_go_without: bool,
    ) -> SqlResult<Rows> {
        let context = FunctionContext::new(&self.format, 0, self.statement_micros, &self.surroundings);
        let object = |row: &[Datum], positions: &mut dyn Iterator<Item = usize>| -> SqlResult<String> {
            let value = |position: usize| {
                let column = columns.get(position)?;
                Some((column.name.as_str(), column.ty, row.get(position)?))
            };
            row_as_json(positions.filter_map(value), &context)
        };
        let names: Option<Vec<&str>> =
            key.map(|key| key.iter().filter_map(|at| columns.get(*at)).map(|column| column.name.as_str()).collect());
        let mut bytes = 0;
        let mut told = Vec::with_capacity(rows.len());
        for row in rows {
            let text = object(row, &mut (0..columns.len()))?;
            let key = key.map(|key| object(row, &mut key.iter().copied())).transpose()?;
            bytes += text.len() + key.as_ref().map_or(0, String::len);
            if bytes > RESULT_BYTES_MAX {
                return Err(too_large());
            }
            told.push((key, text));
        }
        Rows::new(names.as_deref(), told, may_go_without)
    }

    fn columns_json(&self, columns: &[OutputColumn]) -> String {
        let types = self.surroundings.types();
        let format = FormatContext::of_types(types);
        let column = |column: &OutputColumn| {
            let ty = json_string(&format.type_name(column.ty));
            format!("{{\"name\":{},\"type\":{ty}}}", json_string(&column.name))
        };
        format!("[{}]", columns.iter().map(column).collect::<Vec<_>>().join(","))
    }

    /// The columns of the result that are the primary key of the only table that is read, where they are there.
    fn primary_key_of(&self, plan: &Plan, columns: &[OutputColumn]) -> Option<Vec<usize>> {
        let [(relation, _)] = plan.relations.as_slice() else { return None };
        let catalog = self.surroundings.catalog.borrow();
        let table = catalog.table_by_oid(*relation)?;
        table.primary_key()?;
        let position = |attnum: i16| columns.iter().position(|column| column.origin == Some((*relation, attnum)));
        table.change_key().into_iter().map(position).collect()
    }
}

/// What a query reads: tables, and the views through which it does, since others may take their place.
fn relations_of(plan: &Plan) -> Vec<Oid> {
    let named = plan.accesses.iter().filter(|access| access.kind == SecuredKind::Table).map(|access| access.object);
    let mut relations: Vec<Oid> = plan.relations.iter().map(|(relation, _)| *relation).chain(named).collect();
    relations.sort_unstable();
    relations.dedup();
    relations
}

fn positions_of(names: &[String], columns: &[OutputColumn]) -> SqlResult<Vec<usize>> {
    let position = |name: &String| {
        let found = columns.iter().position(|column| column.name == *name);
        found.ok_or_else(|| SqlError::new(UNDEFINED_COLUMN, format!("key column \"{name}\" is not in the result")))
    };
    names.iter().map(position).collect()
}

fn too_large() -> SqlError {
    let message = format!("the result of a live query can have {ROWS_MAX} rows and {RESULT_BYTES_MAX} bytes at most");
    SqlError::new(PROGRAM_LIMIT_EXCEEDED, message)
}

/// Takes the rows of a result.
#[derive(Default)]
struct ResultSink {
    rows: Vec<Vec<Datum>>,
    bytes: usize,
}

impl ClientSink for ResultSink {
    fn row_description(&mut self, _: &[OutputColumn], _: &Formats, _: &FormatContext) {}
    fn no_data(&mut self) {}
    fn parameter_description(&mut self, _: &[Oid]) {}
    fn data_row(&mut self, values: &[Datum], _: &[OutputColumn], _: &Formats, _: &FormatContext) -> SqlResult<()> {
        self.bytes += values.iter().map(Datum::heap_size).sum::<usize>();
        if self.rows.len() >= ROWS_MAX || self.bytes > RESULT_BYTES_MAX {
            return Err(too_large());
        }
        self.rows.push(values.to_vec());
        Ok(())
    }
    fn command_complete(&mut self, _: &dyn Display) {}
    fn empty_query(&mut self) {}
    fn portal_suspended(&mut self) {}
    fn error(&mut self, _: &SqlError) {}
    fn notice(&mut self, _: &Notice) {}
    fn parameter_status(&mut self, _: &str, _: &str) {}
    fn copy_in(&mut self, _: bool, _: usize) {}
    fn copy_out(&mut self, _: bool, _: usize) {}
    fn copy_data(&mut self, _: &[u8]) {}
    fn copy_done(&mut self) {}
    fn pending_bytes(&self) -> usize {
        0
    }
    async fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
