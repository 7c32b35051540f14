//! The list of trees: tree number -> root page. Itself tree 1.
//!
//! ```text
//! key    tree number u64, big-endian
//! value  root page id u64, little-endian
//! mark   nobody uses the tree any more: purge frees its pages, then the entry
//! ```
//!
//! A tree's root, its creation record and nothing else are one log group; the entry follows in a second one. A crash
//! between the two leaves an unfinished transaction whose undo enters the tree as marked.

use crate::error::{Result, TxnError};
use crate::ids::Xid;
use crate::record::{CHANGE_OVERHEAD_BYTES, Change, ChangeKind};
use crate::rollback::Clr;
use crate::transaction::{Transaction, change_log_bytes};
use nqdb_storage::tree::{EditNeed, Tree};
use nqdb_storage::{Engine, Need, PageId, Reservation, TreeId};
use parking_lot::RwLock;
use std::collections::HashMap;
use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

const DIRECTORY: TreeId = TreeId(1);
const DIRECTORY_ROOT: PageId = PageId(1);
const ROOT_BYTES: usize = 8;

/// All trees of a database.
pub(crate) struct Directory {
    tree: Tree,
    known: RwLock<HashMap<TreeId, Tree>>,
}

fn key(id: TreeId) -> [u8; 8] {
    id.0.to_be_bytes()
}

fn root_of(value: &[u8]) -> Result<PageId> {
    let bytes = value.try_into().map_err(|_| TxnError::corrupt("a tree's directory entry has a wrong length"))?;
    Ok(PageId(u64::from_le_bytes(bytes)))
}

impl Directory {
    /// Makes the directory, the first tree of a new database.
    pub(crate) fn create(engine: &Arc<Engine>) -> Result<Directory> {
        let tree = Tree::create(engine, DIRECTORY, 0, |_| Vec::new())?;
        if tree.root() != DIRECTORY_ROOT {
            return Err(TxnError::corrupt("the tree directory is not the first tree of the database"));
        }
        Ok(Directory { tree, known: RwLock::default() })
    }

    pub(crate) fn open(engine: &Arc<Engine>) -> Result<Directory> {
        let tree = Tree::open(engine.clone(), DIRECTORY, DIRECTORY_ROOT);
        Ok(Directory { tree, known: RwLock::default() })
    }

    /// The tree with this number.
    pub(crate) fn tree(&self, engine: &Arc<Engine>, id: TreeId) -> Result<Tree> {
        if let Some(tree) = self.known.read().get(&id) {
            return Ok(tree.clone());
        }
        let root = self.tree.get(&key(id), |entry, _| entry.map(|entry| root_of(entry.value)))?;
        let root = root.ok_or_else(|| TxnError::corrupt(format!("there is no tree {}", id.0)))??;
        let tree = Tree::open(engine.clone(), id, root);
        self.known.write().insert(id, tree.clone());
        Ok(tree)
    }

    /// Makes a tree in a database that is being created: a crash leaves neither.
    pub(crate) fn create_system_tree(&self, engine: &Arc<Engine>, id: TreeId) -> Result<Tree> {
        let tree = Tree::create(engine, id, 0, |_| Vec::new())?;
        self.enter(&tree)?;
        Ok(tree)
    }

    pub(crate) fn create_tree(&self, engine: &Arc<Engine>, txn: &mut Transaction, id: TreeId) -> Result<Tree> {
        let xid = txn.prepare(1, ROOT_BYTES, 0)?;
        let tree = Tree::create(engine, id, Need::record_bytes(CHANGE_OVERHEAD_BYTES + ROOT_BYTES), |root| {
            let mut payload = Vec::new();
            let change = Change {
                kind: ChangeKind::TreeCreate,
                step: txn.undo.steps(),
                table: 0,
                tree: id,
                header: [0, 0],
                was_marked: false,
                key: &root.0.to_le_bytes(),
                image: &[],
            };
            txn.note_change(xid, &change, &mut payload);
            vec![(ChangeKind::TreeCreate as u8, payload)]
        })?;
        self.enter(&tree)?;
        Ok(tree)
    }

    fn enter(&self, tree: &Tree) -> Result<()> {
        let need = EditNeed { value_bytes_max: ROOT_BYTES, log_bytes: 0 };
        self.tree.edit(&key(tree.id()), need, None, |edit| {
            edit.insert(&tree.root().0.to_le_bytes(), false, 0);
        })?;
        self.known.write().insert(tree.id(), tree.clone());
        Ok(())
    }

    pub(crate) fn drop_tree(&self, txn: &mut Transaction, id: TreeId) -> Result<()> {
        let xid = txn.prepare(1, 0, 0)?;
        let need = EditNeed { value_bytes_max: ROOT_BYTES, log_bytes: change_log_bytes(0, 0) };
        let mut payload = Vec::new();
        let (found, _) = self.tree.edit(&key(id), need, None, |edit| {
            if edit.entry().is_none_or(|entry| entry.marked) {
                return false;
            }
            let change = Change {
                kind: ChangeKind::TreeDrop,
                step: txn.undo.steps(),
                table: 0,
                tree: id,
                header: [0, 0],
                was_marked: false,
                key: &[],
                image: &[],
            };
            txn.note_change(xid, &change, &mut payload);
            edit.set_mark(true, xid.0);
            edit.log(ChangeKind::TreeDrop as u8, &payload);
            true
        })?;
        if found { Ok(()) } else { Err(TxnError::corrupt(format!("there is no tree {} to drop", id.0))) }
    }

    /// Undoes a creation: the tree is marked, purge does the rest.
    pub(crate) fn undo_create(
        &self,
        xid: Xid,
        root: &[u8],
        id: TreeId,
        clr: Clr,
        credit: Option<&mut Reservation>,
    ) -> Result<()> {
        root_of(root)?;
        let need = EditNeed { value_bytes_max: ROOT_BYTES, log_bytes: Clr::LOG_BYTES };
        self.tree.edit(&key(id), need, credit, |edit| {
            match edit.entry() {
                Some(_) => edit.set_mark(true, xid.0),
                None => edit.insert(root, true, xid.0),
            }
            clr.log(edit);
        })?;
        Ok(())
    }

    pub(crate) fn undo_drop(&self, xid: Xid, id: TreeId, clr: Clr, credit: Option<&mut Reservation>) -> Result<()> {
        let need = EditNeed { value_bytes_max: 0, log_bytes: Clr::LOG_BYTES };
        self.tree.edit(&key(id), need, credit, |edit| {
            if edit.entry().is_some() {
                edit.set_mark(false, xid.0);
            }
            clr.log(edit);
        })?;
        Ok(())
    }

    /// Trees that are marked, by a drop or by an undone creation.
    pub(crate) fn marked(&self) -> Result<Vec<TreeId>> {
        let mut marked = Vec::new();
        let mut scan = self.tree.marked_leaves(None);
        let mut collect = |key: &[u8], _: nqdb_storage::tree::Entry<'_>| {
            if let Ok(bytes) = key.try_into() {
                marked.push(TreeId(u64::from_be_bytes(bytes)));
            }
        };
        while scan.next_leaf(&mut collect)? {}
        Ok(marked)
    }

    /// Frees some pages of a marked tree, and its entry when none is left. True when it is gone.
    pub(crate) fn destroy_step(&self, engine: &Arc<Engine>, id: TreeId, pages_max: usize) -> Result<bool> {
        let root =
            self.tree.get(&key(id), |entry, _| entry.filter(|entry| entry.marked).map(|entry| root_of(entry.value)))?;
        let Some(root) = root.transpose()? else { return Ok(true) };
        if !Tree::open(engine.clone(), id, root).destroy_step(pages_max)? {
            return Ok(false);
        }
        self.known.write().remove(&id);
        self.tree.edit(&key(id), EditNeed { value_bytes_max: 0, log_bytes: 0 }, None, |edit| {
            if edit.entry().is_some() {
                edit.remove();
            }
        })?;
        Ok(true)
    }

    /// All trees but the directory: number, root, marked.
    pub(crate) fn all(&self) -> Result<Vec<(TreeId, PageId, bool)>> {
        let mut all = Vec::new();
        let mut problem = None;
        let mut scan = self.tree.scan(Bound::Unbounded, Bound::Unbounded, nqdb_storage::tree::Direction::Forward);
        while scan.next_leaf(&mut |key, entry, _| {
            match (key.try_into(), root_of(entry.value)) {
                (Ok(bytes), Ok(root)) => all.push((TreeId(u64::from_be_bytes(bytes)), root, entry.marked)),
                (_, Err(error)) => problem = Some(error),
                _ => problem = Some(TxnError::corrupt("a tree's directory key has a wrong length")),
            }
            ControlFlow::Continue(())
        })? {}
        match problem {
            Some(error) => Err(error),
            None => Ok(all),
        }
    }
}
