//! Operations survive the log, damaged records are refused, and random changes keep a page sound.

use std::collections::BTreeMap;

use super::{Builder, Node, PageBuf, PageOp, Shape, check};
use crate::ids::{Lsn, PageId, TreeId};

fn random(state: &mut u64) -> usize {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    (*state >> 11) as usize
}

const LEAF: Shape<'_> =
    Shape { tree: TreeId(3), level: 0, flags: 0, low: b"key/a", high: Some(b"key/c"), right: Some(PageId(9)) };

fn all_operations<'a>(image: &'a PageBuf) -> Vec<PageOp<'a>> {
    vec![
        PageOp::Bytes { offset: 8190, bytes: b"ab" },
        PageOp::Format(LEAF),
        PageOp::Format(Shape { high: None, right: None, level: 2, ..LEAF }),
        PageOp::Insert { slot: 1, suffix: b"suffix", value: b"", marked: true, xid: u64::MAX },
        PageOp::Replace { slot: 0, value: b"value", marked: false, xid: 1 },
        PageOp::SetMark { slot: 7, marked: true, xid: 2 },
        PageOp::Remove { slot: 300 },
        PageOp::SetRight { right: None },
        PageOp::SetFlags { flags: 1 },
        PageOp::Reshape { kept: 2..5, shape: LEAF },
        PageOp::image(image),
        PageOp::FormatFree { next: Some(PageId(4)) },
    ]
}

#[test]
fn operations_come_back_from_the_log_and_cut_ones_never_panic() {
    let builder = Builder::new(&LEAF);
    for operation in all_operations(builder.page()) {
        let mut record = Vec::new();
        operation.encode(&mut record);
        assert_eq!(PageOp::decode(&record).unwrap(), operation);
        for len in 0..record.len().min(60) {
            if let Ok(shorter) = PageOp::decode(&record[..len]) {
                assert_ne!(shorter, operation);
            }
        }
    }
    assert!(PageOp::decode(&[]).is_err());
    assert!(PageOp::decode(&[200, 1, 2, 3]).is_err());
    assert!(PageOp::decode(&[1, 255, 255, 1]).is_err(), "bytes past the end of the page");
}

#[test]
fn random_changes_keep_a_leaf_sound_and_equal_to_a_map() {
    let mut state = 77;
    let mut page = PageBuf::zeroed();
    PageOp::Format(LEAF).apply(&mut page);
    let mut model: BTreeMap<Vec<u8>, (Vec<u8>, bool)> = BTreeMap::new();
    for step in 0..20_000 {
        let key = format!("key/{}{:03}", ["a", "b"][random(&mut state) % 2], random(&mut state) % 150).into_bytes();
        let value = vec![step as u8; random(&mut state) % 120];
        let marked = random(&mut state).is_multiple_of(4);
        let node = Node::new(&page);
        let (slot, found) = node.search(&key);
        assert_eq!(found, model.contains_key(&key));
        let fits = node.entry_cost_of(key.len(), value.len()) <= node.free_len();
        let slot = slot as u16;
        match (found, random(&mut state) % 3) {
            (true, 0) => {
                PageOp::Remove { slot }.apply(&mut page);
                model.remove(&key);
            }
            (true, 1) => {
                PageOp::SetMark { slot, marked, xid: 1 }.apply(&mut page);
                model.entry(key).and_modify(|entry| entry.1 = marked);
            }
            (true, _) if fits => {
                PageOp::Replace { slot, value: &value, marked, xid: 1 }.apply(&mut page);
                model.insert(key, (value, marked));
            }
            (false, _) if fits => {
                let suffix = &key[node.prefix_len()..];
                PageOp::Insert { slot, suffix, value: &value, marked, xid: 1 }.apply(&mut page);
                model.insert(key, (value, marked));
            }
            _ => {}
        }
        if step % 50 == 0 {
            check::structure(&page).unwrap();
            let node = Node::new(&page);
            let mut key = Vec::new();
            for (slot, (expected, (value, marked))) in model.iter().enumerate() {
                node.copy_key(slot, &mut key);
                assert_eq!(
                    (&key, node.entry(slot).value, node.entry(slot).marked),
                    (expected, value.as_slice(), *marked)
                );
            }
            assert_eq!(node.slot_count(), model.len());
        }
    }
    assert!(model.len() > 20);
}

#[test]
fn an_operation_is_refused_on_a_page_that_it_was_not_made_for() {
    let shape = |low, high| Shape { low, high, ..LEAF };
    let mut page = PageBuf::zeroed();
    PageOp::Format(LEAF).apply(&mut page);
    for slot in 0..3 {
        let suffix = [b'a', b'1' + slot as u8];
        PageOp::Insert { slot, suffix: &suffix, value: &[7; 2000], marked: false, xid: 1 }.apply(&mut page);
    }
    let insert = |slot, value| PageOp::Insert { slot, suffix: b"b", value, marked: false, xid: 1 };
    let place = |slot, suffix| PageOp::Insert { slot, suffix, value: b"v", marked: false, xid: 1 };
    let replace = |slot, value| PageOp::Replace { slot, value, marked: true, xid: 1 };
    let (fits, long) = ([1; 1900], [1; 2100]);
    let last = [1; 4100];
    let reshape = |kept, shape| PageOp::Reshape { kept, shape };
    let bytes = PageOp::Bytes { offset: 32, bytes: b"x" };
    for op in [
        insert(3, &fits),
        place(1, b"a10"),
        replace(2, &last[..4000]),
        reshape(0..3, shape(b"", None)),
        PageOp::Remove { slot: 2 },
    ] {
        op.check(&page).unwrap_or_else(|why| panic!("{op:?}: {why}"));
        op.apply(&mut page.clone());
    }
    let too_many = [
        insert(4, &fits),
        insert(3, &long),
        replace(3, &fits),
        replace(2, &last),
        PageOp::Remove { slot: 3 },
        place(0, b"a1"),
        place(1, b"b"),
        place(2, b"a15"),
        place(3, b"c"),
        PageOp::SetMark { slot: 9, marked: true, xid: 1 },
        reshape(0..4, LEAF),
        reshape(0..3, shape(b"key/long/prefix/a", Some(b"key/long/prefix/b"))),
        reshape(0..3, shape(&[b'k'; 1900], Some(&[b'l'; 1900]))),
    ];
    for op in &too_many {
        assert!(op.check(&page).is_err(), "{op:?}");
    }
    let unused = PageBuf::zeroed();
    for op in too_many.iter().chain([&PageOp::SetRight { right: None }]) {
        assert!(op.check(&unused).is_err(), "{op:?}");
    }
    for op in [PageOp::Format(LEAF), PageOp::FormatFree { next: None }, bytes] {
        op.check(&unused).unwrap();
    }
}

#[test]
fn an_image_copies_everything_but_the_lsn() {
    let mut page = PageBuf::zeroed();
    PageOp::Format(LEAF).apply(&mut page);
    PageOp::Insert { slot: 0, suffix: b"a1", value: b"v", marked: true, xid: 12 }.apply(&mut page);
    let mut copy = PageBuf::zeroed();
    copy.bytes_mut().fill(0xee);
    copy.set_lsn(Lsn(5));
    PageOp::image(&page).apply(&mut copy);
    assert_eq!(copy.lsn(), Lsn(5));
    assert_eq!(Shape::of(Node::new(&copy)), LEAF);
    assert_eq!(Node::new(&copy).leaf_info(), Node::new(&page).leaf_info());
    check::structure(&copy).unwrap();
}

#[test]
fn a_reshaped_page_keeps_its_entries_under_the_longer_prefix() {
    let mut page = PageBuf::zeroed();
    PageOp::Format(Shape { low: b"", high: None, ..LEAF }).apply(&mut page);
    for (slot, key) in [b"key/a1", b"key/a2", b"key/b1"].iter().enumerate() {
        let op = PageOp::Insert { slot: slot as u16, suffix: *key, value: b"v", marked: false, xid: 3 };
        op.apply(&mut page);
    }
    PageOp::Reshape { kept: 0..2, shape: Shape { high: Some(b"key/b"), ..LEAF } }.apply(&mut page);
    let node = Node::new(&page);
    assert_eq!((node.prefix(), node.slot_count(), node.suffix(1)), (b"key/".as_slice(), 2, b"a2".as_slice()));
    assert_eq!(node.search(b"key/a2"), (1, true));
    assert_eq!(node.search(b"key/a11"), (1, false));
    check::structure(&page).unwrap();
}

#[test]
fn pages_of_random_bytes_can_be_read_and_checked_without_panic() {
    let mut state = 5;
    for round in 0..2000 {
        let mut page = PageBuf::zeroed();
        PageOp::Format(LEAF).apply(&mut page);
        for _ in 0..30 {
            let at = if round % 2 == 0 { random(&mut state) % 120 } else { random(&mut state) % 8192 };
            page.set_u8(at, random(&mut state) as u8);
        }
        let node = Node::new(&page);
        let _ = check::structure(&page);
        let _ = (node.search(b"key/b5"), node.child_slot(b"key/b5"), node.low(), node.high(), node.prefix());
        let mut key = Vec::new();
        for slot in 0..node.slot_count().min(50) {
            node.copy_key(slot, &mut key);
            let _ = (node.entry(slot), node.child(slot));
        }
    }
}
