//! The grammar of definitions that `sqlparser` knows in part or not at all: views, tables made of queries, LIKE,
//! ALTER of what all objects have (name, schema, owner), COMMENT.

use std::sync::Arc;

use nqdb_catalog::OnCommit;
use nqdb_sqlstate::{SqlError, SqlResult};
use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::cursor::Cursor;
use super::look::is_word;
use super::{Tokens, alter_table, database, domain, grant, parameters, role, user_type};
use crate::definition::{
    Alter, AlterAction, CommentOn, CommentTarget, CreateTableAs, CreateView, Definition, ObjectKind, QualifiedName,
    TableAsKind,
};
use crate::rights_command::RightsCommand;
use crate::statement::StatementKind;
use crate::table_command::AlterTable;

/// A statement of this grammar; `None` when it is another's.
pub(super) fn parse_command(cursor: &mut Cursor<'_>) -> SqlResult<Option<StatementKind>> {
    let of_type = match user_type::parse(cursor)? {
        Some(definition) => Some(definition),
        None => domain::parse(cursor)?,
    };
    if let Some(definition) = of_type {
        return Ok(Some(StatementKind::Define(Box::new(definition))));
    }
    if let Some(command) = parse_rights(cursor)? {
        return Ok(Some(StatementKind::Define(Box::new(Definition::Rights(Box::new(command))))));
    }
    if let Some(command) = database::parse(cursor)? {
        return Ok(Some(StatementKind::Define(Box::new(Definition::Database(command)))));
    }
    let definition = if cursor.peek_is(0, "create") {
        match super::index::parse(cursor)? {
            Some(index) => Some(Definition::Index(Box::new(index))),
            None => parse_create(cursor)?,
        }
    } else if cursor.peek_is(0, "alter") {
        parse_alter(cursor)?
    } else if cursor.peek_is(0, "drop") {
        super::reindex::parse_drop(cursor)?
    } else if cursor.peek_is(0, "comment") {
        Some(Definition::Comment(parse_comment(cursor)?))
    } else {
        None
    };
    let definition = match definition {
        Some(definition) => Some(definition),
        None => super::absent::parse(cursor)?,
    };
    Ok(definition.map(|definition| StatementKind::Define(Box::new(definition))))
}

/// A command about roles or privileges; `None` when it is about something else.
fn parse_rights(cursor: &mut Cursor<'_>) -> SqlResult<Option<RightsCommand>> {
    if cursor.peek_is(0, "grant") || cursor.peek_is(0, "revoke") {
        return grant::parse(cursor).map(Some);
    }
    if let Some(command) = grant::parse_default_privileges(cursor)? {
        return Ok(Some(command));
    }
    role::parse(cursor)
}

/// `REASSIGN OWNED`.
pub(super) fn parse_reassign(cursor: &mut Cursor<'_>) -> SqlResult<StatementKind> {
    let command = role::parse_reassign(cursor)?;
    Ok(StatementKind::Define(Box::new(Definition::Rights(Box::new(command)))))
}

/// The words between CREATE and the kind of the object.
pub(super) struct Prefix {
    pub(super) or_replace: bool,
    pub(super) temporary: bool,
    pub(super) unlogged: bool,
    /// How many tokens they are, CREATE included.
    pub(super) len: usize,
}

pub(super) fn prefix(cursor: &Cursor<'_>) -> Prefix {
    let mut prefix = Prefix { or_replace: false, temporary: false, unlogged: false, len: 1 };
    if cursor.peek_is(1, "or") && cursor.peek_is(2, "replace") {
        prefix.or_replace = true;
        prefix.len += 2;
    }
    if cursor.peek_is(prefix.len, "global") || cursor.peek_is(prefix.len, "local") {
        prefix.len += 1;
    }
    if cursor.peek_is(prefix.len, "temp") || cursor.peek_is(prefix.len, "temporary") {
        prefix.temporary = true;
        prefix.len += 1;
    } else if cursor.peek_is(prefix.len, "unlogged") {
        prefix.unlogged = true;
        prefix.len += 1;
    }
    prefix
}

fn parse_create(cursor: &mut Cursor<'_>) -> SqlResult<Option<Definition>> {
    let prefix = prefix(cursor);
    if cursor.peek_is(prefix.len, "recursive") && cursor.peek_is(prefix.len + 1, "view") {
        cursor.skip_many(prefix.len + 2);
        return parse_recursive_view(cursor, &prefix).map(|view| Some(Definition::View(view)));
    }
    if cursor.peek_is(prefix.len, "view") {
        cursor.skip_many(prefix.len + 1);
        return parse_view(cursor, &prefix).map(|view| Some(Definition::View(view)));
    }
    if cursor.peek_is(prefix.len, "materialized") && cursor.peek_is(prefix.len + 1, "view") {
        cursor.skip_many(prefix.len + 2);
        return parse_table_as(cursor, &prefix, TableAsKind::MaterializedView).map(Some);
    }
    if cursor.peek_is(prefix.len, "table") && cursor.has_word_outside("as") {
        cursor.skip_many(prefix.len + 1);
        return parse_table_as(cursor, &prefix, TableAsKind::Table).map(Some);
    }
    Ok(super::create_table::parse(cursor)?.map(|create| Definition::Table(Box::new(create))))
}

fn parse_view(cursor: &mut Cursor<'_>, prefix: &Prefix) -> SqlResult<CreateView> {
    if prefix.unlogged {
        let message = "views cannot be unlogged because they do not have storage";
        return Err(SqlError::new(nqdb_sqlstate::SYNTAX_ERROR, message));
    }
    let name = name(cursor)?;
    let columns = cursor.column_list()?;
    let mut options = if cursor.take("with") { parse_view_options(cursor)? } else { Vec::new() };
    cursor.expect("as")?;
    let rest = cursor.rest();
    let (query, check_option) = split_check_option(rest);
    if let Some(word) = check_option {
        options.push(("check_option".to_owned(), word.to_owned()));
    }
    let query = Box::new(cursor.statement(query)?);
    Ok(CreateView { name, or_replace: prefix.or_replace, temporary: prefix.temporary, columns, query, options })
}

/// `CREATE RECURSIVE VIEW name (columns) AS query`: the view of `WITH RECURSIVE name (columns) AS (query) SELECT columns FROM
/// name` (manual, CREATE VIEW).
fn parse_recursive_view(cursor: &mut Cursor<'_>, prefix: &Prefix) -> SqlResult<CreateView> {
    let name = name(cursor)?;
    if cursor.peek() != Some(&Token::LParen) {
        return Err(cursor.syntax_error());
    }
    let columns = cursor.column_list()?;
    let options = if cursor.take("with") { parse_view_options(cursor)? } else { Vec::new() };
    cursor.expect("as")?;
    let start = cursor.place();
    let rest = cursor.rest();
    if split_check_option(rest).1.is_some() {
        let message = "WITH CHECK OPTION not supported on recursive views";
        return Err(SqlError::new(nqdb_sqlstate::FEATURE_NOT_SUPPORTED, message));
    }
    // Syntax errors get their places in the statement here.
    cursor.statement(rest)?;
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    let own = quoted(&name.name);
    let list: Vec<String> = columns.iter().map(|column| quoted(&column.name)).collect();
    let list = list.join(", ");
    let query = cursor.text_from(start);
    let text = format!("WITH RECURSIVE {own} ({list}) AS ({query}) SELECT {list} FROM {own}");
    let query = super::parse(&text)?.pop().ok_or_else(|| cursor.syntax_error())?;
    let query = Box::new(query);
    Ok(CreateView { name, or_replace: prefix.or_replace, temporary: prefix.temporary, columns, query, options })
}

/// `(name [= value], ...)`: a name alone means true.
fn parse_view_options(cursor: &mut Cursor<'_>) -> SqlResult<Vec<(String, String)>> {
    let mut options = Vec::new();
    cursor.expect_symbol(&Token::LParen)?;
    loop {
        let name = cursor.word()?;
        let value = if cursor.take_symbol(&Token::Eq) { option_value(cursor)? } else { "true".to_owned() };
        options.push((name, value));
        if !cursor.take_symbol(&Token::Comma) {
            break;
        }
    }
    cursor.expect_symbol(&Token::RParen)?;
    Ok(options)
}

/// A word, a number or a string.
fn option_value(cursor: &mut Cursor<'_>) -> SqlResult<String> {
    match cursor.peek() {
        Some(Token::Word(_)) => cursor.word(),
        Some(Token::Number(digits, _)) => {
            let digits = digits.clone();
            cursor.skip();
            Ok(digits)
        }
        _ => cursor.string(),
    }
}

/// Takes `WITH [CASCADED | LOCAL] CHECK OPTION` off the end.
fn split_check_option(tokens: &[TokenWithSpan]) -> (&[TokenWithSpan], Option<&'static str>) {
    for (words, option) in [
        (&["with", "cascaded", "check", "option"][..], "cascaded"),
        (&["with", "local", "check", "option"][..], "local"),
        (&["with", "check", "option"][..], "cascaded"),
    ] {
        if let Some(query) = without_end(tokens, words) {
            return (query, Some(option));
        }
    }
    (tokens, None)
}

/// The tokens without these words at their end.
fn without_end<'a>(tokens: &'a [TokenWithSpan], words: &[&str]) -> Option<&'a [TokenWithSpan]> {
    let (head, tail) = tokens.split_at_checked(tokens.len().checked_sub(words.len())?)?;
    tail.iter().zip(words).all(|(token, word)| is_word(token, word)).then_some(head)
}

fn parse_table_as(cursor: &mut Cursor<'_>, prefix: &Prefix, kind: TableAsKind) -> SqlResult<Definition> {
    if prefix.unlogged && kind == TableAsKind::MaterializedView {
        let message = "materialized views cannot be unlogged";
        return Err(SqlError::new(nqdb_sqlstate::FEATURE_NOT_SUPPORTED, message));
    }
    let if_not_exists = cursor.take_all(&["if", "not", "exists"]);
    let name = name(cursor)?;
    let columns = cursor.column_list()?;
    if cursor.take("using") {
        let method = cursor.identifier()?;
        if method != "heap" {
            let message = format!("access method \"{method}\" does not exist");
            return Err(SqlError::new(nqdb_sqlstate::UNDEFINED_OBJECT, message));
        }
    }
    let parameters = if cursor.take("with") {
        parameters::parameters(cursor)?
    } else {
        cursor.take_all(&["without", "oids"]);
        Vec::new()
    };
    let on_commit = parse_on_commit(cursor)?;
    if cursor.take("tablespace") {
        super::table_item::expect_tablespace(&cursor.identifier()?)?;
    }
    cursor.expect("as")?;
    let start = cursor.place();
    let rest = cursor.rest();
    let (query, with_data) = split_with_data(rest);
    if kind == TableAsKind::MaterializedView && query.first().is_some_and(|first| is_word(first, "execute")) {
        cursor.go_back(start);
        return Err(cursor.syntax_error());
    }
    let query = Box::new(cursor.statement(query)?);
    Ok(Definition::TableAs(CreateTableAs {
        name,
        kind,
        temporary: prefix.temporary,
        unlogged: prefix.unlogged,
        if_not_exists,
        on_commit,
        columns,
        query,
        arguments: None,
        with_data,
        parameters,
    }))
}

pub(super) fn parse_on_commit(cursor: &mut Cursor<'_>) -> SqlResult<OnCommit> {
    if !cursor.take_all(&["on", "commit"]) {
        return Ok(OnCommit::PreserveRows);
    }
    if cursor.take_all(&["preserve", "rows"]) {
        Ok(OnCommit::PreserveRows)
    } else if cursor.take_all(&["delete", "rows"]) {
        Ok(OnCommit::DeleteRows)
    } else if cursor.take("drop") {
        Ok(OnCommit::Drop)
    } else {
        Err(cursor.syntax_error())
    }
}

/// Takes `WITH [NO] DATA` off the end.
fn split_with_data(tokens: &[TokenWithSpan]) -> (&[TokenWithSpan], bool) {
    match without_end(tokens, &["with", "no", "data"]) {
        Some(query) => (query, false),
        None => (without_end(tokens, &["with", "data"]).unwrap_or(tokens), true),
    }
}

/// `SELECT ... INTO [TEMP] [TABLE] name ...`: the query without its INTO, and the table to make; `None` for a query
/// without INTO.
pub(super) fn select_into(tokens: &Arc<Tokens>, own: &[TokenWithSpan]) -> SqlResult<Option<Definition>> {
    let Some(at) = into_position(own) else { return Ok(None) };
    let cursor = &mut Cursor::new(tokens, own);
    cursor.skip_many(at + 1);
    let unlogged = cursor.take("unlogged");
    let local = cursor.take("local") || cursor.take("global");
    let temporary = cursor.take("temp") || cursor.take("temporary");
    if local && !temporary {
        return Err(cursor.syntax_error());
    }
    if unlogged && temporary {
        return Err(cursor.syntax_error());
    }
    cursor.take("table");
    let name = name(cursor)?;
    let query: Vec<TokenWithSpan> = own.iter().take(at).chain(own.iter().skip(cursor.place())).cloned().collect();
    let query = Box::new(cursor.statement(&query)?);
    Ok(Some(Definition::TableAs(CreateTableAs {
        name,
        kind: TableAsKind::SelectInto,
        temporary,
        unlogged,
        if_not_exists: false,
        on_commit: OnCommit::PreserveRows,
        columns: Vec::new(),
        query,
        arguments: None,
        with_data: true,
        parameters: Vec::new(),
    })))
}

/// The INTO of a query's first SELECT: outside of parentheses, before its FROM.
fn into_position(own: &[TokenWithSpan]) -> Option<usize> {
    let mut depth = 0usize;
    let mut select_seen = false;
    for (at, token) in own.iter().enumerate() {
        match &token.token {
            Token::LParen | Token::LBracket => depth += 1,
            Token::RParen | Token::RBracket => depth = depth.saturating_sub(1),
            Token::Word(_) if depth == 0 => {
                if is_word(token, "insert") || is_word(token, "merge") || select_seen && is_word(token, "from") {
                    return None;
                }
                select_seen |= is_word(token, "select");
                if select_seen && is_word(token, "into") {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

/// `REFRESH MATERIALIZED VIEW [CONCURRENTLY] name [WITH [NO] DATA]`.
pub(super) fn parse_refresh(cursor: &mut Cursor<'_>) -> SqlResult<StatementKind> {
    cursor.expect("refresh")?;
    cursor.expect("materialized")?;
    cursor.expect("view")?;
    let concurrently = cursor.take("concurrently");
    let name = name(cursor)?;
    let with_data = !cursor.take_all(&["with", "no", "data"]);
    if with_data {
        cursor.take_all(&["with", "data"]);
    }
    cursor.finish()?;
    Ok(StatementKind::Define(Box::new(Definition::Refresh { name, concurrently, with_data })))
}

/// The kind of object that comes next.
fn object_kind(cursor: &mut Cursor<'_>) -> Option<ObjectKind> {
    if cursor.take_all(&["materialized", "view"]) {
        return Some(ObjectKind::MaterializedView);
    }
    let kinds = [
        ("table", ObjectKind::Table),
        ("view", ObjectKind::View),
        ("index", ObjectKind::Index),
        ("sequence", ObjectKind::Sequence),
        ("schema", ObjectKind::Schema),
    ];
    kinds.into_iter().find(|(word, _)| cursor.take(word)).map(|(_, kind)| kind)
}

/// ALTER of a name, schema or owner; `None` leaves the statement to other grammars.
fn parse_alter(cursor: &mut Cursor<'_>) -> SqlResult<Option<Definition>> {
    let start = cursor.place();
    cursor.skip();
    let Some(kind) = object_kind(cursor) else {
        cursor.go_back(start);
        return Ok(None);
    };
    let if_exists = cursor.take_all(&["if", "exists"]);
    if kind == ObjectKind::Table {
        cursor.take("only");
    }
    if cursor.peek_is(0, "all") && cursor.peek_is(1, "in") {
        return Err(SqlError::unsupported(format!("ALTER {} ALL", kind.words())));
    }
    let name = name(cursor)?;
    cursor.take_symbol(&Token::Mul);
    let after_name = cursor.place();
    match alter_action(cursor, kind)? {
        Some(action) if cursor.peek() != Some(&Token::Comma) => {
            cursor.finish()?;
            Ok(Some(Definition::Alter(Alter { kind, if_exists, name, action })))
        }
        _ if matches!(kind, ObjectKind::Schema | ObjectKind::Sequence) => {
            cursor.go_back(start);
            Ok(None)
        }
        _ => {
            cursor.go_back(after_name);
            let actions = alter_table::actions(cursor)?;
            Ok(Some(Definition::AlterTable(Box::new(AlterTable { kind, if_exists, name, actions }))))
        }
    }
}

fn alter_action(cursor: &mut Cursor<'_>, kind: ObjectKind) -> SqlResult<Option<AlterAction>> {
    if cursor.take_all(&["rename", "to"]) {
        return Ok(Some(AlterAction::Rename(cursor.identifier()?)));
    }
    if cursor.take_all(&["owner", "to"]) {
        return Ok(Some(AlterAction::Owner(cursor.word()?)));
    }
    if cursor.take_all(&["set", "schema"]) {
        return Ok(Some(AlterAction::SetSchema(cursor.identifier()?)));
    }
    let has_columns = matches!(kind, ObjectKind::Table | ObjectKind::View | ObjectKind::MaterializedView);
    if has_columns && cursor.peek_is(0, "rename") && !cursor.peek_is(1, "constraint") {
        cursor.skip();
        cursor.take("column");
        let column = cursor.identifier()?;
        cursor.expect("to")?;
        return Ok(Some(AlterAction::RenameColumn { column, new_name: cursor.identifier()? }));
    }
    Ok(None)
}

/// `COMMENT ON object IS { 'text' | NULL }`.
fn parse_comment(cursor: &mut Cursor<'_>) -> SqlResult<CommentOn> {
    cursor.expect("comment")?;
    cursor.expect("on")?;
    let target = if cursor.take("column") {
        let position = cursor.position();
        let mut parts = vec![cursor.identifier()?];
        while cursor.take_symbol(&Token::Period) {
            parts.push(cursor.word()?);
        }
        let Some(column) = parts.pop() else { return Err(cursor.syntax_error()) };
        let Some(table) = parts.pop() else {
            return Err(SqlError::new(nqdb_sqlstate::SYNTAX_ERROR, "column name must be qualified"));
        };
        let relation = QualifiedName { schema: parts.pop(), name: table, position: Some(position) };
        CommentTarget::Column { relation, column }
    } else if cursor.take("constraint") {
        let constraint = cursor.identifier()?;
        cursor.expect("on")?;
        if cursor.take("domain") {
            CommentTarget::DomainConstraint { name: constraint, domain: name(cursor)? }
        } else {
            CommentTarget::Constraint { name: constraint, table: name(cursor)? }
        }
    } else if cursor.take("type") {
        CommentTarget::Type(name(cursor)?)
    } else if cursor.take("domain") {
        CommentTarget::Domain(name(cursor)?)
    } else if cursor.take("role") {
        CommentTarget::Role(cursor.identifier()?)
    } else if cursor.take("database") {
        CommentTarget::Database(cursor.identifier()?)
    } else if let Some(kind) = object_kind(cursor) {
        CommentTarget::Object(kind, name(cursor)?)
    } else {
        return Err(SqlError::unsupported("COMMENT ON this kind of object"));
    };
    cursor.expect("is")?;
    let text = if cursor.take("null") { None } else { Some(cursor.string()?) };
    cursor.finish()?;
    // An empty comment is none, as in PostgreSQL.
    Ok(CommentOn { target, text: text.filter(|text| !text.is_empty()) })
}

pub(super) fn name(cursor: &mut Cursor<'_>) -> SqlResult<QualifiedName> {
    let name = cursor.qualified_name()?;
    Ok(QualifiedName { schema: name.schema, name: name.name, position: Some(name.position) })
}
