//! Telling the world outside of commits: in their order, and of none before it is synced.
//!
//! A transaction that has something to tell hands a hook over at its commit ([`Transaction::commit_and_publish`]). The hook
//! takes its place in a line under the mutex that puts commits in order, and runs once everything up to its commit is synced
//! and visible. It is the session of the commit that makes it run, after it has awaited the sync ([`TxnSystem::publish_synced`]):
//! the log thread has other work. Whoever comes first runs what others have in line before him, so that no hook ever
//! overtakes another, and none is late because its session is.
//!
//! 1. Hooks run one at a time, in csn order.
//! 2. When `publish_synced` returns, every hook has run whose commit was synced at the call.
//! 3. A hook whose commit never gets synced, because the log failed, never runs.
//!
//! [`Transaction::commit_and_publish`]: crate::Transaction::commit_and_publish
//! [`TxnSystem::publish_synced`]: crate::TxnSystem::publish_synced

use crate::ids::Csn;
use nqdb_storage::Lsn;
use parking_lot::Mutex;
use std::collections::VecDeque;

/// What is to happen when a commit is synced. Takes the commit's number.
pub type PublishHook = Box<dyn FnOnce(Csn) + Send>;

/// The line of those who have something to tell.
#[derive(Default)]
pub(crate) struct Publications {
    /// In commit order, each with the log position up to which it waits.
    line: Mutex<VecDeque<(Lsn, Csn, PublishHook)>>,
    /// Held by whoever runs hooks.
    turn: Mutex<()>,
}

impl Publications {
    /// Puts a hook into the line; under the mutex of the commit order.
    pub(crate) fn push(&self, end: Lsn, csn: Csn, hook: PublishHook) {
        self.line.lock().push_back((end, csn, hook));
    }

    /// Runs the hooks whose turn has come.
    pub(crate) fn run(&self, is_synced: impl Fn(Lsn) -> bool) {
        let _turn = self.turn.lock();
        while let Some((csn, hook)) = self.take_synced(&is_synced) {
            hook(csn);
        }
    }

    fn take_synced(&self, is_synced: impl Fn(Lsn) -> bool) -> Option<(Csn, PublishHook)> {
        let mut line = self.line.lock();
        if !line.front().is_some_and(|(end, ..)| is_synced(*end)) {
            return None;
        }
        line.pop_front().map(|(_, csn, hook)| (csn, hook))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn hooks_run_in_order_and_only_when_synced() {
        let publications = Publications::default();
        let ran = Arc::new(Mutex::new(Vec::new()));
        for (end, csn) in [(10, 1), (10, 2), (30, 3), (30, 4)] {
            let ran = ran.clone();
            publications.push(Lsn(end), Csn(csn), Box::new(move |csn| ran.lock().push(csn.0)));
        }
        publications.run(|lsn| lsn.0 <= 5);
        assert!(ran.lock().is_empty());
        publications.run(|lsn| lsn.0 <= 10);
        assert_eq!(*ran.lock(), [1, 2]);
        publications.run(|lsn| lsn.0 <= 30);
        assert_eq!(*ran.lock(), [1, 2, 3, 4]);
    }

    #[test]
    fn many_threads_keep_the_order() {
        let publications = Publications::default();
        let (ran, next) = (Arc::new(Mutex::new(Vec::new())), Mutex::new(0));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..500 {
                        {
                            // As under the mutex of the commit order.
                            let mut next = next.lock();
                            *next += 1;
                            let ran = ran.clone();
                            publications.push(Lsn(*next), Csn(*next), Box::new(move |csn| ran.lock().push(csn.0)));
                        }
                        publications.run(|_| true);
                    }
                });
            }
        });
        assert_eq!(*ran.lock(), (1..=4000).collect::<Vec<_>>());
    }
}
