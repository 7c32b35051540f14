//! Statements that are about the session itself: SET, SHOW, PREPARE, EXECUTE, DEALLOCATE, DISCARD and their like.

use std::sync::Arc;

use nqdb_catalog::rights::PG_CHECKPOINT;
use nqdb_sql::bind::{bind_scalar, data_type};
use nqdb_sql::definition::Definition;
use nqdb_sql::exec::{CommandTag, Execution, Step};
use nqdb_sql::ir::{Bound, ColumnId, Expr, OutputColumn, Query, Rel};
use nqdb_sql::plan::plan;
use nqdb_sql::statement::{DiscardTarget, Parsed, SetValue, StatementKind, TransactionModes};
use nqdb_sqlstate::{
    ACTIVE_SQL_TRANSACTION, CANNOT_COERCE, DATATYPE_MISMATCH, INSUFFICIENT_PRIVILEGE, INVALID_PARAMETER_VALUE,
    NO_ACTIVE_SQL_TRANSACTION, SYNTAX_ERROR, SqlError, SqlResult,
};
use nqdb_types::{Datum, Type};
use sqlparser::ast::{self, DataType};

use crate::block::{Block, parse_isolation};
use crate::client_sink::ClientSink;
use crate::identity::is_of_identity;
use crate::portal::PortalEnd;
use crate::prepared::{Statement, no_such_statement};
use crate::session::{Failure, Session};
use crate::settings::{DEFINITIONS, is_hidden, is_of_the_transaction, parse_bool};
use crate::table_changes::{expect_may_follow, follow_guard};

impl Session {
    /// The types that PREPARE declares; one that is left open is UNKNOWN.
    fn declared_types(&mut self, written: &[Option<DataType>]) -> SqlResult<Vec<u32>> {
        self.ensure_transaction()?;
        self.with_planner(|cx, _| {
            let declared = written.iter().map(|written| match written {
                Some(written) => data_type(written, cx).map(|ty| ty.oid),
                None => Ok(Type::UNKNOWN.oid),
            });
            declared.collect()
        })
    }

    /// Runs a statement that is no query: everything but what returns rows.
    pub(crate) async fn run_command<C: ClientSink>(
        &mut self,
        parsed: &Parsed,
        out: &mut C,
    ) -> Result<PortalEnd, Failure> {
        if let StatementKind::Copy(copy) = &parsed.kind {
            return self.copy(parsed, copy, out).await;
        }
        if !matches!(parsed.kind, StatementKind::Transaction(_)) {
            self.ensure_transaction()?;
        }
        let tag = match &parsed.kind {
            StatementKind::Transaction(statement) => self.transaction_statement(statement).await?,
            StatementKind::Define(definition) => {
                if let Some(command) = definition.alone() {
                    self.refuse_in_block(command)?;
                }
                match &**definition {
                    Definition::Database(command) => self.run_database_command(parsed, command).await?,
                    _ => self.run_definition(parsed).await?,
                }
            }
            StatementKind::Ddl(_) | StatementKind::Sequence(_) | StatementKind::Analyze { .. } => {
                self.run_definition(parsed).await?
            }
            StatementKind::Vacuum(_) => {
                self.refuse_in_block("VACUUM")?;
                self.run_definition(parsed).await?
            }
            StatementKind::Set { name, value, local } => {
                self.set_statement(name, value, *local)?;
                CommandTag::Other("SET")
            }
            StatementKind::Reset(name) => {
                self.reset_statement(name.as_deref())?;
                CommandTag::Other("RESET")
            }
            StatementKind::Prepare { name, types, inner } => {
                let declared = self.declared_types(types)?;
                self.prepare(name, Statement::with_parameters(Parsed::clone(inner), &declared))?;
                if let Some(prepared) = self.prepared.get_mut(name) {
                    prepared.from_sql = true;
                }
                CommandTag::Other("PREPARE")
            }
            StatementKind::Deallocate(Some(name)) => {
                self.prepared.remove(name).ok_or_else(|| no_such_statement(name))?;
                CommandTag::Other("DEALLOCATE")
            }
            StatementKind::Deallocate(None) => {
                self.prepared.clear();
                CommandTag::Other("DEALLOCATE ALL")
            }
            StatementKind::Discard(target) => self.discard(*target).await?,
            StatementKind::Checkpoint => self.checkpoint()?,
            StatementKind::Lock(lock) => self.lock_tables(lock).await?,
            StatementKind::CloseCursor(name) => self.close_cursor(name.as_deref())?,
            StatementKind::Listen(channel) => {
                let role = self.surroundings.current_role();
                expect_may_follow(&self.catalog_view(), role, channel)?;
                let guard = follow_guard(self.surroundings.database.clone(), role, channel);
                self.surroundings.notifications.borrow_mut().listen(channel, guard)?;
                CommandTag::Other("LISTEN")
            }
            StatementKind::Unlisten(channel) => {
                self.surroundings.notifications.borrow_mut().unlisten(channel.as_deref());
                CommandTag::Other("UNLISTEN")
            }
            StatementKind::Notify { channel, payload } => {
                self.surroundings.notifications.borrow_mut().notify(channel, payload)?;
                CommandTag::Other("NOTIFY")
            }
            StatementKind::Refused(error) => return Err(error.clone().into()),
            StatementKind::Empty
            | StatementKind::Rows(_)
            | StatementKind::Explain { .. }
            | StatementKind::Execute { .. }
            | StatementKind::DeclareCursor(_)
            | StatementKind::Fetch(_)
            | StatementKind::Show(_)
            | StatementKind::Copy(_) => return Err(SqlError::internal("not a command").into()),
        };
        Ok(PortalEnd::Complete(tag))
    }

    fn set_statement(&mut self, name: &str, value: &SetValue, local: bool) -> SqlResult<()> {
        if local && self.block == Block::Implicit && !self.is_one_of_several {
            self.warn(NO_ACTIVE_SQL_TRANSACTION, "SET LOCAL can only be used in transaction blocks");
        }
        if is_of_the_transaction(name) {
            return self.set_transaction_setting(name, value);
        }
        if is_of_identity(name) {
            self.catalog_view();
            let value = match value {
                SetValue::Default => None,
                SetValue::Values(words) => words.first().map(String::as_str),
            };
            return self.surroundings.set_identity(name, value, local);
        }
        let authority = self.surroundings.authority();
        let mut settings = self.surroundings.settings.borrow_mut();
        match value {
            SetValue::Default => settings.reset(name, local, authority),
            SetValue::Values(words) => settings.set(name, words, local, authority),
        }
    }

    /// SET transaction_isolation and its like: the same as SET TRANSACTION.
    fn set_transaction_setting(&mut self, name: &str, value: &SetValue) -> SqlResult<()> {
        let defaults = self.surroundings.default_characteristics();
        let word = match value {
            SetValue::Default => None,
            SetValue::Values(words) => match words.as_slice() {
                [word] => Some(word.as_str()),
                _ => {
                    return Err(SqlError::new(INVALID_PARAMETER_VALUE, format!("SET {name} takes only one argument")));
                }
            },
        };
        let invalid = || {
            let word = word.unwrap_or_default();
            SqlError::new(INVALID_PARAMETER_VALUE, format!("invalid value for parameter \"{name}\": \"{word}\""))
        };
        let on = |default: bool| word.map_or(Some(default), parse_bool).ok_or_else(invalid);
        let mut modes = TransactionModes::default();
        match name.to_ascii_lowercase().as_str() {
            "transaction_isolation" => {
                let isolation = word.map_or(Some(defaults.isolation), parse_isolation).ok_or_else(invalid)?;
                modes.isolation = Some(isolation);
            }
            "transaction_read_only" => modes.read_only = Some(on(defaults.read_only)?),
            _ => modes.deferrable = Some(on(defaults.deferrable)?),
        }
        self.set_modes(modes)
    }

    fn reset_statement(&mut self, name: Option<&str>) -> SqlResult<()> {
        if let Some(name) = name.filter(|name| is_of_the_transaction(name)) {
            return self.set_transaction_setting(name, &SetValue::Default);
        }
        if let Some(name) = name.filter(|name| is_of_identity(name)) {
            return self.surroundings.set_identity(name, None, false);
        }
        let authority = self.surroundings.authority();
        let mut settings = self.surroundings.settings.borrow_mut();
        match name {
            Some(name) => settings.reset(name, false, authority),
            None => {
                settings.reset_all(authority);
                Ok(())
            }
        }
    }

    /// The rows of SHOW.
    pub(crate) fn show_rows(&self, name: Option<&str>) -> SqlResult<Vec<Vec<Datum>>> {
        match name {
            Some(name) => Ok(vec![vec![Datum::text(self.surroundings.show(name)?)]]),
            None => DEFINITIONS
                .iter()
                .filter(|definition| !is_hidden(definition.name))
                .map(|definition| {
                    let value = self.surroundings.show(definition.name)?;
                    Ok([definition.name, &value, definition.description].map(Datum::text).to_vec())
                })
                .collect(),
        }
    }

    async fn discard(&mut self, target: DiscardTarget) -> SqlResult<CommandTag> {
        Ok(CommandTag::Other(match target {
            DiscardTarget::All => {
                self.refuse_in_block("DISCARD ALL")?;
                self.surroundings.set_identity("session_authorization", None, false)?;
                let authority = self.surroundings.authority();
                self.surroundings.settings.borrow_mut().reset_all(authority);
                self.portals.clear();
                self.surroundings.notifications.borrow_mut().unlisten(None);
                self.surroundings.advisory.borrow_mut().unlock_all();
                self.prepared.clear();
                self.plan_cache.clear();
                self.parse_cache.clear();
                self.shapes.clear();
                self.surroundings.forget_sequences();
                self.discard_temporary_objects().await?;
                "DISCARD ALL"
            }
            DiscardTarget::Plans => {
                self.plan_cache.clear();
                self.parse_cache.clear();
                self.shapes.clear();
                "DISCARD PLANS"
            }
            DiscardTarget::Sequences => {
                self.surroundings.forget_sequences();
                "DISCARD SEQUENCES"
            }
            DiscardTarget::Temp => {
                self.discard_temporary_objects().await?;
                "DISCARD TEMP"
            }
        }))
    }

    fn checkpoint(&mut self) -> SqlResult<CommandTag> {
        if !self.surroundings.has_privileges_of(PG_CHECKPOINT) {
            return Err(SqlError::new(
                INSUFFICIENT_PRIVILEGE,
                "must be superuser or have privileges of pg_checkpoint to do CHECKPOINT",
            ));
        }
        let engine = self.surroundings.instance.system.engine().clone();
        // Writes pages: this thread's other work goes to another thread meanwhile.
        tokio::task::block_in_place(|| engine.checkpoint())
            .map_err(|error| SqlError::from(nqdb_txn::TxnError::from(error)))?;
        Ok(CommandTag::Other("CHECKPOINT"))
    }

    /// 25001 for what must not be part of a larger transaction.
    pub(crate) fn refuse_in_block(&self, command: &str) -> SqlResult<()> {
        if self.block == Block::Open || self.is_one_of_several {
            let message = format!("{command} cannot run inside a transaction block");
            return Err(SqlError::new(ACTIVE_SQL_TRANSACTION, message));
        }
        Ok(())
    }

    /// The statement and the parameters of an EXECUTE.
    pub(crate) async fn resolve_execute(
        &mut self,
        parsed: &Parsed,
        name: &str,
        args: &[ast::Expr],
    ) -> SqlResult<(Statement, Arc<[Datum]>)> {
        let prepared = self.prepared.get(name).ok_or_else(|| no_such_statement(name))?;
        let mut statement = prepared.statement.clone();
        let promised = prepared.output.clone();
        let expected = statement.parameters.len();
        if args.len() != expected {
            let message = format!("wrong number of parameters for prepared statement \"{name}\"");
            return Err(SqlError::new(SYNTAX_ERROR, message)
                .with_detail(format!("Expected {expected} parameters but got {}.", args.len())));
        }
        if matches!(statement.kind(), StatementKind::Rows(_)) {
            self.promised_output(&mut statement, promised.as_ref())?;
            if let Some(prepared) = self.prepared.get_mut(name) {
                prepared.statement = statement.clone();
                prepared.executions += 1;
            }
        }
        let params = self.evaluate_arguments(parsed, args, &statement.parameters).await?;
        Ok((statement, params))
    }

    /// Evaluates expressions over nothing, as a query of one row.
    async fn evaluate_arguments(
        &mut self,
        parsed: &Parsed,
        args: &[ast::Expr],
        types: &[u32],
    ) -> SqlResult<Arc<[Datum]>> {
        if args.is_empty() {
            return Ok(Arc::from([]));
        }
        let plan = self.with_planner(|cx, planner| {
            let mut columns = Vec::with_capacity(args.len());
            let mut output = Vec::with_capacity(args.len());
            for (at, (arg, oid)) in args.iter().zip(types).enumerate() {
                let (id, ty) = (ColumnId(at as u32), Type::new(*oid));
                let bound = bind_scalar(arg, &parsed.tokens, Some(ty), cx).map_err(|error| {
                    let given = bind_scalar(arg, &parsed.tokens, None, cx);
                    given.map_or_else(|worse| worse, |given| argument_error(error, at, &given, ty))
                });
                columns.push((id, bound?));
                output.push(OutputColumn { id, name: String::new(), ty, origin: None });
            }
            let rel = Rel::Extend { input: Box::new(Rel::OneRow), columns };
            plan(Bound::Query(Query { rel, output }), &[], planner)
        })?;
        let view = self.admit(&plan).await?;
        let mut execution = Execution::new(Arc::new(plan), Arc::from([]), view);
        let mut rows: Vec<Vec<Datum>> = Vec::new();
        loop {
            match self.with_execution(|cx| execution.step(cx, &mut rows, 0))? {
                Step::Done(_) => break,
                Step::Wait(wait) => self.wait(wait).await?,
                Step::Yield | Step::Suspended => tokio::task::yield_now().await,
            }
        }
        let row = rows.pop().ok_or_else(|| SqlError::internal("the arguments of EXECUTE made no row"))?;
        Ok(Arc::from(row))
    }
}

/// An argument of EXECUTE whose type does not become the parameter's.
fn argument_error(error: SqlError, at: usize, given: &Expr, wanted: Type) -> SqlError {
    if error.code() != CANNOT_COERCE {
        return error;
    }
    let message = format!(
        "parameter ${} of type {} cannot be coerced to the expected type {}",
        at + 1,
        given.ty.name(),
        wanted.name()
    );
    SqlError::new(DATATYPE_MISMATCH, message)
        .with_hint("You will need to rewrite or cast the expression.")
        .or_position(error.position())
}
