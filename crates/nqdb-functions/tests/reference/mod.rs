//! A private PostgreSQL 15 cluster: made by the test, reached through a socket in its own directory, removed at
//! the end. Run as root it belongs to the user postgres, since PostgreSQL refuses root.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub struct Reference {
    directory: PathBuf,
    binaries: PathBuf,
    as_postgres: bool,
}

impl Reference {
    /// Starts a cluster; the name keeps the directories of parallel tests apart.
    pub fn start(name: &str) -> Reference {
        let binaries = Path::new("/usr/lib/postgresql/15/bin").to_path_buf();
        assert!(binaries.join("initdb").exists(), "PostgreSQL 15 is missing: no initdb in {}", binaries.display());
        let directory = std::env::temp_dir().join(format!("nqdb-functions-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&directory).expect("a temporary directory");
        let uid = Command::new("id").arg("-u").output().expect("id");
        let as_postgres = uid.stdout.starts_with(b"0\n");
        if as_postgres {
            let owner = Command::new("chown").arg("postgres").arg(&directory).status().expect("chown");
            assert!(owner.success());
        }
        let reference = Reference { directory, binaries, as_postgres };
        reference.run(&format!(
            "{bin}/initdb -D {dir}/data -U postgres -E UTF8 --locale=C -A trust && \
             {bin}/pg_ctl -D {dir}/data -w -l {dir}/log -o \"-k {dir} -c listen_addresses='' -c fsync=off\" start",
            bin = reference.binaries.display(),
            dir = reference.directory.display(),
        ));
        reference
    }

    fn run(&self, script: &str) {
        let mut command = if self.as_postgres { Command::new("su") } else { Command::new("sh") };
        if self.as_postgres {
            command.args(["postgres", "-c", script]);
        } else {
            command.args(["-c", script]);
        }
        let output = command.current_dir("/tmp").stdin(Stdio::null()).stdout(Stdio::null()).output().expect("a shell");
        assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Runs a script; the rows of its `COPY .. TO STDOUT`, fields unescaped, NULL as `None`.
    pub fn rows(&self, script: &str) -> Vec<Vec<Option<String>>> {
        let mut child = Command::new("psql")
            .args(["-XqAt", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-h"])
            .arg(&self.directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("psql");
        let mut input = child.stdin.take().expect("a pipe");
        let script = script.to_string();
        let writer = std::thread::spawn(move || input.write_all(script.as_bytes()).expect("psql reads its script"));
        let output = child.wait_with_output().expect("psql ends");
        writer.join().expect("the script was written");
        assert!(output.status.success(), "psql failed");
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        text.lines().map(|line| line.split('\t').map(unescape).collect()).collect()
    }
}

impl Drop for Reference {
    fn drop(&mut self) {
        let (bin, dir) = (self.binaries.display(), self.directory.display());
        self.run(&format!("{bin}/pg_ctl -D {dir}/data -m immediate stop"));
        std::fs::remove_dir_all(&self.directory).expect("the directory is ours");
    }
}

fn unescape(field: &str) -> Option<String> {
    if field == "\\N" {
        return None;
    }
    let mut out = String::new();
    let mut characters = field.chars();
    while let Some(character) = characters.next() {
        out.push(match character {
            '\\' => match characters.next() {
                Some('n') => '\n',
                Some('t') => '\t',
                Some('r') => '\r',
                Some('b') => '\x08',
                Some('f') => '\x0c',
                Some('v') => '\x0b',
                Some(other) => other,
                None => '\\',
            },
            other => other,
        });
    }
    Some(out)
}
