//! Types of a statement's parameters: what the client declared, and what context decides for the rest.
//!
//! A parameter without a declared type takes the type that the first place which needs one asks for
//! (PostgreSQL's variable parameters). A second place that asks for another type is an error, 42P08; one that no
//! place decides is 42P18.

use nqdb_sqlstate::{AMBIGUOUS_PARAMETER, INDETERMINATE_DATATYPE, SqlError, SqlResult, UNDEFINED_PARAMETER};
use nqdb_types::{Oid, Type, oid};

/// The most parameters of one statement: the protocol counts them in 16 bits.
pub const PARAMETERS_MAX: usize = 65_535;

/// Types by parameter number, `$1` first.
#[derive(Clone, Debug, Default)]
pub struct ParamTypes {
    types: Vec<Oid>,
    /// Whether a statement may use parameters beyond those that were declared.
    fixed: bool,
}

impl ParamTypes {
    /// Declared types as Parse sends them; 0 and `unknown` leave the type to be inferred.
    pub fn declared(types: &[Oid]) -> ParamTypes {
        let types = types.iter().map(|&ty| if ty == oid::UNKNOWN { oid::INVALID } else { ty }).collect();
        ParamTypes { types, fixed: false }
    }

    /// No parameters at all: `$1` is 42P02, as in a statement of the simple protocol.
    pub fn none() -> ParamTypes {
        ParamTypes { types: Vec::new(), fixed: true }
    }

    /// Just these, whose types were decided before.
    pub fn given(types: &[Oid]) -> ParamTypes {
        ParamTypes { types: types.to_vec(), fixed: true }
    }

    /// The types, one for each parameter up to the highest number used; complete after a successful `bind`.
    pub fn types(&self) -> &[Oid] {
        &self.types
    }

    /// The type of a parameter (`$1` is 0), UNKNOWN while nothing decided it.
    ///
    /// Fails with 42P02 when there is no such parameter.
    pub(crate) fn reference(&mut self, index: usize, position: Option<u32>) -> SqlResult<Type> {
        if index >= PARAMETERS_MAX || self.fixed && index >= self.types.len() {
            let message = format!("there is no parameter ${}", index.saturating_add(1));
            return Err(SqlError::new(UNDEFINED_PARAMETER, message).or_position(position));
        }
        if index >= self.types.len() {
            self.types.resize(index + 1, oid::INVALID);
        }
        match self.types.get(index) {
            Some(&known) if known != oid::INVALID => Ok(Type::new(known)),
            _ => Ok(Type::UNKNOWN),
        }
    }

    /// A place needs the parameter as this type.
    pub(crate) fn infer(&mut self, index: usize, ty: Oid, position: Option<u32>) -> SqlResult<()> {
        let Some(slot) = self.types.get_mut(index) else { return Ok(()) };
        if *slot == oid::INVALID {
            *slot = ty;
        }
        if *slot == ty {
            return Ok(());
        }
        let message = format!("inconsistent types deduced for parameter ${}", index + 1);
        let detail = format!("{} versus {}", Type::new(*slot).name(), Type::new(ty).name());
        Err(SqlError::new(AMBIGUOUS_PARAMETER, message).with_detail(detail).or_position(position))
    }

    /// Fails with 42P18 when a parameter was left without a type.
    pub(crate) fn finish(&self) -> SqlResult<()> {
        match self.types.iter().position(|&ty| ty == oid::INVALID) {
            Some(index) => Err(undetermined(index)),
            None => Ok(()),
        }
    }
}

/// 42P18 for parameter `index` (`$1` is 0).
pub(crate) fn undetermined(index: usize) -> SqlError {
    SqlError::new(INDETERMINATE_DATATYPE, format!("could not determine data type of parameter ${}", index + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_place_decides_and_a_second_may_not_differ() {
        let mut params = ParamTypes::declared(&[oid::UNKNOWN]);
        assert_eq!(params.reference(0, None).expect("declared"), Type::UNKNOWN);
        params.infer(0, oid::INT4, None).expect("first");
        assert_eq!(params.reference(0, None).expect("declared"), Type::INT4);
        let error = params.infer(0, oid::TEXT, Some(3)).expect_err("second");
        assert_eq!(error.code(), AMBIGUOUS_PARAMETER);
        assert_eq!(error.detail(), Some("integer versus text"));
    }

    #[test]
    fn a_gap_is_undetermined_and_none_means_none() {
        let mut params = ParamTypes::default();
        params.reference(1, None).expect("grows");
        params.infer(1, oid::INT4, None).expect("first");
        assert_eq!(params.finish().expect_err("gap").message(), "could not determine data type of parameter $1");
        let error = ParamTypes::none().reference(0, Some(8)).expect_err("none");
        assert_eq!(error.message(), "there is no parameter $1");
    }
}
