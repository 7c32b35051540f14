//! Histories of concurrent transactions that append to lists and read them, and what must not be in them.
//!
//! ```text
//! sessions --run--> transactions with what they saw, how they ended --check--> anomalies
//! ```
//!
//! Every appended value is written once in all, so that a list tells who wrote it and in which order; from that follow the
//! dependencies of transactions without knowing when anything happened. Sources: Adya, Liskov, O'Neil, "Generalized
//! Isolation Level Definitions" (2000), for the names G0, G1 and G2; Kingsbury, Alvaro, "Elle" (2020), for the method.
//!
//! | level | must not have |
//! |---|---|
//! | READ COMMITTED | what is broken at any level, G0, G1a, G1b, G1c |
//! | REPEATABLE READ | these, and a cycle with a single anti-dependency: a lost update, a skewed read |
//! | SERIALIZABLE | any cycle |

mod check;
mod graph;
mod run;

pub use check::{Anomaly, check};
pub use run::{Load, run};

/// An isolation level and what it forbids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    ReadCommitted,
    RepeatableRead,
    Serializable,
}

/// What a transaction did, as it saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    Append {
        key: i32,
        value: i32,
    },
    /// An append that ROLLBACK TO SAVEPOINT took back.
    Discarded {
        key: i32,
        value: i32,
    },
    Read {
        key: i32,
        list: Vec<i32>,
    },
}

/// How a transaction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Committed,
    Aborted,
    /// The connection was lost after COMMIT was sent.
    Unknown,
}

#[derive(Clone, Debug)]
pub struct Transaction {
    pub steps: Vec<Step>,
    pub end: End,
}

/// What happened, and the lists as they are afterwards.
#[derive(Clone, Debug, Default)]
pub struct History {
    pub transactions: Vec<Transaction>,
    /// By key.
    pub lists: std::collections::BTreeMap<i32, Vec<i32>>,
    /// Times that the server was killed.
    pub kills: usize,
}

impl Level {
    pub const ALL: [Level; 3] = [Level::ReadCommitted, Level::RepeatableRead, Level::Serializable];

    /// As in SQL.
    pub fn name(self) -> &'static str {
        match self {
            Level::ReadCommitted => "READ COMMITTED",
            Level::RepeatableRead => "REPEATABLE READ",
            Level::Serializable => "SERIALIZABLE",
        }
    }

    pub fn forbids(self, anomaly: &Anomaly) -> bool {
        match anomaly {
            Anomaly::Broken(_) | Anomaly::DirtyCycle(_) => true,
            Anomaly::SingleAntiDependency(_) => self != Level::ReadCommitted,
            Anomaly::AntiDependencies(_) => self == Level::Serializable,
        }
    }
}
