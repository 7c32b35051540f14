//! Snapshots in which a READ ONLY transaction can meet no anomaly.
//!
//! A reader R that writes nothing can only be at the head of a dangerous structure: `R -> W -> T`, where T had committed
//! before R took its snapshot. So R's snapshot is safe once every writer W that ran at that moment has ended without such
//! an edge; from then on R reads as if it were REPEATABLE READ. It is unsafe as soon as one of them commits with one.
//! READ ONLY DEFERRABLE waits for a safe snapshot before it reads anything.

use super::{Member, SerialId, State, Tracked};
use crate::ids::Csn;
use crate::wait::Running;
use std::sync::Arc;

/// What is known of a READ ONLY transaction's snapshot.
pub(crate) enum Safety {
    /// Nothing can go wrong in it.
    Safe,
    /// Something may.
    Unsafe,
    /// It depends on how these end.
    Depends(Vec<Arc<Running>>),
}

impl State {
    /// Enters, for a READ ONLY transaction that begins, the writers that run. Those that have committed and whose commit its
    /// snapshot does not show have decided already.
    pub(super) fn watch_writers(&mut self, id: SerialId, reader: &mut Member) {
        for (writer, member) in &mut self.txns {
            if member.is_read_only() {
                continue;
            }
            match member.committed {
                None if member.is_doomed => {}
                None => {
                    reader.watched.insert(*writer);
                    member.watched.insert(id);
                }
                Some(csn) if csn > reader.snapshot => {
                    reader.is_unsafe |= member.earliest_out.is_some_and(|earliest| earliest <= reader.snapshot);
                }
                Some(_) => {}
            }
        }
    }

    /// A transaction has ended: with a csn if it committed. What that means for the snapshots that depend on it.
    pub(super) fn stop_watching(&mut self, id: SerialId, committed: Option<Csn>) {
        let Some(member) = self.txns.get_mut(&id) else { return };
        let watched = std::mem::take(&mut member.watched);
        let spoils = committed.filter(|_| member.has_written).and(member.earliest_out);
        let is_reader = member.declared_read_only;
        for other in watched {
            let Some(reader) = self.txns.get_mut(&other) else { continue };
            reader.watched.remove(&id);
            if !is_reader && spoils.is_some_and(|earliest| earliest <= reader.snapshot) {
                reader.is_unsafe = true;
            }
        }
    }

    pub(super) fn safety(&self, tracked: &Tracked) -> Safety {
        let Some(member) = self.txns.get(&tracked.id).filter(|_| tracked.is_tracked()) else { return Safety::Safe };
        if member.is_unsafe {
            return Safety::Unsafe;
        }
        if member.watched.is_empty() {
            return Safety::Safe;
        }
        let writers = member.watched.iter().filter_map(|writer| self.txns.get(writer));
        Safety::Depends(writers.map(|writer| writer.running.clone()).collect())
    }
}
