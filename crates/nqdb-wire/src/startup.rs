//! The start of a connection: encryption, cancel requests, and what the client asks for.
//!
//! ```text
//! client: [SSLRequest -> 'S' + handshake | 'N']  [GSSENCRequest -> 'N']  StartupMessage | CancelRequest
//! ```

use bytes::{Buf, BytesMut};
use nqdb_session::encoding::check_utf8;
use nqdb_session::{ClientSink, Instance, parse_bool};
use nqdb_sqlstate::{FEATURE_NOT_SUPPORTED, INVALID_AUTHORIZATION_SPECIFICATION, SYNTAX_ERROR, SqlError, SqlResult};
use pgwire::messages::startup::NegotiateProtocolVersion;

use crate::client::{Client, Transport};
use crate::connection::ConnectionError;
use crate::frame::{self, violation};
use crate::tls::TlsIdentity;

const SSL_REQUEST: u32 = 80_877_103;
const GSS_ENCRYPTION_REQUEST: u32 = 80_877_104;
const CANCEL_REQUEST: u32 = 80_877_102;
/// Protocol 3.0.
const PROTOCOL_VERSION: u32 = 3 << 16;

/// What a StartupMessage asks for.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct StartupRequest {
    pub user: String,
    pub database: String,
    /// Settings in the order in which they were given.
    pub settings: Vec<(String, String)>,
    /// `_pq_.` options that we do not know.
    unknown_options: Vec<String>,
    minor_version: u32,
}

/// A connection that said who it is.
pub struct Started {
    pub client: Client,
    pub input: BytesMut,
    pub request: StartupRequest,
    pub encrypted: bool,
}

/// Reads up to the StartupMessage. `None`: the client went away, or only wanted to cancel something.
pub async fn start(
    transport: Box<dyn Transport>,
    tls: Option<&TlsIdentity>,
    instance: &Instance,
) -> Result<Option<Started>, ConnectionError> {
    let mut client = Client::new(transport);
    let mut input = BytesMut::with_capacity(8 * 1024);
    let mut encryption_answered = false;
    let mut gss_answered = false;
    let mut encrypted = false;
    loop {
        let Some(packet) = read_packet(&mut client, &mut input).await? else { return Ok(None) };
        let (code, body) = packet.split_at(4);
        let code = u32::from_be_bytes([code[0], code[1], code[2], code[3]]);
        match code {
            SSL_REQUEST if !encryption_answered => {
                encryption_answered = true;
                match tls {
                    Some(tls) => {
                        client = encrypt(client, &input, tls).await?;
                        encrypted = true;
                    }
                    None => answer_byte(&mut client, b'N').await?,
                }
            }
            GSS_ENCRYPTION_REQUEST if !gss_answered && !encrypted => {
                gss_answered = true;
                answer_byte(&mut client, b'N').await?;
            }
            CANCEL_REQUEST => {
                if let (Some(pid), Some(secret)) = (body.first_chunk::<4>(), body.get(4..8)) {
                    let secret = i32::from_be_bytes([secret[0], secret[1], secret[2], secret[3]]);
                    instance.metrics.cancels.increment();
                    instance.registry.cancel(i32::from_be_bytes(*pid), secret);
                }
                return Ok(None);
            }
            version => {
                let request = match parse_request(version, body) {
                    Ok(request) => request,
                    Err(error) => return Err(ConnectionError::refused(client, error)),
                };
                if request.minor_version > 0 || !request.unknown_options.is_empty() {
                    let unknown = request.unknown_options.clone();
                    client.message(&NegotiateProtocolVersion::new(PROTOCOL_VERSION as i32, unknown));
                }
                return Ok(Some(Started { client, input, request, encrypted }));
            }
        }
    }
}

/// Reads one packet without its length word; `None` at the end of the stream.
async fn read_packet(client: &mut Client, input: &mut BytesMut) -> Result<Option<BytesMut>, ConnectionError> {
    loop {
        match frame::read_startup_length(input) {
            Ok(Some(length)) if input.len() >= length => {
                let mut packet = input.split_to(length);
                packet.advance(4);
                return Ok(Some(packet));
            }
            Ok(_) => {}
            Err(error) => {
                client.error(&error);
                client.flush().await?;
                return Ok(None);
            }
        }
        if client.read(input).await? == 0 {
            return Ok(None);
        }
    }
}

async fn answer_byte(client: &mut Client, byte: u8) -> Result<(), ConnectionError> {
    client.raw_byte(byte);
    Ok(client.flush().await?)
}

/// Answers 'S' and shakes hands. Nothing may have been sent behind the request: it would be unencrypted.
async fn encrypt(mut client: Client, input: &BytesMut, tls: &TlsIdentity) -> Result<Client, ConnectionError> {
    if !input.is_empty() {
        let error = violation("received unencrypted data after SSL request").fatal().with_detail(
            "This could be either a client-software bug or evidence of an attempted man-in-the-middle attack.",
        );
        return Err(ConnectionError::refused(client, error));
    }
    answer_byte(&mut client, b'S').await?;
    let stream = tls.acceptor.accept(client.into_transport()).await?;
    Ok(Client::new(Box::new(stream)))
}

/// Reads the parameters of a StartupMessage.
fn parse_request(version: u32, body: &[u8]) -> SqlResult<StartupRequest> {
    let (major, minor) = (version >> 16, version & 0xffff);
    if major != 3 {
        return Err(SqlError::new(
            FEATURE_NOT_SUPPORTED,
            format!("unsupported frontend protocol {major}.{minor}: server supports 3.0 to 3.0"),
        )
        .fatal());
    }
    let mut request = StartupRequest { minor_version: minor, ..StartupRequest::default() };
    let mut strings = body.split(|byte| *byte == 0);
    loop {
        let (name, value) = match (strings.next(), strings.next()) {
            // The empty name that ends the list, and the nothing behind its NUL.
            (Some(b""), Some(b"")) if strings.next().is_none() => break,
            (Some(name), Some(value)) if !name.is_empty() => (fatal(check_utf8(name))?, fatal(check_utf8(value))?),
            _ => {
                let message = "invalid startup packet layout: expected terminator as last byte";
                return Err(violation(message).fatal());
            }
        };
        take_parameter(&mut request, name, value)?;
    }
    if request.user.is_empty() {
        return Err(SqlError::new(
            INVALID_AUTHORIZATION_SPECIFICATION,
            "no PostgreSQL user name specified in startup packet",
        )
        .fatal());
    }
    if request.database.is_empty() {
        request.database = request.user.clone();
    }
    Ok(request)
}

fn take_parameter(request: &mut StartupRequest, name: &str, value: &str) -> SqlResult<()> {
    match name {
        "user" => request.user = value.to_owned(),
        "database" => request.database = value.to_owned(),
        "options" => request.settings.extend(fatal(parse_options(value))?),
        "replication" if parse_bool(value) == Some(false) => {}
        "replication" => return Err(SqlError::unsupported("a replication connection").fatal()),
        _ if name.starts_with("_pq_.") => request.unknown_options.push(name.to_owned()),
        _ => request.settings.push((name.to_owned(), value.to_owned())),
    }
    Ok(())
}

fn fatal<T>(result: SqlResult<T>) -> SqlResult<T> {
    result.map_err(SqlError::fatal)
}

/// The command line in `options`: `-c name=value` and `--name=value`; a backslash keeps the next character.
fn parse_options(text: &str) -> SqlResult<Vec<(String, String)>> {
    let mut words = split_words(text).into_iter();
    let mut settings = Vec::new();
    while let Some(word) = words.next() {
        let assignment = match word.strip_prefix("--") {
            Some(assignment) => assignment.to_owned(),
            None => match word.strip_prefix("-c") {
                Some("") => words.next().unwrap_or_default(),
                Some(assignment) => assignment.to_owned(),
                None => {
                    let message = format!("invalid command-line argument for server process: {word}");
                    return Err(SqlError::new(SYNTAX_ERROR, message));
                }
            },
        };
        let Some((name, value)) = assignment.split_once('=') else {
            return Err(SqlError::new(SYNTAX_ERROR, format!("-c {assignment} requires a value")));
        };
        settings.push((name.replace('-', "_"), value.to_owned()));
    }
    Ok(settings)
}

fn split_words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => word.get_or_insert_default().extend(letters.next()),
            _ if letter.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_end_with_an_empty_name() {
        let request = parse_request(PROTOCOL_VERSION, b"user\0ada\0application_name\0x\0\0").unwrap();
        assert_eq!((request.user.as_str(), request.database.as_str()), ("ada", "ada"));
        assert_eq!(request.settings, [("application_name".to_owned(), "x".to_owned())]);
        for wrong in [&b"user\0ada\0"[..], b"user\0ada", b"user\0", b"", b"\0\0", b"user\0ada\0\0x"] {
            assert!(parse_request(PROTOCOL_VERSION, wrong).is_err(), "{wrong:?}");
        }
        assert_eq!(parse_request(PROTOCOL_VERSION, b"\0").unwrap_err().code(), INVALID_AUTHORIZATION_SPECIFICATION);
        assert_eq!(parse_request(2 << 16, b"\0").unwrap_err().code(), FEATURE_NOT_SUPPORTED);
    }

    #[test]
    fn options_are_a_command_line() {
        let options = parse_options("-c geqo=off -cwork_mem=1MB --search-path=a\\ b").unwrap();
        let expected = [("geqo", "off"), ("work_mem", "1MB"), ("search_path", "a b")];
        assert_eq!(options, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert!(parse_options("-x").is_err());
        assert!(parse_options("-c geqo").is_err());
    }
}
