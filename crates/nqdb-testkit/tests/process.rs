//! The program as a process: what it does with the descriptors and streams that it is given.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

use nqdb_testkit::NqdbServer;

/// The program under a shell's limits, with its data in a new directory.
fn command(directory: &tempfile::TempDir, limits: &str) -> Command {
    let mut command = Command::new("sh");
    command
        .arg("-c")
        .arg(format!("{limits} exec \"$0\" \"$@\""))
        .arg(NqdbServer::program())
        .args(["--listen", "127.0.0.1:0", "--http-listen", "off", "--log-level", "debug", "--data-dir"])
        .arg(directory.path().join("data"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn port(child: &mut Child) -> String {
    let mut line = String::new();
    let output = child.stdout.take().expect("the output is a pipe");
    BufReader::new(output).read_line(&mut line).expect("the server says that it is ready");
    let address = line.strip_prefix("nqdb ready: postgres on 127.0.0.1:").unwrap_or_else(|| panic!("{line:?}"));
    address.split(',').next().expect("an address").to_owned()
}

fn psql(port: &str, user: &str, sql: &str) -> (bool, String) {
    let output = Command::new("psql")
        .args(["-X", "-At", "-h", "127.0.0.1", "-p", port, "-U", user, "-d", "postgres", "-c", sql])
        .output()
        .expect("psql runs");
    (output.status.success(), String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[test]
fn a_server_whose_log_nobody_reads_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let mut child = command(&directory, "").spawn().unwrap();
    drop(child.stderr.take());
    let port = port(&mut child);
    assert!(!psql(&port, "nobody", "select 1").0, "a refused login is logged");
    assert!(!psql(&port, "postgres", "select 1/0").0, "an error is logged");
    assert_eq!(
        psql(&port, "postgres", "create table t as select 1 as n; select n from t"),
        (true, "SELECT 1\n1".into())
    );
    assert!(Command::new("kill").arg("-TERM").arg(child.id().to_string()).status().unwrap().success());
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_limit_of_open_files_that_clients_could_use_up_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let mut child = command(&directory, "ulimit -n 100;").spawn().unwrap();
    assert!(!child.wait().unwrap().success());
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(said.contains("the process may have 100 open files (ulimit -n)"), "{said}");

    // A soft limit that may be raised is.
    let mut child = command(&directory, "ulimit -Sn 100;").spawn().unwrap();
    let port = port(&mut child);
    let clients: Vec<_> =
        (0..110).map(|_| std::net::TcpStream::connect(format!("127.0.0.1:{port}")).unwrap()).collect();
    assert_eq!(
        psql(&port, "postgres", "create table t as select 1 as n; select n from t"),
        (true, "SELECT 1\n1".into())
    );
    drop(clients);
    assert!(Command::new("kill").arg("-TERM").arg(child.id().to_string()).status().unwrap().success());
    assert!(child.wait().unwrap().success());
}
