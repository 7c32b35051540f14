//! One row by its id: the version that a view sees, or the newest one.

use super::{RowImage, TableStore};
use crate::error::{Result, TxnError};
use crate::ids::RowId;
use crate::row_lock::RowLock;
use crate::row_queue::WantedRow;
use crate::transaction::Transaction;
use crate::view::{ReadView, RowHeader, RowVersion};
use crate::wait::{TxnWait, Wait};
use crate::xids::XidStatus;
use std::cell::RefCell;

/// The newest version of a row, as the next change would meet it.
#[derive(Debug)]
pub enum Newest<T> {
    /// Committed, or by the asking transaction itself.
    Row(T),
    /// Deleted, or never there.
    Gone,
    /// Another transaction is changing it.
    InFlight(Wait),
}

thread_local! {
    /// Buffers for images that were copied out of a leaf. A stack, because a row's reader may read other rows.
    static BUFFERS: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// Gives `f` an empty buffer that keeps its memory from call to call.
pub(super) fn with_buffer<T>(f: impl FnOnce(&mut Vec<u8>) -> T) -> T {
    let mut buffer = BUFFERS.with_borrow_mut(|buffers| buffers.pop()).unwrap_or_default();
    buffer.clear();
    let answer = f(&mut buffer);
    BUFFERS.with_borrow_mut(|buffers| buffers.push(buffer));
    answer
}

impl TableStore {
    /// The version of a row that `view` sees; `None` when there is none. `f` runs without any latch.
    pub fn fetch<T>(
        &self,
        view: &ReadView,
        row_id: RowId,
        f: impl FnOnce(RowImage<'_>, RowVersion) -> T,
    ) -> Result<Option<T>> {
        self.track_read_of_rows(view, &(row_id..RowId(row_id.0.saturating_add(1))))?;
        with_buffer(|image| {
            let Some(header) = self.visible(view, row_id, image)? else { return Ok(None) };
            Ok(Some(f(RowImage::new(self, image)?, header.version())))
        })
    }

    /// Copies the visible version's image into `image`.
    pub(super) fn visible(&self, view: &ReadView, row_id: RowId, image: &mut Vec<u8>) -> Result<Option<RowHeader>> {
        let header = self.rows.get(&row_id.key(), |entry, _| {
            entry.map(|entry| {
                let (header, bytes) = RowHeader::split(entry.value)?;
                image.clear();
                image.extend_from_slice(bytes);
                Ok::<_, TxnError>(header)
            })
        })?;
        match header.transpose()? {
            Some(header) => view.resolve(header, image),
            None => Ok(None),
        }
    }

    /// The newest version of a row, committed or own, whatever the snapshot says. What is read here and is not synced yet
    /// becomes a dependency of `txn`.
    pub fn read_newest<T>(
        &self,
        txn: &Transaction,
        row_id: RowId,
        f: impl FnOnce(RowImage<'_>, RowVersion) -> T,
    ) -> Result<Newest<T>> {
        let system = txn.system();
        loop {
            let found = self.rows.get(&row_id.key(), |entry, _| {
                entry.map(|entry| {
                    let (header, image) = RowHeader::split(entry.value)?;
                    let own = txn.xid() == Some(header.xid);
                    let other = match system.xids().status(header.xid) {
                        XidStatus::Active if !own => {
                            let wanted = WantedRow { table: self.id, row: row_id, mode: RowLock::NoKeyUpdate };
                            Some(system.running(header.xid).map(|other| TxnWait::new([other]).for_row(wanted)))
                        }
                        _ => None,
                    };
                    Ok::<_, TxnError>((header, image.to_vec(), other))
                })
            })?;
            let Some((header, image, other)) = found.transpose()? else {
                txn.leave_row_queue();
                return Ok(Newest::Gone);
            };
            match other {
                Some(Some(wait)) => return Ok(Newest::InFlight(Wait::Txn(wait))),
                Some(None) => continue,
                None => {}
            }
            if txn.xid() != Some(header.xid) {
                txn.depend_on_commit_of(header.xid);
            }
            if header.is_deleted() {
                txn.leave_row_queue();
                return Ok(Newest::Gone);
            }
            return Ok(Newest::Row(f(RowImage::new(self, &image)?, header.version())));
        }
    }
}
