//! Definitions that look at rows: all that are there under the lock count.

use nqdb_sqlstate::{CHECK_VIOLATION, NOT_NULL_VIOLATION, SYNTAX_ERROR};
use nqdb_txn::Isolation;

use crate::bed::Bed;

#[test]
fn rows_newer_than_the_snapshot_are_checked_too() {
    let bed = Bed::new();
    let (mut definer, mut writer) = (bed.session(), bed.session());
    definer.ok("CREATE TABLE t (a int); CREATE TABLE other (a int)");
    for (definition, code) in [
        ("ALTER TABLE t ADD CHECK (a > 0)", CHECK_VIOLATION),
        ("ALTER TABLE t ALTER COLUMN a SET NOT NULL", NOT_NULL_VIOLATION),
    ] {
        definer.isolation = Isolation::RepeatableRead;
        definer.ok("BEGIN; SELECT * FROM other");
        writer.ok("INSERT INTO t VALUES (-1), (NULL)");
        assert_eq!(definer.error(definition).code(), code, "{definition}");
        writer.ok("DELETE FROM t");
    }
    // What the snapshot still sees and nobody else does is no obstacle; own rows are.
    writer.ok("INSERT INTO t VALUES (-1)");
    definer.ok("BEGIN; SELECT * FROM t");
    writer.ok("DELETE FROM t");
    definer.ok("ALTER TABLE t ADD CONSTRAINT positive CHECK (a > 0); INSERT INTO t VALUES (NULL)");
    assert_eq!(definer.error("ALTER TABLE t ALTER COLUMN a SET NOT NULL").code(), NOT_NULL_VIOLATION);
}

#[test]
fn the_columns_of_a_constraint_have_no_order() {
    let bed = Bed::new();
    let mut session = bed.session();
    for definition in [
        "CREATE TABLE t (a int, PRIMARY KEY (a DESC))",
        "CREATE TABLE t (a int, PRIMARY KEY (a ASC))",
        "CREATE TABLE t (a int, UNIQUE (a NULLS FIRST))",
    ] {
        assert_eq!(session.error(definition).code(), SYNTAX_ERROR, "{definition}");
    }
    session.ok("CREATE TABLE t (a int, PRIMARY KEY (a))");
}
