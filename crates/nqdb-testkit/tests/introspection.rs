//! What clients find out about a database: psql's commands, and the questions of drivers and tools. Both servers hold the
//! same objects (`sql-tests/clients/schema.sql`), and the answers must be PostgreSQL's, letter by letter.
//!
//! Commands of psql whose output differs by design stand in `psql-differences.txt`, each with the reason. One that stands
//! there and does not differ fails the test, too.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use nqdb_testkit::{NqdbServer, PostgresServer};

fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sql-tests/clients").join(name)
}

fn text_of(name: &str) -> String {
    std::fs::read_to_string(source(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The lines of a file that say something.
fn lines_of(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'))
}

fn psql(target: &str, arguments: &[&str]) -> String {
    let output = Command::new("psql").args(["-X", "-d", target]).args(arguments).output().expect("psql starts");
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Both servers with the same objects and rows.
fn servers() -> (NqdbServer, PostgresServer) {
    let servers = (NqdbServer::start(), PostgresServer::start_with(&["timezone=UTC", "lc_messages=C"]));
    for target in [servers.0.target(), servers.1.target()] {
        for name in ["schema.sql", "rows.sql"] {
            let path = source(name);
            let made = psql(&target, &["-q", "-f", path.to_str().expect("a UTF-8 path")]);
            assert!(!made.contains("ERROR"), "{target}: {made}");
        }
    }
    servers
}

#[test]
fn backslash_commands_print_what_they_print_on_postgresql() {
    let (nqdb, postgres) = servers();
    let (commands, differences) = (text_of("psql-commands.txt"), text_of("psql-differences.txt"));
    let mut by_design: BTreeMap<&str, &str> = BTreeMap::new();
    for line in lines_of(&differences) {
        let (command, reason) = line.split_once('\t').unwrap_or_else(|| panic!("no reason: {line}"));
        by_design.insert(command, reason);
    }
    let mut wrong = Vec::new();
    for command in lines_of(&commands) {
        let (found, expected) = (psql(&nqdb.target(), &["-c", command]), psql(&postgres.target(), &["-c", command]));
        match (found == expected, by_design.remove(command)) {
            (true, None) | (false, Some(_)) => {}
            (true, Some(_)) => wrong.push(format!("{command}\nis the same, and listed as different")),
            (false, None) => wrong.push(format!("{command}\nexpected:\n{expected}\nfound:\n{found}")),
        }
    }
    assert!(by_design.is_empty(), "listed and not run: {by_design:?}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What `sql-tests/clients/introspect` prints for a client.
fn answers(target: &str, client: &str) -> String {
    let output = Command::new(source("introspect")).args([target, client]).output().expect("the script starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{client} on {target}\n{text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

fn compare(client: &str) {
    let (nqdb, postgres) = servers();
    let (found, expected) = (answers(&nqdb.target(), client), answers(&postgres.target(), client));
    assert!(expected.lines().count() > 50, "{client} asks less than it should:\n{expected}");
    let lines = found.lines().zip(expected.lines()).enumerate();
    let different: Vec<String> = lines
        .filter(|(_, (found, expected))| found != expected)
        .map(|(at, (found, expected))| format!("line {}\nexpected: {expected}\nfound:    {found}", at + 1))
        .take(20)
        .collect();
    assert!(found == expected, "{client}\n{}", different.join("\n"));
}

#[test]
fn psycopg_and_asyncpg_find_what_they_find_on_postgresql() {
    compare("drivers");
}

#[test]
fn node_pg_finds_what_it_finds_on_postgresql() {
    compare("node");
}

#[test]
fn sqlalchemy_finds_and_does_what_it_does_on_postgresql() {
    compare("sqlalchemy");
}

#[test]
fn django_finds_and_does_what_it_does_on_postgresql() {
    compare("django");
}

#[test]
fn jdbc_finds_and_does_what_it_does_on_postgresql() {
    compare("jdbc");
}
