//! A backup's manifest: text, so that people can read it too.
//!
//! ```text
//! nqdb-backup 1
//! id 0123456789abcdef           of this backup
//! system 0123456789abcdef       of the database
//! incarnation 3                 how often that had been opened
//! segment-bytes 67108864        of its log
//! pages 1234                    of its data file, that many from the first on
//! checkpoint 0/4001238          where the newest checkpoint stands
//! start 0/4000040               the log is needed from here on
//! end 0/5123450                 the backup is a whole database from here on
//! begun 849312000000000         µs since 2000-01-01 UTC
//! ended 849312004000000
//! base 0123456789abcdef /dir    incremental backups only: the base's id, and where it was
//! file 9134080 89abcdef base.nqdb      bytes, crc32c, path; one line each
//! manifest 01234567             crc32c of everything before this line
//! ```

use std::collections::BTreeMap;
use std::fmt::Write;
use std::str::FromStr;

use crate::disk::{Disk, OpenMode};
use crate::error::{Result, StorageError};
use crate::ids::{Lsn, PAGE_COUNT_MAX};
use crate::options::{LOG_SEGMENT_BYTES_MAX, LOG_SEGMENT_BYTES_MIN};

const MANIFEST_PATH: &str = "manifest";
const MANIFEST_NEW_PATH: &str = "manifest.unfinished";
const FIRST_LINE: &str = "nqdb-backup 1";
/// A line for each of more log segments than a backup ever has.
const MANIFEST_BYTES_MAX: u64 = 64 << 20;

/// A file of a backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestFile {
    pub path: String,
    pub bytes: u64,
    pub crc: u32,
}

/// The backup that an incremental one builds on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base {
    pub id: u64,
    /// Where it was when the incremental backup was taken.
    pub directory: String,
}

/// What a backup consists of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    pub id: u64,
    pub system_id: u64,
    pub incarnation: u32,
    pub log_segment_bytes: u64,
    pub page_count: u64,
    pub checkpoint: Lsn,
    pub start: Lsn,
    pub end: Lsn,
    pub begun_micros: i64,
    pub ended_micros: i64,
    pub base: Option<Base>,
    pub files: Vec<ManifestFile>,
}

impl Manifest {
    /// Bytes of all files.
    pub fn total_bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    fn encode(&self) -> String {
        let mut out = format!("{FIRST_LINE}\n");
        let mut line = |key: &str, value: String| {
            let written = writeln!(out, "{key} {value}");
            debug_assert!(written.is_ok(), "a string takes everything");
        };
        line("id", format!("{:016x}", self.id));
        line("system", format!("{:016x}", self.system_id));
        line("incarnation", self.incarnation.to_string());
        line("segment-bytes", self.log_segment_bytes.to_string());
        line("pages", self.page_count.to_string());
        line("checkpoint", self.checkpoint.to_string());
        line("start", self.start.to_string());
        line("end", self.end.to_string());
        line("begun", self.begun_micros.to_string());
        line("ended", self.ended_micros.to_string());
        if let Some(Base { id, directory }) = &self.base {
            line("base", format!("{id:016x} {directory}"));
        }
        for ManifestFile { path, bytes, crc } in &self.files {
            line("file", format!("{bytes} {crc:08x} {path}"));
        }
        let crc = crc32c::crc32c(out.as_bytes());
        out + &format!("manifest {crc:08x}\n")
    }

    fn decode(text: &str) -> Result<Manifest> {
        let damaged = || StorageError::corrupt("the manifest of the backup cannot be read");
        let (content, last) = text.trim_end_matches('\n').rsplit_once('\n').ok_or_else(damaged)?;
        let crc = last.strip_prefix("manifest ").and_then(|crc| u32::from_str_radix(crc, 16).ok());
        let (first, rest) = content.split_once('\n').ok_or_else(damaged)?;
        if first != FIRST_LINE {
            return Err(StorageError::refused(format!("the backup has another format than \"{FIRST_LINE}\"")));
        }
        if crc != Some(crc32c::crc32c_append(crc32c::crc32c(content.as_bytes()), b"\n")) {
            return Err(StorageError::corrupt("the checksum of the backup's manifest is wrong"));
        }
        let (mut files, mut values) = (Vec::new(), BTreeMap::new());
        for line in rest.lines() {
            let (key, value) = line.split_once(' ').ok_or_else(damaged)?;
            match key {
                "file" => files.push(decode_file(value).ok_or_else(damaged)?),
                key => drop(values.insert(key, value)),
            }
        }
        Fields(values).manifest(files).ok_or_else(damaged)
    }

    /// Makes the backup one: writes its manifest, under its name last.
    pub(super) fn write(&self, disk: &dyn Disk) -> Result<()> {
        let file = disk.open(MANIFEST_NEW_PATH, OpenMode::Create)?;
        file.write_all_at(self.encode().as_bytes(), 0)?;
        file.sync_data()?;
        disk.rename(MANIFEST_NEW_PATH, MANIFEST_PATH)?;
        disk.sync_dir("")
    }

    /// Reads a backup's manifest. `Refused` when there is none: then there is no backup, or not a whole one.
    pub fn read(disk: &dyn Disk) -> Result<Manifest> {
        let names = disk.list("")?;
        if !names.iter().any(|name| name == MANIFEST_PATH) {
            let what = match names.is_empty() {
                true => "there is no backup in the directory",
                false => "there is no whole backup in the directory: it has no manifest, which is written last",
            };
            return Err(StorageError::refused(what));
        }
        let file = disk.open(MANIFEST_PATH, OpenMode::ReadOnly)?;
        let len = file.len()?;
        if len > MANIFEST_BYTES_MAX {
            return Err(StorageError::corrupt("the manifest of the backup is too long"));
        }
        let mut bytes = vec![0; len as usize];
        file.read_exact_at(&mut bytes, 0)?;
        let text = String::from_utf8(bytes);
        Manifest::decode(&text.map_err(|_| StorageError::corrupt("the manifest of the backup is no text"))?)
    }
}

fn decode_file(value: &str) -> Option<ManifestFile> {
    let (bytes, rest) = value.split_once(' ')?;
    let (crc, path) = rest.split_once(' ')?;
    Some(ManifestFile { path: path.to_owned(), bytes: bytes.parse().ok()?, crc: u32::from_str_radix(crc, 16).ok()? })
}

/// Values by their keys.
struct Fields<'t>(BTreeMap<&'t str, &'t str>);

impl Fields<'_> {
    fn id(&mut self, key: &str) -> Option<u64> {
        u64::from_str_radix(self.0.remove(key)?, 16).ok()
    }

    fn number<T: FromStr>(&mut self, key: &str) -> Option<T> {
        self.0.remove(key)?.parse().ok()
    }

    /// All values, each within its limits, and no other.
    fn manifest(mut self, files: Vec<ManifestFile>) -> Option<Manifest> {
        let base = match self.0.remove("base") {
            Some(value) => {
                let (id, directory) = value.split_once(' ')?;
                Some(Base { id: u64::from_str_radix(id, 16).ok()?, directory: directory.to_owned() })
            }
            None => None,
        };
        let manifest = Manifest {
            id: self.id("id")?,
            system_id: self.id("system")?,
            incarnation: self.number("incarnation")?,
            log_segment_bytes: self.number("segment-bytes")?,
            page_count: self.number("pages")?,
            checkpoint: self.number("checkpoint")?,
            start: self.number("start")?,
            end: self.number("end")?,
            begun_micros: self.number("begun")?,
            ended_micros: self.number("ended")?,
            base,
            files,
        };
        let is_possible = self.0.is_empty()
            && (LOG_SEGMENT_BYTES_MIN..=LOG_SEGMENT_BYTES_MAX).contains(&manifest.log_segment_bytes)
            && (1..=PAGE_COUNT_MAX).contains(&manifest.page_count)
            && manifest.start <= manifest.checkpoint
            && manifest.checkpoint < manifest.end;
        is_possible.then_some(manifest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::SimDisk;

    fn manifest() -> Manifest {
        Manifest {
            id: 0xabc,
            system_id: u64::MAX,
            incarnation: 3,
            log_segment_bytes: 64 << 20,
            page_count: 17,
            checkpoint: Lsn(0x400_1238),
            start: Lsn(0x400_0040),
            end: Lsn(0x1_0000_0008),
            begun_micros: -5,
            ended_micros: 849_312_004_000_000,
            base: Some(Base { id: 7, directory: "/a folder/b".to_owned() }),
            files: vec![ManifestFile { path: "wal/0000000000000001".to_owned(), bytes: 9, crc: 0xff }],
        }
    }

    #[test]
    fn a_manifest_is_read_as_it_was_written() {
        for base in [manifest().base, None] {
            let disk = SimDisk::new();
            let manifest = Manifest { base, ..manifest() };
            manifest.write(&disk).unwrap();
            assert_eq!(Manifest::read(&disk).unwrap(), manifest);
        }
    }

    #[test]
    fn a_changed_manifest_is_refused() {
        let text = manifest().encode();
        for at in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= 1;
            let changed = String::from_utf8(bytes).unwrap();
            // A digit of the checksum itself may only change its case.
            assert!(Manifest::decode(&changed).is_err(), "byte {at}");
        }
        for len in 0..text.len() - 1 {
            assert!(Manifest::decode(&text[..len]).is_err(), "cut at {len}");
        }
    }

    #[test]
    fn what_is_no_backup_is_told_from_one_that_was_cut_off() {
        let disk = SimDisk::new();
        assert_eq!(Manifest::read(&disk).unwrap_err().to_string(), "there is no backup in the directory");
        disk.open("base.nqdb", OpenMode::Create).unwrap();
        assert!(Manifest::read(&disk).unwrap_err().to_string().contains("no whole backup"));
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for impossible in [
            Manifest { page_count: 0, ..manifest() },
            Manifest { log_segment_bytes: 1, ..manifest() },
            Manifest { end: Lsn(1), ..manifest() },
        ] {
            assert!(Manifest::decode(&impossible.encode()).is_err(), "{impossible:?}");
        }
    }
}
