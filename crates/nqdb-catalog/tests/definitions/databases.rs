//! Several databases: their catalogs do not meet, a copy has its own numbers, and what was not committed leaves nothing.

use std::sync::Arc;

use nqdb_catalog::request::{DatabaseChange, NewDatabase, RoleOptions};
use nqdb_catalog::{
    Catalog, FIRST_USER_OID, POSTGRES_DATABASE, PUBLIC_SCHEMA_OID, SUPERUSER_OID, TEMPLATE0_DATABASE,
    TEMPLATE1_DATABASE,
};
use nqdb_sqlstate::DUPLICATE_DATABASE;
use nqdb_storage::disk::{CrashMode, SimDisk};
use nqdb_txn::TxnError;
use nqdb_types::Oid;

use crate::bed::{Bed, rows};

fn new_database(name: &str, template: Oid) -> NewDatabase {
    NewDatabase {
        name: name.to_owned(),
        owner: SUPERUSER_OID,
        template,
        is_template: false,
        allow_connections: true,
        connection_limit: -1,
    }
}

impl Bed {
    fn create_database(&self, name: &str, template: Oid) -> Arc<Catalog> {
        let mut session = self.begin();
        let oid = session.define(|writer| writer.create_database(&new_database(name, template))).expect("a new name");
        assert!(self.catalog.cluster().catalog(oid).is_none(), "nobody sees it before the commit");
        session.commit();
        self.catalog.cluster().catalog(oid).expect("committed")
    }

    /// The same engine as seen from another database.
    fn in_database(&self, catalog: &Arc<Catalog>) -> Bed {
        Bed { catalog: catalog.clone() }
    }

    fn trees(&self) -> usize {
        self.purge();
        self.system().trees().expect("the list reads").len()
    }
}

#[test]
fn the_first_databases_are_those_of_postgresql() {
    let bed = Bed::new();
    let snapshot = bed.catalog.committed();
    let found: Vec<(Oid, &str, bool, bool)> = snapshot
        .databases()
        .map(|found| (found.oid, found.name.as_str(), found.is_template, found.allow_connections))
        .collect();
    let expected = [
        (TEMPLATE1_DATABASE, "template1", true, true),
        (TEMPLATE0_DATABASE, "template0", true, false),
        (POSTGRES_DATABASE, "postgres", false, true),
    ];
    assert_eq!(found, expected);
    for catalog in bed.catalog.cluster().catalogs() {
        let snapshot = catalog.committed();
        assert_eq!(snapshot.schema("public").map(|schema| schema.oid), Some(PUBLIC_SCHEMA_OID));
        assert!(snapshot.role("postgres").is_some() && snapshot.schema("pg_catalog").is_some());
    }
}

#[test]
fn the_same_name_is_another_table_in_each_database() {
    let bed = Bed::new();
    let other = bed.in_database(&bed.create_database("other", TEMPLATE1_DATABASE));
    let (here, there) = (bed.table_of(3, true), other.table_of(5, false));
    assert_ne!(here, there);
    assert!(bed.catalog.committed().relation_by_oid(there).is_none());
    assert!(other.catalog.committed().relation_by_oid(here).is_none());
    assert_eq!(rows(&bed.store(here), bed.system().latest_view()).len(), 3);
    assert_eq!(rows(&other.store(there), bed.system().latest_view()).len(), 5);
    let mut session = other.begin();
    session.define(|writer| writer.drop_table(there)).expect("it is there");
    session.commit();
    assert!(bed.table("t").is_some() && other.table("t").is_none());
    bed.check_nothing_leaked(here);
}

#[test]
fn a_change_of_what_is_shared_is_seen_in_all_databases_and_moves_their_versions() {
    let bed = Bed::new();
    let other = bed.create_database("other", TEMPLATE1_DATABASE);
    let version = other.committed_version();
    let mut session = bed.begin();
    session.define(|writer| writer.create_role("ada", &RoleOptions::default())).expect("a new role");
    assert!(other.committed().role("ada").is_none());
    session.commit();
    assert!(other.committed().role("ada").is_some() && other.committed_version() > version);
    let (version, own) = (other.committed_version(), bed.catalog.committed_version());
    bed.table_of(1, false);
    assert_eq!(other.committed_version(), version, "plans of other databases stay valid");
    assert!(bed.catalog.committed_version() > own);
}

#[test]
fn a_copy_has_new_numbers_and_its_own_rows() {
    let bed = Bed::new();
    let source = bed.in_database(&bed.create_database("source", TEMPLATE0_DATABASE));
    let table = source.table_of(200, true);
    let copy = bed.in_database(&bed.create_database("copy", source.catalog.database()));
    let copied = copy.table("t").expect("copied");
    assert!(copied.oid >= FIRST_USER_OID && copied.oid != table);
    assert!(copied.indexes.iter().all(|index| source.catalog.committed().relation_by_oid(index.oid).is_none()));
    assert_eq!(rows(&copied.store, bed.system().latest_view()).len(), 200);
    copy.delete_below(copied.oid, 150);
    assert_eq!(copy.check_nothing_leaked(copied.oid).rows, 50);
    assert_eq!(source.check_nothing_leaked(table).rows, 200);
}

#[test]
fn what_is_rolled_back_leaves_no_database() {
    let bed = Bed::new();
    let source = bed.in_database(&bed.create_database("source", TEMPLATE1_DATABASE));
    source.table_of(100, true);
    let trees = bed.trees();
    let mut session = bed.begin();
    session
        .define(|writer| writer.create_database(&new_database("gone", source.catalog.database())))
        .expect("a new name");
    session.rollback();
    let mut session = bed.begin();
    session.define(|writer| writer.drop_database(source.catalog.database())).expect("it is there");
    session.rollback();
    assert_eq!(bed.trees(), trees);
    assert!(bed.catalog.committed().database_named("gone").is_none());
    assert_eq!(rows(&source.table("t").expect("kept").store, bed.system().latest_view()).len(), 100);
}

#[test]
fn a_dropped_database_gives_everything_back() {
    let bed = Bed::new();
    let trees = bed.trees();
    let other = bed.in_database(&bed.create_database("other", TEMPLATE1_DATABASE));
    other.table_of(300, true);
    let oid = other.catalog.database();
    let mut session = bed.begin();
    session.define(|writer| writer.set_comment(1262, oid, 0, Some("gone soon".to_owned()))).expect("a comment");
    session.define(|writer| writer.set_role_settings(oid, SUPERUSER_OID, vec![("a".into(), "b".into())])).expect("set");
    session.commit();
    let mut session = bed.begin();
    session.define(|writer| writer.drop_database(oid)).expect("it is there");
    session.commit();
    drop(other);
    assert_eq!(bed.trees(), trees);
    assert!(bed.catalog.cluster().catalog(oid).is_none());
    let snapshot = bed.catalog.committed();
    assert!(snapshot.comment(1262, oid, 0).is_none() && snapshot.settings_of(oid, SUPERUSER_OID).is_none());
}

#[test]
fn databases_survive_a_crash_as_they_were_committed() {
    let disk = SimDisk::new();
    let bed = Bed::on(disk.clone());
    let kept = bed.in_database(&bed.create_database("kept", TEMPLATE1_DATABASE));
    kept.table_of(7, true);
    let mut renamed = bed.begin();
    let change = DatabaseChange { name: Some("renamed".to_owned()), ..DatabaseChange::default() };
    renamed.define(|writer| writer.alter_database(kept.catalog.database(), &change)).expect("a free name");
    renamed.commit();
    let mut open = bed.begin();
    open.define(|writer| writer.create_database(&new_database("cut", kept.catalog.database()))).expect("a new name");
    bed.system().engine().flush_log().expect("its records are there, its commit is not");
    let after = Bed::open(disk.crash(CrashMode::AllWrites));
    drop(open);
    let snapshot = after.catalog.committed();
    let names: Vec<&str> = snapshot.databases().map(|found| found.name.as_str()).collect();
    assert_eq!(names, ["template1", "template0", "postgres", "renamed"]);
    let kept = after.in_database(&after.catalog.cluster().catalog(kept.catalog.database()).expect("kept"));
    let table = kept.table("t").expect("kept");
    assert_eq!(kept.check_nothing_leaked(table.oid).rows, 7);
    assert_eq!(after.trees(), trees_of(&[&after, &kept]));
}

/// The trees that the directory should list: the catalog's own, the sequences', and those of the tables.
fn trees_of(databases: &[&Bed]) -> usize {
    let own = nqdb_txn::SYSTEM_TREES.len();
    let snapshots = databases.iter().map(|database| database.catalog.committed());
    let tables: usize =
        snapshots.map(|snapshot| snapshot.tables().map(|table| 2 + table.store.indexes.len()).sum::<usize>()).sum();
    own + tables
}

#[test]
fn a_name_is_taken_once() {
    let bed = Bed::new();
    bed.create_database("one", TEMPLATE1_DATABASE);
    let mut session = bed.begin();
    let twice = session.define(|writer| writer.create_database(&new_database("one", TEMPLATE1_DATABASE)));
    assert!(matches!(twice, Err(TxnError::Sql(error)) if error.code() == DUPLICATE_DATABASE));
    session.rollback();
}
