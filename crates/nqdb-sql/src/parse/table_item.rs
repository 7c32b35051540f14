//! The items of CREATE TABLE's list, which ALTER TABLE ADD takes too: columns, constraints, LIKE clauses.
//!
//! A column is for `sqlparser`, once the clauses that it does not know are taken out; constraints are read here.

use nqdb_catalog::Deferral;
use nqdb_sqlstate::{FEATURE_NOT_SUPPORTED, SqlError, SqlResult};
use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::cursor::Cursor;
use super::look::is_word;
use super::references::{Place, Timing};
use super::{Tokens, parameters, references, run_parser, sequence, table_like};
use crate::definition::IndexText;
use crate::statement::NamedAt;
use crate::table_command::{
    ColumnItem, ColumnKey, ConstraintKind, ForeignKeyConstraint, KeyConstraint, TableConstraint, TableItem,
};

/// The words with which an item starts that is a constraint.
const CONSTRAINT_WORDS: [&str; 6] = ["constraint", "primary", "unique", "check", "foreign", "exclude"];

/// Whether a constraint comes next.
pub(super) fn is_constraint(cursor: &Cursor<'_>) -> bool {
    CONSTRAINT_WORDS.iter().any(|word| cursor.peek_is(0, word))
}

/// One item of the list.
pub(super) fn item(tokens: &std::sync::Arc<Tokens>, own: &[TokenWithSpan]) -> SqlResult<TableItem> {
    let mut cursor = Cursor::new(tokens, own);
    if cursor.peek_is(0, "like") {
        return table_like::like(&mut cursor).map(TableItem::Like);
    }
    if is_constraint(&cursor) {
        let constraint = constraint(&mut cursor)?;
        cursor.finish()?;
        return Ok(TableItem::Constraint(Box::new(constraint)));
    }
    column(&cursor, own).map(|column| TableItem::Column(Box::new(column)))
}

/// A column definition: all of the tokens.
pub(super) fn column(cursor: &Cursor<'_>, own: &[TokenWithSpan]) -> SqlResult<ColumnItem> {
    // The name: a reserved word is none.
    Cursor::new(cursor.tokens(), own).identifier()?;
    expect_null_behind_not(cursor, own)?;
    let mut own = own.to_vec();
    let compression = take_compression(cursor, &mut own)?;
    let foreign_keys = references::take_column_references(cursor, &mut own)?;
    let keys = take_key_clauses(cursor, &mut own)?;
    references::expect_no_timing(cursor, &own)?;
    sequence::order_identity_options(&mut own);
    let definition = run_parser(cursor.tokens(), own, |parser| parser.parse_column_def())?;
    Ok(ColumnItem { definition, compression, keys, foreign_keys })
}

/// Behind NOT only a few words make sense: another one is where PostgreSQL's grammar stops.
fn expect_null_behind_not(cursor: &Cursor<'_>, own: &[TokenWithSpan]) -> SqlResult<()> {
    let known = ["null", "deferrable", "distinct", "document", "valid"];
    let mut depth = 0_usize;
    for (token, next) in own.iter().zip(own.iter().skip(1)) {
        match &token.token {
            Token::LParen | Token::LBracket => depth += 1,
            Token::RParen | Token::RBracket => depth = depth.saturating_sub(1),
            _ if depth == 0 && is_word(token, "not") && !known.iter().any(|word| is_word(next, word)) => {
                let index = Tokens::index_of(next.span).unwrap_or_default();
                return Err(cursor.tokens().syntax_error(index));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Takes `COMPRESSION method`, which comes behind the type.
fn take_compression(cursor: &Cursor<'_>, own: &mut Vec<TokenWithSpan>) -> SqlResult<Option<String>> {
    let options = ["not", "null", "default", "check", "unique", "primary", "references", "generated", "constraint"];
    let end = own.iter().position(|token| options.iter().any(|word| is_word(token, word))).unwrap_or(own.len());
    let Some(at) = (2..end).find(|at| own.get(*at).is_some_and(|token| is_word(token, "compression"))) else {
        return Ok(None);
    };
    let clause: Vec<TokenWithSpan> = own.drain(at..(at + 2).min(own.len())).collect();
    let mut clause = Cursor::new(cursor.tokens(), &clause);
    clause.skip();
    clause.word().map(Some)
}

/// Takes what stands behind the keys of a column: `NULLS [NOT] DISTINCT`, `WITH (...)`, `USING INDEX TABLESPACE name`.
fn take_key_clauses(cursor: &Cursor<'_>, own: &mut Vec<TokenWithSpan>) -> SqlResult<Vec<ColumnKey>> {
    let mut found: Vec<ColumnKey> = Vec::new();
    let mut timings: Vec<Timing> = Vec::new();
    let mut depth = 0usize;
    let mut at = 1;
    while let Some(token) = own.get(at) {
        match &token.token {
            Token::LParen | Token::LBracket => depth += 1,
            Token::RParen | Token::RBracket => depth = depth.saturating_sub(1),
            Token::Word(_) if depth == 0 => {
                if is_word(token, "unique") || is_word(token, "primary") {
                    found.push(ColumnKey::default());
                    timings.push(Timing::default());
                }
                let rest = own.get(at..).unwrap_or_default().to_vec();
                let mut clause = Cursor::new(cursor.tokens(), &rest);
                take_key_clause(&mut clause, found.last_mut(), timings.last_mut())?;
                if clause.place() > 0 {
                    own.drain(at..at + clause.place());
                    continue;
                }
            }
            _ => {}
        }
        at += 1;
    }
    for (key, timing) in found.iter_mut().zip(timings) {
        key.deferral = timing.deferral();
    }
    Ok(found)
}

/// Reads one of the clauses of a key, if it is next.
fn take_key_clause(clause: &mut Cursor<'_>, key: Option<&mut ColumnKey>, timing: Option<&mut Timing>) -> SqlResult<()> {
    let Some((key, timing)) = key.zip(timing) else { return Ok(()) };
    if timing.take(clause, Place::Column)? {
        return Ok(());
    }
    if clause.take_all(&["nulls", "not", "distinct"]) {
        key.nulls_not_distinct = true;
    } else if clause.take_all(&["nulls", "distinct"]) {
        key.nulls_not_distinct = false;
    } else if clause.peek_is(0, "with") && clause.peek_is_symbol(1, &Token::LParen) {
        clause.skip();
        key.parameters = parameters::parameters(clause)?;
    } else if clause.peek_is(0, "using") && clause.peek_is(1, "index") {
        index_tablespace(clause)?;
    }
    Ok(())
}

/// `USING INDEX TABLESPACE name`: there are two tablespaces, and users' objects are in the first.
fn index_tablespace(cursor: &mut Cursor<'_>) -> SqlResult<()> {
    cursor.expect("using")?;
    cursor.expect("index")?;
    cursor.expect("tablespace")?;
    expect_tablespace(&cursor.identifier()?)
}

/// 0A000 or 42704 for a tablespace other than the default one.
pub(super) fn expect_tablespace(name: &str) -> SqlResult<()> {
    match name {
        "pg_default" => Ok(()),
        "pg_global" => Err(SqlError::new(
            nqdb_sqlstate::INVALID_PARAMETER_VALUE,
            "only shared relations can be placed in pg_global tablespace",
        )),
        _ => Err(SqlError::new(nqdb_sqlstate::UNDEFINED_OBJECT, format!("tablespace \"{name}\" does not exist"))),
    }
}

/// `[CONSTRAINT name] { PRIMARY KEY | UNIQUE | CHECK } ...`, with what may follow it.
pub(super) fn constraint(cursor: &mut Cursor<'_>) -> SqlResult<TableConstraint> {
    let name = if cursor.take("constraint") { Some(cursor.identifier()?) } else { None };
    let start = cursor.place();
    let kind = if cursor.take("check") {
        ConstraintKind::Check(Box::new(check(cursor)?))
    } else if cursor.take("primary") {
        cursor.expect("key")?;
        key(cursor, true)?
    } else if cursor.take("unique") {
        key(cursor, false)?
    } else if cursor.take_all(&["foreign", "key"]) {
        let columns = columns(cursor)?.0;
        cursor.expect("references")?;
        let references = references::references(cursor)?;
        ConstraintKind::ForeignKey(Box::new(ForeignKeyConstraint { columns, references }))
    } else if cursor.peek_is(0, "exclude") {
        return Err(SqlError::unsupported("an exclusion constraint"));
    } else {
        return Err(cursor.syntax_error());
    };
    let word = match &kind {
        ConstraintKind::Check(_) => "CHECK",
        ConstraintKind::Key(KeyConstraint { primary: true, .. }) | ConstraintKind::KeyOfIndex { primary: true, .. } => {
            "PRIMARY KEY"
        }
        ConstraintKind::Key(_) | ConstraintKind::KeyOfIndex { .. } => "UNIQUE",
        ConstraintKind::ForeignKey(_) => "FOREIGN KEY",
    };
    let deferral = Deferral::NotDeferrable;
    let mut constraint = TableConstraint { name, kind, deferral, not_valid: false, no_inherit: false };
    attributes(cursor, word, start, &mut constraint)?;
    Ok(constraint)
}

/// `NOT VALID`, `NO INHERIT`, `[NOT] DEFERRABLE`, `INITIALLY ...`, as far as the kind of constraint may have them.
fn attributes(cursor: &mut Cursor<'_>, word: &str, start: usize, constraint: &mut TableConstraint) -> SqlResult<()> {
    let is_check = matches!(constraint.kind, ConstraintKind::Check(_));
    let is_foreign_key = matches!(constraint.kind, ConstraintKind::ForeignKey(_));
    let mut timing = Timing::default();
    loop {
        let position = cursor.position();
        let refused = |what: &str| {
            let message = format!("{word} constraints cannot be marked {what}");
            Err(SqlError::new(FEATURE_NOT_SUPPORTED, message).with_position(position))
        };
        if cursor.take_all(&["not", "valid"]) {
            if !is_check && !is_foreign_key {
                return refused("NOT VALID");
            }
            constraint.not_valid = true;
        } else if cursor.take_all(&["no", "inherit"]) {
            if !is_check {
                return refused("NO INHERIT");
            }
            constraint.no_inherit = true;
        } else if timing.take(cursor, Place::Table)? {
            if is_check && timing.deferral().is_deferrable() {
                return refused("DEFERRABLE");
            }
        } else {
            debug_assert!(cursor.place() > start);
            constraint.deferral = timing.deferral();
            return Ok(());
        }
    }
}

/// What ALTER CONSTRAINT says of a constraint.
pub(super) fn attributes_of_alteration(cursor: &mut Cursor<'_>) -> SqlResult<Deferral> {
    let mut timing = Timing::default();
    loop {
        let position = cursor.position();
        let refused = |what: &str| {
            let message = format!("FOREIGN KEY constraints cannot be marked {what}");
            Err(SqlError::new(FEATURE_NOT_SUPPORTED, message).with_position(position))
        };
        if cursor.take_all(&["not", "valid"]) {
            return refused("NOT VALID");
        }
        if cursor.take_all(&["no", "inherit"]) {
            return refused("NO INHERIT");
        }
        if !timing.take(cursor, Place::Table)? {
            return Ok(timing.deferral());
        }
    }
}

fn check(cursor: &mut Cursor<'_>) -> SqlResult<IndexText> {
    let inside = cursor.parentheses()?;
    if inside.is_empty() {
        cursor.go_back(cursor.place() - 1);
        return Err(cursor.syntax_error());
    }
    let expression = cursor.expression(inside)?;
    let text = expression.to_string();
    Ok(IndexText { expression, text })
}

fn key(cursor: &mut Cursor<'_>, primary: bool) -> SqlResult<ConstraintKind> {
    if cursor.take_all(&["using", "index"]) {
        return Ok(ConstraintKind::KeyOfIndex { primary, index: cursor.identifier()? });
    }
    let nulls_not_distinct = !primary && cursor.take_all(&["nulls", "not", "distinct"]);
    if !primary && !nulls_not_distinct {
        cursor.take_all(&["nulls", "distinct"]);
    }
    let columns = columns(cursor)?;
    let column_token = columns.1;
    let included = if cursor.take("include") { self::columns(cursor)?.0 } else { Vec::new() };
    let parameters = if cursor.take("with") { parameters::parameters(cursor)? } else { Vec::new() };
    if cursor.peek_is(0, "using") {
        index_tablespace(cursor)?;
    }
    Ok(ConstraintKind::Key(KeyConstraint {
        primary,
        columns: columns.0,
        included,
        nulls_not_distinct,
        parameters,
        column_token,
    }))
}

/// `(name, ...)`, and the token of the first name.
fn columns(cursor: &mut Cursor<'_>) -> SqlResult<(Vec<NamedAt>, Option<usize>)> {
    if cursor.peek() != Some(&Token::LParen) {
        return Err(cursor.syntax_error());
    }
    let start = cursor.place();
    let columns = cursor.column_list()?;
    let first = cursor.since(start).get(1).and_then(|token| Tokens::index_of(token.span));
    Ok((columns, first))
}
