//! Role passwords, stored only as SCRAM-SHA-256 verifiers (RFC 5802, RFC 7677).
//!
//! ```text
//! SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>        the last three in base64
//! ```
//!
//! The form is PostgreSQL's (`pg_authid.rolpassword`), so that dumps of roles move both ways.

use std::fmt;
use std::num::NonZeroU32;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::{digest, hmac, pbkdf2, rand::SecureRandom};

/// Rounds of PBKDF2 for new verifiers, PostgreSQL 15's number.
const ITERATIONS: NonZeroU32 = NonZeroU32::new(4096).expect("4096 is not zero");
const SALT_BYTES: usize = 16;
const KEY_BYTES: usize = digest::SHA256_OUTPUT_LEN;

/// What the server keeps of a password: enough to check it, not enough to log in with it.
#[derive(Clone, PartialEq, Eq)]
pub struct ScramVerifier {
    pub iterations: NonZeroU32,
    pub salt: Vec<u8>,
    pub stored_key: [u8; KEY_BYTES],
    pub server_key: [u8; KEY_BYTES],
}

impl ScramVerifier {
    /// Derives a verifier with a fresh random salt.
    pub fn derive(password: &str, random: &dyn SecureRandom) -> Result<ScramVerifier, ring::error::Unspecified> {
        let mut salt = vec![0; SALT_BYTES];
        random.fill(&mut salt)?;
        Ok(ScramVerifier::with_salt(password, salt, ITERATIONS))
    }

    /// Derives the verifier of a password for a given salt. The password is normalised with SASLprep; one
    /// that SASLprep refuses is taken as it is, as PostgreSQL does.
    pub fn with_salt(password: &str, salt: Vec<u8>, iterations: NonZeroU32) -> ScramVerifier {
        let normalised = stringprep::saslprep(password);
        let password = normalised.as_deref().unwrap_or(password);
        let mut salted = [0; KEY_BYTES];
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, iterations, &salt, password.as_bytes(), &mut salted);
        let salted = hmac::Key::new(hmac::HMAC_SHA256, &salted);
        let client_key = hmac::sign(&salted, b"Client Key");
        ScramVerifier {
            iterations,
            salt,
            stored_key: sha256(client_key.as_ref()),
            server_key: to_key(hmac::sign(&salted, b"Server Key").as_ref()),
        }
    }

    /// Reads PostgreSQL's text form; none when it is not one.
    pub fn parse(text: &str) -> Option<ScramVerifier> {
        let (parameters, keys) = text.strip_prefix("SCRAM-SHA-256$")?.split_once('$')?;
        let (iterations, salt) = parameters.split_once(':')?;
        let (stored_key, server_key) = keys.split_once(':')?;
        Some(ScramVerifier {
            iterations: iterations.parse().ok()?,
            salt: STANDARD.decode(salt).ok()?,
            stored_key: STANDARD.decode(stored_key).ok()?.try_into().ok()?,
            server_key: STANDARD.decode(server_key).ok()?.try_into().ok()?,
        })
    }
}

impl fmt::Display for ScramVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "SCRAM-SHA-256${}:{}${}:{}",
            self.iterations,
            STANDARD.encode(&self.salt),
            STANDARD.encode(self.stored_key),
            STANDARD.encode(self.server_key)
        )
    }
}

impl fmt::Debug for ScramVerifier {
    /// Shows no key: verifiers must not end up in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ScramVerifier(..)")
    }
}

/// The verifier to store for what CREATE or ALTER ROLE was given: a verifier is kept, anything else is hashed.
pub fn stored_password(given: &str, random: &dyn SecureRandom) -> Result<String, ring::error::Unspecified> {
    match ScramVerifier::parse(given) {
        Some(verifier) => Ok(verifier.to_string()),
        None => Ok(ScramVerifier::derive(given, random)?.to_string()),
    }
}

fn sha256(bytes: &[u8]) -> [u8; KEY_BYTES] {
    to_key(digest::digest(&digest::SHA256, bytes).as_ref())
}

fn to_key(bytes: &[u8]) -> [u8; KEY_BYTES] {
    bytes.try_into().expect("SHA-256 yields 32 bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The exchange of RFC 7677, section 3: user "user", password "pencil".
    #[test]
    fn agrees_with_the_example_of_rfc_7677() {
        let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        let verifier = ScramVerifier::with_salt("pencil", salt, ITERATIONS);
        let message = "n=user,r=rOprNGfwEbeRWgbNEkqO,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                       s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &verifier.server_key), message.as_bytes());
        assert_eq!(STANDARD.encode(signature.as_ref()), "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
    }

    #[test]
    fn text_form_round_trips_and_is_kept_when_given() {
        let random = ring::rand::SystemRandom::new();
        let stored = stored_password("secret", &random).unwrap();
        assert_eq!(ScramVerifier::parse(&stored).unwrap().to_string(), stored);
        assert_eq!(stored_password(&stored, &random).unwrap(), stored);
        assert_ne!(stored_password("secret", &random).unwrap(), stored);
    }
}
