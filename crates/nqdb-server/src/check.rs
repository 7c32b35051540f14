//! `nqdb check`: verifies a data directory that no server uses.
//!
//! The directory is only read: its log is replayed into memory, so a crashed one is checked as the next start would
//! find it, and is left as it was.
//!
//! What is verified: every page of the data file (checksum, order, its place in its tree or in the free list), every tree
//! (it belongs to somebody), every row against the indexes and every index entry against its row, every reference to a
//! large value, every sequence's state.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use nqdb_catalog::{Cluster, POSTGRES_DATABASE, TableDef};
use nqdb_sqlstate::DATA_CORRUPTED;
use nqdb_storage::disk::{Disk, OsDisk, OverlayDisk};
use nqdb_storage::tree::Tree;
use nqdb_storage::verify::verify_file;
use nqdb_storage::{Options, PageId, StorageError, TreeId};
use nqdb_txn::{TableStore, TxnError, TxnOptions, TxnSystem};

use crate::error::ServerError;

/// The directory of trees has this number and this root in every database.
const TREE_DIRECTORY: (TreeId, PageId) = (TreeId(1), PageId(1));
/// The states of sequences.
const SEQUENCES: TreeId = TreeId(2);

/// Verifies a data directory; gives the damage found, one line each, nothing when all is well.
///
/// Errors: what keeps the check from running at all.
pub fn check(directory: &Path, memory_bytes: u64) -> Result<Vec<String>, ServerError> {
    if !directory.is_dir() {
        let source = std::io::Error::new(std::io::ErrorKind::NotFound, "there is no such directory");
        return Err(ServerError::DataDirectory { path: directory.to_path_buf(), source });
    }
    let disk: Arc<dyn Disk> = Arc::new(OsDisk::new(directory));
    check_disk(disk, memory_bytes).map_err(|source| ServerError::Open { path: directory.to_path_buf(), source })
}

/// As [`check`], for any disk. Nothing on it is changed.
pub fn check_disk(disk: Arc<dyn Disk>, memory_bytes: u64) -> Result<Vec<String>, TxnError> {
    let memory = usize::try_from(memory_bytes).unwrap_or(usize::MAX);
    let engine =
        Options { frames: Options::frames_from_memory_bytes(memory), background_threads: false, ..Options::default() };
    let options = TxnOptions { undo_memory_bytes: memory / 4, ..TxnOptions::default() };
    let system = match TxnSystem::open(Arc::new(OverlayDisk::new(disk)), engine, options) {
        Ok(system) => system,
        Err(TxnError::Storage(damage @ StorageError::Corrupt { .. })) => {
            return Ok(vec![format!("replaying the log: {damage}")]);
        }
        Err(error) => return Err(error),
    };
    match Cluster::open(system.clone(), Arc::new(nqdb_sql::IndexExpressions)) {
        Ok(cluster) => Ok(check_open(&system, &cluster)),
        Err(error) if error.code() == DATA_CORRUPTED => {
            let mut damage = vec![format!("the catalog: {}", error.message())];
            damage.extend(check_file(&system).err());
            Ok(damage)
        }
        Err(error) => Err(TxnError::Sql(error)),
    }
}

/// Verifies open data that nobody changes meanwhile.
pub fn check_open(system: &Arc<TxnSystem>, cluster: &Arc<Cluster>) -> Vec<String> {
    let mut damage = Vec::new();
    damage.extend(check_file(system).err());
    let mut tables: Vec<(String, Arc<TableStore>)> = vec![("the catalog".to_owned(), cluster.own_table().clone())];
    for catalog in cluster.catalogs() {
        let committed = catalog.committed();
        let name = |table: &TableDef| match committed.database() {
            POSTGRES_DATABASE => format!("{}.{}", table.schema_name, table.name),
            _ => format!("{}.{}.{}", committed.database_name(), table.schema_name, table.name),
        };
        tables.extend(committed.tables().map(|table| (name(table), table.store.clone())));
        for sequence in committed.sequences() {
            if let Err(error) = sequence.counter().state(system) {
                damage.push(format!("sequence {}: {error}", sequence.name));
            }
        }
    }
    for (name, store) in &tables {
        match nqdb_txn::check_table(system, store) {
            Ok(report) => damage.extend(report.problems.into_iter().map(|problem| format!("{name}: {problem}"))),
            Err(error) => damage.push(format!("{name}: {error}")),
        }
    }
    damage.extend(check_owners(system, &tables).unwrap_or_else(|error| vec![format!("the list of trees: {error}")]));
    damage
}

/// Verifies the data file: every page is in exactly one place.
fn check_file(system: &TxnSystem) -> Result<(), String> {
    let listed = system.trees().map_err(|error| format!("the list of trees: {error}"))?;
    let mut trees = vec![TREE_DIRECTORY];
    for (id, root, is_going) in listed {
        // A tree leaves the list only after its last page is free.
        let tree = Tree::open(system.engine().clone(), id, root);
        if !is_going || tree.is_there().map_err(|error| format!("the data file: {error}"))? {
            trees.push((id, root));
        }
    }
    match verify_file(system.engine(), &trees, &mut |_, _, _| {}) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("the data file: {error}")),
    }
}

/// Every tree that is not about to be destroyed belongs to exactly one table or index.
fn check_owners(system: &TxnSystem, tables: &[(String, Arc<TableStore>)]) -> Result<Vec<String>, TxnError> {
    let mut owners: BTreeMap<TreeId, &str> = BTreeMap::from([(SEQUENCES, "sequences")]);
    let mut damage = Vec::new();
    for (name, store) in tables {
        let indexes = store.indexes.iter().map(|index| index.tree.id());
        for tree in [store.rows.id(), store.overflow.id()].into_iter().chain(indexes) {
            if let Some(other) = owners.insert(tree, name) {
                damage.push(format!("{name}: its tree {} also belongs to {other}", tree.0));
            }
        }
    }
    for (tree, _, is_going) in system.trees()? {
        if !is_going && !owners.contains_key(&tree) {
            damage.push(format!("tree {} belongs to nobody", tree.0));
        }
    }
    Ok(damage)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nqdb_catalog::request::{NewColumn, NewConstraint, NewKey, NewTable};
    use nqdb_catalog::{Catalog, CatalogWriter, Draft, PUBLIC_SCHEMA_OID, SUPERUSER_OID};
    use nqdb_storage::disk::{Call, CrashMode, SimDisk};
    use nqdb_storage::tree::EditNeed;
    use nqdb_txn::Isolation;
    use nqdb_types::{Datum, Type};

    const MEMORY_BYTES: u64 = 32 << 20;
    const ROW_COUNT: i64 = 2000;

    struct Database {
        disk: SimDisk,
        system: Arc<TxnSystem>,
        catalog: Arc<Catalog>,
    }

    impl Database {
        /// A table `t` with a primary key on its only column, and nothing written back.
        fn new() -> Database {
            let disk = SimDisk::new();
            let engine = Options {
                frames: 512,
                log_segment_bytes: 1 << 20,
                log_budget_bytes: 8 << 20,
                log_buffer_bytes: 4 << 20,
                background_threads: false,
                ..Options::default()
            };
            let system = TxnSystem::create(Arc::new(disk.clone()), engine, TxnOptions::default()).unwrap();
            let cluster = Cluster::open(system.clone(), Arc::new(nqdb_sql::IndexExpressions)).unwrap();
            let catalog = cluster.catalog(POSTGRES_DATABASE).unwrap();
            let database = Database { disk, system, catalog };
            database.fill();
            database
        }

        fn fill(&self) {
            let id = NewColumn { not_null: true, ..NewColumn::plain("id", Type::INT8) };
            let key = NewConstraint::Key(NewKey { primary: true, columns: vec!["id".to_owned()], ..NewKey::default() });
            let new = NewTable { constraints: vec![key], ..NewTable::plain(PUBLIC_SCHEMA_OID, "t", vec![id]) };
            let mut txn = self.system.begin(Isolation::ReadCommitted, false);
            txn.begin_statement().unwrap();
            let mut draft = Draft::new(self.catalog.clone());
            let table = CatalogWriter::new(&mut draft, &mut txn, SUPERUSER_OID).create_table(&new).unwrap();
            let store = draft.snapshot().table_by_oid(table).unwrap().store.clone();
            for id in 0..ROW_COUNT {
                store.insert(&mut txn, &[Datum::Int8(id)]).unwrap();
            }
            let commit = txn.commit().unwrap();
            self.system.wait_durable_blocking(commit.durable_lsn.unwrap()).unwrap();
        }

        fn store(&self) -> Arc<TableStore> {
            self.catalog.committed().tables().next().unwrap().store.clone()
        }

        /// Checks what a clean stop leaves.
        fn stop_and_check(&self) -> Vec<String> {
            self.system.close().unwrap();
            check_disk(Arc::new(self.disk.crash(CrashMode::AllWrites)), MEMORY_BYTES).unwrap()
        }
    }

    #[test]
    fn a_crashed_database_is_sound_and_is_left_as_it_was() {
        let crashed = Database::new().disk.crash(CrashMode::OnlySynced);
        assert_eq!(check_disk(Arc::new(crashed.clone()), MEMORY_BYTES).unwrap(), Vec::<String>::new());
        assert_eq!(crashed.calls(Call::Change), 0, "nothing was written");
    }

    #[test]
    fn what_holds_no_database_cannot_be_checked_and_gets_none() {
        let directory = tempfile::tempdir().unwrap();
        let outcome = check(directory.path(), MEMORY_BYTES);
        assert!(matches!(outcome, Err(ServerError::Open { .. })), "{outcome:?}");
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
        assert!(check(&directory.path().join("none"), MEMORY_BYTES).is_err());
        assert!(!directory.path().join("none").exists());
    }

    #[test]
    fn a_flipped_bit_in_any_page_is_damage() {
        let database = Database::new();
        assert_eq!(database.stop_and_check(), Vec::<String>::new());
        let page_count = database.system.engine().page_count();
        assert!(page_count > 20, "only {page_count} pages");
        for page in 0..page_count {
            let disk = database.disk.crash(CrashMode::AllWrites);
            // A page of the last batch would be taken for a torn one and be restored from here.
            disk.remove("nqdb.doublewrite").unwrap();
            disk.flip_bit("base.nqdb", page * 8192 + 100 + page * 37 % 8000, (page % 8) as u8);
            let damage = check_disk(Arc::new(disk), MEMORY_BYTES).unwrap();
            assert!(damage.iter().any(|line| line.contains("page")), "page {page}: {damage:?}");
        }
    }

    #[test]
    fn a_row_without_its_index_entry_is_damage_of_its_table() {
        let database = Database::new();
        let index = database.store().indexes[0].clone();
        let key = index.tree.last_key().unwrap().unwrap();
        index.tree.edit(&key, EditNeed::default(), None, |edit| edit.remove()).unwrap();
        let damage = database.stop_and_check();
        assert!(
            matches!(&damage[..], [line] if line.starts_with("public.t: ") && line.contains("missing in index")),
            "{damage:?}"
        );
    }

    #[test]
    fn a_tree_of_nobody_is_damage() {
        let database = Database::new();
        let mut txn = database.system.begin(Isolation::ReadCommitted, false);
        database.system.create_tree(&mut txn).unwrap();
        txn.commit().unwrap();
        let damage = database.stop_and_check();
        assert!(matches!(&damage[..], [line] if line.contains("belongs to nobody")), "{damage:?}");
    }
}
