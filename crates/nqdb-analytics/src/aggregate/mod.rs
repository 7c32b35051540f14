//! Aggregates as DataFusion runs them: one state for each group, for whole batches at a time.
//!
//! | file | what it does |
//! |---|---|
//! | `function` | the face that DataFusion sees |
//! | `count`, `exact_sum`, `float_sum`, `extreme` | aggregates with states of their own |
//! | `registry` | every other aggregate: the registry's accumulator, one for each group |
//! | `distinct` | the first of equal arguments, for any of the above |
//! | `sorted` | any aggregate over rows in an order |
//! | `first` | the first value of a group |
//!
//! What always holds:
//!
//! 1. A result has the value, scale and type that the registry's aggregate gives. A sum that needs more than 38 digits
//!    declines.
//! 2. Where a state can be merged, the aggregate runs in two phases: each partition of the input on its own, then the
//!    states. Sums of floats are added in another order then, as in PostgreSQL's parallel plans.

mod count;
mod distinct;
mod exact_sum;
mod extreme;
mod first;
mod float_sum;
mod function;
mod registry;
mod sorted;

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray};
use datafusion_expr::EmitTo;
use nqdb_functions::{Aggregate, aggregate_by_oid};
use nqdb_sqlstate::{OUT_OF_MEMORY, SqlError};
use nqdb_types::oid;

pub(crate) use exact_sum::finished_sum;
pub(crate) use float_sum::float_sum;
pub(crate) use function::aggregate_function;
pub(crate) use sorted::Sorting;

use crate::expression::EvalContext;
use crate::failure::{Failure, Outcome};
use crate::shape::{DECIMAL_DIGITS_MAX, Repr, Shape};

/// The states of all groups of one aggregate.
pub(crate) trait Groups: Send {
    /// There are this many groups now; new ones are empty.
    fn resize(&mut self, groups: usize);
    /// Takes in rows: `groups[i]` is the group of row `i`. Rows that the filter does not let through are skipped.
    fn update(&mut self, values: &[ArrayRef], groups: &[usize], filter: Option<&BooleanArray>) -> Outcome<()>;
    /// Takes in states that [`Groups::state`] gave.
    fn merge(&mut self, states: &[ArrayRef], groups: &[usize]) -> Outcome<()>;
    /// The results of the first groups, which are forgotten.
    fn finish(&mut self, emit: EmitTo) -> Outcome<ArrayRef>;
    /// The states of the first groups, which are forgotten.
    fn state(&mut self, emit: EmitTo) -> Outcome<Vec<ArrayRef>>;
    fn size_bytes(&self) -> usize;
}

/// One aggregate call, as it will be run.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub kind: Kind,
    oid: u32,
    name: &'static str,
    args: Vec<Shape>,
    pub result: Shape,
    distinct: bool,
    /// Of [`Kind::Sorted`].
    sorting: Option<Arc<Sorting>>,
    /// It may decline when it comes to it.
    pub may_decline: bool,
}

/// Which states an aggregate has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// `count(*)` when it has no argument.
    Count,
    /// Sums of integers and decimals; `scale` is that of the sum.
    ExactSum {
        scale: u8,
        output: SumOutput,
    },
    FloatSum {
        narrow: bool,
        average: bool,
    },
    /// Numbers, dates, texts.
    Extreme {
        greatest: bool,
    },
    /// By the registry; results of parts can be fed to it again.
    Registry {
        mergeable: bool,
    },
    /// By the registry, over sorted rows.
    Sorted,
    /// The first value, of a key that its group is not made by.
    First,
}

/// What becomes of a sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum SumOutput {
    Integer,
    Decimal,
    Average,
}

impl Call {
    /// How an aggregate is run over arguments of these shapes; declines those that depend on the order of rows.
    pub fn new(aggregate: &'static Aggregate, args: Vec<Shape>, ty: nqdb_types::Type, distinct: bool) -> Outcome<Call> {
        let arg = args.first().copied();
        let opaque = Shape::of_type(ty);
        let (kind, result) = match (aggregate.name, arg) {
            ("count", _) => (Kind::Count, Shape::INT8),
            ("sum", Some(arg)) => match arg.repr {
                Repr::Int16 | Repr::Int32 => (Kind::ExactSum { scale: 0, output: SumOutput::Integer }, opaque),
                Repr::Int64 if arg.ty.oid == oid::INT8 => decimal_sum(0, 38, ty),
                Repr::Decimal { scale, digits } => decimal_sum(scale, digits + 19, ty),
                Repr::Float32 => (Kind::FloatSum { narrow: true, average: false }, opaque),
                Repr::Float64 => (Kind::FloatSum { narrow: false, average: false }, opaque),
                _ if matches!(arg.ty.oid, oid::NUMERIC | oid::INTERVAL) => (Kind::Registry { mergeable: true }, opaque),
                _ => return Err(UNKNOWN),
            },
            ("avg", Some(arg)) => match arg.repr {
                Repr::Int16 | Repr::Int32 | Repr::Int64 => {
                    (Kind::ExactSum { scale: 0, output: SumOutput::Average }, opaque)
                }
                Repr::Decimal { scale, .. } => (Kind::ExactSum { scale, output: SumOutput::Average }, opaque),
                Repr::Float32 | Repr::Float64 => (Kind::FloatSum { narrow: false, average: true }, opaque),
                _ if matches!(arg.ty.oid, oid::NUMERIC | oid::INTERVAL) => {
                    (Kind::Registry { mergeable: false }, opaque)
                }
                _ => return Err(UNKNOWN),
            },
            ("min" | "max", Some(arg)) => match arg.repr {
                Repr::Bool | Repr::Opaque | Repr::Bytes | Repr::Float32 | Repr::Float64 => {
                    (Kind::Registry { mergeable: true }, opaque)
                }
                _ => (Kind::Extreme { greatest: aggregate.name == "max" }, Shape { ty, repr: arg.repr }),
            },
            ("bool_and" | "bool_or" | "every" | "bit_and" | "bit_or" | "bit_xor", _) => {
                (Kind::Registry { mergeable: true }, opaque)
            }
            ("var_pop" | "var_samp" | "variance" | "stddev_pop" | "stddev_samp" | "stddev", Some(arg))
                if !matches!(arg.repr, Repr::Float32 | Repr::Float64) =>
            {
                (Kind::Registry { mergeable: false }, opaque)
            }
            // Sums of floats in the end: their last digits depend on the order of the rows.
            (name, _) if aggregate.args.iter().all(|arg| *arg == oid::FLOAT8 || *arg == oid::FLOAT4) => {
                let is_known = name.starts_with("regr_") || name.starts_with("covar_") || name == "corr";
                if !is_known && !name.starts_with("var") && !name.starts_with("stddev") {
                    return Err(UNKNOWN);
                }
                (Kind::Registry { mergeable: false }, opaque)
            }
            _ => return Err(UNKNOWN),
        };
        if distinct && (args.len() != 1 || !arg.is_some_and(Shape::groups_by_itself)) {
            return Err(Failure::Declined("DISTINCT over values that do not compare by their bytes"));
        }
        let may_decline = matches!(kind, Kind::ExactSum { .. })
            && arg.is_some_and(
                |arg| matches!(arg.repr, Repr::Decimal { digits, .. } if digits + 19 > DECIMAL_DIGITS_MAX),
            );
        Ok(Call { kind, oid: aggregate.oid, name: aggregate.name, args, result, distinct, sorting: None, may_decline })
    }

    /// Over rows in an order.
    pub fn sorted(sorting: Sorting, ty: nqdb_types::Type) -> Call {
        let aggregate = sorting.aggregate;
        Call {
            kind: Kind::Sorted,
            oid: aggregate.oid,
            name: aggregate.name,
            args: sorting.args.clone(),
            result: Shape::of_type(ty),
            distinct: false,
            sorting: Some(Arc::new(sorting)),
            may_decline: false,
        }
    }

    /// `count(*)`.
    pub fn count() -> Call {
        Call { kind: Kind::Count, name: "count", ..Call::first(Shape::INT8) }
    }

    /// The first value of each group.
    pub fn first(shape: Shape) -> Call {
        Call {
            kind: Kind::First,
            oid: 0,
            name: "first",
            args: vec![shape],
            result: shape,
            distinct: false,
            sorting: None,
            may_decline: false,
        }
    }

    /// The registry's aggregate.
    pub fn aggregate(&self) -> Outcome<&'static Aggregate> {
        Ok(aggregate_by_oid(self.oid).ok_or_else(|| SqlError::internal("an aggregate is gone"))?)
    }

    /// Whether states of parts of the input can be merged.
    pub fn is_mergeable(&self) -> bool {
        !self.distinct && !matches!(self.kind, Kind::Registry { mergeable: false } | Kind::Sorted)
    }

    /// Whether the last digits of a result depend on the order of the rows.
    pub fn depends_on_order(&self) -> bool {
        matches!(self.kind, Kind::FloatSum { .. })
    }

    /// The arrays of a state.
    fn state_shapes(&self) -> Vec<Shape> {
        match self.kind {
            Kind::Count => vec![Shape::INT8],
            Kind::ExactSum { scale, .. } => vec![exact_sum::sum_shape(scale), Shape::INT8],
            Kind::FloatSum { .. } => vec![Shape::of_type(nqdb_types::Type::FLOAT8), Shape::INT8],
            _ => vec![self.result],
        }
    }

    /// States for groups of it.
    pub fn groups(&self, cx: &Arc<EvalContext>) -> Outcome<Box<dyn Groups>> {
        let groups: Box<dyn Groups> = match self.kind {
            Kind::Count => Box::new(count::Counts::default()),
            Kind::ExactSum { scale, output } => Box::new(exact_sum::ExactSums::new(scale, output, self.result)),
            Kind::FloatSum { narrow, average } => Box::new(float_sum::FloatSums::new(narrow, average)),
            Kind::Extreme { greatest } => extreme::extremes(self.result, greatest)?,
            Kind::First => Box::new(first::Firsts::new(self.result)),
            Kind::Sorted => {
                let sorting = self.sorting.clone().ok_or_else(|| SqlError::internal("an order is missing"))?;
                Box::new(sorted::SortedGroups::new(sorting, self.result, cx.clone()))
            }
            Kind::Registry { mergeable } => {
                Box::new(registry::Accumulators::new(self.aggregate()?, self.args.clone(), self.result, mergeable))
            }
        };
        Ok(if self.distinct { Box::new(distinct::DistinctGroups::new(groups)) } else { groups })
    }
}

const UNKNOWN: Failure = Failure::Declined("an aggregate that has no vectorised form");

fn decimal_sum(scale: u8, digits: u16, ty: nqdb_types::Type) -> (Kind, Shape) {
    let shape = Shape { ty, repr: Repr::Decimal { scale, digits } };
    (Kind::ExactSum { scale, output: SumOutput::Decimal }, shape)
}

/// Calls `f` with each row that counts: it passes the filter and its first argument is not NULL.
fn for_each_row(
    values: Option<&ArrayRef>,
    groups: &[usize],
    filter: Option<&BooleanArray>,
    mut f: impl FnMut(usize, usize) -> Outcome<()>,
) -> Outcome<()> {
    let nulls = values.and_then(|values| values.logical_nulls());
    for (row, group) in groups.iter().enumerate() {
        if nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
            continue;
        }
        if filter.is_some_and(|filter| !(filter.is_valid(row) && filter.value(row))) {
            continue;
        }
        f(row, *group)?;
    }
    Ok(())
}

/// An argument of an aggregate.
fn argument(values: &[ArrayRef], index: usize) -> Outcome<&ArrayRef> {
    let missing = || SqlError::internal("an aggregate was called without its argument");
    Ok(values.get(index).ok_or_else(missing)?)
}

/// States are asked for where none exist when groups do not fit into memory and are to be spilled.
fn no_state() -> Failure {
    let detail = "Groups of aggregates with DISTINCT, and of some others, are not spilled to disk.";
    let hint = "Raise the server's --memory, or let the row executor do it (nqdb.executor).";
    SqlError::new(OUT_OF_MEMORY, "out of memory").with_detail(detail).with_hint(hint).into()
}

fn array<A: Array + 'static>(array: A) -> ArrayRef {
    Arc::new(array)
}
