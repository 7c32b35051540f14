//! The `has_..._privilege` functions: what a role may do, asked by name or number.

use nqdb_catalog::rights::{Rights, Secured, SecuredKind};
use nqdb_catalog::{Relation, Snapshot};
use nqdb_functions::{PrivilegeColumn, PrivilegeRequest, PrivilegeTarget, RoleName, Securable};
use nqdb_sqlstate::{
    INVALID_CATALOG_NAME, INVALID_PARAMETER_VALUE, SqlError, SqlResult, UNDEFINED_COLUMN, UNDEFINED_OBJECT,
    WRONG_OBJECT_TYPE,
};
use nqdb_types::{Oid, oid};

use super::object_name::object_number;
use super::secured::{access_list, rights_on, secured};
use super::{database, language};

/// A role that is not there: it has what everybody has.
const NOBODY: Oid = 0;

/// Whether a role has one of some privileges; `None` when there is no object of that number.
pub fn has_privilege(
    catalog: &Snapshot,
    search_path: &[Oid],
    current_role: Oid,
    request: &PrivilegeRequest<'_>,
) -> SqlResult<Option<bool>> {
    let role = match request.role {
        RoleName::Current => current_role,
        RoleName::Name("public") if request.securable != Securable::Role => NOBODY,
        RoleName::Name(name) => catalog.role(name).ok_or_else(|| no_role(name))?.oid,
        RoleName::Number(number) => number,
    };
    if request.securable == Securable::Role {
        return has_role(catalog, search_path, role, request);
    }
    let wanted = parse_privileges(request.securable, request.privileges)?;
    let Some((found, column)) = find(catalog, search_path, request)? else { return Ok(None) };
    let Some(found) = found else { return Ok(Some(catalog.is_superuser(role))) };
    let holds = |(right, with_grant): &(Rights, bool)| {
        let on_object = if *with_grant {
            catalog.grantable(&access_list(catalog, &found), role, found.owner, *right)
        } else {
            rights_on(catalog, role, &found, *right)
        };
        if on_object.contains(*right) {
            return true;
        }
        let on_column = |column: i16| {
            if *with_grant {
                let list = catalog.list_of(&found, column);
                return catalog.grantable(&list, role, found.owner, *right).contains(*right);
            }
            catalog.rights_on_column(role, &found, column, *right).contains(*right)
        };
        match column {
            Some(column) => on_column(column),
            None if request.securable == Securable::AnyColumn => {
                catalog.columns_with_lists(found.object).any(on_column)
            }
            None => false,
        }
    };
    Ok(Some(wanted.iter().any(holds)))
}

fn no_role(name: &str) -> SqlError {
    SqlError::new(UNDEFINED_OBJECT, format!("role \"{name}\" does not exist"))
}

/// `pg_has_role`: USAGE asks for inherited privileges, MEMBER for membership, both maybe with the right to grant it.
fn has_role(
    catalog: &Snapshot,
    search_path: &[Oid],
    role: Oid,
    request: &PrivilegeRequest<'_>,
) -> SqlResult<Option<bool>> {
    let target = match request.target {
        PrivilegeTarget::Name(name) => object_number(catalog, search_path, oid::REGROLE, name)?,
        PrivilegeTarget::Number(number) => number,
    };
    let mut any = false;
    for item in request.privileges.split(',') {
        let item = item.trim();
        let upper = item.to_ascii_uppercase();
        let word = upper.strip_suffix(" WITH GRANT OPTION").or_else(|| upper.strip_suffix(" WITH ADMIN OPTION"));
        any |= match (word.unwrap_or(&upper), word.is_some()) {
            ("USAGE" | "MEMBER", true) => catalog.is_admin(role, target),
            ("USAGE", false) => catalog.has_privileges_of(role, target),
            ("MEMBER", false) => catalog.is_member(role, target),
            _ => return Err(unrecognized(item)),
        };
    }
    Ok(catalog.role_by_oid(target).map(|_| any))
}

fn unrecognized(item: &str) -> SqlError {
    SqlError::new(INVALID_PARAMETER_VALUE, format!("unrecognized privilege type: \"{item}\""))
}

/// The privileges that a sort of object knows.
fn known_privileges(securable: Securable) -> Rights {
    match securable {
        Securable::Table => SecuredKind::Table.all_rights(),
        Securable::Column | Securable::AnyColumn => SecuredKind::Column.all_rights(),
        Securable::Sequence => SecuredKind::Sequence.all_rights(),
        Securable::Database => SecuredKind::Database.all_rights(),
        Securable::Function => Rights::EXECUTE,
        Securable::Schema => SecuredKind::Schema.all_rights(),
        Securable::Tablespace => Rights::CREATE,
        Securable::Language | Securable::Type | Securable::ForeignDataWrapper | Securable::Server => Rights::USAGE,
        Securable::Parameter => Rights::SET.with(Rights::ALTER_SYSTEM),
        Securable::Role => Rights::NONE,
    }
}

/// Reads `SELECT, INSERT WITH GRANT OPTION`; 22023 for a word that is no privilege of the object.
fn parse_privileges(securable: Securable, text: &str) -> SqlResult<Vec<(Rights, bool)>> {
    let known = known_privileges(securable);
    text.split(',')
        .map(|item| {
            let item = item.trim();
            let upper = item.to_ascii_uppercase();
            let word = upper.strip_suffix(" WITH GRANT OPTION");
            // A privilege of old that nothing gives any more.
            if securable == Securable::Table && word.unwrap_or(&upper) == "RULE" {
                return Ok((Rights::NONE, word.is_some()));
            }
            let right = Rights::named(word.unwrap_or(&upper)).filter(|right| known.contains(*right));
            right.map(|right| (right, word.is_some())).ok_or_else(|| unrecognized(item))
        })
        .filter(|item| !matches!(item, Ok((Rights::NONE, _))))
        .collect()
}

/// What the request is about, if it has privileges that can be granted, and the column of it.
type Target = (Option<Secured>, Option<i16>);

/// What the request is about; an error for a name that means nothing, `None` for such a number.
fn find(catalog: &Snapshot, search_path: &[Oid], request: &PrivilegeRequest<'_>) -> SqlResult<Option<Target>> {
    let by_name = |reg_type| match request.target {
        PrivilegeTarget::Name(name) => object_number(catalog, search_path, reg_type, name),
        PrivilegeTarget::Number(number) => Ok(number),
    };
    let plain = |kind, number| secured(catalog, kind, number).map(|found| (Some(found), None));
    Ok(match request.securable {
        Securable::Table | Securable::AnyColumn | Securable::Column => {
            let relation = by_name(oid::REGCLASS)?;
            let column = match request.column {
                Some(column) => match has_column(catalog, relation, column)? {
                    Some(column) => Some(column),
                    None => return Ok(None),
                },
                None => None,
            };
            match secured(catalog, SecuredKind::Table, relation) {
                Some(found) => Some((Some(found), column)),
                None => index_owner(catalog, relation).map(|found| (Some(found), None)),
            }
        }
        Securable::Sequence => {
            let number = by_name(oid::REGCLASS)?;
            match catalog.relation_by_oid(number) {
                Some(Relation::Sequence(_)) => plain(SecuredKind::Sequence, number),
                Some(other) => {
                    let message = format!("\"{}\" is not a sequence", other.name());
                    return Err(SqlError::new(WRONG_OBJECT_TYPE, message));
                }
                None => None,
            }
        }
        Securable::Schema => plain(SecuredKind::Schema, by_name(oid::REGNAMESPACE)?),
        Securable::Type => plain(SecuredKind::Type, by_name(oid::REGTYPE)?),
        Securable::Function => plain(SecuredKind::Function, by_name(oid::REGPROCEDURE)?),
        Securable::Database => plain(SecuredKind::Database, database_number(catalog, request)?),
        Securable::Language => plain(SecuredKind::Language, language_number(request)?),
        Securable::Tablespace => plain(SecuredKind::Tablespace, tablespace_number(request)?),
        Securable::ForeignDataWrapper => return absent("foreign-data wrapper", request),
        Securable::Server => return absent("server", request),
        Securable::Parameter | Securable::Role => Some((None, None)),
    })
}

/// An index has the privileges of nobody but its table's owner.
fn index_owner(catalog: &Snapshot, relation: Oid) -> Option<Secured> {
    let found = catalog.relation_by_oid(relation)?;
    Some(Secured { kind: SecuredKind::Table, object: relation, owner: found.owner(), name: found.name().to_owned() })
}

/// The number of a column that a relation has; 42703 for a name that it does not have.
fn has_column(catalog: &Snapshot, relation: Oid, column: PrivilegeColumn<'_>) -> SqlResult<Option<i16>> {
    let names: Vec<(i16, &str)> = match (super::by_oid(relation), catalog.relation_by_oid(relation)) {
        (Some(system), _) => (1..).zip(system.columns.iter().map(|column| column.name)).collect(),
        (None, Some(Relation::Table(table))) => {
            table.live_columns().map(|(_, column)| (column.attnum, column.name.as_str())).collect()
        }
        (None, Some(Relation::View(view))) => {
            (1..).zip(view.columns.iter().map(|column| column.name.as_str())).collect()
        }
        (None, _) => return Ok(None),
    };
    match column {
        PrivilegeColumn::Number(number) => Ok(names.iter().any(|(known, _)| *known == number).then_some(number)),
        PrivilegeColumn::Name(name) => match names.iter().find(|(_, known)| *known == name) {
            Some((number, _)) => Ok(Some(*number)),
            None => {
                let relation = super::relation_name(catalog, &[], relation).unwrap_or_default();
                let relation = relation.rsplit('.').next().unwrap_or_default();
                let message = format!("column \"{name}\" of relation \"{relation}\" does not exist");
                Err(SqlError::new(UNDEFINED_COLUMN, message))
            }
        },
    }
}

fn database_number(catalog: &Snapshot, request: &PrivilegeRequest<'_>) -> SqlResult<Oid> {
    match request.target {
        PrivilegeTarget::Name(name) => {
            let missing = || SqlError::new(INVALID_CATALOG_NAME, format!("database \"{name}\" does not exist"));
            catalog.database_named(name).map(|found| found.oid).ok_or_else(missing)
        }
        PrivilegeTarget::Number(number) => Ok(number),
    }
}

fn language_number(request: &PrivilegeRequest<'_>) -> SqlResult<Oid> {
    match request.target {
        PrivilegeTarget::Name("internal") => Ok(language::INTERNAL_LANGUAGE),
        PrivilegeTarget::Name(name) => {
            Err(SqlError::new(UNDEFINED_OBJECT, format!("language \"{name}\" does not exist")))
        }
        PrivilegeTarget::Number(number) => Ok(number),
    }
}

fn tablespace_number(request: &PrivilegeRequest<'_>) -> SqlResult<Oid> {
    match request.target {
        PrivilegeTarget::Name(name) => {
            let found = database::TABLESPACES.iter().find(|(_, known)| *known == name);
            let missing = || SqlError::new(UNDEFINED_OBJECT, format!("tablespace \"{name}\" does not exist"));
            found.map(|(number, _)| *number).ok_or_else(missing)
        }
        PrivilegeTarget::Number(number) => Ok(number),
    }
}

/// What never exists.
fn absent(kind: &str, request: &PrivilegeRequest<'_>) -> SqlResult<Option<Target>> {
    match request.target {
        PrivilegeTarget::Name(name) => {
            Err(SqlError::new(UNDEFINED_OBJECT, format!("{kind} \"{name}\" does not exist")))
        }
        PrivilegeTarget::Number(_) => Ok(None),
    }
}
