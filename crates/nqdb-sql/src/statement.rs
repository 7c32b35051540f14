//! One statement of a query string: its text, where it stands, and what kind of statement it is.
//!
//! What always holds:
//! 1. [`Parsed::text`] is the statement's own text, without surrounding blanks, comments and `;`.
//! 2. Positions in the syntax tree are characters, counted from 1, in the whole query string: the `column` of
//!    every `sqlparser` location. Its `line` is the number of the token (see [`crate::parse::Tokens`]).
//! 3. A kind holds everything that its statement said; what is not obeyed is refused with 0A000.
//!
//! Left out: meaning. Names and types are decided by [`crate::bind`], table definitions by `ddl`.

use std::sync::Arc;

use nqdb_sqlstate::SqlError;
use nqdb_txn::RelationLock;
use nqdb_types::Type;
use sqlparser::ast;

use crate::definition::{Definition, IndexPart, IndexText, QualifiedName};
use crate::parse::Tokens;

/// One statement of a query string.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// The statement's own text, trimmed, without `;`.
    pub text: Arc<str>,
    /// Characters of the query string in front of `text`.
    pub offset_chars: u32,
    /// The tokens of the whole query string, for error positions.
    pub tokens: Arc<Tokens>,
    pub kind: StatementKind,
}

impl Parsed {
    /// Whether it is a query: SELECT, VALUES, TABLE, with WITH in front or without.
    pub fn is_query(&self) -> bool {
        match &self.kind {
            StatementKind::Rows(rows) => match &rows.ast {
                ast::Statement::Query(query) => !crate::bind::is_change(&query.body),
                _ => false,
            },
            _ => false,
        }
    }
}

/// What a statement does, as far as syntax tells.
#[derive(Clone, Debug)]
pub enum StatementKind {
    /// Nothing between two semicolons.
    Empty,
    /// PostgreSQL knows it and we do not: 0A000 when its turn comes, so that what is wrong with the text, or with the
    /// transaction block, is said first.
    Refused(SqlError),
    /// SELECT, VALUES, TABLE, INSERT, UPDATE, DELETE, MERGE.
    Rows(Box<RowsStatement>),
    /// CREATE, ALTER, DROP, TRUNCATE, COMMENT, GRANT, REVOKE, REASSIGN: whatever changes the catalog.
    Ddl(Box<ast::Statement>),
    /// The same in our own grammar.
    Define(Box<Definition>),
    /// CREATE SEQUENCE and ALTER SEQUENCE.
    Sequence(Box<SequenceStatement>),
    Transaction(TransactionStatement),
    /// `SET [SESSION | LOCAL] name { TO | = } value`, also SET TIME ZONE, SET NAMES and SET SESSION
    /// CHARACTERISTICS' plain relatives under the name of their setting.
    Set {
        name: String,
        value: SetValue,
        local: bool,
    },
    /// `SHOW name`, or `SHOW ALL` when there is no name.
    Show(Option<String>),
    /// `RESET name`, or `RESET ALL` when there is no name.
    Reset(Option<String>),
    /// `PREPARE name (types) AS inner`; a type `unknown` is none.
    Prepare {
        name: String,
        types: Vec<Option<ast::DataType>>,
        inner: Box<Parsed>,
    },
    Execute {
        name: String,
        args: Vec<ast::Expr>,
    },
    /// `DEALLOCATE name`, or `DEALLOCATE ALL` when there is no name.
    Deallocate(Option<String>),
    Discard(DiscardTarget),
    Copy(Box<CopyStatement>),
    DeclareCursor(Box<DeclareCursor>),
    /// FETCH and MOVE.
    Fetch(FetchStatement),
    /// `CLOSE name`, or `CLOSE ALL` when there is no name.
    CloseCursor(Option<String>),
    Explain {
        options: ExplainOptions,
        inner: Box<Parsed>,
    },
    Vacuum(VacuumStatement),
    /// `ANALYZE [VERBOSE] [table [(columns)], ...]`; all tables when there is none.
    Analyze {
        verbose: bool,
        /// Tables that others have locked are left out.
        skip_locked: bool,
        tables: Vec<MaintenanceTable>,
    },
    Checkpoint,
    /// `LOCK [TABLE] name, .. [IN mode MODE] [NOWAIT]`.
    Lock(LockTable),
    Listen(String),
    /// `UNLISTEN name`, or `UNLISTEN *` when there is no name.
    Unlisten(Option<String>),
    Notify {
        channel: String,
        payload: String,
    },
}

/// DECLARE CURSOR of a statement of kind [`StatementKind::Rows`].
#[derive(Clone, Debug)]
pub struct DeclareCursor {
    pub name: String,
    pub options: CursorOptions,
    pub query: Parsed,
}

/// The words before and behind CURSOR; those that exclude each other are not both there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CursorOptions {
    pub binary: bool,
    pub scroll: bool,
    pub no_scroll: bool,
    /// Every cursor is insensitive: the word matters beside FOR UPDATE only.
    pub insensitive: bool,
    pub asensitive: bool,
    pub hold: bool,
}

/// FETCH or MOVE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchStatement {
    pub name: String,
    pub movement: CursorMovement,
    pub count: FetchCount,
    /// MOVE: the rows are not given out.
    pub moves: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CursorMovement {
    Forward,
    Backward,
    /// To a row counted from the start, or with a negative count from the end.
    Absolute,
    Relative,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FetchCount {
    Rows(i64),
    All,
}

/// LOCK TABLE.
#[derive(Clone, Debug)]
pub struct LockTable {
    pub tables: Vec<LockedName>,
    pub mode: RelationLock,
    pub no_wait: bool,
}

/// A table that LOCK TABLE names.
#[derive(Clone, Debug)]
pub struct LockedName {
    pub schema: Option<String>,
    pub name: String,
}

/// A statement that reads or writes rows.
#[derive(Clone, Debug)]
pub struct RowsStatement {
    pub ast: ast::Statement,
    /// INSERT's OVERRIDING, which the syntax tree has no place for.
    pub overriding: Option<Overriding>,
    /// Brackets and fields behind target columns, which the syntax tree has no place for either.
    pub target_paths: Vec<TargetPath>,
    /// Targets of ON CONFLICT that are more than columns; the syntax tree has a name with their number instead.
    pub conflict_targets: Vec<ConflictInference>,
}

/// `(part, ..) [WHERE condition]` of ON CONFLICT: which unique indexes it means.
#[derive(Clone, Debug)]
pub struct ConflictInference {
    pub parts: Vec<IndexPart>,
    pub predicate: Option<IndexText>,
}

/// The brackets and fields behind a column that is assigned to.
#[derive(Clone, Debug)]
pub struct TargetPath {
    /// The number of the token that names the column.
    pub name: usize,
    pub steps: Vec<ast::AccessExpr>,
}

/// `OVERRIDING { SYSTEM | USER } VALUE` of INSERT: whose value an identity column takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overriding {
    System,
    User,
}

/// BEGIN and its relatives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransactionStatement {
    /// BEGIN or START TRANSACTION (`start`: the command tag differs).
    Begin {
        start: bool,
        modes: TransactionModes,
    },
    /// SET TRANSACTION.
    SetTransaction(TransactionModes),
    /// SET SESSION CHARACTERISTICS AS TRANSACTION.
    SetSessionCharacteristics(TransactionModes),
    Commit {
        chain: bool,
    },
    Rollback {
        chain: bool,
    },
    /// PREPARE TRANSACTION, under an identifier.
    Prepare(String),
    CommitPrepared(String),
    RollbackPrepared(String),
    Savepoint(String),
    Release(String),
    RollbackTo(String),
    /// SET CONSTRAINTS; no names: ALL.
    SetConstraints {
        names: Option<Vec<QualifiedName>>,
        deferred: bool,
    },
}

/// What BEGIN and SET TRANSACTION say; `None` where they say nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TransactionModes {
    pub isolation: Option<IsolationLevel>,
    pub read_only: Option<bool>,
    pub deferrable: Option<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IsolationLevel {
    ReadUncommitted,
    ReadCommitted,
    RepeatableRead,
    Serializable,
}

impl IsolationLevel {
    /// As `SHOW transaction_isolation` spells it.
    pub fn name(self) -> &'static str {
        match self {
            IsolationLevel::ReadUncommitted => "read uncommitted",
            IsolationLevel::ReadCommitted => "read committed",
            IsolationLevel::RepeatableRead => "repeatable read",
            IsolationLevel::Serializable => "serializable",
        }
    }
}

/// The value of SET.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SetValue {
    Default,
    /// Words, numbers and strings, without their quotes.
    Values(Vec<String>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiscardTarget {
    All,
    Plans,
    Sequences,
    Temp,
}

/// EXPLAIN's options with PostgreSQL's defaults filled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExplainOptions {
    pub analyze: bool,
    pub verbose: bool,
    pub costs: bool,
    pub buffers: bool,
    /// Default: as `analyze`.
    pub timing: bool,
    /// Default: as `analyze`.
    pub summary: bool,
    pub format: ExplainFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExplainFormat {
    Text,
    Json,
    Xml,
    Yaml,
}

/// COPY of a table or a query, to or from the client or a file.
#[derive(Clone, Debug)]
pub struct CopyStatement {
    pub source: CopySource,
    pub direction: CopyDirection,
    /// A file of the server; none for STDIN and STDOUT.
    pub file: Option<String>,
    pub options: CopyOptions,
    /// `WHERE` of COPY FROM.
    pub predicate: Option<ast::Expr>,
}

#[derive(Clone, Debug)]
pub enum CopySource {
    /// `table [(columns)]`; all columns when the list is empty.
    Table { schema: Option<String>, name: String, columns: Vec<NamedAt>, position: u32 },
    /// `(query)`; also `(INSERT ... RETURNING ...)`.
    Query(Box<Parsed>),
}

/// A name and where it stands: characters, counted from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedAt {
    pub name: String,
    pub position: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopyDirection {
    /// FROM.
    In,
    /// TO.
    Out,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopyFormat {
    Text,
    Csv,
    Binary,
}

/// COPY's options with the defaults of the format filled in, checked against each other as PostgreSQL does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyOptions {
    pub format: CopyFormat,
    pub delimiter: u8,
    /// What stands for NULL.
    pub null: String,
    pub header: CopyHeader,
    pub quote: u8,
    pub escape: u8,
    /// CSV output: columns that are always quoted.
    pub force_quote: ForcedColumns,
    /// CSV input: columns in which nothing is NULL.
    pub force_not_null: ForcedColumns,
    /// CSV input: columns in which a quoted NULL string is NULL.
    pub force_null: ForcedColumns,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopyHeader {
    No,
    Yes,
    /// Input: the header must name the columns in order.
    Match,
}

/// A list of columns in an option of COPY.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ForcedColumns {
    None,
    All,
    Named(Vec<String>),
}

/// `VACUUM [(options)] [table [(columns)], ...]`; all tables when there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VacuumStatement {
    pub full: bool,
    pub freeze: bool,
    pub verbose: bool,
    pub analyze: bool,
    /// Tables that others have locked are left out.
    pub skip_locked: bool,
    /// PARALLEL with at least one worker.
    pub is_parallel: bool,
    pub tables: Vec<MaintenanceTable>,
}

/// A table of VACUUM or ANALYZE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaintenanceTable {
    pub schema: Option<String>,
    pub name: String,
    /// All columns when empty.
    pub columns: Vec<NamedAt>,
    pub position: u32,
}

/// CREATE SEQUENCE or ALTER SEQUENCE.
#[derive(Clone, Debug, PartialEq)]
pub struct SequenceStatement {
    pub schema: Option<String>,
    pub name: String,
    /// Where the name stands: characters, counted from 1.
    pub position: u32,
    pub action: SequenceAction,
}

#[derive(Clone, Debug, PartialEq)]
pub enum SequenceAction {
    Create { temporary: bool, if_not_exists: bool, clauses: SequenceClauses },
    Alter { if_exists: bool, clauses: SequenceClauses },
}

/// The clauses that were written; `None` where there was none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SequenceClauses {
    pub data_type: Option<Type>,
    pub increment: Option<i64>,
    /// `Some(None)` is NO MINVALUE.
    pub min: Option<Option<i64>>,
    /// `Some(None)` is NO MAXVALUE.
    pub max: Option<Option<i64>>,
    pub start: Option<i64>,
    /// `Some(None)` is RESTART without a value.
    pub restart: Option<Option<i64>>,
    pub cache: Option<i64>,
    pub cycle: Option<bool>,
    pub owned_by: Option<SequenceOwner>,
    /// SEQUENCE NAME, of the sequence of an identity column: schema and name.
    pub name: Option<(Option<String>, NamedAt)>,
}

/// OWNED BY.
#[derive(Clone, Debug, PartialEq)]
pub enum SequenceOwner {
    None,
    Column { schema: Option<String>, table: NamedAt, column: String },
}
