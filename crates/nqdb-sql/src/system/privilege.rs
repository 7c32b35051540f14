//! Who may do what: owners and superusers everything, everybody what PostgreSQL grants to PUBLIC from the start.
//! There is no GRANT.

use nqdb_catalog::{RoleDef, SUPERUSER_OID, Snapshot};
use nqdb_functions::{PrivilegeColumn, PrivilegeRequest, PrivilegeTarget, RoleName, Securable};
use nqdb_sqlstate::{
    INVALID_CATALOG_NAME, INVALID_PARAMETER_VALUE, SqlError, SqlResult, UNDEFINED_COLUMN, UNDEFINED_OBJECT,
    WRONG_OBJECT_TYPE,
};
use nqdb_types::{Oid, oid, type_info};

use super::object_name::object_number;
use super::{database, language, routine};

/// What is asked about, found in the catalog.
struct Found {
    owner: Oid,
    /// What everybody may.
    public: &'static [&'static str],
}

/// Whether a role has one of some privileges; `None` when there is no object of that number.
pub fn has_privilege(
    catalog: &Snapshot,
    search_path: &[Oid],
    current_role: &str,
    request: &PrivilegeRequest<'_>,
) -> SqlResult<Option<bool>> {
    let role = match request.role {
        RoleName::Current => catalog.role(current_role),
        RoleName::Name("public") if request.securable != Securable::Role => None,
        RoleName::Name(name) => Some(catalog.role(name).ok_or_else(|| no_role(name))?),
        RoleName::Number(number) => catalog.role_by_oid(number),
    };
    let wanted = parse_privileges(request.securable, request.privileges)?;
    let Some(found) = find(catalog, search_path, request)? else { return Ok(None) };
    let role: Option<&RoleDef> = role.map(|role| &**role);
    let owns = role.is_some_and(|role| role.superuser || role.oid == found.owner);
    let holds = |(privilege, with_grant): &(&str, bool)| owns || (!with_grant && found.public.contains(privilege));
    Ok(Some(wanted.iter().any(holds)))
}

fn no_role(name: &str) -> SqlError {
    SqlError::new(UNDEFINED_OBJECT, format!("role \"{name}\" does not exist"))
}

/// The privileges that a sort of object knows.
fn known_privileges(securable: Securable) -> &'static [&'static str] {
    match securable {
        Securable::Table => &["SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER", "RULE"],
        Securable::Column | Securable::AnyColumn => &["SELECT", "INSERT", "UPDATE", "REFERENCES"],
        Securable::Sequence => &["USAGE", "SELECT", "UPDATE"],
        Securable::Database => &["CREATE", "TEMPORARY", "TEMP", "CONNECT"],
        Securable::Function => &["EXECUTE"],
        Securable::Schema => &["CREATE", "USAGE"],
        Securable::Tablespace => &["CREATE"],
        Securable::Language | Securable::Type | Securable::ForeignDataWrapper | Securable::Server => &["USAGE"],
        Securable::Parameter => &["SET", "ALTER SYSTEM"],
        Securable::Role => &["USAGE", "MEMBER"],
    }
}

/// Reads `SELECT, INSERT WITH GRANT OPTION`; 22023 for a word that is no privilege of the object.
fn parse_privileges(securable: Securable, text: &str) -> SqlResult<Vec<(&'static str, bool)>> {
    let known = known_privileges(securable);
    text.split(',')
        .map(|item| {
            let item = item.trim();
            let upper = item.to_ascii_uppercase();
            let (word, with_grant) = match upper.strip_suffix(" WITH GRANT OPTION") {
                Some(word) => (word, true),
                None => match upper.strip_suffix(" WITH ADMIN OPTION") {
                    Some(word) if securable == Securable::Role => (word, true),
                    _ => (upper.as_str(), false),
                },
            };
            let found = known.iter().find(|known| **known == word);
            found.map(|word| (*word, with_grant)).ok_or_else(|| {
                SqlError::new(INVALID_PARAMETER_VALUE, format!("unrecognized privilege type: \"{item}\""))
            })
        })
        .collect()
}

/// The owner of what the request is about; an error for a name that means nothing, `None` for such a number.
fn find(catalog: &Snapshot, search_path: &[Oid], request: &PrivilegeRequest<'_>) -> SqlResult<Option<Found>> {
    let by_name = |reg_type| match request.target {
        PrivilegeTarget::Name(name) => object_number(catalog, search_path, reg_type, name),
        PrivilegeTarget::Number(number) => Ok(number),
    };
    Ok(match request.securable {
        Securable::Table | Securable::AnyColumn | Securable::Column => {
            let relation = by_name(oid::REGCLASS)?;
            let column = request.column.map(|column| has_column(catalog, relation, column)).transpose()?;
            if column == Some(false) {
                return Ok(None);
            }
            relation_facts(catalog, relation)
        }
        Securable::Sequence => {
            let number = by_name(oid::REGCLASS)?;
            match catalog.sequence_by_oid(number) {
                Some(sequence) => Some(Found { owner: sequence.owner, public: &[] }),
                None => match catalog.relation_by_oid(number) {
                    Some(other) => {
                        let message = format!("\"{}\" is not a sequence", other.name());
                        return Err(SqlError::new(WRONG_OBJECT_TYPE, message));
                    }
                    None => None,
                },
            }
        }
        Securable::Schema => {
            let schema = by_name(oid::REGNAMESPACE)?;
            let public = catalog.schema_by_oid(schema).filter(|schema| schema.oid < nqdb_catalog::FIRST_USER_OID);
            let public: &[&str] = if public.is_some() { &["USAGE"] } else { &[] };
            catalog.schema_by_oid(schema).map(|schema| Found { owner: schema.owner, public })
        }
        Securable::Type => {
            let number = by_name(oid::REGTYPE)?;
            let owner = match catalog.type_by_oid(number) {
                Some(found) => Some(found.owner),
                None => type_info(number).map(|_| SUPERUSER_OID),
            };
            owner.map(|owner| Found { owner, public: &["USAGE"] })
        }
        Securable::Function => {
            let number = by_name(oid::REGPROCEDURE)?;
            routine::by_oid(number).map(|_| Found { owner: SUPERUSER_OID, public: &["EXECUTE"] })
        }
        Securable::Role => {
            let number = by_name(oid::REGROLE)?;
            catalog.role_by_oid(number).map(|role| Found { owner: role.oid, public: &[] })
        }
        Securable::Database => database_facts(request)?,
        Securable::Language => language_facts(request)?,
        Securable::Tablespace => tablespace_facts(request)?,
        Securable::ForeignDataWrapper => return absent("foreign-data wrapper", request),
        Securable::Server => return absent("server", request),
        Securable::Parameter => Some(Found { owner: SUPERUSER_OID, public: &[] }),
    })
}

fn relation_facts(catalog: &Snapshot, relation: Oid) -> Option<Found> {
    if let Some(system) = super::by_oid(relation) {
        let public: &[&str] = if system.is_private() { &[] } else { &["SELECT"] };
        return Some(Found { owner: SUPERUSER_OID, public });
    }
    use nqdb_catalog::Relation;
    Some(match catalog.relation_by_oid(relation)? {
        Relation::Table(table) | Relation::Index(table, _) => Found { owner: table.owner, public: &[] },
        Relation::Sequence(sequence) => Found { owner: sequence.owner, public: &[] },
        Relation::View(view) => Found { owner: view.owner, public: &[] },
    })
}

/// Whether a relation has a column; 42703 for a name that it does not have.
fn has_column(catalog: &Snapshot, relation: Oid, column: PrivilegeColumn<'_>) -> SqlResult<bool> {
    let names: Vec<(i16, &str)> = match (super::by_oid(relation), catalog.table_by_oid(relation)) {
        (Some(system), _) => (1..).zip(system.columns.iter().map(|column| column.name)).collect(),
        (None, Some(table)) => table.live_columns().map(|(_, column)| (column.attnum, column.name.as_str())).collect(),
        (None, None) => return Ok(false),
    };
    match column {
        PrivilegeColumn::Number(number) => Ok(names.iter().any(|(known, _)| *known == number)),
        PrivilegeColumn::Name(name) if names.iter().any(|(_, known)| *known == name) => Ok(true),
        PrivilegeColumn::Name(name) => {
            let relation = super::relation_name(catalog, &[], relation).unwrap_or_default();
            let relation = relation.rsplit('.').next().unwrap_or_default();
            let message = format!("column \"{name}\" of relation \"{relation}\" does not exist");
            Err(SqlError::new(UNDEFINED_COLUMN, message))
        }
    }
}

fn database_facts(request: &PrivilegeRequest<'_>) -> SqlResult<Option<Found>> {
    let exists = match request.target {
        PrivilegeTarget::Name(name) if name == database::NAME => true,
        PrivilegeTarget::Name(name) => {
            return Err(SqlError::new(INVALID_CATALOG_NAME, format!("database \"{name}\" does not exist")));
        }
        PrivilegeTarget::Number(number) => number == database::DATABASE_OID,
    };
    Ok(exists.then_some(Found { owner: SUPERUSER_OID, public: &["CONNECT", "TEMPORARY", "TEMP"] }))
}

fn language_facts(request: &PrivilegeRequest<'_>) -> SqlResult<Option<Found>> {
    let exists = match request.target {
        PrivilegeTarget::Name("internal") => true,
        PrivilegeTarget::Name(name) => {
            return Err(SqlError::new(UNDEFINED_OBJECT, format!("language \"{name}\" does not exist")));
        }
        PrivilegeTarget::Number(number) => number == language::INTERNAL_LANGUAGE,
    };
    Ok(exists.then_some(Found { owner: SUPERUSER_OID, public: &[] }))
}

fn tablespace_facts(request: &PrivilegeRequest<'_>) -> SqlResult<Option<Found>> {
    let fits = |(number, name): &(Oid, &str)| match request.target {
        PrivilegeTarget::Name(wanted) => *name == wanted,
        PrivilegeTarget::Number(wanted) => *number == wanted,
    };
    match (database::TABLESPACES.iter().any(fits), request.target) {
        (true, _) => Ok(Some(Found { owner: SUPERUSER_OID, public: &[] })),
        (false, PrivilegeTarget::Name(name)) => {
            Err(SqlError::new(UNDEFINED_OBJECT, format!("tablespace \"{name}\" does not exist")))
        }
        (false, PrivilegeTarget::Number(_)) => Ok(None),
    }
}

/// What never exists.
fn absent(kind: &str, request: &PrivilegeRequest<'_>) -> SqlResult<Option<Found>> {
    match request.target {
        PrivilegeTarget::Name(name) => {
            Err(SqlError::new(UNDEFINED_OBJECT, format!("{kind} \"{name}\" does not exist")))
        }
        PrivilegeTarget::Number(_) => Ok(None),
    }
}
