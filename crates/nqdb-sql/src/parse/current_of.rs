//! `WHERE CURRENT OF cursor` of UPDATE and DELETE, which `sqlparser` does not know: it becomes a name of two parts.
//!
//! ```text
//! WHERE CURRENT OF c     WHERE <current of>.c
//! ```

use super::look::is;
use sqlparser::ast;
use sqlparser::tokenizer::{Token, TokenWithSpan};

use crate::names::name_of;

/// The first part of the name.
const CURRENT_OF: &str = "\u{1}current of";

/// Rewrites it wherever it stands.
pub(super) fn rewrite(own: &mut [TokenWithSpan]) {
    let mut at = 0;
    while at + 3 < own.len() {
        let names_cursor = matches!(own[at + 3].token, Token::Word(_));
        if is(own, at, "where") && is(own, at + 1, "current") && is(own, at + 2, "of") && names_cursor {
            let written = [Token::make_word(CURRENT_OF, Some('"')), Token::Period];
            for (offset, token) in written.into_iter().enumerate() {
                own[at + 1 + offset].token = token;
            }
        }
        at += 1;
    }
}

/// The cursor that a condition names, if it is nothing but that.
pub(crate) fn cursor_of(condition: &ast::Expr) -> Option<String> {
    match condition {
        ast::Expr::CompoundIdentifier(parts) => match parts.as_slice() {
            [marker, cursor] if marker.value == CURRENT_OF => Some(name_of(cursor)),
            _ => None,
        },
        _ => None,
    }
}
