//! What a session has under names of its own: cursors and prepared statements.
//!
//! The session describes them when a statement that reads these relations begins.

use nqdb_sqlstate::SqlResult;
use nqdb_types::{Datum, Oid};

use super::context::{SystemContext, SystemRows};
use super::relation::{SystemRelation, relation};
use super::value::{boolean, int8, text, type_array};

pub(super) static RELATIONS: &[&SystemRelation] = &[&PG_CURSORS, &PG_PREPARED_STATEMENTS];

relation! {
    /// Cursors, and the portals of the extended protocol.
    PG_CURSORS = "pg_cursors" 12077, row_type 12079, View, keys [], rows cursors;
    CursorRow {     name: TEXT nullable, statement: TEXT nullable, is_holdable: BOOL nullable, is_binary: BOOL nullable,
    is_scrollable: BOOL nullable, creation_time: TIMESTAMPTZ nullable, }
}

relation! {
    /// Prepared statements, those without a name left out.
    PG_PREPARED_STATEMENTS = "pg_prepared_statements" 12095, row_type 12097, View, keys [], rows prepared_statements;
    PreparedRow {     name: TEXT nullable, statement: TEXT nullable, prepare_time: TIMESTAMPTZ nullable,
    parameter_types: REGTYPE_ARRAY nullable, from_sql: BOOL nullable, generic_plans: INT8 nullable,
    custom_plans: INT8 nullable, }
}

/// What a session has under names of its own.
#[derive(Clone, Debug, Default)]
pub struct SessionObjects {
    pub cursors: Vec<CursorFacts>,
    pub prepared: Vec<PreparedFacts>,
}

/// A cursor or portal.
#[derive(Clone, Debug)]
pub struct CursorFacts {
    pub name: String,
    pub statement: String,
    pub is_holdable: bool,
    pub is_binary: bool,
    pub is_scrollable: bool,
    /// µs since 2000-01-01 UTC.
    pub created_micros: i64,
}

/// A prepared statement.
#[derive(Clone, Debug)]
pub struct PreparedFacts {
    pub name: String,
    pub statement: String,
    /// µs since 2000-01-01 UTC.
    pub prepared_micros: i64,
    pub parameter_types: Vec<Oid>,
    /// By PREPARE, and not by the protocol.
    pub from_sql: bool,
    /// Executions. One plan serves whatever the parameters are.
    pub executions: u64,
}

/// Whether a relation tells of the session's own objects.
pub(crate) fn tells_of_session(relation: &SystemRelation) -> bool {
    RELATIONS.iter().any(|own| own.oid == relation.oid)
}

fn cursors(cx: &SystemContext<'_>, rows: &mut SystemRows<'_>) -> SqlResult<()> {
    cx.session.objects().cursors.into_iter().try_for_each(|cursor| {
        rows.push(CursorRow {
            name: text(&cursor.name),
            statement: text(&cursor.statement),
            is_holdable: boolean(cursor.is_holdable),
            is_binary: boolean(cursor.is_binary),
            is_scrollable: boolean(cursor.is_scrollable),
            creation_time: Datum::TimestampTz(cursor.created_micros),
        })
    })
}

fn prepared_statements(cx: &SystemContext<'_>, rows: &mut SystemRows<'_>) -> SqlResult<()> {
    cx.session.objects().prepared.into_iter().try_for_each(|prepared| {
        rows.push(PreparedRow {
            name: text(&prepared.name),
            statement: text(&prepared.statement),
            prepare_time: Datum::TimestampTz(prepared.prepared_micros),
            parameter_types: type_array(prepared.parameter_types),
            from_sql: boolean(prepared.from_sql),
            generic_plans: int8(prepared.executions),
            custom_plans: int8(0),
        })
    })
}
