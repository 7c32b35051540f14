//! How PostgreSQL reads an identifier: folded to lower case unless quoted, cut at 63 bytes.

/// The longest identifier, bytes.
pub const IDENTIFIER_LEN_MAX: usize = 63;

/// The name that an identifier means.
pub fn fold_identifier(identifier: &str, quoted: bool) -> String {
    let mut name = if quoted { identifier.to_string() } else { identifier.to_ascii_lowercase() };
    if name.len() > IDENTIFIER_LEN_MAX {
        let end = (0..=IDENTIFIER_LEN_MAX).rev().find(|at| name.is_char_boundary(*at)).unwrap_or(0);
        name.truncate(end);
    }
    name
}

/// Keywords that name a column of a select list only behind AS (PostgreSQL 15, appendix C: requires AS).
const LABELS_WITH_AS: [&str; 39] = [
    "array",
    "as",
    "char",
    "character",
    "create",
    "day",
    "except",
    "fetch",
    "filter",
    "for",
    "from",
    "grant",
    "group",
    "having",
    "hour",
    "intersect",
    "into",
    "isnull",
    "limit",
    "minute",
    "month",
    "notnull",
    "offset",
    "on",
    "order",
    "over",
    "overlaps",
    "precision",
    "returning",
    "second",
    "to",
    "union",
    "varying",
    "where",
    "window",
    "with",
    "within",
    "without",
    "year",
];

/// Whether an unquoted word is a label only behind AS.
pub fn needs_as(word: &str) -> bool {
    LABELS_WITH_AS.iter().any(|label| word.eq_ignore_ascii_case(label))
}

/// Keywords that can name nothing unless quoted (PostgreSQL 15, appendix C: reserved), sorted.
const RESERVED: &[&str] = &[
    "all",
    "analyse",
    "analyze",
    "and",
    "any",
    "array",
    "as",
    "asc",
    "asymmetric",
    "both",
    "case",
    "cast",
    "check",
    "collate",
    "column",
    "constraint",
    "create",
    "current_catalog",
    "current_date",
    "current_role",
    "current_time",
    "current_timestamp",
    "current_user",
    "default",
    "deferrable",
    "desc",
    "distinct",
    "do",
    "else",
    "end",
    "except",
    "false",
    "fetch",
    "for",
    "foreign",
    "from",
    "grant",
    "group",
    "having",
    "in",
    "initially",
    "intersect",
    "into",
    "lateral",
    "leading",
    "limit",
    "localtime",
    "localtimestamp",
    "not",
    "null",
    "offset",
    "on",
    "only",
    "or",
    "order",
    "placing",
    "primary",
    "references",
    "returning",
    "select",
    "session_user",
    "some",
    "symmetric",
    "table",
    "then",
    "to",
    "trailing",
    "true",
    "union",
    "unique",
    "user",
    "using",
    "variadic",
    "when",
    "where",
    "window",
    "with",
];

/// Reserved keywords that stand for a value in an expression.
const VALUE_WORDS: &[&str] = &[
    "current_catalog",
    "current_date",
    "current_role",
    "current_schema",
    "current_time",
    "current_timestamp",
    "current_user",
    "default",
    "false",
    "localtime",
    "localtimestamp",
    "null",
    "session_user",
    "true",
    "user",
];

/// Whether an unquoted word is a reserved keyword, in any case.
pub fn is_reserved_word(word: &str) -> bool {
    RESERVED.binary_search(&word.to_ascii_lowercase().as_str()).is_ok()
}

/// Keywords that can name functions and types, but neither tables nor columns (PostgreSQL 15, appendix C: reserved, can
/// be function or type), sorted.
const FUNCTION_OR_TYPE_WORDS: &[&str] = &[
    "authorization",
    "binary",
    "collation",
    "concurrently",
    "cross",
    "current_schema",
    "freeze",
    "full",
    "ilike",
    "inner",
    "is",
    "isnull",
    "join",
    "left",
    "like",
    "natural",
    "notnull",
    "outer",
    "overlaps",
    "right",
    "similar",
    "tablesample",
    "verbose",
];

/// Whether an unquoted word may name a table or a column.
pub fn is_column_name(word: &str) -> bool {
    let folded = word.to_ascii_lowercase();
    !is_reserved_word(&folded) && FUNCTION_OR_TYPE_WORDS.binary_search(&folded.as_str()).is_err()
}

/// Whether an identifier in an expression is a reserved keyword that stands for no value, which PostgreSQL takes for a
/// syntax error.
pub fn is_reserved(identifier: &sqlparser::ast::Ident) -> bool {
    identifier.quote_style.is_none()
        && !is_column_name(&identifier.value)
        && !VALUE_WORDS.contains(&identifier.value.to_ascii_lowercase().as_str())
}

/// The name that a parsed identifier means.
pub fn name_of(identifier: &sqlparser::ast::Ident) -> String {
    fold_identifier(&identifier.value, identifier.quote_style.is_some())
}

#[cfg(test)]
mod tests {
    use super::fold_identifier;

    #[test]
    fn identifiers_fold_and_are_cut_between_characters() {
        assert_eq!(fold_identifier("Straße", false), "straße");
        assert_eq!(fold_identifier("Foo", true), "Foo");
        assert_eq!(fold_identifier(&"é".repeat(40), true), "é".repeat(31));
    }
}
