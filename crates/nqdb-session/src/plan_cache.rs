//! Plans of simple queries, and of statements to prepare, found by their text.
//!
//! Clients without prepared statements send the same texts again and again; others send each text once, with its
//! values in it. A text is kept only when it comes a second time: the first time leaves nothing but its hash.

use std::collections::HashMap;
use std::hash::BuildHasher;

use foldhash::fast::RandomState;

use crate::prepared::Statement;

/// Texts that are kept.
const ENTRIES_MAX: usize = 256;
/// Longer texts are not kept.
const TEXT_BYTES_MAX: usize = 4096;
/// Hashes of texts that came once; newer ones overwrite older ones.
const SEEN_SLOTS: usize = 512;

/// The statements of one session by their text.
#[derive(Default)]
pub(crate) struct PlanCache {
    entries: HashMap<Box<str>, Statement, RandomState>,
    seen: Vec<u64>,
}

impl PlanCache {
    pub fn get(&self, text: &str) -> Option<Statement> {
        self.entries.get(text).cloned()
    }

    /// Keeps the statement if its text came before.
    pub fn remember(&mut self, text: &str, statement: &Statement) {
        if text.len() > TEXT_BYTES_MAX {
            return;
        }
        if let Some(entry) = self.entries.get_mut(text) {
            *entry = statement.clone();
            return;
        }
        if self.seen.is_empty() {
            self.seen.resize(SEEN_SLOTS, 0);
        }
        let hash = self.entries.hasher().hash_one(text);
        let slot = &mut self.seen[hash as usize % SEEN_SLOTS];
        if *slot != hash {
            *slot = hash;
            return;
        }
        if self.entries.len() >= ENTRIES_MAX {
            // Rare: a client with more texts than places starts over.
            self.entries.clear();
        }
        self.entries.insert(text.into(), statement.clone());
    }

    pub fn clear(&mut self) {
        self.entries.clear();
        self.seen.clear();
    }
}
