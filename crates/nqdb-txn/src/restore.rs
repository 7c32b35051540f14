//! Restoring a database from a backup to the end of the log, to a position in it, or to a moment.
//!
//! The moment of a commit is the wall clock in its record. Times never go back along the log of one run, and the log is
//! repeated up to the first commit after the wanted moment, so that what was committed at or before it is there. What had not
//! ended by then is rolled back, as after a crash; what was prepared by then is prepared, and its log goes into the new one.

use crate::error::Result;
use crate::prepared::PreparedLog;
use crate::record::{COMMIT, commit_clock};
use crate::system::{TxnOptions, TxnSystem};
use nqdb_storage::backup::{self, RestoreSource, Until};
use nqdb_storage::disk::Disk;
use nqdb_storage::{Engine, Lsn, Options, StorageError};
use std::sync::Arc;

/// Up to where to restore.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestoreTarget {
    /// The end of the log that there is.
    Latest,
    /// A position in the log, as `pg_current_wal_lsn` tells it.
    Lsn(Lsn),
    /// The last commit at or before a moment, µs since 2000-01-01 UTC.
    Time(i64),
}

/// What was restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restored {
    /// The end of the log that was repeated.
    pub end: Lsn,
}

/// A backup is the state at its end: an earlier moment cannot be had from it, whatever its log tells of commits.
fn expect_not_before(source: RestoreSource<'_>, target: RestoreTarget) -> Result<()> {
    match (target, source.chain.last()) {
        (RestoreTarget::Time(wanted), Some(newest)) if wanted < newest.manifest.ended_micros => {
            Err(StorageError::refused("the backup is of a later moment: an older backup is needed").into())
        }
        _ => Ok(()),
    }
}

/// Makes a database in an empty directory. It has a new system id; `system_id` chooses it.
pub fn restore(
    source: RestoreSource<'_>,
    target: RestoreTarget,
    disk: Arc<dyn Disk>,
    engine: Options,
    options: TxnOptions,
) -> Result<Restored> {
    expect_not_before(source, target)?;
    let system_id = engine.system_id;
    let mut is_after = |kind: u8, payload: &[u8]| match target {
        RestoreTarget::Time(wanted) if kind == COMMIT => {
            commit_clock(payload).map(|clock| clock > wanted).map_err(|error| StorageError::corrupt(error.to_string()))
        }
        _ => Ok(false),
    };
    let until = match target {
        RestoreTarget::Latest => Until::Latest,
        RestoreTarget::Lsn(lsn) => Until::Lsn(lsn),
        RestoreTarget::Time(_) => Until::Record(&mut is_after),
    };
    let laid_out = backup::lay_out(source, until, &disk)?;
    let again = engine.clone();
    let open = |disk, options, replay: &mut crate::recovery::Replay| Engine::open_restored(disk, options, replay);
    let system = TxnSystem::open_by(disk.clone(), engine, options, open)?;
    // Purge needs the definitions of tables, which are not known here: it is owed to the first start.
    system.engine().close()?;
    let prepared = PreparedLog::of(&system);
    drop(system);
    backup::renew_log(&disk, system_id)?;
    prepared.write(&disk, again)?;
    backup::complete(&disk)?;
    Ok(Restored { end: laid_out.end })
}
