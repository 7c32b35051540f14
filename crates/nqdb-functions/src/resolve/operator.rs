//! Operators: manual section 10.2.

use nqdb_types::{Oid, oid};

use super::candidates::{Candidate, Choice, choose};
use super::{ResolveError, polymorphic};
use crate::{Function, Operator, operators_named};

/// A resolved operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvedOperator {
    pub operator: &'static Operator,
    /// What the operands must be converted to, left first.
    pub arg_types: Vec<Oid>,
    pub returns: Oid,
}

/// The operator that an expression means.
pub fn resolve_operator(name: &str, left: Option<Oid>, right: Oid) -> Result<ResolvedOperator, ResolveError> {
    let operators = operators_named(name);
    let given: Vec<Oid> = left.into_iter().chain([right]).collect();
    if let Some(operator) = exact(operators, left, right) {
        return resolved(operator, &given);
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
        Choice::One(candidate) => resolved(candidate.target, &given),
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

fn resolved(operator: &'static Operator, given: &[Oid]) -> Result<ResolvedOperator, ResolveError> {
    let declared: Vec<Oid> = operator.left.into_iter().chain([operator.right]).collect();
    let (arg_types, returns) = polymorphic::resolve(&declared, given, operator.returns())?;
    Ok(ResolvedOperator { operator, arg_types, returns })
}

/// The function behind `=` for two values of a type.
pub fn equality(type_oid: Oid) -> Option<&'static Function> {
    resolve_operator("=", Some(type_oid), type_oid).ok().map(|resolved| resolved.operator.function)
}

/// The function behind `<` for two values of a type.
pub fn less(type_oid: Oid) -> Option<&'static Function> {
    resolve_operator("<", Some(type_oid), type_oid).ok().map(|resolved| resolved.operator.function)
}
