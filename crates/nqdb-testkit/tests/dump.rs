//! pg_dump, pg_dumpall and pg_restore of PostgreSQL 15: what they dump of nqdb is what they dump of PostgreSQL, and it
//! restores into both with equal contents.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use nqdb_testkit::{NqdbServer, PostgresServer};

fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sql-tests/clients").join(name)
}

fn run(program: &str, arguments: &[&str]) -> Output {
    let path = Path::new("/usr/lib/postgresql/15/bin").join(program);
    Command::new(path).args(arguments).output().unwrap_or_else(|error| panic!("{program}: {error}"))
}

/// Standard output of a program that must succeed.
fn output_of(program: &str, arguments: &[&str]) -> String {
    let output = run(program, arguments);
    assert!(
        output.status.success(),
        "{program} {arguments:?}\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Runs a file of SQL up to its first error, which fails the test.
fn run_file(target: &str, path: &Path) {
    let path = path.to_str().expect("a UTF-8 path");
    output_of("psql", &["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", target, "-f", path]);
}

/// A dump without what differs in every run: the key that fences psql's commands, and versions.
fn dump(program: &str, target: &str, options: &[&str]) -> String {
    let mut arguments = vec!["-d", target];
    arguments.extend(options);
    let text = output_of(program, &arguments);
    let varies = |line: &str| {
        line.starts_with("\\restrict ") || line.starts_with("\\unrestrict ") || line.starts_with("-- Dumped ")
    };
    text.lines().filter(|line| !varies(line)).map(|line| format!("{line}\n")).collect()
}

fn assert_equal(found: &str, expected: &str, what: &str) {
    if found == expected {
        return;
    }
    let lines = found.lines().zip(expected.lines()).enumerate();
    let first = lines.into_iter().find(|(_, (found, expected))| found != expected);
    panic!("{what}: the first difference (line, found, expected) is {first:?}\nfound:\n{found}\nexpected:\n{expected}");
}

/// The roles of a dump come from `pg_dumpall`; that of the cluster's owner is there already.
fn restore_roles(globals: &str, target: &str, directory: &Path) {
    let path = directory.join("globals.sql");
    let needed: String =
        globals.lines().filter(|line| *line != "CREATE ROLE postgres;").map(|line| format!("{line}\n")).collect();
    std::fs::write(&path, needed).expect("the file is written");
    run_file(target, &path);
}

/// The ways to dump a database that restore into an empty one.
const FORMS: &[&[&str]] = &[&[], &["--inserts"], &["--column-inserts", "--rows-per-insert=2"]];

#[test]
fn dumps_are_equal_and_restore_into_both_servers() {
    let (nqdb, postgres) = (NqdbServer::start(), PostgresServer::start());
    for target in [nqdb.target(), postgres.target()] {
        run_file(&target, &source("schema.sql"));
        run_file(&target, &source("rows.sql"));
    }
    let directory = nqdb.directory();
    let globals = dump("pg_dumpall", &nqdb.target(), &["--globals-only"]);
    assert_equal(&globals, &dump("pg_dumpall", &postgres.target(), &["--globals-only"]), "globals");
    for options in FORMS.iter().copied().chain([
        &["--schema-only"][..],
        &["--data-only"],
        &["--clean", "--if-exists"],
        &["--section=post-data"],
    ]) {
        let (found, expected) =
            (dump("pg_dump", &nqdb.target(), options), dump("pg_dump", &postgres.target(), options));
        assert_equal(&found, &expected, &format!("{options:?}"));
    }
    let whole = dump("pg_dump", &nqdb.target(), &[]);
    for options in FORMS {
        let (new_nqdb, new_postgres) = (NqdbServer::start(), PostgresServer::start());
        let path = directory.join("dump.sql");
        let path_text = path.to_str().expect("a UTF-8 path");
        let mut arguments = vec!["-d".to_string(), nqdb.target(), "-f".to_string(), path_text.to_string()];
        arguments.extend(options.iter().map(|option| option.to_string()));
        output_of("pg_dump", &arguments.iter().map(String::as_str).collect::<Vec<&str>>());
        for target in [new_nqdb.target(), new_postgres.target()] {
            restore_roles(&globals, &target, directory);
            run_file(&target, &path);
            assert_equal(&dump("pg_dump", &target, &[]), &whole, &format!("{options:?} restored into {target}"));
            assert_equal(&dump("pg_dumpall", &target, &["--globals-only"]), &globals, &format!("globals of {target}"));
        }
    }
}

#[test]
fn a_dump_that_cleans_up_replaces_what_is_there() {
    let (nqdb, other) = (NqdbServer::start(), NqdbServer::start());
    for target in [nqdb.target(), other.target()] {
        run_file(&target, &source("schema.sql"));
        run_file(&target, &source("rows.sql"));
    }
    let path = nqdb.directory().join("dump.sql");
    let path_text = path.to_str().expect("a UTF-8 path");
    output_of("pg_dump", &["-d", &nqdb.target(), "--clean", "--if-exists", "-f", path_text]);
    output_of(
        "psql",
        &["-X", "-q", "-d", &other.target(), "-c", "TRUNCATE orders CASCADE; INSERT INTO no_columns DEFAULT VALUES"],
    );
    run_file(&other.target(), &path);
    assert_equal(&dump("pg_dump", &other.target(), &[]), &dump("pg_dump", &nqdb.target(), &[]), "cleaned up");
}

#[test]
fn archives_of_either_server_restore_into_the_other() {
    let (nqdb, postgres) = (NqdbServer::start(), PostgresServer::start());
    for target in [nqdb.target(), postgres.target()] {
        run_file(&target, &source("schema.sql"));
        run_file(&target, &source("rows.sql"));
    }
    let globals = dump("pg_dumpall", &nqdb.target(), &["--globals-only"]);
    let (new_nqdb, new_postgres) = (NqdbServer::start(), PostgresServer::start());
    for (from, to) in [(nqdb.target(), new_postgres.target()), (postgres.target(), new_nqdb.target())] {
        let archive = nqdb.directory().join("archive");
        let archive = archive.to_str().expect("a UTF-8 path");
        restore_roles(&globals, &to, nqdb.directory());
        output_of("pg_dump", &["-d", &from, "-Fc", "-f", archive]);
        assert!(output_of("pg_restore", &["--list", archive]).contains("TABLE DATA public orders"));
        output_of("pg_restore", &["--exit-on-error", "--single-transaction", "-d", &to, archive]);
        assert_equal(&dump("pg_dump", &to, &[]), &dump("pg_dump", &from, &[]), &format!("{from} restored into {to}"));
    }
}
