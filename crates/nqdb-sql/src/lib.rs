//! SQL: from a query string to rows.
//!
//! ```text
//! text --parse--> Parsed --bind--> Bound (ir) --rewrite--> Bound --plan--> Plan --exec--> rows
//!                   \--ddl--> nqdb_catalog::CatalogWriter
//! ```
//!
//! | module | what it does |
//! |---|---|
//! | [`parse`], [`statement`] | query strings into statements |
//! | [`bind`], [`ir`], [`params`] | names, types and overloads, by PostgreSQL's rules; the only front end |
//! | [`rewrite`] | subqueries into joins, conditions down, joins in order: IR to IR, for both executors |
//! | [`plan`], [`exec`] | the row executor: access paths, operators, writes with their waits |
//! | [`RowExpression`] | single expressions of the row executor, for the other one |
//! | [`window`] | what window functions compute over the rows of a partition, for both executors |
//! | [`copy`], [`explain`] | COPY's formats and its two directions; EXPLAIN |
//! | [`integrity`] | foreign keys and deferred checks |
//! | [`ddl`] | definitions, ANALYZE |
//! | [`IndexExpressions`] | keys of indexes over expressions, for the layers below |
//! | [`system`] | `pg_catalog` and `information_schema` |
//!
//! What always holds: nothing in here waits, sleeps or reads a clock; a wait comes out as a value, and whoever called
//! waits and calls again.

pub mod absent_kind;
pub mod bind;
pub mod copy;
pub mod database_command;
pub mod ddl;
pub mod definition;
pub mod exec;
pub mod explain;
mod index_expression;
pub mod integrity;
pub mod interruption;
pub mod ir;
mod names;
mod no_session;
pub mod params;
pub mod parse;
pub mod plan;
pub mod rewrite;
pub mod rights;
pub mod rights_command;
mod row_expression;
pub mod statement;
pub mod system;
mod system_column;
pub mod table_command;
pub mod temporary_files;
pub mod window;

pub use index_expression::IndexExpressions;
pub use no_session::NoSession;
pub use row_expression::{RowEvaluator, RowExpression};
pub use system_column::SystemColumn;
