//! Access control lists (manual 9.26.2): arrays of `aclitem`, each written `grantee=privileges/grantor`.
//!
//! An item is kept as that text. A list that is NULL stands for what its kind of object has by default.

use nqdb_functions_macros::sql_function;
use nqdb_sqlstate::{INVALID_PARAMETER_VALUE, SqlError, SqlResult};
use nqdb_types::{Array, Datum, oid};

use crate::{Function, FunctionContext, Records};

pub(crate) static FUNCTIONS: &[&[Function]] = &[&DEFAULT, &EXPLODE, &MAKE_ITEM, &OPTIONS];

/// Letters and names of the privileges, in the order in which items list them.
const PRIVILEGES: [(char, &str); 14] = [
    ('a', "INSERT"),
    ('r', "SELECT"),
    ('w', "UPDATE"),
    ('d', "DELETE"),
    ('D', "TRUNCATE"),
    ('x', "REFERENCES"),
    ('t', "TRIGGER"),
    ('X', "EXECUTE"),
    ('U', "USAGE"),
    ('C', "CREATE"),
    ('T', "TEMPORARY"),
    ('c', "CONNECT"),
    ('s', "SET"),
    ('A', "ALTER SYSTEM"),
];

/// What holds where nothing was granted: for everybody and for the owner.
#[sql_function("acldefault(char, oid) -> aclitem_array", oid = 3943)]
fn default(context: &mut FunctionContext<'_>, kind: &str, owner: u32) -> SqlResult<Datum> {
    let (public, own) = match kind {
        "c" => ("", ""),
        "r" => ("", "arwdDxt"),
        "s" => ("", "rwU"),
        "d" => ("Tc", "CTc"),
        "f" => ("X", "X"),
        "l" | "T" => ("U", "U"),
        "L" => ("", "rw"),
        "n" => ("", "UC"),
        "p" => ("", "sA"),
        "t" => ("", "C"),
        "F" | "S" => ("", "U"),
        other => {
            let code = other.bytes().next().unwrap_or(0);
            return Err(SqlError::internal(format!("unrecognized object type abbreviation: {}", char::from(code))));
        }
    };
    let owner = role_name(context, owner);
    let mut items = Vec::new();
    if !public.is_empty() {
        items.push(Datum::text(format!("={public}/{owner}")));
    }
    if !own.is_empty() {
        items.push(Datum::text(format!("{owner}={own}/{owner}")));
    }
    Array::from_elements(oid::ACLITEM, items).map(Datum::array)
}

/// A role as an item writes it: its number when it is gone.
fn role_name(context: &FunctionContext<'_>, role: u32) -> String {
    context.session.role_name(role).map_or_else(|| role.to_string(), |name| quoted(&name))
}

/// A name is quoted when it holds anything but letters, digits and `_`.
fn quoted(name: &str) -> String {
    if name.chars().all(|character| character.is_ascii_alphanumeric() || character == '_') {
        return name.to_owned();
    }
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[sql_function("makeaclitem(oid, oid, text, bool) -> aclitem", oid = 1365)]
fn make_item(
    context: &mut FunctionContext<'_>,
    grantee: u32,
    grantor: u32,
    privileges: &str,
    grantable: bool,
) -> SqlResult<Datum> {
    let mut letters = String::new();
    for name in privileges.split(',') {
        let name = name.trim();
        let found = PRIVILEGES.iter().find(|(_, known)| known.eq_ignore_ascii_case(name));
        let Some((letter, _)) = found else {
            let message = format!("unrecognized privilege type: \"{name}\"");
            return Err(SqlError::new(INVALID_PARAMETER_VALUE, message));
        };
        letters.push(*letter);
        if grantable {
            letters.push('*');
        }
    }
    let grantee = if grantee == 0 { String::new() } else { role_name(context, grantee) };
    Ok(Datum::text(format!("{grantee}={letters}/{}", role_name(context, grantor))))
}

/// A row for each privilege of each item.
#[sql_function(
    "aclexplode(acl aclitem_array, out grantor oid, out grantee oid, out privilege_type text, out is_grantable bool) -> setof record",
    oid = 1689,
    stable
)]
fn explode(context: &mut FunctionContext<'_>, arguments: &[Datum]) -> SqlResult<Records> {
    let mut rows = Vec::new();
    let items = arguments.first().and_then(Datum::as_array);
    for item in items.into_iter().flat_map(|array| array.elements()).filter_map(Datum::as_text) {
        let malformed = || SqlError::internal(format!("malformed access control item \"{item}\""));
        let (grantee, rest) = item.rsplit_once('=').ok_or_else(malformed)?;
        let (letters, grantor) = rest.split_once('/').ok_or_else(malformed)?;
        let number = |context: &FunctionContext<'_>, name: &str| match name {
            "" => Ok(0),
            name => match name.parse() {
                Ok(number) => Ok(number),
                // The letters of an unquoted name are its own: nothing folds them.
                Err(_) if name.starts_with('"') => context.session.object_number(oid::REGROLE, name),
                Err(_) => context.session.object_number(oid::REGROLE, &format!("\"{name}\"")),
            },
        };
        let (grantee, grantor) = (number(context, grantee)?, number(context, grantor)?);
        let mut letters = letters.chars().peekable();
        while let Some(letter) = letters.next() {
            let (_, name) = PRIVILEGES.iter().find(|(known, _)| *known == letter).ok_or_else(malformed)?;
            let grantable = letters.next_if_eq(&'*').is_some();
            rows.push(Ok(vec![Datum::Oid(grantor), Datum::Oid(grantee), Datum::text(*name), Datum::Bool(grantable)]));
        }
    }
    Ok(Box::new(rows.into_iter()))
}

/// `{a=1,b}` as rows of name and value.
#[sql_function(
    "pg_options_to_table(options_array text_array, out option_name text, out option_value text) -> setof record",
    oid = 2289,
    stable
)]
fn options(arguments: &[Datum]) -> SqlResult<Records> {
    let options = arguments.first().and_then(Datum::as_array).cloned();
    let rows: Vec<_> = options
        .iter()
        .flat_map(|array| array.elements())
        .filter_map(Datum::as_text)
        .map(|option| {
            Ok(match option.split_once('=') {
                Some((name, value)) => vec![Datum::text(name), Datum::text(value)],
                None => vec![Datum::text(option), Datum::Null],
            })
        })
        .collect();
    Ok(Box::new(rows.into_iter()))
}
