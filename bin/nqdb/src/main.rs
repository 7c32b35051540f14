//! `nqdb`: parses flags and calls the server crate.
//!
//! Exit codes: 0 done, 1 `check` found damage, 2 the command could not run.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use nqdb_server::{Configuration, Options, ServerError};

/// Parsing and binding make many small allocations: a query of the simple protocol took 70 µs of CPU instead of 79 with it
/// (`pgbench -S -M simple`, medians of three alternating runs); prepared ones took the same.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// NeuroQuantumDB: a database server that speaks PostgreSQL.
#[derive(Parser)]
#[command(name = "nqdb", version)]
struct CommandLine {
    #[command(subcommand)]
    command: Option<Command>,

    /// Before or behind the command.
    #[command(flatten)]
    options: Options,
}

#[derive(Clone, Copy, Subcommand)]
enum Command {
    /// Serve clients until SIGTERM or SIGINT; also what is done without a command
    Serve,
    /// Verify a data directory that no server uses; takes --data-dir and --config
    Check,
}

/// Memory that `check` may use for pages, bytes.
const CHECK_MEMORY_BYTES: u64 = 512 << 20;
/// The flags that `check` obeys.
const CHECK_FLAGS: [&str; 2] = ["data_dir", "config"];

fn main() -> ExitCode {
    let result = parse(std::env::args_os()).unwrap_or_else(|error| error.exit());
    let result = match result.command {
        None | Some(Command::Serve) => serve(result.options),
        Some(Command::Check) => check(result.options),
    };
    result.unwrap_or_else(|error| {
        eprintln!("nqdb: {error}");
        ExitCode::from(2)
    })
}

/// Reads the command line; a flag that the command would ignore is refused.
fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<CommandLine, clap::Error> {
    let matches = CommandLine::command().try_get_matches_from(arguments)?;
    let line = CommandLine::from_arg_matches(&matches)?;
    if matches!(line.command, Some(Command::Check)) {
        // Variables may be set for the server; only what was typed is meant for this command.
        let typed = |id: &&clap::Id| matches.value_source(id.as_str()) == Some(ValueSource::CommandLine);
        let is_ignored = |id: &&clap::Id| id.as_str() != "Options" && !CHECK_FLAGS.contains(&id.as_str());
        if let Some(id) = matches.ids().filter(is_ignored).find(typed) {
            let message = format!("--{} means nothing to check", id.as_str().replace('_', "-"));
            return Err(CommandLine::command().error(ErrorKind::ArgumentConflict, message));
        }
    }
    Ok(line)
}

fn serve(options: Options) -> Result<ExitCode, ServerError> {
    let configuration = Configuration::resolve(options)?;
    nqdb_server::serve(&configuration)?;
    Ok(ExitCode::SUCCESS)
}

fn check(options: Options) -> Result<ExitCode, ServerError> {
    let only = Options { data_dir: options.data_dir, config: options.config, ..Options::default() };
    let data_dir = Configuration::resolve(only)?.data_dir;
    let damage = nqdb_server::check(&data_dir, CHECK_MEMORY_BYTES)?;
    for line in &damage {
        println!("{line}");
    }
    println!("{}: {}", data_dir.display(), if damage.is_empty() { "no damage found" } else { "damaged" });
    Ok(if damage.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn line(text: &str) -> Result<CommandLine, clap::Error> {
        parse(text.split(' ').map(OsString::from))
    }

    #[test]
    fn flags_stand_before_or_behind_the_command() {
        for text in ["nqdb --data-dir d check", "nqdb check --data-dir d", "nqdb check --config f --data-dir d"] {
            let line = line(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert!(matches!(line.command, Some(Command::Check)), "{text}");
            assert_eq!(line.options.data_dir.as_deref(), Some(Path::new("d")), "{text}");
        }
        for text in ["nqdb --data-dir d --memory 1GB serve", "nqdb --data-dir d serve --memory 1GB"] {
            let line = line(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert!(matches!(line.command, Some(Command::Serve)), "{text}");
            let options = line.options;
            assert_eq!((options.data_dir.is_some(), options.memory.as_deref()), (true, Some("1GB")), "{text}");
        }
        assert!(line("nqdb --memory 1GB").unwrap().command.is_none());
    }

    #[test]
    fn check_refuses_what_it_would_ignore() {
        for text in ["nqdb check --listen 1:2", "nqdb --max-connections 3 check"] {
            let error = line(text).err().unwrap_or_else(|| panic!("{text} is accepted"));
            assert!(error.to_string().contains("means nothing to check"), "{text}: {error}");
        }
    }
}
