//! Who may come in: SCRAM-SHA-256 (RFC 5802, RFC 7677) where the role has a password, trust for roles without one
//! on this machine only.
//!
//! From another machine a role that does not exist, or has no password, goes through the same exchange with a
//! salt that is as stable as a real one, and fails at its end like a wrong password.

use bytes::{Buf, BytesMut};
use nqdb_session::{ClientSink, Instance, valid_verifier};
use nqdb_sqlstate::{INVALID_AUTHORIZATION_SPECIFICATION, INVALID_PASSWORD, SqlError};
use pgwire::api::auth::sasl::scram::ScramSecret;
use pgwire::api::auth::sasl::{SCRAM_SHA_256_METHOD, SCRAM_SHA_256_PLUS_METHOD};
use pgwire::error::PgWireError;
use pgwire::messages::startup::Authentication;
use ring::hmac;

use crate::client::Client;
use crate::connection::Failure;
use crate::frame::{self, Phase, violation};
use crate::tls::TlsIdentity;

/// Where a client comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A Unix socket or the loopback interface.
    ThisMachine,
    Network,
}

/// Rounds of PBKDF2 that are announced for roles that do not exist.
const MOCK_ITERATIONS: usize = 4096;

/// Lets the client prove that it is `user`. `tls` is given when the connection is encrypted.
pub async fn authenticate(
    client: &mut Client,
    input: &mut BytesMut,
    instance: &Instance,
    user: &str,
    origin: Origin,
    tls: Option<&TlsIdentity>,
) -> Result<(), Failure> {
    let catalog = instance.cluster.shared_objects();
    let role = catalog.role(user).cloned();
    drop(catalog);
    let verifier = role.as_ref().and_then(|role| valid_verifier(role, instance.now_micros()));
    let has_password = role.as_ref().is_some_and(|role| role.password.is_some());
    if origin == Origin::ThisMachine && !has_password {
        return match role {
            Some(_) => Ok(()),
            None => Err(no_such_role(user).into()),
        };
    }
    let is_real = verifier.is_some();
    let secret = match verifier {
        Some(verifier) => ScramSecret::Verifier {
            salt: verifier.salt,
            iterations: verifier.iterations.get() as usize,
            stored_key: verifier.stored_key.to_vec(),
            server_key: verifier.server_key.to_vec(),
        },
        None => mock_secret(instance, user),
    };
    let proven = exchange(client, input, secret, tls, user).await?;
    if !is_real {
        return Err(wrong_password(user).into());
    }
    client.message(&Authentication::SASLFinal(proven.into()));
    Ok(())
}

/// The two rounds of SCRAM; gives the server's signature.
async fn exchange(
    client: &mut Client,
    input: &mut BytesMut,
    secret: ScramSecret,
    tls: Option<&TlsIdentity>,
    user: &str,
) -> Result<String, Failure> {
    let bound = tls.and_then(|tls| tls.scram_plus.clone());
    let mut mechanisms = vec![SCRAM_SHA_256_METHOD.to_owned()];
    if bound.is_some() {
        mechanisms.insert(0, SCRAM_SHA_256_PLUS_METHOD.to_owned());
    }
    client.message(&Authentication::SASL(mechanisms.clone()));
    client.flush().await?;

    let initial = read_response(client, input).await?;
    let (mechanism, first) = split_initial(&initial)?;
    if !mechanisms.iter().any(|offered| offered.as_bytes() == mechanism) {
        return Err(violation("client selected an invalid SASL authentication mechanism").fatal().into());
    }
    let server = bound.unwrap_or_default();
    let (challenge, waiting) =
        server.on_client_first_message_with_secret(first, secret).map_err(|error| scram_error(error, user))?;
    client.message(&Authentication::SASLContinue(challenge.into()));
    client.flush().await?;

    let last = read_response(client, input).await?;
    Ok(waiting.on_client_final_message(&last).map_err(|error| scram_error(error, user))?)
}

/// The body of the next message, which must be of the password family.
async fn read_response(client: &mut Client, input: &mut BytesMut) -> Result<BytesMut, Failure> {
    loop {
        let header = frame::read_header(input, Phase::Authentication, frame::UNAUTHENTICATED_MESSAGE_BYTES_MAX)?;
        if let Some(header) = header
            && input.len() >= header.total_len
        {
            let mut body = input.split_to(header.total_len);
            body.advance(frame::HEADER_LEN);
            return Ok(body);
        }
        if client.read(input).await? == 0 {
            return Err(Failure::Closed);
        }
    }
}

/// SASLInitialResponse: the mechanism's name, a length (-1: nothing), the first message.
fn split_initial(body: &[u8]) -> Result<(&[u8], &[u8]), SqlError> {
    let malformed = || violation("malformed SASL initial response").fatal();
    let name_len = memchr::memchr(0, body).ok_or_else(malformed)?;
    let (mechanism, rest) = body.split_at(name_len);
    let (length, first) = rest.get(1..).and_then(|rest| rest.split_first_chunk::<4>()).ok_or_else(malformed)?;
    if usize::try_from(i32::from_be_bytes(*length)).ok() != Some(first.len()) {
        return Err(malformed());
    }
    Ok((mechanism, first))
}

/// A secret that no proof fits, with a salt that depends on the name alone.
fn mock_secret(instance: &Instance, user: &str) -> ScramSecret {
    let derive = |label: &str| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, instance.mock_secret());
        hmac::sign(&key, format!("{label}:{user}").as_bytes()).as_ref().to_vec()
    };
    let mut salt = derive("salt");
    salt.truncate(16);
    ScramSecret::Verifier {
        salt,
        iterations: MOCK_ITERATIONS,
        stored_key: derive("stored key"),
        server_key: derive("server key"),
    }
}

fn scram_error(error: PgWireError, user: &str) -> SqlError {
    match error {
        PgWireError::InvalidPassword(_) => wrong_password(user),
        other => violation("malformed SCRAM message").with_detail(other.to_string()).fatal(),
    }
}

fn wrong_password(user: &str) -> SqlError {
    SqlError::new(INVALID_PASSWORD, format!("password authentication failed for user \"{user}\"")).fatal()
}

fn no_such_role(user: &str) -> SqlError {
    SqlError::new(INVALID_AUTHORIZATION_SPECIFICATION, format!("role \"{user}\" does not exist")).fatal()
}
