//! The system's own relations: `pg_catalog` and `information_schema`, made of the catalog at hand whenever they are read.
//!
//! | file | what it holds |
//! |---|---|
//! | `relation` | what a system relation is, and the macro that declares one |
//! | `context`, `value` | what its rows are made of |
//! | `object_name`, `definition_text`, `expression_text`, `query_text` | objects as SQL text |
//! | `class`, `attribute`, `types`, ... | the relations, by subject |
//! | `absent` | relations of things that do not exist here: always empty |
//!
//! What always holds:
//! 1. Numbers, names, columns and types of the relations are PostgreSQL 15's; a column's position is its attribute number.
//! 2. Nothing here is stored: rows come from the statement's catalog snapshot, the tables of types and functions, and
//!    the session. They are never written.
//! 3. A row is there for what exists here only: no functions, indexes or schemas that nobody could use.

mod absent;
mod access_method;
mod attribute;
mod class;
mod collation;
mod constraint;
mod context;
mod database;
mod definition_text;
mod dependency;
mod description;
mod expression_text;
mod index;
mod information_schema;
mod information_schema_absent;
mod information_schema_grants;
mod initial_privilege;
mod language;
mod locks;
mod named_type;
mod namespace;
mod object_identity;
mod object_name;
mod operator;
mod prepared_transactions;
mod privilege;
mod procedure;
mod query_text;
mod realtime;
mod relation;
mod rewrite;
mod role;
mod routine;
mod secured;
mod sequence;
mod session_objects;
mod session_state;
mod size;
mod trigger;
mod type_functions;
mod types;
mod updatable;
mod user_types;
mod value;
mod views;
mod visibility;

use nqdb_catalog::{PG_CATALOG_OID, Relation, Snapshot, StoredQuery};
use nqdb_types::Oid;

use crate::bind::BindContext;

pub(crate) use access_method::{BtreeClass, class_by_oid, class_named, default_class};
pub(crate) use attribute::{SYSTEM_COLUMNS, typed_default};
pub(crate) use collation::collation_number;
pub use context::SystemSession;
pub(crate) use context::{SystemContext, SystemRows};
pub(crate) use definition_text::key_text;
pub use definition_text::{
    constraint_definition, index_columns, index_definition, routine_text, serial_sequence, stored_expression,
};
pub(crate) use expression_text::expression_text;
pub use locks::{LockObject, LockedObject};
pub use object_identity::{object_identity, object_kind};
pub use object_name::{expect_schema_usage, object_name, object_number, relation_name, type_name};
pub use prepared_transactions::PreparedTransactionFacts;
pub use privilege::has_privilege;
pub use realtime::{ChannelFacts, ConnectionFacts};
pub(crate) use relation::Source;
pub use relation::{SystemColumn, SystemRelation};
pub use secured::{access_list, may, rights_on, secured};
pub(crate) use sequence::SEQUENCE_STATE;
pub(crate) use session_objects::tells_of_session;
pub use session_objects::{CursorFacts, PreparedFacts, SessionObjects};
pub use session_state::{SessionFacts, SettingFacts};
pub use size::{relation_size, storage_number, storage_size};
pub(crate) use types::{collation_of_type, type_storage};
pub use updatable::relation_changes;
pub use visibility::is_visible;

/// Every system relation, by subject.
static RELATIONS: &[&[&SystemRelation]] = &[
    namespace::RELATIONS,
    class::RELATIONS,
    attribute::RELATIONS,
    types::RELATIONS,
    user_types::RELATIONS,
    index::RELATIONS,
    constraint::RELATIONS,
    trigger::RELATIONS,
    sequence::RELATIONS,
    dependency::RELATIONS,
    rewrite::RELATIONS,
    initial_privilege::RELATIONS,
    description::RELATIONS,
    procedure::RELATIONS,
    language::RELATIONS,
    operator::RELATIONS,
    access_method::RELATIONS,
    collation::RELATIONS,
    database::RELATIONS,
    role::RELATIONS,
    session_state::RELATIONS,
    prepared_transactions::RELATIONS,
    session_objects::RELATIONS,
    locks::RELATIONS,
    realtime::RELATIONS,
    views::RELATIONS,
    information_schema::RELATIONS,
    information_schema_absent::RELATIONS,
    information_schema_grants::RELATIONS,
    absent::RELATIONS,
];

/// All system relations.
pub(crate) fn all() -> impl Iterator<Item = &'static SystemRelation> {
    RELATIONS.iter().copied().flatten().copied()
}

/// The query of a view, with a semicolon: as PostgreSQL prints it, or, where it has something that is not spelled here, as
/// it was written.
pub fn view_definition(view: Oid, pretty: bool, cx: &BindContext<'_>) -> Option<String> {
    let (stored, columns): (&StoredQuery, Vec<String>) = match cx.catalog.relation_by_oid(view) {
        Some(Relation::View(found)) => (&found.query, found.columns.iter().map(|column| column.name.clone()).collect()),
        Some(Relation::Table(table)) => {
            let columns = table.live_columns().map(|(_, column)| column.name.clone()).collect();
            (&table.materialized.as_ref()?.query, columns)
        }
        Some(Relation::Index(..) | Relation::Sequence(_)) => return None,
        None => match by_oid(view)?.source {
            Source::Query(query) => return Some(format!(" {};", query.trim())),
            Source::Rows { .. } | Source::Nothing => return None,
        },
    };
    Some(match query_text::query_text(stored, &columns, pretty, cx) {
        Some(text) => format!("{text};"),
        None => format!(" {};", stored.text.trim()),
    })
}

/// What COMMENT ON said of an object of a system catalog, or of whichever catalog has the number.
pub fn comment(catalog: &Snapshot, class: Option<&str>, object: Oid, column: i16) -> Option<String> {
    let found = match class {
        Some(class) => catalog.comment(named(PG_CATALOG_OID, class)?.oid, object, column).cloned(),
        None => catalog.comments().find(|comment| comment.object == object && comment.column == column).cloned(),
    };
    found.map(|comment| comment.text.clone())
}

/// The system relation of that name in a schema.
pub(crate) fn named(schema: Oid, name: &str) -> Option<&'static SystemRelation> {
    let known = schema == PG_CATALOG_OID || schema == nqdb_catalog::INFORMATION_SCHEMA_OID;
    if known { all().find(|relation| relation.schema == schema && relation.name == name) } else { None }
}

/// The number of the system relation of a name in a schema.
pub(crate) fn number_of(schema: Oid, name: &str) -> Option<Oid> {
    named(schema, name).map(|relation| relation.oid)
}

/// The attribute number of a column of a system relation.
pub(crate) fn column_number(relation: Oid, name: &str) -> Option<i16> {
    let at = by_oid(relation)?.column_named(name)?;
    i16::try_from(at + 1).ok()
}

/// The number of a tablespace.
pub(crate) fn tablespace_named(name: &str) -> Option<Oid> {
    database::TABLESPACES.iter().find(|(_, known)| *known == name).map(|(number, _)| *number)
}

/// The system relation with that number.
pub(crate) fn by_oid(oid: Oid) -> Option<&'static SystemRelation> {
    if oid >= nqdb_catalog::FIRST_USER_OID {
        return None;
    }
    all().find(|relation| relation.oid == oid)
}
