//! The Bound IR: what a statement means, after names, types and overloads are decided.
//!
//! What always holds:
//! 1. Every [`Expr`] has a type and a nullability; unknown literals and parameters were given one.
//! 2. Columns are opaque [`ColumnId`]s, unique within a statement, defined by exactly one [`Rel`]. A
//!    subquery that mentions a column defined outside of itself is correlated; nothing else marks it.
//! 3. Every function, operator and cast is a resolved entry of the registry (`nqdb_functions`).
//! 4. Names, `*`, USING, default values, identity columns and typmod coercions are already spelled out.
//!
//! Left out: what the two executors decide (access paths, join order), and anything that
//! the binder refuses with 0A000.

mod window;

use std::sync::Arc;

use nqdb_catalog::TableDef;
use nqdb_functions::{Aggregate, Function};
use nqdb_sqlstate::SqlResult;
use nqdb_txn::RowLock;
use nqdb_types::{Datum, RecordShape, Type, oid};

use crate::system::SystemRelation;
pub use window::{Frame, FrameBound, FrameExclusion, FrameOffset, FrameUnit, WindowCall, WindowCallee};

/// A column of some relation within one statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ColumnId(pub u32);

/// A typed scalar expression.
#[derive(Clone, Debug)]
pub struct Expr {
    pub kind: ExprKind,
    pub ty: Type,
    /// False only where NULL is impossible.
    pub nullable: bool,
    /// Where it stands in the statement: characters, counted from 1.
    pub position: Option<u32>,
}

#[derive(Clone, Debug)]
pub enum ExprKind {
    Literal(Datum),
    /// `$1` is 0.
    Param(u16),
    Column(ColumnId),
    /// A function, operator or cast function.
    Call {
        function: &'static Function,
        args: Vec<Expr>,
    },
    /// The same bytes under another type (`varchar` to `text`).
    Relabel(Box<Expr>),
    /// A number as an oid or reg type, and back: a cast without a function of PostgreSQL's. NULL stays NULL.
    Convert {
        arg: Box<Expr>,
        convert: fn(&Datum) -> SqlResult<Datum>,
    },
    /// Through text: output function, then input function of `Expr::ty`.
    ViaText(Box<Expr>),
    /// Length coercion to the typmod of `Expr::ty`; `explicit` truncates where assignment fails.
    Typmod {
        arg: Box<Expr>,
        explicit: bool,
    },
    /// Three-valued, evaluated left to right, stops as soon as the result is known.
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Not(Box<Expr>),
    IsNull {
        arg: Box<Expr>,
        negated: bool,
    },
    /// `IS [NOT] TRUE | FALSE | UNKNOWN`; `Unknown` is spelled `value: None`.
    IsBool {
        arg: Box<Expr>,
        value: Option<bool>,
        negated: bool,
    },
    /// `equal` is the `=` function of the operands' type.
    IsDistinct {
        left: Box<Expr>,
        right: Box<Expr>,
        equal: &'static Function,
        negated: bool,
    },
    /// NULLIF(left, right): its own node, because `left` is evaluated once.
    NullIf {
        left: Box<Expr>,
        right: Box<Expr>,
        equal: &'static Function,
    },
    /// Searched CASE; `CASE x WHEN ...` was rewritten to comparisons with `operand`, evaluated once as [`ExprKind::CaseOperand`].
    Case {
        operand: Option<Box<Expr>>,
        arms: Vec<(Expr, Expr)>,
        otherwise: Option<Box<Expr>>,
    },
    /// The value of the innermost CASE's operand.
    CaseOperand,
    /// Stops at the first argument that is not NULL.
    Coalesce(Vec<Expr>),
    /// GREATEST and LEAST; `less` is the `<` function of the type. NULLs are ignored.
    MinMax {
        args: Vec<Expr>,
        greatest: bool,
        less: &'static Function,
    },
    /// `arg [NOT] IN (list)`; `equal` compares `arg` with each item.
    InList {
        arg: Box<Expr>,
        list: Vec<Expr>,
        equal: &'static Function,
        negated: bool,
    },
    /// A subquery with one column and at most one row (21000 otherwise).
    ScalarSubquery(Box<Query>),
    /// `[NOT] EXISTS` is `Not(Exists)`.
    Exists(Box<Query>),
    /// `arg IN (query)`, `arg op ANY (query)`, `arg op ALL (query)`: one column.
    Quantified {
        arg: Box<Expr>,
        function: &'static Function,
        query: Box<Query>,
        all: bool,
    },
    /// `arg op ANY (array)`, `arg op ALL (array)`.
    QuantifiedArray {
        arg: Box<Expr>,
        function: &'static Function,
        array: Box<Expr>,
        all: bool,
    },
    /// `ARRAY[a, b]`, of type `Expr::ty`; `nested`: the items are arrays, its outer dimension counts them.
    Array {
        items: Vec<Expr>,
        nested: bool,
    },
    /// `ARRAY(SELECT ...)`: one column; arrays as rows make one dimension more.
    ArraySubquery(Box<Query>),
    /// `array[1][2]`, `array[1:2]`.
    Subscript {
        array: Box<Expr>,
        subscripts: Vec<Subscript>,
    },
    /// The array with `value` at the subscripts (`SET a[1] = value`); a NULL array counts as an empty one.
    AssignSubscript {
        array: Box<Expr>,
        subscripts: Vec<Subscript>,
        value: Box<Expr>,
    },
    /// The record with `value` in the place of a field (`SET c.f = value`); a NULL record counts as one of NULLs.
    AssignField {
        record: Box<Expr>,
        index: usize,
        value: Box<Expr>,
        shape: Arc<RecordShape>,
    },
    /// The array of what `element` makes of each element that is not NULL, which is its [`ExprKind::CaseOperand`].
    MapElements {
        array: Box<Expr>,
        element: Box<Expr>,
    },
    /// `ROW(a, b)`, or a whole row of a table. `absent_if_null`: the table's rows always have a value, so that NULLs
    /// only mean that an outer join found no row.
    Row {
        fields: Vec<Expr>,
        shape: Arc<RecordShape>,
        absent_if_null: bool,
    },
    /// A value as one of a domain: its rules are checked.
    Domain {
        arg: Box<Expr>,
        rules: Arc<DomainRules>,
    },
    /// `(record).field`, by position; the name is for EXPLAIN.
    Field {
        record: Box<Expr>,
        index: usize,
        name: Arc<str>,
    },
}

/// What a value must meet to be one of a domain.
#[derive(Clone, Debug)]
pub struct DomainRules {
    /// Schema and name, for the fields of an error.
    pub schema: String,
    pub type_name: String,
    /// The name as messages spell it.
    pub display: String,
    /// The base type.
    pub ty: Type,
    /// Where in the value that is what must meet the rules: itself when there are no steps.
    pub path: Vec<RuleStep>,
    pub not_null: bool,
    /// What the checks call VALUE. No relation defines it: the conversion does, for its checks alone.
    pub value: ColumnId,
    /// In the order in which they are checked.
    pub checks: Vec<Check>,
}

/// A step to the parts of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleStep {
    /// Each element of an array.
    Elements,
    /// A field of a record, by position.
    Field(usize),
}

/// One pair of brackets behind an array; int4. A bound of a slice may be left out; an index is `upper`.
#[derive(Clone, Debug)]
pub struct Subscript {
    pub lower: Option<Expr>,
    pub upper: Option<Expr>,
    pub is_slice: bool,
}

impl Subscript {
    /// The expressions in the brackets.
    pub fn bounds(&self) -> impl Iterator<Item = &Expr> {
        self.lower.iter().chain(&self.upper)
    }

    /// As [`Subscript::bounds`], with the right to change them.
    pub fn bounds_mut(&mut self) -> impl Iterator<Item = &mut Expr> {
        self.lower.iter_mut().chain(&mut self.upper)
    }
}

/// A relational expression with named, ordered output.
#[derive(Clone, Debug)]
pub struct Query {
    pub rel: Rel,
    pub output: Vec<OutputColumn>,
}

#[derive(Clone, Debug)]
pub struct OutputColumn {
    pub id: ColumnId,
    pub name: String,
    pub ty: Type,
    /// The table and column that it comes from unchanged (RowDescription): relation OID and attribute number.
    pub origin: Option<(u32, i16)>,
}

/// A WITH query or the working table of a recursion, unique within a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WithId(pub u32);

/// A query of a WITH list, evaluated once for each time that the relation around it starts.
#[derive(Clone, Debug)]
pub struct WithQuery {
    pub id: WithId,
    pub name: String,
    pub body: WithBody,
}

#[derive(Clone, Debug)]
pub enum WithBody {
    Query(Query),
    /// INSERT, UPDATE, DELETE; its rows are those of RETURNING. Only in [`Bound::With`].
    Change(Box<Bound>),
}

/// A relation: a set of rows over the columns that it defines.
#[derive(Clone, Debug)]
pub enum Rel {
    /// One row without columns.
    OneRow,
    /// `columns`: attribute index (0-based position in `TableDef::columns`) and the id it gets; only columns that are used.
    Scan {
        table: Arc<TableDef>,
        alias: String,
        columns: Vec<(usize, ColumnId)>,
        /// Where a row is and which version of it was read, for who is going to lock or change it; not for anything else.
        address: Option<ColumnId>,
        /// TABLESAMPLE: only these of its rows.
        sample: Option<Box<TableSample>>,
        position: Option<u32>,
    },
    /// A relation of the system's own; `columns` as in [`Rel::Scan`].
    SystemScan {
        relation: &'static SystemRelation,
        alias: String,
        columns: Vec<(usize, ColumnId)>,
        /// What the rows are about, where the relation is the same for many objects: a sequence.
        object: u32,
    },
    Values {
        columns: Vec<(ColumnId, Type)>,
        rows: Vec<Vec<Expr>>,
    },
    /// Functions in FROM, in lockstep: row n has the n-th row of each, NULLs where one has ended. Arguments may mention
    /// columns of what stands before it in FROM.
    FunctionScan {
        functions: Vec<TableFunction>,
        ordinality: Option<ColumnId>,
    },
    /// Set-returning calls of a select list: each row of the input is repeated for the rows of the functions, which run in
    /// lockstep over it; none when all of them are empty.
    ProjectSet {
        input: Box<Rel>,
        functions: Vec<TableFunction>,
    },
    Join {
        kind: JoinKind,
        left: Box<Rel>,
        right: Box<Rel>,
        on: Option<Expr>,
    },
    Filter {
        input: Box<Rel>,
        predicate: Expr,
    },
    /// Defines new columns; those of the input remain visible above it.
    Extend {
        input: Box<Rel>,
        columns: Vec<(ColumnId, Expr)>,
    },
    /// Groups by the key columns (each with the equality of its type); one row in all when `keys` is empty.
    Aggregate {
        input: Box<Rel>,
        keys: Vec<(ColumnId, Expr)>,
        /// With them the input is grouped several times, and a key is NULL where its set lacks it.
        sets: Option<GroupingSets>,
        aggregates: Vec<(ColumnId, AggregateCall)>,
    },
    /// Adds a column for each call over the rows with equal `partition` in the order of `order`; the input's columns
    /// remain visible. Rows come out partition by partition, sorted by both.
    Window {
        input: Box<Rel>,
        partition: Vec<SortKey>,
        order: Vec<SortKey>,
        calls: Vec<(ColumnId, WindowCall)>,
    },
    Sort {
        input: Box<Rel>,
        keys: Vec<SortKey>,
    },
    /// Keeps the first row of each distinct combination of `on`.
    Distinct {
        input: Box<Rel>,
        on: Vec<ColumnId>,
    },
    /// Expressions over parameters and outer columns, int8, NULL means no limit.
    Limit {
        input: Box<Rel>,
        limit: Option<Expr>,
        offset: Option<Expr>,
        /// WITH TIES: by what the input is sorted; rows that are equal in it to the last one come too. Else empty.
        ties: Vec<SortKey>,
    },
    /// WITH queries that `input` and the later ones read by [`Rel::WithScan`]. Those that may be written in place of
    /// their only reference are so already.
    With {
        queries: Vec<WithQuery>,
        input: Box<Rel>,
    },
    /// The rows of a WITH query: which of its output columns, and the ids that they get here.
    WithScan {
        id: WithId,
        name: String,
        columns: Vec<(usize, ColumnId, Type)>,
    },
    /// WITH RECURSIVE: the rows of `seed`, then again and again those that `step` makes of the rows of the round before,
    /// which it reads by [`Rel::WorkTable`]; without `all` each row once. `columns[i]` stands for the `i`th column of both.
    Recursion {
        id: WithId,
        all: bool,
        seed: Box<Query>,
        step: Box<Query>,
        columns: Vec<ColumnId>,
    },
    /// The rows of the last round of the recursion around it.
    WorkTable {
        id: WithId,
        name: String,
        columns: Vec<(usize, ColumnId, Type)>,
    },
    /// FOR UPDATE and the like: locks rows of tables that `input` reads. A row that has changed meanwhile (READ COMMITTED)
    /// is read again: it goes on if `recheck` holds for what it is now, with `recompute` for the columns made of it.
    LockRows {
        input: Box<Rel>,
        locks: Vec<RowLocking>,
        recheck: Option<Expr>,
        recompute: Vec<(ColumnId, Expr)>,
    },
    /// A set operation; `columns[i]` unifies `left[i]` and `right[i]`, which have equal types.
    SetOperation {
        kind: SetKind,
        all: bool,
        left: Box<Query>,
        right: Box<Query>,
        columns: Vec<ColumnId>,
    },
}

/// TABLESAMPLE. Its expressions may mention columns of queries around it, and of what stands before it with LATERAL.
#[derive(Clone, Debug)]
pub struct TableSample {
    pub method: SampleMethod,
    /// float4, 0 to 100.
    pub percentage: Expr,
    /// float8: equal values choose the same rows.
    pub repeat: Option<Expr>,
}

impl TableSample {
    pub fn expressions(&self) -> impl Iterator<Item = &Expr> {
        std::iter::once(&self.percentage).chain(&self.repeat)
    }

    /// As [`TableSample::expressions`], with the right to change them.
    pub fn expressions_mut(&mut self) -> impl Iterator<Item = &mut Expr> {
        std::iter::once(&mut self.percentage).chain(&mut self.repeat)
    }

    /// The part of the rows that it is expected to give: a tenth, as in PostgreSQL, where it is not known.
    pub fn fraction(&self) -> f64 {
        match &self.percentage.kind {
            ExprKind::Literal(Datum::Float4(percentage)) => (f64::from(*percentage) / 100.0).clamp(0.0, 1.0),
            _ => 0.1,
        }
    }
}

/// How rows are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SampleMethod {
    /// Each for itself.
    Bernoulli,
    /// Pages with all of their rows.
    System,
}

impl SampleMethod {
    pub fn name(self) -> &'static str {
        match self {
            SampleMethod::Bernoulli => "bernoulli",
            SampleMethod::System => "system",
        }
    }
}

/// A table of which FOR UPDATE and the like lock rows.
#[derive(Clone, Debug)]
pub struct RowLocking {
    pub table: Arc<TableDef>,
    /// The column that [`Rel::Scan`] puts the address of the row in.
    pub address: ColumnId,
    /// The columns that are read of it.
    pub columns: Vec<(usize, ColumnId)>,
    pub mode: RowLock,
    pub wait: LockWait,
}

/// What to do about a row that somebody else has locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockWait {
    Block,
    /// 55P03.
    NoWait,
    SkipLocked,
}

/// A function whose rows are read.
#[derive(Clone, Debug)]
pub struct TableFunction {
    pub call: TableCall,
    pub form: RowForm,
    /// One for each column of the result.
    pub columns: Vec<FunctionColumn>,
}

/// How what a function gives becomes columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowForm {
    /// A value for each column.
    Columns,
    /// Its values are records: each field is a column.
    Fields,
}

/// A column that a function gives, under the function's own name for it.
#[derive(Clone, Debug)]
pub struct FunctionColumn {
    pub id: ColumnId,
    pub name: String,
    pub ty: Type,
}

#[derive(Clone, Debug)]
pub enum TableCall {
    /// One row with the value of an expression.
    Value(Expr),
    /// The rows of a function, see [`Function::rows`] and [`Function::records`].
    Rows { function: &'static Function, args: Vec<Expr> },
}

impl TableFunction {
    /// The expressions that are evaluated before its first row.
    pub fn expressions(&self) -> &[Expr] {
        match &self.call {
            TableCall::Value(value) => std::slice::from_ref(value),
            TableCall::Rows { args, .. } => args,
        }
    }

    /// As [`TableFunction::expressions`], to be changed.
    pub fn expressions_mut(&mut self) -> &mut [Expr] {
        match &mut self.call {
            TableCall::Value(value) => std::slice::from_mut(value),
            TableCall::Rows { args, .. } => args,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JoinKind {
    Inner,
    Left,
    Right,
    Full,
    Cross,
    /// Left rows that have a partner under `on`, each once; the right side's columns are not visible above. Only
    /// `rewrite` makes it.
    Semi,
    /// Left rows that have no partner under `on`; the right side's columns are not visible above. Only `rewrite` makes it.
    Anti,
}

impl JoinKind {
    /// Whether it shows the columns of its left side only.
    pub fn is_half(self) -> bool {
        matches!(self, JoinKind::Semi | JoinKind::Anti)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetKind {
    Union,
    Intersect,
    Except,
}

#[derive(Clone, Debug)]
pub struct SortKey {
    pub column: ColumnId,
    pub ty: Type,
    pub descending: bool,
    pub nulls_first: bool,
}

/// GROUPING SETS, ROLLUP and CUBE, spelled out.
#[derive(Clone, Debug)]
pub struct GroupingSets {
    /// Positions among the keys; one grouping for each, equal ones too.
    pub sets: Vec<Vec<usize>>,
    /// `GROUPING(a, b)`: for each key a bit, the last one's lowest, that is set where the grouping set lacks it.
    pub groupings: Vec<(ColumnId, Vec<usize>)>,
}

#[derive(Clone, Debug)]
pub struct AggregateCall {
    pub aggregate: &'static Aggregate,
    pub args: Vec<Expr>,
    pub distinct: bool,
    /// The order in which rows are taken in. With `distinct` its expressions are among `args`.
    pub order: Vec<AggregateKey>,
    /// The arguments in parentheses where there is WITHIN GROUP; they stand above the grouping, over its keys.
    pub direct: Vec<Expr>,
    pub filter: Option<Expr>,
    pub ty: Type,
}

/// A key of the ORDER BY inside an aggregate, or of WITHIN GROUP.
#[derive(Clone, Debug)]
pub struct AggregateKey {
    pub expr: Expr,
    pub descending: bool,
    pub nulls_first: bool,
}

impl AggregateCall {
    /// All expressions of the call.
    pub fn expressions(&self) -> impl Iterator<Item = &Expr> {
        let order = self.order.iter().map(|key| &key.expr);
        self.args.iter().chain(order).chain(&self.direct).chain(&self.filter)
    }

    /// As [`AggregateCall::expressions`], with the right to change them.
    pub fn expressions_mut(&mut self) -> impl Iterator<Item = &mut Expr> {
        let order = self.order.iter_mut().map(|key| &mut key.expr);
        self.args.iter_mut().chain(order).chain(&mut self.direct).chain(&mut self.filter)
    }
}

/// A bound statement that reads or writes rows.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "there is one per statement")]
pub enum Bound {
    Query(Query),
    Insert(Insert),
    Update(Update),
    Delete(Delete),
    Merge(Merge),
    /// A statement with WITH queries some of which change rows, or one that changes rows itself. All of them see the same
    /// snapshot; those that change rows run first, in their order, each to its end.
    With {
        queries: Vec<WithQuery>,
        body: Box<Bound>,
    },
}

/// INSERT: `source` yields one value for every live column of the table, in the order of `targets`, already coerced.
#[derive(Clone, Debug)]
pub struct Insert {
    pub table: Arc<TableDef>,
    pub source: Query,
    /// Attribute index for each column of `source`; columns that are missing here get `defaults`.
    pub targets: Vec<usize>,
    /// Default, identity or NULL for each attribute not in `targets`.
    pub defaults: Vec<(usize, Expr)>,
    /// The new row's columns, as CHECK, RETURNING and (as EXCLUDED) ON CONFLICT see them.
    pub row: Vec<(usize, ColumnId)>,
    /// Generated columns, computed over `row`, also after DO UPDATE.
    pub generated: Vec<(usize, Expr)>,
    pub checks: Vec<Check>,
    pub on_conflict: Option<OnConflict>,
    pub returning: Option<Returning>,
}

#[derive(Clone, Debug)]
pub struct OnConflict {
    /// Indexes (positions in `TableDef::indexes`) that arbitrate; all unique ones when none was named.
    pub arbiters: Vec<usize>,
    pub action: ConflictAction,
}

#[derive(Clone, Debug)]
pub enum ConflictAction {
    Nothing,
    /// `existing` defines the row in the table; EXCLUDED is [`Insert::row`].
    /// `result` defines the row after the update, for CHECK and RETURNING.
    Update {
        existing: Vec<(usize, ColumnId)>,
        set: Vec<(usize, Expr)>,
        predicate: Option<Expr>,
    },
}

/// UPDATE of one table.
#[derive(Clone, Debug)]
pub struct Update {
    pub table: Arc<TableDef>,
    /// Every live column of the old row.
    pub old: Vec<(usize, ColumnId)>,
    pub alias: String,
    /// The other tables of FROM.
    pub from: Option<JoinedChange>,
    /// The cursor of WHERE CURRENT OF; there is no predicate then.
    pub current_of: Option<String>,
    pub predicate: Option<Expr>,
    pub set: Vec<(usize, Expr)>,
    /// The new row's columns, as CHECK and RETURNING see them.
    pub row: Vec<(usize, ColumnId)>,
    /// Generated columns, computed over `row`.
    pub generated: Vec<(usize, Expr)>,
    pub checks: Vec<Check>,
    pub returning: Option<Returning>,
}

#[derive(Clone, Debug)]
pub struct Delete {
    pub table: Arc<TableDef>,
    pub old: Vec<(usize, ColumnId)>,
    pub alias: String,
    /// The other tables of USING.
    pub using: Option<JoinedChange>,
    /// The cursor of WHERE CURRENT OF; there is no predicate then.
    pub current_of: Option<String>,
    pub predicate: Option<Expr>,
    pub returning: Option<Returning>,
}

/// The rows that UPDATE ... FROM and DELETE ... USING join with their table.
#[derive(Clone, Debug)]
pub struct JoinedChange {
    pub rel: Rel,
    /// Where the address of the row to change will be.
    pub address: ColumnId,
}

/// MERGE: rows of a source, each with the row of the table that it matches, if there is one.
#[derive(Clone, Debug)]
pub struct Merge {
    pub table: Arc<TableDef>,
    pub alias: String,
    /// Every live column of the matched row.
    pub old: Vec<(usize, ColumnId)>,
    /// The source joined with the table; the address is NULL where nothing matches.
    pub joined: JoinedChange,
    /// What makes a row match, for its newest version.
    pub on: Expr,
    /// The first whose kind and condition fit a row says what happens to it.
    pub clauses: Vec<MergeClause>,
    /// The new row's columns, as CHECK sees them.
    pub row: Vec<(usize, ColumnId)>,
    pub checks: Vec<Check>,
}

#[derive(Clone, Debug)]
pub struct MergeClause {
    pub matched: bool,
    pub condition: Option<Expr>,
    pub action: MergeAction,
}

#[derive(Clone, Debug)]
pub enum MergeAction {
    Nothing,
    Delete,
    Update(Vec<(usize, Expr)>),
    /// One value for every live column.
    Insert(Vec<(usize, Expr)>),
}

/// A CHECK constraint over the new row; fails when false, not when NULL.
#[derive(Clone, Debug)]
pub struct Check {
    pub name: String,
    pub predicate: Expr,
    /// It is the condition of the view of that name, with CHECK OPTION: it must be true, NULL is not enough.
    pub of_view: bool,
}

#[derive(Clone, Debug)]
pub struct Returning {
    pub columns: Vec<(OutputColumn, Expr)>,
}

impl Bound {
    /// The columns that the statement returns to the client, none when it returns no rows.
    pub fn output(&self) -> Option<Vec<OutputColumn>> {
        let mut columns = self.output_columns()?;
        // Within the binder the modifier of a record is its shape.
        for column in &mut columns {
            if matches!(column.ty.oid, oid::RECORD | oid::RECORD_ARRAY) {
                column.ty.typmod = -1;
            }
        }
        Some(columns)
    }

    fn output_columns(&self) -> Option<Vec<OutputColumn>> {
        let returning = match self {
            Bound::Query(query) => return Some(query.output.clone()),
            Bound::Insert(insert) => &insert.returning,
            Bound::Update(update) => &update.returning,
            Bound::Delete(delete) => &delete.returning,
            Bound::Merge(_) => return None,
            Bound::With { body, .. } => return body.output(),
        };
        returning.as_ref().map(|returning| returning.columns.iter().map(|(column, _)| column.clone()).collect())
    }
}
