//! Log records go to standard error, as text for people or JSON for collectors.

use tracing_subscriber::EnvFilter;

use crate::configuration::LogFormat;
use crate::error::ServerError;

/// Turns logging on for the process. A second call changes nothing.
pub fn init(format: LogFormat, level: &str) -> Result<(), ServerError> {
    let filter = EnvFilter::try_new(level)
        .map_err(|error| ServerError::Configuration(format!("log-level: \"{level}\" is no filter: {error}")))?;
    let records = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let result = match format {
        LogFormat::Text => records.with_ansi(false).try_init(),
        LogFormat::Json => records.json().try_init(),
    };
    if result.is_err() {
        tracing::debug!("logging was on already");
    }
    Ok(())
}
