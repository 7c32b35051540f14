//! Damaged data files: the check must find every kind of damage, and nothing in a sound file.

use std::sync::Arc;

use super::harness::put;
use crate::checkpoint::NoLogClient;
use crate::disk::{Disk, OpenMode, SimDisk};
use crate::engine::Engine;
use crate::error::Result;
use crate::ids::{PAGE_SIZE, PageId, TreeId};
use crate::options::Options;
use crate::page::{Node, PageBuf, PageType};
use crate::recovery::NoLogReplay;
use crate::tree::Tree;
use crate::verify::{FileReport, verify_file};

const DATA_PATH: &str = "base.nqdb";
const KEPT: TreeId = TreeId(10);
const DROPPED: TreeId = TreeId(11);

fn options() -> Options {
    Options { frames: 1024, log_segment_bytes: 1 << 20, background_threads: false, ..Options::default() }
}

/// A stopped database with a tree of three levels and a free list; its disk, the tree's root, the number of pages.
fn stopped_database() -> (SimDisk, PageId, u64) {
    let disk = SimDisk::new();
    let engine = Engine::create(Arc::new(disk.clone()), options()).unwrap();
    engine.set_log_client(Arc::new(NoLogClient));
    let kept = Tree::create(&engine, KEPT, 0, |_| Vec::new()).unwrap();
    let dropped = Tree::create(&engine, DROPPED, 0, |_| Vec::new()).unwrap();
    for id in 0..1500_u64 {
        let key = [&[b'k'; 400], id.wrapping_mul(7919).to_be_bytes().as_slice()].concat();
        put(&kept, &key, &[5; 600], id % 3 == 0);
    }
    for id in 0..100_u64 {
        put(&dropped, &id.to_be_bytes(), &[1; 1000], false);
    }
    while !dropped.destroy_step(100).unwrap() {}
    let pages = engine.page_count();
    engine.close().unwrap();
    // Opening would repair torn pages of the last batch from here.
    disk.open("nqdb.doublewrite", OpenMode::Existing).unwrap().set_len(0).unwrap();
    (disk, kept.root(), pages)
}

fn check(disk: &SimDisk, root: PageId) -> Result<FileReport> {
    let engine = Engine::open(Arc::new(disk.clone()), options(), &mut NoLogReplay)?;
    verify_file(&engine, &[(KEPT, root)], &mut |_, _, _| ())
}

fn read_page(disk: &SimDisk, id: PageId) -> PageBuf {
    let content = disk.content(DATA_PATH).unwrap();
    let mut page = PageBuf::zeroed();
    page.bytes_mut().copy_from_slice(&content[id.offset() as usize..][..PAGE_SIZE]);
    page
}

/// Writes a page as a program with a bug would: its checksum is right.
fn write_page(disk: &SimDisk, id: PageId, mut page: PageBuf) {
    page.seal(id);
    disk.open(DATA_PATH, OpenMode::Existing).unwrap().write_all_at(page.bytes(), id.offset()).unwrap();
}

fn pages_of(disk: &SimDisk, pages: u64, kind: PageType) -> Vec<PageId> {
    (0..pages).map(PageId).filter(|&id| read_page(disk, id).page_type() == Some(kind)).collect()
}

#[test]
fn a_sound_file_passes() {
    let (disk, root, pages) = stopped_database();
    let report = check(&disk, root).unwrap();
    assert_eq!(report.pages, pages);
    assert!(report.free_pages > 10);
    let (id, tree) = &report.trees[0];
    assert_eq!((*id, tree.levels, tree.entries, tree.marked), (KEPT, 3, 1500, 500));
}

#[test]
fn a_flipped_bit_in_any_kind_of_page_is_found() {
    let (disk, root, pages) = stopped_database();
    for kind in [PageType::Meta, PageType::Free, PageType::Leaf, PageType::Inner] {
        let ids = pages_of(&disk, pages, kind);
        for (round, &offset) in [0, 5, 20, 40, 60, 300, 4000, 8191].iter().enumerate() {
            let id = ids[round % ids.len()];
            let damaged = disk.crash(crate::disk::CrashMode::AllWrites);
            assert!(damaged.flip_bit(DATA_PATH, id.offset() + offset, round as u8));
            assert!(check(&damaged, root).is_err(), "{kind:?} {id}, byte {offset}");
        }
    }
}

/// Changes a copy of one page of a kind and expects the check to name damage.
fn expect_found(kind: PageType, what: &str, change: impl Fn(&mut PageBuf)) {
    let (disk, root, pages) = stopped_database();
    let ids = pages_of(&disk, pages, kind);
    let id = ids[ids.len() / 2];
    let mut page = read_page(&disk, id);
    change(&mut page);
    write_page(&disk, id, page);
    let error = check(&disk, root).expect_err(what).to_string();
    assert!(error.contains("damaged"), "{what}: {error}");
}

#[test]
fn swapped_pages_are_found_even_with_right_checksums() {
    let (disk, root, pages) = stopped_database();
    let ids = pages_of(&disk, pages, PageType::Leaf);
    let (one, other) = (read_page(&disk, ids[3]), read_page(&disk, ids[4]));
    write_page(&disk, ids[3], other);
    write_page(&disk, ids[4], one);
    assert!(check(&disk, root).is_err());
}

#[test]
fn entries_out_of_order_are_found() {
    for kind in [PageType::Leaf, PageType::Inner] {
        expect_found(kind, "order", |page| {
            let bytes = page.bytes_mut();
            let (first, second) = (56 + 8, 56 + 16);
            let (one, other): ([u8; 8], [u8; 8]) =
                (bytes[first..first + 8].try_into().unwrap(), bytes[second..second + 8].try_into().unwrap());
            bytes[first..first + 8].copy_from_slice(&other);
            bytes[second..second + 8].copy_from_slice(&one);
        });
    }
}

#[test]
fn a_wrong_mark_count_is_found() {
    expect_found(PageType::Leaf, "marks", |page| page.set_u16(52, page.u16_at(52) + 1));
}

#[test]
fn a_wrong_key_head_is_found() {
    expect_found(PageType::Leaf, "head", |page| page.set_u32(60, page.u32_at(60) ^ 1));
}

#[test]
fn a_wrong_right_link_is_found() {
    for kind in [PageType::Leaf, PageType::Inner] {
        expect_found(kind, "right link", |page| page.set_right(Some(PageId(1))));
    }
}

#[test]
fn a_page_of_another_tree_or_level_is_found() {
    expect_found(PageType::Leaf, "tree id", |page| page.set_u64(16, 99));
    expect_found(PageType::Inner, "level", |page| page.set_u8(5, page.level() + 1));
    expect_found(PageType::Free, "free page in use", |page| page.set_page_type(PageType::Leaf));
}

#[test]
fn a_page_that_no_link_leads_to_is_found() {
    let (disk, root, pages) = stopped_database();
    let mut meta = read_page(&disk, PageId::META);
    let head = meta.u64_at(40);
    let next = read_page(&disk, PageId(head)).right().unwrap();
    meta.set_u64(40, next.0);
    meta.set_u64(48, meta.u64_at(48) - 1);
    write_page(&disk, PageId::META, meta);
    let error = check(&disk, root).unwrap_err().to_string();
    assert!(error.contains("neither free nor part of a tree"), "{error}; {pages} pages");
}

#[test]
fn a_page_in_two_places_is_found() {
    let (disk, root, pages) = stopped_database();
    let inner = pages_of(&disk, pages, PageType::Inner);
    let id = *inner.iter().find(|&&id| read_page(&disk, id).level() == 1).unwrap();
    let mut page = read_page(&disk, id);
    let child = Node::new(&page).child(0).unwrap();
    let second = u16::from_le_bytes(page.bytes()[64..66].try_into().unwrap());
    let suffix_len = u16::from_le_bytes(page.bytes()[66..68].try_into().unwrap());
    page.set_u64(usize::from(second) + 2 + usize::from(suffix_len), child.0);
    write_page(&disk, id, page);
    assert!(check(&disk, root).is_err());
}

/// A database whose process died: a part of its pages is in the data file, the rest is in the log.
fn killed_database() -> (SimDisk, PageId) {
    let disk = SimDisk::new();
    let engine = Engine::create(Arc::new(disk.clone()), Options { frames: 64, ..options() }).unwrap();
    engine.set_log_client(Arc::new(NoLogClient));
    let kept = Tree::create(&engine, KEPT, 0, |_| Vec::new()).unwrap();
    let dropped = Tree::create(&engine, DROPPED, 0, |_| Vec::new()).unwrap();
    for id in 0..900_u64 {
        let key = [&[b'k'; 40], id.wrapping_mul(7919).to_be_bytes().as_slice()].concat();
        put(&kept, &key, &[5; 600], id % 3 == 0);
        put(&dropped, &id.to_be_bytes(), &[1; 50], false);
        if id == 600 {
            while !dropped.destroy_step(100).unwrap() {}
            engine.checkpoint().unwrap();
            break;
        }
    }
    for id in 300..900_u64 {
        let key = [&[b'k'; 40], id.wrapping_mul(7919).to_be_bytes().as_slice()].concat();
        put(&kept, &key, &vec![6; 500 + id as usize % 200], id % 5 == 0);
    }
    engine.flush_log().unwrap();
    (disk.crash(crate::disk::CrashMode::AllWrites), kept.root())
}

/// Opens and checks; damage may be found, or lie where nothing stands, but nothing panics and no entry is lost silently.
fn open_damaged(disk: &SimDisk, root: PageId, what: &str) -> bool {
    disk.open("nqdb.doublewrite", OpenMode::Existing).unwrap().set_len(0).unwrap();
    match check(disk, root) {
        Ok(report) => {
            assert_eq!(report.trees[0].1.entries, 900, "{what}");
            false
        }
        Err(crate::error::StorageError::Corrupt { .. }) => true,
        Err(error) => panic!("{what}: {error}"),
    }
}

#[test]
fn recovery_reports_a_data_file_that_was_cut_off_zeroed_or_swapped() {
    let (killed, root) = killed_database();
    let copy = || killed.crash(crate::disk::CrashMode::AllWrites);
    assert!(!open_damaged(&copy(), root, "sound"));
    let content = killed.content(DATA_PATH).unwrap();
    let pages = (content.len() / PAGE_SIZE) as u64;
    let mut found = 0;
    for page in 0..pages {
        let offset = page * PAGE_SIZE as u64;
        let other = (page * 7 + 3) % pages * PAGE_SIZE as u64;
        let cut = copy();
        cut.open(DATA_PATH, OpenMode::Existing).unwrap().set_len(offset + page % 3 * 1000).unwrap();
        let zeroed = copy();
        zeroed.open(DATA_PATH, OpenMode::Existing).unwrap().write_all_at(&[0; PAGE_SIZE], offset).unwrap();
        let swapped = copy();
        let file = swapped.open(DATA_PATH, OpenMode::Existing).unwrap();
        file.write_all_at(&content[other as usize..][..PAGE_SIZE], offset).unwrap();
        file.write_all_at(&content[offset as usize..][..PAGE_SIZE], other).unwrap();
        for (disk, what) in [(cut, "cut off"), (zeroed, "zeroed"), (swapped, "swapped")] {
            found += u32::from(open_damaged(&disk, root, &format!("{what} at page {page}")));
        }
    }
    assert!(found > 50, "{found} of {} damages found", 3 * pages);
}

#[test]
fn recovery_survives_older_copies_of_pages() {
    let (killed, root) = killed_database();
    let mut seed = 5_u64;
    for page in (1..killed.content(DATA_PATH).unwrap().len() / PAGE_SIZE).map(|page| PageId(page as u64)) {
        // What the page lost since is in no log any more: entries taken out, and an LSN that asks for everything.
        let mut older = read_page(&killed, page);
        if !matches!(older.page_type(), Some(PageType::Leaf | PageType::Inner)) {
            continue;
        }
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let keep = (seed >> 33) as usize % Node::new(&older).slot_count().max(1);
        for slot in (keep..Node::new(&older).slot_count()).rev() {
            crate::page::PageOp::Remove { slot: slot as u16 }.apply(&mut older);
        }
        let disk = killed.crash(crate::disk::CrashMode::AllWrites);
        write_page(&disk, page, older);
        disk.open("nqdb.doublewrite", OpenMode::Existing).unwrap().set_len(0).unwrap();
        match check(&disk, root) {
            Ok(_) | Err(crate::error::StorageError::Corrupt { .. }) => {}
            Err(error) => panic!("{page}: {error}"),
        }
    }
}
