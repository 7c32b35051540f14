//! The one encoding that clients may use: UTF-8, without NUL in values.

use std::fmt::Write;

use nqdb_sqlstate::{CHARACTER_NOT_IN_REPERTOIRE, SqlError, SqlResult};

/// The bytes as text; 22021 with PostgreSQL's words when they are not UTF-8.
pub fn check_utf8(bytes: &[u8]) -> SqlResult<&str> {
    std::str::from_utf8(bytes).map_err(|error| invalid_bytes(&bytes[error.valid_up_to()..]))
}

/// As [`check_utf8`] for a value in text format, where a NUL is no character either.
pub fn check_text_value(bytes: &[u8]) -> SqlResult<&str> {
    match memchr::memchr(0, bytes) {
        Some(at) => {
            check_utf8(&bytes[..at])?;
            Err(invalid_bytes(&bytes[at..]))
        }
        None => check_utf8(bytes),
    }
}

/// Names the bytes of the character that begins here and cannot be read.
fn invalid_bytes(bytes: &[u8]) -> SqlError {
    let announced = match bytes.first() {
        Some(0xc0..=0xdf) => 2,
        Some(0xe0..=0xef) => 3,
        Some(0xf0..=0xf7) => 4,
        _ => 1,
    };
    let mut message = String::from("invalid byte sequence for encoding \"UTF8\":");
    for byte in bytes.iter().take(announced) {
        // Writing to a String cannot fail.
        let _ = write!(message, " 0x{byte:02x}");
    }
    SqlError::new(CHARACTER_NOT_IN_REPERTOIRE, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_bytes_that_are_no_character() {
        let message = |bytes: &[u8]| check_text_value(bytes).unwrap_err().message().to_owned();
        assert_eq!(message(b"ok\xff"), "invalid byte sequence for encoding \"UTF8\": 0xff");
        assert_eq!(message(b"\xe2\x28\xa1z"), "invalid byte sequence for encoding \"UTF8\": 0xe2 0x28 0xa1");
        assert_eq!(message(b"a\xc3"), "invalid byte sequence for encoding \"UTF8\": 0xc3");
        assert_eq!(message(b"a\0b"), "invalid byte sequence for encoding \"UTF8\": 0x00");
        assert_eq!(check_text_value("grün".as_bytes()).unwrap(), "grün");
    }
}
