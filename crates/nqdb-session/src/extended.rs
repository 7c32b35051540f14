//! The extended query protocol: Parse, Bind, Describe, Execute, Close, Sync.
//!
//! Every error here is the caller's to report with [`Session::fail`], and to skip to Sync after.

use std::borrow::Cow;
use std::sync::Arc;

use nqdb_functions::read_text;
use nqdb_sql::statement::StatementKind;
use nqdb_sqlstate::{
    DUPLICATE_CURSOR, DUPLICATE_PREPARED_STATEMENT, INVALID_CURSOR_NAME, OBJECT_NOT_IN_PREREQUISITE_STATE,
    PROTOCOL_VIOLATION, SYNTAX_ERROR, SqlError, SqlResult,
};
use nqdb_types::{Datum, Oid, Type, read_binary};

use crate::block::Block;
use crate::client_sink::{ClientSink, Formats};
use crate::encoding::check_text_value;
use crate::portal::{Portal, PortalEnd, PortalState};
use crate::prepared::{Prepared, Statement, no_such_statement};
use crate::session::{CommandEnd, Failure, Session};
use crate::transaction::block_has_failed;

/// A Bind message.
#[derive(Clone, Copy, Debug)]
pub struct BindRequest<'a> {
    pub portal: &'a str,
    pub statement: &'a str,
    /// Format codes: none, one for all, or one each.
    pub parameter_formats: &'a [i16],
    pub values: &'a [Option<&'a [u8]>],
    pub result_formats: &'a [i16],
}

/// What tells a Parse message from others: its text and, behind a byte that no text has, the types it declares.
fn parse_key<'s>(sql: &'s str, parameter_oids: &[Oid]) -> Cow<'s, str> {
    if parameter_oids.is_empty() {
        return Cow::Borrowed(sql);
    }
    let mut key = format!("{sql}\0");
    for oid in parameter_oids {
        key.push_str(&oid.to_string());
        key.push(',');
    }
    Cow::Owned(key)
}

impl Session {
    /// Prepares a statement under a name; the empty name is overwritten, others must be free.
    pub async fn parse(&mut self, name: &str, sql: &str, parameter_oids: &[Oid]) -> SqlResult<()> {
        self.arrive();
        // Settings may have changed what the texts that are known mean.
        self.catalog_view();
        let key = parse_key(sql, parameter_oids);
        if let Some(statement) = self.parse_cache.get(&key)
            && self.block != Block::Failed
            && self.plan_that_holds(&statement).is_some()
        {
            if name.is_empty() {
                self.prepared.remove("");
            }
            return self.prepare(name, statement);
        }
        let mut statements = self.parse_text(sql)?;
        if statements.len() > 1 {
            return Err(SqlError::new(SYNTAX_ERROR, "cannot insert multiple commands into a prepared statement"));
        }
        let parsed = statements.pop().ok_or_else(|| SqlError::internal("a parsed text without a statement"))?;
        self.notices.extend(parsed.tokens.truncation_notices());
        self.check_block(&parsed.kind)?;
        if name.is_empty() {
            self.prepared.remove("");
        }
        let is_cacheable = matches!(parsed.kind, StatementKind::Rows(_))
            && !parsed.tokens.mention_the_clock()
            && parsed.tokens.truncation_notices().is_empty();
        self.prepare(name, Statement::with_parameters(parsed, parameter_oids))?;
        if let Some(prepared) = self.prepared.get(name).filter(|_| is_cacheable) {
            self.parse_cache.remember(&key, &prepared.statement);
        }
        Ok(())
    }

    /// Keeps a statement under a name, after finding out what it takes and returns.
    pub(crate) fn prepare(&mut self, name: &str, mut statement: Statement) -> SqlResult<()> {
        if self.prepared.contains_key(name) {
            let message = format!("prepared statement \"{name}\" already exists");
            return Err(SqlError::new(DUPLICATE_PREPARED_STATEMENT, message));
        }
        let output = self.output_of(&mut statement)?;
        let prepared_micros = self.statement_micros;
        let prepared = Prepared { statement, output, from_sql: false, prepared_micros, executions: 0 };
        self.prepared.insert(name.to_owned(), prepared);
        Ok(())
    }

    /// Makes a portal of a prepared statement and values for its parameters.
    pub async fn bind(&mut self, request: BindRequest<'_>) -> SqlResult<()> {
        self.arrive();
        let name = request.statement;
        let prepared = self.prepared.get(name).ok_or_else(|| no_such_statement(name))?;
        let mut statement = prepared.statement.clone();
        let promised = prepared.output.clone();
        let count = request.values.len();
        let formats = Formats::from_codes(request.parameter_formats, count, || {
            format!("bind message has {} parameter formats but {count} parameters", request.parameter_formats.len())
        })?;
        let required = statement.parameters.len();
        if count != required {
            let message = format!(
                "bind message supplies {count} parameters, but prepared statement \"{name}\" requires {required}"
            );
            return Err(SqlError::new(PROTOCOL_VIOLATION, message));
        }
        if required > 0 && self.block == Block::Failed {
            return Err(block_has_failed());
        }
        self.check_block(statement.kind())?;
        self.start_statement_timer();
        if !request.portal.is_empty() && self.portals.contains_key(request.portal) {
            return Err(SqlError::new(DUPLICATE_CURSOR, format!("cursor \"{}\" already exists", request.portal)));
        }
        self.catalog_view();
        let params = self.read_parameters(&statement.parameters, &formats, &request)?;
        let is_rows = matches!(statement.kind(), StatementKind::Rows(_));
        // What is bound is locked: nobody can change the columns any more.
        let plan = if is_rows { Some(self.locked_plan(&mut statement).await?) } else { None };
        let output = self.promised_output(&mut statement, promised.as_ref())?;
        if let Some(prepared) = self.prepared.get_mut(name) {
            // The plan that was made for this portal serves the next one too.
            prepared.statement = statement.clone();
            prepared.executions += 1;
        }
        let columns = output.as_ref().map_or(0, |output| output.len());
        let formats = match &output {
            Some(_) => Formats::from_codes(request.result_formats, columns, || {
                format!(
                    "bind message has {} result formats but query has {columns} columns",
                    request.result_formats.len()
                )
            })?,
            None => Formats::Text,
        };
        let (level, now) = (self.savepoint_level(), self.statement_micros);
        let mut portal = Portal::new(statement, params.clone(), output, formats, level, now);
        if let Some(plan) = plan.filter(|plan| !plan.writes) {
            // A query sees what is there now; a change, what is there when it runs.
            self.show_active(&portal.statement.parsed);
            self.surroundings.instance.metrics.statements.increment();
            self.begin_plan(&mut portal, plan, params).await?;
        }
        self.portals.insert(request.portal.to_owned(), portal);
        Ok(())
    }

    fn read_parameters(&self, types: &[Oid], formats: &Formats, request: &BindRequest<'_>) -> SqlResult<Arc<[Datum]>> {
        let mut datums = Vec::with_capacity(request.values.len());
        for (at, (value, oid)) in request.values.iter().zip(types).enumerate() {
            let Some(bytes) = value else {
                datums.push(Datum::Null);
                continue;
            };
            let (ty, is_text) = (Type::new(*oid), !formats.is_binary(at));
            let datum = match is_text {
                true => check_text_value(bytes).and_then(|text| read_text(text, ty, &self.format, &self.surroundings)),
                false => read_binary(bytes, ty, &self.format),
            };
            datums.push(datum.map_err(|error| in_parameter(error, request.portal, at, bytes, is_text))?);
        }
        Ok(Arc::from(datums))
    }

    /// Tells the client the parameters and columns of a prepared statement.
    pub async fn describe_statement(&mut self, name: &str, out: &mut impl ClientSink) -> SqlResult<()> {
        self.arrive();
        let prepared = self.prepared.get(name).ok_or_else(|| no_such_statement(name))?;
        if prepared.output.is_some() && self.block == Block::Failed {
            return Err(block_has_failed());
        }
        let mut statement = prepared.statement.clone();
        let promised = prepared.output.clone();
        out.parameter_description(&statement.parameters);
        let output = match self.block {
            Block::Failed => promised,
            _ => self.promised_output(&mut statement, promised.as_ref())?,
        };
        match output {
            Some(columns) => out.row_description(&columns, &Formats::Text, &self.format),
            None => out.no_data(),
        }
        Ok(())
    }

    /// Tells the client the columns of a portal, in the formats it asked for.
    pub fn describe_portal(&mut self, name: &str, out: &mut impl ClientSink) -> SqlResult<()> {
        self.arrive();
        let portal = self.portals.get(name).ok_or_else(|| no_such_portal(name))?;
        match &portal.output {
            Some(_) if self.block == Block::Failed => return Err(block_has_failed()),
            Some(columns) => out.row_description(columns, &portal.formats, &self.format),
            None => out.no_data(),
        }
        Ok(())
    }

    /// Runs a portal for at most `rows_max` rows; 0 for all of them.
    pub async fn execute<C: ClientSink>(
        &mut self,
        name: &str,
        rows_max: u64,
        out: &mut C,
    ) -> Result<CommandEnd, Failure> {
        self.arrive();
        let mut portal = self.portals.remove(name).ok_or_else(|| no_such_portal(name))?;
        self.check_block(portal.statement.kind())?;
        if let PortalState::Finished(_) = portal.state
            && portal.output.is_none()
        {
            self.portals.insert(name.to_owned(), portal);
            let message = format!("portal \"{name}\" cannot be run");
            return Err(SqlError::new(OBJECT_NOT_IN_PREREQUISITE_STATE, message).into());
        }
        if let PortalState::Failed = portal.state {
            self.portals.insert(name.to_owned(), portal);
            let message = format!("portal \"{name}\" cannot be run");
            return Err(SqlError::new(OBJECT_NOT_IN_PREREQUISITE_STATE, message).into());
        }
        if self.surroundings.deadline.get().is_none() {
            self.start_statement_timer();
        }
        self.show_active(&portal.statement.parsed);
        let ends_transaction = matches!(portal.statement.kind(), StatementKind::Transaction(_));
        let end = self.run_portal(&mut portal, rows_max, out).await;
        if end.is_err() {
            portal.fail();
        }
        if !ends_transaction || self.open.is_some() {
            self.portals.insert(name.to_owned(), portal);
        }
        let end = end?;
        self.surroundings.deadline.set(None);
        self.send_notices(out);
        match end {
            PortalEnd::Suspended => out.portal_suspended(),
            PortalEnd::Complete(tag) => out.command_complete(&tag),
            PortalEnd::Empty => out.empty_query(),
            PortalEnd::CopyIn => return Ok(CommandEnd::CopyIn),
        }
        Ok(CommandEnd::Complete)
    }

    /// Forgets a prepared statement; one that does not exist is no error.
    pub fn close_statement(&mut self, name: &str) {
        self.prepared.remove(name);
    }

    /// Forgets a portal; one that does not exist is no error.
    pub fn close_portal(&mut self, name: &str) {
        self.portals.remove(name);
    }

    /// Waits until what was answered so far may be shown: before Flush, and whenever else answers leave early.
    pub async fn settle(&mut self) -> SqlResult<()> {
        self.settle_dependencies().await
    }

    /// Ends the implicit transaction of the messages before it.
    pub async fn sync(&mut self) -> SqlResult<()> {
        self.end_request().await?;
        if self.block == Block::Idle {
            self.end_portals();
        }
        self.surroundings.deadline.set(None);
        self.show_idle();
        Ok(())
    }
}

fn no_such_portal(name: &str) -> SqlError {
    SqlError::new(INVALID_CURSOR_NAME, format!("portal \"{name}\" does not exist"))
}

/// Says which parameter of a Bind message an error is about. As in PostgreSQL's default settings
/// (`log_parameter_max_length_on_error`) its value is not shown.
fn in_parameter(error: SqlError, portal: &str, at: usize, bytes: &[u8], is_text: bool) -> SqlError {
    let owner = if portal.is_empty() { "unnamed portal".to_owned() } else { format!("portal \"{portal}\"") };
    let shown = match is_text && check_text_value(bytes).is_ok() {
        true if bytes.is_empty() => " = ''",
        true => " = '...'",
        false => "",
    };
    error.within(format!("{owner} parameter ${}{shown}", at + 1))
}
