//! Upper and lower case of ASCII letters, as the C collation has it.

use nqdb_functions_macros::sql_function;

use crate::Function;

pub(crate) static FUNCTIONS: &[&[Function]] = &[&LOWER, &UPPER, &INITCAP];

#[sql_function("lower(text) -> text", oid = 870)]
fn lower(value: &str) -> String {
    value.to_ascii_lowercase()
}

#[sql_function("upper(text) -> text", oid = 871)]
fn upper(value: &str) -> String {
    value.to_ascii_uppercase()
}

/// The first letter of each word in upper case; a word is a run of ASCII letters and digits.
#[sql_function("initcap(text) -> text", oid = 872)]
fn initcap(value: &str) -> String {
    let mut in_word = false;
    value
        .chars()
        .map(|character| {
            let cased = if in_word { character.to_ascii_lowercase() } else { character.to_ascii_uppercase() };
            in_word = character.is_ascii_alphanumeric();
            cased
        })
        .collect()
}
