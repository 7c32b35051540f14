//! Polymorphic types: which concrete types a call gives them (manual 38.2.5).
//!
//! Two families. In the simple one (`anyelement`, `anyarray`, `anynonarray`, `anyenum`) all arguments have one
//! type, or are arrays of it. In the common one (`anycompatible` and its kin) arguments are converted to the common
//! type of manual 10.5. An argument of unknown type says nothing; it gets what the others decided.

use nqdb_types::array::{array_type, element_type};
use nqdb_types::{Oid, is_enum, oid};

use super::{ResolveError, common_type};
use crate::{CastContext, coercion};

/// Whether a declared type stands for several.
pub(super) fn is_polymorphic(declared: Oid) -> bool {
    is_simple(declared) || is_common(declared)
}

fn is_simple(declared: Oid) -> bool {
    matches!(declared, oid::ANYELEMENT | oid::ANYARRAY | oid::ANYNONARRAY | oid::ANYENUM)
}

fn is_common(declared: Oid) -> bool {
    matches!(declared, oid::ANYCOMPATIBLE | oid::ANYCOMPATIBLEARRAY | oid::ANYCOMPATIBLENONARRAY)
}

/// What the families came to be; `None` where no argument said.
#[derive(Clone, Copy, Debug, Default)]
struct Concrete {
    element: Option<Oid>,
    array: Option<Oid>,
    common: Option<Oid>,
}

/// Whether the arguments agree on what the polymorphic types stand for.
pub(super) fn is_consistent(declared: &[Oid], given: &[Oid]) -> bool {
    concrete(declared, given).is_some()
}

fn concrete(declared: &[Oid], given: &[Oid]) -> Option<Concrete> {
    let mut found = Concrete::default();
    let mut compatible = Vec::new();
    let known = || declared.iter().zip(given).filter(|(_, from)| **from != oid::UNKNOWN);
    for (&to, &from) in known() {
        match to {
            oid::ANYARRAY if *found.array.get_or_insert(from) != from => return None,
            oid::ANYELEMENT | oid::ANYNONARRAY | oid::ANYENUM if *found.element.get_or_insert(from) != from => {
                return None;
            }
            oid::ANYCOMPATIBLE | oid::ANYCOMPATIBLENONARRAY => compatible.push(from),
            oid::ANYCOMPATIBLEARRAY => compatible.push(element_type(from)?),
            _ => {}
        }
    }
    if let Some(array) = found.array {
        let element = element_type(array)?;
        if *found.element.get_or_insert(element) != element {
            return None;
        }
    }
    if declared.contains(&oid::ANYENUM) && !found.element.is_some_and(is_enum) {
        return None;
    }
    if declared.contains(&oid::ANYNONARRAY) && found.element.is_some_and(|element| element_type(element).is_some()) {
        return None;
    }
    if !compatible.is_empty() {
        let common = common_type(&compatible)?;
        if !compatible.iter().all(|&from| coercion(from, common, CastContext::Implicit).is_some()) {
            return None;
        }
        found.common = Some(common);
    }
    if declared.contains(&oid::ANYCOMPATIBLENONARRAY)
        && found.common.is_some_and(|common| element_type(common).is_some())
    {
        return None;
    }
    Some(found)
}

/// The types to convert the arguments to, and the type of the result.
pub(super) fn resolve(declared: &[Oid], given: &[Oid], returns: Oid) -> Result<(Vec<Oid>, Oid), ResolveError> {
    if !declared.iter().chain([&returns]).any(|ty| is_polymorphic(*ty)) {
        return Ok((declared.to_vec(), returns));
    }
    let mut found = concrete(declared, given).ok_or(ResolveError::Unknown)?;
    if found.element.is_none() && declared.iter().any(|ty| is_simple(*ty)) {
        return Err(ResolveError::Undetermined);
    }
    // Arguments that are all unknown are text.
    found.common.get_or_insert(oid::TEXT);
    let types = declared.iter().zip(given).map(|(&to, &from)| found.of(to, from));
    let types = types.collect::<Result<Vec<Oid>, ResolveError>>()?;
    Ok((types, found.of(returns, oid::UNKNOWN)?))
}

/// The type of an OUT column of a call: what its declared type came to be. NULL's type where no argument said.
pub fn column_type(declared: &[Oid], given: &[Oid], column: Oid) -> Oid {
    if !is_polymorphic(column) {
        return column;
    }
    concrete(declared, given).and_then(|found| found.of(column, oid::UNKNOWN).ok()).unwrap_or(oid::TEXT)
}

impl Concrete {
    /// What a declared type stands for, for an argument of type `from`.
    fn of(&self, declared: Oid, from: Oid) -> Result<Oid, ResolveError> {
        let array_of = |element: Option<Oid>| {
            let element = element.ok_or(ResolveError::Undetermined)?;
            array_type(element).ok_or(ResolveError::NoArrayType(element))
        };
        match declared {
            oid::ANYELEMENT | oid::ANYNONARRAY | oid::ANYENUM => self.element.ok_or(ResolveError::Undetermined),
            // `int2vector` stays itself.
            oid::ANYARRAY if from != oid::UNKNOWN => Ok(from),
            oid::ANYARRAY => self.array.map_or_else(|| array_of(self.element), Ok),
            oid::ANYCOMPATIBLE | oid::ANYCOMPATIBLENONARRAY => self.common.ok_or(ResolveError::Undetermined),
            oid::ANYCOMPATIBLEARRAY => array_of(self.common),
            other => Ok(other),
        }
    }
}
