//! SQLSTATE codes and the error that a user sees.
//!
//! Every failure that can reach a client is a [`SqlError`]: a five-character code from
//! PostgreSQL's Appendix A, PostgreSQL's own wording, and the optional fields that drivers read.
//! Layers below SQL have error enums of their own and are translated once, where SQL calls them.

mod codes;

pub use codes::*;

use std::fmt;

/// A five-character SQLSTATE, such as `23505`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SqlState([u8; 5]);

impl SqlState {
    /// Makes a code out of its five ASCII characters.
    pub const fn new(code: &str) -> SqlState {
        let bytes = code.as_bytes();
        assert!(bytes.len() == 5, "a SQLSTATE has five characters");
        SqlState([bytes[0], bytes[1], bytes[2], bytes[3], bytes[4]])
    }

    /// The code as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("XX000")
    }

    /// The class: the first two characters.
    pub fn class(&self) -> &str {
        &self.as_str()[..2]
    }
}

impl fmt::Debug for SqlState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for SqlState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Result with a [`SqlError`].
pub type SqlResult<T> = Result<T, SqlError>;

/// An error as PostgreSQL reports it (protocol section "Error and Notice Message Fields").
///
/// The optional fields live behind one box, so that `Result<T, SqlError>` stays small on hot paths.
#[derive(Clone, PartialEq)]
pub struct SqlError(Box<Fields>);

#[derive(Clone, PartialEq)]
struct Fields {
    code: SqlState,
    message: String,
    detail: Option<String>,
    hint: Option<String>,
    position: Option<u32>,
    context: Option<String>,
    schema: Option<String>,
    table: Option<String>,
    column: Option<String>,
    data_type: Option<String>,
    constraint: Option<String>,
    fatal: bool,
}

impl SqlError {
    /// An error with a code and PostgreSQL's primary message.
    pub fn new(code: SqlState, message: impl Into<String>) -> SqlError {
        SqlError(Box::new(Fields {
            code,
            message: message.into(),
            detail: None,
            hint: None,
            position: None,
            context: None,
            schema: None,
            table: None,
            column: None,
            data_type: None,
            constraint: None,
            fatal: false,
        }))
    }

    /// `0A000` with "{what} is not supported".
    pub fn unsupported(what: impl fmt::Display) -> SqlError {
        SqlError::new(FEATURE_NOT_SUPPORTED, format!("{what} is not supported"))
    }

    /// `XX000`: a fault of ours, never of the user.
    pub fn internal(message: impl Into<String>) -> SqlError {
        SqlError::new(INTERNAL_ERROR, message)
    }

    pub fn with_detail(mut self, detail: impl Into<String>) -> SqlError {
        self.0.detail = Some(detail.into());
        self
    }

    pub fn with_hint(mut self, hint: impl Into<String>) -> SqlError {
        self.0.hint = Some(hint.into());
        self
    }

    /// Position of the error in the statement's text: characters (not bytes), counted from 1.
    pub fn with_position(mut self, position: u32) -> SqlError {
        self.0.position = Some(position);
        self
    }

    /// As [`SqlError::with_position`], unless a deeper layer already knew better.
    pub fn or_position(mut self, position: Option<u32>) -> SqlError {
        self.0.position = self.0.position.or(position);
        self
    }

    /// Takes the position away: errors at run time carry none in PostgreSQL.
    pub fn without_position(mut self) -> SqlError {
        self.0.position = None;
        self
    }

    pub fn with_context(mut self, context: impl Into<String>) -> SqlError {
        self.0.context = Some(context.into());
        self
    }

    /// Adds a line to the context: what was going on around what it already tells.
    pub fn within(mut self, outer: impl Into<String>) -> SqlError {
        let outer = outer.into();
        self.0.context = Some(match self.0.context.take() {
            Some(inner) => format!("{inner}\n{outer}"),
            None => outer,
        });
        self
    }

    /// The schema of a table or data type.
    pub fn with_schema(mut self, schema: impl Into<String>) -> SqlError {
        self.0.schema = Some(schema.into());
        self
    }

    pub fn with_table(mut self, schema: impl Into<String>, table: impl Into<String>) -> SqlError {
        self.0.schema = Some(schema.into());
        self.0.table = Some(table.into());
        self
    }

    pub fn with_column(mut self, column: impl Into<String>) -> SqlError {
        self.0.column = Some(column.into());
        self
    }

    pub fn with_data_type(mut self, data_type: impl Into<String>) -> SqlError {
        self.0.data_type = Some(data_type.into());
        self
    }

    pub fn with_constraint(mut self, constraint: impl Into<String>) -> SqlError {
        self.0.constraint = Some(constraint.into());
        self
    }

    /// Marks the error as the end of its session (severity FATAL).
    pub fn fatal(mut self) -> SqlError {
        self.0.fatal = true;
        self
    }

    pub fn code(&self) -> SqlState {
        self.0.code
    }
    pub fn message(&self) -> &str {
        &self.0.message
    }
    pub fn detail(&self) -> Option<&str> {
        self.0.detail.as_deref()
    }
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }
    pub fn position(&self) -> Option<u32> {
        self.0.position
    }
    pub fn context(&self) -> Option<&str> {
        self.0.context.as_deref()
    }
    pub fn schema(&self) -> Option<&str> {
        self.0.schema.as_deref()
    }
    pub fn table(&self) -> Option<&str> {
        self.0.table.as_deref()
    }
    pub fn column(&self) -> Option<&str> {
        self.0.column.as_deref()
    }
    pub fn data_type(&self) -> Option<&str> {
        self.0.data_type.as_deref()
    }
    pub fn constraint(&self) -> Option<&str> {
        self.0.constraint.as_deref()
    }
    pub fn is_fatal(&self) -> bool {
        self.0.fatal
    }
}

impl fmt::Display for SqlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (SQLSTATE {})", self.0.message, self.0.code)
    }
}

impl fmt::Debug for SqlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SqlError({} {:?}", self.0.code, self.0.message)?;
        if let Some(detail) = &self.0.detail {
            write!(f, ", detail {detail:?}")?;
        }
        if let Some(position) = self.0.position {
            write!(f, ", position {position}")?;
        }
        f.write_str(")")
    }
}

impl std::error::Error for SqlError {}

/// A warning or notice for the client; it does not end the statement.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    pub severity: NoticeSeverity,
    pub code: SqlState,
    pub message: String,
    pub detail: Option<String>,
    pub hint: Option<String>,
}

/// Severities below ERROR, in PostgreSQL's order of `client_min_messages`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NoticeSeverity {
    Debug,
    Log,
    Info,
    Notice,
    Warning,
}

impl Notice {
    pub fn new(code: SqlState, message: impl Into<String>) -> Notice {
        Notice { severity: NoticeSeverity::Notice, code, message: message.into(), detail: None, hint: None }
    }

    pub fn warning(code: SqlState, message: impl Into<String>) -> Notice {
        Notice { severity: NoticeSeverity::Warning, code, message: message.into(), detail: None, hint: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_with_an_error_is_one_pointer_wide() {
        assert_eq!(size_of::<SqlResult<()>>(), size_of::<usize>());
    }

    #[test]
    fn a_deeper_position_wins() {
        let error = SqlError::new(UNDEFINED_COLUMN, "x").with_position(3).or_position(Some(9));
        assert_eq!(error.position(), Some(3));
        assert_eq!(error.code().class(), "42");
    }
}
