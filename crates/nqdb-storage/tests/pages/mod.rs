//! A workload of small page changes with a model to compare against.
//!
//! Change number n (from 1) allocates, frees or edits a few pages and logs an opaque record with n, all in one group. The
//! layer above is one number: the changes so far. After any crash the engine must hold changes 1 to k for some k.

#![allow(dead_code, reason = "each test program uses a part of it")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use nqdb_storage::disk::SimDisk;
use nqdb_storage::page::op::PageOp;
use nqdb_storage::{
    ClientCheckpoint, Engine, LogClient, LogReplay, Lsn, Need, Options, PAGE_SIZE, PageId, Result, Sabotage,
    StorageError,
};

pub const CELLS: u64 = 16;
/// Cells lie in different sectors, so that a torn page shows.
const CELLS_AT: usize = 64;
const CELL_DISTANCE: usize = 500;
const CHANGE: u8 = 9;
const FILLER: u8 = 10;

pub fn options(sabotage: Sabotage) -> Options {
    Options {
        frames: 64,
        log_segment_bytes: 256 << 10,
        log_budget_bytes: 512 << 10,
        log_buffer_bytes: 64 << 10,
        background_threads: false,
        sync: true,
        log_archive: None,
        system_id: Some(7),
        sabotage,
    }
}

/// What a change did to pages: cells written, pages allocated (all cells zero), pages freed.
#[derive(Clone, Default)]
struct Change {
    allocated: Vec<PageId>,
    freed: Vec<PageId>,
    cells: Vec<(PageId, u64)>,
    end: Lsn,
}

#[derive(Clone, Default)]
pub struct Model {
    changes: Vec<Change>,
    durable: usize,
}

impl Model {
    /// How many changes are before a position in the log.
    pub fn count_before(&self, end: Lsn) -> usize {
        self.changes.iter().take_while(|change| change.end <= end).count()
    }

    /// The end of a change, counted from 1.
    pub fn end_of(&self, number: usize) -> Lsn {
        self.changes[number - 1].end
    }

    /// What had happened after so many changes, all of it durable.
    pub fn after(&self, count: usize) -> Model {
        Model { changes: self.changes[..count].to_vec(), durable: count }
    }

    pub fn len(&self) -> usize {
        self.changes.len()
    }

    /// The pages after the first `count` changes.
    fn pages(&self, count: usize) -> BTreeMap<PageId, [u64; CELLS as usize]> {
        let mut pages = BTreeMap::new();
        for (index, change) in self.changes[..count].iter().enumerate() {
            for &id in &change.allocated {
                pages.insert(id, [0; CELLS as usize]);
            }
            for (id, cell) in &change.cells {
                pages.get_mut(id).expect("only pages in use are edited")[*cell as usize] = index as u64 + 1;
            }
            for id in &change.freed {
                pages.remove(id);
            }
        }
        pages
    }
}

pub struct Counter(pub AtomicU64);

impl LogClient for Counter {
    fn checkpoint(&self) -> ClientCheckpoint {
        let payload = self.0.load(Ordering::SeqCst).to_le_bytes().to_vec();
        ClientCheckpoint { floor: Lsn::MAX, payload }
    }
}

fn number(bytes: &[u8]) -> Result<u64> {
    let bytes = bytes.get(..8).and_then(|bytes| bytes.try_into().ok());
    bytes.map(u64::from_le_bytes).ok_or_else(|| StorageError::corrupt("a record of this workload is too short"))
}

#[derive(Default)]
pub struct Replay {
    pub count: u64,
}

impl LogReplay for Replay {
    fn checkpoint(&mut self, payload: &[u8]) -> Result<()> {
        self.count = if payload.is_empty() { 0 } else { number(payload)? };
        Ok(())
    }

    fn record(&mut self, _lsn: Lsn, kind: u8, payload: &[u8]) -> Result<()> {
        let found = number(payload)?;
        match kind {
            CHANGE if found <= self.count + 1 => self.count = self.count.max(found),
            CHANGE => return Err(StorageError::corrupt(format!("change {found} follows {}", self.count))),
            _ => {}
        }
        Ok(())
    }
}

/// splitmix64.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}

/// The engine at work.
pub struct Run {
    pub engine: Arc<Engine>,
    counter: Arc<Counter>,
    in_use: Vec<PageId>,
}

impl Run {
    pub fn new(engine: Arc<Engine>, model: &mut Model, count: usize) -> Run {
        // What did not come back never happened.
        model.changes.truncate(count);
        model.durable = count;
        let counter = Arc::new(Counter(AtomicU64::new(count as u64)));
        engine.set_log_client(Arc::clone(&counter) as Arc<dyn LogClient>);
        let in_use = model.pages(count).into_keys().collect();
        Run { engine, counter, in_use }
    }

    pub fn create(disk: &SimDisk, sabotage: Sabotage, model: &mut Model) -> Result<Run, String> {
        Run::create_with(disk, options(sabotage), model)
    }

    pub fn create_with(disk: &SimDisk, options: Options, model: &mut Model) -> Result<Run, String> {
        let engine = Engine::create(Arc::new(disk.clone()), options).map_err(|e| e.to_string())?;
        Ok(Run::new(engine, model, 0))
    }

    pub fn open(disk: &SimDisk, sabotage: Sabotage, model: &mut Model) -> Result<Run, String> {
        Run::open_with(disk, options(sabotage), model)
    }

    pub fn open_with(disk: &SimDisk, options: Options, model: &mut Model) -> Result<Run, String> {
        let mut replay = Replay::default();
        let engine = Engine::open(Arc::new(disk.clone()), options, &mut replay).map_err(|e| e.to_string())?;
        let count = replay.count as usize;
        if count < model.durable || count > model.changes.len() {
            return Err(format!("{count} changes came back, {} durable of {}", model.durable, model.changes.len()));
        }
        Ok(Run::new(engine, model, count))
    }

    /// A crash during creation leaves no database; then creation is repeated.
    pub fn open_or_create(disk: &SimDisk, sabotage: Sabotage, model: &mut Model) -> Result<Run, String> {
        if Engine::exists(disk).map_err(|e| e.to_string())? {
            return Run::open(disk, sabotage, model);
        }
        if model.durable > 0 {
            return Err("the database is gone".to_owned());
        }
        Run::create(disk, sabotage, model)
    }

    /// Records what the engine reports as durable.
    pub fn note_durable(&self, model: &mut Model) {
        let flushed = self.engine.flushed_lsn();
        model.durable = model.changes.iter().take_while(|change| change.end <= flushed).count();
    }

    fn change(&mut self, model: &mut Model, random: &mut Random) -> Result<()> {
        let engine = Arc::clone(&self.engine);
        let grow = self.in_use.len() < 20 || (self.in_use.len() < 110 && random.below(3) > 0);
        let shrink = !grow && random.below(4) == 0;
        let mut change = Change::default();
        let mut picked = Vec::new();
        for _ in 0..2.min(self.in_use.len()) {
            let id = self.in_use[random.below(self.in_use.len() as u64) as usize];
            if !picked.contains(&id) {
                picked.push(id);
            }
        }
        let pins = picked.iter().map(|&id| engine.fetch(id)).collect::<Result<Vec<_>>>()?;
        let log_bytes =
            PAGE_SIZE + 100 + picked.len() * Need::record_bytes(20) + Need::FREE_PAGE_BYTES + Need::record_bytes(8);
        let mut mtr = engine.mtr(engine.reserve(Need { log_bytes, new_pages: 1 })?);
        let number = model.changes.len() as u64 + 1;
        let handles: Vec<_> = pins.into_iter().map(|pin| mtr.latch(pin)).collect();
        if grow {
            let page = mtr.allocate_page()?;
            mtr.apply(page, &PageOp::Bytes { offset: 4, bytes: &[0; PAGE_SIZE - 4] });
            change.allocated.push(mtr.page_id(page));
        }
        for (&id, &handle) in picked.iter().zip(&handles) {
            let cell = random.below(CELLS);
            let offset = (CELLS_AT + CELL_DISTANCE * cell as usize) as u16;
            mtr.apply(handle, &PageOp::Bytes { offset, bytes: &number.to_le_bytes() });
            change.cells.push((id, cell));
        }
        if shrink && let (Some(&id), Some(&handle)) = (picked.first(), handles.first()) {
            mtr.free_page(handle);
            change.freed.push(id);
        }
        mtr.log(CHANGE, &number.to_le_bytes());
        self.counter.0.store(number, Ordering::SeqCst);
        change.end = mtr.commit();
        self.in_use.extend(&change.allocated);
        self.in_use.retain(|id| !change.freed.contains(id));
        model.changes.push(change);
        Ok(())
    }

    /// The whole workload: enough to fill the pool, leave several segments and write several checkpoints.
    pub fn work(&mut self, model: &mut Model, seed: u64) -> Result<(), String> {
        let mut random = Random(seed);
        for step in 0..400 {
            self.step(model, &mut random, step).map_err(|e| e.to_string())?;
        }
        Ok(())
    }

    pub fn step(&mut self, model: &mut Model, random: &mut Random, step: u64) -> Result<()> {
        self.change(model, random)?;
        if step % 20 == 8 {
            let filler = vec![1; 20_000];
            let reservation = self.engine.reserve(Need::record(filler.len()))?;
            self.engine.append(FILLER, &filler, reservation);
        }
        if random.below(6) == 0 {
            self.engine.flush_log()?;
            self.note_durable(model);
        }
        if random.below(12) == 0 {
            self.engine.background_step()?;
        }
        if random.below(120) == 0 {
            self.engine.checkpoint()?;
        }
        Ok(())
    }

    /// A few changes, the first made durable by itself.
    pub fn work_little(&mut self, model: &mut Model, seed: u64) -> Result<(), String> {
        let mut random = Random(seed);
        for _ in 0..3 {
            self.change(model, &mut random).map_err(|e| e.to_string())?;
            self.engine.flush_log().map_err(|e| e.to_string())?;
        }
        Ok(())
    }

    /// Compares every page with the model.
    pub fn verify(&self, model: &Model) -> Result<(), String> {
        let pages = model.pages(model.changes.len());
        for (id, cells) in &pages {
            let pin = self.engine.fetch(*id).map_err(|e| e.to_string())?;
            let page = pin.read();
            for (index, &value) in cells.iter().enumerate() {
                let found = page.u64_at(CELLS_AT + CELL_DISTANCE * index);
                if found != value {
                    return Err(format!("{id} cell {index} holds {found} instead of {value}"));
                }
            }
        }
        let (mut next, count) = self.engine.free_list().map_err(|e| e.to_string())?;
        for _ in 0..count {
            let pin = self.engine.fetch(next).map_err(|e| e.to_string())?;
            if pages.contains_key(&next) {
                return Err(format!("{next} is free and in use"));
            }
            next = pin.read().right().unwrap_or(PageId::NONE);
        }
        let known = 1 + pages.len() as u64 + count;
        if next.is_some() || known != self.engine.page_count() {
            return Err(format!("{known} pages are known of {}", self.engine.page_count()));
        }
        Ok(())
    }

    pub fn close(&mut self) -> Result<(), String> {
        self.engine.close().map_err(|e| e.to_string())
    }
}
