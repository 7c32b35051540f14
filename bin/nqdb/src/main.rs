//! `nqdb`: parses flags and calls the server crate.
//!
//! Exit codes: 0 done, 1 `check` found damage, 2 the command could not run.
//!
//! Every command but `serve` obeys a few of the server's flags and refuses the others when they are typed; variables may be
//! set for the server.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use nqdb_server::{BackupCommand, Configuration, Options, RestoreCommand, RestoreTarget, ServerError};

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

#[derive(Subcommand)]
enum Command {
    /// Serve clients until SIGTERM or SIGINT; also what is done without a command
    Serve,
    /// Verify a data directory that no server uses, or a backup; takes --data-dir and --config
    Check(CheckArguments),
    /// Have the running server of a data directory write a backup; takes --data-dir and --config
    Backup(BackupArguments),
    /// Make a data directory of a backup, and of the log in archives; takes --data-dir
    Restore(RestoreArguments),
}

#[derive(Args)]
struct CheckArguments {
    /// A backup to verify, with those that it builds on, instead of a data directory
    #[arg(long, value_name = "DIR")]
    backup: Option<PathBuf>,
}

#[derive(Args)]
struct BackupArguments {
    /// Where the backup goes: a directory of this machine that is empty or not there, and that the server can write to
    #[arg(long, value_name = "DIR")]
    to: PathBuf,

    /// Copy only what has changed since that backup
    #[arg(long, value_name = "DIR")]
    incremental_from: Option<PathBuf>,

    /// Read no more than this in a second, as 50MB
    #[arg(long, value_name = "SIZE", value_parser = rate)]
    max_rate: Option<u64>,
}

#[derive(Args)]
struct RestoreArguments {
    /// The backup; those that it builds on are found where they were, or beside it
    #[arg(long, value_name = "DIR")]
    from: PathBuf,

    /// Where more of the log is: what the server was told with --log-archive, or the folder `wal` of a data directory that is
    /// lost; may be repeated
    #[arg(long, value_name = "DIR")]
    archive: Vec<PathBuf>,

    /// Up to the last commit at or before this moment, as '2026-12-24 18:00:00+01'; without a time zone it is one of UTC
    #[arg(long, value_name = "TIME", value_parser = nqdb_server::parse_moment, group = "target")]
    to_time: Option<RestoreTarget>,

    /// Up to this position in the log, as pg_current_wal_lsn() tells it
    #[arg(long, value_name = "LSN", value_parser = nqdb_server::parse_position, group = "target")]
    to_lsn: Option<RestoreTarget>,

    /// Up to the end of the log that there is; also what is done without a target
    #[arg(long, group = "target")]
    to_latest: bool,
}

fn rate(text: &str) -> Result<u64, String> {
    nqdb_server::parse_size(text).filter(|rate| *rate > 0).ok_or_else(|| "use a number and B, kB, MB, GB".to_owned())
}

impl Command {
    /// Its name and the server's flags that it obeys; `None` for all.
    fn flags(&self) -> Option<(&'static str, &'static [&'static str])> {
        match self {
            Command::Serve => None,
            Command::Check(CheckArguments { backup: Some(_) }) => Some(("check --backup", &[])),
            Command::Check(CheckArguments { backup: None }) => Some(("check", &["data_dir", "config"])),
            Command::Backup(_) => Some(("backup", &["data_dir", "config"])),
            Command::Restore(_) => Some(("restore", &["data_dir"])),
        }
    }
}

/// Memory that `check` and `restore` may use for pages, bytes.
const MEMORY_BYTES: u64 = 512 << 20;

fn main() -> ExitCode {
    let result = parse(std::env::args_os()).unwrap_or_else(|error| error.exit());
    let result = match result.command {
        None | Some(Command::Serve) => serve(result.options),
        Some(Command::Check(CheckArguments { backup: Some(backup) })) => check_backup(&backup),
        Some(Command::Check(CheckArguments { backup: None })) => check(result.options),
        Some(Command::Backup(arguments)) => backup(arguments, result.options),
        Some(Command::Restore(arguments)) => restore(arguments, result.options),
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
    if let Some((name, obeyed)) = line.command.as_ref().and_then(Command::flags) {
        let typed = |id: &&clap::Id| matches.value_source(id.as_str()) == Some(ValueSource::CommandLine);
        let is_ignored = |id: &&clap::Id| id.as_str() != "Options" && !obeyed.contains(&id.as_str());
        if let Some(id) = matches.ids().filter(is_ignored).find(typed) {
            let message = format!("--{} means nothing to {name}", id.as_str().replace('_', "-"));
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

fn data_dir(options: Options) -> Result<PathBuf, ServerError> {
    let only = Options { data_dir: options.data_dir, config: options.config, ..Options::default() };
    Ok(Configuration::resolve(only)?.data_dir)
}

fn check(options: Options) -> Result<ExitCode, ServerError> {
    let data_dir = data_dir(options)?;
    let damage = nqdb_server::check(&data_dir, MEMORY_BYTES)?;
    for line in &damage {
        println!("{line}");
    }
    println!("{}: {}", data_dir.display(), if damage.is_empty() { "no damage found" } else { "damaged" });
    Ok(if damage.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn check_backup(directory: &Path) -> Result<ExitCode, ServerError> {
    let (backups, damage) = nqdb_server::check_backup(directory)?;
    for line in backups.iter().chain(&damage) {
        println!("{line}");
    }
    println!("{}: {}", directory.display(), if damage.is_none() { "no damage found" } else { "damaged" });
    Ok(if damage.is_none() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn backup(arguments: BackupArguments, options: Options) -> Result<ExitCode, ServerError> {
    let BackupArguments { to, incremental_from, max_rate: bytes_per_second } = arguments;
    let command = BackupCommand { to, incremental_from, bytes_per_second };
    let mut told = 0;
    let mut progress = |percent: u64| {
        if percent / 10 > told {
            told = percent / 10;
            eprintln!("{percent} %");
        }
    };
    println!("{}", nqdb_server::backup(&data_dir(options)?, &command, &mut progress)?);
    Ok(ExitCode::SUCCESS)
}

fn restore(arguments: RestoreArguments, options: Options) -> Result<ExitCode, ServerError> {
    let RestoreArguments { from, archive: archives, to_time, to_lsn, to_latest: _ } = arguments;
    let target = to_time.or(to_lsn).unwrap_or(RestoreTarget::Latest);
    let Some(data_dir) = options.data_dir else {
        return Err(ServerError::Configuration("restore needs --data-dir, the directory to make".to_owned()));
    };
    println!("{}", nqdb_server::restore(&data_dir, &RestoreCommand { from, archives, target }, MEMORY_BYTES)?);
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Result<CommandLine, clap::Error> {
        parse(text.split(' ').map(OsString::from))
    }

    #[test]
    fn flags_stand_before_or_behind_the_command() {
        for text in ["nqdb --data-dir d check", "nqdb check --data-dir d", "nqdb check --config f --data-dir d"] {
            let line = line(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert!(matches!(line.command, Some(Command::Check(_))), "{text}");
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
    fn a_backup_is_taken_and_restored_with_what_they_need() {
        let line = |text: &str| line(text).map(|line| line.command);
        let backup = line("nqdb backup --to b --incremental-from a --max-rate 50MB --data-dir d");
        assert!(matches!(backup, Ok(Some(Command::Backup(BackupArguments { max_rate: Some(0x320_0000), .. })))));
        let restore = line("nqdb restore --from b --archive x --archive y --to-lsn 0/40 --data-dir d");
        let Ok(Some(Command::Restore(restore))) = restore else { panic!("it is refused") };
        assert_eq!((restore.archive.len(), restore.to_lsn.is_some()), (2, true));
        for text in [
            "nqdb backup",
            "nqdb backup --to b --max-rate 0",
            "nqdb backup --to b --listen 1:2",
            "nqdb restore --from b --data-dir d --to-lsn 0/40 --to-latest",
            "nqdb restore --from b --data-dir d --to-time soon",
            "nqdb restore --from b --data-dir d --memory 1GB",
        ] {
            assert!(line(text).is_err(), "{text}");
        }
    }

    #[test]
    fn check_refuses_what_it_would_ignore() {
        for text in ["nqdb check --listen 1:2", "nqdb check --backup b --data-dir d", "nqdb --max-connections 3 check"]
        {
            let error = line(text).err().unwrap_or_else(|| panic!("{text} is accepted"));
            assert!(error.to_string().contains("means nothing to check"), "{text}: {error}");
        }
    }
}
