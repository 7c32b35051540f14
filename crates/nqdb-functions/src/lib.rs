//! Every SQL function, operator, cast and aggregate, each defined once.
//!
//! | module | what it answers |
//! |---|---|
//! | `definition` | what a [`Function`], [`Operator`], [`Cast`], [`Aggregate`] is |
//! | `registry` | the ones that exist, by name and by OID |
//! | `resolve` | which one a call means: PostgreSQL's rules 10.2 (operators), 10.3 (functions), 10.5 (common type) |
//! | `regex_engine` | regular expressions |
//! | `coerce` | how a value of one type becomes another |
//! | `catalog_context` | what functions ask of the catalog: [`CatalogFunctions`] |
//! | `context` | what a call needs beyond its arguments: [`FunctionContext`], [`SessionFunctions`] |
//! | the others | the functions themselves, by subject |
//!
//! What always holds:
//!
//! 1. OIDs, argument types, results, volatility and strictness are PostgreSQL 15's; a test compares each row
//!    with a live server's `pg_proc`, `pg_operator`, `pg_cast` and `pg_aggregate`.
//! 2. A function is pure but for what it takes from its [`FunctionContext`]: no clock, no setting, no global.
//! 3. A call is one indirect call on `&[Datum]`; arguments have been coerced to the function's types before.
//! 4. Errors are PostgreSQL's, in code and words.
//!
//! Not here: ranges, full text search; the work of window functions, which is the executor's.

mod aggregates;
mod argument;
mod arithmetic;
mod array;
mod bits;
mod catalog_context;
mod coerce;
mod comparison;
mod context;
mod conversion;
mod datetime;
mod definition;
mod enumeration;
mod formatting;
mod hash;
mod json;
mod ordered_set;
mod record;
mod regex_engine;
mod registry;
mod resolve;
mod row_identity;
mod send;
mod series;
mod spread;
mod string;
mod system;
mod tables;
mod window;

pub use catalog_context::{
    CatalogFunctions, IndexOrder, ObjectIdentity, ObjectKind, PrivilegeColumn, PrivilegeRequest, PrivilegeTarget,
    RoleName, RoutineText, Securable, StorageKind,
};
pub use coerce::{
    Cast, CastContext, CastMethod, apply_cast, cast_value, coercion, is_object_reference, read_text, write_client_text,
};
pub use context::{
    AdvisoryLock, FunctionContext, LockScope, LogPositions, PublicationChange, SessionFunctions, WantedLimits,
};
pub use definition::{
    Accumulator, Aggregate, Function, Operator, OutColumn, RecordFn, Records, Rows, ScalarFn, SetFn, Strategy,
    Volatility,
};
pub use hash::hash_value;
pub use json::{assign_json, row_as_json};
pub use ordered_set::{OrderedSetKind, Placement, mode, percentile, percentiles, place};
pub use registry::{
    aggregate_by_oid, aggregates_named, all_aggregates, all_functions, all_operators, all_window_functions, casts,
    function_by_oid, functions_named, operator_by_oid, operators_named, window_functions_named,
};
pub use resolve::{
    Callee, NamedCall, Place, ResolveError, ResolvedFunction, ResolvedOperator, column_type, common_type, equality,
    less, resolve_function, resolve_named_call, resolve_operator, resolve_variadic_call,
};
pub use string::{char_to_encoding, quote_identifier, server_encoding};
pub use window::{InRange, WindowFunction, WindowKind, in_range_support};
