//! A statement with its plan: what prepared statements, portals and the plan cache share.
//!
//! A plan serves as long as the catalog, the search path and the planner's settings are those it was made under;
//! otherwise it is made again from the syntax tree. A prepared statement promised its result columns to the client
//! and is refused when they have changed (0A000).

use std::sync::Arc;

use nqdb_catalog::rights::{Rights, SecuredKind};
use nqdb_sql::bind::{BindContext, bind};
use nqdb_sql::definition::Definition;
use nqdb_sql::ir::OutputColumn;
use nqdb_sql::params::ParamTypes;
use nqdb_sql::plan::{Plan, PlanContext, explain, explain_column, plan, plan_cursor};
use nqdb_sql::rights::Access;
use nqdb_sql::statement::{ExplainOptions, Parsed, StatementKind};
use nqdb_sqlstate::{INVALID_SQL_STATEMENT_NAME, SqlError, SqlResult};
use nqdb_txn::RelationLock;
use nqdb_types::{Oid, Type};

use crate::run::{executing, result_type_changed, same_columns};
use crate::session::Session;
use crate::settings::{PlannerSettings, Settings};

/// A statement that can be executed.
#[derive(Clone)]
pub(crate) struct Statement {
    pub parsed: Arc<Parsed>,
    /// Parameter types: as declared, and complete once a plan was made.
    pub parameters: Arc<[Oid]>,
    /// `$1` and its like may appear: not in the simple protocol.
    pub takes_parameters: bool,
    planned: Option<Planned>,
}

#[derive(Clone)]
struct Planned {
    plan: Arc<Plan>,
    search_path: Arc<[u32]>,
    role: u32,
    planner: PlannerSettings,
}

/// A statement that the client named, with the columns it was promised.
#[derive(Clone)]
pub(crate) struct Prepared {
    pub statement: Statement,
    pub output: Option<Arc<[OutputColumn]>>,
    /// By PREPARE, and not by the protocol.
    pub from_sql: bool,
    pub prepared_micros: i64,
    pub executions: u64,
}

impl Statement {
    /// A statement of a query string.
    pub fn simple(parsed: Parsed) -> Statement {
        Statement { parsed: Arc::new(parsed), parameters: Arc::from([]), takes_parameters: false, planned: None }
    }

    /// A statement to prepare, with the parameter types that were declared; 0 leaves one to be inferred.
    pub fn with_parameters(parsed: Parsed, declared: &[Oid]) -> Statement {
        Statement { parsed: Arc::new(parsed), parameters: Arc::from(declared), takes_parameters: true, planned: None }
    }

    pub fn kind(&self) -> &StatementKind {
        &self.parsed.kind
    }
}

/// 26000 for a name that nothing was prepared under.
pub(crate) fn no_such_statement(name: &str) -> SqlError {
    let message = if name.is_empty() {
        "unnamed prepared statement does not exist".to_owned()
    } else {
        format!("prepared statement \"{name}\" does not exist")
    };
    SqlError::new(INVALID_SQL_STATEMENT_NAME, message)
}

impl Session {
    /// The plan that was made for a statement, if it was made under the catalog, the role and the settings as they are now.
    pub(crate) fn plan_that_holds(&mut self, statement: &Statement) -> Option<Arc<Plan>> {
        let planned = statement.planned.as_ref()?;
        let version = self.catalog_view().version;
        let search_path = self.surroundings.search_path.borrow();
        let holds = planned.plan.catalog_version == version
            && planned.planner == self.surroundings.settings.borrow().effective().planner
            && planned.role == self.surroundings.current_role()
            && (Arc::ptr_eq(&planned.search_path, &search_path) || planned.search_path == *search_path);
        holds.then(|| planned.plan.clone())
    }

    /// The statement's plan under the catalog as it is now.
    pub(crate) fn current_plan(&mut self, statement: &mut Statement) -> SqlResult<Arc<Plan>> {
        if let Some(plan) = self.plan_that_holds(statement) {
            self.surroundings.instance.metrics.plans_reused.increment();
            return Ok(plan);
        }
        let mut parameters =
            if statement.takes_parameters { ParamTypes::declared(&statement.parameters) } else { ParamTypes::none() };
        let mut plan = self.with_planner(|cx, planner| make_plan(&statement.parsed, cx, &mut parameters, planner))?;
        let search_path = self.surroundings.search_path.borrow().clone();
        let planner = self.surroundings.settings.borrow().effective().planner;
        let role = self.surroundings.current_role();
        self.choose_executor(&mut plan);
        let plan = Arc::new(plan);
        self.surroundings.instance.metrics.plans_made.increment();
        if statement.takes_parameters {
            statement.parameters = Arc::from(parameters.types());
        }
        statement.planned = Some(Planned { plan: plan.clone(), search_path, role, planner });
        Ok(plan)
    }

    /// The plan of EXPLAIN EXECUTE, under its locks.
    pub(crate) async fn explain_prepared(
        &mut self,
        statement: &Statement,
        options: ExplainOptions,
    ) -> SqlResult<Arc<Plan>> {
        if !matches!(statement.kind(), StatementKind::Rows(_)) {
            return Err(SqlError::unsupported("EXPLAIN of this statement"));
        }
        self.ensure_transaction()?;
        loop {
            let mut parameters = ParamTypes::declared(&statement.parameters);
            let mut plan = self.with_planner(|cx, planner| {
                let (bound, accesses) = bind(&statement.parsed, cx, &mut parameters)?;
                let plan = explain(bound, parameters.types(), options, planner, &|| cx.session.clock_micros())?;
                Ok(with_accesses(plan, accesses, cx))
            })?;
            self.choose_executor(&mut plan);
            self.lock_relations(&plan.relations).await?;
            if self.catalog_view().version == plan.catalog_version {
                return Ok(Arc::new(plan));
            }
        }
    }

    /// The columns that a statement returns, none when it returns no rows.
    pub(crate) fn output_of(&mut self, statement: &mut Statement) -> SqlResult<Option<Arc<[OutputColumn]>>> {
        match statement.parsed.clone().kind {
            StatementKind::Explain { options, ref inner }
                if matches!(executing(inner).kind, StatementKind::Execute { .. }) =>
            {
                Ok(Some(Arc::from([explain_column(options)])))
            }
            StatementKind::Rows(_) | StatementKind::Explain { .. } => {
                let plan = self.current_plan(statement)?;
                Ok(plan.output.clone())
            }
            StatementKind::DeclareCursor(_) => {
                // Its parameters are those of its query.
                self.current_plan(statement)?;
                Ok(None)
            }
            StatementKind::Fetch(ref fetch) if !fetch.moves => {
                Ok(self.portals.get(&fetch.name).and_then(|cursor| cursor.output.clone()))
            }
            StatementKind::Show(ref name) => Ok(Some(show_columns(name.as_deref())?)),
            StatementKind::Execute { ref name, .. } => {
                let prepared = self.prepared.get(name).ok_or_else(|| no_such_statement(name))?;
                Ok(prepared.output.clone())
            }
            StatementKind::Refused(ref error) => Err(error.clone()),
            _ => Ok(None),
        }
    }

    /// As [`Session::output_of`], for a prepared statement that promised its columns.
    pub(crate) fn promised_output(
        &mut self,
        statement: &mut Statement,
        promised: Option<&Arc<[OutputColumn]>>,
    ) -> SqlResult<Option<Arc<[OutputColumn]>>> {
        let output = self.output_of(statement)?;
        // A cursor's columns are what they are when it is read.
        let is_kept = match (&output, promised) {
            _ if matches!(statement.kind(), StatementKind::Fetch(_)) => true,
            (Some(now), Some(before)) => Arc::ptr_eq(now, before) || same_columns(now, before),
            (None, None) => true,
            _ => false,
        };
        if is_kept { Ok(output) } else { Err(result_type_changed()) }
    }
}

/// Binds and plans a statement over rows, or an EXPLAIN of one.
fn make_plan(
    parsed: &Parsed,
    cx: &BindContext<'_>,
    parameters: &mut ParamTypes,
    planner: &PlanContext,
) -> SqlResult<Plan> {
    match &parsed.kind {
        StatementKind::Explain { options, inner } => {
            let (bound, accesses) = match &inner.kind {
                StatementKind::Rows(_) => bind(inner, cx, parameters)?,
                StatementKind::DeclareCursor(declare) => bind(&declare.query, cx, parameters)?,
                StatementKind::Define(definition) => match &**definition {
                    Definition::TableAs(create) => bind(&create.query, cx, parameters)?,
                    _ => return Err(SqlError::unsupported("EXPLAIN of this statement")),
                },
                _ => return Err(SqlError::unsupported("EXPLAIN of this statement")),
            };
            let plan = explain(bound, parameters.types(), *options, planner, &|| cx.session.clock_micros())?;
            Ok(with_accesses(plan, accesses, cx))
        }
        StatementKind::DeclareCursor(declare) => {
            let (bound, accesses) = bind(&declare.query, cx, parameters)?;
            Ok(with_accesses(plan_cursor(bound, declare.options, parameters.types(), planner)?, accesses, cx))
        }
        StatementKind::Rows(_) => {
            let (bound, accesses) = bind(parsed, cx, parameters)?;
            Ok(with_accesses(plan(bound, parameters.types(), planner)?, accesses, cx))
        }
        _ => Err(SqlError::unsupported("EXPLAIN of this statement")),
    }
}

/// The plan with what it needs to be allowed, and with locks on the views that it was made of.
fn with_accesses(mut plan: Plan, accesses: Vec<Access>, cx: &BindContext<'_>) -> Plan {
    for access in &accesses {
        let is_view = access.kind == SecuredKind::Table && cx.catalog.view_by_oid(access.object).is_some();
        if is_view && plan.relations.iter().all(|(relation, _)| *relation != access.object) {
            let only_read = access.needed.without(Rights::SELECT).is_empty();
            let mode = if only_read { RelationLock::AccessShare } else { RelationLock::RowExclusive };
            plan.relations.push((access.object, mode));
        }
    }
    plan.accesses = accesses;
    plan
}

/// The columns of SHOW.
fn show_columns(name: Option<&str>) -> SqlResult<Arc<[OutputColumn]>> {
    Ok(match name {
        Some(name) => Arc::from([text_column(0, &Settings::canonical_name(name)?)]),
        None => Arc::from([text_column(0, "name"), text_column(1, "setting"), text_column(2, "description")]),
    })
}

fn text_column(id: u32, name: &str) -> OutputColumn {
    OutputColumn { id: nqdb_sql::ir::ColumnId(id), name: name.to_owned(), ty: Type::TEXT, origin: None }
}
