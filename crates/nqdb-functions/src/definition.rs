//! What a function, an operator and an aggregate is. All of them are `'static`; identity is the OID.

use std::fmt;

use nqdb_sqlstate::{FEATURE_NOT_SUPPORTED, SqlError, SqlResult};
use nqdb_types::{Datum, Oid, oid};

use crate::FunctionContext;
use crate::ordered_set::OrderedSetKind;

/// One row at a time: arguments in, value out.
pub type ScalarFn = fn(&mut FunctionContext<'_>, &[Datum]) -> SqlResult<Datum>;

/// The rows of a set-returning function, produced as they are asked for.
pub type Rows = Box<dyn Iterator<Item = SqlResult<Datum>> + Send>;

/// The rows of a function that returns several columns: the values of its columns, in order.
pub type Records = Box<dyn Iterator<Item = SqlResult<Vec<Datum>>> + Send>;

/// Arguments in, rows of several columns out.
pub type RecordFn = fn(&mut FunctionContext<'_>, &[Datum]) -> SqlResult<Records>;

/// A column of a function's result: an OUT argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutColumn {
    pub name: &'static str,
    pub type_oid: Oid,
}

/// Arguments in, rows out.
pub type SetFn = fn(&mut FunctionContext<'_>, &[Datum]) -> SqlResult<Rows>;

/// When equal arguments give equal results (PostgreSQL manual 38.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Volatility {
    /// Always.
    Immutable,
    /// Within one statement.
    Stable,
    /// Never to be relied on.
    Volatile,
}

/// A row of `pg_proc` with its implementation.
pub struct Function {
    pub oid: Oid,
    pub name: &'static str,
    /// Declared argument types; of a variadic function the last one is the repeated one.
    pub args: &'static [Oid],
    /// Argument names, empty where the function has none.
    pub arg_names: &'static [&'static str],
    /// Text of the default values of the last arguments, in order.
    pub defaults: &'static [&'static str],
    /// The last argument may be repeated.
    pub variadic: bool,
    pub returns: Oid,
    /// A NULL argument gives NULL; `eval` takes care of it itself.
    pub strict: bool,
    pub volatility: Volatility,
    /// Then `rows` or `records` is set. With either of them `eval` refuses.
    pub set_returning: bool,
    /// The OUT arguments; none when the result has no names of its own. Two or more come from `records`, and so do
    /// those of a function that returns `record` and leaves its columns to the caller's column definition list.
    pub columns: &'static [OutColumn],
    pub eval: ScalarFn,
    pub rows: Option<SetFn>,
    pub records: Option<RecordFn>,
}

impl Function {
    /// Whether the caller must say which columns the result has: it returns `record` without OUT arguments.
    pub fn needs_column_definitions(&self) -> bool {
        self.returns == oid::RECORD && self.columns.is_empty()
    }

    /// Whether `eval` reads `FunctionContext::argument_types`: it takes a pseudo-type such as "any".
    pub fn needs_argument_types(&self) -> bool {
        let takes_any = |arg: &Oid| {
            matches!(
                *arg,
                oid::ANY
                    | oid::ANYELEMENT
                    | oid::ANYNONARRAY
                    | oid::ANYENUM
                    | oid::ANYARRAY
                    | oid::ANYCOMPATIBLE
                    | oid::ANYCOMPATIBLEARRAY
                    | oid::ANYCOMPATIBLENONARRAY
            )
        };
        self.args.iter().any(takes_any)
    }

    /// Whether the repeated arguments are handed over as one array: all variadic functions but those over "any".
    pub fn packs_variadic(&self) -> bool {
        self.variadic && self.args.last().is_some_and(|last| *last != oid::ANY)
    }
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.name, self.oid)
    }
}

impl PartialEq for Function {
    fn eq(&self, other: &Function) -> bool {
        self.oid == other.oid
    }
}

impl Eq for Function {}

/// `eval` of a function that returns rows.
pub(crate) fn refuse_set_as_scalar(_: &mut FunctionContext<'_>, _: &[Datum]) -> SqlResult<Datum> {
    Err(SqlError::new(FEATURE_NOT_SUPPORTED, "set-valued function called in context that cannot accept a set"))
}

/// What a comparison operator is to a btree index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Strategy {
    Lt,
    Le,
    Eq,
    Ge,
    Gt,
}

/// A row of `pg_operator`.
#[derive(Debug)]
pub struct Operator {
    pub oid: Oid,
    pub name: &'static str,
    /// `None` for a prefix operator.
    pub left: Option<Oid>,
    pub right: Oid,
    pub function: &'static Function,
    /// Its role in the default btree operator family of its types.
    pub strategy: Option<Strategy>,
    /// The operator's name with its operands swapped.
    pub commutator: Option<&'static str>,
    /// The name of the operator that gives the opposite answer.
    pub negator: Option<&'static str>,
}

impl Operator {
    /// The type of its result.
    pub fn returns(&self) -> Oid {
        self.function.returns
    }
}

impl PartialEq for Operator {
    fn eq(&self, other: &Operator) -> bool {
        self.oid == other.oid
    }
}

impl Eq for Operator {}

/// A row of `pg_aggregate` with its implementation.
pub struct Aggregate {
    pub oid: Oid,
    pub name: &'static str,
    pub args: &'static [Oid],
    pub returns: Oid,
    /// `count(*)`: called with no arguments, once per row.
    pub takes_star: bool,
    /// The last argument may be repeated: the hypothetical-set aggregates alone.
    pub variadic: bool,
    /// It takes sorted rows (WITHIN GROUP) and has no use for `state`.
    pub ordered_set: Option<OrderedSetKind>,
    /// A fresh state for one group.
    pub state: fn() -> Box<dyn Accumulator>,
}

impl fmt::Debug for Aggregate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.name, self.oid)
    }
}

impl PartialEq for Aggregate {
    fn eq(&self, other: &Aggregate) -> bool {
        self.oid == other.oid
    }
}

impl Eq for Aggregate {}

/// The running state of an aggregate over one group. DISTINCT, ORDER BY and FILTER are the executor's.
pub trait Accumulator: Send {
    /// Says what the arguments of the call are, before the first row: polymorphic aggregates need it.
    fn set_argument_types(&mut self, _types: &[Oid]) {}

    /// Takes in one row; NULLs are skipped here where the aggregate skips them.
    fn accumulate(&mut self, args: &[Datum]) -> SqlResult<()>;

    /// As [`Accumulator::accumulate`], with what functions need beyond their arguments: what executors call.
    fn accumulate_in(&mut self, _context: &FunctionContext<'_>, args: &[Datum]) -> SqlResult<()> {
        self.accumulate(args)
    }

    /// Takes out a row that was taken in before, for a window frame whose start moves. False when the state cannot:
    /// it is unchanged then, and the caller starts anew.
    fn retract(&mut self, _args: &[Datum]) -> SqlResult<bool> {
        Ok(false)
    }

    /// Whether a result taken in again stands for the rows that it was made of: `min(min(a, b), c)` is `min(a, b, c)`.
    fn combines_results(&self) -> bool {
        false
    }

    /// The result of the rows so far; the state stays usable.
    fn finish(&mut self) -> SqlResult<Datum>;

    /// Bytes of memory that the state holds.
    fn size_bytes(&self) -> usize;
}
