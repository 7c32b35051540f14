//! The name of a type, as regtype reads it: with modifiers, which do not count, and brackets for arrays.

use nqdb_catalog::Snapshot;
use nqdb_sqlstate::{INVALID_NAME, SYNTAX_ERROR, SqlError, SqlResult, UNDEFINED_OBJECT};
use nqdb_types::array::array_type;
use nqdb_types::{Oid, all_types, type_by_name};

use super::object_name::split_name;
use super::types::domain_number;

/// The number of a type by its name.
pub(super) fn type_number(catalog: &Snapshot, search_path: &[Oid], text: &str) -> SqlResult<Oid> {
    let written = text.trim();
    let missing = || SqlError::new(UNDEFINED_OBJECT, format!("type \"{written}\" does not exist"));
    if written.is_empty() {
        return Err(SqlError::new(SYNTAX_ERROR, format!("invalid type name \"{text}\"")));
    }
    let (element, brackets) = without_brackets(written);
    let (name, behind) = without_modifier(element);
    let full = if behind.is_empty() { name.to_string() } else { format!("{} {behind}", name.trim_end()) };
    let found = if full.contains('"') || full.contains('.') {
        qualified(catalog, search_path, &full)?
    } else {
        plain(&full).or_else(|| catalog.resolve_type(search_path, None, &full.to_lowercase()))
    };
    let found = found.ok_or_else(missing)?;
    if !brackets {
        return Ok(found);
    }
    array_type(found).ok_or_else(missing)
}

/// Takes `[]`, `[3]` and `array` off the end; whether there were any.
fn without_brackets(text: &str) -> (&str, bool) {
    let mut rest = text.trim_end();
    let mut found = false;
    while let Some(open) = rest.strip_suffix(']').and_then(|inner| {
        let open = inner.rfind('[')?;
        inner.get(open + 1..)?.trim().bytes().all(|byte| byte.is_ascii_digit()).then_some(open)
    }) {
        found = true;
        rest = rest.get(..open).unwrap_or_default().trim_end();
    }
    (rest, found)
}

/// Cuts the parentheses out: what is before and what is behind them.
fn without_modifier(text: &str) -> (&str, &str) {
    match (text.find('('), text.rfind(')')) {
        (Some(open), Some(close)) if open < close && !text.starts_with('"') => {
            let before = text.get(..open).unwrap_or_default();
            (before, text.get(close + 1..).unwrap_or_default().trim())
        }
        _ => (text, ""),
    }
}

/// A name without quotes and schema: its words with one blank between them.
fn plain(text: &str) -> Option<Oid> {
    let words: Vec<&str> = text.split_whitespace().collect();
    type_by_name(&words.join(" ").to_lowercase())
}

/// `"char"`, `pg_catalog.int4`, `information_schema.yes_or_no`.
fn qualified(catalog: &Snapshot, search_path: &[Oid], text: &str) -> SqlResult<Option<Oid>> {
    let parts = split_name(text)?;
    Ok(match parts.as_slice() {
        [name] => by_catalog_name(name).or_else(|| catalog.resolve_type(search_path, None, name)),
        [schema, name] if schema == "pg_catalog" => by_catalog_name(name),
        [schema, name] if schema == "information_schema" => domain_number(name),
        [schema, _] if schema != "pg_temp" && catalog.schema(schema).is_none() => {
            let message = format!("schema \"{schema}\" does not exist");
            return Err(SqlError::new(nqdb_sqlstate::INVALID_SCHEMA_NAME, message));
        }
        [schema, name] => catalog.resolve_type(search_path, Some(schema), name),
        _ => return Err(SqlError::new(INVALID_NAME, format!("improper qualified name: {text}"))),
    })
}

fn by_catalog_name(name: &str) -> Option<Oid> {
    all_types().iter().find(|info| info.name == name).map(|info| info.oid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nqdb_types::oid;

    #[test]
    fn types_are_found_by_all_their_spellings() {
        let cases = [
            ("int4", oid::INT4),
            ("Double  Precision", oid::FLOAT8),
            ("character varying(10)", oid::VARCHAR),
            ("timestamp(3) with time zone", oid::TIMESTAMPTZ),
            ("\"char\"", oid::CHAR_INTERNAL),
            ("char", oid::BPCHAR),
            ("pg_catalog.\"char\"", oid::CHAR_INTERNAL),
            ("int[]", oid::INT4_ARRAY),
            ("numeric(10,2)[3][]", oid::NUMERIC_ARRAY),
            ("_text", oid::TEXT_ARRAY),
        ];
        for (text, expected) in cases {
            assert_eq!(type_number(&Snapshot::default(), &[], text), Ok(expected), "{text}");
        }
        assert_eq!(type_number(&Snapshot::default(), &[], "nonsense").unwrap_err().code(), UNDEFINED_OBJECT);
    }
}
