//! What a transaction remembers of its constraints: what SET CONSTRAINTS said, and the events that wait for COMMIT.
//!
//! What always holds:
//! 1. Rolling back to a savepoint forgets the events and settings since, and has those events wait again that were fired
//!    since: their effects are undone.
//! 2. What waits is paid for out of the memory of all statements; there is no more of it than fits (53200).

use std::sync::Arc;

use nqdb_catalog::{Deferral, ReferentialAction};
use nqdb_sqlstate::SqlResult;
use nqdb_types::Oid;

use super::queries::CheckPlans;
use super::watch::{Event, KeyGone, OwnCheck, OwnConstraint};
use crate::exec::{MemoryPool, MemoryShare};

/// The constraints of a session's transaction.
#[derive(Default)]
pub struct Constraints {
    /// What SET CONSTRAINTS said, the newest last.
    settings: Vec<Setting>,
    waiting: Vec<Waiting>,
    /// How many times events that waited were fired.
    firings: u64,
    bytes: usize,
    memory: MemoryShare,
    /// Of the session: they outlive the transaction.
    pub(super) plans: CheckPlans,
}

#[derive(Clone, Copy)]
struct Setting {
    /// None: ALL.
    constraint: Option<Oid>,
    deferred: bool,
}

struct Waiting {
    event: Event,
    /// The firing that took it.
    fired: Option<u64>,
}

/// Where a savepoint was set.
#[derive(Clone, Copy, Debug)]
pub struct ConstraintMark {
    settings: usize,
    waiting: usize,
    firings: u64,
}

impl Constraints {
    /// The place of a savepoint.
    pub fn mark(&self) -> ConstraintMark {
        ConstraintMark { settings: self.settings.len(), waiting: self.waiting.len(), firings: self.firings }
    }

    /// Takes back what came after a savepoint.
    pub fn rollback_to(&mut self, mark: ConstraintMark) {
        self.settings.truncate(mark.settings);
        for dropped in self.waiting.drain(mark.waiting..) {
            self.bytes = self.bytes.saturating_sub(dropped.event.bytes());
        }
        for waiting in &mut self.waiting {
            if waiting.fired.is_some_and(|firing| firing >= mark.firings) {
                waiting.fired = None;
            }
        }
    }

    /// The transaction is over.
    pub fn end(&mut self) {
        if self.settings.is_empty() && self.waiting.is_empty() {
            return;
        }
        let plans = std::mem::take(&mut self.plans);
        *self = Constraints { plans, ..Constraints::default() };
    }

    /// Whether events wait that COMMIT has to fire.
    pub fn has_deferred(&self) -> bool {
        self.waiting.iter().any(|waiting| waiting.fired.is_none())
    }

    /// Whether events of a table wait: it must not be altered.
    pub fn has_pending(&self, table: Oid) -> bool {
        self.pending_tables().any(|pending| pending == table)
    }

    /// The tables of the events that wait.
    pub fn pending_tables(&self) -> impl Iterator<Item = Oid> {
        self.waiting.iter().filter(|waiting| waiting.fired.is_none()).filter_map(|waiting| waiting.event.table())
    }

    /// SET CONSTRAINTS; none of them means ALL.
    pub fn set(&mut self, constraints: Option<&[Oid]>, deferred: bool) {
        match constraints {
            None => self.settings.push(Setting { constraint: None, deferred }),
            Some(constraints) => {
                self.settings.extend(constraints.iter().map(|oid| Setting { constraint: Some(*oid), deferred }));
            }
        }
    }

    /// Whether a constraint waits for the end of the transaction.
    pub(super) fn is_deferred(&self, constraint: Oid, deferral: Deferral) -> bool {
        if !deferral.is_deferrable() {
            return false;
        }
        let said = self.settings.iter().rev().find(|setting| setting.constraint.is_none_or(|oid| oid == constraint));
        said.map_or(deferral.is_deferred(), |setting| setting.deferred)
    }

    /// What of an event is due now; the rest of it waits.
    pub(super) fn defer(&mut self, event: Event, pool: &Arc<MemoryPool>) -> SqlResult<Option<Event>> {
        match event {
            Event::KeyGone(gone) if !self.waits(&gone) => Ok(Some(Event::KeyGone(gone))),
            Event::KeyGone(gone) => self.keep(Event::KeyGone(gone), pool).map(|()| None),
            Event::Written { checks, rows } => {
                let (late, due): (Vec<&OwnCheck>, Vec<&OwnCheck>) =
                    checks.iter().partition(|check| self.is_deferred(check.oid(), check.deferral()));
                let share = |part: &[&OwnCheck]| -> Arc<[OwnCheck]> {
                    if part.len() == checks.len() { checks.clone() } else { part.iter().copied().cloned().collect() }
                };
                // One by one, for SET CONSTRAINTS may name one of them.
                for check in late {
                    self.keep(Event::Written { checks: share(&[check]), rows: rows.clone() }, pool)?;
                }
                Ok((!due.is_empty()).then(|| Event::Written { checks: share(&due), rows }))
            }
        }
    }

    /// Whether what takes the key of referred rows away is looked at later: NO ACTION alone can wait.
    fn waits(&self, gone: &KeyGone) -> bool {
        let key = &gone.referenced.key;
        gone.action() == ReferentialAction::NoAction && self.is_deferred(key.oid, key.deferral)
    }

    fn keep(&mut self, event: Event, pool: &Arc<MemoryPool>) -> SqlResult<()> {
        self.bytes += event.bytes();
        if self.bytes > self.memory.covered_bytes() {
            self.memory.fit(self.bytes, pool)?;
        }
        self.waiting.push(Waiting { event, fired: None });
        Ok(())
    }

    /// Takes the events that wait for constraints which do not any more, or all of them.
    pub(super) fn take_due(&mut self, all: bool) -> Vec<Event> {
        self.firings += 1;
        let mut due = Vec::new();
        for at in 0..self.waiting.len() {
            let Some(waiting) = self.waiting.get(at).filter(|waiting| waiting.fired.is_none()) else { continue };
            let is_late = match &waiting.event {
                Event::KeyGone(gone) => self.waits(gone),
                Event::Written { checks, .. } => {
                    checks.iter().all(|check| self.is_deferred(check.oid(), check.deferral()))
                }
            };
            if is_late && !all {
                continue;
            }
            let firing = self.firings;
            if let Some(waiting) = self.waiting.get_mut(at) {
                waiting.fired = Some(firing);
                due.push(waiting.event.clone());
            }
        }
        due
    }
}

impl OwnCheck {
    pub(super) fn deferral(&self) -> Deferral {
        match &self.constraint {
            OwnConstraint::Unique(index) => index.deferral,
            OwnConstraint::ForeignKey(key) => key.deferral,
        }
    }
}
