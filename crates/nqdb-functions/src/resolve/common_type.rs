//! The one type of several expressions: manual section 10.5 (UNION, CASE, VALUES, ARRAY, GREATEST).

use nqdb_types::{Oid, oid, type_category, type_info};

use crate::{CastContext, coercion};

/// The common type; `None` when the types' categories differ ("types .. cannot be matched", 42804).
///
/// The caller still has to check that each expression converts to it implicitly.
pub fn common_type(types: &[Oid]) -> Option<Oid> {
    let mut chosen = oid::UNKNOWN;
    for &ty in types.iter().filter(|&&ty| ty != oid::UNKNOWN) {
        if chosen == oid::UNKNOWN || chosen == ty {
            chosen = ty;
            continue;
        }
        if type_category(chosen)? != type_category(ty)? {
            return None;
        }
        let widens = coercion(chosen, ty, CastContext::Implicit).is_some()
            && coercion(ty, chosen, CastContext::Implicit).is_none();
        if !type_info(chosen).is_some_and(|info| info.preferred) && widens {
            chosen = ty;
        }
    }
    Some(if chosen == oid::UNKNOWN { oid::TEXT } else { chosen })
}
