//! Two-phase commit through kills of the server, a clean stop, a backup, and beside other databases.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::{Command, Output};

use nqdb_testkit::NqdbServer;

const OPTIONS: [&str; 2] = ["--max-prepared-transactions", "5"];

fn run(server: &NqdbServer, database: &str, sql: &str) -> Output {
    let port = server.postgres_port().to_string();
    Command::new("psql")
        .args([
            "-X",
            "-At",
            "-v",
            "VERBOSITY=verbose",
            "-h",
            "127.0.0.1",
            "-p",
            &port,
            "-U",
            "postgres",
            "-d",
            database,
        ])
        .args(["-c", sql])
        .output()
        .expect("psql runs")
}

fn psql(server: &NqdbServer, sql: &str) -> String {
    let output = run(server, "postgres", sql);
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
    text
}

/// Code and message of a refusal.
fn refusal(server: &NqdbServer, database: &str, sql: &str) -> String {
    let output = run(server, database, sql);
    assert!(!output.status.success(), "{sql} is not refused");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    text.lines().next().unwrap_or_default().trim_start_matches("ERROR:  ").to_owned()
}

/// How the server goes down.
#[derive(Clone, Copy, Debug)]
enum Down {
    Killed,
    Stopped,
}

fn restart(server: &mut NqdbServer, how: Down) {
    match how {
        Down::Killed => server.kill(),
        Down::Stopped => assert!(server.stop().is_some_and(|status| status.success())),
    }
    let check = server.check();
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stdout));
    server.launch().unwrap();
}

fn fill(server: &NqdbServer) {
    psql(server, "create table account (id int primary key, owner text, balance int, unique (owner))");
    psql(server, "create table entry (account int references account, amount int, note text)");
    psql(server, "insert into account select n, 'owner ' || n, 100 from generate_series(1, 50) as n");
    psql(
        server,
        "begin; \
         update account set balance = balance - 20 where id = 1; \
         update account set balance = balance + 20 where id = 2; \
         update account set owner = 'renamed' where id = 3; \
         delete from account where id = 4; \
         insert into account values (99, 'new', 0); \
         insert into entry values (1, -20, repeat('long ', 5000)), (2, 20, null); \
         select * from account where id = 5 for update; \
         lock table entry in share row exclusive mode; \
         prepare transaction 'transfer'",
    );
}

const SUMS: &str = "select count(*), sum(balance), sum(balance) filter (where id <= 2), \
                    max(owner) filter (where id = 3), (select count(*) from entry) from account";
const BEFORE: &str = "50|5000|200|owner 3|0";
const AFTER: &str = "50|4900|200|renamed|2";

#[test]
fn a_prepared_transaction_survives_the_server() {
    for how in [Down::Killed, Down::Stopped] {
        let mut server = NqdbServer::start_with(&OPTIONS);
        fill(&server);
        for _ in 0..2 {
            restart(&mut server, how);
            assert_eq!(psql(&server, SUMS), BEFORE, "{how:?}");
            let shown = "select gid, owner, database, prepared <= now() from pg_prepared_xacts";
            assert_eq!(psql(&server, shown), "transfer|postgres|postgres|t");
            for statement in [
                "update account set balance = 0 where id = 1",
                "update account set balance = 0 where id = 5",
                "insert into account values (98, 'new', 0)",
                "insert into account values (99, 'other', 0)",
                "delete from account where id = 2",
                "insert into entry values (6, 1)",
            ] {
                let waits = format!("set lock_timeout = 100; {statement}");
                let refused = refusal(&server, "postgres", &waits);
                assert_eq!(refused, "55P03: canceling statement due to lock timeout", "{statement}");
            }
            psql(&server, "update account set balance = balance where id = 6");
            let locks = "select relation::regclass, mode, granted, virtualtransaction like '-1/%' from pg_locks \
                         where pid is null and relation = 'entry'::regclass and mode = 'ShareRowExclusiveLock'";
            assert_eq!(psql(&server, locks), "entry|ShareRowExclusiveLock|t|t");
        }
        psql(&server, "commit prepared 'transfer'");
        assert_eq!(psql(&server, SUMS), AFTER);
        restart(&mut server, how);
        assert_eq!(psql(&server, SUMS), AFTER);
        assert_eq!(psql(&server, "select count(*) from pg_prepared_xacts"), "0");
    }
}

#[test]
fn a_rollback_of_it_is_kept_too() {
    for how in [Down::Killed, Down::Stopped] {
        let mut server = NqdbServer::start_with(&OPTIONS);
        fill(&server);
        restart(&mut server, how);
        psql(&server, "rollback prepared 'transfer'");
        restart(&mut server, how);
        assert_eq!(psql(&server, SUMS), BEFORE);
        assert_eq!(psql(&server, "select count(*) from pg_prepared_xacts"), "0");
        psql(&server, "delete from account where id = 5; insert into account values (99, 'new', 0)");
    }
}

#[test]
fn a_backup_has_what_is_prepared() {
    let server = NqdbServer::start_with(&OPTIONS);
    fill(&server);
    let folder = tempfile::tempdir().unwrap();
    let (backup, restored) = (folder.path().join("backup"), folder.path().join("restored"));
    let nqdb = |arguments: &[&str]| {
        let output = Command::new(NqdbServer::program()).args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    let (data, to, target) =
        (server.data_dir().to_str().unwrap(), backup.to_str().unwrap(), restored.to_str().unwrap());
    nqdb(&["backup", "--data-dir", data, "--to", to]);
    nqdb(&["restore", "--data-dir", target, "--from", to]);
    let copy = NqdbServer::start_at(&restored, &OPTIONS);
    assert_eq!(psql(&copy, SUMS), BEFORE);
    assert_eq!(psql(&copy, "select gid from pg_prepared_xacts"), "transfer");
    psql(&copy, "commit prepared 'transfer'");
    assert_eq!(psql(&copy, SUMS), AFTER);
    assert_eq!(psql(&server, SUMS), BEFORE, "the original knows nothing of that");
}

#[test]
fn who_follows_a_table_is_told_that_older_changes_are_lost() {
    let mut server = NqdbServer::start_with(&OPTIONS);
    psql(&server, "create table followed (id int primary key); select nqdb_publish_table('followed')");
    psql(&server, "begin; insert into followed values (1); prepare transaction 'older'");
    restart(&mut server, Down::Killed);
    let port = server.postgres_port().to_string();
    let output = Command::new("psql")
        .args(["-X", "-At", "-h", "127.0.0.1", "-p", &port, "-U", "postgres", "-d", "postgres"])
        .args(["-c", "listen \"table:followed\"", "-c", "commit prepared 'older'", "-c", "select id from followed"])
        .output()
        .expect("psql runs");
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(told.contains(r#"{"op":"resync","table":"followed","csn":"#), "{told}");
    assert!(!told.contains("insert"), "{told}");
}

#[test]
fn databases_and_their_prepared_transactions() {
    let server = NqdbServer::start_with(&OPTIONS);
    psql(&server, "create database other");
    assert!(run(&server, "other", "begin; prepare transaction 'there'").status.success());
    assert_eq!(
        refusal(&server, "postgres", "commit prepared 'there'"),
        "0A000: prepared transaction belongs to another database"
    );
    let output = run(&server, "postgres", "drop database other");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("55006: database \"other\" is being accessed by other users"), "{text}");
    assert!(text.contains("There is 1 prepared transaction using the database."), "{text}");
    assert_eq!(
        refusal(&server, "postgres", "drop database other with (force)"),
        "55006: database \"other\" is being used by prepared transactions"
    );
    assert!(run(&server, "other", "rollback prepared 'there'").status.success());
    psql(&server, "drop database other");
}

#[test]
fn nothing_is_prepared_where_that_is_not_allowed() {
    let server = NqdbServer::start();
    assert_eq!(
        refusal(&server, "postgres", "begin; prepare transaction 'a'"),
        "55000: prepared transactions are disabled"
    );
    assert_eq!(psql(&server, "show max_prepared_transactions"), "0");
    let server = NqdbServer::start_with(&OPTIONS);
    assert_eq!(
        refusal(&server, "postgres", "begin; create table made (i int); prepare transaction 'a'"),
        "0A000: PREPARE TRANSACTION of a transaction that has changed definitions is not supported"
    );
    assert_eq!(refusal(&server, "postgres", "select * from made"), "42P01: relation \"made\" does not exist");
}
