//! What a campaign has exercised: a campaign that never split a page has proved nothing about splits.

use std::collections::BTreeMap;
use std::fmt;

/// Everything that must have happened at least once.
pub const REQUIRED: &[&str] = &[
    "commits",
    "rollbacks",
    "failed statements",
    "savepoints rolled back to",
    "statements that waited for a lock",
    "deadlocks",
    "inserts",
    "inserts of many rows",
    "upserts",
    "copies",
    "updates",
    "key updates",
    "deletes",
    "truncates",
    "large values written",
    "tables created",
    "tables dropped",
    "indexes created",
    "indexes dropped",
    "columns added",
    "columns dropped",
    "sequences created",
    "sequences dropped",
    "sequence values drawn",
    "databases created",
    "databases copied from a copy",
    "databases dropped",
    "purge steps",
    "page splits",
    "page merges",
    "page evictions",
    "page reads",
    "page writes",
    "checkpoints",
    "log segments created",
    "log segments recycled",
    "cuts during creation",
    "cuts at a write",
    "cuts at a sync",
    "cuts at a rename",
    "cuts at a directory sync",
    "cuts that kept only what was synced",
    "cuts that kept all writes",
    "cuts that kept a random subset",
    "cuts that tore sectors",
    "cuts during recovery",
    "cuts after work on a recovered database",
    "commits in flight that survived",
    "commits in flight that vanished",
];

/// Counters by name.
#[derive(Clone, Default)]
pub struct Coverage(BTreeMap<&'static str, u64>);

impl Coverage {
    pub fn add(&mut self, what: &'static str, count: u64) {
        debug_assert!(REQUIRED.contains(&what), "{what} is not in the list");
        *self.0.entry(what).or_default() += count;
    }

    pub fn hit(&mut self, what: &'static str) {
        self.add(what, 1);
    }

    /// What has never happened.
    pub fn missing(&self) -> Vec<&'static str> {
        REQUIRED.iter().copied().filter(|what| self.0.get(what).is_none_or(|count| *count == 0)).collect()
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        REQUIRED.iter().try_for_each(|what| writeln!(f, "{:>10}  {what}", self.0.get(what).copied().unwrap_or(0)))
    }
}
