//! Which function, operator or type an expression means: PostgreSQL manual, chapter 10.

mod candidates;
mod common_type;
mod function;
mod named;
mod operator;
mod polymorphic;

pub use common_type::common_type;
pub use function::{Callee, ResolvedFunction, resolve_function, resolve_variadic_call};
pub use named::{NamedCall, Place, resolve_named_call};
pub use operator::{ResolvedOperator, equality, less, resolve_operator};
pub use polymorphic::column_type;

use nqdb_sqlstate::{AMBIGUOUS_FUNCTION, DATATYPE_MISMATCH, SqlError, UNDEFINED_FUNCTION, UNDEFINED_OBJECT};
use nqdb_types::{FormatContext, Oid, Type};

/// Why no function or operator was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResolveError {
    /// None of that name takes these arguments.
    Unknown,
    /// More than one fits equally well.
    Ambiguous,
    /// The name is a type's: `text(x)` means `CAST(x AS text)`.
    CastSyntax(Oid),
    /// The result depends on arguments that are all unknown.
    Undetermined,
    /// There is no array type over this one.
    NoArrayType(Oid),
    /// What stands behind VARIADIC is no array.
    VariadicIsNoArray,
}

impl ResolveError {
    /// The errors that are the same for functions and operators.
    fn polymorphic_error(self, format: &FormatContext) -> Option<SqlError> {
        match self {
            ResolveError::Undetermined => Some(SqlError::new(
                DATATYPE_MISMATCH,
                "could not determine polymorphic type because input has type unknown",
            )),
            ResolveError::NoArrayType(element) => Some(SqlError::new(
                UNDEFINED_OBJECT,
                format!("could not find array type for data type {}", format.type_name(Type::new(element))),
            )),
            ResolveError::VariadicIsNoArray => {
                Some(SqlError::new(DATATYPE_MISMATCH, "VARIADIC argument must be an array"))
            }
            _ => None,
        }
    }

    /// PostgreSQL's error for a call of `name` with these argument types.
    pub fn function_error(self, name: &str, args: &[Oid], format: &FormatContext) -> SqlError {
        self.named_call_error(name, args, &[], format)
    }

    /// The same for a call whose last arguments have these names.
    pub fn named_call_error(self, name: &str, args: &[Oid], names: &[String], format: &FormatContext) -> SqlError {
        let positional = args.len() - names.len();
        let written = |(at, &arg): (usize, &Oid)| {
            let ty = format.type_name(Type::new(arg));
            match at.checked_sub(positional).and_then(|named| names.get(named)) {
                Some(name) => format!("{name} => {ty}"),
                None => ty,
            }
        };
        let types: Vec<String> = args.iter().enumerate().map(written).collect();
        let call = format!("{name}({})", types.join(", "));
        if let Some(error) = self.polymorphic_error(format) {
            return error;
        }
        match self {
            ResolveError::Ambiguous => SqlError::new(AMBIGUOUS_FUNCTION, format!("function {call} is not unique"))
                .with_hint("Could not choose a best candidate function. You might need to add explicit type casts."),
            _ => SqlError::new(UNDEFINED_FUNCTION, format!("function {call} does not exist")).with_hint(
                "No function matches the given name and argument types. You might need to add explicit type casts.",
            ),
        }
    }

    /// PostgreSQL's error for an operator between these types.
    pub fn operator_error(self, name: &str, left: Option<Oid>, right: Oid, format: &FormatContext) -> SqlError {
        let right = format.type_name(Type::new(right));
        let (expression, arguments, casts) = match left {
            Some(left) => (
                format!("{} {name} {right}", format.type_name(Type::new(left))),
                "argument types",
                "explicit type casts",
            ),
            None => (format!("{name} {right}"), "argument type", "an explicit type cast"),
        };
        if let Some(error) = self.polymorphic_error(format) {
            return error;
        }
        match self {
            ResolveError::Ambiguous => {
                SqlError::new(AMBIGUOUS_FUNCTION, format!("operator is not unique: {expression}"))
                    .with_hint("Could not choose a best candidate operator. You might need to add explicit type casts.")
            }
            _ => SqlError::new(UNDEFINED_FUNCTION, format!("operator does not exist: {expression}")).with_hint(
                format!("No operator matches the given name and {arguments}. You might need to add {casts}."),
            ),
        }
    }
}
