//! Backup and restore as an administrator does them: commands of the program against a server under load.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use nqdb_testkit::NqdbServer;

/// The accounts, tellers and branches of pgbench agree, and with its history.
const SUMS: &str = "SELECT (SELECT sum(abalance) FROM pgbench_accounts) = (SELECT sum(delta) FROM pgbench_history), \
                    (SELECT sum(tbalance) FROM pgbench_tellers) = (SELECT sum(delta) FROM pgbench_history), \
                    (SELECT sum(bbalance) FROM pgbench_branches) = (SELECT sum(delta) FROM pgbench_history), \
                    (SELECT count(*) FROM pgbench_accounts)";

fn psql(server: &NqdbServer, sql: &str) -> String {
    let port = server.postgres_port().to_string();
    let output = Command::new("psql")
        .args([
            "-X",
            "-At",
            "-v",
            "ON_ERROR_STOP=1",
            "-h",
            "127.0.0.1",
            "-p",
            &port,
            "-U",
            "postgres",
            "-d",
            "postgres",
        ])
        .args(["-c", sql])
        .output()
        .expect("psql runs");
    assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn pgbench(server: &NqdbServer, arguments: &[&str]) -> Child {
    Command::new("pgbench")
        .args(["-h", "127.0.0.1", "-p", &server.postgres_port().to_string(), "-U", "postgres"])
        .args(arguments)
        .arg("postgres")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("pgbench runs")
}

fn nqdb(arguments: &[&dyn AsRef<std::ffi::OsStr>]) -> Output {
    let mut command = Command::new(NqdbServer::program());
    for argument in arguments {
        command.arg(argument.as_ref());
    }
    command.output().expect("the program runs")
}

fn succeed(output: &Output) -> String {
    let (told, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{told}{error}");
    told.trim().to_owned()
}

fn fails_with(output: &Output, what: &str) {
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && error.contains(what), "{error}");
}

fn check(data_dir: &Path) {
    assert!(succeed(&nqdb(&[&"check", &"--data-dir", &data_dir])).ends_with("no damage found"));
}

#[test]
fn a_backup_under_load_is_a_consistent_state_and_so_are_incremental_ones() {
    let server = NqdbServer::start();
    assert!(pgbench(&server, &["-i", "-s", "1", "-q"]).wait().unwrap().success());
    let mut load = pgbench(&server, &["-c", "4", "-T", "120", "-n"]);
    let folder = server.directory().join("backups");
    let (full, changed) = (folder.join("full"), folder.join("changed"));
    let told = succeed(&nqdb(&[&"backup", &"--data-dir", &server.data_dir(), &"--to", &full]));
    assert!(told.starts_with("full backup "), "{told}");
    let before: u64 = psql(&server, "SELECT count(*) FROM pgbench_history").parse().unwrap();
    let order: [&dyn AsRef<std::ffi::OsStr>; 7] =
        [&"backup", &"--data-dir", &server.data_dir(), &"--to", &changed, &"--incremental-from", &full];
    let told = succeed(&nqdb(&order));
    assert!(told.starts_with("incremental backup "), "{told}");
    fails_with(&nqdb(&order), "the directory is not empty");
    load.kill().unwrap();
    load.wait().unwrap();
    let after: u64 = psql(&server, "SELECT count(*) FROM pgbench_history").parse().unwrap();

    for (backup, name) in [(&full, "one"), (&changed, "two")] {
        assert!(succeed(&nqdb(&[&"check", &"--backup", backup])).ends_with("no damage found"));
        let data_dir = server.directory().join(name);
        succeed(&nqdb(&[&"restore", &"--from", backup, &"--data-dir", &data_dir]));
        fails_with(&nqdb(&[&"restore", &"--from", backup, &"--data-dir", &data_dir]), "the directory is not empty");
        check(&data_dir);
        let mut restored = NqdbServer::start_at(&data_dir, &[]);
        assert_eq!(psql(&restored, SUMS), "t|t|t|100000");
        let count: u64 = psql(&restored, "SELECT count(*) FROM pgbench_history").parse().unwrap();
        assert!(if name == "one" { count <= before } else { (before..=after).contains(&count) }, "{count}");
        assert!(pgbench(&restored, &["-c", "2", "-t", "20", "-n"]).wait().unwrap().success());
        assert!(restored.stop().unwrap().success());
        check(&data_dir);
    }
}

#[test]
fn a_database_is_restored_to_the_moment_between_two_transactions() {
    let scratch = tempfile::tempdir().unwrap();
    let archive = scratch.path().join("archive");
    let mut server = NqdbServer::start_with(&["--log-archive", archive.to_str().unwrap()]);
    psql(&server, "CREATE TABLE t (id int PRIMARY KEY, v text)");
    psql(&server, "INSERT INTO t VALUES (1, 'before the backup')");
    let backup = scratch.path().join("backup");
    succeed(&nqdb(&[&"backup", &"--data-dir", &server.data_dir(), &"--to", &backup]));
    psql(&server, "INSERT INTO t VALUES (2, 'wanted')");
    let moment = psql(&server, "SELECT now()");
    let position = psql(&server, "SELECT pg_current_wal_lsn()");
    std::thread::sleep(Duration::from_millis(20));
    psql(&server, "DROP TABLE t");
    psql(&server, "CREATE TABLE u AS SELECT 3 AS id");

    // What is not archived yet is read from the folder of the server that was killed.
    server.kill();
    let wal = server.data_dir().join("wal");
    let restore = |target: &[&str], name: &str| {
        let data_dir = scratch.path().join(name);
        let mut arguments: Vec<&dyn AsRef<std::ffi::OsStr>> =
            vec![&"restore", &"--from", &backup, &"--archive", &archive, &"--archive", &wal, &"--data-dir", &data_dir];
        arguments.extend(target.iter().map(|argument| argument as &dyn AsRef<std::ffi::OsStr>));
        (nqdb(&arguments), data_dir.clone())
    };
    for (target, name) in [(["--to-time", &moment], "time"), (["--to-lsn", &position], "lsn")] {
        let (output, data_dir) = restore(&target, name);
        succeed(&output);
        check(&data_dir);
        let restored = NqdbServer::start_at(&data_dir, &["--log-archive", archive.to_str().unwrap()]);
        assert_eq!(psql(&restored, "SELECT string_agg(v, ', ' ORDER BY id) FROM t"), "before the backup, wanted");
        assert_eq!(psql(&restored, "SELECT to_regclass('u') IS NULL"), "t");
        // The history that branches off here has an archive of its own.
        let histories = || std::fs::read_dir(&archive).unwrap().count();
        let before = histories();
        psql(&restored, "CREATE TABLE branch AS SELECT 1 AS id");
        psql(&restored, "SELECT pg_switch_wal()");
        let deadline = Instant::now() + Duration::from_secs(30);
        while histories() == before {
            assert!(Instant::now() < deadline, "nothing is archived: {}", restored.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    let (output, data_dir) = restore(&["--to-latest"], "latest");
    succeed(&output);
    let restored = NqdbServer::start_at(&data_dir, &[]);
    assert_eq!(psql(&restored, "SELECT id FROM u"), "3");
    assert_eq!(psql(&restored, "SELECT to_regclass('t') IS NULL"), "t");

    fails_with(&restore(&["--to-time", "2001-01-01"], "early").0, "an older backup is needed");
    fails_with(&restore(&["--to-time", "2999-01-01"], "late").0, "before what is to be restored");
    fails_with(&nqdb(&[&"backup", &"--data-dir", &server.data_dir(), &"--to", &"x"]), "no server answers");
}

#[test]
fn a_backup_whose_client_goes_away_is_none() {
    let server = NqdbServer::start();
    assert!(pgbench(&server, &["-i", "-s", "1", "-q"]).wait().unwrap().success());
    let target = server.directory().join("cut");
    let mut client = Command::new(NqdbServer::program())
        .args(["backup", "--max-rate", "1MB", "--data-dir"])
        .arg(server.data_dir())
        .arg("--to")
        .arg(&target)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    while !target.join("base.nqdb").exists() {
        assert!(Instant::now() < deadline, "no backup begins");
        std::thread::sleep(Duration::from_millis(20));
    }
    fails_with(
        &nqdb(&[&"backup", &"--data-dir", &server.data_dir(), &"--to", &server.directory().join("second")]),
        "another backup is being taken",
    );
    client.kill().unwrap();
    client.wait().unwrap();
    while !server.log().contains("a backup was not completed") {
        assert!(Instant::now() < deadline, "the backup goes on");
        std::thread::sleep(Duration::from_millis(20));
    }
    fails_with(&nqdb(&[&"check", &"--backup", &target]), "no whole backup");
    let restored = server.directory().join("restored");
    fails_with(&nqdb(&[&"restore", &"--from", &target, &"--data-dir", &restored]), "no whole backup");
    assert!(!restored.exists());
    // The next one is taken.
    let third = server.directory().join("third");
    succeed(&nqdb(&[&"backup", &"--data-dir", &server.data_dir(), &"--to", &third]));
}
