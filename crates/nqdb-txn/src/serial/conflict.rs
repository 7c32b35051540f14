//! Edges between transactions, and which of them have to fail because of them.
//!
//! `T1 -> T2 -> T3` is dangerous when T3 has committed before both others; when T1 writes nothing, only if T3 had
//! committed before T1 took its snapshot. The one in the middle, the pivot, fails: its retry will see what T3 did. If it has
//! committed already, the one that acts fails in its place. A prepared transaction counts as committed here.

use super::reads::Stored;
use super::{SerialId, State, failure};
use crate::error::Result;
use crate::ids::{Csn, Xid};

impl State {
    /// `reader` has met a version by `xid` that its snapshot hides.
    pub(super) fn note_unseen_write(&mut self, reader: SerialId, xid: Xid) -> Result<()> {
        let Some(writer) = self.by_xid.get(&xid).copied() else { return self.note_old_writer(reader, xid) };
        if writer == reader {
            return Ok(());
        }
        let (Some(own), Some(other)) = (self.txns.get(&reader), self.txns.get(&writer)) else { return Ok(()) };
        if other.is_doomed || own.writers.contains(&writer) {
            return Ok(());
        }
        if other.has_old_writer {
            // The summarised one has committed first, before nobody knows whom.
            if other.settled().is_some() {
                return Err(failure(format!("conflict out to old pivot {xid}")));
            }
            self.doom(writer);
            return Ok(());
        }
        let comes_first = own.is_read_only()
            && other.committed.is_some()
            && other.earliest_out.is_none_or(|earliest| own.snapshot < earliest);
        if comes_first {
            return Ok(());
        }
        self.add_edge(reader, writer, reader)
    }

    /// As above, when the writer has been summarised, or never was serializable.
    fn note_old_writer(&mut self, reader: SerialId, xid: Xid) -> Result<()> {
        let Some(old) = self.summary.get(xid) else { return Ok(()) };
        let Some(own) = self.txns.get_mut(&reader) else { return Ok(()) };
        if old.earliest_out.is_some_and(|earliest| !own.is_read_only() || earliest <= own.snapshot) {
            return Err(failure(format!("conflict out to old pivot {xid}")));
        }
        if own.has_old_reader || !own.readers.is_empty() {
            let reason = format!("identification as a pivot, with conflict out to old committed transaction {xid}");
            return Err(failure(reason));
        }
        own.has_old_writer = true;
        Ok(())
    }

    /// `writer` has written where, as `is_hit` tells, others may have read, `over` a version by somebody. Who comes before
    /// that one anyway needs no edge of its own.
    pub(super) fn note_write(
        &mut self,
        writer: SerialId,
        table: u32,
        over: Option<Xid>,
        is_hit: &dyn Fn(&Stored) -> bool,
    ) -> Result<()> {
        let Some(own) = self.txns.get_mut(&writer).filter(|own| !own.declared_read_only) else { return Ok(()) };
        own.has_written = true;
        if own.is_doomed {
            return Err(failure("identification as a pivot, during conflict in checking"));
        }
        let snapshot = own.snapshot;
        if self.reads.summarised(table).is_some_and(|csn| csn > snapshot) {
            if own.has_old_writer {
                return Err(failure("identification as a pivot, during write"));
            }
            own.has_old_reader = true;
        }
        let over = over.and_then(|xid| self.by_xid.get(&xid).copied());
        for reader in self.reads.readers(table, is_hit) {
            let Some(other) = self.txns.get(&reader).filter(|_| reader != writer) else { continue };
            let is_concurrent = other.committed.is_none_or(|csn| csn > snapshot);
            let is_known = other.writers.contains(&writer) || over.is_some_and(|over| other.writers.contains(&over));
            if !other.is_doomed && is_concurrent && !is_known {
                self.add_edge(reader, writer, writer)?;
            }
        }
        Ok(())
    }

    /// Enters the edge from `reader` to `writer`, unless the one of them that acts has to fail because of it.
    fn add_edge(&mut self, reader: SerialId, writer: SerialId, acting: SerialId) -> Result<()> {
        if self.is_dangerous(reader, writer) {
            let (settled, xid) =
                self.txns.get(&writer).map_or((false, None), |writer| (writer.settled().is_some(), writer.xid));
            if acting == writer {
                return Err(failure("identification as a pivot, during write"));
            }
            if settled {
                let xid = xid.unwrap_or_default();
                return Err(failure(format!("conflict out to pivot {xid}, during read")));
            }
            self.doom(writer);
        }
        if let Some(own) = self.txns.get_mut(&reader) {
            own.writers.insert(writer);
        }
        if let Some(other) = self.txns.get_mut(&writer) {
            other.readers.insert(reader);
        }
        Ok(())
    }

    /// Whether an edge from `reader` to `writer` makes one of them the middle of a dangerous structure.
    fn is_dangerous(&self, reader: SerialId, writer: SerialId) -> bool {
        let (Some(own), Some(other)) = (self.txns.get(&reader), self.txns.get(&writer)) else { return false };
        // reader -> writer -> somebody who committed before the writer did.
        if other.has_old_writer || (other.committed.is_some() && other.earliest_out.is_some()) {
            return true;
        }
        // reader -> writer -> third, which has committed before both.
        let is_before = |third: Csn, end: Option<Csn>| end.is_none_or(|end| third <= end);
        let third_is_first = |third: &SerialId| {
            let third = self.txns.get(third).and_then(|third| third.settled());
            third.is_some_and(|third| {
                is_before(third, own.committed)
                    && is_before(third, other.committed)
                    && (!own.is_read_only() || third <= own.snapshot)
            })
        };
        if other.writers.iter().any(third_is_first) {
            return true;
        }
        // somebody -> reader -> writer, which has committed first.
        let Some(end) = other.settled().filter(|_| !own.is_read_only()) else { return false };
        let comes_late = |first: &SerialId| {
            self.txns.get(first).is_some_and(|first| {
                !first.is_doomed
                    && first.committed.is_none_or(|csn| csn >= end)
                    && (!first.is_read_only() || first.snapshot >= end)
            })
        };
        own.has_old_reader || own.readers.iter().any(comes_late)
    }

    fn doom(&mut self, id: SerialId) {
        if let Some(member) = self.txns.get_mut(&id) {
            member.is_doomed = true;
        }
    }

    /// Whether the transaction may commit. Pivots that its commit would make dangerous have to fail: that leaves those alone
    /// who cannot be helped by trying again.
    pub(super) fn judge_commit(&mut self, id: SerialId) -> Result<()> {
        let Some(own) = self.txns.get(&id) else { return Ok(()) };
        if own.is_doomed {
            return Err(failure("identification as a pivot, during commit attempt"));
        }
        let is_pivot = |near: &&SerialId| {
            let Some(near) = self.txns.get(near) else { return false };
            let is_far = |far: &SerialId| {
                *far == id
                    || self
                        .txns
                        .get(far)
                        .is_some_and(|far| far.committed.is_none() && !far.declared_read_only && !far.is_doomed)
            };
            near.committed.is_none() && !near.is_doomed && near.readers.iter().any(is_far)
        };
        let pivots: Vec<SerialId> = own.readers.iter().filter(is_pivot).copied().collect();
        let is_prepared = |pivot: &SerialId| self.txns.get(pivot).is_some_and(|pivot| pivot.prepared.is_some());
        if pivots.iter().any(is_prepared) {
            return Err(failure("commit attempt with conflict in from prepared pivot"));
        }
        for pivot in pivots {
            self.doom(pivot);
        }
        Ok(())
    }

    /// The transaction has committed: what its edges mean is settled, as far as it depends on it.
    pub(super) fn committed(&mut self, id: SerialId, csn: Csn) {
        let Some(own) = self.txns.get_mut(&id) else { return };
        own.committed = Some(csn);
        self.active.remove(&(own.snapshot, id));
        let writes = !own.is_read_only();
        if own.has_old_writer && writes {
            own.earliest_out = Some(Csn(0));
        }
        let (readers, writers) = (own.readers.clone(), own.writers.clone());
        let end_of = |state: &State, other: &SerialId| state.txns.get(other).and_then(|other| other.committed);
        let ended: Vec<(SerialId, Csn)> =
            writers.iter().filter_map(|writer| end_of(self, writer).map(|end| (*writer, end))).collect();
        for (writer, end) in ended {
            if writes && let Some(own) = self.txns.get_mut(&id) {
                own.earliest_out = Some(own.earliest_out.map_or(end, |earliest| earliest.min(end)));
            }
            self.remove_edge(id, writer);
        }
        for reader in readers {
            let is_settled =
                self.txns.get(&reader).is_none_or(|reader| reader.committed.is_some() || reader.is_read_only());
            if is_settled {
                self.remove_edge(reader, id);
            }
        }
        self.stop_watching(id, Some(csn));
        self.finished.push_back((csn, id));
    }

    fn remove_edge(&mut self, reader: SerialId, writer: SerialId) {
        if let Some(own) = self.txns.get_mut(&reader) {
            own.writers.remove(&writer);
        }
        if let Some(other) = self.txns.get_mut(&writer) {
            other.readers.remove(&reader);
        }
    }
}
