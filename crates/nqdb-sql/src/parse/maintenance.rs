//! EXPLAIN, VACUUM, ANALYZE, CHECKPOINT.

use nqdb_sqlstate::{FEATURE_NOT_SUPPORTED, INVALID_PARAMETER_VALUE, SYNTAX_ERROR, SqlError, SqlResult};
use sqlparser::tokenizer::Token;

use super::cursor::Cursor;
use crate::definition::Definition;
use crate::names::fold_identifier;
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
                Err(SqlError::new(SYNTAX_ERROR, message))
            }
        }
    }

    /// The value as an integer, which must be there.
    fn integer(&self) -> SqlResult<i32> {
        self.value
            .as_deref()
            .and_then(|value| value.parse().ok())
            .ok_or_else(|| SqlError::new(SYNTAX_ERROR, format!("{} requires an integer value", self.name)))
    }
}

/// `(NAME [value], ...)`.
pub(super) fn parse_option_list(cursor: &mut Cursor<'_>) -> SqlResult<Vec<OptionItem>> {
    let mut items = Vec::new();
    cursor.expect_symbol(&Token::LParen)?;
    loop {
        items.push(option_item(cursor)?);
        if cursor.take_symbol(&Token::RParen) {
            return Ok(items);
        }
        cursor.expect_symbol(&Token::Comma)?;
    }
}

fn option_item(cursor: &mut Cursor<'_>) -> SqlResult<OptionItem> {
    let position = cursor.position();
    let Some(Token::Word(name)) = cursor.peek() else { return Err(cursor.syntax_error()) };
    let name = fold_identifier(&name.value, name.quote_style.is_some());
    cursor.skip();
    let sign = match cursor.peek() {
        Some(Token::Minus) => "-",
        Some(Token::Plus) => "+",
        _ => "",
    };
    if !sign.is_empty() {
        cursor.skip();
    }
    let value = match cursor.peek() {
        Some(Token::Number(digits, _)) => Some(format!("{}{digits}", sign.trim_start_matches('+'))),
        _ if !sign.is_empty() => return Err(cursor.syntax_error()),
        Some(Token::Word(word)) => Some(word.value.to_ascii_lowercase()),
        Some(Token::SingleQuotedString(text)) => Some(text.to_ascii_lowercase()),
        _ => None,
    };
    if value.is_some() {
        cursor.skip();
    }
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
        if cursor.peek_is(0, "refresh") {
            return Err(SqlError::unsupported("EXPLAIN of this statement"));
        }
        if !cursor.peek_is(0, "create") {
            return Err(cursor.syntax_error());
        }
    }
    let inner = cursor.rest_as_statement()?;
    if let StatementKind::Ddl(_) | StatementKind::Define(_) | StatementKind::Sequence(_) = &inner.kind {
        // Of definitions, those that are made of a query: its plan is theirs.
        let is_made_of_query = matches!(&inner.kind, StatementKind::Define(definition)
            if matches!(&**definition, Definition::TableAs(_)));
        if !is_made_of_query || options.analyze {
            return Err(SqlError::unsupported("EXPLAIN of this statement"));
        }
    }
    Ok(StatementKind::Explain { options, inner: Box::new(inner) })
}

fn parse_format(item: &OptionItem) -> SqlResult<ExplainFormat> {
    match item.value.as_deref() {
        Some("text") => Ok(ExplainFormat::Text),
        Some("json") => Ok(ExplainFormat::Json),
        Some("xml") => Ok(ExplainFormat::Xml),
        Some("yaml") => Ok(ExplainFormat::Yaml),
        None => Err(SqlError::new(SYNTAX_ERROR, "format requires a parameter")),
        Some(other) => {
            let message = format!("unrecognized value for EXPLAIN option \"format\": \"{other}\"");
            Err(SqlError::new(INVALID_PARAMETER_VALUE, message).with_position(item.position))
        }
    }
}

/// `VACUUM [(options)] [FULL] [FREEZE] [VERBOSE] [ANALYZE] [tables]`.
pub(super) fn parse_vacuum(cursor: &mut Cursor<'_>) -> SqlResult<StatementKind> {
    cursor.expect("vacuum")?;
    let mut vacuum = VacuumStatement::default();
    if cursor.peek() == Some(&Token::LParen) {
        let mut process_toast = true;
        for item in parse_option_list(cursor)? {
            match item.name.as_str() {
                "process_toast" => process_toast = item.boolean()?,
                _ => vacuum_option(&mut vacuum, &item)?,
            }
        }
        if vacuum.full && vacuum.is_parallel {
            return Err(SqlError::new(FEATURE_NOT_SUPPORTED, "VACUUM FULL cannot be performed in parallel"));
        }
        if vacuum.full && !process_toast {
            return Err(SqlError::new(FEATURE_NOT_SUPPORTED, "PROCESS_TOAST required with VACUUM FULL"));
        }
    } else {
        vacuum.full = cursor.take("full");
        vacuum.freeze = cursor.take("freeze");
        vacuum.verbose = cursor.take("verbose");
        vacuum.analyze = cursor.take("analyze") || cursor.take("analyse");
    }
    vacuum.tables = parse_tables(cursor)?;
    if !vacuum.analyze && vacuum.tables.iter().any(|table| !table.columns.is_empty()) {
        let message = "ANALYZE option must be specified when a column list is provided";
        return Err(SqlError::new(FEATURE_NOT_SUPPORTED, message));
    }
    Ok(StatementKind::Vacuum(vacuum))
}

/// Options that say how dead rows, index entries and empty pages are found are checked only: purge finds them all, and does
/// not wait for VACUUM.
fn vacuum_option(vacuum: &mut VacuumStatement, item: &OptionItem) -> SqlResult<()> {
    match item.name.as_str() {
        "full" => vacuum.full = item.boolean()?,
        "freeze" => vacuum.freeze = item.boolean()?,
        "verbose" => vacuum.verbose = item.boolean()?,
        "analyze" => vacuum.analyze = item.boolean()?,
        "skip_locked" => vacuum.skip_locked = item.boolean()?,
        "disable_page_skipping" | "truncate" => drop(item.boolean()?),
        "index_cleanup" if item.value.as_deref() == Some("auto") => {}
        "index_cleanup" => drop(item.boolean()?),
        "parallel" => {
            let at_item = |message: String| Err(SqlError::new(SYNTAX_ERROR, message).with_position(item.position));
            if item.value.is_none() {
                return at_item(format!("parallel option requires a value between 0 and {PARALLEL_WORKERS_MAX}"));
            }
            let workers = item.integer()?;
            if !(0..=PARALLEL_WORKERS_MAX).contains(&workers) {
                return at_item(format!("parallel workers for vacuum must be between 0 and {PARALLEL_WORKERS_MAX}"));
            }
            vacuum.is_parallel = workers > 0;
        }
        _ => return Err(unrecognized("VACUUM", item)),
    }
    Ok(())
}

/// PostgreSQL's limit of the option PARALLEL.
const PARALLEL_WORKERS_MAX: i32 = 1024;

/// `ANALYZE [VERBOSE] [tables]` and `ANALYZE (options) [tables]`.
pub(super) fn parse_analyze(cursor: &mut Cursor<'_>) -> SqlResult<StatementKind> {
    cursor.skip();
    let mut verbose = false;
    let mut skip_locked = false;
    if cursor.peek() == Some(&Token::LParen) {
        for item in parse_option_list(cursor)? {
            match item.name.as_str() {
                "verbose" => verbose = item.boolean()?,
                "skip_locked" => skip_locked = item.boolean()?,
                _ => return Err(unrecognized("ANALYZE", &item)),
            }
        }
    } else {
        verbose = cursor.take("verbose");
    }
    let tables = parse_tables(cursor)?;
    Ok(StatementKind::Analyze { verbose, skip_locked, tables })
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
