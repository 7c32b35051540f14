//! EXPLAIN, VACUUM, ANALYZE, CHECKPOINT.

use nqdb_sqlstate::{INVALID_PARAMETER_VALUE, SYNTAX_ERROR, SqlError, SqlResult};
use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::cursor::Cursor;
use crate::statement::{ExplainFormat, ExplainOptions, MaintenanceTable, StatementKind, VacuumStatement};

/// One `NAME [value]` of an option list.
pub(super) struct OptionItem {
    pub name: String,
    value: Option<String>,
    position: u32,
}

impl OptionItem {
    /// The value as a boolean; on when it was left out.
    pub(super) fn boolean(&self) -> SqlResult<bool> {
        match self.value.as_deref() {
            None | Some("true" | "on" | "1") => Ok(true),
            Some("false" | "off" | "0") => Ok(false),
            Some(_) => {
                let message = format!("{} requires a Boolean value", self.name);
                Err(SqlError::new(SYNTAX_ERROR, message).with_position(self.position))
            }
        }
    }
}

/// `(NAME [value], ...)`.
pub(super) fn parse_option_list(cursor: &mut Cursor<'_>) -> SqlResult<Vec<OptionItem>> {
    let mut items = Vec::new();
    for own in cursor.parenthesized_items()? {
        items.push(option_item(cursor, own)?);
    }
    Ok(items)
}

fn option_item(cursor: &Cursor<'_>, own: &[TokenWithSpan]) -> SqlResult<OptionItem> {
    let position = own.first().map_or(1, |token| token.span.start.column as u32);
    let text = |token: &TokenWithSpan| match &token.token {
        Token::Word(word) => Some(word.value.to_ascii_lowercase()),
        Token::Number(digits, _) => Some(digits.clone()),
        Token::SingleQuotedString(text) => Some(text.to_ascii_lowercase()),
        _ => None,
    };
    let (name, value) = match own {
        [name] => (text(name), None),
        [name, value] => (text(name), Some(text(value).ok_or_else(|| cursor.syntax_error())?)),
        _ => return Err(cursor.syntax_error()),
    };
    let name = name.ok_or_else(|| cursor.syntax_error())?;
    Ok(OptionItem { name, value, position })
}

pub(super) fn unrecognized(command: &str, item: &OptionItem) -> SqlError {
    let message = format!("unrecognized {command} option \"{}\"", item.name);
    SqlError::new(SYNTAX_ERROR, message).with_position(item.position)
}

/// `EXPLAIN [ANALYZE] [VERBOSE] statement` and `EXPLAIN (options) statement`.
pub(super) fn parse_explain(cursor: &mut Cursor<'_>) -> SqlResult<StatementKind> {
    cursor.expect("explain")?;
    let mut options = ExplainOptions {
        analyze: false,
        verbose: false,
        costs: true,
        buffers: false,
        timing: false,
        summary: false,
        format: ExplainFormat::Text,
    };
    let mut timing = None;
    let mut summary = None;
    if cursor.peek() == Some(&Token::LParen)
        && !["select", "values", "table", "with"].iter().any(|word| cursor.peek_is(1, word))
    {
        for item in parse_option_list(cursor)? {
            match item.name.as_str() {
                "analyze" => options.analyze = item.boolean()?,
                "verbose" => options.verbose = item.boolean()?,
                "costs" => options.costs = item.boolean()?,
                "buffers" => options.buffers = item.boolean()?,
                "timing" => timing = Some(item.boolean()?),
                "summary" => summary = Some(item.boolean()?),
                "settings" | "wal" => {
                    if item.boolean()? {
                        return Err(SqlError::unsupported(format!(
                            "EXPLAIN option {}",
                            item.name.to_ascii_uppercase()
                        )));
                    }
                }
                "format" => options.format = parse_format(&item)?,
                _ => return Err(unrecognized("EXPLAIN", &item)),
            }
        }
    } else {
        options.analyze = cursor.take("analyze") || cursor.take("analyse");
        options.verbose = cursor.take("verbose");
    }
    if timing == Some(true) && !options.analyze {
        return Err(SqlError::new(INVALID_PARAMETER_VALUE, "EXPLAIN option TIMING requires ANALYZE"));
    }
    options.timing = timing.unwrap_or(options.analyze);
    options.summary = summary.unwrap_or(options.analyze);
    if cursor.at_end() {
        return Err(cursor.syntax_error());
    }
    let explainable =
        ["select", "values", "table", "with", "insert", "update", "delete", "merge", "execute", "declare"];
    if !explainable.iter().any(|word| cursor.peek_is(0, word)) && cursor.peek() != Some(&Token::LParen) {
        if ["create", "refresh"].iter().any(|word| cursor.peek_is(0, word)) {
            return Err(SqlError::unsupported("EXPLAIN of this statement"));
        }
        return Err(cursor.syntax_error());
    }
    let inner = cursor.rest_as_statement()?;
    Ok(StatementKind::Explain { options, inner: Box::new(inner) })
}

fn parse_format(item: &OptionItem) -> SqlResult<ExplainFormat> {
    match item.value.as_deref() {
        Some("text") => Ok(ExplainFormat::Text),
        Some("json") => Ok(ExplainFormat::Json),
        Some("xml") => Ok(ExplainFormat::Xml),
        Some("yaml") => Ok(ExplainFormat::Yaml),
        other => {
            let message = format!("unrecognized value for EXPLAIN option \"format\": \"{}\"", other.unwrap_or(""));
            Err(SqlError::new(INVALID_PARAMETER_VALUE, message).with_position(item.position))
        }
    }
}

/// `VACUUM [(options)] [FULL] [FREEZE] [VERBOSE] [ANALYZE] [tables]`.
pub(super) fn parse_vacuum(cursor: &mut Cursor<'_>) -> SqlResult<StatementKind> {
    cursor.expect("vacuum")?;
    let mut vacuum = VacuumStatement { full: false, freeze: false, verbose: false, analyze: false, tables: Vec::new() };
    if cursor.peek() == Some(&Token::LParen) {
        for item in parse_option_list(cursor)? {
            match item.name.as_str() {
                "full" => vacuum.full = item.boolean()?,
                "freeze" => vacuum.freeze = item.boolean()?,
                "verbose" => vacuum.verbose = item.boolean()?,
                "analyze" => vacuum.analyze = item.boolean()?,
                "disable_page_skipping"
                | "skip_locked"
                | "process_toast"
                | "truncate"
                | "index_cleanup"
                | "parallel" => {
                    return Err(SqlError::unsupported(format!("VACUUM option {}", item.name.to_ascii_uppercase())));
                }
                _ => return Err(unrecognized("VACUUM", &item)),
            }
        }
    } else {
        vacuum.full = cursor.take("full");
        vacuum.freeze = cursor.take("freeze");
        vacuum.verbose = cursor.take("verbose");
        vacuum.analyze = cursor.take("analyze") || cursor.take("analyse");
    }
    vacuum.tables = parse_tables(cursor)?;
    Ok(StatementKind::Vacuum(vacuum))
}

/// `ANALYZE [VERBOSE] [tables]` and `ANALYZE (VERBOSE [boolean]) [tables]`.
pub(super) fn parse_analyze(cursor: &mut Cursor<'_>) -> SqlResult<StatementKind> {
    cursor.skip();
    let mut verbose = false;
    if cursor.peek() == Some(&Token::LParen) {
        for item in parse_option_list(cursor)? {
            match item.name.as_str() {
                "verbose" => verbose = item.boolean()?,
                "skip_locked" => return Err(SqlError::unsupported("ANALYZE option SKIP_LOCKED")),
                _ => return Err(unrecognized("ANALYZE", &item)),
            }
        }
    } else {
        verbose = cursor.take("verbose");
    }
    let tables = parse_tables(cursor)?;
    Ok(StatementKind::Analyze { verbose, tables })
}

/// CHECKPOINT.
pub(super) fn parse_checkpoint(cursor: &mut Cursor<'_>) -> SqlResult<StatementKind> {
    cursor.expect("checkpoint")?;
    cursor.finish()?;
    Ok(StatementKind::Checkpoint)
}

fn parse_tables(cursor: &mut Cursor<'_>) -> SqlResult<Vec<MaintenanceTable>> {
    let mut tables = Vec::new();
    if cursor.at_end() {
        return Ok(tables);
    }
    loop {
        let name = cursor.qualified_name()?;
        let columns = cursor.column_list()?;
        tables.push(MaintenanceTable { schema: name.schema, name: name.name, columns, position: name.position });
        if !cursor.take_symbol(&Token::Comma) {
            cursor.finish()?;
            return Ok(tables);
        }
    }
}
