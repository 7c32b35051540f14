//! What EXPLAIN ANALYZE tells of memory and temporary files, in PostgreSQL's words.

use super::json::Value;
use crate::exec::WorkFacts;

fn kilobytes(bytes: u64) -> u64 {
    bytes.div_ceil(1024)
}

/// The line below a node.
pub(super) fn line(facts: WorkFacts) -> Option<String> {
    Some(match facts {
        WorkFacts::None => return None,
        WorkFacts::Sort { method, memory_bytes, file_bytes: None } => {
            format!("Sort Method: {method}  Memory: {}kB", kilobytes(memory_bytes as u64))
        }
        WorkFacts::Sort { method, file_bytes: Some(bytes), .. } => {
            format!("Sort Method: {method}  Disk: {}kB", kilobytes(bytes))
        }
        WorkFacts::Hash { buckets, batches, memory_bytes } => {
            let memory = kilobytes(memory_bytes as u64);
            format!("Buckets: {buckets}  Batches: {batches}  Memory Usage: {memory}kB")
        }
        WorkFacts::Groups { batches, memory_bytes, file_bytes } => {
            let memory = kilobytes(memory_bytes as u64);
            match file_bytes {
                0 => format!("Batches: {batches}  Memory Usage: {memory}kB"),
                bytes => format!("Batches: {batches}  Memory Usage: {memory}kB  Disk Usage: {}kB", kilobytes(bytes)),
            }
        }
    })
}

/// The same as fields.
pub(super) fn fields(facts: WorkFacts) -> Vec<(&'static str, Value)> {
    let bare = |value: u64| Value::Bare(value.to_string());
    match facts {
        WorkFacts::None => Vec::new(),
        WorkFacts::Sort { method, memory_bytes, file_bytes } => {
            let (kind, bytes) = match file_bytes {
                Some(bytes) => ("Disk", bytes),
                None => ("Memory", memory_bytes as u64),
            };
            vec![
                ("Sort Method", Value::Text(method.to_string())),
                ("Sort Space Used", bare(kilobytes(bytes))),
                ("Sort Space Type", Value::Text(kind.to_string())),
            ]
        }
        WorkFacts::Hash { buckets, batches, memory_bytes } => vec![
            ("Hash Buckets", bare(buckets as u64)),
            ("Original Hash Buckets", bare(buckets as u64)),
            ("Hash Batches", bare(batches as u64)),
            ("Original Hash Batches", bare(1)),
            ("Peak Memory Usage", bare(kilobytes(memory_bytes as u64))),
        ],
        WorkFacts::Groups { batches, memory_bytes, file_bytes } => vec![
            ("HashAgg Batches", bare(batches as u64)),
            ("Peak Memory Usage", bare(kilobytes(memory_bytes as u64))),
            ("Disk Usage", bare(kilobytes(file_bytes))),
        ],
    }
}
