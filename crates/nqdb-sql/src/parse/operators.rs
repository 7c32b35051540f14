//! Operators: where one ends and the next begins, as PostgreSQL's scanner decides it (manual, section 4.1.3).
//!
//! Of characters that can form operators and stand together, the longest run is one operator. But an operator of several
//! characters does not end in `+` or `-`, unless it also contains one of `~ ! @ # % ^ & | \` ?`: `a*-1` is a product with a
//! negative number, `a^-1` an operator `^-` that somebody would have to create. `sqlparser` decides otherwise: by the
//! operators that it knows. So its tokenizer is told to know short ones only ([`ScanDialect`]); what stands together is
//! gathered and divided here.
//!
//! What always holds: an operator that `sqlparser`'s grammar does not know becomes a token that it takes for a binary
//! operator, or for a prefix operator, and that the binder reads the name of from the source.

use std::any::TypeId;

use sqlparser::dialect::{Dialect, PostgreSqlDialect};
use sqlparser::tokenizer::Token;

use crate::names::is_reserved_word;

/// PostgreSQL's dialect for the tokenizer only, without operators that are found by rules of its own.
#[derive(Debug)]
pub(super) struct ScanDialect {
    postgresql: PostgreSqlDialect,
}

impl ScanDialect {
    pub(super) fn new() -> ScanDialect {
        ScanDialect { postgresql: PostgreSqlDialect {} }
    }
}

impl Dialect for ScanDialect {
    fn dialect(&self) -> TypeId {
        TypeId::of::<PostgreSqlDialect>()
    }

    fn is_delimited_identifier_start(&self, ch: char) -> bool {
        self.postgresql.is_delimited_identifier_start(ch)
    }

    fn is_identifier_start(&self, ch: char) -> bool {
        self.postgresql.is_identifier_start(ch)
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        self.postgresql.is_identifier_part(ch)
    }

    fn supports_unicode_string_literal(&self) -> bool {
        self.postgresql.supports_unicode_string_literal()
    }

    fn supports_nested_comments(&self) -> bool {
        self.postgresql.supports_nested_comments()
    }

    fn supports_string_escape_constant(&self) -> bool {
        self.postgresql.supports_string_escape_constant()
    }

    fn supports_numeric_literal_underscores(&self) -> bool {
        self.postgresql.supports_numeric_literal_underscores()
    }

    /// The parts of an operator are put together here.
    fn is_custom_operator_part(&self, _ch: char) -> bool {
        false
    }

    /// The tokenizer gives up at `@-` and `|&` when it looks for the operators of geometric types.
    fn supports_geometric_types(&self) -> bool {
        false
    }
}

/// How much of the text that a token stands for belongs to operators; the tokenizer takes `?1` for one token.
pub(super) fn operator_part(text: &str) -> &str {
    let end = text.find(|ch| !is_operator_character(ch)).unwrap_or(text.len());
    text.get(..end).unwrap_or("")
}

fn is_operator_character(ch: char) -> bool {
    matches!(ch, '~' | '!' | '@' | '#' | '^' | '&' | '|' | '`' | '?' | '+' | '-' | '*' | '/' | '%' | '<' | '>' | '=')
}

/// Whether a token is an operator, by its text.
pub(crate) fn is_operator(text: &str) -> bool {
    !text.is_empty() && text.chars().all(is_operator_character)
}

/// The length in bytes of the first operator of a run of operator characters.
pub(super) fn first_operator(run: &str) -> usize {
    let unsigned = run.trim_end_matches(['+', '-']);
    let may_end_in_sign = |operator: &str| operator.contains(['~', '!', '@', '#', '%', '^', '&', '|', '`', '?']);
    if unsigned.len() == run.len() || may_end_in_sign(unsigned) { run.len() } else { unsigned.len().max(1) }
}

/// The token of an operator; `before` is the token in front of it.
pub(super) fn operator_token(operator: &str, before: Option<&Token>) -> Token {
    match operator {
        "+" => Token::Plus,
        "-" => Token::Minus,
        "*" => Token::Mul,
        "/" => Token::Div,
        "%" => Token::Mod,
        "^" => Token::Caret,
        "<" => Token::Lt,
        ">" => Token::Gt,
        "=" => Token::Eq,
        "<=" => Token::LtEq,
        ">=" => Token::GtEq,
        "<>" | "!=" => Token::Neq,
        "=>" => Token::RArrow,
        "||" => Token::StringConcat,
        "|" => Token::Pipe,
        "&" => Token::Ampersand,
        "#" => Token::Sharp,
        "~" => Token::Tilde,
        "@" => Token::AtSign,
        "|/" => Token::PGSquareRoot,
        "||/" => Token::PGCubeRoot,
        "<<" => Token::ShiftLeft,
        ">>" => Token::ShiftRight,
        "&&" => Token::Overlap,
        "^@" => Token::CaretAt,
        "~*" => Token::TildeAsterisk,
        "!~" => Token::ExclamationMarkTilde,
        "!~*" => Token::ExclamationMarkTildeAsterisk,
        "~~" => Token::DoubleTilde,
        "~~*" => Token::DoubleTildeAsterisk,
        "!~~" => Token::ExclamationMarkDoubleTilde,
        "!~~*" => Token::ExclamationMarkDoubleTildeAsterisk,
        "->" => Token::Arrow,
        "->>" => Token::LongArrow,
        "#>" => Token::HashArrow,
        "#>>" => Token::HashLongArrow,
        "#-" => Token::HashMinus,
        "@>" => Token::AtArrow,
        "<@" => Token::ArrowAt,
        "@?" => Token::AtQuestion,
        "@@" => Token::AtAt,
        "?" => Token::Question,
        "?&" => Token::QuestionAnd,
        "?|" => Token::QuestionPipe,
        _ if before.is_none_or(ends_operand) => Token::CustomBinaryOperator(operator.to_owned()),
        // Any prefix operator would do: this one binds as all of them do.
        _ => Token::Tilde,
    }
}

/// Whether an operator behind this token has a left operand.
fn ends_operand(token: &Token) -> bool {
    match token {
        Token::RParen
        | Token::RBracket
        | Token::Number(..)
        | Token::SingleQuotedString(_)
        | Token::EscapedStringLiteral(_)
        | Token::DollarQuotedString(_)
        | Token::UnicodeStringLiteral(_)
        | Token::NationalStringLiteral(_)
        | Token::SingleQuotedByteStringLiteral(_)
        | Token::HexStringLiteral(_)
        | Token::Placeholder(_)
        // In `OPERATOR(schema.@-)` the operator is a name.
        | Token::Period => true,
        Token::Word(word) => {
            let ends = ["null", "true", "false", "end", "user", "using", "current_date", "current_user"];
            word.quote_style.is_some()
                || !is_reserved_word(&word.value)
                || ends.iter().any(|known| word.value.eq_ignore_ascii_case(known))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::first_operator;

    #[test]
    fn a_run_is_divided_as_in_the_manual() {
        for (run, first) in [
            ("->-", "->"),
            ("->>-", "->>"),
            ("*-", "*"),
            ("=-", "="),
            ("<-", "<"),
            (">=-", ">="),
            ("<->", "<->"),
            ("-", "-"),
            ("+-", "+"),
            ("-+-", "-"),
            ("^-", "^-"),
            ("@-", "@-"),
            ("!=-", "!=-"),
            ("||-", "||-"),
            ("#--", "#--"),
            ("*+*", "*+*"),
            ("=>-", "=>"),
        ] {
            assert_eq!(run.get(..first_operator(run)), Some(first), "{run}");
        }
    }
}
