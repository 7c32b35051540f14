//! Data definition: from syntax trees to calls of [`nqdb_catalog::CatalogWriter`].
//!
//! 1. A statement takes effect as a whole or not at all: [`run`] marks where it began, and a wait in its middle
//!    rolls back to there before it is handed out; the caller waits and calls again.
//! 2. Expressions are bound before they are stored, so that nothing unusable gets into the catalog. Rows that exist are
//!    checked by running queries over them.
//! 3. Every clause is obeyed, refused with 0A000, or listed in docs/compat.md as accepted without effect.

mod alter_column;
mod alter_object;
mod alter_table;
mod alter_type;
mod analyze;
mod channel;
mod cluster;
mod comment;
mod constraint;
mod create_index;
mod create_table;
mod database;
mod default_privileges;
mod domain;
mod drop;
mod drop_absent;
mod expression;
mod foreign_key;
mod grant;
mod grant_target;
mod like;
mod membership;
mod names;
mod open_query;
mod place;
mod privilege;
mod published;
mod query;
mod reindex;
mod rename;
mod rights;
mod role;
mod role_setting;
mod schema;
mod sequence;
mod storage_parameters;
mod table_as;
mod truncate;
mod user_type;
mod view;

use std::sync::Arc;

use nqdb_catalog::{CatalogWriter, Draft, Snapshot};
use nqdb_sqlstate::{Notice, SqlError, SqlResult};
use nqdb_txn::TxnError;
use nqdb_types::{Oid, Type};
use sqlparser::ast::{DataType, Statement};

use crate::bind::{BindContext, data_type};
use crate::definition::Definition;
use crate::exec::{CommandTag, ExecContext, Step};
use crate::statement::{MaintenanceTable, Parsed, StatementKind};

pub use channel::{alter_channel, create_channel, drop_channel};
pub use database::{DatabaseClaim, database_claim};
pub use names::QualifiedName;
pub use published::{publish_changes, unpublish_changes};
pub(crate) use query::{qualified, quoted};

/// What definitions need beyond an execution's context.
pub struct DdlContext<'a, 'b> {
    pub exec: &'a mut ExecContext<'b>,
    pub draft: &'a mut Draft,
    /// The current role: owner of what is made.
    pub role: Oid,
    /// The role that SET ROLE NONE would go back to.
    pub session_role: Oid,
    /// Schemas in which names are looked up; the first one that the user may see is where things are made.
    pub search_path: &'a [Oid],
    /// The name of the session's schema for temporary objects, which may not exist yet.
    pub temporary_schema: &'a str,
    /// Tables that open portals and cursors of the session read.
    pub open_relations: &'a [Oid],
    /// Called with the catalog that the definition's own queries run over, so that functions find what it just made.
    pub enter: &'a dyn Fn(&Arc<Snapshot>),
    /// The name of a setting as it is known, and the text that its words mean: the errors of SET for what it does not take.
    pub check_setting: CheckSetting<'a>,
}

/// See [`DdlContext::check_setting`].
pub type CheckSetting<'a> = &'a dyn Fn(&str, Option<&[String]>) -> SqlResult<(String, String)>;

/// Runs a data definition statement or ANALYZE. `Step::Wait`: nothing was changed, wait and call again.
pub fn run(parsed: &Parsed, cx: &mut DdlContext<'_, '_>) -> SqlResult<Step> {
    in_one_step(cx, |cx| run_definition(parsed, cx))
}

/// Makes a change as a whole or not at all: a wait in its middle rolls back to where it began.
fn in_one_step(
    cx: &mut DdlContext<'_, '_>,
    change: impl FnOnce(&mut DdlContext<'_, '_>) -> Result<CommandTag, TxnError>,
) -> SqlResult<Step> {
    let savepoint = cx.exec.txn.savepoint();
    let mark = cx.draft.mark();
    let begun = cx.exec.txn.begin_statement();
    match begun.and_then(|()| change(cx)) {
        Ok(tag) => Ok(Step::Done(tag)),
        Err(TxnError::Wait(wait)) => {
            cx.draft.rollback_to(mark);
            cx.exec.txn.rollback_changes_to(savepoint)?;
            Ok(Step::Wait(wait))
        }
        Err(error) => Err(error.into()),
    }
}

fn run_definition(parsed: &Parsed, cx: &mut DdlContext<'_, '_>) -> Result<CommandTag, TxnError> {
    match &parsed.kind {
        StatementKind::Analyze { verbose: _, skip_locked, tables } => analyze::analyze(tables, *skip_locked, cx),
        StatementKind::Vacuum(vacuum) => analyze::vacuum(vacuum, cx),
        StatementKind::Sequence(statement) => sequence::run(statement, cx),
        StatementKind::Define(definition) => define(parsed, definition, cx),
        StatementKind::Ddl(statement) => run_statement(statement, cx),
        _ => Err(SqlError::internal("not a data definition statement").into()),
    }
}

fn define(parsed: &Parsed, definition: &Definition, cx: &mut DdlContext<'_, '_>) -> Result<CommandTag, TxnError> {
    match definition {
        Definition::View(create) => view::create_view(create, cx),
        Definition::TableAs(create) => table_as::create_table_as(create, cx),
        Definition::Table(create) => create_table::create_table(parsed, create, cx),
        Definition::AlterTable(alter) => alter_table::alter_table(parsed, alter, cx),
        Definition::Cluster(cluster) => cluster::cluster(cluster, cx),
        Definition::Refresh { name, concurrently, with_data } => table_as::refresh(name, *concurrently, *with_data, cx),
        Definition::Index(create) => create_index::create_index(create, &parsed.tokens, cx),
        Definition::DropIndexConcurrently(drop) => reindex::drop_concurrently(drop, cx),
        Definition::Reindex(reindex) => reindex::reindex(reindex, cx),
        Definition::Alter(alter) => alter_object::alter(alter, cx),
        Definition::CreateType(create) => user_type::create_type(create, cx),
        Definition::AlterType(alter) => user_type::alter_type(alter, cx),
        Definition::CreateDomain(create) => domain::create_domain(create, cx),
        Definition::AlterDomain(alter) => domain::alter_domain(alter, cx),
        Definition::DropType(drop) => user_type::drop_types(drop, cx),
        Definition::DropAbsent(drop) => drop_absent::drop_absent(drop, cx),
        Definition::Comment(comment) => comment::comment(comment, cx),
        Definition::SchemaWith(create) => schema::create_schema_with(create, cx),
        Definition::Rights(command) => rights::run(command, cx),
        Definition::Database(command) => database::run(command, cx),
    }
}

fn run_statement(statement: &Statement, cx: &mut DdlContext<'_, '_>) -> Result<CommandTag, TxnError> {
    match statement {
        Statement::CreateSchema {
            schema_name,
            or_replace: false,
            if_not_exists,
            with: None,
            options: None,
            default_collate_spec: None,
            clone: None,
        } => schema::create_schema(schema_name, *if_not_exists, cx),
        Statement::Drop {
            object_type,
            if_exists,
            names,
            cascade,
            restrict: _,
            purge: false,
            temporary: false,
            table: None,
        } => drop::drop_objects(*object_type, *if_exists, names, *cascade, cx),
        Statement::Truncate(truncate) => truncate::truncate(truncate, cx),
        other => Err(SqlError::unsupported(statement_name(&other.to_string())).into()),
    }
}

impl DdlContext<'_, '_> {
    fn writer(&mut self) -> CatalogWriter<'_> {
        CatalogWriter::new(self.draft, self.exec.txn, self.role).on_path(self.search_path)
    }

    fn notice(&mut self, notice: Notice) {
        self.exec.notices.push(notice);
    }

    /// The type that a type name means.
    fn data_type(&mut self, written: &DataType) -> SqlResult<Type> {
        let snapshot = self.draft.snapshot();
        data_type(written, &self.bind_context(&snapshot))
    }

    /// What the binder needs, over a snapshot of the catalog.
    fn bind_context<'s>(&'s self, catalog: &'s Snapshot) -> BindContext<'s> {
        BindContext {
            catalog,
            role: self.role,
            search_path: self.search_path,
            format: self.exec.functions.format,
            session: self.exec.functions.session,
        }
    }
}

/// The words that name a kind of statement: `CREATE VIEW`, also of CREATE OR REPLACE TEMPORARY VIEW.
fn statement_name(text: &str) -> String {
    const SKIPPED: [&str; 6] = ["or", "replace", "temporary", "temp", "recursive", "trusted"];
    const HALVES: [&str; 5] = ["materialized", "foreign", "event", "access", "default"];
    let mut words = text.split_whitespace();
    let mut name: Vec<&str> = words.next().into_iter().collect();
    for word in words.filter(|word| !SKIPPED.iter().any(|skipped| word.eq_ignore_ascii_case(skipped))) {
        name.push(word);
        if !HALVES.iter().any(|half| word.eq_ignore_ascii_case(half)) {
            break;
        }
    }
    name.join(" ")
}

/// The tables of ANALYZE and VACUUM.
type Targets<'a> = &'a [MaintenanceTable];

#[cfg(test)]
mod tests {
    use super::statement_name;

    #[test]
    fn refusals_name_the_statement_as_its_user_does() {
        for (text, name) in [
            ("CREATE OR REPLACE FUNCTION f() ...", "CREATE FUNCTION"),
            ("CREATE OR REPLACE TEMPORARY VIEW v AS SELECT 1", "CREATE VIEW"),
            ("CREATE MATERIALIZED VIEW v AS SELECT 1", "CREATE MATERIALIZED VIEW"),
            ("CREATE EXTENSION x", "CREATE EXTENSION"),
            ("COMMENT ON TABLE t IS 'x'", "COMMENT ON"),
        ] {
            assert_eq!(statement_name(text), name);
        }
    }
}
