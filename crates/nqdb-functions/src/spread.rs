//! `f(VARIADIC array)` where `f` takes `VARIADIC "any"`: the array's elements are its arguments.
//!
//! Each such function has a companion here that takes the array itself, spreads it, and calls the function with the
//! elements and their type. What always holds: a companion has the number, the name and the result of its function, so that
//! nobody but the evaluation knows the difference. A NULL array gives NULL, but `format`, which takes it for no arguments.

use std::sync::OnceLock;

use nqdb_sqlstate::{DATATYPE_MISMATCH, SqlError, SqlResult};
use nqdb_types::{Datum, Oid, Type, oid};

use crate::{Function, FunctionContext, ScalarFn, all_functions, function_by_oid};

const FORMAT: Oid = 3539;

/// The functions over `VARIADIC "any"`, by number, with what evaluates them over an array.
const COMPANIONS: &[(Oid, ScalarFn)] = &[
    (438, spread::<438>),
    (440, spread::<440>),
    (3058, spread::<3058>),
    (3059, spread::<3059>),
    (3198, spread::<3198>),
    (3200, spread::<3200>),
    (3271, spread::<3271>),
    (3273, spread::<3273>),
    (FORMAT, spread::<FORMAT>),
];

/// The function that takes as an array what this one, over `VARIADIC "any"`, takes as arguments.
pub(crate) fn companion(function: &Function) -> Option<&'static Function> {
    static ALL: OnceLock<Vec<Function>> = OnceLock::new();
    ALL.get_or_init(all).iter().find(|companion| companion.oid == function.oid)
}

fn all() -> Vec<Function> {
    let over_any = all_functions().filter(|function| function.variadic && !function.packs_variadic());
    over_any.filter_map(of).collect()
}

fn of(function: &'static Function) -> Option<Function> {
    let (_, eval) = COMPANIONS.iter().find(|(number, _)| *number == function.oid)?;
    // They take an array alone, or a text before it.
    let args: &[Oid] = if function.args.len() == 1 { &[oid::ANYARRAY] } else { &[oid::TEXT, oid::ANYARRAY] };
    Some(Function { args, variadic: false, eval: *eval, ..*function })
}

/// Calls the function with that number.
fn spread<const FUNCTION: Oid>(context: &mut FunctionContext<'_>, args: &[Datum]) -> SqlResult<Datum> {
    let function = function_by_oid(FUNCTION).ok_or_else(|| SqlError::internal("a companion without its function"))?;
    let Some((array, fixed)) = args.split_last() else { return Ok(Datum::Null) };
    let (elements, element_type) = match array {
        Datum::Array(array) => (array.elements(), array.element_type()),
        Datum::Null if FUNCTION == FORMAT => (&[] as &[Datum], oid::TEXT),
        Datum::Null => return Ok(Datum::Null),
        _ => return Err(SqlError::new(DATATYPE_MISMATCH, "VARIADIC argument must be an array")),
    };
    let mut types: Vec<Type> = context.argument_types.iter().take(fixed.len()).copied().collect();
    types.extend(std::iter::repeat_n(Type::new(element_type), elements.len()));
    let values: Vec<Datum> = fixed.iter().chain(elements).cloned().collect();
    let mut inner = FunctionContext {
        format: context.format,
        transaction_time_micros: context.transaction_time_micros,
        statement_time_micros: context.statement_time_micros,
        session: context.session,
        argument_types: &types,
        result_columns: &[],
    };
    (function.eval)(&mut inner, &values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_over_variadic_any_has_a_companion() {
        for function in all_functions().filter(|function| function.variadic && !function.packs_variadic()) {
            let companion = companion(function).unwrap_or_else(|| panic!("{function:?}"));
            assert_eq!(companion.args.len(), function.args.len(), "{function:?}");
            assert_eq!(
                companion.args.split_last().map(|(_, fixed)| fixed),
                function.args.split_last().map(|(_, fixed)| fixed)
            );
        }
    }
}
