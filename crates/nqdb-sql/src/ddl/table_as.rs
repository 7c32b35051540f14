//! Tables made of queries: CREATE TABLE AS, SELECT INTO, CREATE and REFRESH MATERIALIZED VIEW.

use std::sync::Arc;

use nqdb_catalog::request::{NewColumn, NewTable};
use nqdb_catalog::{Materialized, OnCommit, Relation, TableDef, TableSettings};
use nqdb_sqlstate::{
    DUPLICATE_TABLE, FEATURE_NOT_SUPPORTED, INVALID_TABLE_DEFINITION, Notice, OBJECT_NOT_IN_PREREQUISITE_STATE,
    SqlError,
};
use nqdb_txn::{RelationLock, TxnError};
use nqdb_types::{Datum, Oid};

use super::create_table::expect_permanent_schema;
use super::view::named_columns;
use super::{DdlContext, QualifiedName, storage_parameters};
use crate::bind::{bind_fill, bind_refill};
use crate::definition::{CreateTableAs, TableAsKind};
use crate::exec::{CommandTag, Execution, Step};
use crate::ir::Bound;
use crate::plan::{Plan, PlanContext, plan};
use crate::rights::{Access, check_accesses};

pub(super) fn create_table_as(create: &CreateTableAs, cx: &mut DdlContext<'_, '_>) -> Result<CommandTag, TxnError> {
    let is_view = create.kind == TableAsKind::MaterializedView;
    let tag = if is_view { "CREATE MATERIALIZED VIEW" } else { "CREATE TABLE AS" };
    let schema = cx.relation_schema(&create.name, create.temporary)?;
    if create.if_not_exists && cx.draft.snapshot().relation(schema, &create.name.name).is_some() {
        let message = format!("relation \"{}\" already exists, skipping", create.name.name);
        cx.notice(Notice::new(DUPLICATE_TABLE, message));
        return Ok(CommandTag::Other(tag));
    }
    if create.on_commit != OnCommit::PreserveRows && !create.temporary {
        let message = "ON COMMIT can only be used on temporary tables";
        return Err(SqlError::new(INVALID_TABLE_DEFINITION, message).into());
    }
    if create.unlogged {
        expect_permanent_schema(schema, cx)?;
    }
    let (types, arguments): (Vec<Oid>, Vec<Datum>) = create.arguments.iter().flatten().cloned().unzip();
    let analyzed = cx.analyze(&create.query, &types)?;
    if is_view && cx.reads_temporary(&analyzed.stored) {
        let message = "materialized views must not use temporary tables or views";
        return Err(SqlError::new(FEATURE_NOT_SUPPORTED, message).into());
    }
    let columns = named_columns(&create.columns, analyzed.columns, "too many column names were specified")?;
    let columns = columns.iter().map(|(name, ty)| NewColumn::plain(name, *ty)).collect();
    let materialized = is_view.then_some(Materialized { query: analyzed.stored, populated: create.with_data });
    let on_commit = create.on_commit;
    let parameters = storage_parameters::checked(&create.parameters, storage_parameters::Target::Table)?;
    let settings = TableSettings { parameters, unlogged: create.unlogged, ..TableSettings::default() };
    let new = NewTable { on_commit, materialized, settings, ..NewTable::plain(schema, &create.name.name, columns) };
    let table = cx.writer().create_table(&new)?;
    if !create.with_data {
        return Ok(if create.arguments.is_some() { CommandTag::Select(0) } else { CommandTag::Other(tag) });
    }
    let snapshot = cx.draft.snapshot();
    let table = table_of(&snapshot, table)?;
    let (bound, accesses) = bind_fill(&create.query, &types, &table, &cx.bind_context(&snapshot))?;
    let fill = Fill { bound, types, arguments: arguments.into(), accesses, reader: cx.role };
    Ok(CommandTag::Select(cx.run_fill(fill)?))
}

/// REFRESH MATERIALIZED VIEW: empties the view and fills it again. CONCURRENTLY gives the same rows under the same lock.
pub(super) fn refresh(
    name: &QualifiedName,
    concurrently: bool,
    with_data: bool,
    cx: &mut DdlContext<'_, '_>,
) -> Result<CommandTag, TxnError> {
    let table = match cx.find_relation(name) {
        Some(Relation::Table(table)) if table.materialized.is_some() => table,
        Some(_) => {
            let message = format!("\"{}\" is not a materialized view", name.name);
            return Err(SqlError::new(FEATURE_NOT_SUPPORTED, message).into());
        }
        None => return Err(cx.missing_relation(name).into()),
    };
    cx.expect_owner(table.owner, "materialized view", &table.name)?;
    if concurrently {
        expect_concurrent_refresh(&table, with_data)?;
    }
    let table = cx.writer().lock_table(table.oid, RelationLock::AccessExclusive)?;
    cx.expect_not_open(table.oid, &table.name, "REFRESH MATERIALIZED VIEW")?;
    cx.writer().truncate(table.oid, false)?;
    cx.writer().set_populated(table.oid, with_data)?;
    if with_data {
        let snapshot = cx.draft.snapshot();
        let table = table_of(&snapshot, table.oid)?;
        if let Some(materialized) = &table.materialized {
            for relation in &materialized.query.relations {
                cx.exec.txn.lock_relation(relation.oid, RelationLock::AccessShare)?;
            }
            let (bound, accesses) = bind_refill(&materialized.query, &table, &cx.bind_context(&snapshot))?;
            // The view's query runs with the rights of its owner, whoever refreshes it.
            let fill = Fill { bound, types: Vec::new(), arguments: [].into(), accesses, reader: table.owner };
            cx.run_fill(fill)?;
        }
    }
    Ok(CommandTag::Other("REFRESH MATERIALIZED VIEW"))
}

fn expect_concurrent_refresh(table: &TableDef, with_data: bool) -> Result<(), SqlError> {
    if !with_data {
        let message = "CONCURRENTLY and WITH NO DATA options cannot be used together";
        return Err(SqlError::new(nqdb_sqlstate::SYNTAX_ERROR, message));
    }
    if table.materialized.as_ref().is_some_and(|materialized| !materialized.populated) {
        let message = "CONCURRENTLY cannot be used when the materialized view is not populated";
        return Err(SqlError::new(FEATURE_NOT_SUPPORTED, message));
    }
    if !table.indexes.iter().any(|index| index.unique && index.is_plain()) {
        let name = format!("{}.{}", table.schema_name, table.name);
        let message = format!("cannot refresh materialized view \"{name}\" concurrently");
        let hint = "Create a unique index with no WHERE clause on one or more columns of the materialized view.";
        return Err(SqlError::new(OBJECT_NOT_IN_PREREQUISITE_STATE, message).with_hint(hint));
    }
    Ok(())
}

fn table_of(snapshot: &nqdb_catalog::Snapshot, oid: u32) -> Result<Arc<TableDef>, SqlError> {
    snapshot.table_by_oid(oid).cloned().ok_or_else(|| SqlError::internal("a table that was just made is missing"))
}

/// The filling of a table with the rows of a query.
struct Fill {
    bound: Bound,
    /// Of the query's parameters.
    types: Vec<Oid>,
    arguments: Arc<[Datum]>,
    accesses: Vec<Access>,
    /// Whose privileges count.
    reader: Oid,
}

impl DdlContext<'_, '_> {
    /// Runs an INSERT whose rows the statement's own snapshot shows; gives their number.
    ///
    /// Errors: 42501 when the reader may not read what the rows come from.
    fn run_fill(&mut self, fill: Fill) -> Result<u64, TxnError> {
        let snapshot = self.draft.snapshot();
        (self.enter)(&snapshot);
        let plan = plan(fill.bound, &fill.types, &PlanContext::new(snapshot.version))?;
        check_accesses(&snapshot, fill.reader, &fill.accesses)?;
        for (relation, mode) in &plan.relations {
            self.exec.txn.lock_relation(*relation, *mode)?;
        }
        let view = self.exec.txn.view();
        self.fill_from(plan, fill.arguments, view)
    }

    /// Runs an INSERT whose rows a view shows; gives their number.
    pub(super) fn fill_from(
        &mut self,
        plan: Plan,
        arguments: Arc<[Datum]>,
        view: nqdb_txn::ReadView,
    ) -> Result<u64, TxnError> {
        let mut execution = Execution::new(plan.into(), arguments, view);
        let mut rows: Vec<Vec<Datum>> = Vec::new();
        loop {
            match execution.step(self.exec, &mut rows, 0)? {
                Step::Done(CommandTag::Insert(count)) => return Ok(count),
                Step::Done(_) | Step::Suspended => {
                    return Err(SqlError::internal("an INSERT ended as something else").into());
                }
                Step::Wait(wait) => return Err(TxnError::Wait(wait)),
                Step::Yield => self.exec.check_cancel()?,
            }
        }
    }
}
