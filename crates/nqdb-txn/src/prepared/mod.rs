//! Prepared transactions: two-phase commit.
//!
//! ```text
//!            PREPARE TRANSACTION                COMMIT PREPARED
//!   running ─────────────────────> prepared ─────────────────────> committed
//!                                   │    ^                             ^
//!                       crash, stop └────┘  ROLLBACK PREPARED          │ (the record in the log decides)
//!                                   └───────────────────────────> rolled back
//! ```
//!
//! A prepared transaction belongs to no session any more. It keeps its number, so its changes stay invisible and stand in
//! the way of other writers, and it keeps its locks, under an owner of its own. Whoever names its identifier ends it.
//!
//! What always holds:
//!
//! 1. The log has a prepared transaction's state ([`PreparedState`]: identifier, locks, what SERIALIZABLE has to know)
//!    behind its last change. The last part of it prepares; before that a crash rolls back as ever.
//! 2. Its end is the end of any transaction: one commit record, or compensation records and the end of the abort. One
//!    compensation record behind the state is enough for a start to go on with the rollback.
//! 3. The log is kept from its first record on (R4), over restarts too: its undo is rebuilt from there ([`recovery`]).
//! 4. It waits for nobody, so no cycle of waits goes through it, and SERIALIZABLE never chooses it to fail.
//! 5. An identifier is in use from before the state is logged until the end is synced.
//! 6. Changes of definitions are not prepared: what they publish at a commit would not survive a restart.

mod log;
pub(crate) mod recovery;
mod registry;
mod state;

pub(crate) use log::PreparedLog;
pub use registry::PreparedFacts;
pub(crate) use registry::PreparedTransactions;
pub use state::PreparedLabel;
pub(crate) use state::{PreparedState, SerialState};
