//! COPY: the target, the direction, and its options in the new and the old spelling.
//!
//! Options are checked against each other here, as PostgreSQL does before it looks at the table.

use nqdb_sqlstate::{INVALID_PARAMETER_VALUE, SYNTAX_ERROR, SqlError, SqlResult};
use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::cursor::Cursor;
use crate::names::fold_identifier;
use crate::statement::{
    CopyDirection, CopyFormat, CopyHeader, CopyOptions, CopySource, CopyStatement, ForcedColumns, StatementKind,
};

/// Options as written, before the defaults of the format are known.
#[derive(Default)]
struct Written {
    format: Option<CopyFormat>,
    delimiter: Option<String>,
    null: Option<String>,
    header: Option<CopyHeader>,
    quote: Option<String>,
    escape: Option<String>,
    force_quote: Option<ForcedColumns>,
    force_not_null: Option<ForcedColumns>,
    force_null: Option<ForcedColumns>,
    encoding: Option<String>,
    freeze: Option<bool>,
}

/// `COPY { table [(columns)] | (query) } { FROM | TO } ...`.
pub(super) fn parse(cursor: &mut Cursor<'_>) -> SqlResult<StatementKind> {
    cursor.expect("copy")?;
    let mut written = Written::default();
    if cursor.peek_is(0, "binary") && !cursor.peek_is(1, "from") && !cursor.peek_is(1, "to") {
        cursor.skip();
        written.format = Some(CopyFormat::Binary);
    }
    let source = if cursor.peek() == Some(&Token::LParen) {
        CopySource::Query(Box::new(cursor.parenthesized_statement()?))
    } else {
        let name = cursor.qualified_name()?;
        CopySource::Table {
            schema: name.schema,
            name: name.name,
            columns: cursor.column_list()?,
            position: name.position,
        }
    };
    let (direction, file) = parse_direction(cursor, &source)?;
    let with = cursor.take("with");
    if cursor.peek() == Some(&Token::LParen) {
        for item in cursor.parenthesized_items()? {
            new_option(cursor, item, &mut written)?;
        }
    } else if !cursor.at_end() && !cursor.peek_is(0, "where") {
        old_options(cursor, &mut written)?;
    } else if with {
        return Err(cursor.syntax_error());
    }
    let predicate = if cursor.peek_is(0, "where") {
        if direction == CopyDirection::Out {
            return Err(cursor.syntax_error());
        }
        cursor.skip();
        Some(cursor.rest_as_expression()?)
    } else {
        None
    };
    cursor.finish()?;
    let options = complete(written, direction)?;
    Ok(StatementKind::Copy(Box::new(CopyStatement { source, direction, file, options, predicate })))
}

fn parse_direction(cursor: &mut Cursor<'_>, source: &CopySource) -> SqlResult<(CopyDirection, Option<String>)> {
    let from = cursor.peek_is(0, "from");
    if !from && !cursor.peek_is(0, "to") || from && matches!(source, CopySource::Query(_)) {
        return Err(cursor.syntax_error());
    }
    cursor.skip();
    // PostgreSQL takes either word for either direction.
    let direction = if from { CopyDirection::In } else { CopyDirection::Out };
    if cursor.take("stdin") || cursor.take("stdout") {
        return Ok((direction, None));
    }
    if cursor.peek_is(0, "program") {
        return Err(SqlError::unsupported("COPY with a program").with_position(cursor.position()));
    }
    Ok((direction, Some(cursor.string()?)))
}

/// One `NAME value` of the list in parentheses.
fn new_option(cursor: &Cursor<'_>, item: &[TokenWithSpan], written: &mut Written) -> SqlResult<()> {
    let [name, value @ ..] = item else { return Err(cursor.syntax_error()) };
    let position = name.span.start.column as u32;
    let Token::Word(word) = &name.token else { return Err(cursor.syntax_error()) };
    let name = fold_identifier(&word.value, word.quote_style.is_some());
    let text = scalar(value);
    let required = || {
        let message = format!("{name} requires a parameter");
        text.clone().ok_or_else(|| SqlError::new(SYNTAX_ERROR, message).with_position(position))
    };
    let fresh = |already: bool| {
        if already {
            return Err(SqlError::new(SYNTAX_ERROR, "conflicting or redundant options").with_position(position));
        }
        Ok(())
    };
    match name.as_str() {
        "format" => {
            fresh(written.format.is_some())?;
            written.format = Some(match required()?.as_str() {
                "text" => CopyFormat::Text,
                "csv" => CopyFormat::Csv,
                "binary" => CopyFormat::Binary,
                other => {
                    let message = format!("COPY format \"{other}\" not recognized");
                    return Err(SqlError::new(INVALID_PARAMETER_VALUE, message).with_position(position));
                }
            });
        }
        "delimiter" => {
            fresh(written.delimiter.is_some())?;
            written.delimiter = Some(required()?);
        }
        "null" => {
            fresh(written.null.is_some())?;
            written.null = Some(required()?);
        }
        "header" => {
            fresh(written.header.is_some())?;
            let value = text.as_deref().map(str::to_ascii_lowercase);
            written.header = Some(match value.as_deref() {
                None if value.is_none() && value_is_absent(item) => CopyHeader::Yes,
                Some("true" | "on" | "1") => CopyHeader::Yes,
                Some("false" | "off" | "0") => CopyHeader::No,
                Some("match") => CopyHeader::Match,
                _ => {
                    let message = "header requires a Boolean value or \"match\"";
                    return Err(SqlError::new(SYNTAX_ERROR, message));
                }
            });
        }
        "quote" => {
            fresh(written.quote.is_some())?;
            written.quote = Some(required()?);
        }
        "escape" => {
            fresh(written.escape.is_some())?;
            written.escape = Some(required()?);
        }
        "force_quote" => {
            fresh(written.force_quote.is_some())?;
            written.force_quote = Some(columns(value, true).ok_or_else(|| list_error(&name, position))?);
        }
        "force_not_null" => {
            fresh(written.force_not_null.is_some())?;
            written.force_not_null = Some(columns(value, false).ok_or_else(|| list_error(&name, position))?);
        }
        "force_null" => {
            fresh(written.force_null.is_some())?;
            written.force_null = Some(columns(value, false).ok_or_else(|| list_error(&name, position))?);
        }
        "encoding" => {
            fresh(written.encoding.is_some())?;
            written.encoding = Some(required()?);
        }
        "freeze" => {
            fresh(written.freeze.is_some())?;
            written.freeze = Some(match text.as_deref().map(str::to_ascii_lowercase).as_deref() {
                None | Some("true" | "on" | "1") => true,
                Some("false" | "off" | "0") => false,
                Some(_) => return Err(SqlError::new(SYNTAX_ERROR, "freeze requires a Boolean value")),
            });
        }
        _ => {
            let message = format!("option \"{name}\" not recognized");
            return Err(SqlError::new(SYNTAX_ERROR, message).with_position(position));
        }
    }
    Ok(())
}

fn value_is_absent(item: &[TokenWithSpan]) -> bool {
    item.len() == 1
}

fn list_error(name: &str, position: u32) -> SqlError {
    let message = format!("argument to option \"{name}\" must be a list of column names");
    SqlError::new(INVALID_PARAMETER_VALUE, message).with_position(position)
}

/// A value that is one word, string or number.
fn scalar(value: &[TokenWithSpan]) -> Option<String> {
    match value {
        [only] => match &only.token {
            Token::Word(word) => Some(fold_identifier(&word.value, word.quote_style.is_some())),
            Token::SingleQuotedString(text) | Token::EscapedStringLiteral(text) => Some(text.clone()),
            Token::DollarQuotedString(quoted) => Some(quoted.value.clone()),
            Token::Number(digits, _) => Some(digits.clone()),
            _ => None,
        },
        _ => None,
    }
}

/// `(a, b)`, or `*` where that is allowed.
fn columns(value: &[TokenWithSpan], star: bool) -> Option<ForcedColumns> {
    match value {
        [only] if star && only.token == Token::Mul => Some(ForcedColumns::All),
        [open, names @ .., close] if open.token == Token::LParen && close.token == Token::RParen => {
            let mut columns = Vec::new();
            for (at, token) in names.iter().enumerate() {
                match &token.token {
                    Token::Word(word) if at % 2 == 0 => {
                        columns.push(fold_identifier(&word.value, word.quote_style.is_some()));
                    }
                    Token::Comma if at % 2 == 1 => {}
                    _ => return None,
                }
            }
            (names.len() % 2 == 1).then_some(ForcedColumns::Named(columns))
        }
        _ => None,
    }
}

/// The spelling of before version 9: `CSV HEADER DELIMITER AS ','`.
fn old_options(cursor: &mut Cursor<'_>, written: &mut Written) -> SqlResult<()> {
    while !cursor.at_end() && !cursor.peek_is(0, "where") {
        if cursor.take("binary") {
            written.format = Some(CopyFormat::Binary);
        } else if cursor.take("csv") {
            written.format = Some(CopyFormat::Csv);
        } else if cursor.take("freeze") {
            written.freeze = Some(true);
        } else if cursor.take("header") {
            written.header = Some(CopyHeader::Yes);
        } else if cursor.take("delimiter") || cursor.take("delimiters") {
            cursor.take("as");
            written.delimiter = Some(cursor.string()?);
        } else if cursor.take("null") {
            cursor.take("as");
            written.null = Some(cursor.string()?);
        } else if cursor.take("quote") {
            cursor.take("as");
            written.quote = Some(cursor.string()?);
        } else if cursor.take("escape") {
            cursor.take("as");
            written.escape = Some(cursor.string()?);
        } else if cursor.take("encoding") {
            written.encoding = Some(cursor.string()?);
        } else if cursor.take_all(&["force", "quote"]) {
            let all = cursor.take_symbol(&Token::Mul);
            written.force_quote = Some(if all { ForcedColumns::All } else { names(cursor)? });
        } else if cursor.take_all(&["force", "not", "null"]) {
            written.force_not_null = Some(names(cursor)?);
        } else if cursor.take_all(&["force", "null"]) {
            written.force_null = Some(names(cursor)?);
        } else {
            return Err(cursor.syntax_error());
        }
    }
    Ok(())
}

fn names(cursor: &mut Cursor<'_>) -> SqlResult<ForcedColumns> {
    let mut names = vec![cursor.identifier()?];
    while cursor.take_symbol(&Token::Comma) {
        names.push(cursor.identifier()?);
    }
    Ok(ForcedColumns::Named(names))
}

/// Fills in the format's defaults and checks the options against each other.
fn complete(written: Written, direction: CopyDirection) -> SqlResult<CopyOptions> {
    let format = written.format.unwrap_or(CopyFormat::Text);
    let csv = format == CopyFormat::Csv;
    let refuse = |message: &str| Err(SqlError::new(nqdb_sqlstate::FEATURE_NOT_SUPPORTED, message));
    let invalid = |message: &str| Err(SqlError::new(INVALID_PARAMETER_VALUE, message));
    if format == CopyFormat::Binary {
        if written.delimiter.is_some() {
            return Err(SqlError::new(SYNTAX_ERROR, "cannot specify DELIMITER in BINARY mode"));
        }
        if written.null.is_some() {
            return Err(SqlError::new(SYNTAX_ERROR, "cannot specify NULL in BINARY mode"));
        }
        if written.header.is_some_and(|header| header != CopyHeader::No) {
            return Err(SqlError::new(nqdb_sqlstate::FEATURE_NOT_SUPPORTED, "cannot specify HEADER in BINARY mode"));
        }
    }
    let delimiter = written.delimiter.unwrap_or_else(|| if csv { "," } else { "\t" }.to_string());
    let null = written.null.unwrap_or_else(|| if csv { "" } else { "\\N" }.to_string());
    let [delimiter] = delimiter.as_bytes() else {
        return refuse("COPY delimiter must be a single one-byte character");
    };
    let delimiter = *delimiter;
    if matches!(delimiter, b'\r' | b'\n') {
        return invalid("COPY delimiter cannot be newline or carriage return");
    }
    if null.contains(['\r', '\n']) {
        return invalid("COPY null representation cannot use newline or carriage return");
    }
    if !csv && b"\\.abcdefghijklmnopqrstuvwxyz0123456789".contains(&delimiter) {
        return invalid(&format!("COPY delimiter cannot be \"{}\"", delimiter as char));
    }
    for (given, name) in [(written.quote.is_some(), "quote"), (written.escape.is_some(), "escape")] {
        if given && !csv {
            return refuse(&format!("COPY {name} available only in CSV mode"));
        }
    }
    let quote = written.quote.unwrap_or_else(|| "\"".to_string());
    let [quote] = quote.as_bytes() else { return refuse("COPY quote must be a single one-byte character") };
    let quote = *quote;
    if csv && delimiter == quote {
        return invalid("COPY delimiter and quote must be different");
    }
    let escape = match &written.escape {
        None => quote,
        Some(escape) => match escape.as_bytes() {
            [escape] => *escape,
            _ => return refuse("COPY escape must be a single one-byte character"),
        },
    };
    let to_client = direction == CopyDirection::Out;
    for (list, name, output) in [
        (&written.force_quote, "force quote", true),
        (&written.force_not_null, "force not null", false),
        (&written.force_null, "force null", false),
    ] {
        if list.is_some() && !csv {
            return refuse(&format!("COPY {name} available only in CSV mode"));
        }
        if list.is_some() && output != to_client {
            let when = if output { "using COPY TO" } else { "using COPY FROM" };
            return refuse(&format!("COPY {name} only available {when}"));
        }
    }
    if null.as_bytes().contains(&delimiter) && format != CopyFormat::Binary {
        return refuse("COPY delimiter must not appear in the NULL specification");
    }
    if csv && null.as_bytes().contains(&quote) {
        return refuse("CSV quote character must not appear in the NULL specification");
    }
    let header = written.header.unwrap_or(CopyHeader::No);
    if header == CopyHeader::Match && to_client {
        return invalid("cannot use \"match\" with HEADER in COPY TO");
    }
    if let Some(encoding) = written.encoding
        && !["utf8", "utf-8", "unicode"].contains(&encoding.to_ascii_lowercase().as_str())
    {
        return Err(SqlError::unsupported(format!("COPY with encoding \"{encoding}\"")));
    }
    // FREEZE asks for rows that need no freezing later. No row here ever does, so there is nothing to do.
    let _: Option<bool> = written.freeze;
    Ok(CopyOptions {
        format,
        delimiter,
        null,
        header,
        quote,
        escape,
        force_quote: written.force_quote.unwrap_or(ForcedColumns::None),
        force_not_null: written.force_not_null.unwrap_or(ForcedColumns::None),
        force_null: written.force_null.unwrap_or(ForcedColumns::None),
    })
}
