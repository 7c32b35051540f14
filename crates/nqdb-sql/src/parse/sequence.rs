//! CREATE SEQUENCE and ALTER SEQUENCE: `sqlparser` knows the clauses in one order only, and ALTER not at all.

use nqdb_sqlstate::{SYNTAX_ERROR, SqlError, SqlResult, UNDEFINED_OBJECT};
use nqdb_types::{Type, type_by_name};
use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::cursor::{Cursor, QualifiedName};
use super::look::is_word;
use crate::statement::{NamedAt, SequenceAction, SequenceClauses, SequenceOwner, SequenceStatement, StatementKind};

/// `CREATE SEQUENCE ...` or `ALTER SEQUENCE ...`; `None` when the statement is about something else.
pub(super) fn parse_command(cursor: &mut Cursor<'_>) -> SqlResult<Option<StatementKind>> {
    if cursor.peek_is(0, "create") {
        parse_create(cursor)
    } else if cursor.peek_is(0, "alter") {
        parse_alter(cursor)
    } else {
        Ok(None)
    }
}

fn parse_create(cursor: &mut Cursor<'_>) -> SqlResult<Option<StatementKind>> {
    let temporary = cursor.peek_is(1, "temporary") || cursor.peek_is(1, "temp");
    if !cursor.peek_is(1 + usize::from(temporary), "sequence") {
        return Ok(None);
    }
    cursor.skip();
    cursor.skip();
    if temporary {
        cursor.skip();
    }
    let if_not_exists = cursor.take_all(&["if", "not", "exists"]);
    let name = cursor.qualified_name()?;
    let clauses = clauses(cursor)?;
    if clauses.restart.is_some() {
        return Err(cursor.syntax_error());
    }
    Ok(Some(statement(name, SequenceAction::Create { temporary, if_not_exists, clauses })))
}

fn parse_alter(cursor: &mut Cursor<'_>) -> SqlResult<Option<StatementKind>> {
    if !cursor.peek_is(1, "sequence") {
        return Ok(None);
    }
    cursor.skip();
    cursor.skip();
    let if_exists = cursor.take_all(&["if", "exists"]);
    let name = cursor.qualified_name()?;
    if cursor.at_end() {
        return Err(cursor.syntax_error());
    }
    let clauses = clauses(cursor)?;
    Ok(Some(statement(name, SequenceAction::Alter { if_exists, clauses })))
}

fn statement(name: QualifiedName, action: SequenceAction) -> StatementKind {
    StatementKind::Sequence(Box::new(SequenceStatement {
        schema: name.schema,
        name: name.name,
        position: name.position,
        action,
    }))
}

/// The clauses up to the end.
pub(super) fn clauses(cursor: &mut Cursor<'_>) -> SqlResult<SequenceClauses> {
    let mut clauses = SequenceClauses::default();
    while !cursor.at_end() {
        if cursor.peek_is(0, "restart") {
            restart(cursor, &mut clauses)?;
        } else {
            clause(cursor, &mut clauses)?;
        }
    }
    Ok(clauses)
}

/// `RESTART [[WITH] n]`.
pub(super) fn restart(cursor: &mut Cursor<'_>, clauses: &mut SequenceClauses) -> SqlResult<()> {
    let position = cursor.position();
    cursor.expect("restart")?;
    let with = cursor.take("with");
    let value = if with || is_number(cursor) { Some(integer(cursor)?) } else { None };
    if put(&mut clauses.restart, value) { Ok(()) } else { Err(redundant(position)) }
}

fn redundant(position: u32) -> SqlError {
    SqlError::new(SYNTAX_ERROR, "conflicting or redundant options").with_position(position)
}

/// One clause other than RESTART.
pub(super) fn clause(cursor: &mut Cursor<'_>, clauses: &mut SequenceClauses) -> SqlResult<()> {
    let position = cursor.position();
    let fresh = if cursor.take("as") {
        let position = cursor.position();
        let name = cursor.word()?;
        let oid = type_by_name(&name).ok_or_else(|| {
            SqlError::new(UNDEFINED_OBJECT, format!("type \"{name}\" does not exist")).with_position(position)
        })?;
        put(&mut clauses.data_type, Type::new(oid))
    } else if cursor.take("increment") {
        cursor.take("by");
        put(&mut clauses.increment, integer(cursor)?)
    } else if cursor.take("minvalue") {
        put(&mut clauses.min, Some(integer(cursor)?))
    } else if cursor.take_all(&["no", "minvalue"]) {
        put(&mut clauses.min, None)
    } else if cursor.take("maxvalue") {
        put(&mut clauses.max, Some(integer(cursor)?))
    } else if cursor.take_all(&["no", "maxvalue"]) {
        put(&mut clauses.max, None)
    } else if cursor.take("start") {
        cursor.take("with");
        put(&mut clauses.start, integer(cursor)?)
    } else if cursor.take("cache") {
        put(&mut clauses.cache, integer(cursor)?)
    } else if cursor.take("cycle") {
        put(&mut clauses.cycle, true)
    } else if cursor.take_all(&["no", "cycle"]) {
        put(&mut clauses.cycle, false)
    } else if cursor.take_all(&["owned", "by"]) {
        let owner = owner(cursor)?;
        put(&mut clauses.owned_by, owner)
    } else if cursor.take_all(&["sequence", "name"]) {
        let QualifiedName { schema, name, position } = cursor.qualified_name()?;
        put(&mut clauses.name, (schema, NamedAt { name, position }))
    } else {
        return Err(cursor.syntax_error());
    };
    if fresh { Ok(()) } else { Err(redundant(position)) }
}

/// Fills an empty place; false when it was filled already.
fn put<T>(place: &mut Option<T>, value: T) -> bool {
    let fresh = place.is_none();
    *place = Some(value);
    fresh
}

fn is_number(cursor: &Cursor<'_>) -> bool {
    matches!(cursor.peek(), Some(Token::Number(..) | Token::Minus | Token::Plus))
}

/// A number with its sign.
pub(super) fn integer(cursor: &mut Cursor<'_>) -> SqlResult<i64> {
    let negative = cursor.take_symbol(&Token::Minus);
    if !negative {
        cursor.take_symbol(&Token::Plus);
    }
    let Some(Token::Number(digits, _)) = cursor.peek() else { return Err(cursor.syntax_error()) };
    let digits = if negative { format!("-{digits}") } else { digits.clone() };
    cursor.skip();
    digits.parse().map_err(|_| {
        let message = format!("value \"{digits}\" is out of range for type bigint");
        SqlError::new(nqdb_sqlstate::NUMERIC_VALUE_OUT_OF_RANGE, message)
    })
}

/// `NONE` or `[schema.]table.column`.
fn owner(cursor: &mut Cursor<'_>) -> SqlResult<SequenceOwner> {
    if cursor.take("none") {
        return Ok(SequenceOwner::None);
    }
    let mut parts: Vec<NamedAt> = vec![cursor.identifier_at()?];
    while cursor.take_symbol(&Token::Period) {
        parts.push(cursor.identifier_at()?);
    }
    let column = parts.pop().map(|part| part.name);
    let table = parts.pop();
    let schema = parts.pop().map(|part| part.name);
    match (column, table) {
        (Some(column), Some(table)) if parts.is_empty() => Ok(SequenceOwner::Column { schema, table, column }),
        _ => Err(SqlError::new(SYNTAX_ERROR, "invalid OWNED BY option")
            .with_hint("Specify OWNED BY table.column or OWNED BY NONE.")),
    }
}

/// The order in which `sqlparser` wants an identity column's sequence options.
const OPTION_ORDER: &[&str] = &["increment", "minvalue", "maxvalue", "start", "cache", "cycle"];

/// Puts the options of every `IDENTITY (...)` into the order that `sqlparser` knows.
pub(super) fn order_identity_options(own: &mut [TokenWithSpan]) {
    let mut at = 0;
    while at + 1 < own.len() {
        if is_word(&own[at], "identity") && own[at + 1].token == Token::LParen {
            let first = at + 2;
            let length = own[first..].iter().position(|token| token.token == Token::RParen).unwrap_or(0);
            order_options(&mut own[first..first + length]);
            at = first + length;
        }
        at += 1;
    }
}

fn order_options(options: &mut [TokenWithSpan]) {
    let mut groups: Vec<(usize, Vec<TokenWithSpan>)> = Vec::new();
    for (at, token) in options.iter().enumerate() {
        let is_no = is_word(token, "no");
        let word = if is_no { options.get(at + 1) } else { Some(token) };
        let after_no = at > 0 && is_word(&options[at - 1], "no");
        let rank = word.and_then(|word| OPTION_ORDER.iter().position(|option| is_word(word, option)));
        match rank {
            Some(rank) if !after_no => groups.push((rank, vec![token.clone()])),
            _ => match groups.last_mut() {
                Some((_, group)) => group.push(token.clone()),
                // Something that is no option comes first: the parser will say so.
                None => return,
            },
        }
    }
    groups.sort_by_key(|(rank, _)| *rank);
    for (place, token) in options.iter_mut().zip(groups.into_iter().flat_map(|(_, group)| group)) {
        *place = token;
    }
}

#[cfg(test)]
mod tests {
    use crate::parse::parse;
    use crate::statement::{SequenceAction, StatementKind};

    fn clauses(sql: &str) -> crate::statement::SequenceClauses {
        let statements = parse(sql).unwrap();
        match &statements[0].kind {
            StatementKind::Sequence(statement) => match &statement.action {
                SequenceAction::Create { clauses, .. } | SequenceAction::Alter { clauses, .. } => clauses.clone(),
            },
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn clauses_come_in_any_order() {
        let made =
            clauses("create sequence s start with 5 increment by -2 no minvalue maxvalue 9 cache 3 cycle owned by t.c");
        assert_eq!((made.start, made.increment, made.min, made.max), (Some(5), Some(-2), Some(None), Some(Some(9))));
        assert_eq!((made.cache, made.cycle), (Some(3), Some(true)));
        assert_eq!(clauses("alter sequence s restart").restart, Some(None));
        assert_eq!(clauses("alter sequence s restart with 7").restart, Some(Some(7)));
    }

    #[test]
    fn a_clause_comes_once() {
        let error = parse("create sequence s cycle no cycle").unwrap_err();
        assert_eq!(error.message(), "conflicting or redundant options");
        assert!(parse("create sequence s restart 5").is_err());
    }

    #[test]
    fn identity_options_come_in_any_order() {
        parse("create table t (a int generated always as identity (start with 10 increment by 5 no cycle minvalue 3))")
            .unwrap();
    }
}
