//! Trees against `BTreeMap`, by one thread and by many.

mod concurrent;
mod harness;
mod model;
