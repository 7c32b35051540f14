//! CREATE, ALTER and DROP of the kinds of objects that are not there ([`crate::absent_kind`]): known by their leading
//! words, so that nobody is told of a syntax error where PostgreSQL has none.

use nqdb_sqlstate::{SqlError, SqlResult};
use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::cursor::Cursor;
use super::definition::name;
use super::look::is_word;
use crate::absent_kind::{
    ABSENT_ALTERATIONS, ABSENT_KINDS, AbsentKind, AbsentObject, DropAbsent, TargetForm, WrittenType,
};
use crate::definition::{Definition, QualifiedName};

/// Words that may stand between CREATE or DROP and the kind.
const PREFIXES: &[&[&str]] = &[&["or", "replace"], &["trusted"], &["procedural"], &["constraint"], &["default"]];

/// PostgreSQL's words for types: they are keywords of its grammar, and no names.
const TYPE_WORDS: &[&str] = &[
    "bigint",
    "bit",
    "bool",
    "boolean",
    "char",
    "character",
    "dec",
    "decimal",
    "double",
    "float",
    "int",
    "integer",
    "interval",
    "national",
    "nchar",
    "numeric",
    "real",
    "smallint",
    "time",
    "timestamp",
    "varchar",
];

/// `None` when the statement is about another kind of object.
pub(super) fn parse(cursor: &mut Cursor<'_>) -> SqlResult<Option<Definition>> {
    let start = cursor.place();
    let verb = ["create", "alter", "drop"].into_iter().find(|verb| cursor.take(verb));
    let Some(verb) = verb else { return Ok(None) };
    while PREFIXES.iter().any(|words| cursor.take_all(words)) {}
    let Some(kind) = ABSENT_KINDS.iter().find(|kind| takes_words(cursor, kind.words())) else {
        if verb == "alter" && ABSENT_ALTERATIONS.iter().any(|words| takes_words(cursor, words.iter().copied())) {
            return Err(SqlError::unsupported(cursor.text_from(start).to_uppercase()));
        }
        cursor.go_back(start);
        return Ok(None);
    };
    if verb != "drop" {
        let words: Vec<&str> = kind.words().collect();
        return Err(SqlError::unsupported(format!("{} {}", verb.to_uppercase(), words.join(" "))));
    }
    parse_drop(cursor, kind).map(Some)
}

fn takes_words(cursor: &mut Cursor<'_>, words: impl Iterator<Item = &'static str>) -> bool {
    let words: Vec<&str> = words.collect();
    cursor.take_all(&words)
}

fn parse_drop(cursor: &mut Cursor<'_>, kind: &'static AbsentKind) -> SqlResult<Definition> {
    let if_exists = cursor.take_all(&["if", "exists"]);
    let mut objects = vec![parse_object(cursor, kind.target)?];
    let is_list = matches!(
        kind.target,
        TargetForm::Names | TargetForm::QualifiedNames | TargetForm::Signatures | TargetForm::Operators
    );
    while is_list && cursor.take_symbol(&Token::Comma) {
        objects.push(parse_object(cursor, kind.target)?);
    }
    if !cursor.take("cascade") {
        cursor.take("restrict");
    }
    cursor.finish()?;
    Ok(Definition::DropAbsent(DropAbsent { kind, if_exists, objects }))
}

fn parse_object(cursor: &mut Cursor<'_>, form: TargetForm) -> SqlResult<AbsentObject> {
    Ok(match form {
        TargetForm::Names => {
            let position = Some(cursor.position());
            AbsentObject::Named(QualifiedName { schema: None, name: cursor.identifier()?, position })
        }
        TargetForm::QualifiedNames => AbsentObject::Named(name(cursor)?),
        TargetForm::Signatures => {
            let name = name(cursor)?;
            let arguments = match cursor.peek() {
                Some(Token::LParen) => Some(arguments(cursor)?),
                _ => None,
            };
            AbsentObject::Signature { name, arguments }
        }
        TargetForm::Operators => operator(cursor)?,
        TargetForm::OfTable => {
            let own = cursor.identifier()?;
            cursor.expect("on")?;
            AbsentObject::OfTable { name: own, table: name(cursor)? }
        }
        TargetForm::OfMethod => {
            let name = name(cursor)?;
            cursor.expect("using")?;
            AbsentObject::OfMethod { name, method: cursor.identifier()? }
        }
        TargetForm::Cast => {
            let inside = cursor.parentheses()?;
            let at = inside.iter().position(|token| is_word(token, "as")).ok_or_else(|| cursor.syntax_error())?;
            let (from, to) = (inside.get(..at).unwrap_or_default(), inside.get(at + 1..).unwrap_or_default());
            AbsentObject::Cast { from: written_type(cursor, from)?, to: written_type(cursor, to)? }
        }
        TargetForm::Transform => {
            cursor.expect("for")?;
            let start = cursor.place();
            while !cursor.at_end() && !cursor.peek_is(0, "language") {
                cursor.skip();
            }
            let ty = written_type(cursor, cursor.since(start))?;
            cursor.expect("language")?;
            AbsentObject::Transform { ty, language: cursor.identifier()? }
        }
        TargetForm::UserMapping => {
            cursor.expect("for")?;
            let is_word_for = ["current_user", "current_role", "user", "session_user", "public"];
            let role = if is_word_for.iter().any(|word| cursor.take(word)) { None } else { Some(cursor.identifier()?) };
            cursor.expect("server")?;
            AbsentObject::UserMapping { role, server: cursor.identifier()? }
        }
    })
}

/// `(type, ...)`, where an argument may have a mode and a name in front of its type; `(*)` of an aggregate is none.
fn arguments(cursor: &mut Cursor<'_>) -> SqlResult<Vec<WrittenType>> {
    let star = cursor.peek_is_symbol(1, &Token::Mul);
    if star || cursor.peek_is_symbol(1, &Token::RParen) {
        cursor.skip_many(2 + usize::from(star));
        return Ok(Vec::new());
    }
    let items = cursor.parenthesized_items()?;
    let mut arguments = Vec::with_capacity(items.len());
    for item in items {
        // Ordered-set aggregates: the direct arguments, then the others.
        let parts: Vec<&[TokenWithSpan]> = match item.iter().position(|token| is_word(token, "order")) {
            Some(at) => vec![item.get(..at).unwrap_or_default(), item.get(at + 2..).unwrap_or_default()],
            None => vec![item],
        };
        for part in parts.into_iter().filter(|part| !part.is_empty()) {
            let (is_output, ty) = without_mode(part);
            if !is_output {
                arguments.push(written_type(cursor, ty).or_else(|error| {
                    // A name in front.
                    written_type(cursor, ty.get(1..).unwrap_or_default()).map_err(|_| error)
                })?);
            }
        }
    }
    Ok(arguments)
}

/// Whether an argument is only given out, and the argument without the word that says so.
fn without_mode(argument: &[TokenWithSpan]) -> (bool, &[TokenWithSpan]) {
    match argument {
        [mode, rest @ ..] if is_word(mode, "out") => (true, rest),
        [mode, rest @ ..] if ["in", "inout", "variadic"].iter().any(|word| is_word(mode, word)) => (false, rest),
        _ => (false, argument),
    }
}

fn operator(cursor: &mut Cursor<'_>) -> SqlResult<AbsentObject> {
    let position = Some(cursor.position());
    let schema = match cursor.peek() {
        Some(Token::Word(_)) => {
            let schema = cursor.identifier()?;
            cursor.expect_symbol(&Token::Period)?;
            Some(schema)
        }
        _ => None,
    };
    let start = cursor.place();
    while !cursor.at_end() && !cursor.peek_is_symbol(0, &Token::LParen) {
        cursor.skip();
    }
    let name = QualifiedName { schema, name: cursor.text_from(start).trim().to_owned(), position };
    let items = cursor.parenthesized_items()?;
    let [left, right] = items.as_slice() else {
        return Err(SqlError::new(nqdb_sqlstate::SYNTAX_ERROR, "missing argument")
            .with_hint("Use NONE to denote the missing argument of a unary operator."));
    };
    let operand = |own: &[TokenWithSpan]| match own {
        [none] if is_word(none, "none") => Ok(None),
        _ => written_type(cursor, own).map(Some),
    };
    Ok(AbsentObject::Operator { name, left: operand(left)?, right: operand(right)? })
}

fn written_type(cursor: &Cursor<'_>, own: &[TokenWithSpan]) -> SqlResult<WrittenType> {
    let Some(first) = own.first() else { return Err(cursor.syntax_error()) };
    let data_type = cursor.data_type(own)?;
    let is_keyword = TYPE_WORDS.iter().any(|word| is_word(first, word));
    let ends = own.iter().position(|token| matches!(token.token, Token::LBracket | Token::LParen));
    let words = own.get(..ends.unwrap_or(own.len())).unwrap_or_default();
    let parts: Vec<String> = words
        .iter()
        .filter_map(|token| match &token.token {
            Token::Word(word) => Some(crate::names::fold_identifier(&word.value, word.quote_style.is_some())),
            _ => None,
        })
        .collect();
    let has_schema = words.get(1).is_some_and(|token| token.token == Token::Period);
    let schema = parts.first().filter(|_| has_schema).cloned();
    let text = if has_schema { parts.join(".") } else { parts.join(" ") };
    Ok(WrittenType { data_type, schema, is_keyword, text })
}

#[cfg(test)]
mod tests {
    use crate::parse::parse;
    use crate::statement::StatementKind;

    #[test]
    fn what_is_not_there_is_named_and_no_syntax_error() {
        for (sql, words) in [
            ("create publication p for all tables", "CREATE PUBLICATION"),
            ("create or replace rule r as on insert to t do instead nothing", "CREATE RULE"),
            ("create foreign data wrapper w", "CREATE FOREIGN DATA WRAPPER"),
            ("create constraint trigger x after insert on t", "CREATE TRIGGER"),
            ("create operator class c for type int4 using btree as storage int4", "CREATE OPERATOR CLASS"),
            ("create operator === (leftarg = box)", "CREATE OPERATOR"),
            ("alter text search dictionary d (x = 1)", "ALTER TEXT SEARCH DICTIONARY"),
            ("alter system set work_mem = 1", "ALTER SYSTEM"),
            ("create trusted procedural language l", "CREATE LANGUAGE"),
        ] {
            let StatementKind::Refused(error) = &parse(sql).unwrap()[0].kind else { panic!("{sql}") };
            assert_eq!(error.message(), format!("{words} is not supported"), "{sql}");
        }
    }

    #[test]
    fn drops_are_read_as_far_as_they_go() {
        for sql in [
            "drop function f, g(int, text[]), h(in a int, out b text) cascade",
            "drop aggregate if exists a(*), b(int order by int)",
            "drop operator if exists @#@ (none, int)",
            "drop cast (int as my.type)",
            "drop transform if exists for int language plpgsql",
            "drop user mapping if exists for public server s",
            "drop operator class c using btree",
            "drop trigger t on a.b restrict",
        ] {
            assert!(parse(sql).is_ok(), "{sql}: {:?}", parse(sql).err());
        }
        assert!(parse("drop publication").is_err());
        assert!(parse("drop rule r").is_err());
    }
}
