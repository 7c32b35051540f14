//! Window functions and aggregates.

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use super::expression::{Scope, condition, expression};
use super::literal::{KINDS, Kind};

/// An aggregate call over the scope, whose result does not depend on the order of rows.
pub(super) fn aggregate(scope: &Scope, random: &mut StdRng) -> String {
    let call = aggregate_call(scope, random);
    if random.random_ratio(1, 5) { format!("{call} FILTER (WHERE {})", condition(1, scope, random)) } else { call }
}

fn aggregate_call(scope: &Scope, random: &mut StdRng) -> String {
    let kind = match scope.any_column(random) {
        Some(column) => column.kind,
        None => Kind::Int4,
    };
    let distinct = if random.random_ratio(1, 5) { "DISTINCT " } else { "" };
    let argument = expression(kind, 1, scope, random);
    match random.random_range(0..8) {
        0 => "count(*)".to_owned(),
        1 => format!("count({distinct}{argument})"),
        2 if has_extremes(kind) => format!("min({argument})"),
        3 if has_extremes(kind) => format!("max({argument})"),
        4 => format!("array_agg({argument} ORDER BY {argument})"),
        5 => format!("string_agg({distinct}{0}, ',' ORDER BY {0})", expression(Kind::Text, 0, scope, random)),
        6 => format!("bool_or({})", expression(Kind::Bool, 1, scope, random)),
        _ => {
            let numbers = [Kind::Int2, Kind::Int4, Kind::Int8, Kind::Numeric, Kind::Interval];
            let number = *numbers.choose(random).expect("there are some");
            let function = if random.random_bool(0.5) { "sum" } else { "avg" };
            format!("{function}({distinct}{})", expression(number, 1, scope, random))
        }
    }
}

/// Types with `min` and `max`.
pub(super) fn has_extremes(kind: Kind) -> bool {
    !matches!(kind, Kind::Bool | Kind::Bytea | Kind::Uuid | Kind::Jsonb)
}

/// A window call; `key` is a column whose values are unique, so that every order is total.
pub(super) fn window_call(scope: &Scope, key: &str, random: &mut StdRng) -> String {
    let partition = match scope.any_column(random) {
        Some(column) if random.random_bool(0.6) => format!("PARTITION BY {} ", column.name),
        _ => String::new(),
    };
    let direction = if random.random_bool(0.3) { " DESC" } else { "" };
    let first = match scope.any_column(random) {
        Some(column) => format!("{}{direction}, ", column.name),
        None => String::new(),
    };
    let kind = *KINDS.choose(random).expect("there are types");
    let argument = expression(kind, 1, scope, random);
    let function = match random.random_range(0..11) {
        0 => "row_number()".to_owned(),
        1 => "rank()".to_owned(),
        2 => "dense_rank()".to_owned(),
        3 => format!("lag({argument})"),
        4 => format!("lead({argument}, 2)"),
        5 => format!("first_value({argument})"),
        6 => format!("last_value({argument})"),
        7 => format!("nth_value({argument}, 2)"),
        8 => format!("ntile({})", random.random_range(1..5)),
        9 => "count(*)".to_owned(),
        _ => format!("sum({})", expression(Kind::Int4, 1, scope, random)),
    };
    format!("{function} OVER ({partition}ORDER BY {first}{key}{})", frame(random))
}

fn frame(random: &mut StdRng) -> &'static str {
    [
        "",
        "",
        " ROWS BETWEEN 2 PRECEDING AND CURRENT ROW",
        " ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING",
        " ROWS BETWEEN 1 FOLLOWING AND 3 FOLLOWING",
        " GROUPS BETWEEN 1 PRECEDING AND 1 FOLLOWING",
        " RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW EXCLUDE CURRENT ROW",
        " ROWS BETWEEN 3 PRECEDING AND 1 PRECEDING EXCLUDE TIES",
    ]
    .choose(random)
    .expect("there are some")
}
