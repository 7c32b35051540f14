//! The definitions of tables that purge goes by.
//!
//! A table may have several at a time: the committed one, and those that unfinished transactions have made. Either kind
//! may turn out to be the one that lasts, so purge serves all trees that any of them names.
//!
//! What always holds:
//!
//! 1. A definition made in a transaction is known from before its trees are first written until the transaction ends or is
//!    rolled back over it; the committed one until a newer one, or the table's end, has committed.
//! 2. Definitions are given up before the end of their transaction is queued for purge: purge destroys no tree that a
//!    definition still names, and is asked about no tree that it has destroyed.

use std::collections::HashMap;
use std::sync::Arc;

use nqdb_storage::TreeId;
use parking_lot::RwLock;

use crate::ids::Csn;
use crate::table::TableStore;

/// What a transaction says about a table.
pub(crate) enum Definition {
    /// This is what it looks like now.
    Newest(Arc<TableStore>),
    /// The table with this number is dropped.
    Gone(u32),
}

#[derive(Default)]
struct Known {
    committed: Option<Arc<TableStore>>,
    /// Of unfinished transactions, oldest first.
    pending: Vec<Arc<TableStore>>,
}

impl Known {
    fn all(&self) -> impl Iterator<Item = &Arc<TableStore>> {
        self.committed.iter().chain(&self.pending)
    }

    fn withdraw(&mut self, table: &Arc<TableStore>) {
        self.pending.retain(|pending| !Arc::ptr_eq(pending, table));
    }
}

/// All definitions, by the table's number.
#[derive(Default)]
pub(crate) struct Definitions(RwLock<HashMap<u32, Known>>);

impl Definitions {
    /// Takes in a committed definition. True when it is the table's first.
    pub(crate) fn register(&self, table: Arc<TableStore>) -> bool {
        self.0.write().entry(table.id).or_default().committed.replace(table).is_none()
    }

    /// Takes in a definition of an unfinished transaction.
    pub(crate) fn add(&self, table: Arc<TableStore>) {
        self.0.write().entry(table.id).or_default().pending.push(table);
    }

    /// Gives up what a transaction had made and rolled back.
    pub(crate) fn withdraw(&self, definitions: &[Definition]) {
        let mut tables = self.0.write();
        for definition in definitions {
            let Definition::Newest(table) = definition else { continue };
            if let Some(known) = tables.get_mut(&table.id) {
                known.withdraw(table);
                if known.all().next().is_none() {
                    tables.remove(&table.id);
                }
            }
        }
    }

    /// Makes what a transaction had made the committed state.
    pub(crate) fn commit(&self, definitions: Vec<Definition>, csn: Csn) {
        let mut tables = self.0.write();
        for definition in definitions {
            match definition {
                Definition::Newest(table) => {
                    table.indexes.iter().for_each(|index| index.usable_from.committed(csn));
                    let known = tables.entry(table.id).or_default();
                    known.withdraw(&table);
                    known.committed = Some(table);
                }
                Definition::Gone(id) => {
                    tables.remove(&id);
                }
            }
        }
    }

    /// The committed definition.
    pub(crate) fn committed(&self, id: u32) -> Option<Arc<TableStore>> {
        self.0.read().get(&id)?.committed.clone()
    }

    /// The definition to purge an item of `tree` by: it knows the columns of every row there may be beside it, and all
    /// indexes over these rows. `None` when the tree is of no definition any more: it will be destroyed, or was.
    pub(crate) fn of_tree(&self, id: u32, tree: TreeId) -> Option<Arc<TableStore>> {
        let tables = self.0.read();
        let known = tables.get(&id)?;
        let rows = known.all().find(|table| table.has_tree(tree))?.rows.id();
        let over_rows = || known.all().filter(|table| table.rows.id() == rows);
        let widest = over_rows().max_by_key(|table| table.columns.len())?;
        let mut merged: Option<TableStore> = None;
        for index in over_rows().flat_map(|table| &table.indexes) {
            let indexes = merged.as_ref().map_or(&widest.indexes, |merged| &merged.indexes);
            if !indexes.iter().any(|known| known.tree.id() == index.tree.id()) {
                merged.get_or_insert_with(|| TableStore::clone(widest)).indexes.push(index.clone());
            }
        }
        Some(merged.map_or_else(|| widest.clone(), Arc::new))
    }
}
