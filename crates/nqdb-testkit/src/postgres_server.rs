//! PostgreSQL 15 as the reference: a private cluster (UTF8, C collation) that nobody else uses.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::free_port;

/// A running cluster; dropping it stops it.
pub struct PostgresServer {
    directory: TempDir,
    port: u16,
}

impl PostgresServer {
    /// Makes and starts a cluster that trusts loopback.
    pub fn start() -> PostgresServer {
        PostgresServer::start_with(&[])
    }

    /// As [`PostgresServer::start`], with settings such as `fsync=off`.
    pub fn start_with(settings: &[&str]) -> PostgresServer {
        let directory =
            tempfile::Builder::new().prefix("nqdb-postgres").tempdir_in("/tmp").expect("a temporary directory");
        let server = PostgresServer { directory, port: free_port() };
        if is_root() {
            expect_success(Command::new("chown").arg("postgres").arg(server.directory.path()).output(), "chown");
        }
        let data = server.data_dir();
        let data = data.to_str().expect("a temporary path is UTF-8");
        server.run("initdb", &["-D", data, "-E", "UTF8", "--locale=C", "-A", "trust", "-U", "postgres", "--no-sync"]);
        let mut options =
            format!("-p {} -k {} -c listen_addresses=127.0.0.1", server.port, server.directory.path().display());
        for setting in settings {
            options.push_str(&format!(" -c {setting}"));
        }
        let log = format!("{}/log", server.directory.path().display());
        server.run("pg_ctl", &["-D", data, "-w", "-t", "60", "-l", &log, "-o", &options, "start"]);
        server
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// A libpq-style connection string.
    pub fn target(&self) -> String {
        format!("host=127.0.0.1 port={} user=postgres dbname=postgres", self.port)
    }

    pub fn data_dir(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// Runs one of PostgreSQL's programs as the user who may own a cluster.
    fn run(&self, program: &str, arguments: &[&str]) {
        expect_success(self.command(program, arguments).output(), program);
    }

    fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let path = binary_dir().join(program);
        let mut command = if is_root() {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=postgres", "--regid=postgres", "--init-groups"]).arg(path);
            command
        } else {
            Command::new(path)
        };
        command.args(arguments).current_dir(self.directory.path());
        command
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        let data = self.data_dir();
        if let Some(data) = data.to_str() {
            // A cluster that is down already needs no stop.
            let _ = self.command("pg_ctl", &["-D", data, "-m", "immediate", "-w", "stop"]).output();
        }
    }
}

/// Where Debian puts the programs of version 15.
pub(crate) fn binary_dir() -> &'static Path {
    let path = Path::new("/usr/lib/postgresql/15/bin");
    assert!(path.join("initdb").is_file(), "PostgreSQL 15 is missing: apt-get install postgresql postgresql-contrib");
    path
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output().expect("`id` runs");
    output.stdout.trim_ascii() == b"0"
}

fn expect_success(result: std::io::Result<Output>, what: &str) {
    let output = result.unwrap_or_else(|error| panic!("{what}: {error}"));
    assert!(
        output.status.success(),
        "{what}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
