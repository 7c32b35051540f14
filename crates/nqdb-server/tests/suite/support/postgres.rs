//! A private PostgreSQL 15 on a free port, for comparing answers.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A cluster in a directory of its own; stopped and removed when dropped.
pub struct Postgres {
    programs: PathBuf,
    directory: tempfile::TempDir,
    port: u16,
}

impl Postgres {
    /// Makes and starts a cluster; says clearly when PostgreSQL is missing.
    pub fn start() -> Postgres {
        let programs = PathBuf::from("/usr/lib/postgresql/15/bin");
        assert!(
            programs.join("initdb").exists(),
            "this test compares with PostgreSQL 15: install postgresql-15 ({} is missing)",
            programs.join("initdb").display()
        );
        let directory = tempfile::tempdir().unwrap();
        // A free port: nobody else takes it between here and the start, short of bad luck.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let cluster = Postgres { programs, directory, port };
        cluster.own_directory();
        let data = cluster.data();
        cluster.run("initdb", &format!("-D {data} -E UTF8 --locale=C -A trust --no-sync"));
        let options = format!("-p {port} -k {} -h 127.0.0.1 -F", cluster.directory.path().display());
        cluster.run("pg_ctl", &format!("start -w -D {data} -l {data}.log -o '{options}'"));
        cluster
    }

    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    fn data(&self) -> String {
        self.directory.path().join("data").display().to_string()
    }

    /// PostgreSQL does not run as root: the directory goes to the user `postgres` then.
    fn own_directory(&self) {
        if is_root() {
            let status = Command::new("chown").arg("postgres").arg(self.directory.path()).status().unwrap();
            assert!(status.success(), "chown postgres");
        }
    }

    fn run(&self, program: &str, arguments: &str) {
        let line = format!("{} {arguments}", self.programs.join(program).display());
        let mut command = if is_root() { Command::new("su") } else { Command::new("sh") };
        if is_root() {
            command.arg("postgres");
        }
        let output = command.arg("-c").arg(&line).current_dir(Path::new("/")).output().unwrap();
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let data = self.data();
        self.run("pg_ctl", &format!("stop -w -m immediate -D {data}"));
    }
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output().unwrap();
    output.stdout.starts_with(b"0\n")
}
