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
