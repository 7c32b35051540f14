//! Point lookups and the ends of a tree.

use crate::error::Result;
use crate::page::{Entry, LeafInfo, Node};
use crate::tree::descend::{LeafUse, Seek};
use crate::tree::{Direction, Tree};
use std::ops::{Bound, ControlFlow};

impl Tree {
    /// Looks a key up. `f` sees the entry, if there is one, under the leaf's shared latch: it must not block, and must not
    /// call into the engine.
    pub fn get<T>(&self, key: &[u8], f: impl FnOnce(Option<Entry<'_>>, LeafInfo) -> T) -> Result<T> {
        let page = self.read_at(Seek::At(key), 0, LeafUse::Keep)?;
        let node = Node::new(&page);
        let (slot, found) = node.search(key);
        Ok(f(found.then(|| node.entry(slot)), node.leaf_info()))
    }

    /// Looks up keys that probably stand close together: the first of `keys`, and those behind it as long as they belong to
    /// the same leaf, under one latch. `f` sees each one's entry, if there is one, with the same duties as in
    /// [`Tree::get`]; when it breaks, the keys behind are left. Answers how many keys were looked up.
    pub fn get_run<'k>(
        &self,
        mut keys: impl Iterator<Item = &'k [u8]>,
        mut f: impl FnMut(Option<Entry<'_>>, LeafInfo) -> ControlFlow<()>,
    ) -> Result<usize> {
        let Some(mut key) = keys.next() else { return Ok(0) };
        let page = self.read_at(Seek::At(key), 0, LeafUse::Keep)?;
        let node = Node::new(&page);
        let (mut next_slot, mut count) = (0, 0);
        loop {
            let (slot, found) = node.search_from(next_slot, key);
            next_slot = slot + 1;
            count += 1;
            if f(found.then(|| node.entry(slot)), node.leaf_info()).is_break() {
                return Ok(count);
            }
            match keys.next() {
                Some(next) if node.holds(next) => key = next,
                _ => return Ok(count),
            }
        }
    }

    /// The smallest key, marked or not; `None` when the tree is empty.
    pub fn first_key(&self) -> Result<Option<Vec<u8>>> {
        self.end_key(Direction::Forward)
    }

    /// The largest key, marked or not; `None` when the tree is empty.
    pub fn last_key(&self) -> Result<Option<Vec<u8>>> {
        self.end_key(Direction::Backward)
    }

    fn end_key(&self, direction: Direction) -> Result<Option<Vec<u8>>> {
        let mut scan = self.scan(Bound::Unbounded, Bound::Unbounded, direction);
        let mut end = None;
        while scan.next_leaf(&mut |key, _, _| {
            end = Some(key.to_vec());
            ControlFlow::Break(())
        })? && end.is_none()
        {}
        Ok(end)
    }
}
