//! What is wrong in a history.
//!
//! Transactions whose end is unknown count as committed if one of their values is in a list in the end. Reads of transactions that
//! did not commit are looked at for what must never be seen, but nothing depends on them.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use super::graph::{Dependency, Graph};
use super::{End, History, Step, Transaction};

/// Something that at least one level forbids. Cycles name their transactions by number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Anomaly {
    /// Forbidden everywhere: a lost or doubled value, one that was taken back, two orders of one list.
    Broken(String),
    /// G0 or G1c: transactions that depend on each other by what they have written and read.
    DirtyCycle(Vec<usize>),
    /// A cycle with one anti-dependency.
    SingleAntiDependency(Vec<usize>),
    /// G2: a cycle with several anti-dependencies, as of a write skew.
    AntiDependencies(Vec<usize>),
}

impl fmt::Display for Anomaly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Anomaly::Broken(what) => f.write_str(what),
            Anomaly::DirtyCycle(cycle) => write!(f, "a cycle of dirty dependencies: {cycle:?}"),
            Anomaly::SingleAntiDependency(cycle) => write!(f, "a cycle with one anti-dependency: {cycle:?}"),
            Anomaly::AntiDependencies(cycle) => write!(f, "a cycle with several anti-dependencies: {cycle:?}"),
        }
    }
}

/// A value's place: who wrote it, and whether the same transaction wrote the next one of that key.
struct Written {
    by: usize,
    committed: bool,
}

/// All that is wrong: everything that is broken, and a cycle of each kind that there is.
pub fn check(history: &History) -> Vec<Anomaly> {
    let mut found = Vec::new();
    let written = writers(history);
    check_lists(history, &written, &mut found);
    let mut graph = Graph::default();
    for list in history.lists.values() {
        for pair in list.windows(2) {
            if let (Some(first), Some(second)) = (written.get(&pair[0]), written.get(&pair[1])) {
                graph.add(first.by, second.by, Dependency::Write);
            }
        }
    }
    for (number, transaction) in history.transactions.iter().enumerate() {
        check_reads(history, &written, (number, transaction), &mut graph, &mut found);
    }
    if let Some(cycle) = graph.cycle_without_anti() {
        found.push(Anomaly::DirtyCycle(cycle));
    }
    if let Some(cycle) = graph.cycle_with_one_anti() {
        found.push(Anomaly::SingleAntiDependency(cycle));
    } else if let Some(cycle) = graph.cycle_with_anti() {
        found.push(Anomaly::AntiDependencies(cycle));
    }
    found
}

/// Who wrote each value, and whether it counts.
fn writers(history: &History) -> HashMap<i32, Written> {
    let mut written = HashMap::new();
    for (by, transaction) in history.transactions.iter().enumerate() {
        let is_there = |step: &Step| match step {
            Step::Append { key, value } => history.lists.get(key).is_some_and(|list| list.contains(value)),
            _ => false,
        };
        let is_committed = match transaction.end {
            End::Committed => true,
            End::Aborted => false,
            End::Unknown => transaction.steps.iter().any(is_there),
        };
        for step in &transaction.steps {
            match step {
                Step::Append { value, .. } => written.insert(*value, Written { by, committed: is_committed }),
                Step::Discarded { value, .. } => written.insert(*value, Written { by, committed: false }),
                Step::Read { .. } => None,
            };
        }
    }
    written
}

/// The lists in the end have each committed value once, and nothing else.
fn check_lists(history: &History, written: &HashMap<i32, Written>, found: &mut Vec<Anomaly>) {
    let mut places: BTreeMap<i32, usize> = BTreeMap::new();
    for (key, list) in &history.lists {
        for value in list {
            *places.entry(*value).or_default() += 1;
            if !written.get(value).is_some_and(|writer| writer.committed) {
                found.push(Anomaly::Broken(format!("the list of {key} has {value}, which nobody has committed")));
            }
        }
    }
    for (value, writer) in written {
        match places.get(value).copied().unwrap_or(0) {
            0 if writer.committed => found.push(Anomaly::Broken(format!("{value} was committed and is lost"))),
            0 | 1 => {}
            times => found.push(Anomaly::Broken(format!("{value} is there {times} times"))),
        }
    }
}

/// What a transaction read fits the order of the lists, and itself; and whom it depends on for it.
fn check_reads(
    history: &History,
    written: &HashMap<i32, Written>,
    (number, transaction): (usize, &Transaction),
    graph: &mut Graph,
    found: &mut Vec<Anomaly>,
) {
    let is_committed = match transaction.end {
        End::Committed => true,
        End::Aborted => false,
        // One that wrote nothing has no trace: nothing may depend on it.
        End::Unknown => transaction.steps.iter().any(|step| match step {
            Step::Append { value, .. } => written.get(value).is_some_and(|writer| writer.committed),
            _ => false,
        }),
    };
    let mut own: HashMap<i32, Vec<i32>> = HashMap::new();
    for step in &transaction.steps {
        let (key, list) = match step {
            Step::Append { key, value } => {
                own.entry(*key).or_default().push(*value);
                continue;
            }
            Step::Discarded { .. } => continue,
            Step::Read { key, list } => (key, list),
        };
        let appended = own.get(key).map_or(&[][..], Vec::as_slice);
        let Some(seen) = list.strip_suffix(appended) else {
            found.push(Anomaly::Broken(format!(
                "transaction {number} does not see what it has appended to {key}: {list:?}"
            )));
            continue;
        };
        let last = history.lists.get(key).map_or(&[][..], Vec::as_slice);
        if !last.starts_with(seen) {
            found.push(Anomaly::Broken(format!("transaction {number} read {seen:?} of {key}, whose list is {last:?}")));
            continue;
        }
        let (before, next) = (seen.last(), last.get(seen.len()));
        let writer_of = |value: Option<&i32>| value.and_then(|value| written.get(value)).map(|writer| writer.by);
        if let (Some(before), Some(next)) = (writer_of(before), writer_of(next))
            && before == next
            && before != number
        {
            found.push(Anomaly::Broken(format!(
                "transaction {number} read {seen:?} of {key}, from the midst of {before}"
            )));
        }
        if is_committed {
            if let Some(writer) = writer_of(before) {
                graph.add(writer, number, Dependency::Read);
            }
            if let Some(writer) = writer_of(next) {
                graph.add(number, writer, Dependency::Anti);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    fn append(key: i32, value: i32) -> Step {
        Step::Append { key, value }
    }

    fn read(key: i32, list: &[i32]) -> Step {
        Step::Read { key, list: list.to_vec() }
    }

    fn history(transactions: &[(&[Step], End)], lists: &[(i32, &[i32])]) -> History {
        let transactions =
            transactions.iter().map(|(steps, end)| Transaction { steps: steps.to_vec(), end: *end }).collect();
        History { transactions, lists: lists.iter().map(|(key, list)| (*key, list.to_vec())).collect(), kills: 0 }
    }

    fn broken(history: &History) -> bool {
        check(history).iter().any(|anomaly| matches!(anomaly, Anomaly::Broken(_)))
    }

    #[test]
    fn a_serial_history_has_nothing() {
        let all = history(
            &[
                (&[append(1, 10), read(1, &[10])], End::Committed),
                (&[read(1, &[10]), append(1, 11), append(2, 12)], End::Committed),
                (&[append(1, 13)], End::Aborted),
                (&[append(2, 14)], End::Unknown),
                (&[append(2, 15)], End::Unknown),
            ],
            &[(1, &[10, 11]), (2, &[12, 15])],
        );
        assert_eq!(check(&all), []);
    }

    #[test]
    fn values_are_neither_lost_nor_doubled_nor_taken_from_who_failed() {
        assert!(broken(&history(&[(&[append(1, 10)], End::Committed)], &[(1, &[])])));
        assert!(broken(&history(&[(&[append(1, 10)], End::Committed)], &[(1, &[10, 10])])));
        assert!(broken(&history(&[(&[append(1, 10)], End::Aborted)], &[(1, &[10])])));
        let discarded = [Step::Discarded { key: 1, value: 10 }];
        assert!(broken(&history(&[(&discarded, End::Committed)], &[(1, &[10])])));
        let dirty = history(&[(&[append(1, 10)], End::Aborted), (&[read(1, &[10])], End::Committed)], &[(1, &[])]);
        assert!(broken(&dirty));
    }

    #[test]
    fn a_transaction_is_seen_whole_and_sees_itself() {
        let midst = [(&[append(1, 10), append(1, 11)][..], End::Committed), (&[read(1, &[10])][..], End::Committed)];
        assert!(broken(&history(&midst, &[(1, &[10, 11])])));
        let blind = [(&[append(1, 10), read(1, &[])][..], End::Committed)];
        assert!(broken(&history(&blind, &[(1, &[10])])));
    }

    #[test]
    fn half_a_transaction_that_ended_unknown_is_broken() {
        assert!(broken(&history(&[(&[append(1, 10), append(2, 11)], End::Unknown)], &[(1, &[10]), (2, &[])])));
    }

    #[test]
    fn a_lost_update_is_forbidden_from_repeatable_read_on() {
        // Both read the empty list and append.
        let lost = history(
            &[(&[read(1, &[]), append(1, 10)], End::Committed), (&[read(1, &[]), append(1, 11)], End::Committed)],
            &[(1, &[10, 11])],
        );
        let found = check(&lost);
        assert!(matches!(found.as_slice(), [Anomaly::SingleAntiDependency(_)]), "{found:?}");
        assert!(!Level::ReadCommitted.forbids(&found[0]) && Level::RepeatableRead.forbids(&found[0]));
    }

    #[test]
    fn a_write_skew_is_forbidden_at_serializable_only() {
        let skew = history(
            &[(&[read(1, &[]), append(2, 10)], End::Committed), (&[read(2, &[]), append(1, 11)], End::Committed)],
            &[(1, &[11]), (2, &[10])],
        );
        let found = check(&skew);
        assert!(matches!(found.as_slice(), [Anomaly::AntiDependencies(_)]), "{found:?}");
        assert!(!Level::RepeatableRead.forbids(&found[0]) && Level::Serializable.forbids(&found[0]));
    }

    #[test]
    fn transactions_that_read_each_others_writes_are_forbidden_everywhere() {
        let circular = history(
            &[(&[append(1, 10), read(2, &[11])], End::Committed), (&[append(2, 11), read(1, &[10])], End::Committed)],
            &[(1, &[10]), (2, &[11])],
        );
        let found = check(&circular);
        assert!(matches!(found.as_slice(), [Anomaly::DirtyCycle(_)]), "{found:?}");
        assert!(Level::ReadCommitted.forbids(&found[0]));
    }
}
