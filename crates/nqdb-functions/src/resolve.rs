//! Which function, operator or type an expression means: PostgreSQL manual, chapter 10.

mod candidates;
mod common_type;
mod function;
mod operator;

pub use common_type::common_type;
pub use function::{Callee, ResolvedFunction, resolve_function};
pub use operator::{equality, less, resolve_operator};

use nqdb_sqlstate::{AMBIGUOUS_FUNCTION, SqlError, UNDEFINED_FUNCTION};
use nqdb_types::{Oid, Type};

/// Why no function or operator was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResolveError {
    /// None of that name takes these arguments.
    Unknown,
    /// More than one fits equally well.
    Ambiguous,
    /// The name is a type's: `text(x)` means `CAST(x AS text)`.
    CastSyntax(Oid),
}

impl ResolveError {
    /// PostgreSQL's error for a call of `name` with these argument types.
    pub fn function_error(self, name: &str, args: &[Oid]) -> SqlError {
        let types: Vec<String> = args.iter().map(|&arg| Type::new(arg).name()).collect();
        let call = format!("{name}({})", types.join(", "));
        match self {
            ResolveError::Ambiguous => SqlError::new(AMBIGUOUS_FUNCTION, format!("function {call} is not unique"))
                .with_hint("Could not choose a best candidate function. You might need to add explicit type casts."),
            _ => SqlError::new(UNDEFINED_FUNCTION, format!("function {call} does not exist")).with_hint(
                "No function matches the given name and argument types. You might need to add explicit type casts.",
            ),
        }
    }

    /// PostgreSQL's error for an operator between these types.
    pub fn operator_error(self, name: &str, left: Option<Oid>, right: Oid) -> SqlError {
        let right = Type::new(right).name();
        let (expression, arguments) = match left {
            Some(left) => (format!("{} {name} {right}", Type::new(left).name()), "argument types"),
            None => (format!("{name} {right}"), "argument type"),
        };
        match self {
            ResolveError::Ambiguous => {
                SqlError::new(AMBIGUOUS_FUNCTION, format!("operator is not unique: {expression}"))
                    .with_hint("Could not choose a best candidate operator. You might need to add explicit type casts.")
            }
            _ => {
                SqlError::new(UNDEFINED_FUNCTION, format!("operator does not exist: {expression}")).with_hint(format!(
                    "No operator matches the given name and {arguments}. You might need to add explicit type casts."
                ))
            }
        }
    }
}
