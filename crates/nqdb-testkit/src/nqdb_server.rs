//! The `nqdb` program as its users run it: a child process, found beside the test's own executable.

use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

const STOP_TIMEOUT: Duration = Duration::from_secs(60);

/// A running server. Its directory outlives restarts and goes with the handle.
pub struct NqdbServer {
    child: Option<Child>,
    directory: TempDir,
    data_dir: PathBuf,
    arguments: Vec<OsString>,
    postgres_port: u16,
    http_port: u16,
}

impl NqdbServer {
    /// Starts a server with a new data directory and default settings.
    pub fn start() -> NqdbServer {
        NqdbServer::start_with(&[])
    }

    /// Starts a server with further command-line arguments.
    pub fn start_with(arguments: &[&str]) -> NqdbServer {
        let directory = tempfile::Builder::new().prefix("nqdb-test").tempdir().expect("a temporary directory");
        let data_dir = directory.path().join("data");
        NqdbServer::start_in(directory, data_dir, arguments)
    }

    /// Starts a server whose data lives in `data_dir` (a small file system, say), kept when the handle goes.
    pub fn start_at(data_dir: &Path, arguments: &[&str]) -> NqdbServer {
        let directory = tempfile::Builder::new().prefix("nqdb-test").tempdir().expect("a temporary directory");
        NqdbServer::start_in(directory, data_dir.to_owned(), arguments)
    }

    fn start_in(directory: TempDir, data_dir: PathBuf, arguments: &[&str]) -> NqdbServer {
        let mut server = NqdbServer {
            child: None,
            directory,
            data_dir,
            arguments: arguments.iter().map(OsString::from).collect(),
            postgres_port: 0,
            http_port: 0,
        };
        server.launch().unwrap_or_else(|message| panic!("{message}"));
        server
    }

    /// The program's path: `NQDB_BIN`, or beside the test executable.
    pub fn program() -> PathBuf {
        if let Some(path) = std::env::var_os("NQDB_BIN") {
            return path.into();
        }
        let executable = std::env::current_exe().expect("the test has an executable");
        let found =
            executable.ancestors().skip(1).take(2).map(|folder| folder.join("nqdb")).find(|path| path.is_file());
        found.expect("the program `nqdb` stands beside the tests: run `cargo build -p nqdb` first, or set NQDB_BIN")
    }

    /// Starts the process and waits for its ready line; the standard error goes to a file in the directory.
    pub fn launch(&mut self) -> Result<(), String> {
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log_path())
            .map_err(|error| format!("{}: {error}", self.log_path().display()))?;
        let mut child = Command::new(NqdbServer::program())
            .arg("--data-dir")
            .arg(&self.data_dir)
            .args(["--listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0"])
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .map_err(|error| format!("{}: {error}", NqdbServer::program().display()))?;
        let stdout = child.stdout.take().expect("standard output is piped");
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).map_err(|error| error.to_string())?;
        match ready_ports(&line) {
            Some((postgres_port, http_port)) => {
                self.postgres_port = postgres_port;
                self.http_port = http_port;
                self.child = Some(child);
                Ok(())
            }
            None => {
                let status = child.wait().map_err(|error| error.to_string())?;
                Err(format!("no ready line but {line:?}, {status}; log:\n{}", self.log()))
            }
        }
    }

    pub fn postgres_port(&self) -> u16 {
        self.postgres_port
    }

    pub fn http_port(&self) -> u16 {
        self.http_port
    }

    /// A libpq-style connection string for the role and database `postgres`.
    pub fn target(&self) -> String {
        format!("host=127.0.0.1 port={} user=postgres dbname=postgres", self.postgres_port)
    }

    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    pub fn process_id(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// A scratch folder beside the data.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    fn log_path(&self) -> PathBuf {
        self.directory.path().join("nqdb.log")
    }

    /// What the server wrote to its standard error so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    /// SIGKILL, as a power cut for the process.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("the process can be killed");
            child.wait().expect("the process can be waited for");
        }
    }

    /// SIGTERM; returns how the process ended.
    pub fn stop(&mut self) -> Option<ExitStatus> {
        let mut child = self.child.take()?;
        let sent = Command::new("kill").arg("-TERM").arg(child.id().to_string()).status().expect("`kill` runs");
        assert!(sent.success(), "SIGTERM could not be sent");
        let deadline = Instant::now() + STOP_TIMEOUT;
        loop {
            match child.try_wait().expect("the process can be waited for") {
                Some(status) => return Some(status),
                None if Instant::now() > deadline => {
                    child.kill().expect("the process can be killed");
                    panic!("the server did not stop within {STOP_TIMEOUT:?}; log:\n{}", self.log());
                }
                None => std::thread::sleep(Duration::from_millis(10)),
            }
        }
    }

    /// Runs `nqdb check` on the data directory of a stopped server.
    pub fn check(&self) -> std::process::Output {
        Command::new(NqdbServer::program())
            .arg("check")
            .arg("--data-dir")
            .arg(&self.data_dir)
            .output()
            .expect("the program runs")
    }
}

impl Drop for NqdbServer {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // The process may have ended by itself; nothing is left to do then.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Reads `nqdb ready: postgres on HOST:PORT, http on HOST:PORT`.
fn ready_ports(line: &str) -> Option<(u16, u16)> {
    let (postgres, http) = line.trim().strip_prefix("nqdb ready: postgres on ")?.split_once(", http ")?;
    let port = |address: &str| address.rsplit_once(':')?.1.parse().ok();
    let http_port = match http.strip_prefix("on ") {
        Some(address) => port(address)?,
        None => 0,
    };
    Some((port(postgres)?, http_port))
}

#[cfg(test)]
mod tests {
    use super::ready_ports;

    #[test]
    fn reads_the_ready_line() {
        let line = "nqdb ready: postgres on 127.0.0.1:5432, http on 127.0.0.1:8080\n";
        assert_eq!(ready_ports(line), Some((5432, 8080)));
        assert_eq!(ready_ports("nqdb ready: postgres on [::1]:5432, http off"), Some((5432, 0)));
        assert_eq!(ready_ports("error: address in use"), None);
    }
}
