//! DECLARE, FETCH, MOVE and CLOSE: PostgreSQL's grammar of cursors.
//!
//! The words of a direction are not reserved: `FETCH next` alone reads a cursor of that name.

use nqdb_sqlstate::{INVALID_CURSOR_DEFINITION, SYNTAX_ERROR, SqlError, SqlResult};
use sqlparser::tokenizer::Token;

use super::cursor::Cursor;
use crate::statement::{CursorMovement, CursorOptions, DeclareCursor, FetchCount, FetchStatement, StatementKind};

/// `DECLARE name [options] CURSOR [WITH HOLD | WITHOUT HOLD] FOR query`.
pub(super) fn parse_declare(cursor: &mut Cursor<'_>) -> SqlResult<StatementKind> {
    cursor.expect("declare")?;
    let name = cursor.identifier()?;
    let mut options = CursorOptions::default();
    loop {
        if cursor.take_all(&["no", "scroll"]) {
            options.no_scroll = true;
        } else if cursor.take("scroll") {
            options.scroll = true;
        } else if cursor.take("binary") {
            options.binary = true;
        } else if cursor.take("insensitive") {
            options.insensitive = true;
        } else if cursor.take("asensitive") {
            options.asensitive = true;
        } else {
            break;
        }
    }
    cursor.expect("cursor")?;
    if cursor.take_all(&["with", "hold"]) {
        options.hold = true;
    } else {
        cursor.take_all(&["without", "hold"]);
    }
    cursor.expect("for")?;
    let is_query = ["select", "values", "table", "with"].iter().any(|word| cursor.peek_is(0, word));
    if !is_query && cursor.peek() != Some(&Token::LParen) {
        return Err(cursor.syntax_error());
    }
    let both = |one: &str, other: &str| {
        Err(SqlError::new(INVALID_CURSOR_DEFINITION, format!("cannot specify both {one} and {other}")))
    };
    if options.scroll && options.no_scroll {
        return both("SCROLL", "NO SCROLL");
    }
    if options.asensitive && options.insensitive {
        return both("ASENSITIVE", "INSENSITIVE");
    }
    let into = cursor.position_behind("into");
    let query = cursor.rest_as_statement()?;
    match &query.kind {
        StatementKind::Rows(_) => {}
        _ => {
            let error = SqlError::new(SYNTAX_ERROR, "SELECT ... INTO is not allowed here");
            return Err(error.or_position(into));
        }
    }
    Ok(StatementKind::DeclareCursor(Box::new(DeclareCursor { name, options, query })))
}

/// `FETCH [direction] [FROM | IN] name`, and MOVE.
pub(super) fn parse_fetch(cursor: &mut Cursor<'_>, moves: bool) -> SqlResult<StatementKind> {
    cursor.skip();
    let (movement, count) = parse_direction(cursor)?;
    if !cursor.take("from") {
        cursor.take("in");
    }
    let name = cursor.identifier()?;
    cursor.finish()?;
    Ok(StatementKind::Fetch(FetchStatement { name, movement, count, moves }))
}

fn parse_direction(cursor: &mut Cursor<'_>) -> SqlResult<(CursorMovement, FetchCount)> {
    const NAMED: [(&str, CursorMovement, i64); 4] = [
        ("next", CursorMovement::Forward, 1),
        ("prior", CursorMovement::Backward, 1),
        ("first", CursorMovement::Absolute, 1),
        ("last", CursorMovement::Absolute, -1),
    ];
    let one = FetchCount::Rows(1);
    // A word with nothing behind it is the cursor's name.
    if cursor.is_last() {
        return Ok((CursorMovement::Forward, one));
    }
    for (word, movement, count) in NAMED {
        if cursor.take(word) {
            return Ok((movement, FetchCount::Rows(count)));
        }
    }
    for (word, movement) in [("absolute", CursorMovement::Absolute), ("relative", CursorMovement::Relative)] {
        if cursor.take(word) {
            let count = parse_count(cursor)?.ok_or_else(|| cursor.syntax_error())?;
            return Ok((movement, FetchCount::Rows(count)));
        }
    }
    for (word, movement) in [("forward", CursorMovement::Forward), ("backward", CursorMovement::Backward)] {
        if cursor.take(word) {
            if cursor.take("all") {
                return Ok((movement, FetchCount::All));
            }
            return Ok((movement, parse_count(cursor)?.map_or(one, FetchCount::Rows)));
        }
    }
    if cursor.take("all") {
        return Ok((CursorMovement::Forward, FetchCount::All));
    }
    Ok((CursorMovement::Forward, parse_count(cursor)?.map_or(one, FetchCount::Rows)))
}

/// A whole number of 32 bits with a sign, if there is one.
fn parse_count(cursor: &mut Cursor<'_>) -> SqlResult<Option<i64>> {
    let negative = cursor.take_symbol(&Token::Minus);
    let signed = negative || cursor.take_symbol(&Token::Plus);
    let digits = match cursor.peek() {
        Some(Token::Number(digits, _)) => digits.parse::<i32>().ok(),
        _ if signed => None,
        _ => return Ok(None),
    };
    let count = i64::from(digits.ok_or_else(|| cursor.syntax_error())?);
    cursor.skip();
    Ok(Some(if negative { -count } else { count }))
}

/// `CLOSE { name | ALL }`.
pub(super) fn parse_close(cursor: &mut Cursor<'_>) -> SqlResult<StatementKind> {
    cursor.expect("close")?;
    let name = if cursor.take("all") { None } else { Some(cursor.identifier()?) };
    cursor.finish()?;
    Ok(StatementKind::CloseCursor(name))
}

#[cfg(test)]
mod tests {
    use crate::parse::parse;
    use crate::statement::{CursorMovement, FetchCount, StatementKind};

    fn fetch(sql: &str) -> (CursorMovement, FetchCount, String) {
        match &parse(sql).unwrap()[0].kind {
            StatementKind::Fetch(fetch) => (fetch.movement, fetch.count, fetch.name.clone()),
            _ => panic!("{sql}"),
        }
    }

    #[test]
    fn directions_are_words_and_names() {
        use CursorMovement::{Absolute, Backward, Forward, Relative};
        let rows = FetchCount::Rows;
        for (sql, movement, count, name) in [
            ("fetch c", Forward, rows(1), "c"),
            ("fetch next", Forward, rows(1), "next"),
            ("fetch next next", Forward, rows(1), "next"),
            ("fetch from c", Forward, rows(1), "c"),
            ("move prior in c", Backward, rows(1), "c"),
            ("fetch last c", Absolute, rows(-1), "c"),
            ("fetch absolute -3 from c", Absolute, rows(-3), "c"),
            ("fetch relative + 3 from c", Relative, rows(3), "c"),
            ("fetch all c", Forward, FetchCount::All, "c"),
            ("fetch backward all in c", Backward, FetchCount::All, "c"),
            ("fetch backward c", Backward, rows(1), "c"),
            ("fetch -5 c", Forward, rows(-5), "c"),
        ] {
            assert_eq!(fetch(sql), (movement, count, name.to_owned()), "{sql}");
        }
        for sql in ["fetch", "fetch relative c", "fetch 3000000000 c", "fetch forward - c", "fetch c d"] {
            assert!(parse(sql).is_err(), "{sql}");
        }
    }
}
