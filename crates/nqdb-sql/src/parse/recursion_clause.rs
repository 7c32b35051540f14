//! SEARCH and CYCLE of a recursive WITH query, which `sqlparser` does not know: they become keys of an ORDER BY in the
//! query, where a recursive query can have none of its own.
//!
//! ```text
//! r AS (..) SEARCH DEPTH FIRST BY a, b SET s    r AS (.. ORDER BY <search depth>(s, a, b))
//! r AS (..) CYCLE a SET m TO v DEFAULT d USING p    r AS (.. ORDER BY <cycle>(m, p, v, d, a))
//! ```

use nqdb_sqlstate::{SqlError, SqlResult};
use sqlparser::ast::{self, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, ObjectNamePart, OrderByKind};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer};

use super::look::is;
use super::tokens::Tokens;

const DEPTH_FIRST: &str = "\u{1}search depth";
const BREADTH_FIRST: &str = "\u{1}search breadth";
const CYCLE: &str = "\u{1}cycle";

/// What stands behind a recursive WITH query.
#[derive(Clone, Debug, Default)]
pub(crate) struct RecursionClauses {
    pub(crate) search: Option<SearchClause>,
    pub(crate) cycle: Option<CycleClause>,
}

/// `SEARCH { DEPTH | BREADTH } FIRST BY columns SET sequence`.
#[derive(Clone, Debug)]
pub(crate) struct SearchClause {
    pub(crate) is_breadth_first: bool,
    pub(crate) columns: Vec<Ident>,
    pub(crate) sequence: Ident,
    pub(crate) position: Option<u32>,
}

/// `CYCLE columns SET mark TO value DEFAULT default USING path`.
#[derive(Clone, Debug)]
pub(crate) struct CycleClause {
    pub(crate) columns: Vec<Ident>,
    pub(crate) mark: Ident,
    pub(crate) path: Ident,
    pub(crate) value: Expr,
    pub(crate) default: Expr,
    pub(crate) position: Option<u32>,
}

/// Rewrites the clauses of every WITH query.
pub(super) fn rewrite(own: &mut Vec<TokenWithSpan>) {
    let mut at = 0;
    while at + 1 < own.len() {
        if own[at].token == Token::RParen {
            let mut keys = Vec::new();
            while let Some((end, key)) = search_key(own, at + 1).or_else(|| cycle_key(own, at + 1)) {
                let separator = if keys.is_empty() { vec![word("ORDER"), word("BY")] } else { vec![Token::Comma] };
                let span = own[at + 1].span;
                keys.extend(
                    separator.into_iter().chain(std::iter::once(key.name)).map(|token| TokenWithSpan { token, span }),
                );
                keys.extend(key.arguments);
                own.drain(at + 1..end);
            }
            let count = keys.len();
            own.splice(at..at, keys);
            at += count;
        }
        at += 1;
    }
}

/// A key that stands for a clause: the name that is called, and its arguments in parentheses.
struct Key {
    name: Token,
    arguments: Vec<TokenWithSpan>,
}

fn word(word: &str) -> Token {
    Token::make_word(word, None)
}

/// The arguments in their parentheses, with commas between them.
fn call(name: &str, arguments: Vec<Vec<TokenWithSpan>>) -> Option<Key> {
    let span = arguments.first()?.first()?.span;
    let symbol = |token: Token| TokenWithSpan { token, span };
    let mut tokens = vec![symbol(Token::LParen)];
    for (at, argument) in arguments.into_iter().enumerate() {
        if at > 0 {
            tokens.push(symbol(Token::Comma));
        }
        tokens.extend(argument);
    }
    tokens.push(symbol(Token::RParen));
    Some(Key { name: Token::make_word(name, Some('"')), arguments: tokens })
}

/// Names with commas between them, from `at` on, and where they end.
fn names(own: &[TokenWithSpan], mut at: usize) -> Option<(Vec<Vec<TokenWithSpan>>, usize)> {
    let mut names = Vec::new();
    loop {
        names.push(vec![name(own, at)?]);
        at += 1;
        if own.get(at).is_none_or(|token| token.token != Token::Comma) {
            return Some((names, at));
        }
        at += 1;
    }
}

fn name(own: &[TokenWithSpan], at: usize) -> Option<TokenWithSpan> {
    own.get(at).filter(|token| matches!(token.token, Token::Word(_))).cloned()
}

fn search_key(own: &[TokenWithSpan], at: usize) -> Option<(usize, Key)> {
    let kind = match (is(own, at + 1, "depth"), is(own, at + 1, "breadth")) {
        (true, _) => DEPTH_FIRST,
        (_, true) => BREADTH_FIRST,
        _ => return None,
    };
    if !(is(own, at, "search") && is(own, at + 2, "first") && is(own, at + 3, "by")) {
        return None;
    }
    let (columns, end) = names(own, at + 4)?;
    if !is(own, end, "set") {
        return None;
    }
    let arguments = std::iter::once(vec![name(own, end + 1)?]).chain(columns).collect();
    Some((end + 2, call(kind, arguments)?))
}

fn cycle_key(own: &[TokenWithSpan], at: usize) -> Option<(usize, Key)> {
    if !is(own, at, "cycle") {
        return None;
    }
    let (columns, end) = names(own, at + 1)?;
    if !is(own, end, "set") {
        return None;
    }
    let mark = name(own, end + 1)?;
    let mut at = end + 2;
    let span = mark.span;
    let constant = |text: &str| vec![TokenWithSpan { token: word(text), span }];
    let (mut value, mut default) = (constant("TRUE"), constant("FALSE"));
    if is(own, at, "to") {
        let middle = (at + 1..own.len()).find(|at| is(own, *at, "default"))?;
        let end = (middle + 1..own.len()).find(|at| is(own, *at, "using"))?;
        value = own.get(at + 1..middle)?.to_vec();
        default = own.get(middle + 1..end)?.to_vec();
        at = end;
    }
    if !is(own, at, "using") {
        return None;
    }
    let path = name(own, at + 1)?;
    let arguments = [vec![mark], vec![path], value, default].into_iter().chain(columns).collect();
    Some((at + 2, call(CYCLE, arguments)?))
}

/// The clauses of a WITH query, and the query without them; nothing when it has none.
pub(crate) fn recursion_clauses(query: &ast::Query) -> Option<(ast::Query, RecursionClauses)> {
    let OrderByKind::Expressions(keys) = &query.order_by.as_ref()?.kind else { return None };
    let mut clauses = RecursionClauses::default();
    for key in keys {
        let (name, arguments, position) = called(&key.expr)?;
        match name {
            DEPTH_FIRST | BREADTH_FIRST => {
                let (sequence, columns) = arguments.split_first()?;
                clauses.search = Some(SearchClause {
                    is_breadth_first: name == BREADTH_FIRST,
                    columns: columns.iter().copied().map(identifier).collect::<Option<_>>()?,
                    sequence: identifier(sequence)?,
                    position,
                });
            }
            CYCLE => {
                let [mark, path, value, default, columns @ ..] = arguments.as_slice() else { return None };
                clauses.cycle = Some(CycleClause {
                    columns: columns.iter().copied().map(identifier).collect::<Option<_>>()?,
                    mark: identifier(mark)?,
                    path: identifier(path)?,
                    value: (*value).clone(),
                    default: (*default).clone(),
                    position,
                });
            }
            _ => return None,
        }
    }
    let mut plain = query.clone();
    plain.order_by = None;
    Some((plain, clauses))
}

/// The name, the arguments and the place of a call that stands for a clause.
fn called(key: &Expr) -> Option<(&str, Vec<&Expr>, Option<u32>)> {
    let Expr::Function(function) = key else { return None };
    let [ObjectNamePart::Identifier(name)] = function.name.0.as_slice() else { return None };
    let FunctionArguments::List(list) = &function.args else { return None };
    let expressions = list.args.iter().map(|argument| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
        _ => None,
    });
    let arguments = expressions.collect::<Option<_>>()?;
    let position = Tokens::index_of(name.span).and_then(|_| u32::try_from(name.span.start.column).ok());
    Some((&name.value, arguments, position))
}

fn identifier(expr: &Expr) -> Option<Ident> {
    match expr {
        Expr::Identifier(name) => Some(name.clone()),
        _ => None,
    }
}

/// A query whose text is ours: what is in it has no place in the client's text.
pub(crate) fn generated_query(sql: &str) -> SqlResult<ast::Query> {
    let fault = |error: String| SqlError::internal(format!("a query of ours has no syntax: {error}"));
    let dialect = PostgreSqlDialect {};
    let tokens: Vec<Token> = Tokenizer::new(&dialect, sql).tokenize().map_err(|error| fault(error.to_string()))?;
    let mut parser = Parser::new(&dialect).with_tokens(tokens);
    parser.parse_query().map(|query| *query).map_err(|error| fault(error.to_string()))
}
