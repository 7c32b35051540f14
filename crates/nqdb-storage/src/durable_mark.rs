//! How far the log had been durable, noted outside of the log: what tells damage to the log's newest part from its end.
//!
//! ```text
//! nqdb.super, from 8192 on, one sector
//!   0  8  magic "nqdbmark"
//!   8  4  zero
//!  12  4  crc32c of the other bytes of the 512
//!  16  8  system id
//!  24  8  the log was durable up to here
//! ```
//!
//! What always holds:
//! 1. A mark never says more than is true: it is written after the sync that it tells of has returned, so whatever mark a
//!    power cut leaves, a log that ends before it has been damaged.
//! 2. It is written after each sync and costs no sync of its own: a process that is killed leaves the newest one, and a
//!    power cut one that is older. It is synced with every superblock, and when the log has stood still for a round of
//!    the background writer.
//! 3. A mark that does not verify proves nothing, and nothing is lost with it: the log's own proofs are left
//!    (`wal::reader`).

use std::sync::Arc;

use parking_lot::Mutex;

use crate::disk::DiskFile;
use crate::error::Result;
use crate::ids::Lsn;
use crate::wal::group::{u32_at, u64_at};

/// Where the mark stands in the superblock's file, behind both of its copies.
const MARK_AT: u64 = 8192;
/// One sector: written as a whole or not at all.
const MARK_BYTES: usize = 512;
const MAGIC: &[u8; 8] = b"nqdbmark";

#[derive(Debug, Default)]
struct Positions {
    written: Lsn,
    synced: Lsn,
    /// What was written when the background writer looked last.
    looked: Lsn,
}

/// The mark of an open database.
pub(crate) struct DurableMark {
    file: Arc<dyn DiskFile>,
    system_id: u64,
    positions: Mutex<Positions>,
}

impl DurableMark {
    /// The mark that an earlier run has left; `None` when there is none that can be trusted.
    pub(crate) fn read(file: &dyn DiskFile, system_id: u64) -> Result<Option<Lsn>> {
        if file.len()? < MARK_AT + MARK_BYTES as u64 {
            return Ok(None);
        }
        let mut bytes = [0; MARK_BYTES];
        file.read_exact_at(&mut bytes, MARK_AT)?;
        let lsn = decode(&bytes, system_id);
        if lsn.is_none() && bytes.iter().any(|&byte| byte != 0) {
            tracing::warn!("the mark of the log's durable end cannot be read");
        }
        Ok(lsn)
    }

    /// Marks `end`, up to which the log is durable. The superblock that is written next makes the mark durable.
    pub(crate) fn start(file: Arc<dyn DiskFile>, system_id: u64, end: Lsn) -> Result<DurableMark> {
        file.write_all_at(&encode(system_id, end), MARK_AT)?;
        let positions = Positions { written: end, synced: end, looked: end };
        Ok(DurableMark { file, system_id, positions: Mutex::new(positions) })
    }

    /// The log has become durable up to `lsn`.
    pub(crate) fn note(&self, lsn: Lsn) -> Result<()> {
        let mut positions = self.positions.lock();
        if lsn > positions.written {
            self.file.write_all_at(&encode(self.system_id, lsn), MARK_AT)?;
            positions.written = lsn;
        }
        Ok(())
    }

    /// Makes the mark durable if it has not moved since the last call; whether that was to be done.
    pub(crate) fn sync_when_still(&self) -> Result<bool> {
        let written = {
            let mut positions = self.positions.lock();
            let written = positions.written;
            let looked = std::mem::replace(&mut positions.looked, written);
            if written == positions.synced || written != looked {
                return Ok(false);
            }
            written
        };
        self.file.sync_data()?;
        self.positions.lock().synced = written;
        Ok(true)
    }
}

fn encode(system_id: u64, lsn: Lsn) -> [u8; MARK_BYTES] {
    let mut out = [0; MARK_BYTES];
    out[0..8].copy_from_slice(MAGIC);
    out[16..24].copy_from_slice(&system_id.to_le_bytes());
    out[24..32].copy_from_slice(&lsn.0.to_le_bytes());
    let crc = crc(&out);
    out[12..16].copy_from_slice(&crc.to_le_bytes());
    out
}

fn decode(bytes: &[u8; MARK_BYTES], system_id: u64) -> Option<Lsn> {
    let is_whole = bytes[0..8] == *MAGIC && u32_at(bytes, 12)? == crc(bytes) && u64_at(bytes, 16)? == system_id;
    if is_whole { u64_at(bytes, 24).map(Lsn) } else { None }
}

fn crc(bytes: &[u8; MARK_BYTES]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&bytes[..12]), &bytes[16..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::{Call, CrashMode, Disk, OpenMode, SimDisk};

    #[test]
    fn a_mark_is_read_back_by_its_own_database_and_not_when_it_is_damaged() {
        let disk = SimDisk::new();
        let file = disk.open("nqdb.super", OpenMode::Create).unwrap();
        assert_eq!(DurableMark::read(&*file, 7).unwrap(), None);
        let mark = DurableMark::start(Arc::clone(&file), 7, Lsn(100)).unwrap();
        mark.note(Lsn(90)).unwrap();
        assert_eq!(DurableMark::read(&*file, 7).unwrap(), Some(Lsn(100)));
        mark.note(Lsn(300)).unwrap();
        assert_eq!(DurableMark::read(&*file, 7).unwrap(), Some(Lsn(300)));
        assert_eq!(DurableMark::read(&*file, 8).unwrap(), None);
        disk.flip_bit("nqdb.super", MARK_AT + 300, 1);
        assert_eq!(DurableMark::read(&*file, 7).unwrap(), None);
    }

    #[test]
    fn a_mark_is_synced_once_it_stands_still() {
        let disk = SimDisk::new();
        let file = disk.open("nqdb.super", OpenMode::Create).unwrap();
        let mark = DurableMark::start(Arc::clone(&file), 7, Lsn(100)).unwrap();
        file.sync_data().unwrap();
        disk.sync_dir("").unwrap();
        mark.note(Lsn(200)).unwrap();
        assert!(!mark.sync_when_still().unwrap());
        mark.note(Lsn(300)).unwrap();
        assert!(!mark.sync_when_still().unwrap());
        assert!(mark.sync_when_still().unwrap());
        let syncs = disk.calls(Call::Sync);
        assert!(!mark.sync_when_still().unwrap());
        assert_eq!(disk.calls(Call::Sync), syncs);
        let left = disk.crash(CrashMode::OnlySynced);
        let file = left.open("nqdb.super", OpenMode::Existing).unwrap();
        assert_eq!(DurableMark::read(&*file, 7).unwrap(), Some(Lsn(300)));
    }
}
