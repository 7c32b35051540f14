//! `REFERENCES ...` and what is said of when constraints are checked.
//!
//! ```text
//! REFERENCES table [( column, .. )] [MATCH FULL | MATCH SIMPLE]
//!     { ON DELETE action | ON UPDATE action } .. [NOT VALID] [[NOT] DEFERRABLE] [INITIALLY { DEFERRED | IMMEDIATE }]
//! ```
//!
//! With a column these clauses stand among others that `sqlparser` reads: they are taken out of its tokens.

use nqdb_catalog::{Deferral, ReferentialAction};
use nqdb_sqlstate::{FEATURE_NOT_SUPPORTED, SYNTAX_ERROR, SqlError, SqlResult};
use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::Tokens;
use super::cursor::Cursor;
use super::definition::name;
use super::look::is_word;
use crate::table_command::{ColumnReference, References};

/// What follows the word REFERENCES, up to the actions.
pub(super) fn references(cursor: &mut Cursor<'_>) -> SqlResult<References> {
    let table = name(cursor)?;
    let columns = if cursor.peek() == Some(&Token::LParen) { Some(cursor.column_list()?) } else { None };
    let position = cursor.position();
    let match_full = cursor.take_all(&["match", "full"]);
    if !match_full && cursor.take_all(&["match", "partial"]) {
        let message = "MATCH PARTIAL not yet implemented";
        return Err(SqlError::new(FEATURE_NOT_SUPPORTED, message).with_position(position));
    }
    if !match_full {
        cursor.take_all(&["match", "simple"]);
    }
    let mut references = References {
        table,
        columns,
        match_full,
        on_delete: ReferentialAction::NoAction,
        on_update: ReferentialAction::NoAction,
        delete_columns: Vec::new(),
    };
    let (mut has_delete, mut has_update) = (false, false);
    loop {
        let position = cursor.position();
        if !has_delete && cursor.take_all(&["on", "delete"]) {
            has_delete = true;
            references.on_delete = action(cursor)?;
            if takes_columns(references.on_delete, cursor) {
                references.delete_columns = cursor.column_list()?;
            }
        } else if !has_update && cursor.take_all(&["on", "update"]) {
            has_update = true;
            references.on_update = action(cursor)?;
            if takes_columns(references.on_update, cursor) {
                let message = format!(
                    "a column list with {} is only supported for ON DELETE actions",
                    references.on_update.words()
                );
                return Err(SqlError::new(FEATURE_NOT_SUPPORTED, message).with_position(position));
            }
        } else if cursor.peek_is(0, "on") {
            if !(has_delete && has_update) {
                cursor.skip();
            }
            return Err(cursor.syntax_error());
        } else {
            return Ok(references);
        }
    }
}

fn takes_columns(action: ReferentialAction, cursor: &Cursor<'_>) -> bool {
    matches!(action, ReferentialAction::SetNull | ReferentialAction::SetDefault)
        && cursor.peek() == Some(&Token::LParen)
}

fn action(cursor: &mut Cursor<'_>) -> SqlResult<ReferentialAction> {
    if cursor.take_all(&["no", "action"]) {
        Ok(ReferentialAction::NoAction)
    } else if cursor.take("restrict") {
        Ok(ReferentialAction::Restrict)
    } else if cursor.take("cascade") {
        Ok(ReferentialAction::Cascade)
    } else if cursor.take_all(&["set", "null"]) {
        Ok(ReferentialAction::SetNull)
    } else if cursor.take_all(&["set", "default"]) {
        Ok(ReferentialAction::SetDefault)
    } else {
        Err(cursor.syntax_error())
    }
}

/// What is said of when a constraint is checked.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Timing {
    deferrable: Option<bool>,
    deferred: Option<bool>,
}

/// What is wrong with a second clause beside a first one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Table,
    Column,
}

impl Timing {
    /// Takes a clause, if one is next.
    pub fn take(&mut self, cursor: &mut Cursor<'_>, place: Place) -> SqlResult<bool> {
        let position = cursor.position();
        let (deferrable, deferred) = if cursor.take_all(&["not", "deferrable"]) {
            (Some(false), None)
        } else if cursor.take("deferrable") {
            (Some(true), None)
        } else if cursor.take_all(&["initially", "deferred"]) {
            (None, Some(true))
        } else if cursor.take_all(&["initially", "immediate"]) {
            (None, Some(false))
        } else {
            return Ok(false);
        };
        let wrong = |message: &str| Err(SqlError::new(SYNTAX_ERROR, message).with_position(position));
        let both_said = |before: Option<bool>, now: Option<bool>| match place {
            Place::Table => before.zip(now).is_some_and(|(before, now)| before != now),
            Place::Column => before.is_some() && now.is_some(),
        };
        if both_said(self.deferrable, deferrable) {
            return wrong(match place {
                Place::Table => "conflicting constraint properties",
                Place::Column => "multiple DEFERRABLE/NOT DEFERRABLE clauses not allowed",
            });
        }
        if both_said(self.deferred, deferred) {
            return wrong(match place {
                Place::Table => "conflicting constraint properties",
                Place::Column => "multiple INITIALLY IMMEDIATE/DEFERRED clauses not allowed",
            });
        }
        self.deferrable = self.deferrable.or(deferrable);
        self.deferred = self.deferred.or(deferred);
        if self.deferrable == Some(false) && self.deferred == Some(true) {
            return wrong("constraint declared INITIALLY DEFERRED must be DEFERRABLE");
        }
        Ok(true)
    }

    pub fn deferral(self) -> Deferral {
        match (self.deferrable, self.deferred) {
            (_, Some(true)) => Deferral::Deferred,
            (Some(true), _) => Deferral::Immediate,
            _ => Deferral::NotDeferrable,
        }
    }
}

/// Takes the foreign keys out of a column's definition.
pub(super) fn take_column_references(
    cursor: &Cursor<'_>,
    own: &mut Vec<TokenWithSpan>,
) -> SqlResult<Vec<ColumnReference>> {
    let mut found = Vec::new();
    while let Some(at) = outside_of_parentheses(own, "references") {
        let rest = own.get(at..).unwrap_or_default().to_vec();
        let mut clause = Cursor::new(cursor.tokens(), &rest);
        clause.skip();
        let references = references(&mut clause)?;
        let mut timing = Timing::default();
        while timing.take(&mut clause, Place::Column)? {}
        let end = at + clause.place();
        let is_named = at > 2 && own.get(at - 2).is_some_and(|token| is_word(token, "constraint"));
        let (start, name) = match own.get(at.saturating_sub(2)..at) {
            Some(named) if is_named => {
                let mut words = Cursor::new(cursor.tokens(), named);
                words.skip();
                (at - 2, Some(words.identifier()?))
            }
            _ => (at, None),
        };
        own.drain(start..end);
        found.push(ColumnReference { name, references, deferral: timing.deferral() });
    }
    Ok(found)
}

/// 42601 for what is said of when a constraint is checked where there is none that could be meant.
pub(super) fn expect_no_timing(cursor: &Cursor<'_>, own: &[TokenWithSpan]) -> SqlResult<()> {
    let at = outside_of_parentheses(own, "deferrable").or_else(|| outside_of_parentheses(own, "initially"));
    let Some(at) = at else { return Ok(()) };
    let is = |at: usize, word: &str| own.get(at).is_some_and(|token| is_word(token, word));
    let (first, clause) = match at.checked_sub(1).filter(|before| is(*before, "not")) {
        Some(before) => (before, "NOT DEFERRABLE"),
        None if is(at, "deferrable") => (at, "DEFERRABLE"),
        None if is(at + 1, "deferred") => (at, "INITIALLY DEFERRED"),
        None => (at, "INITIALLY IMMEDIATE"),
    };
    let position = own.get(first).and_then(|token| Tokens::index_of(token.span));
    let position = position.and_then(|index| cursor.tokens().position(index));
    Err(SqlError::new(SYNTAX_ERROR, format!("misplaced {clause} clause")).or_position(position))
}

/// Where a word stands in a column's definition, behind its name and type, and outside of parentheses.
fn outside_of_parentheses(own: &[TokenWithSpan], word: &str) -> Option<usize> {
    let mut depth = 0_usize;
    own.iter().enumerate().skip(1).find_map(|(at, token)| {
        match &token.token {
            Token::LParen | Token::LBracket => depth += 1,
            Token::RParen | Token::RBracket => depth = depth.saturating_sub(1),
            _ if depth == 0 && is_word(token, word) => return Some(at),
            _ => {}
        }
        None
    })
}
