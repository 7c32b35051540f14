//! From a query string to statements: `sqlparser` for what returns or changes rows and for definitions, our own
//! short grammar for the commands around them.
//!
//! What always holds:
//! 1. A string is parsed as a whole before any of it runs: a syntax error anywhere refuses all of it.
//! 2. Errors are 42601 in PostgreSQL's words, at the token where the parser stopped.
//! 3. Depth is bounded before anything recursive sees the text: 54001 beyond [`NESTING_MAX`].
//!
//! Left out: what `sqlparser` accepts and PostgreSQL refuses inside a statement; the binder refuses it.

mod absent;
mod alias;
mod alter_table;
mod cluster;
mod conflict;
mod copy;
mod create_table;
mod current_of;
mod cursor;
mod cursor_statement;
mod database;
mod definition;
mod depth;
mod domain;
mod escapes;
mod expression_forms;
mod from_clause;
mod grant;
mod grouping;
mod index;
mod leading;
mod lock_table;
mod locking;
mod look;
mod maintenance;
mod operators;
mod parameters;
mod position;
mod query_forms;
mod recursion_clause;
mod references;
mod refused;
mod reindex;
mod role;
mod schema;
mod sequence;
mod session_commands;
mod shape;
mod table_item;
mod table_like;
mod table_sample;
mod targets;
mod tokens;
mod transaction;
mod unicode_escapes;
mod user_type;
mod variadic;
mod window;

use std::sync::Arc;

use nqdb_sqlstate::{FEATURE_NOT_SUPPORTED, STATEMENT_TOO_COMPLEX, SYNTAX_ERROR, SqlError, SqlResult};
use sqlparser::ast;
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Token, TokenWithSpan};

use crate::definition::Definition;
use crate::names::is_reserved_word;
use crate::statement::{Overriding, Parsed, RowsStatement, StatementKind};
pub(crate) use conflict::CONFLICT_TARGET;
pub(crate) use current_of::cursor_of;
use cursor::Cursor;
pub(crate) use depth::with_deep_stack;
pub use depth::{NESTING_MAX, SET_OPERATIONS_MAX, STACK_BYTES};
pub(crate) use expression_forms::{ALL_FIELDS, NOTHING, SYMMETRIC, WITH_TIES};
pub(crate) use from_clause::{JOIN_ALIAS, NO_ALIAS, ROWS_FROM};
pub(crate) use grouping::{CUBE, DISTINCT_SETS, GROUPING_SETS, ROLLUP};
pub(crate) use locking::LOCK_MODES;
use look::is;
pub(crate) use operators::is_operator;
pub(crate) use position::{operator_position, query_start, start_of};
pub(crate) use recursion_clause::{CycleClause, RecursionClauses, SearchClause, generated_query, recursion_clauses};
pub use shape::{Constant, ConstantKind, Fixed, Parameterized, Shape, parameterized};
pub(crate) use table_sample::{REPEATABLE_SAMPLE, SAMPLE};
pub use tokens::{Tokens, without_constants};
pub(crate) use variadic::VARIADIC;
pub(crate) use window::SpecPlace;

/// Parses a query string into its statements; text without any gives one [`StatementKind::Empty`].
///
/// Fails with 42601 (syntax) or 54001 (nesting). What PostgreSQL knows and we do not is [`StatementKind::Refused`].
pub fn parse(sql: &str) -> SqlResult<Vec<Parsed>> {
    let (tokens, all) = Tokens::scan(sql)?;
    depth::check(&all)?;
    let tokens = Arc::new(tokens);
    let mut statements = Vec::new();
    let mut own = Vec::new();
    for token in all {
        if token.token != Token::SemiColon {
            own.push(token);
        } else if !own.is_empty() {
            statements.push(parse_one(&tokens, std::mem::take(&mut own))?);
        }
    }
    if !own.is_empty() {
        statements.push(parse_one(&tokens, own)?);
    }
    if statements.is_empty() {
        statements.push(Parsed { text: Arc::from(""), offset_chars: 0, tokens, kind: StatementKind::Empty });
    }
    Ok(statements)
}

/// Parses an expression that stands alone, such as a column's default.
pub(crate) fn parse_expression(sql: &str) -> SqlResult<(Arc<Tokens>, ast::Expr)> {
    let (tokens, all) = Tokens::scan(sql)?;
    depth::check(&all)?;
    let tokens = Arc::new(tokens);
    let expression = expression_of(&tokens, all)?;
    Ok((tokens, expression))
}

/// Parses one statement out of its tokens, of which there is at least one.
fn parse_one(tokens: &Arc<Tokens>, mut own: Vec<TokenWithSpan>) -> SqlResult<Parsed> {
    let (first, end) = token_range(&own);
    alias::quote(&mut own);
    let text: Arc<str> = Arc::from(tokens.range_text(first, end));
    let offset_chars = tokens.position(first).unwrap_or(1) - 1;
    let kind = match statement_kind(tokens, own) {
        Err(error) if error.code() == FEATURE_NOT_SUPPORTED => StatementKind::Refused(error),
        kind => kind?,
    };
    Ok(Parsed { text, offset_chars, tokens: Arc::clone(tokens), kind })
}

/// The numbers of the first token and of the one behind the last.
fn token_range(own: &[TokenWithSpan]) -> (usize, usize) {
    let index = |token: Option<&TokenWithSpan>| token.and_then(|token| Tokens::index_of(token.span));
    let first = index(own.first()).unwrap_or(0);
    (first, index(own.last()).map_or(first, |last| last + 1))
}

fn statement_kind(tokens: &Arc<Tokens>, own: Vec<TokenWithSpan>) -> SqlResult<StatementKind> {
    let word = match own.first().map(|token| &token.token) {
        Some(Token::Word(word)) if word.quote_style.is_none() => word.value.to_ascii_lowercase(),
        Some(Token::LParen) => "select".to_string(),
        _ => return Err(tokens.syntax_error(token_range(&own).0)),
    };
    let mut cursor = Cursor::new(tokens, &own);
    match word.as_str() {
        "select" | "values" | "table" | "with" | "insert" | "update" | "delete" | "merge" => {
            match definition::select_into(tokens, &own)? {
                Some(definition) => Ok(StatementKind::Define(Box::new(definition))),
                None => rows(tokens, own),
            }
        }
        "begin" | "start" | "commit" | "end" | "rollback" | "abort" | "savepoint" | "release" => {
            transaction::parse(&mut cursor).map(StatementKind::Transaction)
        }
        // A prepared statement may be called `transaction`.
        "prepare"
            if cursor.peek_is(1, "transaction")
                && !cursor.peek_is(2, "as")
                && !cursor.peek_is_symbol(2, &Token::LParen) =>
        {
            transaction::parse(&mut cursor).map(StatementKind::Transaction)
        }
        "set" => session_commands::parse_set(&mut cursor),
        "show" => session_commands::parse_show(&mut cursor),
        "reset" => session_commands::parse_reset(&mut cursor),
        "prepare" => session_commands::parse_prepare(&mut cursor),
        "execute" => session_commands::parse_execute(&mut cursor),
        "deallocate" => session_commands::parse_deallocate(&mut cursor),
        "discard" => session_commands::parse_discard(&mut cursor),
        "listen" | "unlisten" | "notify" => session_commands::parse_notification(&mut cursor),
        "copy" => copy::parse(&mut cursor),
        "explain" => maintenance::parse_explain(&mut cursor),
        "vacuum" => maintenance::parse_vacuum(&mut cursor),
        "analyze" | "analyse" => maintenance::parse_analyze(&mut cursor),
        "checkpoint" => maintenance::parse_checkpoint(&mut cursor),
        "create" | "alter" | "drop" | "truncate" | "comment" | "grant" | "revoke" => {
            if let Some(create) = schema::parse(tokens, &own)? {
                return Ok(StatementKind::Define(Box::new(Definition::SchemaWith(Box::new(create)))));
            }
            if let Some(kind) = definition::parse_command(&mut cursor)? {
                return Ok(kind);
            }
            match sequence::parse_command(&mut cursor)? {
                Some(kind) => Ok(kind),
                None => catalog_change(tokens, own),
            }
        }
        "declare" => cursor_statement::parse_declare(&mut cursor),
        "fetch" | "move" => cursor_statement::parse_fetch(&mut cursor, word == "move"),
        "close" => cursor_statement::parse_close(&mut cursor),
        "refresh" => definition::parse_refresh(&mut cursor),
        "reassign" => definition::parse_reassign(&mut cursor),
        "lock" => lock_table::parse(tokens, own),
        "reindex" => reindex::parse(&mut cursor),
        "cluster" => cluster::parse(&mut cursor),
        "call" | "do" | "load" | "security" | "import" => Err(SqlError::unsupported(word.to_ascii_uppercase())),
        _ => Err(tokens.syntax_error(token_range(&own).0)),
    }
}

/// A statement that changes the catalog.
fn catalog_change(tokens: &Arc<Tokens>, own: Vec<TokenWithSpan>) -> SqlResult<StatementKind> {
    refused::check_definition_tokens(tokens, &own)?;
    let statement = sqlparser_statement(tokens, own)?;
    Ok(StatementKind::Ddl(Box::new(statement)))
}

/// A statement that reads or writes rows.
fn rows(tokens: &Arc<Tokens>, mut own: Vec<TokenWithSpan>) -> SqlResult<StatementKind> {
    leading::check(tokens, &own)?;
    let overriding = take_overriding(&mut own);
    let target_paths = targets::take_paths(tokens, &mut own)?;
    let conflict_targets = conflict::take_targets(tokens, &mut own)?;
    current_of::rewrite(&mut own);
    spell_out_table(&mut own);
    spell_out_isnull(&mut own);
    query_forms::rewrite(&mut own);
    from_clause::rewrite(&mut own);
    table_sample::rewrite(&mut own);
    recursion_clause::rewrite(&mut own);
    locking::rewrite(&mut own);
    grouping::rewrite(&mut own);
    variadic::rewrite(&mut own);
    expression_forms::rewrite(&mut own);
    spell_out_default_values(&mut own);
    mark_merge_overriding(&mut own);
    window::prepare(&mut own);
    let ast = sqlparser_statement(tokens, own).map_err(|error| limit_list_error(tokens, error))?;
    match ast {
        ast::Statement::Query(_)
        | ast::Statement::Insert(_)
        | ast::Statement::Update(_)
        | ast::Statement::Delete(_)
        | ast::Statement::Merge(_) => {
            Ok(StatementKind::Rows(Box::new(RowsStatement { ast, overriding, target_paths, conflict_targets })))
        }
        _ => Err(SqlError::unsupported("this form of statement")),
    }
}

/// Stands for `DEFAULT VALUES` in the INSERT of a MERGE, which `sqlparser` knows only in INSERT itself.
pub(crate) const DEFAULT_VALUES: &str = "\u{1}default values";

/// `MERGE ... INSERT DEFAULT VALUES` becomes `INSERT VALUES (<default values>)`.
fn spell_out_default_values(own: &mut Vec<TokenWithSpan>) {
    for at in 1..own.len() {
        if is(own, at, "insert") && is(own, at - 1, "then") && is(own, at + 1, "default") && is(own, at + 2, "values") {
            let span = own[at + 1].span;
            let spelled = [
                Token::make_word("VALUES", None),
                Token::LParen,
                Token::make_word(DEFAULT_VALUES, Some('"')),
                Token::RParen,
            ];
            own.splice(at + 1..at + 3, spelled.map(|token| TokenWithSpan { token, span }));
        }
    }
}

/// Stand behind the columns of a MERGE's INSERT for its `OVERRIDING { SYSTEM | USER } VALUE`, which `sqlparser` does not know.
pub(crate) const OVERRIDING_SYSTEM: &str = "\u{1}overriding system";
pub(crate) const OVERRIDING_USER: &str = "\u{1}overriding user";

/// `THEN INSERT (a) OVERRIDING SYSTEM VALUE VALUES` becomes `THEN INSERT (a, <overriding system>) VALUES`.
fn mark_merge_overriding(own: &mut Vec<TokenWithSpan>) {
    let mut at = 1;
    while at < own.len() {
        let marker = match (is(own, at + 1, "system"), is(own, at + 1, "user")) {
            (true, _) => OVERRIDING_SYSTEM,
            (_, true) => OVERRIDING_USER,
            _ => "",
        };
        if !marker.is_empty() && is(own, at, "overriding") && is(own, at + 2, "value") && is(own, at + 3, "values") {
            let span = own[at].span;
            let written = |token: Token| TokenWithSpan { token, span };
            let marker = written(Token::make_word(marker, Some('"')));
            if own[at - 1].token == Token::RParen {
                own.splice(at - 1..at + 3, [written(Token::Comma), marker, written(Token::RParen)]);
            } else if is(own, at - 1, "insert") {
                own.splice(at..at + 3, [written(Token::LParen), marker, written(Token::RParen)]);
            }
        }
        at += 1;
    }
}

/// A comma behind LIMIT is MySQL's way to write an offset: PostgreSQL says so, at the word.
fn limit_list_error(tokens: &Tokens, error: SqlError) -> SqlError {
    let is_comma = |index: &usize| tokens.is(*index, ",") && tokens.position(*index) == error.position();
    let Some(comma) = (0..tokens.len()).find(is_comma).filter(|_| error.code() == SYNTAX_ERROR) else { return error };
    let mut depth = 0_usize;
    for at in (0..comma).rev() {
        match tokens.token_text(at).to_ascii_lowercase().as_str() {
            ")" => depth += 1,
            "(" if depth == 0 => break,
            "(" => depth -= 1,
            "select" | "from" | "where" | "by" | "offset" if depth == 0 => break,
            "limit" if depth == 0 => {
                return SqlError::new(SYNTAX_ERROR, "LIMIT #,# syntax is not supported")
                    .with_hint("Use separate LIMIT and OFFSET clauses.")
                    .or_position(tokens.position(at));
            }
            _ => {}
        }
    }
    error
}

/// Writes the command `TABLE name` out as `SELECT * FROM name`, which it means (manual, SELECT). The word is
/// reserved, so in a statement over rows it can be nothing else.
fn spell_out_table(own: &mut Vec<TokenWithSpan>) {
    let mut at = 0;
    while at < own.len() {
        let is_table = match &own[at].token {
            Token::Word(word) => word.quote_style.is_none() && word.value.eq_ignore_ascii_case("table"),
            _ => false,
        };
        if is_table {
            let span = own[at].span;
            let spelled = [Token::make_word("SELECT", None), Token::Mul, Token::make_word("FROM", None)];
            own.splice(at..=at, spelled.map(|token| TokenWithSpan { token, span }));
        }
        at += 1;
    }
}

/// Writes `operand ISNULL` out as `operand IS NULL` (manual, 9.2). Behind anything but an operand it is a name.
fn spell_out_isnull(own: &mut Vec<TokenWithSpan>) {
    let ends_operand = |token: &Token| match token {
        Token::RParen | Token::RBracket | Token::Number(..) | Token::SingleQuotedString(_) => true,
        Token::Word(word) => {
            let is_value = ["null", "true", "false"].iter().any(|value| word.value.eq_ignore_ascii_case(value));
            word.quote_style.is_some() || is_value || !is_reserved_word(&word.value)
        }
        _ => false,
    };
    let mut at = 1;
    while at < own.len() {
        let is_test = match &own[at].token {
            Token::Word(word) => word.quote_style.is_none() && word.value.eq_ignore_ascii_case("isnull"),
            _ => false,
        };
        if is_test && ends_operand(&own[at - 1].token) {
            let span = own[at].span;
            let spelled = ["IS", "NULL"].map(|word| TokenWithSpan { token: Token::make_word(word, None), span });
            own.splice(at..=at, spelled);
        }
        at += 1;
    }
}

/// Takes INSERT's `OVERRIDING { SYSTEM | USER } VALUE`, which `sqlparser` does not know, out of the tokens.
fn take_overriding(own: &mut Vec<TokenWithSpan>) -> Option<Overriding> {
    if !is(own, 0, "insert") {
        return None;
    }
    let at = (1..own.len()).find(|at| is(own, *at, "overriding") && is(own, at + 2, "value"))?;
    let overriding = if is(own, at + 1, "system") {
        Overriding::System
    } else if is(own, at + 1, "user") {
        Overriding::User
    } else {
        return None;
    };
    // Only between the target and its source: elsewhere these are names.
    let followed = ["values", "select", "with", "table"].iter().any(|word| is(own, at + 3, word))
        || own.get(at + 3).is_some_and(|token| token.token == Token::LParen);
    if !followed {
        return None;
    }
    own.drain(at..at + 3);
    Some(overriding)
}

/// Has `sqlparser` parse a whole statement.
fn sqlparser_statement(tokens: &Arc<Tokens>, own: Vec<TokenWithSpan>) -> SqlResult<ast::Statement> {
    let statement = run_parser(tokens, own, |parser| parser.parse_statement())?;
    refused::check_names(tokens, &statement)?;
    Ok(statement)
}

/// Has `sqlparser` parse a whole expression.
fn expression_of(tokens: &Arc<Tokens>, own: Vec<TokenWithSpan>) -> SqlResult<ast::Expr> {
    run_parser(tokens, own, |parser| parser.parse_expr())
}

/// Has `sqlparser` parse a whole type name.
fn data_type_of(tokens: &Arc<Tokens>, own: Vec<TokenWithSpan>) -> SqlResult<ast::DataType> {
    run_parser(tokens, own, |parser| parser.parse_data_type())
}

fn run_parser<T>(
    tokens: &Arc<Tokens>,
    own: Vec<TokenWithSpan>,
    parse: impl FnOnce(&mut Parser<'_>) -> Result<T, ParserError>,
) -> SqlResult<T> {
    let (first, end) = token_range(&own);
    let last_semicolon_follows = tokens.is(end, ";");
    let dialect = PostgreSqlDialect {};
    with_deep_stack(|| {
        let mut parser =
            Parser::new(&dialect).with_recursion_limit(depth::PARSER_RECURSION_MAX).with_tokens_with_locations(own);
        let result = parse(&mut parser);
        let stopped_at = parser.peek_token();
        let error = match result {
            Ok(parsed) if stopped_at.token == Token::EOF => return Ok(parsed),
            Ok(_) => return Err(syntax_error_at(tokens, &stopped_at, end, last_semicolon_follows)),
            Err(error) => error,
        };
        Err(match error {
            ParserError::RecursionLimitExceeded => depth::too_deep(),
            ParserError::TokenizerError(message) => SqlError::new(SYNTAX_ERROR, message),
            ParserError::ParserError(message) => match located_token(&message) {
                Some(index) if index >= first && index < end => tokens.syntax_error(index),
                _ if message.contains("found: EOF") => end_error(tokens, end, last_semicolon_follows),
                _ => {
                    let index = Tokens::index_of(parser.get_current_token().span);
                    match index {
                        Some(index) => tokens.syntax_error(index),
                        None => end_error(tokens, end, last_semicolon_follows),
                    }
                }
            },
        })
    })
}

fn syntax_error_at(tokens: &Tokens, token: &TokenWithSpan, end: usize, semicolon_follows: bool) -> SqlError {
    match Tokens::index_of(token.span) {
        Some(index) => tokens.syntax_error(index),
        None => end_error(tokens, end, semicolon_follows),
    }
}

/// The statement ended too early: at its `;`, or at the end of the input.
fn end_error(tokens: &Tokens, end: usize, semicolon_follows: bool) -> SqlError {
    if semicolon_follows || end < tokens.len() { tokens.syntax_error(end) } else { tokens.syntax_error_at_end() }
}

/// The token number in `sqlparser`'s `... at Line: 3, Column: 17`.
fn located_token(message: &str) -> Option<usize> {
    let (_, place) = message.rsplit_once("at Line: ")?;
    let digits: String = place.chars().take_while(char::is_ascii_digit).collect();
    digits.parse::<usize>().ok()?.checked_sub(1)
}

/// 54001 as PostgreSQL words it.
pub(crate) fn stack_depth_error() -> SqlError {
    SqlError::new(STATEMENT_TOO_COMPLEX, "stack depth limit exceeded")
}
