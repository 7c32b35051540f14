//! `nqdb`: parses flags and calls the server crate.
//!
//! Exit codes: 0 done, 1 `check` found damage, 2 the command could not run.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use nqdb_server::{Configuration, Options, ServerError};

/// Parsing and binding make many small allocations: a query of the simple protocol took 70 µs of CPU instead of 79 with it
/// (`pgbench -S -M simple`, medians of three alternating runs); prepared ones took the same.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// NeuroQuantumDB: a database server that speaks PostgreSQL.
#[derive(Parser)]
#[command(name = "nqdb", version, args_conflicts_with_subcommands = true)]
struct CommandLine {
    #[command(subcommand)]
    command: Option<Command>,

    /// Without a command: serve.
    #[command(flatten)]
    options: Options,
}

#[derive(Subcommand)]
enum Command {
    /// Serve clients until SIGTERM or SIGINT
    Serve {
        #[command(flatten)]
        options: Box<Options>,
    },
    /// Verify a data directory that no server uses
    Check {
        /// Where the data is
        #[arg(long, env = "NQDB_DATA_DIR", value_name = "DIR", default_value = "./nqdb-data")]
        data_dir: PathBuf,
    },
}

/// Memory that `check` may use for pages, bytes.
const CHECK_MEMORY_BYTES: u64 = 512 << 20;

fn main() -> ExitCode {
    let line = CommandLine::parse();
    let result = match line.command {
        None => serve(line.options),
        Some(Command::Serve { options }) => serve(*options),
        Some(Command::Check { data_dir }) => check(&data_dir),
    };
    result.unwrap_or_else(|error| {
        eprintln!("nqdb: {error}");
        ExitCode::from(2)
    })
}

fn serve(options: Options) -> Result<ExitCode, ServerError> {
    let configuration = Configuration::resolve(options)?;
    nqdb_server::serve(&configuration)?;
    Ok(ExitCode::SUCCESS)
}

fn check(data_dir: &std::path::Path) -> Result<ExitCode, ServerError> {
    let damage = nqdb_server::check(data_dir, CHECK_MEMORY_BYTES)?;
    for line in &damage {
        println!("{line}");
    }
    println!("{}: {}", data_dir.display(), if damage.is_empty() { "no damage found" } else { "damaged" });
    Ok(if damage.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}
