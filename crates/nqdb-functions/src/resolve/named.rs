//! Calls in named and mixed notation: `make_interval(days => 3)` (manual, section 4.3).
//!
//! The arguments without a name come first. A function fits when each name is one of its parameters that no earlier argument
//! stands for, and when the parameters that are left have defaults.

use nqdb_types::Oid;

use super::ResolveError;
use super::candidates::{Candidate, Choice, choose};
use super::function::{Callee, ResolvedFunction, resolved};
use crate::{Function, functions_named};

/// What a parameter of the called function gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The argument at this position of the call.
    Given(usize),
    /// The text of its default, of this type.
    Default(Oid, &'static str),
}

/// A resolved call in named notation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedCall {
    /// What each argument, in the order of the call, is converted to. Has no defaults.
    pub resolved: ResolvedFunction,
    /// One for each parameter, in the order of the declaration.
    pub places: Vec<Place>,
}

/// The function that a call means whose last arguments, as many as there are `names`, are named.
pub fn resolve_named_call(name: &str, args: &[Oid], names: &[String]) -> Result<NamedCall, ResolveError> {
    let fitting = functions_named(name).iter().filter_map(|function| {
        let places = places(function, args.len(), names)?;
        let mut declared = vec![0; args.len()];
        for (place, ty) in places.iter().zip(function.args) {
            if let Place::Given(at) = place {
                *declared.get_mut(*at)? = *ty;
            }
        }
        Some(Candidate { args: declared, target: (*function, places) })
    });
    match choose(fitting.collect(), args) {
        Choice::One(Candidate { args: declared, target: (function, places) }) => {
            let candidate = Candidate { args: declared, target: Callee::Function(function) };
            let resolved = ResolvedFunction { defaults: Vec::new(), ..resolved(&candidate, args)? };
            Ok(NamedCall { resolved, places })
        }
        Choice::None => Err(ResolveError::Unknown),
        Choice::Several => Err(ResolveError::Ambiguous),
    }
}

/// What each parameter gets, if the function can be called like that.
fn places(function: &Function, count: usize, names: &[String]) -> Option<Vec<Place>> {
    let parameters = function.args.len();
    if function.variadic || count > parameters {
        return None;
    }
    let positional = count - names.len();
    let first_default = parameters - function.defaults.len();
    let mut places: Vec<Option<Place>> =
        (0..parameters).map(|at| (at < positional).then_some(Place::Given(at))).collect();
    for (at, name) in names.iter().enumerate() {
        let parameter = function.arg_names.iter().position(|own| own == name)?;
        let place = places.get_mut(parameter)?;
        if place.is_some() {
            return None;
        }
        *place = Some(Place::Given(positional + at));
    }
    let or_default = |(at, place): (usize, Option<Place>)| {
        place.or_else(|| {
            let text = function.defaults.get(at.checked_sub(first_default)?)?;
            Some(Place::Default(*function.args.get(at)?, text))
        })
    };
    places.into_iter().enumerate().map(or_default).collect()
}

#[cfg(test)]
mod tests {
    use nqdb_types::oid;

    use super::*;

    fn call(args: &[Oid], names: &[&str]) -> Result<Vec<Place>, ResolveError> {
        let names: Vec<String> = names.iter().map(|name| name.to_string()).collect();
        resolve_named_call("make_interval", args, &names).map(|call| call.places)
    }

    #[test]
    fn parameters_get_arguments_by_name_and_defaults() {
        let places = call(&[oid::INT4, oid::FLOAT8, oid::INT4], &["secs", "days"]).expect("it fits");
        assert_eq!(places.len(), 7);
        assert_eq!((places[0], places[3], places[6]), (Place::Given(0), Place::Given(2), Place::Given(1)));
        assert_eq!(places[1], Place::Default(oid::INT4, "0"));
    }

    #[test]
    fn wrong_names_and_parameters_that_have_an_argument_do_not_fit() {
        assert_eq!(call(&[oid::INT4], &["fortnights"]), Err(ResolveError::Unknown));
        assert_eq!(call(&[oid::INT4, oid::INT4], &["years"]), Err(ResolveError::Unknown));
    }
}
