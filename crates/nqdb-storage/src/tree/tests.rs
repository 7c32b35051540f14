//! Trees against `BTreeMap`, by one thread and by many, through crashes, and damaged on purpose.

mod concurrent;
mod crash;
mod damage;
mod harness;
mod model;
