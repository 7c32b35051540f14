//! A small database on a simulated disk with one table, driven from one thread.

use nqdb_storage::disk::SimDisk;
use nqdb_storage::{Options, TreeId};
use nqdb_txn::*;
use nqdb_types::key::KeyColumn;
use nqdb_types::{Datum, Type};
use std::ops::{Bound, ControlFlow};
use std::sync::Arc;
use std::time::Duration;

pub const TABLE: u32 = 16_384;

/// Columns of the table: `id int8`, `a int4`, `b text`. Index 0 is unique on `id`, index 1 is on `a`.
pub type Row = (i64, Option<i32>, String);

pub struct Bed {
    pub system: Arc<TxnSystem>,
    pub table: Arc<TableStore>,
}

pub fn engine_options() -> Options {
    Options {
        frames: 256,
        log_segment_bytes: 1 << 20,
        log_budget_bytes: 4 << 20,
        log_buffer_bytes: 4 << 20,
        background_threads: false,
        ..Options::default()
    }
}

pub fn txn_options() -> TxnOptions {
    TxnOptions { undo_memory_bytes: 1 << 20, wall_clock_micros: || 0, ..TxnOptions::default() }
}

/// The table over trees 1000 to 1003.
pub fn table_over(system: &Arc<TxnSystem>) -> Result<Arc<TableStore>> {
    let tree = |id| system.open_tree(TreeId(id));
    let (rows, overflow) = (tree(1000)?, tree(1001)?);
    let counters = TableCounters::open(&rows, &overflow)?;
    let columns = vec![Type::new(20), Type::new(23), Type::new(25)];
    let index = |id, tree, unique, column: usize| {
        Arc::new(IndexStore::over_columns(id, tree, unique, vec![KeyColumn::ascending(column, columns[column])]))
    };
    let indexes = vec![index(16_385, tree(1002)?, true, 0), index(16_386, tree(1003)?, false, 1)];
    let missing = vec![Datum::Null; 3];
    Ok(Arc::new(TableStore { id: TABLE, rows, overflow, columns, missing, indexes, followed: false, counters }))
}

pub fn datums(row: &Row) -> Vec<Datum> {
    let a = row.1.map_or(Datum::Null, Datum::Int4);
    vec![Datum::Int8(row.0), a, Datum::Text(row.2.as_str().into())]
}

pub fn row_of(image: &RowImage<'_>) -> Row {
    let values = image.datums().expect("a row reads");
    match &values[..] {
        [Datum::Int8(id), Datum::Int4(a), Datum::Text(b)] => (*id, Some(*a), b.to_string()),
        [Datum::Int8(id), Datum::Null, Datum::Text(b)] => (*id, None, b.to_string()),
        other => panic!("not a row of this table: {other:?}"),
    }
}

pub fn row(id: i64, a: i32, b: &str) -> Row {
    (id, Some(a), b.to_string())
}

impl Bed {
    pub fn new() -> Bed {
        Bed::on(Arc::new(SimDisk::new()), engine_options(), txn_options())
    }

    pub fn on(disk: Arc<SimDisk>, engine: Options, options: TxnOptions) -> Bed {
        Bed::try_on(disk, engine, options).expect("a new database")
    }

    pub fn try_on(disk: Arc<SimDisk>, engine: Options, options: TxnOptions) -> Result<Bed> {
        let system = TxnSystem::create(disk, engine, options)?;
        let mut txn = system.begin(Isolation::ReadCommitted, false);
        for _ in 0..4 {
            system.create_tree(&mut txn)?;
        }
        let commit = txn.commit()?;
        system.wait_durable_blocking(commit.durable_lsn.expect("trees were made"))?;
        let table = table_over(&system)?;
        system.register_table(table.clone());
        Ok(Bed { system, table })
    }

    pub fn open(disk: Arc<SimDisk>, engine: Options, options: TxnOptions) -> Result<Bed> {
        let system = TxnSystem::open(disk, engine, options)?;
        let table = table_over(&system)?;
        system.register_table(table.clone());
        Ok(Bed { system, table })
    }

    pub fn begin(&self) -> Transaction {
        self.start(Isolation::ReadCommitted)
    }

    pub fn start(&self, isolation: Isolation) -> Transaction {
        let mut txn = self.system.begin(isolation, false);
        txn.begin_statement().expect("a first statement");
        txn
    }

    pub fn insert(&self, txn: &mut Transaction, row: &Row) -> Result<RowId> {
        self.statement(txn);
        self.table.insert(txn, &datums(row))
    }

    /// A new statement; flushes the log when the transaction depends on it.
    pub fn statement(&self, txn: &mut Transaction) {
        if let Err(TxnError::Wait(wait)) = txn.begin_statement() {
            wait.block(txn, Duration::from_secs(1), None).expect("the log can be flushed");
            txn.begin_statement().expect("after the wait");
        }
    }

    /// Updates the row that the current statement of `txn` finds by its id.
    pub fn update(&self, txn: &mut Transaction, id: i64, new: &Row) -> Result<Modified> {
        self.statement(txn);
        let (row_id, version) = self.find(&txn.view(), id).expect("the row exists");
        self.table.update(txn, row_id, version, &datums(new))
    }

    pub fn delete(&self, txn: &mut Transaction, id: i64) -> Result<Modified> {
        self.statement(txn);
        let (row_id, version) = self.find(&txn.view(), id).expect("the row exists");
        self.table.delete(txn, row_id, version)
    }

    pub fn find(&self, view: &ReadView, id: i64) -> Option<(RowId, RowVersion)> {
        let mut found = Vec::new();
        self.by_key(view, 0, Datum::Int8(id), &mut |row_id, version, _| found.push((row_id, version)));
        assert!(found.len() <= 1, "id {id} is unique");
        found.pop()
    }

    pub fn by_key(&self, view: &ReadView, index: usize, key: Datum, f: &mut dyn FnMut(RowId, RowVersion, Row)) {
        let prefix = self.table.indexes[index].key_prefix(&[key]);
        let end = IndexStore::prefix_end(&prefix);
        let mut scan = self.table.index_scan(index, view.clone(), Bound::Included(prefix), end, Direction::Forward);
        while scan
            .next_batch(&mut |row_id, version, image| {
                f(row_id, version, row_of(&image));
                ControlFlow::Continue(())
            })
            .expect("the index reads")
        {}
    }

    /// All rows that `view` sees, by row id.
    pub fn rows(&self, view: &ReadView) -> Vec<Row> {
        self.rows_with_ids(view).into_iter().map(|(_, row)| row).collect()
    }

    pub fn rows_with_ids(&self, view: &ReadView) -> Vec<(RowId, Row)> {
        let mut rows = Vec::new();
        let mut scan = self.table.scan(view.clone(), RowId(0)..RowId(u64::MAX), Direction::Forward);
        while scan
            .next_batch(&mut |row_id, _, image| {
                rows.push((row_id, row_of(&image)));
                ControlFlow::Continue(())
            })
            .expect("the table reads")
        {}
        self.check_leaf_scan(view, &rows);
        rows
    }

    /// The scan that reads rows in their leaves gives the same ones.
    fn check_leaf_scan(&self, view: &ReadView, rows: &[(RowId, Row)]) {
        let mut images = Vec::new();
        let mut scan = self.table.leaf_scan(view.clone(), RowId(0)..RowId(u64::MAX));
        while scan
            .next_leaf(&mut |row_id, row| {
                images.push(format!("{row_id} {} {:?}", integer(&row, 0).expect("an id"), integer(&row, 1)));
                Ok(())
            })
            .expect("the table reads")
        {}
        let mut expected: Vec<String> =
            rows.iter().map(|(row_id, (id, a, _))| format!("{row_id} {id} {a:?}")).collect();
        images.sort();
        expected.sort();
        assert_eq!(images, expected);
    }

    /// What is committed and synced, sorted by id.
    pub fn committed(&self) -> Vec<Row> {
        let mut rows = self.rows(&self.system.latest_view());
        rows.sort();
        rows
    }

    /// Commits and waits for the sync.
    pub fn commit(&self, txn: Transaction) {
        let commit = txn.commit().expect("a commit");
        if let Some(lsn) = commit.durable_lsn {
            self.system.wait_durable_blocking(lsn).expect("synced");
        }
    }

    pub fn purge(&self) {
        self.system.engine().flush_log().expect("flushed");
        while self.system.purge_step().expect("purge") {}
    }

    /// Everything agrees with everything.
    pub fn check(&self) -> TableReport {
        let report = check_table(&self.system, &self.table).expect("the check runs");
        assert_eq!(report.problems, Vec::<String>::new());
        report
    }

    /// As `check`, after purging all that can be: nothing is left over.
    pub fn check_nothing_leaked(&self) -> TableReport {
        self.purge();
        let report = self.check();
        assert_eq!(report.deleted_rows, 0, "deleted rows are left: {report:?}");
        assert_eq!(report.marked_entries, 0, "index entries are left: {report:?}");
        assert_eq!(report.marked_values, 0, "large values are left: {report:?}");
        assert_eq!(report.entries, report.rows * self.table.indexes.len() as u64);
        report
    }
}

/// An integer column of a stored row.
fn integer(row: &nqdb_types::row::RowView<'_>, column: usize) -> Option<i64> {
    let ty = if column == 0 { Type::new(20) } else { Type::new(23) };
    row.datum(column, ty).expect("a stored integer").as_integer()
}

pub fn is_wait<T: std::fmt::Debug>(result: Result<T>) -> Wait {
    match result {
        Err(TxnError::Wait(wait)) => wait,
        other => panic!("expected a wait, not {other:?}"),
    }
}
