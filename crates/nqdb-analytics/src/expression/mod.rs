//! Scalar expressions over batches.
//!
//! | file | what it does |
//! |---|---|
//! | `compile` | from the Bound IR's expressions to [`Expression`] |
//! | `call` | which calls have a kernel |
//! | `evaluate` | runs one over the rows of a batch |
//! | `conditional` | AND, OR, CASE, COALESCE: what is not needed is not evaluated |
//! | `compare`, `arithmetic`, `calendar`, `text`, `key` | the kernels |
//! | `by_row` | what has none: the row executor's own evaluation |
//! | `physical` | the face that DataFusion sees |
//!
//! What always holds:
//!
//! 1. An error is raised only by a row that SQL evaluates: the right side of AND, OR, CASE and COALESCE sees the rows
//!    that got there, and a constant expression that fails does so when a row asks for it.
//! 2. A kernel gives what the function of the registry gives. Where it would have to raise an error, it leaves the batch to
//!    the function, which words it.
//! 3. Nothing in here asks a session; functions that do are not compiled.

mod arithmetic;
mod by_row;
mod calendar;
mod call;
mod compare;
mod compile;
mod conditional;
mod evaluate;
mod key;
mod physical;
#[cfg(test)]
mod tests;
mod text;

use std::collections::HashSet;
use std::sync::Arc;

use nqdb_functions::Function;
use nqdb_sql::RowExpression;
use nqdb_sqlstate::{SqlError, SqlResult};
use nqdb_types::{Datum, FormatContext, Type};

pub(crate) use arithmetic::fit_64_bits;
pub(crate) use call::{asks_no_session, is_comparison, is_equality};
pub(crate) use compile::{Columns, Compiler, Constants, SubqueryValues, Wanted, aligned, subquery_key};
pub(crate) use evaluate::{Rows, holding, lifted};
pub(crate) use physical::physical;

use crate::shape::Shape;
use crate::watch::Stop;

/// What functions need beyond their arguments.
#[derive(Debug)]
pub(crate) struct EvalContext {
    pub format: FormatContext,
    pub transaction_time_micros: i64,
    pub statement_time_micros: i64,
    pub stop: Stop,
}

/// An expression that is ready to run.
#[derive(Debug)]
pub(crate) struct Expression {
    pub node: Node,
    pub shape: Shape,
    /// Evaluating it for a row that SQL would not evaluate could raise an error.
    pub can_fail: bool,
}

#[derive(Debug)]
pub(crate) enum Node {
    Column(usize),
    Constant(Datum),
    /// A constant expression that failed: it does so again whenever a row asks for it.
    Raise(SqlError),
    /// Arrays of one kind, by their own order.
    Compare {
        comparison: Comparison,
        args: Box<[Expression; 2]>,
    },
    /// `fallback` words the errors.
    Arithmetic {
        operation: Operation,
        args: Box<[Expression; 2]>,
        fallback: &'static Function,
    },
    /// A constant pattern without escapes.
    Like {
        arg: Box<Expression>,
        pattern: String,
        negated: bool,
    },
    /// `extract(field from ...)` of a date or a timestamp.
    DatePart {
        part: DatePart,
        arg: Box<Expression>,
    },
    /// `date_trunc(unit, ...)` of a timestamp.
    DateTrunc {
        unit: DateUnit,
        arg: Box<Expression>,
    },
    /// Integers into wider integers or decimals.
    Widen(Box<Expression>),
    /// Any function, row by row.
    Call {
        function: &'static Function,
        args: Vec<Expression>,
        types: Vec<Type>,
    },
    /// What is no function, row by row.
    RowWise {
        operation: RowOperation,
        args: Vec<Expression>,
    },
    /// What only the row executor has, whole: its columns and parameters are all that it reads.
    ByRow {
        expression: RowExpression,
        params: Arc<[Datum]>,
        args: Vec<Expression>,
    },
    /// The same values in another array.
    Reshape(Box<Expression>),
    /// The form in which values are grouped, joined and ordered.
    Key(Box<Expression>),
    And(Vec<Expression>),
    Or(Vec<Expression>),
    Not(Box<Expression>),
    IsNull {
        arg: Box<Expression>,
        negated: bool,
    },
    IsBool {
        arg: Box<Expression>,
        value: Option<bool>,
        negated: bool,
    },
    Case {
        arms: Vec<(Expression, Expression)>,
        otherwise: Option<Box<Expression>>,
    },
    Coalesce(Vec<Expression>),
    InSet {
        arg: Box<Expression>,
        set: ConstantSet,
        has_null: bool,
        negated: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Less,
    LessEqual,
    Equal,
    NotEqual,
    GreaterEqual,
    Greater,
}

impl Comparison {
    /// The comparison that says the same with its sides exchanged.
    pub fn exchanged(self) -> Comparison {
        match self {
            Comparison::Less => Comparison::Greater,
            Comparison::LessEqual => Comparison::GreaterEqual,
            Comparison::GreaterEqual => Comparison::LessEqual,
            Comparison::Greater => Comparison::Less,
            same @ (Comparison::Equal | Comparison::NotEqual) => same,
        }
    }

    pub fn holds(self, left: i128, right: i128) -> bool {
        match self {
            Comparison::Less => left < right,
            Comparison::LessEqual => left <= right,
            Comparison::Equal => left == right,
            Comparison::NotEqual => left != right,
            Comparison::GreaterEqual => left >= right,
            Comparison::Greater => left > right,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Add,
    Subtract,
    Multiply,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DatePart {
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Quarter,
    DayOfYear,
    /// From Sunday, 0.
    DayOfWeek,
    /// From Monday, 1, to Sunday.
    IsoDayOfWeek,
}

/// What `date_trunc` cuts a timestamp down to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DateUnit {
    Year,
    Quarter,
    Month,
    Week,
    Day,
    Hour,
    Minute,
    Second,
}

/// What the IR has besides functions, for one row.
#[derive(Clone, Debug)]
pub(crate) enum RowOperation {
    Convert(fn(&Datum) -> SqlResult<Datum>),
    ViaText { from: Type, to: Type },
    Typmod { ty: Type, explicit: bool },
    IsDistinct { equal: &'static Function, negated: bool },
    NullIf { equal: &'static Function },
    MinMax { greatest: bool, type_oid: nqdb_types::Oid },
}

/// The constants of an IN list.
#[derive(Debug)]
pub(crate) enum ConstantSet {
    Integers(HashSet<i64, foldhash::fast::RandomState>),
    Decimals(HashSet<i128, foldhash::fast::RandomState>),
    Texts(HashSet<String, foldhash::fast::RandomState>),
}

impl Expression {
    pub fn column(index: usize, shape: Shape) -> Expression {
        Expression { node: Node::Column(index), shape, can_fail: false }
    }

    /// A constant in the array that suits it best.
    pub fn constant(datum: Datum, ty: Type) -> Expression {
        let shape = Shape::of_datum(&datum, ty);
        Expression { node: Node::Constant(datum), shape, can_fail: false }
    }

    /// The conjunction of conditions.
    pub fn all_of(mut conditions: Vec<Expression>) -> Expression {
        if conditions.len() == 1
            && let Some(condition) = conditions.pop()
        {
            return condition;
        }
        let can_fail = conditions.iter().any(|condition| condition.can_fail);
        Expression { node: Node::And(conditions), shape: Shape::BOOL, can_fail }
    }

    pub fn as_constant(&self) -> Option<&Datum> {
        match &self.node {
            Node::Constant(datum) => Some(datum),
            _ => None,
        }
    }

    /// Whether it is the constant `true`.
    pub fn is_true(&self) -> bool {
        self.as_constant().and_then(Datum::as_bool) == Some(true)
    }

    /// The same values in another shape of their type.
    pub fn reshaped(self, shape: Shape) -> Expression {
        match self.node {
            _ if self.shape == shape => self,
            Node::Constant(_) | Node::Raise(_) => Expression { shape, ..self },
            _ => {
                let can_fail = self.can_fail;
                Expression { node: Node::Reshape(Box::new(self)), shape, can_fail }
            }
        }
    }

    /// The columns that it reads.
    pub fn mark_columns(&self, used: &mut [bool]) {
        if let Node::Column(index) = &self.node
            && let Some(used) = used.get_mut(*index)
        {
            *used = true;
        }
        self.for_each_child(&mut |child| child.mark_columns(used));
    }

    fn for_each_child(&self, f: &mut dyn FnMut(&Expression)) {
        match &self.node {
            Node::Column(_) | Node::Constant(_) | Node::Raise(_) => {}
            Node::Compare { args, .. } | Node::Arithmetic { args, .. } => args.iter().for_each(f),
            Node::Like { arg, .. }
            | Node::DatePart { arg, .. }
            | Node::DateTrunc { arg, .. }
            | Node::Widen(arg)
            | Node::Reshape(arg)
            | Node::Key(arg)
            | Node::Not(arg)
            | Node::IsNull { arg, .. }
            | Node::IsBool { arg, .. }
            | Node::InSet { arg, .. } => f(arg),
            Node::Call { args, .. }
            | Node::RowWise { args, .. }
            | Node::ByRow { args, .. }
            | Node::And(args)
            | Node::Or(args)
            | Node::Coalesce(args) => args.iter().for_each(f),
            Node::Case { arms, otherwise } => {
                for (condition, result) in arms {
                    f(condition);
                    f(result);
                }
                if let Some(otherwise) = otherwise {
                    f(otherwise);
                }
            }
        }
    }
}
