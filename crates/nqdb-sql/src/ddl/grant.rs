//! GRANT and REVOKE of privileges on objects.
//!
//! Who may not grant what is asked grants what can be granted, with a warning; only who has no right at all on an object is
//! refused (manual, GRANT; the SQL standard asks for both).

use nqdb_catalog::request::DropBehavior;
use nqdb_catalog::rights::{AccessItem, GrantChange, PUBLIC, Rights, Secured, SecuredKind};
use nqdb_catalog::{Relation, Snapshot};
use nqdb_sqlstate::{
    FEATURE_NOT_SUPPORTED, INSUFFICIENT_PRIVILEGE, INVALID_GRANT_OPERATION, Notice, PRIVILEGE_NOT_GRANTED,
    PRIVILEGE_NOT_REVOKED, SYNTAX_ERROR, SqlError, SqlResult, UNDEFINED_COLUMN, WRONG_OBJECT_TYPE,
};
use nqdb_txn::TxnError;
use nqdb_types::Oid;

use super::DdlContext;
use super::grant_target::Target;
use crate::exec::CommandTag;
use crate::rights::permission_denied;
use crate::rights_command::{Grant, GrantTargets, RoleSpec, WrittenPrivilege};
use crate::system;

pub(super) fn grant(grant: &Grant, cx: &mut DdlContext<'_, '_>) -> Result<CommandTag, TxnError> {
    cx.expect_own_grant(grant.granted_by.as_ref())?;
    let grantees = cx.grantees(&grant.grantees)?;
    let asked = asked_privileges(grant)?;
    for target in cx.grant_targets(&grant.targets)? {
        cx.grant_on(grant, &asked, &grantees, &target)?;
    }
    Ok(CommandTag::Other(if grant.is_grant { "GRANT" } else { "REVOKE" }))
}

/// The privileges of a command: on whole objects, and on columns.
pub(super) struct Asked<'a> {
    /// None for ALL PRIVILEGES.
    whole: Option<Rights>,
    columns: Vec<(Rights, &'a WrittenPrivilege)>,
}

/// Reads the privileges' names: 42601 for one that does not exist, 0LP01 for one that the kind of object does not know.
pub(super) fn asked_privileges(grant: &Grant) -> SqlResult<Asked<'_>> {
    let (kind, kind_name) = kind_of(&grant.targets);
    if grant.privileges.is_empty() {
        return Ok(Asked { whole: None, columns: Vec::new() });
    }
    let mut asked = Asked { whole: Some(Rights::NONE), columns: Vec::new() };
    for written in &grant.privileges {
        let (right, known) = match &written.name {
            None => (SecuredKind::Column.all_rights(), SecuredKind::Column.all_rights()),
            Some(name) => {
                let unknown = || SqlError::new(SYNTAX_ERROR, format!("unrecognized privilege type \"{name}\""));
                let known = if written.columns.is_empty() { allowed(kind) } else { SecuredKind::Column.all_rights() };
                (Rights::named(name).ok_or_else(unknown)?, known)
            }
        };
        if !written.columns.is_empty() && kind != SecuredKind::Table {
            let message = "column privileges are only valid for relations";
            return Err(SqlError::new(INVALID_GRANT_OPERATION, message));
        }
        if !known.contains(right) {
            let what = if written.columns.is_empty() { kind_name } else { "column" };
            return Err(invalid_privilege(right, what));
        }
        if written.columns.is_empty() {
            asked.whole = asked.whole.map(|whole| whole.with(right));
        } else {
            asked.columns.push((right, written));
        }
    }
    Ok(asked)
}

/// The privileges of ALTER DEFAULT PRIVILEGES, which has no columns.
pub(super) fn future_rights(asked: &Asked<'_>, kind: SecuredKind) -> SqlResult<Rights> {
    if !asked.columns.is_empty() {
        return Err(SqlError::new(INVALID_GRANT_OPERATION, "default privileges cannot be set for columns"));
    }
    let whole = asked.whole.unwrap_or(kind.all_rights());
    match whole.without(kind.all_rights()) {
        Rights::NONE => Ok(whole),
        other => Err(invalid_privilege(other, "relation")),
    }
}

fn invalid_privilege(right: Rights, what: &str) -> SqlError {
    let name = right.each().next().map_or("", |(_, _, name)| name);
    SqlError::new(INVALID_GRANT_OPERATION, format!("invalid privilege type {name} for {what}"))
}

/// What may be written for a kind: of a table also what is for sequences, which may be named as tables.
fn allowed(kind: SecuredKind) -> Rights {
    match kind {
        SecuredKind::Table => SecuredKind::Table.all_rights().with(SecuredKind::Sequence.all_rights()),
        other => other.all_rights(),
    }
}

fn kind_of(targets: &GrantTargets) -> (SecuredKind, &'static str) {
    let kind = match targets {
        GrantTargets::Named { kind, .. }
        | GrantTargets::Simple { kind, .. }
        | GrantTargets::AllInSchemas { kind, .. }
        | GrantTargets::Future(kind) => *kind,
        GrantTargets::Domains(_) => return (SecuredKind::Type, "domain"),
        GrantTargets::Routines { kind, .. } => {
            return match kind {
                crate::rights_command::RoutineKind::Function => (SecuredKind::Function, "function"),
                crate::rights_command::RoutineKind::Procedure => (SecuredKind::Function, "procedure"),
                crate::rights_command::RoutineKind::Routine => (SecuredKind::Function, "routine"),
            };
        }
    };
    let name = match kind {
        SecuredKind::Table | SecuredKind::Column => "relation",
        SecuredKind::Sequence => "sequence",
        SecuredKind::Database => "database",
        SecuredKind::Function => "function",
        SecuredKind::Language => "language",
        SecuredKind::Schema => "schema",
        SecuredKind::Type => "type",
        SecuredKind::Tablespace => "tablespace",
    };
    (kind, name)
}

/// Who grants on one object, and with what options.
struct Grantor {
    role: Oid,
    options: Rights,
}

impl DdlContext<'_, '_> {
    /// 0A000 for a GRANTED BY that names another than the current role.
    pub(super) fn expect_own_grant(&mut self, granted_by: Option<&RoleSpec>) -> SqlResult<()> {
        let Some(spec) = granted_by else { return Ok(()) };
        if self.role_of(spec)?.oid == self.role {
            return Ok(());
        }
        Err(SqlError::new(FEATURE_NOT_SUPPORTED, "grantor must be current user"))
    }

    /// The numbers of the grantees, 0 for PUBLIC.
    pub(super) fn grantees(&mut self, specs: &[RoleSpec]) -> SqlResult<Vec<Oid>> {
        let number = |spec: &RoleSpec| match spec {
            RoleSpec::Public => Ok(PUBLIC),
            other => self.role_of(other).map(|role| role.oid),
        };
        specs.iter().map(number).collect()
    }

    fn grant_on(
        &mut self,
        grant: &Grant,
        asked: &Asked<'_>,
        grantees: &[Oid],
        target: &Target,
    ) -> Result<(), TxnError> {
        let secured = &target.secured;
        self.writer().hold_object(secured.object)?;
        let whole = self.whole_rights(grant, asked, target)?;
        if !whole.is_empty() {
            let snapshot = self.draft.snapshot();
            let list = system::access_list(&snapshot, secured);
            let grantor = self.best_grantor(&snapshot, &list, secured.owner, whole);
            let all = asked.whole.is_none();
            let rights = self.grantable_rights(grant, secured, None, &grantor, whole, all)?;
            let mut list = list;
            self.change(grant, rights, grantor.role, secured.owner).apply(&snapshot, &mut list, grantees)?;
            self.writer().set_access_list(secured.kind.class(), secured.object, 0, Some(list))?;
        }
        let mut columns: Vec<(i16, String, Rights)> = Vec::new();
        // Taking a privilege away from the whole table takes it away from its columns.
        let in_columns = whole.common(SecuredKind::Column.all_rights());
        if !grant.is_grant && !in_columns.is_empty() && secured.kind == SecuredKind::Table {
            let snapshot = self.draft.snapshot();
            let mut with_lists: Vec<i16> = snapshot.columns_with_lists(secured.object).collect();
            with_lists.sort_unstable();
            columns.extend(with_lists.into_iter().map(|column| (column, String::new(), in_columns)));
        }
        for (right, written) in &asked.columns {
            for name in &written.columns {
                let number = self.column_number(target, &name.name)?;
                match columns.iter_mut().find(|(known, ..)| *known == number) {
                    Some((_, known_name, rights)) => {
                        known_name.clone_from(&name.name);
                        *rights = rights.with(*right);
                    }
                    None => columns.push((number, name.name.clone(), *right)),
                }
            }
        }
        for (column, name, rights) in columns {
            self.grant_on_column(grant, grantees, secured, (column, &name), rights)?;
        }
        Ok(())
    }

    /// What is asked of an object as a whole: less than was written where a sequence is named as a table.
    fn whole_rights(&mut self, grant: &Grant, asked: &Asked<'_>, target: &Target) -> SqlResult<Rights> {
        let kind = target.secured.kind;
        let Some(whole) = asked.whole else { return Ok(kind.all_rights()) };
        let named_as_table = matches!(&grant.targets, GrantTargets::Named { kind: SecuredKind::Table, .. });
        if kind == SecuredKind::Sequence && named_as_table && !kind.all_rights().contains(whole) {
            let name = &target.secured.name;
            let message = format!("sequence \"{name}\" only supports USAGE, SELECT, and UPDATE privileges");
            self.notice(Notice::warning(INVALID_GRANT_OPERATION, message));
            return Ok(whole.common(kind.all_rights()));
        }
        match whole.without(kind.all_rights()) {
            Rights::NONE => Ok(whole),
            other => Err(invalid_privilege(other, "table")),
        }
    }

    fn grant_on_column(
        &mut self,
        grant: &Grant,
        grantees: &[Oid],
        secured: &Secured,
        (column, name): (i16, &str),
        wanted: Rights,
    ) -> Result<(), TxnError> {
        let snapshot = self.draft.snapshot();
        let mut list = snapshot.list_of(secured, column);
        let mut merged = system::access_list(&snapshot, secured);
        merged.extend(list.iter().copied());
        let grantor = self.best_grantor(&snapshot, &merged, secured.owner, wanted);
        let all = wanted == SecuredKind::Column.all_rights();
        let rights = self.grantable_rights(grant, secured, Some((column, name)), &grantor, wanted, all)?;
        self.change(grant, rights, grantor.role, secured.owner).apply(&snapshot, &mut list, grantees)?;
        let list = (!list.is_empty()).then_some(list);
        self.writer().set_access_list(secured.kind.class(), secured.object, column, list)
    }

    fn change(&self, grant: &Grant, rights: Rights, grantor: Oid, owner: Oid) -> GrantChange {
        let behavior = if grant.is_grant { DropBehavior::Restrict } else { grant.behavior };
        GrantChange { is_grant: grant.is_grant, grant_option: grant.grant_option, behavior, rights, grantor, owner }
    }

    /// In whose name the current role grants: the owner's where it can, else the role's with the most of the options.
    fn best_grantor(&self, snapshot: &Snapshot, list: &[AccessItem], owner: Oid, wanted: Rights) -> Grantor {
        if self.role == owner || snapshot.is_superuser(self.role) {
            return Grantor { role: owner, options: wanted };
        }
        let mut best = Grantor { role: self.role, options: Rights::NONE };
        for role in snapshot.roles_of(self.role, true) {
            let options = if role == owner {
                wanted
            } else {
                let own = list.iter().filter(|item| item.grantee == role);
                own.fold(Rights::NONE, |all, item| all.with(item.grantable)).common(wanted)
            };
            if options == wanted {
                return Grantor { role, options };
            }
            if options.count() > best.options.count() {
                best = Grantor { role, options };
            }
        }
        best
    }

    /// What can be granted of what is wanted, with a warning when it is not all.
    fn grantable_rights(
        &mut self,
        grant: &Grant,
        secured: &Secured,
        column: Option<(i16, &str)>,
        grantor: &Grantor,
        wanted: Rights,
        all: bool,
    ) -> SqlResult<Rights> {
        if grantor.options.is_empty() {
            self.expect_any_right(secured, column, grantor.role)?;
        }
        let rights = wanted.common(grantor.options);
        let (code, verb) = if grant.is_grant {
            (PRIVILEGE_NOT_GRANTED, "were granted")
        } else {
            (PRIVILEGE_NOT_REVOKED, "could be revoked")
        };
        let what = match column.filter(|(_, name)| !name.is_empty()) {
            Some((_, name)) => format!("column \"{name}\" of relation \"{}\"", secured.name),
            None => format!("\"{}\"", secured.name),
        };
        if rights.is_empty() {
            self.notice(Notice::warning(code, format!("no privileges {verb} for {what}")));
        } else if !all && rights != wanted {
            self.notice(Notice::warning(code, format!("not all privileges {verb} for {what}")));
        }
        Ok(rights)
    }

    /// 42501 for a role that has no privilege at all on an object.
    fn expect_any_right(&mut self, secured: &Secured, column: Option<(i16, &str)>, role: Oid) -> SqlResult<()> {
        let snapshot = self.draft.snapshot();
        let kind = if column.is_some() { SecuredKind::Column } else { secured.kind };
        let all = kind.all_rights();
        let mut has = !system::rights_on(&snapshot, role, secured, all).is_empty();
        let list = system::access_list(&snapshot, secured);
        has |= !snapshot.grantable(&list, role, secured.owner, all).is_empty();
        if let Some((number, name)) = column {
            has |= !snapshot.rights_on_column(role, secured, number, all).is_empty();
            if !has && !name.is_empty() {
                let message = format!("permission denied for column \"{name}\" of relation \"{}\"", secured.name);
                return Err(SqlError::new(INSUFFICIENT_PRIVILEGE, message));
            }
        }
        if has { Ok(()) } else { Err(permission_denied(&snapshot, secured)) }
    }

    fn column_number(&mut self, target: &Target, name: &str) -> SqlResult<i16> {
        let snapshot = self.draft.snapshot();
        let relation = snapshot.relation_by_oid(target.secured.object);
        let number = match relation {
            Some(Relation::Table(table)) => {
                table.live_columns().find(|(_, column)| column.name == name).map(|(_, column)| column.attnum)
            }
            Some(Relation::View(view)) => {
                (1..).zip(&view.columns).find(|(_, column)| column.name == name).map(|(number, _)| number)
            }
            Some(Relation::Sequence(_) | Relation::Index(..)) => {
                let message =
                    format!("sequence \"{}\" only supports USAGE, SELECT, and UPDATE privileges", target.secured.name);
                return Err(SqlError::new(WRONG_OBJECT_TYPE, message));
            }
            None => system::column_number(target.secured.object, name),
        };
        number.ok_or_else(|| {
            let message = format!("column \"{name}\" of relation \"{}\" does not exist", target.secured.name);
            SqlError::new(UNDEFINED_COLUMN, message)
        })
    }
}
