//! The texts of the reg types (manual 8.19): names of objects to numbers, and back.
//!
//! A name is qualified on output where the search path does not lead to its object. Numbers and `-` are for the caller.

use nqdb_catalog::Snapshot;
use nqdb_functions::{all_operators, quote_identifier};
use nqdb_sqlstate::{
    AMBIGUOUS_FUNCTION, INSUFFICIENT_PRIVILEGE, INVALID_NAME, INVALID_SCHEMA_NAME, INVALID_TEXT_REPRESENTATION,
    SYNTAX_ERROR, SqlError, SqlResult, UNDEFINED_FUNCTION, UNDEFINED_OBJECT, UNDEFINED_TABLE,
};
use nqdb_types::{Oid, Type, oid, type_info};

use super::types::{COLLATION_C, COLLATION_DEFAULT};
use super::{named_type, routine};

/// Collations: number and name.
pub(super) const COLLATIONS: [(Oid, &str); 3] =
    [(COLLATION_DEFAULT, "default"), (COLLATION_C, "C"), (COLLATION_POSIX, "POSIX")];
const COLLATION_POSIX: Oid = 951;

/// An object as a reg type's output function spells it; `None` when it does not exist.
pub fn object_name(catalog: &Snapshot, search_path: &[Oid], reg_type: Oid, object: Oid) -> Option<String> {
    match reg_type {
        oid::REGCLASS => relation_name(catalog, search_path, object),
        oid::REGTYPE => type_name(catalog, search_path, object),
        oid::REGPROC => {
            let found = routine::by_oid(object)?;
            let name = quote_identifier(found.name);
            Some(if routine::named(found.name).count() == 1 { name } else { format!("pg_catalog.{name}") })
        }
        oid::REGPROCEDURE => {
            let found = routine::by_oid(object)?;
            Some(format!("{}({})", quote_identifier(found.name), type_names(found.args)))
        }
        oid::REGOPER => {
            let found = all_operators().find(|operator| operator.oid == object)?;
            let alone = all_operators().filter(|operator| operator.name == found.name).count() == 1;
            Some(if alone { found.name.to_string() } else { format!("pg_catalog.{}", found.name) })
        }
        oid::REGOPERATOR => {
            let found = all_operators().find(|operator| operator.oid == object)?;
            let left = found.left.map_or_else(|| "NONE".to_string(), |left| Type::new(left).name());
            Some(format!("{}({left},{})", found.name, Type::new(found.right).name()))
        }
        oid::REGNAMESPACE => catalog.schema_by_oid(object).map(|schema| quote_identifier(&schema.name)),
        oid::REGROLE => catalog.role_by_oid(object).map(|role| quote_identifier(&role.name)),
        oid::REGCOLLATION => {
            COLLATIONS.iter().find(|(number, _)| *number == object).map(|(_, name)| quote_identifier(name))
        }
        _ => None,
    }
}

/// What a reg type's input function makes of a name; its error when there is no such object.
pub fn object_number(catalog: &Snapshot, search_path: &[Oid], reg_type: Oid, text: &str) -> SqlResult<Oid> {
    match reg_type {
        oid::REGCLASS => relation_number(catalog, search_path, text),
        oid::REGTYPE => named_type::type_number(catalog, search_path, text),
        oid::REGPROC => routine_number(text),
        oid::REGPROCEDURE => routine_with_arguments(catalog, search_path, text),
        oid::REGOPER => operator_number(text),
        oid::REGOPERATOR => operator_with_operands(catalog, search_path, text),
        oid::REGNAMESPACE => {
            let name = single_name(text)?;
            let found = catalog.schema(&name).map(|schema| schema.oid);
            found.ok_or_else(|| SqlError::new(INVALID_SCHEMA_NAME, format!("schema \"{name}\" does not exist")))
        }
        oid::REGROLE => {
            let name = single_name(text)?;
            let found = catalog.role(&name).map(|role| role.oid);
            found.ok_or_else(|| SqlError::new(UNDEFINED_OBJECT, format!("role \"{name}\" does not exist")))
        }
        oid::REGCOLLATION => collation_number(text),
        _ => Err(SqlError::internal("not a type of names of objects")),
    }
}

/// 42501 for the text of a regclass that names a schema which the role may not use.
pub fn expect_schema_usage(catalog: &Snapshot, role: Oid, reg_type: Oid, text: &str) -> SqlResult<()> {
    if reg_type != oid::REGCLASS {
        return Ok(());
    }
    match split_name(text)?.as_slice() {
        [schema, _] => match catalog.schema(schema) {
            Some(schema) if !catalog.may_use_schema(role, schema.oid) => {
                let message = format!("permission denied for schema {}", schema.name);
                Err(SqlError::new(INSUFFICIENT_PRIVILEGE, message))
            }
            _ => Ok(()),
        },
        _ => Ok(()),
    }
}

/// As regclass prints a relation: qualified where the search path does not reach it.
pub fn relation_name(catalog: &Snapshot, search_path: &[Oid], relation: Oid) -> Option<String> {
    let (schema, name) = match super::by_oid(relation) {
        Some(system) => (system.schema, system.name),
        None => {
            let found = catalog.relation_by_oid(relation)?;
            (found.schema(), found.name())
        }
    };
    let quoted = quote_identifier(name);
    if find_relation(catalog, search_path, name) == Some(relation) {
        return Some(quoted);
    }
    Some(format!("{}.{quoted}", quote_identifier(&catalog.schema_by_oid(schema)?.name)))
}

/// The number of the relation that a bare name means.
pub(super) fn find_relation(catalog: &Snapshot, search_path: &[Oid], name: &str) -> Option<Oid> {
    search_path.iter().find_map(|schema| relation_in(catalog, *schema, name))
}

fn relation_in(catalog: &Snapshot, schema: Oid, name: &str) -> Option<Oid> {
    let system = super::named(schema, name).map(|relation| relation.oid);
    system.or_else(|| catalog.relation(schema, name).map(nqdb_catalog::Relation::oid))
}

fn relation_number(catalog: &Snapshot, search_path: &[Oid], text: &str) -> SqlResult<Oid> {
    let parts = split_name(text)?;
    let found = match parts.as_slice() {
        [name] => find_relation(catalog, search_path, name),
        [schema, name] => match catalog.schema(schema) {
            Some(schema) => relation_in(catalog, schema.oid, name),
            None => {
                let message = format!("schema \"{schema}\" does not exist");
                return Err(SqlError::new(INVALID_SCHEMA_NAME, message));
            }
        },
        [_, _, _] => return Err(SqlError::unsupported(format!("cross-database reference \"{text}\""))),
        _ => {
            let message = format!("improper relation name (too many dotted names): {}", parts.join("."));
            return Err(SqlError::new(SYNTAX_ERROR, message));
        }
    };
    found.ok_or_else(|| SqlError::new(UNDEFINED_TABLE, format!("relation \"{}\" does not exist", parts.join("."))))
}

/// As regtype prints a type; qualified where the search path does not lead to it.
pub fn type_name(catalog: &Snapshot, search_path: &[Oid], type_oid: Oid) -> Option<String> {
    if type_info(type_oid).is_some() {
        return Some(Type::new(type_oid).name());
    }
    let domain = || super::types::domain_name(type_oid).map(|name| format!("information_schema.{name}"));
    catalog.type_name(search_path, type_oid, quote_identifier).or_else(domain)
}

/// Names of types, with commas between them.
fn type_names(types: &[Oid]) -> String {
    types.iter().map(|arg| Type::new(*arg).name()).collect::<Vec<_>>().join(",")
}

/// The last part of a name whose schema is `pg_catalog` or none; `None` for another schema.
fn in_pg_catalog(text: &str) -> SqlResult<Option<String>> {
    let mut parts = split_name(text)?;
    let last = parts.pop().unwrap_or_default();
    Ok(match parts.as_slice() {
        [] => Some(last),
        [schema] if schema == "pg_catalog" => Some(last),
        _ => None,
    })
}

fn no_function(text: &str) -> SqlError {
    SqlError::new(UNDEFINED_FUNCTION, format!("function \"{text}\" does not exist"))
}

fn routine_number(text: &str) -> SqlResult<Oid> {
    let name = in_pg_catalog(text)?.ok_or_else(|| no_function(text))?;
    let mut found = routine::named(&name);
    match (found.next(), found.next()) {
        (Some(routine), None) => Ok(routine.oid),
        (Some(_), Some(_)) => {
            Err(SqlError::new(AMBIGUOUS_FUNCTION, format!("more than one function named \"{text}\"")))
        }
        (None, _) => Err(no_function(text)),
    }
}

/// `name(type, ...)` as its two parts.
fn split_arguments(text: &str) -> SqlResult<(&str, Vec<&str>)> {
    let open =
        text.find('(').ok_or_else(|| SqlError::new(INVALID_TEXT_REPRESENTATION, "expected a left parenthesis"))?;
    let (name, rest) = text.split_at(open);
    let inner = rest
        .trim_end()
        .strip_prefix('(')
        .and_then(|rest| rest.strip_suffix(')'))
        .ok_or_else(|| SqlError::new(INVALID_TEXT_REPRESENTATION, "expected a right parenthesis"))?;
    let mut args = Vec::new();
    let (mut depth, mut quoted, mut start) = (0usize, false, 0);
    for (at, character) in inner.char_indices() {
        match character {
            '"' => quoted = !quoted,
            '(' | '[' if !quoted => depth += 1,
            ')' | ']' if !quoted => depth = depth.saturating_sub(1),
            ',' if !quoted && depth == 0 => {
                args.push(inner.get(start..at).unwrap_or_default());
                start = at + 1;
            }
            _ => {}
        }
    }
    if !inner.trim().is_empty() {
        args.push(inner.get(start..).unwrap_or_default());
    }
    Ok((name, args))
}

fn routine_with_arguments(catalog: &Snapshot, search_path: &[Oid], text: &str) -> SqlResult<Oid> {
    let (name, args) = split_arguments(text)?;
    let number = |arg| named_type::type_number(catalog, search_path, arg);
    let args = args.into_iter().map(number).collect::<SqlResult<Vec<Oid>>>()?;
    let name = in_pg_catalog(name)?.ok_or_else(|| no_function(text))?;
    let found = routine::named(&name).find(|routine| routine.args == args);
    found.map(|routine| routine.oid).ok_or_else(|| no_function(text))
}

/// The bare name of an operator.
fn operator_name(text: &str) -> &str {
    let text = text.trim();
    text.strip_prefix("pg_catalog.").unwrap_or(text)
}

fn operator_number(text: &str) -> SqlResult<Oid> {
    let name = operator_name(text);
    let mut found = all_operators().filter(|operator| operator.name == name);
    match (found.next(), found.next()) {
        (Some(operator), None) => Ok(operator.oid),
        (Some(_), Some(_)) => Err(SqlError::new(AMBIGUOUS_FUNCTION, format!("more than one operator named {text}"))),
        (None, _) => Err(SqlError::new(UNDEFINED_FUNCTION, format!("operator does not exist: {text}"))),
    }
}

fn operator_with_operands(catalog: &Snapshot, search_path: &[Oid], text: &str) -> SqlResult<Oid> {
    let (name, operands) = split_arguments(text)?;
    let missing = || SqlError::new(UNDEFINED_FUNCTION, format!("operator does not exist: {text}"));
    let [left, right] = operands.as_slice() else {
        let message = if operands.len() < 2 { "missing argument" } else { "too many arguments" };
        let error = SqlError::new(nqdb_sqlstate::UNDEFINED_PARAMETER, message);
        return Err(error.with_hint("Provide two argument types for operator."));
    };
    let operand = |text: &str| -> SqlResult<Option<Oid>> {
        if text.trim().eq_ignore_ascii_case("none") {
            return Ok(None);
        }
        named_type::type_number(catalog, search_path, text).map(Some)
    };
    let (left, right) = (operand(left)?, operand(right)?);
    let name = operator_name(name);
    let fits = |operator: &&nqdb_functions::Operator| {
        operator.name == name && operator.left == left && Some(operator.right) == right
    };
    all_operators().find(fits).map(|operator| operator.oid).ok_or_else(missing)
}

fn collation_number(text: &str) -> SqlResult<Oid> {
    let name = in_pg_catalog(text)?;
    let found = name.and_then(|name| COLLATIONS.iter().find(|(_, known)| *known == name));
    found.map(|(number, _)| *number).ok_or_else(|| {
        SqlError::new(UNDEFINED_OBJECT, format!("collation \"{text}\" for encoding \"UTF8\" does not exist"))
    })
}

fn single_name(text: &str) -> SqlResult<String> {
    let mut parts = split_name(text)?;
    match (parts.pop(), parts.is_empty()) {
        (Some(name), true) => Ok(name),
        _ => Err(SqlError::new(INVALID_NAME, "invalid name syntax")),
    }
}

/// Splits `"A".b` into its names, folding what is not quoted.
pub fn split_name(name: &str) -> SqlResult<Vec<String>> {
    let wrong = || SqlError::new(INVALID_NAME, "invalid name syntax");
    let mut parts = Vec::new();
    let mut rest = name.trim();
    loop {
        let (part, behind) = match rest.strip_prefix('"') {
            Some(quoted) => {
                let mut part = String::new();
                let mut quoted = quoted;
                loop {
                    let (piece, behind) = quoted.split_once('"').ok_or_else(wrong)?;
                    part.push_str(piece);
                    match behind.strip_prefix('"') {
                        Some(next) => {
                            part.push('"');
                            quoted = next;
                        }
                        None => break (part, behind),
                    }
                }
            }
            None => {
                let end = rest.find('.').unwrap_or(rest.len());
                let (part, behind) = rest.split_at(end);
                (part.trim().to_lowercase(), behind)
            }
        };
        if part.is_empty() || part.contains(char::is_whitespace) && !rest.starts_with('"') {
            return Err(wrong());
        }
        parts.push(part);
        let behind = behind.trim_start();
        match behind.strip_prefix('.') {
            Some(next) => rest = next.trim_start(),
            None if behind.is_empty() => return Ok(parts),
            None => return Err(wrong()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_relations_are_split_and_folded() {
        assert_eq!(split_name("Public.\"My Table\"").unwrap(), ["public", "My Table"]);
        assert_eq!(split_name("t").unwrap(), ["t"]);
        for wrong in ["", "a b", "a..b", "\"open", "\"a\"b"] {
            assert_eq!(split_name(wrong).unwrap_err().code(), INVALID_NAME, "{wrong}");
        }
    }

    #[test]
    fn routines_and_operators_go_by_their_arguments() {
        let catalog = Snapshot::default();
        let number = |reg_type, text: &str| object_number(&catalog, &[], reg_type, text);
        assert_eq!(number(oid::REGPROCEDURE, "length(text)"), Ok(1317));
        assert_eq!(number(oid::REGPROCEDURE, "numeric_add( numeric , numeric(10,2) )"), Ok(1724));
        assert_eq!(number(oid::REGPROC, "array_in"), Ok(750));
        assert_eq!(number(oid::REGOPERATOR, "+(integer,int4)"), Ok(551));
        assert_eq!(number(oid::REGOPERATOR, "-(none, bigint)"), Ok(484));
        let name = |reg_type, object| object_name(&catalog, &[], reg_type, object).unwrap();
        assert_eq!(name(oid::REGPROCEDURE, 1317), "length(text)");
        assert_eq!(name(oid::REGOPERATOR, 484), "-(NONE,bigint)");
    }
}
