//! A disk in memory that can lose power.
//!
//! For every file it keeps the image that was last synced and the writes since; for every directory the names that are
//! durable and the changes since. [`SimDisk::crash`] gives the disk that a machine would find after a power cut, as a
//! function of a mode and a seed. Faults strike at a chosen call, so a test can visit every one of them.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use super::{DirLock, Disk, DiskFile, OpenMode};
use crate::error::{Result, StorageError};

const SECTOR_BYTES: usize = 512;

/// What of the unsynced writes survives a power cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrashMode {
    /// Nothing.
    OnlySynced,
    /// Everything.
    AllWrites,
    /// Each write by itself, at random from a seed; of the directory changes, the first few.
    RandomSubset(u64),
    /// As `RandomSubset`, but writes survive by the sector of 512 bytes.
    Torn512(u64),
}

/// A kind of call, for counting and for faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Call {
    /// `read_exact_at`.
    Read,
    /// `write_all_at`.
    Write,
    /// `sync_data`.
    Sync,
    /// `set_len`.
    SetLen,
    /// `allocate`.
    Allocate,
    /// `rename`.
    Rename,
    /// `remove`.
    Remove,
    /// `open` that creates a file.
    Create,
    /// `sync_dir`.
    SyncDir,
    /// Every call of the above but `Read`.
    Change,
}

/// What happens at the chosen call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The call fails with EIO; a failed sync leaves its writes unsynced for good.
    Eio,
    /// The call fails with ENOSPC.
    Enospc,
    /// The power goes: this call and every later one fail. A write is among those whose fate the crash mode decides.
    CrashHere,
    /// The call goes on; the disk as a power cut at this call would find it is kept for [`SimDisk::take_captured`].
    Capture,
}

#[derive(Clone)]
enum Pending {
    Write { offset: usize, bytes: Vec<u8> },
    SetLen(usize),
}

#[derive(Clone, Default)]
struct Inode {
    live: Vec<u8>,
    synced: Vec<u8>,
    pending: Vec<Pending>,
}

#[derive(Clone)]
enum NameChange {
    Link(String, usize),
    Unlink(String),
}

#[derive(Clone, Default)]
struct State {
    inodes: Vec<Inode>,
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    name_changes: Vec<NameChange>,
    calls: BTreeMap<Call, u64>,
    faults: Vec<(Call, u64, Fault)>,
    crashed: bool,
    /// The call at which the power went.
    crashed_at: Option<Call>,
    capacity: Option<u64>,
    captured: Vec<State>,
}

impl State {
    /// Counts a call; a fault that is due decides how it goes.
    fn count(&mut self, call: Call) -> Option<Fault> {
        let mut due = None;
        let classes: &[Call] = if call == Call::Read { &[Call::Read] } else { &[call, Call::Change] };
        for &class in classes {
            let count = self.calls.entry(class).or_default();
            *count += 1;
            let at = self.faults.iter().position(|&(c, n, _)| c == class && n == *count);
            due = at.map(|at| self.faults.swap_remove(at).2).or(due);
        }
        due
    }

    /// Lets a call pass, or fails it.
    fn begin(&mut self, call: Call, op: &'static str, path: &str) -> Result<()> {
        if self.crashed {
            return Err(io_error(op, path, "the power is off"));
        }
        match self.count(call) {
            None => Ok(()),
            Some(Fault::Eio) => Err(io_error(op, path, "simulated EIO")),
            Some(Fault::Enospc) => Err(StorageError::io(op, path, io::ErrorKind::StorageFull.into())),
            Some(Fault::CrashHere) => {
                self.crashed = true;
                self.crashed_at = Some(call);
                Err(io_error(op, path, "the power goes off"))
            }
            Some(Fault::Capture) => {
                let captured = std::mem::take(&mut self.captured);
                let now = State { faults: Vec::new(), crashed: true, crashed_at: Some(call), ..self.clone() };
                self.captured = captured;
                self.captured.push(now);
                Ok(())
            }
        }
    }

    fn used(&self) -> u64 {
        self.names.values().map(|&inode| self.inodes[inode].live.len() as u64).sum()
    }

    /// Whether a file may grow to `len` within the capacity.
    fn check_room(&self, inode: usize, len: usize, op: &'static str, path: &str) -> Result<()> {
        let now = self.inodes[inode].live.len();
        let Some(capacity) = self.capacity else { return Ok(()) };
        if len > now && self.used() + (len - now) as u64 > capacity {
            return Err(StorageError::io(op, path, io::ErrorKind::StorageFull.into()));
        }
        Ok(())
    }
}

fn io_error(op: &'static str, path: &str, what: &str) -> StorageError {
    StorageError::io(op, path, io::Error::other(what.to_owned()))
}

fn write_into(image: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    if image.len() < offset + bytes.len() {
        image.resize(offset + bytes.len(), 0);
    }
    image[offset..offset + bytes.len()].copy_from_slice(bytes);
}

/// A disk in memory. Clones share it.
#[derive(Clone, Default)]
pub struct SimDisk {
    state: Arc<Mutex<State>>,
    locked: Arc<AtomicBool>,
}

impl SimDisk {
    /// An empty disk without faults.
    pub fn new() -> SimDisk {
        SimDisk::default()
    }

    /// Strikes at the `n`-th (from 1) call of a kind, counted from the disk's beginning. Several may be set.
    pub fn fail_at(&self, call: Call, n: u64, fault: Fault) {
        self.state.lock().faults.push((call, n, fault));
    }

    /// How many calls of a kind were made.
    pub fn calls(&self, call: Call) -> u64 {
        self.state.lock().calls.get(&call).copied().unwrap_or(0)
    }

    /// Limits the sum of all file lengths, in bytes.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.state.lock().capacity = bytes;
    }

    /// The sum of all file lengths, in bytes.
    pub fn used_bytes(&self) -> u64 {
        self.state.lock().used()
    }

    /// Whether a `CrashHere` has struck.
    pub fn has_crashed(&self) -> bool {
        self.state.lock().crashed
    }

    /// The call at which the power went.
    pub fn crashed_at(&self) -> Option<Call> {
        self.state.lock().crashed_at
    }

    /// Damages a file, durably. False when there is no such byte.
    pub fn flip_bit(&self, path: &str, offset: u64, bit: u8) -> bool {
        let mut state = self.state.lock();
        let Some(&inode) = state.names.get(path) else { return false };
        let inode = &mut state.inodes[inode];
        let mut flipped = false;
        for image in [&mut inode.live, &mut inode.synced] {
            if let Some(byte) = image.get_mut(offset as usize) {
                *byte ^= 1 << (bit % 8);
                flipped = true;
            }
        }
        flipped
    }

    /// The file's content as programs see it now.
    pub fn content(&self, path: &str) -> Option<Vec<u8>> {
        let state = self.state.lock();
        state.names.get(path).map(|&inode| state.inodes[inode].live.clone())
    }

    /// The disks that [`Fault::Capture`] has kept, oldest first: as they were, with the power off.
    pub fn take_captured(&self) -> Vec<SimDisk> {
        let captured = std::mem::take(&mut self.state.lock().captured);
        let off = |state| SimDisk { state: Arc::new(Mutex::new(state)), locked: Arc::default() };
        captured.into_iter().map(off).collect()
    }

    /// The disk after a power cut at this moment. This disk is not changed.
    pub fn crash(&self, mode: CrashMode) -> SimDisk {
        let state = self.state.lock();
        let mut random = Random::new(mode);
        let mut names = state.durable_names.clone();
        let kept_changes = match mode {
            CrashMode::OnlySynced => 0,
            CrashMode::AllWrites => state.name_changes.len(),
            CrashMode::RandomSubset(_) | CrashMode::Torn512(_) => {
                random.below(state.name_changes.len() as u64 + 1) as usize
            }
        };
        for change in &state.name_changes[..kept_changes] {
            apply_name_change(&mut names, change);
        }
        let mut after = State::default();
        for (name, inode) in names {
            let image = survive(&state.inodes[inode], mode, &mut random);
            after.inodes.push(Inode { live: image.clone(), synced: image, pending: Vec::new() });
            after.names.insert(name.clone(), after.inodes.len() - 1);
        }
        after.durable_names = after.names.clone();
        after.capacity = state.capacity;
        SimDisk { state: Arc::new(Mutex::new(after)), locked: Arc::default() }
    }
}

fn apply_name_change(names: &mut BTreeMap<String, usize>, change: &NameChange) {
    match change {
        NameChange::Link(name, inode) => {
            names.insert(name.clone(), *inode);
        }
        NameChange::Unlink(name) => {
            names.remove(name);
        }
    }
}

/// The file's image after a power cut.
fn survive(inode: &Inode, mode: CrashMode, random: &mut Random) -> Vec<u8> {
    let mut image = inode.synced.clone();
    for pending in &inode.pending {
        match (pending, mode) {
            (_, CrashMode::OnlySynced) => {}
            (Pending::SetLen(len), CrashMode::AllWrites) => image.resize(*len, 0),
            (Pending::SetLen(len), _) => {
                if random.coin() {
                    image.resize(*len, 0);
                }
            }
            (Pending::Write { offset, bytes }, CrashMode::AllWrites) => write_into(&mut image, *offset, bytes),
            (Pending::Write { offset, bytes }, CrashMode::RandomSubset(_)) => {
                if random.coin() {
                    write_into(&mut image, *offset, bytes);
                }
            }
            (Pending::Write { offset, bytes }, CrashMode::Torn512(_)) => {
                let mut done = 0;
                while done < bytes.len() {
                    let sector_end = ((offset + done) / SECTOR_BYTES + 1) * SECTOR_BYTES - offset;
                    let end = sector_end.min(bytes.len());
                    if random.coin() {
                        write_into(&mut image, offset + done, &bytes[done..end]);
                    }
                    done = end;
                }
            }
        }
    }
    image
}

/// splitmix64: small, and the same everywhere.
struct Random(u64);

impl Random {
    fn new(mode: CrashMode) -> Random {
        match mode {
            CrashMode::OnlySynced | CrashMode::AllWrites => Random(0),
            CrashMode::RandomSubset(seed) | CrashMode::Torn512(seed) => Random(seed),
        }
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn coin(&mut self) -> bool {
        self.next() & 1 == 0
    }
}

impl Disk for SimDisk {
    fn open(&self, path: &str, mode: OpenMode) -> Result<Arc<dyn DiskFile>> {
        let mut state = self.state.lock();
        let inode = match (state.names.get(path), mode) {
            (Some(&inode), _) => inode,
            (None, OpenMode::Existing | OpenMode::ReadOnly) => {
                return Err(StorageError::io("open", path, io::ErrorKind::NotFound.into()));
            }
            (None, OpenMode::Create) => {
                state.begin(Call::Create, "create", path)?;
                state.inodes.push(Inode::default());
                let inode = state.inodes.len() - 1;
                state.names.insert(path.to_owned(), inode);
                state.name_changes.push(NameChange::Link(path.to_owned(), inode));
                inode
            }
        };
        Ok(Arc::new(SimFile { state: Arc::clone(&self.state), inode, path: path.to_owned() }))
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        let mut state = self.state.lock();
        state.begin(Call::Rename, "rename", from)?;
        let inode = state.names.remove(from);
        let inode = inode.ok_or_else(|| StorageError::io("rename", from, io::ErrorKind::NotFound.into()))?;
        state.names.insert(to.to_owned(), inode);
        // Link before unlink: cut in between, the file has both names, as journalled file systems may leave it.
        state.name_changes.push(NameChange::Link(to.to_owned(), inode));
        state.name_changes.push(NameChange::Unlink(from.to_owned()));
        Ok(())
    }

    fn remove(&self, path: &str) -> Result<()> {
        let mut state = self.state.lock();
        state.begin(Call::Remove, "remove", path)?;
        let removed = state.names.remove(path);
        removed.ok_or_else(|| StorageError::io("remove", path, io::ErrorKind::NotFound.into()))?;
        state.name_changes.push(NameChange::Unlink(path.to_owned()));
        Ok(())
    }

    fn list(&self, dir: &str) -> Result<Vec<String>> {
        let state = self.state.lock();
        let prefix = if dir.is_empty() { String::new() } else { format!("{dir}/") };
        let names = state.names.keys().filter_map(|name| name.strip_prefix(&prefix));
        Ok(names.filter(|name| !name.contains('/')).map(str::to_owned).collect())
    }

    fn create_dir_all(&self, _dir: &str) -> Result<()> {
        Ok(())
    }

    fn sync_dir(&self, dir: &str) -> Result<()> {
        let mut state = self.state.lock();
        state.begin(Call::SyncDir, "sync directory", dir)?;
        let parent = |name: &str| name.rsplit_once('/').map_or(String::new(), |(parent, _)| parent.to_owned());
        let changes = std::mem::take(&mut state.name_changes);
        let (synced, rest): (Vec<_>, Vec<_>) = changes.into_iter().partition(|change| match change {
            NameChange::Link(name, _) | NameChange::Unlink(name) => parent(name) == dir,
        });
        for change in &synced {
            apply_name_change(&mut state.durable_names, change);
        }
        state.name_changes = rest;
        Ok(())
    }

    fn lock_exclusive(&self, _path: &str) -> Result<DirLock> {
        if self.locked.swap(true, Ordering::AcqRel) {
            return Err(StorageError::InUse);
        }
        Ok(DirLock::new(SimLock(Arc::clone(&self.locked))))
    }
}

struct SimLock(Arc<AtomicBool>);

impl Drop for SimLock {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

struct SimFile {
    state: Arc<Mutex<State>>,
    inode: usize,
    path: String,
}

impl DiskFile for SimFile {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        let mut state = self.state.lock();
        state.begin(Call::Read, "read", &self.path)?;
        let start = offset as usize;
        let bytes = state.inodes[self.inode].live.get(start..start + buffer.len());
        let bytes = bytes.ok_or_else(|| StorageError::io("read", &self.path, io::ErrorKind::UnexpectedEof.into()))?;
        buffer.copy_from_slice(bytes);
        Ok(())
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        let mut state = self.state.lock();
        let was_on = !state.crashed;
        let captured_before = state.captured.len();
        let begun = state.begin(Call::Write, "write", &self.path);
        let offset = offset as usize;
        if begun.is_err() {
            // The power went during this very write: its sectors may or may not have reached the disk.
            if was_on && state.crashed {
                let bytes = bytes.to_vec();
                state.inodes[self.inode].pending.push(Pending::Write { offset, bytes });
            }
            return begun;
        }
        if let Some(captured) = state.captured.get_mut(captured_before) {
            captured.inodes[self.inode].pending.push(Pending::Write { offset, bytes: bytes.to_vec() });
        }
        state.check_room(self.inode, offset + bytes.len(), "write", &self.path)?;
        let inode = &mut state.inodes[self.inode];
        write_into(&mut inode.live, offset, bytes);
        inode.pending.push(Pending::Write { offset, bytes: bytes.to_vec() });
        Ok(())
    }

    fn sync_data(&self) -> Result<()> {
        let mut state = self.state.lock();
        state.begin(Call::Sync, "sync", &self.path)?;
        let inode = &mut state.inodes[self.inode];
        for pending in std::mem::take(&mut inode.pending) {
            match pending {
                Pending::Write { offset, bytes } => write_into(&mut inode.synced, offset, &bytes),
                Pending::SetLen(len) => inode.synced.resize(len, 0),
            }
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> Result<()> {
        let mut state = self.state.lock();
        state.begin(Call::SetLen, "set the length of", &self.path)?;
        state.check_room(self.inode, len as usize, "set the length of", &self.path)?;
        let inode = &mut state.inodes[self.inode];
        inode.live.resize(len as usize, 0);
        inode.pending.push(Pending::SetLen(len as usize));
        Ok(())
    }

    fn len(&self) -> Result<u64> {
        Ok(self.state.lock().inodes[self.inode].live.len() as u64)
    }

    fn allocate(&self, offset: u64, len: u64) -> Result<()> {
        let mut state = self.state.lock();
        state.begin(Call::Allocate, "allocate space in", &self.path)?;
        let end = (offset + len) as usize;
        state.check_room(self.inode, end, "allocate space in", &self.path)?;
        let inode = &mut state.inodes[self.inode];
        if inode.live.len() < end {
            inode.live.resize(end, 0);
            inode.pending.push(Pending::SetLen(end));
        }
        Ok(())
    }
}
