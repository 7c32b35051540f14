//! The disk seam: what both disks promise, and what the simulated one does to unsynced writes.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;

use nqdb_storage::StorageError;
use nqdb_storage::disk::{Call, CrashMode, Disk, DiskFile, Fault, OpenMode, OsDisk, OverlayDisk, SimDisk};

fn read(file: &dyn DiskFile, len: usize, offset: u64) -> Vec<u8> {
    let mut bytes = vec![0; len];
    file.read_exact_at(&mut bytes, offset).unwrap();
    bytes
}

fn keeps_the_contract(disk: &dyn Disk) {
    disk.create_dir_all("dir").unwrap();
    assert!(matches!(disk.open("dir/a", OpenMode::Existing).map(drop), Err(StorageError::Io { .. })));
    let file = disk.open("dir/a", OpenMode::Create).unwrap();
    file.write_all_at(b"hello", 10).unwrap();
    assert_eq!(read(&*file, 6, 9), b"\0hello");
    assert!(file.read_exact_at(&mut [0; 2], 14).is_err());
    file.allocate(10, 90).unwrap();
    assert_eq!((file.len().unwrap(), read(&*file, 6, 10)), (100, b"hello\0".to_vec()));
    file.set_len(12).unwrap();
    assert_eq!(file.len().unwrap(), 12);
    file.sync_data().unwrap();
    disk.open("dir/b", OpenMode::Create).unwrap();
    disk.rename("dir/a", "dir/b").unwrap();
    disk.sync_dir("dir").unwrap();
    assert_eq!(disk.list("dir").unwrap(), ["b"]);
    assert_eq!(read(&*disk.open("dir/b", OpenMode::Create).unwrap(), 2, 10), b"he");
    file.write_all_at(b"H", 10).unwrap();
    assert_eq!(read(&*disk.open("dir/b", OpenMode::Existing).unwrap(), 2, 10), b"He");
    disk.remove("dir/b").unwrap();
    assert!(disk.list("dir").unwrap().is_empty() && disk.list("nowhere").unwrap().is_empty());
    let lock = disk.lock_exclusive("lock").unwrap();
    assert!(matches!(disk.lock_exclusive("lock").map(drop), Err(StorageError::InUse)));
    drop(lock);
    disk.lock_exclusive("lock").unwrap();
}

#[test]
fn all_disks_keep_the_contract() {
    let dir = tempfile::tempdir().unwrap();
    keeps_the_contract(&OsDisk::new(dir.path()));
    keeps_the_contract(&SimDisk::new());
    keeps_the_contract(&OverlayDisk::new(Arc::new(SimDisk::new())));
}

#[test]
fn an_overlay_leaves_the_disk_below_alone() {
    let below = SimDisk::new();
    let file = below.open("a", OpenMode::Create).unwrap();
    file.write_all_at(&[1; 10_000], 0).unwrap();
    below.open("b", OpenMode::Create).unwrap();
    let calls = below.calls(Call::Change);
    let overlay = OverlayDisk::new(Arc::new(below.clone()));
    let file = overlay.open("a", OpenMode::Existing).unwrap();
    file.write_all_at(&[2; 5_000], 3_000).unwrap();
    let expected = [vec![1; 3_000], vec![2; 5_000], vec![1; 2_000]].concat();
    assert_eq!(read(&*file, 10_000, 0), expected);
    file.set_len(9_000).unwrap();
    file.set_len(11_000).unwrap();
    assert_eq!(read(&*file, 2_000, 9_000), [0; 2_000]);
    assert_eq!(read(&*file, 1_000, 8_000), [1; 1_000]);
    overlay.remove("b").unwrap();
    overlay.rename("a", "c").unwrap();
    assert_eq!(overlay.list("").unwrap(), ["c"]);
    assert_eq!((below.calls(Call::Change), below.content("a").unwrap()), (calls, vec![1; 10_000]));
    assert_eq!(below.list("").unwrap(), ["a", "b"]);
}

/// A file with 4096 synced bytes of 1 and, over them, unsynced bytes of 2.
fn overwritten() -> SimDisk {
    let disk = SimDisk::new();
    let file = disk.open("a", OpenMode::Create).unwrap();
    file.write_all_at(&[1; 4096], 0).unwrap();
    file.sync_data().unwrap();
    disk.sync_dir("").unwrap();
    file.write_all_at(&[2; 4096], 0).unwrap();
    disk
}

#[test]
fn a_power_cut_decides_over_unsynced_writes() {
    let disk = overwritten();
    let after = |mode| disk.crash(mode).content("a").unwrap();
    assert_eq!(after(CrashMode::OnlySynced), [1; 4096]);
    assert_eq!(after(CrashMode::AllWrites), [2; 4096]);
    let whole: Vec<_> = (0..20).map(|seed| after(CrashMode::RandomSubset(seed))).collect();
    assert!(whole.iter().all(|image| *image == [1; 4096] || *image == [2; 4096]));
    assert!(whole.contains(&vec![1; 4096]) && whole.contains(&vec![2; 4096]));
    let torn = after(CrashMode::Torn512(3));
    assert!(torn.chunks(512).all(|sector| sector.iter().all(|byte| *byte == sector[0])));
    assert!(torn.contains(&1) && torn.contains(&2));
    assert_eq!(torn, after(CrashMode::Torn512(3)), "the same seed gives the same disk");
}

#[test]
fn names_are_durable_only_after_their_directory_was_synced() {
    let disk = overwritten();
    disk.open("new", OpenMode::Create).unwrap().sync_data().unwrap();
    disk.rename("a", "b").unwrap();
    assert_eq!(disk.crash(CrashMode::OnlySynced).list("").unwrap(), ["a"]);
    disk.sync_dir("").unwrap();
    assert_eq!(disk.crash(CrashMode::OnlySynced).list("").unwrap(), ["b", "new"]);
}

#[test]
fn faults_strike_at_their_call_and_a_crash_ends_everything() {
    let disk = SimDisk::new();
    let file = disk.open("a", OpenMode::Create).unwrap();
    disk.fail_at(Call::Write, 2, Fault::Enospc);
    disk.fail_at(Call::Write, 3, Fault::Eio);
    disk.fail_at(Call::Sync, 1, Fault::CrashHere);
    file.write_all_at(b"1", 0).unwrap();
    assert!(matches!(file.write_all_at(b"2", 0), Err(StorageError::DiskFull { .. })));
    assert!(matches!(file.write_all_at(b"3", 0), Err(StorageError::Io { .. })));
    file.write_all_at(b"4", 0).unwrap();
    assert!(file.sync_data().is_err() && disk.has_crashed());
    assert!(file.write_all_at(b"5", 0).is_err() && file.read_exact_at(&mut [0], 0).is_err());
    assert_eq!(disk.crash(CrashMode::AllWrites).content("a").unwrap(), b"4");
}

#[test]
fn a_disk_has_room_up_to_its_capacity() {
    let disk = SimDisk::new();
    disk.set_capacity(Some(1_000));
    let file = disk.open("a", OpenMode::Create).unwrap();
    file.allocate(0, 900).unwrap();
    assert!(matches!(file.allocate(900, 101), Err(StorageError::DiskFull { .. })));
    assert!(matches!(file.write_all_at(&[0; 2], 999), Err(StorageError::DiskFull { .. })));
    file.write_all_at(&[0; 1], 999).unwrap();
    assert_eq!(disk.used_bytes(), 1_000);
}
