//! ROLLBACK TO takes back the definitions after the savepoint, and nothing else.

use crate::bed::Bed;

#[test]
fn what_is_defined_after_a_rollback_to_the_start_is_published() {
    let bed = Bed::new();
    let mut session = bed.begin();
    let start = session.savepoint();
    session.create_table("x");
    session.rollback_to(&start);
    session.create_table("y");
    session.commit();
    assert!(bed.table("x").is_none(), "x was rolled back");
    assert!(bed.table("y").is_some(), "y was committed");
}

#[test]
fn what_was_defined_before_the_savepoint_is_published() {
    let bed = Bed::new();
    let mut session = bed.begin();
    session.create_table("before");
    let middle = session.savepoint();
    session.create_table("x");
    session.rollback_to(&middle);
    session.create_table("y");
    session.rollback_to(&middle);
    session.create_table("z");
    session.commit();
    let there: Vec<&str> = ["before", "x", "y", "z"].into_iter().filter(|name| bed.table(name).is_some()).collect();
    assert_eq!(there, ["before", "z"]);
}

#[test]
fn a_transaction_whose_definitions_were_all_rolled_back_publishes_nothing() {
    let bed = Bed::new();
    let version = bed.catalog.committed_version();
    let mut session = bed.begin();
    let start = session.savepoint();
    session.create_table("x");
    session.rollback_to(&start);
    session.commit();
    assert!(bed.table("x").is_none());
    assert_eq!(bed.catalog.committed_version(), version, "plans stay valid");
}
