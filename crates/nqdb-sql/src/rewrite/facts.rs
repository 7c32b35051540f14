//! What is known about an expression before it runs: whether it can fail, whether it can be NULL, what it rejects.
//!
//! All answers are on the safe side: a function that is not known here can fail and can be NULL.

use std::collections::HashMap;
use std::sync::OnceLock;

use foldhash::fast::RandomState;
use nqdb_functions::{Function, all_operators};
use nqdb_types::{Datum, Oid, oid};

use crate::exec::Comparison;
use crate::ir::{AggregateCall, ColumnId, Expr, ExprKind, JoinKind, Query, Rel};
use crate::plan::compile::comparison_of;
use crate::plan::mentions::{Columns, expressions, operands, split_conjuncts, walk};

/// How the evaluation of an expression can end in an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Failure {
    /// Not at all.
    Never,
    /// Only where a number or a date leaves the range of its type: nobody writes a condition as a guard against that,
    /// and PostgreSQL moves such expressions as freely.
    Range,
    /// On values that another condition may be there to keep away: a division, a cast from text.
    Value,
}

/// Fields of `extract` and `date_part` that every date and timestamp has.
const DATE_FIELDS: [&str; 12] =
    ["year", "month", "day", "quarter", "week", "dow", "isodow", "doy", "isoyear", "decade", "century", "millennium"];

/// How an expression can fail.
pub(crate) fn failure(expr: &Expr) -> Failure {
    let here = match &expr.kind {
        ExprKind::Literal(_)
        | ExprKind::Param(_)
        | ExprKind::Column(_)
        | ExprKind::CaseOperand
        | ExprKind::Relabel(_)
        | ExprKind::And(_)
        | ExprKind::Or(_)
        | ExprKind::Not(_)
        | ExprKind::IsNull { .. }
        | ExprKind::IsBool { .. }
        | ExprKind::Case { .. }
        | ExprKind::Coalesce(_)
        | ExprKind::MinMax { .. } => Failure::Never,
        // An element that is not there is NULL.
        ExprKind::Subscript { subscripts, .. } if !subscripts.iter().any(|subscript| subscript.is_slice) => {
            Failure::Never
        }
        ExprKind::Call { function, args } => call_failure(function, args),
        ExprKind::IsDistinct { equal, .. } | ExprKind::NullIf { equal, .. } | ExprKind::InList { equal, .. } => {
            comparison_failure(equal)
        }
        ExprKind::Typmod { explicit: true, .. } if is_text(expr.ty.oid) => Failure::Never,
        ExprKind::Exists(query) => rel_failure(&query.rel),
        ExprKind::Quantified { function, query, .. } => comparison_failure(function).max(rel_failure(&query.rel)),
        ExprKind::ScalarSubquery(query) if gives_one_row(&query.rel) => rel_failure(&query.rel),
        _ => Failure::Value,
    };
    operands(expr).into_iter().map(failure).fold(here, Failure::max)
}

/// How the expressions of a relation, and of all below it, can fail.
pub(crate) fn rel_failure(rel: &Rel) -> Failure {
    let mut worst = Failure::Never;
    walk(rel, &mut |rel| {
        let here = match rel {
            Rel::FunctionScan { .. } | Rel::ProjectSet { .. } | Rel::Window { .. } => Failure::Value,
            // A negative count is an error.
            Rel::Limit { limit, offset, .. } if !limit.iter().chain(offset).all(is_count) => Failure::Value,
            _ => Failure::Never,
        };
        worst = expressions(rel).into_iter().map(failure).fold(worst.max(here), Failure::max);
    });
    worst
}

fn is_count(expr: &Expr) -> bool {
    matches!(&expr.kind, ExprKind::Literal(count) if count.is_null() || count.as_integer().is_some_and(|count| count >= 0))
}

/// Whether a query gives one row whatever it reads.
fn gives_one_row(rel: &Rel) -> bool {
    match rel {
        Rel::OneRow => true,
        Rel::Aggregate { keys, sets: None, .. } => keys.is_empty(),
        Rel::Extend { input, .. } | Rel::Sort { input, .. } => gives_one_row(input),
        _ => false,
    }
}

fn comparison_failure(function: &Function) -> Failure {
    if comparison_of(function).is_some() { Failure::Never } else { Failure::Value }
}

fn call_failure(function: &Function, args: &[Expr]) -> Failure {
    if comparison_of(function).is_some() {
        return Failure::Never;
    }
    if let Some(symbol) = operator_symbol(function) {
        return operator_failure(symbol, function, args);
    }
    match function.name {
        "lower" | "upper" | "length" | "char_length" | "character_length" | "octet_length" | "btrim" | "ltrim"
        | "rtrim" | "strpos" | "position" | "starts_with" | "concat" | "concat_ws" | "reverse" | "ascii" | "md5"
        | "text" | "bpchar" | "name" => Failure::Never,
        "substring" | "substr" if args.len() == 3 => match &args[2].kind {
            ExprKind::Literal(length) if length.as_integer().is_some_and(|length| length >= 0) => Failure::Never,
            _ => Failure::Value,
        },
        "left" | "right" => Failure::Never,
        "extract" | "date_part" => match args {
            [field, value] if is_date(value.ty.oid) && literal_text(field).is_some_and(is_date_field) => Failure::Never,
            _ => Failure::Value,
        },
        "numeric" | "float8" | "float4" | "int8" | "int4" | "int2" | "timestamp" | "date" => match args {
            [arg] if widens(arg.ty.oid, function.returns) => Failure::Never,
            [arg] if is_number(arg.ty.oid) || is_date(arg.ty.oid) => Failure::Range,
            _ => Failure::Value,
        },
        "abs" | "round" | "trunc" | "ceil" | "ceiling" | "floor" | "sign" => Failure::Range,
        _ => Failure::Value,
    }
}

fn operator_failure(symbol: &str, function: &Function, args: &[Expr]) -> Failure {
    let plain = args.iter().all(|arg| is_number(arg.ty.oid) || is_date(arg.ty.oid) || arg.ty.oid == oid::INTERVAL);
    match symbol {
        "+" | "-" | "*" if plain && function.returns == oid::NUMERIC => Failure::Never,
        "+" | "-" | "*" | "@" if plain => Failure::Range,
        "/" | "%" if plain && args.get(1).is_some_and(is_nonzero_literal) => Failure::Range,
        "||" if is_text(function.returns) => Failure::Never,
        "~~" | "!~~" | "~~*" | "!~~*" => match args.get(1).and_then(literal_text) {
            Some(pattern) if !pattern.ends_with('\\') => Failure::Never,
            _ => Failure::Range,
        },
        _ => Failure::Value,
    }
}

/// The operator that a function implements.
pub(crate) fn operator_symbol(function: &Function) -> Option<&'static str> {
    static SYMBOLS: OnceLock<HashMap<Oid, &'static str, RandomState>> = OnceLock::new();
    let symbols =
        SYMBOLS.get_or_init(|| all_operators().map(|operator| (operator.function.oid, operator.name)).collect());
    symbols.get(&function.oid).copied()
}

pub(crate) fn literal_text(expr: &Expr) -> Option<&str> {
    match &expr.kind {
        ExprKind::Literal(datum) => datum.as_text(),
        ExprKind::Relabel(arg) => literal_text(arg),
        _ => None,
    }
}

fn is_nonzero_literal(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Literal(Datum::Numeric(number)) => !number.is_zero(),
        ExprKind::Literal(datum) => {
            datum.as_integer().is_some_and(|number| number != 0) || datum.as_float().is_some_and(|number| number != 0.0)
        }
        _ => false,
    }
}

fn is_date_field(field: &str) -> bool {
    DATE_FIELDS.contains(&field.to_ascii_lowercase().as_str())
}

fn is_date(type_oid: Oid) -> bool {
    matches!(type_oid, oid::DATE | oid::TIMESTAMP | oid::TIMESTAMPTZ)
}

fn is_number(type_oid: Oid) -> bool {
    matches!(type_oid, oid::INT2 | oid::INT4 | oid::INT8 | oid::FLOAT4 | oid::FLOAT8 | oid::NUMERIC)
}

fn is_text(type_oid: Oid) -> bool {
    matches!(type_oid, oid::TEXT | oid::VARCHAR | oid::BPCHAR | oid::NAME)
}

/// Whether every value of one number type has a place in the other.
fn widens(from: Oid, to: Oid) -> bool {
    let rank = |type_oid| match type_oid {
        oid::INT2 => Some(0),
        oid::INT4 => Some(1),
        oid::INT8 => Some(2),
        oid::NUMERIC => Some(3),
        _ => None,
    };
    match (rank(from), rank(to)) {
        (Some(from), Some(to)) => from <= to,
        (Some(from), None) => from < 3 && matches!(to, oid::FLOAT4 | oid::FLOAT8),
        _ => from == oid::FLOAT4 && to == oid::FLOAT8,
    }
}

/// Whether a condition is not true, for certain, when all of the given columns are NULL.
pub(crate) fn rejects_null(condition: &Expr, columns: &Columns) -> bool {
    match &condition.kind {
        ExprKind::Literal(datum) => datum.as_bool() != Some(true),
        ExprKind::And(args) => args.iter().any(|arg| rejects_null(arg, columns)),
        ExprKind::Or(args) => args.iter().all(|arg| rejects_null(arg, columns)),
        ExprKind::IsNull { arg, negated: true } => is_null_with(arg, columns),
        ExprKind::IsBool { arg, value: Some(_), negated: false }
        | ExprKind::IsBool { arg, value: None, negated: true } => is_null_with(arg, columns),
        _ => is_null_with(condition, columns),
    }
}

/// Whether an expression is NULL, for certain, when all of the given columns are.
fn is_null_with(expr: &Expr, columns: &Columns) -> bool {
    match &expr.kind {
        ExprKind::Literal(datum) => datum.is_null(),
        ExprKind::Column(id) => columns.contains(id),
        ExprKind::Call { function, args } => function.strict && args.iter().any(|arg| is_null_with(arg, columns)),
        ExprKind::Relabel(arg) | ExprKind::ViaText(arg) | ExprKind::Not(arg) => is_null_with(arg, columns),
        ExprKind::Convert { arg, .. } | ExprKind::Typmod { arg, .. } => is_null_with(arg, columns),
        ExprKind::And(args) | ExprKind::Or(args) | ExprKind::Coalesce(args) | ExprKind::MinMax { args, .. } => {
            args.iter().all(|arg| is_null_with(arg, columns))
        }
        ExprKind::InList { arg, equal, list, .. } => equal.strict && !list.is_empty() && is_null_with(arg, columns),
        _ => false,
    }
}

/// Whether a column of a relation is never NULL.
pub(crate) fn column_is_never_null(rel: &Rel, id: ColumnId) -> bool {
    match rel {
        Rel::Scan { table, columns, .. } => columns
            .iter()
            .find(|(_, own)| *own == id)
            .and_then(|(position, _)| table.columns.get(*position))
            .is_some_and(|column| column.not_null),
        Rel::Values { columns, rows } => columns
            .iter()
            .position(|(own, _)| *own == id)
            .is_some_and(|at| rows.iter().all(|row| row.get(at).is_some_and(|expr| is_never_null(expr, &Rel::OneRow)))),
        Rel::Join { kind, left, right, .. } => {
            let (left_kept, right_kept) = match kind {
                JoinKind::Inner | JoinKind::Cross => (true, true),
                JoinKind::Left | JoinKind::Semi | JoinKind::Anti => (true, false),
                JoinKind::Right => (false, true),
                JoinKind::Full => (false, false),
            };
            (left_kept && column_is_never_null(left, id)) || (right_kept && column_is_never_null(right, id))
        }
        Rel::Filter { input, predicate } => {
            let mut conditions = Vec::new();
            split_conjuncts(predicate, &mut conditions);
            let only = Columns::from_iter([id]);
            conditions.iter().any(|condition| rejects_null(condition, &only)) || column_is_never_null(input, id)
        }
        Rel::Extend { input, columns } => match columns.iter().find(|(own, _)| *own == id) {
            Some((_, expr)) => is_never_null(expr, input),
            None => column_is_never_null(input, id),
        },
        Rel::Aggregate { input, keys, sets, aggregates } => {
            sets.is_none() && keys.iter().any(|(own, expr)| *own == id && is_never_null(expr, input))
                || aggregates.iter().any(|(own, call)| *own == id && counts(call))
        }
        Rel::Sort { input, .. } | Rel::Distinct { input, .. } | Rel::Limit { input, .. } => {
            column_is_never_null(input, id)
        }
        Rel::SetOperation { left, right, columns, .. } => {
            let of = |query: &Query, at: usize| {
                query.output.get(at).is_some_and(|column| column_is_never_null(&query.rel, column.id))
            };
            columns.iter().position(|own| *own == id).is_some_and(|at| of(left, at) && of(right, at))
        }
        _ => false,
    }
}

/// Whether an expression over a relation is never NULL.
pub(crate) fn is_never_null(expr: &Expr, rel: &Rel) -> bool {
    match &expr.kind {
        ExprKind::Literal(datum) => !datum.is_null(),
        ExprKind::Column(id) => column_is_never_null(rel, *id),
        ExprKind::Relabel(arg) | ExprKind::Typmod { arg, .. } => is_never_null(arg, rel),
        ExprKind::Coalesce(args) => args.iter().any(|arg| is_never_null(arg, rel)),
        ExprKind::IsNull { .. } | ExprKind::IsBool { .. } | ExprKind::Exists(_) => true,
        ExprKind::Call { function, args } => {
            let arithmetic = operator_symbol(function).is_some_and(|symbol| matches!(symbol, "+" | "-" | "*" | "/"))
                && is_number(function.returns);
            let certain = arithmetic || comparison_of(function).is_some() || widening(function, args);
            certain && function.strict && args.iter().all(|arg| is_never_null(arg, rel))
        }
        _ => false,
    }
}

fn widening(function: &Function, args: &[Expr]) -> bool {
    matches!(args, [arg] if widens(arg.ty.oid, function.returns) && is_number(function.returns))
}

/// Whether an aggregate counts: 0 over nothing, never NULL.
pub(crate) fn counts(call: &AggregateCall) -> bool {
    matches!(call.aggregate.name, "count" | "regr_count")
}

/// The two sides of an `=`, with its function.
pub(crate) fn equality_sides(condition: &Expr) -> Option<(&'static Function, &Expr, &Expr)> {
    let ExprKind::Call { function, args } = &condition.kind else { return None };
    let [left, right] = args.as_slice() else { return None };
    (comparison_of(function)?.comparison == Comparison::Equal).then_some((*function, left, right))
}
