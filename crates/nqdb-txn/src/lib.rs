//! Transactions over the trees: snapshots, undo, locks, tables with their indexes, recovery and purge.
//!
//! The newest version of a row stands in its page with a 16-byte header `{xid, flags, undo pointer}`; older versions
//! are undo records in memory. Rollback is physical: it puts the old versions back, so no commit log is ever
//! consulted and nothing needs freezing. The scheme is described where it lives:
//!
//! | file | what it holds |
//! |---|---|
//! | [`xids`], [`snapshot`] | who has committed, what a snapshot sees, how far back anybody looks |
//! | [`undo`] | older versions, and what a rollback has to put back |
//! | [`record`] | what the log says about transactions |
//! | [`table`] | insert, update, delete, fetch, scans over one table and its indexes |
//! | [`transaction`], [`rollback`] | one transaction from begin to end |
//! | [`serial`] | SERIALIZABLE: who has read what others write, and who must fail for it |
//! | [`wait`], [`relation_lock`], [`row_lock`], [`key_lock`] | who waits for whom |
//! | [`system`], [`recovery`], [`directory`] | the whole: open, crash recovery, the list of trees |
//! | [`prepared`] | transactions that are prepared: two-phase commit |
//! | [`publication`] | telling the world outside of commits, in their order |
//! | [`feed`] | the changes of tables that are followed |
//! | [`purge`], [`definitions`] | cleaning up, and the definitions of tables that it goes by |
//! | [`sequence`] | numbers that never roll back |
//! | [`check`] | index against row, overflow references |
//!
//! What always holds (the recovery invariants R1-R7; the crash tests break each on purpose):
//!
//! 1. R1: an undo step logs a compensation record that names the step; recovery never undoes a step twice.
//! 2. R2: the end of an abort is logged before its locks fall.
//! 3. R3: recovery rebuilds the undo of unfinished transactions from the log; undo pointers of ended ones are not read.
//! 4. R4: the log is kept from the first record of the oldest unfinished transaction on.
//! 5. R5: what purge still owes after a crash is found from the marks in leaf headers.
//! 6. R6: nobody sees, and nobody is told of, a commit whose record is not synced.
//! 7. R7: a transaction whose prepared state is in the log stays, with its changes and locks, until its end is.
//!
//! Nobody waits in here for another transaction: calls return [`TxnError::Wait`], the caller waits and calls again.

mod check;
mod definitions;
mod directory;
mod durable;
mod error;
mod feed;
mod growth;
mod ids;
mod key_lock;
mod key_sort;
mod prepared;
mod publication;
mod purge;
mod record;
mod recovery;
mod relation_lock;
mod restore;
mod rollback;
mod row_lock;
mod row_queue;
mod sequence;
mod serial;
mod snapshot;
mod system;
mod table;
mod transaction;
mod undo;
mod view;
mod wait;
mod xids;

pub use check::{TableReport, check_table};
pub use durable::Durable;
pub use error::{Result, TxnError};
pub use feed::{ChangeFeed, RowChange, TableChange};
pub use ids::{Csn, OwnerId, RowId, UndoPosition, XID_MAX, Xid};
pub use nqdb_storage::tree::{Direction, Tree};
pub use nqdb_storage::{Lsn, TreeId};
pub use prepared::{PreparedFacts, PreparedLabel};
pub use publication::PublishHook;
pub use relation_lock::{AdvisoryKey, LockFacts, LockTarget, RelationLock};
pub use restore::{RestoreTarget, Restored, restore};
pub use row_lock::RowLock;
pub use sequence::{Sequence, SequenceState};
pub use serial::ReadFacts;
pub use snapshot::Snapshot;
#[doc(hidden)]
pub use system::TxnSabotage;
pub use system::{SYSTEM_TREES, TxnOptions, TxnStats, TxnSystem};
pub use table::{
    BATCH_ROWS_MAX, Computation, IndexScan, IndexStore, LeafScan, Modified, Newest, ROW_IMAGE_LEN_MAX, RowImage,
    RowScan, SEGMENT_ROWS, Settled, TableCounters, TableStore, UsableFrom,
};
pub use transaction::{Commit, Isolation, SavepointMark, Transaction};
pub use view::{ReadView, RowVersion};
pub use wait::{RelationWait, TxnWait, Wait};
pub use xids::XidStatus;
