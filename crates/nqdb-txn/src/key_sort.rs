//! Sorting more keys than memory holds: runs that are sorted in memory and spill to a file, merged when they are read.
//!
//! ```text
//! push -> memory (keys behind each other, and where each is) --full--> sorted --> a run in the file
//! finish: runs -> merged, as many at once as buffers fit memory, until that is few enough -> next, next, ..
//! a key in the file: length u16 | length of its unique part u16, 0xffff: none | key
//! ```
//!
//! What always holds:
//! 1. A sort holds no more than its share of memory, whatever it sorts: half for keys while they are gathered (the buffers
//!    that hold them may be twice as large), all of it for the buffers of runs while they are merged.
//! 2. The file has lost its name before anything is written to it, so that a process that ends leaves nothing behind. A
//!    name that a power cut brought back is removed at the next start ([`remove_left_files`]).
//! 3. All sorts together hold what [`SortMemory`] has, and the least share for each beyond that.

use crate::error::{Result, TxnError};
use nqdb_storage::disk::{Disk, DiskFile, OpenMode};
use parking_lot::Mutex;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const PATH_PREFIX: &str = "sort.spill.";

/// The least that a sort gets, whatever others hold.
const SHARE_BYTES_MIN: usize = 1 << 20;
/// The least buffer of a run that is merged: one system call brings some hundred keys.
const RUN_BUFFER_BYTES_MIN: usize = 16 << 10;
/// The largest one; more makes reading no faster.
const RUN_BUFFER_BYTES_MAX: usize = 1 << 20;

const HEADER_LEN: usize = 4;
const NOT_UNIQUE: u16 = u16::MAX;

/// The memory of all sorts.
pub(crate) struct SortMemory {
    disk: Arc<dyn Disk>,
    free_bytes: Mutex<usize>,
    next_file: AtomicU64,
}

impl SortMemory {
    pub(crate) fn new(disk: Arc<dyn Disk>, bytes: usize) -> Arc<SortMemory> {
        Arc::new(SortMemory { disk, free_bytes: Mutex::new(bytes), next_file: AtomicU64::new(1) })
    }

    /// A share for one sort: half of what others have left, so that the next one gets something too.
    fn share(self: &Arc<SortMemory>) -> Share {
        let mut free = self.free_bytes.lock();
        let taken = *free / 2;
        *free -= taken;
        Share { memory: Arc::clone(self), taken_bytes: taken }
    }

    fn create_file(&self) -> Result<Arc<dyn DiskFile>> {
        let path = format!("{PATH_PREFIX}{}", self.next_file.fetch_add(1, Ordering::Relaxed));
        let file = self.disk.open(&path, OpenMode::Create)?;
        self.disk.remove(&path)?;
        Ok(file)
    }
}

/// Removes the files of sorts that a power cut has interrupted.
pub(crate) fn remove_left_files(disk: &dyn Disk) -> Result<()> {
    for name in disk.list("")?.iter().filter(|name| name.starts_with(PATH_PREFIX)) {
        disk.remove(name)?;
    }
    Ok(())
}

struct Share {
    memory: Arc<SortMemory>,
    taken_bytes: usize,
}

impl Share {
    fn bytes(&self) -> usize {
        self.taken_bytes.max(SHARE_BYTES_MIN)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        *self.memory.free_bytes.lock() += self.taken_bytes;
    }
}

/// Where a key stands in memory.
#[derive(Clone, Copy)]
struct Place {
    at: usize,
    len: u16,
    unique_len: u16,
}

/// Keys that are being gathered.
pub(crate) struct KeySort {
    share: Share,
    keys: Vec<u8>,
    places: Vec<Place>,
    file: Option<SpillFile>,
}

struct SpillFile {
    file: Arc<dyn DiskFile>,
    len: u64,
    runs: Vec<Range<u64>>,
}

impl KeySort {
    pub(crate) fn new(memory: &Arc<SortMemory>) -> KeySort {
        KeySort { share: memory.share(), keys: Vec::new(), places: Vec::new(), file: None }
    }

    /// Adds a key, of whose bytes the first `unique_len` must be unlike those of any other.
    pub(crate) fn push(&mut self, key: &[u8], unique_len: Option<usize>) -> Result<()> {
        let held = self.keys.len() + key.len() + (self.places.len() + 1) * size_of::<Place>();
        if held > self.share.bytes() / 2 && !self.places.is_empty() {
            self.spill()?;
        }
        let too_long = |_| TxnError::corrupt("a key is longer than an index takes");
        let len = u16::try_from(key.len()).map_err(too_long)?;
        let unique_len = match unique_len {
            Some(unique_len) => u16::try_from(unique_len).map_err(too_long)?,
            None => NOT_UNIQUE,
        };
        self.places.push(Place { at: self.keys.len(), len, unique_len });
        self.keys.extend_from_slice(key);
        Ok(())
    }

    fn sort(&mut self) {
        let keys = &self.keys;
        self.places.sort_unstable_by(|left, right| key_at(keys, left).cmp(key_at(keys, right)));
    }

    /// Writes what is in memory as a run.
    fn spill(&mut self) -> Result<()> {
        self.sort();
        let spill = match &mut self.file {
            Some(spill) => spill,
            None => {
                let file = self.share.memory.create_file()?;
                self.file.insert(SpillFile { file, len: 0, runs: Vec::new() })
            }
        };
        let mut writer = RunWriter::new(spill);
        for place in &self.places {
            writer.push(key_at(&self.keys, place), place.unique_len)?;
        }
        writer.finish()?;
        self.keys.clear();
        self.places.clear();
        Ok(())
    }

    /// The keys in order.
    pub(crate) fn finish(mut self) -> Result<SortedKeys> {
        if self.file.is_none() {
            self.sort();
            let KeySort { share, keys, places, .. } = self;
            return Ok(SortedKeys { source: Source::Memory { keys, places, next: 0 }, _share: share });
        }
        self.spill()?;
        let KeySort { share, keys, places, file } = self;
        drop((keys, places));
        let mut spill = file.ok_or_else(|| TxnError::corrupt("a sort has lost its file"))?;
        // One buffer is for writing.
        let fan_in = (share.bytes() / RUN_BUFFER_BYTES_MIN - 1).max(2);
        while spill.runs.len() > fan_in {
            let merged: Vec<_> = spill.runs.drain(..fan_in).collect();
            let mut merge = Merge::new(&spill.file, &merged, RUN_BUFFER_BYTES_MIN)?;
            let mut writer = RunWriter::new(&mut spill);
            while let Some((key, unique_len)) = merge.next()? {
                writer.push(key, unique_len)?;
            }
            writer.finish()?;
        }
        let buffer_bytes = (share.bytes() / spill.runs.len()).clamp(RUN_BUFFER_BYTES_MIN, RUN_BUFFER_BYTES_MAX);
        let merge = Merge::new(&spill.file, &spill.runs, buffer_bytes)?;
        Ok(SortedKeys { source: Source::File(merge), _share: share })
    }
}

fn key_at<'k>(keys: &'k [u8], place: &Place) -> &'k [u8] {
    keys.get(place.at..place.at + usize::from(place.len)).unwrap_or_default()
}

/// Appends a run to the file.
struct RunWriter<'s> {
    spill: &'s mut SpillFile,
    start: u64,
    buffer: Vec<u8>,
}

impl<'s> RunWriter<'s> {
    fn new(spill: &'s mut SpillFile) -> RunWriter<'s> {
        RunWriter { start: spill.len, spill, buffer: Vec::with_capacity(RUN_BUFFER_BYTES_MIN) }
    }

    fn push(&mut self, key: &[u8], unique_len: u16) -> Result<()> {
        if self.buffer.len() + HEADER_LEN + key.len() > RUN_BUFFER_BYTES_MIN {
            self.flush()?;
        }
        self.buffer.extend_from_slice(&(key.len() as u16).to_le_bytes());
        self.buffer.extend_from_slice(&unique_len.to_le_bytes());
        self.buffer.extend_from_slice(key);
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        self.spill.file.write_all_at(&self.buffer, self.spill.len)?;
        self.spill.len += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    fn finish(mut self) -> Result<()> {
        self.flush()?;
        self.spill.runs.push(self.start..self.spill.len);
        Ok(())
    }
}

/// A run that is being read; it stands at a key, or at its end.
struct RunReader {
    file: Arc<dyn DiskFile>,
    /// What has not been read into the buffer.
    rest: Range<u64>,
    buffer: Vec<u8>,
    buffer_bytes: usize,
    key: Range<usize>,
    unique_len: u16,
}

impl RunReader {
    fn new(file: Arc<dyn DiskFile>, run: Range<u64>, buffer_bytes: usize) -> RunReader {
        RunReader { file, rest: run, buffer: Vec::new(), buffer_bytes, key: 0..0, unique_len: NOT_UNIQUE }
    }

    fn key(&self) -> &[u8] {
        self.buffer.get(self.key.clone()).unwrap_or_default()
    }

    /// Goes to the next key; false at the run's end.
    fn advance(&mut self) -> Result<bool> {
        let cut = || TxnError::corrupt("a sorted run ends within a key");
        let at = self.key.end;
        if !self.fill(at, HEADER_LEN)? {
            return if self.buffer.len() == self.key.end { Ok(false) } else { Err(cut()) };
        }
        let header: [u8; HEADER_LEN] =
            self.buffer.get(self.key.end..).and_then(|bytes| bytes.first_chunk().copied()).ok_or_else(cut)?;
        let len = usize::from(u16::from_le_bytes([header[0], header[1]]));
        let unique_len = u16::from_le_bytes([header[2], header[3]]);
        let at = self.key.end;
        if !self.fill(at, HEADER_LEN + len)? {
            return Err(cut());
        }
        let start = self.key.end + HEADER_LEN;
        (self.key, self.unique_len) = (start..start + len, unique_len);
        Ok(true)
    }

    /// Makes `len` bytes from `at` on available, moving them to the buffer's beginning if need be; false when the run ends
    /// before that. The end of the key is what moves along.
    fn fill(&mut self, at: usize, len: usize) -> Result<bool> {
        if at + len <= self.buffer.len() {
            return Ok(true);
        }
        self.buffer.drain(..at);
        self.key = 0..0;
        let have = self.buffer.len();
        let left = usize::try_from(self.rest.end - self.rest.start).unwrap_or(usize::MAX);
        let wanted = self.buffer_bytes.max(len).saturating_sub(have).min(left);
        self.buffer.resize(have + wanted, 0);
        if let Some(read) = self.buffer.get_mut(have..).filter(|read| !read.is_empty()) {
            self.file.read_exact_at(read, self.rest.start)?;
        }
        self.rest.start += wanted as u64;
        Ok(len <= self.buffer.len())
    }
}

/// Runs that are merged: a binary heap of readers by their keys, the smallest on top.
struct Merge {
    readers: Vec<RunReader>,
    /// The top reader's key has been given out.
    is_given: bool,
}

impl Merge {
    fn new(file: &Arc<dyn DiskFile>, runs: &[Range<u64>], buffer_bytes: usize) -> Result<Merge> {
        let mut readers = Vec::with_capacity(runs.len());
        for run in runs {
            let mut reader = RunReader::new(Arc::clone(file), run.clone(), buffer_bytes);
            if reader.advance()? {
                readers.push(reader);
            }
        }
        // Sorted is a heap.
        readers.sort_unstable_by(|left, right| left.key().cmp(right.key()));
        Ok(Merge { readers, is_given: false })
    }

    fn next(&mut self) -> Result<Option<(&[u8], u16)>> {
        if self.is_given
            && let Some(top) = self.readers.first_mut()
        {
            if !top.advance()? {
                self.readers.swap_remove(0);
            }
            self.sift_down();
        }
        self.is_given = true;
        Ok(self.readers.first().map(|top| (top.key(), top.unique_len)))
    }

    /// Lets the top go down to where it belongs.
    fn sift_down(&mut self) {
        let mut at = 0;
        loop {
            let smallest = [2 * at + 1, 2 * at + 2]
                .into_iter()
                .filter(|child| *child < self.readers.len())
                .min_by(|left, right| self.readers[*left].key().cmp(self.readers[*right].key()));
            let Some(child) = smallest else { return };
            if self.readers[at].key() <= self.readers[child].key() {
                return;
            }
            self.readers.swap(at, child);
            at = child;
        }
    }
}

enum Source {
    Memory { keys: Vec<u8>, places: Vec<Place>, next: usize },
    File(Merge),
}

/// The keys of a sort, in order.
pub(crate) struct SortedKeys {
    source: Source,
    _share: Share,
}

impl SortedKeys {
    /// The next key, and how many of its first bytes must be unique.
    pub(crate) fn next(&mut self) -> Result<Option<(&[u8], Option<usize>)>> {
        let next = match &mut self.source {
            Source::File(merge) => merge.next()?,
            Source::Memory { keys, places, next } => {
                let place = places.get(*next);
                *next += 1;
                place.map(|place| (key_at(keys, place), place.unique_len))
            }
        };
        Ok(next.map(|(key, unique_len)| (key, (unique_len != NOT_UNIQUE).then_some(usize::from(unique_len)))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nqdb_storage::disk::{CrashMode, SimDisk};

    fn key(number: u64) -> Vec<u8> {
        let scattered = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut key = scattered.to_be_bytes().to_vec();
        key.resize(8 + (scattered % 90) as usize, b'k');
        key
    }

    fn sorted(memory: &Arc<SortMemory>, count: u64) -> Vec<Vec<u8>> {
        let mut sort = KeySort::new(memory);
        for number in 0..count {
            let unique_len = (number % 3 == 0).then_some(8);
            sort.push(&key(number), unique_len).unwrap();
        }
        let mut sorted = sort.finish().unwrap();
        let mut out = Vec::new();
        while let Some((key, unique_len)) = sorted.next().unwrap() {
            assert!(unique_len.is_none_or(|len| len == 8));
            out.push(key.to_vec());
        }
        out
    }

    #[test]
    fn keys_come_back_in_order_from_memory_one_merge_or_several() {
        let disk = SimDisk::new();
        let memory = SortMemory::new(Arc::new(disk.clone()), 0);
        // A share of 1 MiB takes some 7,000 such keys, and merges 63 runs at once.
        for count in [0, 1, 5_000, 50_000, 700_000] {
            let mut expected: Vec<_> = (0..count).map(key).collect();
            expected.sort();
            assert!(sorted(&memory, count) == expected, "{count} keys");
        }
        assert_eq!(disk.list("").unwrap(), Vec::<String>::new());
    }

    #[test]
    fn equal_keys_all_come_back() {
        let memory = SortMemory::new(Arc::new(SimDisk::new()), 0);
        let mut sort = KeySort::new(&memory);
        for _ in 0..40_000 {
            sort.push(b"the same key every time", None).unwrap();
        }
        let mut sorted = sort.finish().unwrap();
        let mut count = 0;
        while sorted.next().unwrap().is_some() {
            count += 1;
        }
        assert_eq!(count, 40_000);
    }

    #[test]
    fn sorts_share_their_memory_and_give_it_back() {
        let memory = SortMemory::new(Arc::new(SimDisk::new()), 64 << 20);
        let first = KeySort::new(&memory);
        let second = KeySort::new(&memory);
        assert_eq!((first.share.bytes(), second.share.bytes()), (32 << 20, 16 << 20));
        let more: Vec<_> = (0..20).map(|_| KeySort::new(&memory)).collect();
        assert_eq!(more.last().map(|sort| sort.share.bytes()), Some(SHARE_BYTES_MIN));
        drop((first, second, more));
        assert_eq!(*memory.free_bytes.lock(), 64 << 20);
    }

    #[test]
    fn a_file_that_a_power_cut_has_left_is_removed() {
        let disk = SimDisk::new();
        let memory = SortMemory::new(Arc::new(disk.clone()), 0);
        let mut sort = KeySort::new(&memory);
        for number in 0..20_000 {
            sort.push(&key(number), None).unwrap();
        }
        assert!(sort.file.is_some(), "it has spilled");
        assert_eq!(disk.list("").unwrap(), Vec::<String>::new(), "a process that is killed leaves nothing");
        disk.open("sort.spill.7", OpenMode::Create).unwrap();
        disk.sync_dir("").unwrap();
        let left = disk.crash(CrashMode::OnlySynced);
        assert_eq!(left.list("").unwrap(), ["sort.spill.7"]);
        remove_left_files(&left).unwrap();
        assert_eq!(left.list("").unwrap(), Vec::<String>::new());
    }
}
