//! Functions and aggregates: manual section 10.3.

use nqdb_types::array::element_type;
use nqdb_types::{Oid, all_types, is_composite, oid, type_category};

use super::candidates::{Candidate, Choice, choose};
use super::{ResolveError, polymorphic};
use crate::{
    Aggregate, CastContext, CastMethod, Function, WindowFunction, aggregates_named, coercion, functions_named, spread,
    window_functions_named,
};

/// What a call turned out to call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Callee {
    Function(&'static Function),
    Aggregate(&'static Aggregate),
    Window(&'static WindowFunction),
}

impl Callee {
    /// The declared result type.
    pub fn returns(&self) -> Oid {
        match self {
            Callee::Function(function) => function.returns,
            Callee::Aggregate(aggregate) => aggregate.returns,
            Callee::Window(function) => function.returns,
        }
    }
}

/// A resolved call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvedFunction {
    pub callee: Callee,
    /// What each argument given must be converted to, implicitly. `unknown` stays where the function takes "any".
    pub arg_types: Vec<Oid>,
    /// The type of the result, or of one row of it.
    pub returns: Oid,
    /// From this argument on, all of them become one array (a `variadic` parameter that is an array).
    pub packed_from: Option<usize>,
    /// Arguments to add after the given ones: type and text of each default.
    pub defaults: Vec<(Oid, &'static str)>,
}

/// The function that a call with arguments of these types means. `count(*)` has no arguments: `count` with `[]`.
pub fn resolve_function(name: &str, args: &[Oid]) -> Result<ResolvedFunction, ResolveError> {
    let candidates = candidates(name, args.len());
    if let Some(exact) = candidates.iter().find(|candidate| candidate.args == args) {
        return resolved(exact, args);
    }
    if let Some(target) = cast_syntax(name, args) {
        return Err(ResolveError::CastSyntax(target));
    }
    match choose(candidates, args) {
        Choice::One(candidate) => resolved(&candidate, args),
        Choice::None => Err(ResolveError::Unknown),
        Choice::Several => Err(ResolveError::Ambiguous),
    }
}

/// All functions and aggregates of that name which can be called with that many arguments.
fn candidates(name: &str, count: usize) -> Vec<Candidate<Callee>> {
    let all = functions_named(name);
    let functions = all.iter().filter_map(|function| {
        let args = declared_for(function, count)?;
        // A function with just these arguments hides one that repeats its last argument.
        let is_hidden = function.variadic && all.iter().any(|other| !other.variadic && other.args == args);
        (!is_hidden).then_some(Candidate { args, target: Callee::Function(function) })
    });
    let aggregates = aggregates_named(name).iter().filter_map(|aggregate| {
        let args = match aggregate.args {
            [repeated] if aggregate.variadic && count > 0 => vec![*repeated; count],
            args if args.len() == count => args.to_vec(),
            _ => return None,
        };
        Some(Candidate { args, target: Callee::Aggregate(aggregate) })
    });
    let windows = window_functions_named(name).filter(|function| function.args.len() == count);
    let windows = windows.map(|function| Candidate { args: function.args.to_vec(), target: Callee::Window(function) });
    functions.chain(aggregates).chain(windows).collect()
}

/// The declared types for a call with `count` arguments: a variadic one repeated, defaults left out.
fn declared_for(function: &Function, count: usize) -> Option<Vec<Oid>> {
    let declared = function.args;
    if function.variadic {
        let (&repeated, fixed) = declared.split_last()?;
        if count <= fixed.len() {
            return None;
        }
        let repeats = count - fixed.len();
        let repeated = if function.packs_variadic() { variadic_element(repeated)? } else { repeated };
        return Some(fixed.iter().copied().chain(std::iter::repeat_n(repeated, repeats)).collect());
    }
    let required = declared.len() - function.defaults.len();
    (required..=declared.len()).contains(&count).then(|| declared.iter().copied().take(count).collect())
}

/// The type of one argument of a `variadic` parameter that is an array.
fn variadic_element(array: Oid) -> Option<Oid> {
    match array {
        oid::ANYARRAY => Some(oid::ANYELEMENT),
        oid::ANYCOMPATIBLEARRAY => Some(oid::ANYCOMPATIBLE),
        array => element_type(array),
    }
}

/// A type's name used as a function of one argument, where that stands for a cast without a cast function.
fn cast_syntax(name: &str, args: &[Oid]) -> Option<Oid> {
    let &[source] = args else { return None };
    let target = all_types().iter().find(|info| info.name == name && info.supported && info.category != 'P')?.oid;
    if source == oid::UNKNOWN {
        return Some(target);
    }
    // `(record).text` is no cast: a field or function of that name is meant.
    if (source == oid::RECORD || is_composite(source)) && type_category(target) == Some('S') {
        return None;
    }
    let method = coercion(source, target, CastContext::Explicit)?;
    matches!(method, CastMethod::Relabel | CastMethod::Convert(_) | CastMethod::ViaText).then_some(target)
}

pub(super) fn resolved(candidate: &Candidate<Callee>, args: &[Oid]) -> Result<ResolvedFunction, ResolveError> {
    let (mut arg_types, returns) = polymorphic::resolve(&candidate.args, args, candidate.target.returns())?;
    for (to, from) in arg_types.iter_mut().zip(args) {
        if *to == oid::ANY {
            *to = *from;
        }
    }
    let defaults = match candidate.target {
        Callee::Function(function) if !function.variadic => {
            let required = function.args.len() - function.defaults.len();
            let given = args.len().saturating_sub(required);
            let types = function.args.iter().copied().skip(args.len());
            types.zip(function.defaults.iter().copied().skip(given)).collect()
        }
        _ => Vec::new(),
    };
    let packed_from = match candidate.target {
        Callee::Function(function) if function.packs_variadic() => function.args.len().checked_sub(1),
        _ => None,
    };
    Ok(ResolvedFunction { callee: candidate.target, arg_types, returns, packed_from, defaults })
}

/// The function that a call with `VARIADIC` before its last argument means: that argument is the array itself.
pub fn resolve_variadic_call(name: &str, args: &[Oid]) -> Result<ResolvedFunction, ResolveError> {
    let takes_as_many = |function: &&&'static Function| function.variadic && function.args.len() == args.len();
    let candidates = functions_named(name)
        .iter()
        .filter(takes_as_many)
        .map(|function| Candidate { args: function.args.to_vec(), target: Callee::Function(function) })
        .collect();
    let candidate = match choose(candidates, args) {
        Choice::One(candidate) => candidate,
        Choice::None => return Err(ResolveError::Unknown),
        Choice::Several => return Err(ResolveError::Ambiguous),
    };
    if let Callee::Function(function) = candidate.target
        && let Some(companion) = spread::companion(function)
    {
        let is_array = args.last().is_some_and(|last| element_type(*last).is_some() || *last == oid::ANYARRAY);
        if !is_array {
            return Err(ResolveError::VariadicIsNoArray);
        }
        let candidate = Candidate { args: companion.args.to_vec(), target: Callee::Function(companion) };
        return Ok(ResolvedFunction { packed_from: None, ..resolved(&candidate, args)? });
    }
    Ok(ResolvedFunction { packed_from: None, ..resolved(&candidate, args)? })
}
