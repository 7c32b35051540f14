//! The facts of PostgreSQL's catalog that are plain rows.

pub(crate) mod casts;
pub(crate) mod operators;
