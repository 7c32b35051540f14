//! The tables of `schema.sql` as a catalog without rows, and a session that knows nothing else.

use std::sync::Arc;

use nqdb_catalog::{Change, CheckDef, ColumnDef, Identity, IndexDef, SchemaDef, SequenceDef, Snapshot, TableDef};
use nqdb_functions::SessionFunctions;
use nqdb_sql::bind::{BindContext, bind};
use nqdb_sql::ir::Bound;
use nqdb_sql::params::ParamTypes;
use nqdb_sql::parse::parse;
use nqdb_sqlstate::{SqlError, SqlResult, UNDEFINED_TABLE};
use nqdb_storage::disk::SimDisk;
use nqdb_storage::{FRAME_COUNT_MIN, LOG_SEGMENT_BYTES_MIN, Options};
use nqdb_txn::{Isolation, TableCounters, TableStore, Transaction, TxnOptions, TxnSystem};
use nqdb_types::key::KeyColumn;
use nqdb_types::{FormatContext, Type, oid};

const PUBLIC: u32 = 2200;

/// A catalog with the tables t, u, w and v.
pub struct Fixture {
    catalog: Snapshot,
    format: FormatContext,
    _system: Arc<TxnSystem>,
}

impl Fixture {
    pub fn new() -> Fixture {
        let engine = Options {
            frames: FRAME_COUNT_MIN,
            log_segment_bytes: LOG_SEGMENT_BYTES_MIN,
            background_threads: false,
            ..Options::default()
        };
        let system = TxnSystem::create(Arc::new(SimDisk::new()), engine, TxnOptions::default()).expect("a new system");
        let mut txn = system.begin(Isolation::ReadCommitted, false);
        let schema = SchemaDef { oid: PUBLIC, name: "public".to_string(), owner: 10 };
        let sequence = |oid: u32, name: &str| {
            Change::PutSequence(Arc::new(SequenceDef {
                counter_id: 0,
                oid,
                schema: PUBLIC,
                name: name.to_string(),
                owner: 10,
                data_type: nqdb_types::oid::INT8,
                start: 1,
                increment: 1,
                min: 1,
                max: i64::MAX,
                cache: 1,
                cycle: false,
                owned_by: None,
            }))
        };
        let changes = [
            Change::PutSchema(Arc::new(schema)),
            Change::PutTable(Arc::new(table_t(&system, &mut txn))),
            Change::PutTable(Arc::new(table_u(&system, &mut txn))),
            Change::PutTable(Arc::new(table_w(&system, &mut txn))),
            Change::PutTable(Arc::new(table_v(&system, &mut txn))),
            sequence(400, "s"),
            sequence(401, "w_id_seq"),
            sequence(402, "v_id_seq"),
        ];
        txn.rollback().expect("nothing to undo");
        Fixture { catalog: Snapshot::default().with(&changes, 1), format: FormatContext::default(), _system: system }
    }

    /// Runs `work` with what a bind reads.
    pub fn with<T>(&self, work: impl FnOnce(&BindContext<'_>) -> T) -> T {
        let session = NoSession;
        let path = [PUBLIC];
        let cx = BindContext {
            catalog: &self.catalog,
            role: nqdb_catalog::SUPERUSER_OID,
            search_path: &path,
            format: &self.format,
            session: &session,
        };
        work(&cx)
    }

    /// Parses and binds one statement; gives it with its parameter types.
    pub fn bind(&self, sql: &str) -> SqlResult<(Bound, Vec<u32>)> {
        let statements = parse(sql)?;
        let [statement] = statements.as_slice() else { panic!("one statement expected: {sql}") };
        let mut params = ParamTypes::default();
        let (bound, _) = self.with(|cx| bind(statement, cx, &mut params))?;
        Ok((bound, params.types().to_vec()))
    }
}

fn column(attnum: i16, name: &str, ty: Type) -> ColumnDef {
    ColumnDef {
        attnum,
        name: name.to_string(),
        ty,
        not_null: false,
        default: None,
        identity: None,
        generated: None,
        missing: None,
        settings: Default::default(),
        dropped: false,
    }
}

fn index(oid: u32, name: &str, columns: &[(usize, Type)], primary: bool) -> Arc<IndexDef> {
    let key: Vec<_> = columns
        .iter()
        .map(|(column, ty)| KeyColumn { column: *column, ty: *ty, descending: false, nulls_first: false })
        .collect();
    Arc::new(IndexDef {
        oid,
        name: name.to_string(),
        unique: true,
        primary,
        constraint: true,
        deferral: Default::default(),
        nulls_not_distinct: false,
        options: vec![Default::default(); key.len()],
        key,
        included: Vec::new(),
        computation: None,
        settings: Default::default(),
        position: 0,
    })
}

fn table(system: &Arc<TxnSystem>, txn: &mut Transaction, oid: u32, name: &str, columns: Vec<ColumnDef>) -> TableDef {
    let rows = system.create_tree(txn).expect("a tree");
    let overflow = system.create_tree(txn).expect("a tree");
    let store = TableStore {
        id: oid,
        counters: TableCounters::open(&rows, &overflow).expect("an empty table"),
        rows,
        overflow,
        columns: columns.iter().map(|column| column.ty).collect(),
        missing: Vec::new(),
        indexes: Vec::new(),
        followed: false,
    };
    TableDef {
        oid,
        schema: PUBLIC,
        schema_name: "public".to_string(),
        name: name.to_string(),
        owner: 10,
        columns,
        indexes: Vec::new(),
        checks: Vec::new(),
        foreign_keys: Vec::new(),
        referenced_by: Vec::new(),
        on_commit: nqdb_catalog::OnCommit::PreserveRows,
        materialized: None,
        settings: Default::default(),
        published: None,
        channel: None,
        store: Arc::new(store),
        version: 1,
        statistics: None,
    }
}

fn table_t(system: &Arc<TxnSystem>, txn: &mut Transaction) -> TableDef {
    let types = [
        ("id", Type::INT4),
        ("a", Type::INT4),
        ("b", Type::TEXT),
        ("c", Type::varchar(10)),
        ("d", Type::numeric(10, 2)),
        ("e", Type::TIMESTAMPTZ),
        ("f", Type::DATE),
        ("g", Type::BOOL),
        ("h", Type::FLOAT8),
        ("i", Type::INT8),
        ("j", Type::bpchar(5)),
        ("k", Type::TIMESTAMP),
        ("l", Type::INTERVAL),
        ("m", Type::UUID),
        ("n", Type::INT2),
        ("o", Type::BYTEA),
        ("p", Type::with_typmod(oid::TIME, 3)),
    ];
    let mut columns: Vec<ColumnDef> =
        types.iter().enumerate().map(|(at, (name, ty))| column(at as i16 + 1, name, *ty)).collect();
    columns[0].not_null = true;
    columns[1].not_null = true;
    let mut t = table(system, txn, 100, "t", columns);
    t.indexes.push(index(110, "t_pkey", &[(0, Type::INT4)], true));
    let by_a =
        IndexDef { unique: false, constraint: false, ..IndexDef::clone(&index(111, "t_a", &[(1, Type::INT4)], false)) };
    t.indexes.push(Arc::new(by_a));
    t
}

fn table_u(system: &Arc<TxnSystem>, txn: &mut Transaction) -> TableDef {
    let mut columns = vec![
        column(1, "id", Type::INT4),
        column(2, "t_id", Type::INT4),
        column(3, "name", Type::TEXT),
        column(4, "a", Type::INT4),
    ];
    columns[0].not_null = true;
    let mut u = table(system, txn, 200, "u", columns);
    u.indexes.push(index(210, "u_pkey", &[(0, Type::INT4)], true));
    u
}

fn table_w(system: &Arc<TxnSystem>, txn: &mut Transaction) -> TableDef {
    let mut columns = vec![column(1, "id", Type::INT4), column(2, "x", Type::INT4), column(3, "y", Type::TEXT)];
    columns[0].not_null = true;
    columns[0].identity = Some(Identity { always: true, sequence: 401 });
    columns[1].default = Some("7".to_string());
    columns[2].default = Some("'dd'::text".to_string());
    let mut w = table(system, txn, 300, "w", columns);
    w.indexes.push(index(310, "w_pkey", &[(0, Type::INT4)], true));
    w.indexes.push(index(311, "w_x_y_key", &[(1, Type::INT4), (2, Type::TEXT)], false));
    w.checks.push(CheckDef {
        oid: 320,
        name: "w_x_check".to_string(),
        expression: "x > 0".to_string(),
        columns: vec![2],
        validated: true,
        no_inherit: false,
    });
    w
}

fn table_v(system: &Arc<TxnSystem>, txn: &mut Transaction) -> TableDef {
    let mut columns = vec![column(1, "id", Type::INT8), column(2, "z", Type::TEXT)];
    columns[0].not_null = true;
    columns[0].identity = Some(Identity { always: false, sequence: 402 });
    let mut v = table(system, txn, 350, "v", columns);
    v.indexes.push(index(360, "v_pkey", &[(0, Type::INT8)], true));
    v.indexes.push(index(361, "v_z_key", &[(1, Type::TEXT)], false));
    v
}

/// A session without a database behind it: binding asks it for relations only.
struct NoSession;

impl nqdb_functions::CatalogFunctions for NoSession {
    fn object_number(&self, _: u32, name: &str) -> SqlResult<u32> {
        match name {
            "t" => Ok(100),
            "s" => Ok(400),
            _ => Err(SqlError::new(UNDEFINED_TABLE, format!("relation \"{name}\" does not exist"))),
        }
    }
}

impl SessionFunctions for NoSession {
    fn clock_micros(&self) -> i64 {
        0
    }
    fn random(&self) -> f64 {
        0.5
    }
    fn random_bytes(&self) -> [u8; 16] {
        [0; 16]
    }
    fn set_seed(&self, _: f64) {}
    fn current_user(&self) -> String {
        "tester".to_string()
    }
    fn session_user(&self) -> String {
        "tester".to_string()
    }
    fn current_database(&self) -> String {
        "test".to_string()
    }
    fn current_schema(&self) -> Option<String> {
        Some("public".to_string())
    }
    fn setting(&self, _: &str, _: bool) -> SqlResult<Option<String>> {
        Ok(None)
    }
    fn set_setting(&self, _: &str, _: Option<&str>, _: bool) -> SqlResult<String> {
        Ok(String::new())
    }
    fn nextval(&self, _: u32) -> SqlResult<i64> {
        Ok(1)
    }
    fn currval(&self, _: u32) -> SqlResult<i64> {
        Ok(1)
    }
    fn lastval(&self) -> SqlResult<i64> {
        Ok(1)
    }
    fn setval(&self, _: u32, value: i64, _: bool) -> SqlResult<i64> {
        Ok(value)
    }
    fn role_name(&self, _: u32) -> Option<String> {
        None
    }
    fn relation_size(&self, _: u32, _: bool) -> SqlResult<Option<i64>> {
        Ok(None)
    }
    fn backend_pid(&self) -> i32 {
        1
    }
    fn transaction_id(&self) -> SqlResult<i64> {
        Ok(1)
    }
    fn sleep(&self, _: i64) -> SqlResult<()> {
        Ok(())
    }
    fn version(&self) -> String {
        String::new()
    }
    fn postmaster_start_micros(&self) -> i64 {
        0
    }
    fn cancel_backend(&self, _: i32) -> SqlResult<bool> {
        Ok(false)
    }
    fn terminate_backend(&self, _: i32) -> SqlResult<bool> {
        Ok(false)
    }
}
