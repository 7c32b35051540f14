//! Operators: manual section 10.2.

use nqdb_types::{Oid, oid};

use super::ResolveError;
use super::candidates::{Candidate, Choice, choose};
use crate::{Function, Operator, operators_named};

/// The operator that an expression means, and the types its operands must be converted to (left first).
pub fn resolve_operator(
    name: &str,
    left: Option<Oid>,
    right: Oid,
) -> Result<(&'static Operator, Vec<Oid>), ResolveError> {
    let operators = operators_named(name);
    let given: Vec<Oid> = left.into_iter().chain([right]).collect();
    if let Some(operator) = exact(operators, left, right) {
        return Ok((operator, declared(operator, &given)));
    }
    let candidates = operators
        .iter()
        .filter(|operator| operator.left.is_some() == left.is_some())
        .map(|operator| Candidate {
            args: operator.left.into_iter().chain([operator.right]).collect(),
            target: *operator,
        })
        .collect();
    match choose(candidates, &given) {
        Choice::One(candidate) => Ok((candidate.target, declared(candidate.target, &given))),
        Choice::None => Err(ResolveError::Unknown),
        Choice::Several => Err(ResolveError::Ambiguous),
    }
}

/// An exact match, where one unknown operand counts as the other operand's type.
fn exact(operators: &[&'static Operator], left: Option<Oid>, right: Oid) -> Option<&'static Operator> {
    let (left, right) = match left {
        Some(oid::UNKNOWN) => (Some(right), right),
        Some(left) if right == oid::UNKNOWN => (Some(left), left),
        _ => (left, right),
    };
    operators.iter().copied().find(|operator| operator.left == left && operator.right == right)
}

/// The operand types; a pseudo-type takes the operand as it is, an unknown one as text.
fn declared(operator: &Operator, given: &[Oid]) -> Vec<Oid> {
    let types = operator.left.into_iter().chain([operator.right]);
    types
        .zip(given)
        .map(|(to, &from)| match (to, from) {
            (oid::ANYNONARRAY | oid::ANYELEMENT, oid::UNKNOWN) => oid::TEXT,
            (oid::ANYNONARRAY | oid::ANYELEMENT, from) => from,
            (to, _) => to,
        })
        .collect()
}

/// The function behind `=` for two values of a type.
pub fn equality(type_oid: Oid) -> Option<&'static Function> {
    resolve_operator("=", Some(type_oid), type_oid).ok().map(|(operator, _)| operator.function)
}

/// The function behind `<` for two values of a type.
pub fn less(type_oid: Oid) -> Option<&'static Function> {
    resolve_operator("<", Some(type_oid), type_oid).ok().map(|(operator, _)| operator.function)
}
