//! What a statement needs to be allowed: which relations it touches, how, in which columns, and with whose rights.
//!
//! The binder writes it down; whoever starts an execution checks it, each time, because privileges and roles change while a
//! plan stays. A view is checked for who names it, and what it reads for the view's owner.

use nqdb_catalog::Snapshot;
use nqdb_catalog::channel::messages_are_kept;
use nqdb_catalog::rights::{ColumnNeeds, Rights, Secured, SecuredKind};
use nqdb_sqlstate::{INSUFFICIENT_PRIVILEGE, SqlError, SqlResult};
use nqdb_types::Oid;

use crate::system;

/// What a statement does with one object that it names: a relation, or a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    pub kind: SecuredKind,
    pub object: Oid,
    /// Whose privileges count; none for those of who runs the statement.
    pub as_role: Option<Oid>,
    pub needed: Rights,
    pub columns: ColumnNeeds,
}

/// 42501 for the first relation that a statement may not touch as it does.
pub fn check_accesses(catalog: &Snapshot, role: Oid, accesses: &[Access]) -> SqlResult<()> {
    accesses.iter().try_for_each(|access| check_access(catalog, role, access))
}

fn check_access(catalog: &Snapshot, role: Oid, access: &Access) -> SqlResult<()> {
    expect_no_messages(catalog, access)?;
    let role = access.as_role.unwrap_or(role);
    if catalog.is_superuser(role) {
        return Ok(());
    }
    let Some(secured) = system::secured(catalog, access.kind, access.object) else { return Ok(()) };
    // What was dropped meanwhile has no owner to ask: the plan is made again under its locks.
    let missing = access.needed.without(system::rights_on(catalog, role, &secured, access.needed));
    if missing.is_empty() || catalog.may_with_columns(role, &secured, missing, &access.columns) {
        return Ok(());
    }
    Err(permission_denied(catalog, &secured))
}

/// 42501 for who would write to the messages of a channel, whoever he is.
fn expect_no_messages(catalog: &Snapshot, access: &Access) -> SqlResult<()> {
    const WRITES: Rights = Rights::INSERT.with(Rights::UPDATE).with(Rights::DELETE).with(Rights::TRUNCATE);
    if access.kind != SecuredKind::Table || !access.needed.intersects(WRITES) {
        return Ok(());
    }
    match catalog.table_by_oid(access.object).filter(|table| table.channel.is_some()) {
        Some(table) => Err(messages_are_kept(table)),
        None => Ok(()),
    }
}

/// `permission denied for table t`.
pub fn permission_denied(catalog: &Snapshot, secured: &Secured) -> SqlError {
    let kind = match secured.kind {
        SecuredKind::Table | SecuredKind::Sequence | SecuredKind::Column => relation_kind(catalog, secured.object),
        SecuredKind::Database => "database",
        SecuredKind::Function => "function",
        SecuredKind::Language => "language",
        SecuredKind::Schema => "schema",
        SecuredKind::Type => "type",
        SecuredKind::Tablespace => "tablespace",
    };
    SqlError::new(INSUFFICIENT_PRIVILEGE, format!("permission denied for {kind} {}", secured.name))
}

fn relation_kind(catalog: &Snapshot, relation: Oid) -> &'static str {
    match (catalog.relation_by_oid(relation), system::by_oid(relation)) {
        (Some(found), _) => found.kind_name(),
        (None, Some(system)) if system.is_view() => "view",
        (None, _) => "table",
    }
}
