//! The facts of PostgreSQL's catalog that are plain rows.

pub(crate) mod casts;
pub(crate) mod keywords;
pub(crate) mod operators;
