//! The words that a statement over rows begins with, up to where its clauses begin: `INSERT INTO name (..) VALUES`,
//! `UPDATE name SET`, `DELETE FROM name WHERE`, `TABLE name`, `SELECT *`.
//!
//! `sqlparser` lets words of other dialects pass here, or takes a mistyped word for a name and stumbles over what follows.
//! PostgreSQL's grammar stops at the word itself; so does this. What it lets pass is still `sqlparser`'s to read.
//!
//! Left out: statements with a WITH in front.

use std::sync::Arc;

use nqdb_sqlstate::SqlResult;
use sqlparser::ast::{self, SelectItem};
use sqlparser::tokenizer::{Span, Token, TokenWithSpan};

use super::cursor::Cursor;
use super::operators::ends_operand;
use super::tokens::Tokens;

/// What may follow a table of the command TABLE, besides the end and a parenthesis.
const BEHIND_TABLE: [&str; 10] =
    ["union", "intersect", "except", "order", "limit", "offset", "fetch", "for", "on", "returning"];

/// 42601 at the first token that PostgreSQL's grammar does not know there.
pub(super) fn check(tokens: &Arc<Tokens>, own: &[TokenWithSpan]) -> SqlResult<()> {
    let mut cursor = Cursor::new(tokens, own);
    if cursor.take("insert") {
        check_insert(&mut cursor)?;
    } else if cursor.take("update") {
        relation(&mut cursor)?;
        alias(&mut cursor, &["set"])?;
        expect_one_of(&cursor, &["set"])?;
    } else if cursor.take("delete") {
        cursor.expect("from")?;
        relation(&mut cursor)?;
        let clauses = ["using", "where", "returning"];
        alias(&mut cursor, &clauses)?;
        if !cursor.at_end() {
            expect_one_of(&cursor, &clauses)?;
        }
    }
    check_tables(tokens, own)?;
    check_neighbours(tokens, own)
}

/// Words that begin a clause, and that no expression and no name of a table can be.
pub(super) const CLAUSES: [&str; 13] = [
    "from",
    "where",
    "group",
    "having",
    "window",
    "order",
    "limit",
    "offset",
    "fetch",
    "for",
    "union",
    "intersect",
    "except",
];

/// Pairs of neighbours that only a slip can make: ORDER and GROUP without BY, a comma in front of a clause, a name behind `*`.
fn check_neighbours(tokens: &Arc<Tokens>, own: &[TokenWithSpan]) -> SqlResult<()> {
    for (at, pair) in own.windows(2).enumerate() {
        let [left, right] = pair else { continue };
        let before = at.checked_sub(1).and_then(|before| own.get(before)).map(|before| &before.token);
        // Elsewhere it is the word itself that cannot stand there.
        let may_begin_clause = before.is_some_and(|before| ends_operand(before) && !is_word(before, &["set"]));
        let is_wrong = match (&left.token, &right.token) {
            (Token::Word(_), _) if !may_begin_clause || before == Some(&Token::Period) => false,
            (Token::Word(_), right @ Token::Word(_)) if is_word(&left.token, &["order", "group"]) => {
                !is_word(right, &["by"])
            }
            (Token::Comma, right) => is_word(right, &CLAUSES),
            (Token::Mul, Token::Word(_)) if before.is_some_and(starts_targets) => {
                !is_word(&right.token, &CLAUSES) && !is_word(&right.token, &["into", "returning", "on"])
            }
            _ => false,
        };
        if is_wrong && let Some(index) = Tokens::index_of(right.span) {
            return Err(tokens.syntax_error(index));
        }
    }
    Ok(())
}

fn is_word(token: &Token, words: &[&str]) -> bool {
    match token {
        Token::Word(word) => {
            word.quote_style.is_none() && words.iter().any(|found| word.value.eq_ignore_ascii_case(found))
        }
        _ => false,
    }
}

/// Whether a `*` behind this token means all columns.
fn starts_targets(token: &Token) -> bool {
    *token == Token::Comma || is_word(token, &["select", "distinct", "all", "returning"])
}

fn check_insert(cursor: &mut Cursor<'_>) -> SqlResult<()> {
    const SOURCES: [&str; 4] = ["values", "select", "with", "table"];
    cursor.expect("into")?;
    path(cursor)?;
    if cursor.take("as") {
        cursor.identifier()?;
    }
    let mut may_be_default = true;
    let opens_query = SOURCES.iter().any(|word| cursor.peek_is(1, word)) || cursor.peek_is_symbol(1, &Token::LParen);
    if cursor.peek() == Some(&Token::LParen) && !opens_query {
        column_list(cursor)?;
        may_be_default = false;
    }
    let is_source = cursor.peek() == Some(&Token::LParen)
        || SOURCES.iter().any(|word| cursor.peek_is(0, word))
        || cursor.peek_is(0, "overriding")
        || may_be_default && cursor.peek_is(0, "default");
    if is_source { Ok(()) } else { Err(cursor.syntax_error()) }
}

/// The columns of an INSERT: names with elements and fields, each followed by a comma or the closing parenthesis.
fn column_list(cursor: &mut Cursor<'_>) -> SqlResult<()> {
    cursor.expect_symbol(&Token::LParen)?;
    loop {
        cursor.identifier()?;
        while !matches!(cursor.peek(), None | Some(Token::Comma | Token::RParen)) {
            match cursor.peek() {
                Some(Token::Period) => {
                    cursor.skip();
                    cursor.word()?;
                }
                Some(Token::LBracket) => skip_brackets(cursor),
                _ => return Err(cursor.syntax_error()),
            }
        }
        if !cursor.take_symbol(&Token::Comma) {
            return cursor.expect_symbol(&Token::RParen);
        }
    }
}

fn skip_brackets(cursor: &mut Cursor<'_>) {
    let mut depth = 0_usize;
    while let Some(token) = cursor.peek() {
        cursor.skip();
        match token {
            Token::LBracket => depth += 1,
            Token::RBracket if depth == 1 => return,
            Token::RBracket => depth -= 1,
            _ => {}
        }
    }
}

/// `[ONLY] name [*]` or `ONLY (name)`.
fn relation(cursor: &mut Cursor<'_>) -> SqlResult<()> {
    if !cursor.take("only") {
        path(cursor)?;
        cursor.take_symbol(&Token::Mul);
        return Ok(());
    }
    if cursor.take_symbol(&Token::LParen) {
        path(cursor)?;
        return cursor.expect_symbol(&Token::RParen);
    }
    path(cursor)
}

fn path(cursor: &mut Cursor<'_>) -> SqlResult<()> {
    cursor.identifier()?;
    while cursor.take_symbol(&Token::Period) {
        cursor.word()?;
    }
    Ok(())
}

/// `[[AS] name]`, where a clause with one of these words may come instead.
fn alias(cursor: &mut Cursor<'_>, clauses: &[&str]) -> SqlResult<()> {
    let comes = matches!(cursor.peek(), Some(Token::Word(_))) && !clauses.iter().any(|word| cursor.peek_is(0, word));
    if cursor.take("as") || comes {
        cursor.identifier()?;
    }
    Ok(())
}

fn expect_one_of(cursor: &Cursor<'_>, words: &[&str]) -> SqlResult<()> {
    if words.iter().any(|word| cursor.peek_is(0, word)) { Ok(()) } else { Err(cursor.syntax_error()) }
}

/// Each command TABLE, wherever a query may stand: only the clauses may follow that a set operation can have too.
fn check_tables(tokens: &Arc<Tokens>, own: &[TokenWithSpan]) -> SqlResult<()> {
    for at in 0..own.len() {
        let mut cursor = Cursor::new(tokens, own);
        cursor.skip_many(at);
        if cursor.take("table") && begins_query(own, at) {
            relation(&mut cursor)?;
            if !cursor.at_end() && cursor.peek() != Some(&Token::RParen) {
                expect_one_of(&cursor, &BEHIND_TABLE)?;
            }
        }
    }
    Ok(())
}

fn begins_query(own: &[TokenWithSpan], at: usize) -> bool {
    match at.checked_sub(1).and_then(|before| own.get(before)).map(|before| &before.token) {
        None | Some(Token::LParen) => true,
        Some(before) => is_word(before, &["union", "intersect", "except", "all", "distinct"]),
    }
}

/// The name behind a `*` in a select list, which `sqlparser` takes for its alias: none can stand there.
pub(super) fn alias_of_star(select: &ast::Select) -> Option<Span> {
    select.projection.iter().find_map(|item| match item {
        SelectItem::Wildcard(options) => options.opt_alias.as_ref().map(|alias| alias.span),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use crate::parse::parse;

    #[test]
    fn slips_are_found_where_the_grammar_stops() {
        for (sql, near) in [
            ("select * form t", "form"),
            ("select a, * form t", "form"),
            ("select id, from t", "from"),
            ("select * from t, where id=1", "where"),
            ("select * from t order id", "id"),
            ("select * from t group id", "id"),
            ("update t set order = 3", "order"),
            ("insert into t valus (1)", "valus"),
            ("insert into t(id) valus (1)", "valus"),
            ("insert t values (1)", "t"),
            ("insert into t value (1)", "value"),
            ("insert into t (id values (1)", "values"),
            ("insert into values (1)", "1"),
            ("delete t where id=1", "t"),
            ("delete from t were id=1", "id"),
            ("update t st v='a'", "v"),
            ("update t v='a'", "="),
            ("table t where id=1", "where"),
            ("select * from (table t where true) x", "where"),
        ] {
            let message = parse(sql).err().map(|error| error.message().to_owned());
            assert_eq!(message, Some(format!("syntax error at or near \"{near}\"")), "{sql}");
        }
        for sql in [
            "select *, t.* from t",
            "select distinct * from t order by 1",
            "select a * b, count(*) over w from t window w as (order by a)",
            "select string_agg(a, ',' order by a) within_group, mode() within group (order by a) from t",
            "select 1 as order, x.group, a.order from t as x(\"group\")",
            "insert into t as x (a, b[1], c.d) overriding system value select 1",
            "insert into t (select 1) on conflict do nothing returning *",
            "insert into t default values",
            "insert into t table u on conflict do nothing",
            "update only t as x set a = 1 from u where x.id = u.id returning *",
            "delete from only (t) x using u where true",
            "table t union all table u order by 1 limit 3 for update",
            "select sum(a) over (order by b groups 1 preceding exclude group) from t",
            "with x as (table t) select * into y from x",
        ] {
            assert_eq!(parse(sql).err().map(|error| error.message().to_owned()), None, "{sql}");
        }
    }
}
