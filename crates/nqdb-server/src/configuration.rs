//! Configuration: flags, then `NQDB_*` variables, then the TOML file, then defaults; the first that says something wins.
//!
//! ```toml
//! data-dir = "/var/lib/nqdb"
//! listen = "0.0.0.0:5432"
//! memory = "4GB"
//! ```

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use nqdb_web::realtime::{ChannelRule, RealtimeOptions, TokenSecret};
use serde::Deserialize;

use crate::error::ServerError;

/// What the user says, wherever.
#[derive(Args, Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Options {
    /// Where the data is; made at the first start [default: ./nqdb-data]
    #[arg(long, global = true, env = "NQDB_DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<PathBuf>,

    /// Address for SQL clients; port 0 asks for a free one [default: 127.0.0.1:5432]
    #[arg(long, global = true, env = "NQDB_LISTEN", value_name = "HOST:PORT")]
    pub listen: Option<String>,

    /// Address for HTTP, or "off" [default: 127.0.0.1:8080]
    #[arg(long, global = true, env = "NQDB_HTTP_LISTEN", value_name = "HOST:PORT|off")]
    pub http_listen: Option<String>,

    /// A TOML file with these settings
    #[arg(long, global = true, env = "NQDB_CONFIG", value_name = "FILE")]
    #[serde(skip)]
    pub config: Option<PathBuf>,

    /// Memory for pages (60 %), undo (10 %) and what statements hold (25 %), as 512MB or 4GB; sockets, locks and
    /// building an index come on top [default: 1GB]
    #[arg(long, global = true, env = "NQDB_MEMORY", value_name = "SIZE")]
    pub memory: Option<String>,

    /// Sessions at the same time, the last three for superusers [default: 100]
    #[arg(long, global = true, env = "NQDB_MAX_CONNECTIONS", value_name = "N")]
    pub max_connections: Option<usize>,

    /// Transactions that may be prepared at the same time; PREPARE TRANSACTION is refused with 0 [default: 0]
    #[arg(long, global = true, env = "NQDB_MAX_PREPARED_TRANSACTIONS", value_name = "N")]
    pub max_prepared_transactions: Option<usize>,

    /// Directory for a Unix socket; none without it
    #[arg(long, global = true, env = "NQDB_UNIX_SOCKET_DIR", value_name = "DIR")]
    pub unix_socket_dir: Option<PathBuf>,

    /// Directory where finished segments of the log are copied to before they are used again; not kept without it
    #[arg(long, global = true, env = "NQDB_LOG_ARCHIVE", value_name = "DIR")]
    pub log_archive: Option<PathBuf>,

    /// Certificate chain (PEM); turns TLS on
    #[arg(long, global = true, env = "NQDB_TLS_CERT", value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,

    /// Private key of the certificate (PEM)
    #[arg(long, global = true, env = "NQDB_TLS_KEY", value_name = "FILE")]
    pub tls_key: Option<PathBuf>,

    /// Listen beyond this machine although roles have no password; they can then log in from this machine only
    #[arg(long, global = true, env = "NQDB_ALLOW_PASSWORDLESS_ROLES", num_args = 0..=1, default_missing_value = "true")]
    pub allow_passwordless_roles: Option<bool>,

    /// Memory for notifications that their listeners have not read yet and for what channels keep; one listener may leave
    /// half of it unread [default: 128MB]
    #[arg(long, global = true, env = "NQDB_NOTIFY_QUEUE", value_name = "SIZE")]
    pub notify_queue: Option<String>,

    /// What happens when a listener has left too much unread: it is dropped, or NOTIFY on its channels fails (54000)
    /// [default: drop-listener]
    #[arg(long, global = true, env = "NQDB_NOTIFY_OVERFLOW", value_enum)]
    pub notify_overflow: Option<NotifyOverflow>,

    /// Clients of channels over HTTP at the same time [default: 500]
    #[arg(long, global = true, env = "NQDB_REALTIME_CONNECTIONS", value_name = "N")]
    pub realtime_connections: Option<usize>,

    /// File with the secret that tokens of real-time clients are signed with (HS256), at least 32 bytes; no tokens without it
    #[arg(long, global = true, env = "NQDB_REALTIME_SECRET_FILE", value_name = "FILE")]
    pub realtime_secret_file: Option<PathBuf>,

    /// Origin of pages that may connect to channels beside this server's own, as https://example.org; may be repeated
    #[arg(long, global = true, env = "NQDB_REALTIME_ORIGIN", value_name = "ORIGIN", value_delimiter = ',')]
    #[serde(default)]
    pub realtime_origin: Vec<String>,

    /// Which roles may read and write channels over HTTP: in the file only.
    #[arg(skip)]
    #[serde(default)]
    pub channel: Vec<ChannelOptions>,

    /// How log records are written [default: text]
    #[arg(long, global = true, env = "NQDB_LOG_FORMAT", value_enum)]
    pub log_format: Option<LogFormat>,

    /// Which log records are written: error, warn, info, debug, trace, off, or a filter by module such as
    /// nqdb_storage=debug,info [default: info]
    #[arg(long, global = true, env = "NQDB_LOG_LEVEL", value_name = "LEVEL")]
    pub log_level: Option<String>,
}

/// A `[[channel]]` of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ChannelOptions {
    /// A channel's name, or the beginning of names with a final `*`.
    pub name: String,
    /// Roles whose members may subscribe.
    #[serde(default)]
    pub read: Vec<String>,
    /// Roles whose members may publish.
    #[serde(default)]
    pub write: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Text,
    Json,
}

/// Who gives way when a listener does not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum NotifyOverflow {
    DropListener,
    RefuseNotifier,
}

/// What the server obeys.
#[derive(Clone, Debug)]
pub struct Configuration {
    pub data_dir: PathBuf,
    pub listen: String,
    pub http_listen: HttpListen,
    pub memory_bytes: u64,
    pub max_connections: usize,
    pub max_prepared_transactions: usize,
    pub unix_socket_dir: Option<PathBuf>,
    pub log_archive: Option<PathBuf>,
    /// Certificate and key.
    pub tls: Option<(PathBuf, PathBuf)>,
    pub allow_passwordless_roles: bool,
    pub notify_queue_bytes: usize,
    pub notify_overflow: NotifyOverflow,
    pub realtime: RealtimeOptions,
    pub log_format: LogFormat,
    pub log_level: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HttpListen {
    Off,
    At(String),
}

/// The least memory that the parts can share.
const MEMORY_BYTES_MIN: u64 = 64 << 20;
/// More than the page frames can be counted for.
const MEMORY_BYTES_MAX: u64 = 16 << 40;
/// As long as the hash that is made with it (RFC 7518, section 3.2).
const SECRET_BYTES_MIN: usize = 32;
/// A few of the longest notifications.
const NOTIFY_QUEUE_BYTES_MIN: usize = 64 << 10;
/// PostgreSQL's upper limit.
const MAX_CONNECTIONS_MAX: usize = 262_143;
/// PostgreSQL's upper limit.
const MAX_PREPARED_TRANSACTIONS_MAX: usize = 262_143;

impl Configuration {
    /// Completes what the command line and the environment say with the file and the defaults.
    pub fn resolve(options: Options) -> Result<Configuration, ServerError> {
        let file = match &options.config {
            Some(path) => read_file(path)?,
            None => Options::default(),
        };
        let memory = options.memory.or(file.memory).unwrap_or_else(|| "1GB".to_owned());
        let memory_bytes = parse_size(&memory)
            .ok_or_else(|| wrong(format!("--memory: \"{memory}\" is no size; use a number and B, kB, MB, GB or TB")))?;
        expect_possible_memory(&memory, memory_bytes, machine_memory_bytes())?;
        let max_connections = options.max_connections.or(file.max_connections).unwrap_or(100);
        if !(1..=MAX_CONNECTIONS_MAX).contains(&max_connections) {
            return Err(wrong(format!("--max-connections: {max_connections} is not in 1..{MAX_CONNECTIONS_MAX}")));
        }
        let max_prepared_transactions =
            options.max_prepared_transactions.or(file.max_prepared_transactions).unwrap_or(0);
        if max_prepared_transactions > MAX_PREPARED_TRANSACTIONS_MAX {
            let what = format!("{max_prepared_transactions} is not in 0..{MAX_PREPARED_TRANSACTIONS_MAX}");
            return Err(wrong(format!("--max-prepared-transactions: {what}")));
        }
        let notify_queue = options.notify_queue.or(file.notify_queue).unwrap_or_else(|| "128MB".to_owned());
        let notify_queue_bytes = parse_notify_queue(&notify_queue)?;
        let realtime = RealtimeOptions {
            connections_max: options.realtime_connections.or(file.realtime_connections).unwrap_or(500),
            token_secret: options.realtime_secret_file.or(file.realtime_secret_file).map(read_secret).transpose()?,
            origins: if options.realtime_origin.is_empty() { file.realtime_origin } else { options.realtime_origin },
            rules: file.channel.into_iter().map(rule_of).collect::<Result<_, _>>()?,
        };
        let tls = match (options.tls_cert.or(file.tls_cert), options.tls_key.or(file.tls_key)) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            _ => return Err(wrong("--tls-cert and --tls-key have to be given together".to_owned())),
        };
        let http = options.http_listen.or(file.http_listen).unwrap_or_else(|| "127.0.0.1:8080".to_owned());
        let listen = options.listen.or(file.listen).unwrap_or_else(|| "127.0.0.1:5432".to_owned());
        expect_address("--listen", &listen, "HOST:PORT, as in 127.0.0.1:5432")?;
        if http != "off" {
            expect_address("--http-listen", &http, "HOST:PORT, as in 127.0.0.1:8080, or off")?;
        }
        Ok(Configuration {
            data_dir: options.data_dir.or(file.data_dir).unwrap_or_else(|| PathBuf::from("./nqdb-data")),
            listen,
            http_listen: if http == "off" { HttpListen::Off } else { HttpListen::At(http) },
            memory_bytes,
            max_connections,
            max_prepared_transactions,
            unix_socket_dir: options.unix_socket_dir.or(file.unix_socket_dir),
            log_archive: options.log_archive.or(file.log_archive),
            tls,
            allow_passwordless_roles: options
                .allow_passwordless_roles
                .or(file.allow_passwordless_roles)
                .unwrap_or(false),
            notify_queue_bytes,
            realtime,
            notify_overflow: options.notify_overflow.or(file.notify_overflow).unwrap_or(NotifyOverflow::DropListener),
            log_format: options.log_format.or(file.log_format).unwrap_or(LogFormat::Text),
            log_level: options.log_level.or(file.log_level).unwrap_or_else(|| "info".to_owned()),
        })
    }
}

fn read_file(path: &Path) -> Result<Options, ServerError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| ServerError::ReadConfiguration { path: path.to_path_buf(), source })?;
    toml::from_str(&text).map_err(|error| wrong(format!("{}: {error}", path.display())))
}

fn wrong(message: String) -> ServerError {
    ServerError::Configuration(message)
}

/// The secret of tokens; a line break at the file's end does not count.
fn read_secret(path: PathBuf) -> Result<TokenSecret, ServerError> {
    let mut secret = match std::fs::read(&path) {
        Ok(secret) => secret,
        Err(source) => return Err(ServerError::ReadConfiguration { path, source }),
    };
    while secret.last().is_some_and(|last| matches!(last, b'\n' | b'\r')) {
        secret.pop();
    }
    if secret.len() < SECRET_BYTES_MIN {
        let message = format!("{}: a secret of at least {SECRET_BYTES_MIN} bytes is needed", path.display());
        return Err(wrong(message));
    }
    Ok(TokenSecret(secret))
}

fn rule_of(written: ChannelOptions) -> Result<ChannelRule, ServerError> {
    if written.name.trim_end_matches('*').contains('*') || written.name.ends_with("**") || written.name.is_empty() {
        let name = written.name;
        return Err(wrong(format!("channel: \"{name}\" is no name of channels; a * may stand at its end only")));
    }
    Ok(ChannelRule { channels: written.name, read: written.read, write: written.write })
}

/// The room for notifications: at least what one full message and its bookkeeping need many times over.
fn parse_notify_queue(written: &str) -> Result<usize, ServerError> {
    let bytes = parse_size(written).and_then(|bytes| usize::try_from(bytes).ok()).ok_or_else(|| {
        wrong(format!("--notify-queue: \"{written}\" is no size; use a number and B, kB, MB, GB or TB"))
    })?;
    if bytes < NOTIFY_QUEUE_BYTES_MIN {
        return Err(wrong(format!("--notify-queue: {written} is too little, at least 64kB are needed")));
    }
    Ok(bytes)
}

/// Refuses what the parts cannot share, or the machine does not have.
fn expect_possible_memory(written: &str, bytes: u64, machine_bytes: Option<u64>) -> Result<(), ServerError> {
    if bytes < MEMORY_BYTES_MIN {
        return Err(wrong(format!("--memory: {written} is too little, at least 64MB are needed")));
    }
    if bytes > MEMORY_BYTES_MAX {
        return Err(wrong(format!("--memory: {written} is too much, 16TB is the limit")));
    }
    match machine_bytes {
        Some(has) if bytes > has => {
            let message = format!("--memory: {written} is more than this machine has, {}MB", has >> 20);
            Err(wrong(message))
        }
        _ => Ok(()),
    }
}

/// The machine's memory, where the system tells (Linux).
fn machine_memory_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kilobytes.checked_mul(1024)
}

/// An address has a host and a port; names are looked up when it is bound.
fn expect_address(flag: &str, address: &str, form: &str) -> Result<(), ServerError> {
    let is_complete =
        address.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
    if is_complete { Ok(()) } else { Err(wrong(format!("{flag}: \"{address}\" is no address; give {form}"))) }
}

/// `512MB` in bytes; units count in 1024s, as PostgreSQL's do.
pub fn parse_size(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let shift = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "kb" | "k" => 10,
        "mb" | "m" => 20,
        "gb" | "g" => 30,
        "tb" | "t" => 40,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(1 << shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        assert_eq!(parse_size("512MB"), Some(512 << 20));
        assert_eq!(parse_size("4 gb"), Some(4 << 30));
        assert_eq!(parse_size("1000"), Some(1000));
        for wrong in ["", "GB", "1.5GB", "1XB", "99999999999TB"] {
            assert_eq!(parse_size(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_command_line_wins_over_the_file_and_the_file_over_defaults() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("nqdb.toml");
        std::fs::write(&path, "listen = \"127.0.0.1:1\"\nmax-connections = 7\nhttp-listen = \"off\"\n").unwrap();
        let options =
            Options { config: Some(path.clone()), listen: Some("127.0.0.1:2".to_owned()), ..Options::default() };
        let configuration = Configuration::resolve(options).unwrap();
        assert_eq!(configuration.listen, "127.0.0.1:2");
        assert_eq!(configuration.max_connections, 7);
        assert_eq!(configuration.http_listen, HttpListen::Off);
        assert_eq!(configuration.memory_bytes, 1 << 30);

        std::fs::write(&path, "no-such-setting = 1\n").unwrap();
        let unknown = Configuration::resolve(Options { config: Some(path), ..Options::default() });
        assert!(unknown.unwrap_err().to_string().contains("no-such-setting"));
    }

    #[test]
    fn what_cannot_be_obeyed_is_refused() {
        let refused = |options: Options| Configuration::resolve(options).is_err();
        assert!(refused(Options { memory: Some("1MB".to_owned()), ..Options::default() }));
        assert!(refused(Options { max_connections: Some(0), ..Options::default() }));
        assert!(!refused(Options { max_prepared_transactions: Some(262_143), ..Options::default() }));
        assert!(refused(Options { max_prepared_transactions: Some(262_144), ..Options::default() }));
        assert!(refused(Options { tls_cert: Some("cert.pem".into()), ..Options::default() }));
    }

    #[test]
    fn an_error_names_its_flag_and_what_it_takes() {
        let message = |options: Options| Configuration::resolve(options).unwrap_err().to_string();
        let memory = |size: &str| message(Options { memory: Some(size.to_owned()), ..Options::default() });
        assert_eq!(memory("100TB"), "--memory: 100TB is too much, 16TB is the limit");
        assert_eq!(memory("1MB"), "--memory: 1MB is too little, at least 64MB are needed");
        let beyond = expect_possible_memory("8GB", 8 << 30, Some(4 << 30)).unwrap_err().to_string();
        assert_eq!(beyond, "--memory: 8GB is more than this machine has, 4096MB");
        assert!(expect_possible_memory("4GB", 4 << 30, Some(4 << 30)).is_ok());
        for address in [":6120", "6120", "localhost", "localhost:", "1.2.3.4:99999"] {
            let listen = message(Options { listen: Some(address.to_owned()), ..Options::default() });
            assert_eq!(listen, format!("--listen: \"{address}\" is no address; give HOST:PORT, as in 127.0.0.1:5432"));
            let http = message(Options { http_listen: Some(address.to_owned()), ..Options::default() });
            assert!(http.starts_with("--http-listen: ") && http.ends_with("or off"), "{http}");
        }
        let listen = Some("[::1]:5432".to_owned());
        assert!(Configuration::resolve(Options { listen, ..Options::default() }).is_ok());
    }
}
