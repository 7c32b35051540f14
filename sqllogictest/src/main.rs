//! Runs the files of `sql-tests/slt` against nqdb or against PostgreSQL 15.
//!
//! ```text
//! sqllogictest-runner --engine nqdb|postgresql [--executor analytical|row] [--update] [FILE ...]
//! ```
//!
//! With `--executor` every session of nqdb begins with that setting of `nqdb.executor`: whatever executor takes a query, the
//! files' answers are to be the same.
//!
//! Without `--target` the server is started here, with a new data directory and room for three prepared transactions, and
//! stopped at the end. Each file runs in a database state of its own: the schema `public` is dropped and made again before
//! it. A file's statements and rows are counted, so that the closing line says what was really run.

mod connection;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use connection::Connection;
use nqdb_testkit::{NqdbServer, PostgresServer};
use sqllogictest::{Record, Runner, default_column_validator, default_normalizer, default_validator};

#[derive(Parser)]
struct Arguments {
    #[arg(long, value_enum)]
    engine: Engine,
    /// A running server, as a libpq-style string.
    #[arg(long)]
    target: Option<String>,
    /// What `nqdb.executor` is in every session.
    #[arg(long, value_enum)]
    executor: Option<Executor>,
    /// Writes what the server answers into the files instead of comparing (PostgreSQL is the reference).
    #[arg(long)]
    update: bool,
    /// Files to run; all of sql-tests/slt when none is given.
    files: Vec<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum, PartialEq)]
enum Executor {
    Analytical,
    Row,
}

impl Executor {
    /// What a connection string says so that the session begins, and is reset, to it.
    fn option(self) -> &'static str {
        match self {
            Executor::Analytical => " options='-c nqdb.executor=analytical'",
            Executor::Row => " options='-c nqdb.executor=row'",
        }
    }
}

#[derive(Clone, Copy, ValueEnum, PartialEq)]
enum Engine {
    Nqdb,
    Postgresql,
}

impl Engine {
    fn name(self) -> &'static str {
        match self {
            Engine::Nqdb => "nqdb",
            Engine::Postgresql => "postgresql",
        }
    }
}

/// The server that was started here; dropping it stops it.
enum Started {
    Nqdb(NqdbServer),
    Postgres(PostgresServer),
}

impl Started {
    fn start(engine: Engine) -> Started {
        match engine {
            Engine::Nqdb => Started::Nqdb(NqdbServer::start_with(&["--max-prepared-transactions", "3"])),
            Engine::Postgresql => Started::Postgres(PostgresServer::start_with(&["max_prepared_transactions=3"])),
        }
    }

    fn target(&self) -> String {
        match self {
            Started::Nqdb(server) => server.target(),
            Started::Postgres(server) => server.target(),
        }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let files = if arguments.files.is_empty() { all_files() } else { arguments.files };
    let started = arguments.target.is_none().then(|| Started::start(arguments.engine));
    let mut target = match (&arguments.target, &started) {
        (Some(target), _) => target.clone(),
        (None, Some(server)) => server.target(),
        (None, None) => unreachable!("a server was started when no target was given"),
    };
    if let Some(executor) = arguments.executor {
        if arguments.engine != Engine::Nqdb {
            eprintln!("--executor is a setting of nqdb");
            return ExitCode::FAILURE;
        }
        target.push_str(executor.option());
    }
    let mut statements = 0;
    let mut failed = 0;
    for file in &files {
        match run_file(file, &target, arguments.engine, arguments.update).await {
            Ok(count) => {
                statements += count;
                println!("ok     {} ({count} statements)", file.display());
            }
            Err(error) => {
                failed += 1;
                println!("FAILED {}\n{error}", file.display());
            }
        }
    }
    println!(
        "{statements} statements on {}: {} files passed, {failed} failed",
        arguments.engine.name(),
        files.len() - failed
    );
    if failed == 0 && statements > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs one file in a fresh schema; returns how many statements and queries it has for this engine.
async fn run_file(file: &Path, target: &str, engine: Engine, update: bool) -> Result<usize, String> {
    remove_server_files().map_err(|error| format!("files of COPY: {error}"))?;
    reset(target, engine).await.map_err(|error| format!("reset: {error:?}"))?;
    let name = engine.name();
    let target = target.to_owned();
    let mut runner = Runner::new(move || {
        let target = target.clone();
        async move { Connection::open(&target, name).await }
    });
    runner.add_label(name);
    let records = sqllogictest::parse_file(file).map_err(|error| error.to_string())?;
    let count =
        records.iter().filter(|record| matches!(record, Record::Statement { .. } | Record::Query { .. })).count();
    if update {
        runner
            .update_test_file(file, "\t", default_validator, default_normalizer, default_column_validator)
            .await
            .map_err(|error| error.to_string())?;
    } else {
        runner.run_multi_async(records).await.map_err(|error| error.display(false).to_string())?;
    }
    runner.shutdown_async().await;
    Ok(count)
}

/// What COPY TO wrote on the server's side: another server, run by another user, is to write there again.
fn remove_server_files() -> std::io::Result<()> {
    /// The names of such files begin like this, in `/tmp`.
    const PREFIX: &str = "nqdb_slt_";
    for entry in std::fs::read_dir("/tmp")? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(PREFIX) {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

async fn reset(target: &str, engine: Engine) -> Result<(), Box<dyn std::error::Error>> {
    use sqllogictest::AsyncDB;
    let mut connection = Connection::open(target, engine.name()).await?;
    connection.run("DROP SCHEMA IF EXISTS public CASCADE").await?;
    connection.run("CREATE SCHEMA public").await?;
    Ok(())
}

fn all_files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sql-tests/slt");
    let mut files: Vec<PathBuf> = walk(&folder);
    files.sort();
    files
}

fn walk(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries
        .map(|entry| entry.expect("a readable folder").path())
        .flat_map(|path| {
            if path.is_dir() {
                walk(&path)
            } else if path.extension().is_some_and(|extension| extension == "slt") {
                vec![path]
            } else {
                Vec::new()
            }
        })
        .collect()
}
