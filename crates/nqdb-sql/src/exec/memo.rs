//! What a correlated subquery answered for which outer values.
//!
//! What always holds:
//! 1. The key is the exact stored form of each outer value that the subquery reads (and of the operand of a quantified
//!    comparison): `1.0` and `1.00` are equal, yet a subquery may tell them apart.
//! 2. It holds at most half of what the statement may hold, and never makes a statement fail for want of memory.
//! 3. When the outer values hardly ever repeat it gives itself up.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use nqdb_types::{Datum, row};

use super::expression::Slot;
use super::runtime::Runtime;

/// Lookups after which a memo must have been of use.
const TRIAL_LOOKUPS: u64 = 512;
/// One lookup in so many must find an answer.
const LOOKUPS_PER_HIT_MAX: u64 = 16;
/// Bytes of an entry besides its key and value.
const ENTRY_BYTES: usize = 64;

/// Answers by outer values.
#[derive(Default)]
pub(crate) struct Memo {
    answers: HashMap<Box<[u8]>, Datum, RandomState>,
    lookups: u64,
    hits: u64,
    charged_bytes: usize,
    given_up: bool,
}

/// The outer values at hand, as a memo knows them.
pub(crate) struct MemoKey(Vec<u8>);

impl Memo {
    /// The key of the current outer values; none when keys are of no use (any more).
    pub fn key(&self, slots: &[Slot], operand: Option<&Datum>, rt: &Runtime<'_, '_>) -> Option<MemoKey> {
        if self.given_up {
            return None;
        }
        let mut key = Vec::with_capacity(16);
        for datum in slots.iter().map(|slot| &rt.frame.slots[*slot]).chain(operand) {
            let start = key.len();
            key.extend_from_slice(&[0; 5]);
            if !datum.is_null() {
                row::encode_value(&mut key, datum);
                let length = (key.len() - start - 5) as u32;
                key[start] = 1;
                key[start + 1..start + 5].copy_from_slice(&length.to_le_bytes());
            }
        }
        Some(MemoKey(key))
    }

    /// The answer for a key.
    pub fn find(&mut self, key: &MemoKey, rt: &mut Runtime<'_, '_>) -> Option<Datum> {
        self.lookups += 1;
        let answer = self.answers.get(key.0.as_slice()).cloned();
        self.hits += u64::from(answer.is_some());
        if self.lookups == TRIAL_LOOKUPS && self.hits * LOOKUPS_PER_HIT_MAX < self.lookups {
            self.given_up = true;
            self.answers = HashMap::default();
            rt.release(std::mem::take(&mut self.charged_bytes));
        }
        answer
    }

    /// Keeps an answer if there is room for it.
    pub fn keep(&mut self, key: MemoKey, answer: &Datum, rt: &mut Runtime<'_, '_>) {
        let bytes = ENTRY_BYTES + key.0.len() + answer.heap_size();
        if !self.given_up && rt.charge_if_spare(bytes) {
            self.charged_bytes += bytes;
            self.answers.insert(key.0.into_boxed_slice(), answer.clone());
        }
    }
}
