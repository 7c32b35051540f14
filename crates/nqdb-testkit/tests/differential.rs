//! A short form of the comparison with PostgreSQL; `examples/differential.rs` runs more.

use nqdb_testkit::differential::run;
use nqdb_testkit::{NqdbServer, PostgresServer};

const STATEMENTS: usize = 2000;
const SEED: u64 = 1;

#[tokio::test(flavor = "multi_thread")]
async fn generated_statements_get_the_answers_of_postgresql() {
    let (nqdb, postgres) = (NqdbServer::start(), PostgresServer::start_with(&["fsync=off"]));
    let report = run(&nqdb.target(), &postgres.target(), SEED, STATEMENTS).await.expect("both servers answer");
    assert_eq!(report.statements, STATEMENTS);
    assert!(report.open * 10 < STATEMENTS, "too many statements decide nothing: {}", report.open);
    assert!(report.differences.is_empty(), "{:#?}", report.differences);
}
