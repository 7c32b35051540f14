//! Storage: pages, a buffer pool, a write-ahead log and B+ trees over them. It knows neither SQL nor transactions.
//!
//! The way of a change: a caller reserves what it needs ([`Engine::reserve`]), pins and latches pages in a
//! mini-transaction ([`Mtr`]), applies operations, and commits; the group of operations reaches the log as one atomic
//! piece. A log thread makes groups durable, a background writer copies changed pages to the data file and moves the
//! point from which recovery would have to start. After a crash [`Engine::open`] repeats what the data file lacks.
//!
//! ```text
//! nqdb.super          superblock: format, system id, where the newest checkpoint is; how far the log was durable
//! nqdb.doublewrite    the batch of pages that is being written in place
//! base.nqdb           the data file
//! wal/<16 hex digits> log segments
//! nqdb.lock           held while a process has the directory open
//! ```
//!
//! | module | what |
//! |---|---|
//! | [`disk`] | the seam to files: operating system or simulated |
//! | `pool` | frames, pins, latches, eviction |
//! | `mtr`, `reservation`, `space` | mini-transactions, what they reserve, page allocation |
//! | `wal` | log groups, segments, the log thread |
//! | `superblock`, `durable_mark`, `doublewrite`, `checkpoint`, `recovery` | what survives a crash and how |
//! | `archive`, [`backup`] | copies of the log and of the whole database, and how they become a database again |
//! | `engine` | the parts put together |
//! | [`page`], [`tree`] | page layout and operations, B-link trees |
//! | [`verify`] | is every page sound and in exactly one place? |

pub mod backup;
pub mod disk;
pub mod page;
pub mod tree;
pub mod verify;

mod archive;
mod checkpoint;
mod doublewrite;
mod durable_mark;
mod engine;
mod error;
mod ids;
mod mtr;
mod options;
mod pool;
mod recovery;
mod reservation;
mod space;
mod stats;
mod superblock;
mod wal;

pub use archive::LogArchive;
pub use checkpoint::{ClientCheckpoint, LogClient, NoLogClient};
pub use engine::Engine;
pub use error::{Result, StorageError};
pub use ids::{Lsn, PAGE_COUNT_MAX, PAGE_SIZE, PageId, TreeId};
pub use mtr::{Mtr, PageHandle};
pub use options::{FRAME_COUNT_MIN, LOG_SEGMENT_BYTES_MAX, LOG_SEGMENT_BYTES_MIN, Options, Sabotage};
pub use pool::{PageRead, Pinned};
pub use recovery::{LogReplay, NoLogReplay};
pub use reservation::{Need, Reservation};
pub use stats::Stats;
pub use tree::Direction;
