//! What concurrent sessions see and wait for: each file of `sql-tests/isolation` is run by PostgreSQL's own tester of
//! isolation levels on PostgreSQL 15 and on nqdb. Which steps block, in which order they go on, their rows and their errors
//! have to be the same.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nqdb_testkit::{NqdbServer, PostgresServer};

const TESTER: &str = "/usr/lib/postgresql/15/lib/pgxs/src/test/isolation/isolationtester";
/// The tester gives up on a step that blocks for longer.
const STEP_SECONDS_MAX: &str = "20";
const FILES_MIN: usize = 60;

fn specs() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sql-tests/isolation");
    let mut specs: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("the folder of the specifications")
        .map(|entry| entry.expect("a file").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "spec"))
        .collect();
    specs.sort();
    specs
}

/// What the tester prints for a file on a server.
fn output(spec: &Path, server: &str) -> String {
    let text = std::fs::File::open(spec).expect("the specification can be read");
    let output = Command::new(TESTER)
        .arg(server)
        .env("PGISOLATIONTIMEOUT", STEP_SECONDS_MAX)
        .stdin(Stdio::from(text))
        .output()
        .expect("PostgreSQL's tester runs");
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn concurrent_sessions_see_and_wait_for_what_they_do_in_postgresql() {
    let specs = specs();
    assert!(specs.len() >= FILES_MIN, "{} files", specs.len());
    let nqdb = NqdbServer::start_with(&["--max-prepared-transactions", "10"]);
    let postgres = PostgresServer::start_with(&["fsync=off", "max_prepared_transactions=10"]);
    let mut differences = Vec::new();
    for spec in &specs {
        let expected = output(spec, &postgres.target());
        assert!(expected.contains("starting permutation"), "{}: {expected}", spec.display());
        let found = output(spec, &nqdb.target());
        if found != expected {
            let first = expected.lines().zip(found.lines()).position(|(a, b)| a != b);
            let at = first.unwrap_or(expected.lines().count().min(found.lines().count()));
            let around = |text: &str| text.lines().skip(at.saturating_sub(8)).take(16).collect::<Vec<_>>().join("\n");
            differences.push(format!(
                "{}, line {}:\n--- PostgreSQL\n{}\n--- nqdb\n{}",
                spec.display(),
                at + 1,
                around(&expected),
                around(&found)
            ));
        }
    }
    assert!(
        differences.is_empty(),
        "{} of {} files differ\n{}",
        differences.len(),
        specs.len(),
        differences.join("\n\n")
    );
}
