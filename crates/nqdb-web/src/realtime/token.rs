//! Tokens: JSON Web Tokens (RFC 7519) signed with HMAC-SHA256, by whoever has the secret of the configuration.
//!
//! | claim | |
//! |---|---|
//! | `sub` | who the client is to others in its channels |
//! | `role` | the role whose rights it has; `sub` without it |
//! | `database` | the database whose channels it sees; `postgres` without it |
//! | `exp` | when it ends, seconds since 1970; never without it |
//! | `channels`, `publish` | names, or patterns with a final `*`, that it may subscribe and publish to; all that its role may without it |
//! | `sql` | `true`: it may send SQL as its role; otherwise it is for channels only |
//!
//! No other algorithm is taken, whatever the header says: `none` is no signature.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use serde::Deserialize;

/// What a valid token says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Claims {
    #[serde(default)]
    pub sub: String,
    pub role: Option<String>,
    pub database: Option<String>,
    pub exp: Option<u64>,
    /// No valid token is this old.
    pub nbf: Option<u64>,
    pub channels: Option<Vec<String>>,
    pub publish: Option<Vec<String>>,
    #[serde(default)]
    pub sql: bool,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
}

/// Why a token is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenError {
    Invalid,
    /// It was valid: the client gets itself another.
    Expired,
}

/// Checks a token; `now` is in seconds since 1970.
pub fn verify(token: &str, secret: &[u8], now: u64) -> Result<Claims, TokenError> {
    let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Invalid)?;
    let (header, claims) = signed.split_once('.').ok_or(TokenError::Invalid)?;
    let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| TokenError::Invalid);
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    hmac::verify(&key, signed.as_bytes(), &decode(signature)?).map_err(|_| TokenError::Invalid)?;
    let header: Header = serde_json::from_slice(&decode(header)?).map_err(|_| TokenError::Invalid)?;
    if header.alg != "HS256" {
        return Err(TokenError::Invalid);
    }
    let claims: Claims = serde_json::from_slice(&decode(claims)?).map_err(|_| TokenError::Invalid)?;
    if claims.nbf.is_some_and(|from| now < from) {
        return Err(TokenError::Invalid);
    }
    if claims.exp.is_some_and(|until| until <= now) {
        return Err(TokenError::Expired);
    }
    Ok(claims)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed(header: &str, claims: &str, secret: &[u8]) -> String {
        let text = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(hmac::sign(&key, text.as_bytes())))
    }

    #[test]
    fn only_signed_tokens_in_their_time_are_taken() {
        let header = r#"{"alg":"HS256","typ":"JWT"}"#;
        let good = signed(header, r#"{"sub":"ada","exp":1000,"channels":["a*"]}"#, b"secret");
        let claims = verify(&good, b"secret", 999).unwrap();
        assert_eq!((claims.sub.as_str(), claims.channels), ("ada", Some(vec!["a*".to_owned()])));
        assert_eq!(verify(&good, b"secret", 1000), Err(TokenError::Expired));
        assert_eq!(verify(&good, b"other", 999), Err(TokenError::Invalid));
        let early = signed(header, r#"{"sub":"ada","nbf":1000}"#, b"secret");
        assert_eq!(verify(&early, b"secret", 999), Err(TokenError::Invalid));
        for header in [r#"{"alg":"none"}"#, r#"{"alg":"HS512"}"#, "{}", "x"] {
            assert_eq!(verify(&signed(header, r#"{"sub":"ada"}"#, b"secret"), b"secret", 0), Err(TokenError::Invalid));
        }
        let unsigned = good.rsplit_once('.').unwrap().0;
        for broken in ["", ".", "..", "a.b", unsigned, &format!("{unsigned}."), &good.replace('.', "")] {
            assert_eq!(verify(broken, b"secret", 0), Err(TokenError::Invalid), "{broken}");
        }
        // A token of RFC 7515, appendix A.1, made elsewhere; its time is over.
        let key = URL_SAFE_NO_PAD
            .decode("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow")
            .unwrap();
        let token = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt\
                     cGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        assert_eq!(verify(token, &key, 1_300_819_379).map(|claims| claims.exp), Ok(Some(1_300_819_380)));
        assert_eq!(verify(token, &key, 1_300_819_381), Err(TokenError::Expired));
    }
}
