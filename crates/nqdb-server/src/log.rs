//! Log records go to standard error, as text for people or JSON for collectors.
//!
//! What always holds: a record never holds a password or a literal of a statement. The libraries below keep no such
//! promise (a SQL parser logs what it parses), so a level is for our own records, and theirs begin at warnings; only who
//! names a module gets its records.

use tracing_subscriber::EnvFilter;

use crate::configuration::LogFormat;
use crate::error::ServerError;

/// The levels, from the least records to the most.
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// Turns logging on for the process. A second call changes nothing.
pub fn init(format: LogFormat, level: &str) -> Result<(), ServerError> {
    let wrong = |why: &str| ServerError::Configuration(format!("log-level: \"{level}\" {why}"));
    let directives = directives(level).ok_or_else(|| {
        wrong("is neither a level (off, error, warn, info, debug, trace) nor a filter such as nqdb_storage=debug,info")
    })?;
    let filter = EnvFilter::try_new(&directives).map_err(|error| wrong(&format!("is no filter: {error}")))?;
    let records = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // Nobody may be reading standard error any more; that is no reason to end a session.
    let records = records.log_internal_errors(false);
    let result = match format {
        LogFormat::Text => records.with_ansi(false).try_init(),
        LogFormat::Json => records.json().try_init(),
    };
    if result.is_err() {
        tracing::debug!("logging was on already");
    }
    Ok(())
}

/// The filter that a level, or a list of levels by module, stands for; none when there is an unknown word in it.
fn directives(level: &str) -> Option<String> {
    let mut all = Vec::new();
    for part in level.split(',').map(str::trim) {
        match part.split_once('=') {
            Some((module, level)) if !module.is_empty() && LEVELS.contains(&level.to_ascii_lowercase().as_str()) => {
                all.push(part.to_owned());
            }
            None if LEVELS.contains(&part.to_ascii_lowercase().as_str()) => {
                let others = if ["off", "error"].contains(&part.to_ascii_lowercase().as_str()) { part } else { "warn" };
                all.extend([others.to_owned(), format!("nqdb={part}")]);
            }
            _ => return None,
        }
    }
    Some(all.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_for_our_own_records() {
        assert_eq!(directives("debug").as_deref(), Some("warn,nqdb=debug"));
        assert_eq!(directives("error").as_deref(), Some("error,nqdb=error"));
        assert_eq!(directives("nqdb_storage=debug, info").as_deref(), Some("nqdb_storage=debug,warn,nqdb=info"));
    }

    #[test]
    fn unknown_words_are_refused() {
        for wrong in ["blah", "", "info,blah", "nqdb=blah", "=info"] {
            assert_eq!(directives(wrong), None, "{wrong}");
            assert!(init(LogFormat::Text, wrong).is_err(), "{wrong}");
        }
    }
}
