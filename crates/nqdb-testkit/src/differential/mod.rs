//! Generated statements on PostgreSQL 15 and on nqdb: whatever both are asked, both must answer alike.
//!
//! What always holds:
//! 1. A seed and a number of statements decide everything that is asked; a difference is found again under the same seed.
//! 2. Compared are the types of the columns, the rows (as text, as a multiset where the statement fixes no order), the number
//!    of rows changed, and the SQLSTATE of an error.
//! 3. SQL leaves open which rows an expression is evaluated for, and in which order. Where only one side meets an error of
//!    class 22, or both meet others, and the statement reads tables, nothing is decided; such statements are counted apart
//!    ([`Verdict::Open`]).
//!
//! Left out: sums of floats (their order is open), equal values of different spelling (any may stand for a group), ages of
//! infinite timestamps (PostgreSQL 15 wraps), error messages, time and randomness.

mod answer;
mod change;
mod expression;
mod literal;
mod query;
mod run;
mod schema;
mod window;

pub use answer::{Answer, Verdict};
pub use run::{Difference, Report, run};

/// One statement and what its text promises.
#[derive(Clone, Debug)]
pub struct Statement {
    pub sql: String,
    /// Whether its rows come in one order only.
    pub ordered: bool,
    /// Whether it reads rows of tables.
    pub reads_tables: bool,
    /// Only to be prepared: the types of its parameters and columns are compared.
    pub parameters: bool,
}
