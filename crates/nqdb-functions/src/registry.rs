//! The functions, operators, casts and aggregates that exist, by name and by OID.
//!
//! Built once, at the first look-up, from each module's static tables; a look-up is one hash probe.

use std::collections::HashMap;
use std::sync::OnceLock;

use nqdb_types::Oid;

use crate::tables::operators::OPERATORS;
use crate::window::WINDOW_FUNCTIONS;
use crate::{Aggregate, Cast, Function, Operator, WindowFunction, aggregates, coerce};

/// Each module's tables of functions.
static MODULES: &[&[&[&[Function]]]] = &[
    &[
        crate::bits::FUNCTIONS,
        crate::comparison::FUNCTIONS,
        crate::hash::FUNCTIONS,
        crate::row_identity::FUNCTIONS,
        crate::send::FUNCTIONS,
        crate::series::FUNCTIONS,
    ],
    crate::arithmetic::TABLES,
    crate::array::TABLES,
    crate::conversion::TABLES,
    crate::datetime::TABLES,
    crate::enumeration::TABLES,
    crate::formatting::TABLES,
    crate::json::TABLES,
    crate::record::TABLES,
    crate::string::TABLES,
    crate::system::TABLES,
];

struct Registry {
    functions: Vec<&'static Function>,
    functions_by_name: HashMap<&'static str, Vec<&'static Function>>,
    functions_by_oid: HashMap<Oid, &'static Function>,
    operators: Vec<Operator>,
    aggregates_by_name: HashMap<&'static str, Vec<&'static Aggregate>>,
    casts: Vec<Cast>,
    casts_by_types: HashMap<(Oid, Oid), usize>,
}

static REGISTRY: OnceLock<Registry> = OnceLock::new();
static OPERATORS_BY_NAME: OnceLock<HashMap<&'static str, Vec<&'static Operator>>> = OnceLock::new();

fn registry() -> &'static Registry {
    REGISTRY.get_or_init(|| {
        let functions: Vec<&'static Function> =
            MODULES.iter().copied().flatten().copied().flatten().copied().flatten().collect();
        let mut functions_by_name: HashMap<&'static str, Vec<&'static Function>> = HashMap::new();
        let mut functions_by_oid = HashMap::with_capacity(functions.len());
        for function in &functions {
            functions_by_name.entry(function.name).or_default().push(function);
            let earlier = functions_by_oid.insert(function.oid, *function);
            assert!(earlier.is_none(), "two functions have the OID {}", function.oid);
        }
        let operators = OPERATORS
            .iter()
            .filter_map(|&(oid, name, left, right, function, strategy, commutator, negator)| {
                let function = *functions_by_oid.get(&function)?;
                Some(Operator { oid, name, left, right, function, strategy, commutator, negator })
            })
            .collect();
        let mut aggregates_by_name: HashMap<&'static str, Vec<&'static Aggregate>> = HashMap::new();
        for aggregate in all_aggregates() {
            aggregates_by_name.entry(aggregate.name).or_default().push(aggregate);
        }
        let casts = coerce::catalog_casts(&functions_by_oid);
        let casts_by_types =
            casts.iter().enumerate().map(|(index, cast)| ((cast.source, cast.target), index)).collect();
        Registry {
            functions,
            functions_by_name,
            functions_by_oid,
            operators,
            aggregates_by_name,
            casts,
            casts_by_types,
        }
    })
}

/// The functions of that name.
pub fn functions_named(name: &str) -> &'static [&'static Function] {
    registry().functions_by_name.get(name).map_or(&[], Vec::as_slice)
}

/// The function with that OID.
pub fn function_by_oid(oid: Oid) -> Option<&'static Function> {
    registry().functions_by_oid.get(&oid).copied()
}

/// Every function.
pub fn all_functions() -> impl Iterator<Item = &'static Function> {
    registry().functions.iter().copied()
}

/// The operators of that name, prefix operators among them.
pub fn operators_named(name: &str) -> &'static [&'static Operator] {
    let by_name = OPERATORS_BY_NAME.get_or_init(|| {
        let mut by_name: HashMap<&'static str, Vec<&'static Operator>> = HashMap::new();
        for operator in &registry().operators {
            by_name.entry(operator.name).or_default().push(operator);
        }
        by_name
    });
    by_name.get(name).map_or(&[], Vec::as_slice)
}

/// The operator with that OID.
pub fn operator_by_oid(oid: Oid) -> Option<&'static Operator> {
    all_operators().find(|operator| operator.oid == oid)
}

/// Every operator.
pub fn all_operators() -> impl Iterator<Item = &'static Operator> {
    registry().operators.iter()
}

/// The aggregates of that name.
pub fn aggregates_named(name: &str) -> &'static [&'static Aggregate] {
    registry().aggregates_by_name.get(name).map_or(&[], Vec::as_slice)
}

/// The aggregate with that OID.
pub fn aggregate_by_oid(oid: Oid) -> Option<&'static Aggregate> {
    all_aggregates().find(|aggregate| aggregate.oid == oid)
}

/// Every aggregate.
pub fn all_aggregates() -> impl Iterator<Item = &'static Aggregate> {
    aggregates::AGGREGATES.iter().chain(aggregates::ORDERED_SETS)
}

/// The window functions of that name. There are so few that they are gone through.
pub fn window_functions_named(name: &str) -> impl Iterator<Item = &'static WindowFunction> {
    WINDOW_FUNCTIONS.iter().filter(move |function| function.name == name)
}

/// Every window function.
pub fn all_window_functions() -> impl Iterator<Item = &'static WindowFunction> {
    WINDOW_FUNCTIONS.iter()
}

/// The rows of `pg_cast`.
pub fn casts() -> &'static [Cast] {
    &registry().casts
}

/// The row of `pg_cast` for two different types.
pub(crate) fn cast_between(source: Oid, target: Oid) -> Option<&'static Cast> {
    let registry = registry();
    registry.casts_by_types.get(&(source, target)).and_then(|index| registry.casts.get(*index))
}
