//! `#[sql_function]`: one Rust function, one or more SQL functions.
//!
//! ```text
//! #[sql_function("abs(int4) -> int4", oid = 1397, alias("int4abs", oid = 1251))]
//! fn absolute_int4(value: i32) -> SqlResult<i32> { .. }
//! ```
//!
//! The attribute leaves the function as it is (its typed signature is what a vectorised form will be made of)
//! and adds `static ABSOLUTE_INT4: [Function; 2]`, whose `eval` takes the arguments apart, answers NULL to a
//! NULL argument, and wraps the result. The static must be listed in its module's `FUNCTIONS`: one that is
//! not is dead code, which the compiler reports.
//!
//! Options: `oid = N` (required), `stable`, `volatile` (immutable otherwise), `called_on_null` (strict
//! otherwise), `alias("name", oid = N)` for further names with the same arguments.
//!
//! The signature is `name([argument-name] type [= 'default'], .., [variadic any]) -> [setof] type`, types by
//! their `pg_type` names. OUT arguments are written `out name type` among the arguments; with two or more of them, or with
//! the result `record` and none, the Rust function gives rows: a `SqlResult<Records>` after `setof`, otherwise one row as a
//! `SqlResult<Vec<Datum>>`. The first parameter of the Rust function may be `&mut FunctionContext<'_>`. With
//! `called_on_null` a parameter is an `Option`, or one `&[Datum]` takes all arguments. The result may be plain,
//! an `Option` (NULL), or either in a `SqlResult`.

mod signature;
mod wrapper;

use proc_macro::TokenStream;
use syn::parse_macro_input;

/// Registers a Rust function as a SQL function: see the crate's documentation.
#[proc_macro_attribute]
pub fn sql_function(attribute: TokenStream, item: TokenStream) -> TokenStream {
    let options = parse_macro_input!(attribute as signature::Options);
    let function = parse_macro_input!(item as syn::ItemFn);
    wrapper::expand(&options, &function).unwrap_or_else(syn::Error::into_compile_error).into()
}
