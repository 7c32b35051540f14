//! Large values: stored, read, marked, removed.

use super::harness::{Random, tree};
use crate::error::StorageError;
use crate::overflow::{CHUNK_LEN, ChunkLog, Overflow, StoredValue};

fn quiet() -> ChunkLog<'static> {
    ChunkLog { log_bytes: 0, record: Box::leak(Box::new(|_, _: &mut crate::tree::Edit<'_, '_>| ())) }
}

#[test]
fn values_of_all_sizes_come_back_and_leave_nothing_behind() {
    let overflow = Overflow::new(tree());
    let mut random = Random::new(11);
    let mut values = Vec::new();
    for (index, len) in
        [0, 1, 63, 64, CHUNK_LEN - 1, CHUNK_LEN, CHUNK_LEN + 1, 3 * CHUNK_LEN, 1_000_000].into_iter().enumerate()
    {
        let noise: Vec<u8> = (0..len).map(|_| random.next() as u8).collect();
        let text: Vec<u8> = b"the same words again and again ".iter().copied().cycle().take(len).collect();
        for (half, value) in [noise, text].into_iter().enumerate() {
            let stored = overflow.put((2 * index + half) as u64, &value, 9, quiet()).unwrap();
            values.push((stored, value));
        }
    }
    let (noise, text) = (values[16].0, values[17].0);
    assert!(!noise.is_compressed && noise.chunk_count() == 1_000_000_u32.div_ceil(CHUNK_LEN as u32));
    assert!(text.is_compressed && text.stored_len < 20_000);
    for (stored, value) in &values {
        assert_eq!(&overflow.get(stored).unwrap(), value);
    }
    let entries = overflow.tree().verify(&mut |_, _| ()).unwrap().entries;
    assert_eq!(entries, values.iter().map(|(stored, _)| u64::from(stored.chunk_count())).sum::<u64>());
    overflow.set_mark(&text, true, 10, None, quiet()).unwrap();
    let report = overflow.tree().verify(&mut |_, _| ()).unwrap();
    assert_eq!(report.marked, u64::from(text.chunk_count()));
    for (stored, _) in &values {
        overflow.remove(stored, None, quiet()).unwrap();
        assert!(matches!(overflow.get(stored), Err(StorageError::Corrupt { .. })));
    }
    assert_eq!(overflow.tree().verify(&mut |_, _| ()).unwrap().entries, 0);
}

#[test]
fn a_value_with_a_missing_chunk_or_a_wrong_length_is_damage() {
    let overflow = Overflow::new(tree());
    let value: Vec<u8> = {
        let mut random = Random::new(3);
        (0..10_000).map(|_| random.next() as u8).collect()
    };
    let stored = overflow.put(5, &value, 1, quiet()).unwrap();
    let too_short = StoredValue { stored_len: stored.stored_len - 1, len: stored.len - 1, ..stored };
    assert!(matches!(overflow.get(&too_short), Err(StorageError::Corrupt { .. })));
    super::harness::remove(overflow.tree(), &Overflow::chunk_key(5, 1));
    assert!(matches!(overflow.get(&stored), Err(StorageError::Corrupt { .. })));
}

#[test]
fn an_id_is_not_given_twice_and_every_chunk_is_logged() {
    let overflow = Overflow::new(tree());
    let mut chunks = Vec::new();
    let mut record = |chunk, edit: &mut crate::tree::Edit<'_, '_>| {
        edit.log(7, b"chunk");
        chunks.push(chunk);
    };
    let log_bytes = crate::reservation::Need::record_bytes(5);
    let noise: Vec<u8> = {
        let mut random = Random::new(3);
        (0..3 * CHUNK_LEN).map(|_| random.next() as u8).collect()
    };
    overflow.put(1, &noise, 1, ChunkLog { log_bytes, record: &mut record }).unwrap();
    assert_eq!(chunks, [0, 1, 2]);
    assert!(matches!(overflow.put(1, b"again", 1, quiet()), Err(StorageError::Internal { .. })));
    assert_eq!(Overflow::parse_key(&Overflow::chunk_key(258, 3)), Some((258, 3)));
}
