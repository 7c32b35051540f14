//! Any records in groups that verify, any bytes behind them: recovery answers with a database or an error.
//!
//! Input: groups, each as a length (u16) and so many bytes of body; the rest is put into the log as it is.
#![no_main]

use std::sync::{Arc, OnceLock};

use libfuzzer_sys::fuzz_target;
use nqdb_storage::disk::{CrashMode, Disk, OpenMode, SimDisk};
use nqdb_storage::{Engine, LogReplay, Lsn, Options, Result};

const SEGMENT_BYTES: u64 = 256 << 10;
const SEGMENT_PATH: &str = "wal/0000000000000001";
const GROUP_HEADER_BYTES: usize = 32;

fn options() -> Options {
    Options {
        frames: 64,
        log_segment_bytes: SEGMENT_BYTES,
        log_budget_bytes: 2 * SEGMENT_BYTES,
        log_buffer_bytes: 64 << 10,
        background_threads: false,
        system_id: Some(7),
        ..Options::default()
    }
}

/// A new database, and where its log ends.
fn base() -> &'static (SimDisk, u64) {
    static BASE: OnceLock<(SimDisk, u64)> = OnceLock::new();
    BASE.get_or_init(|| {
        let disk = SimDisk::new();
        let engine = Engine::create(Arc::new(disk.clone()), options()).expect("a new database");
        let end = engine.log_end().0;
        drop(engine);
        (disk, end)
    })
}

struct Swallow;

impl LogReplay for Swallow {
    fn checkpoint(&mut self, _payload: &[u8]) -> Result<()> {
        Ok(())
    }

    fn record(&mut self, _lsn: Lsn, _kind: u8, _payload: &[u8]) -> Result<()> {
        Ok(())
    }
}

/// A group as `docs/storage-format.md` has it.
fn group(lsn: u64, body: &[u8]) -> Vec<u8> {
    let mut out = vec![0; GROUP_HEADER_BYTES];
    out[4..8].copy_from_slice(&(body.len() as u32).to_le_bytes());
    out[8..16].copy_from_slice(&lsn.to_le_bytes());
    out[16..24].copy_from_slice(&base().1.to_le_bytes());
    out[24..28].copy_from_slice(&1u32.to_le_bytes());
    out[28..32].copy_from_slice(&2u32.to_le_bytes());
    let seed = crc32c::crc32c(&(lsn / SEGMENT_BYTES).to_le_bytes());
    let crc = crc32c::crc32c_append(seed, &out[4..]);
    let crc = crc32c::crc32c_append(crc, &crc32c::crc32c(body).to_le_bytes());
    out[0..4].copy_from_slice(&crc.to_le_bytes());
    out.extend_from_slice(body);
    out.resize(out.len().next_multiple_of(8), 0);
    out
}

fuzz_target!(|data: &[u8]| {
    let (disk, end) = base();
    let mut log = Vec::new();
    let mut rest = data;
    while let Some((length, behind)) = rest.split_first_chunk::<2>() {
        let Some((body, behind)) = behind.split_at_checked(usize::from(u16::from_le_bytes(*length))) else { break };
        log.extend_from_slice(&group(end + log.len() as u64, body));
        rest = behind;
    }
    log.extend_from_slice(rest);
    log.truncate((SEGMENT_BYTES - end % SEGMENT_BYTES) as usize);
    let disk = disk.crash(CrashMode::AllWrites);
    let file = disk.open(SEGMENT_PATH, OpenMode::Existing).expect("the first segment");
    file.write_all_at(&log, end % SEGMENT_BYTES).expect("a write");
    if let Ok(engine) = Engine::open(Arc::new(disk), options(), &mut Swallow) {
        for number in 0..engine.page_count().min(64) {
            let _ = engine.fetch(nqdb_storage::PageId(number)).map(drop);
        }
    }
});
