//! The constants of a long `IN (...)`, hashed: one look instead of one comparison for each.

use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use nqdb_types::{Datum, Oid};

use super::expression::Eval;

/// Fewer items than this are compared one by one.
const ITEMS_MIN: usize = 9;

/// Distinct constants of one type, without NULL.
#[derive(Clone, Debug)]
pub(crate) struct ConstantSet {
    values: Arc<HashTable<Datum>>,
    hasher: RandomState,
    type_oid: Oid,
    /// NULL is among the constants: what is not found is unknown.
    pub has_null: bool,
}

impl ConstantSet {
    /// The set of a list that compares as a type; `None` if it is short, or not all of it is constant.
    pub fn of(list: &[Eval], type_oid: Oid) -> Option<ConstantSet> {
        if list.len() < ITEMS_MIN {
            return None;
        }
        let hasher = RandomState::default();
        let mut values: HashTable<Datum> = HashTable::with_capacity(list.len());
        let mut has_null = false;
        for item in list {
            let Eval::Constant(datum) = item else { return None };
            if datum.is_null() {
                has_null = true;
                continue;
            }
            let key = hash(datum, type_oid, &hasher);
            if values.find(key, |other| other.compare_as(datum, type_oid).is_eq()).is_none() {
                values.insert_unique(key, datum.clone(), |other| hash(other, type_oid, &hasher));
            }
        }
        Some(ConstantSet { values: Arc::new(values), hasher, type_oid, has_null })
    }

    /// Whether a value that is not NULL is among the constants.
    pub fn contains(&self, datum: &Datum) -> bool {
        let key = hash(datum, self.type_oid, &self.hasher);
        self.values.find(key, |other| other.compare_as(datum, self.type_oid).is_eq()).is_some()
    }
}

fn hash(datum: &Datum, type_oid: Oid, hasher: &RandomState) -> u64 {
    let mut state = hasher.build_hasher();
    datum.hash_as(&mut state, type_oid);
    state.finish()
}

#[cfg(test)]
mod tests {
    use super::ConstantSet;
    use crate::exec::Eval;
    use nqdb_types::{Datum, oid};

    fn list(items: impl IntoIterator<Item = Datum>) -> Vec<Eval> {
        items.into_iter().map(Eval::Constant).collect()
    }

    #[test]
    fn finds_equal_values_of_any_width_and_tells_of_null() {
        let items = list((0..20).map(Datum::Int4).chain([Datum::Null]));
        let set = ConstantSet::of(&items, oid::INT4).expect("long and constant");
        assert!(set.has_null);
        assert!(set.contains(&Datum::Int8(19)));
        assert!(!set.contains(&Datum::Int8(20)));
        let padded = list((0..10).map(|n| Datum::text(format!("{n}   "))));
        let set = ConstantSet::of(&padded, oid::BPCHAR).expect("long and constant");
        assert!(set.contains(&Datum::text("7")));
    }

    #[test]
    fn short_lists_and_lists_with_parameters_stay() {
        assert!(ConstantSet::of(&list((0..8).map(Datum::Int4)), oid::INT4).is_none());
        let mut items = list((0..20).map(Datum::Int4));
        items.push(Eval::Param(0));
        assert!(ConstantSet::of(&items, oid::INT4).is_none());
    }
}
