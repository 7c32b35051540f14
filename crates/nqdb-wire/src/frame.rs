//! The guard: what a message's first bytes may say, before its body is awaited or decoded.
//!
//! ```text
//! before the start-up message      length u32 | code u32 | ...          no type byte
//! afterwards                       type u8 | length u32 | body          length counts itself, not the type
//! ```
//!
//! Lengths come from the client and decide how much memory it gets, so they are checked against the type of the
//! message and the phase of the connection: PostgreSQL's own limits (`PQ_SMALL_MESSAGE_LIMIT`,
//! `PQ_LARGE_MESSAGE_LIMIT`, `MAX_STARTUP_PACKET_LENGTH`).

use nqdb_sqlstate::{PROTOCOL_VIOLATION, SqlError, SqlResult};

/// Largest message that a client can send before it has logged in, bytes.
pub const UNAUTHENTICATED_MESSAGE_BYTES_MAX: usize = 10_000;

/// Largest message of the types that carry no SQL and no data, bytes.
pub const SMALL_MESSAGE_BYTES_MAX: usize = 10_000;

/// Largest message of the types that carry SQL or data, bytes; a listener may allow less.
pub const LARGE_MESSAGE_BYTES_MAX: usize = (1 << 30) - 1;

/// Length of the type byte and the length word.
pub const HEADER_LEN: usize = 5;

/// What the connection is in the middle of: it decides which messages may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Waiting for a password or SASL message.
    Authentication,
    /// Waiting for the next command.
    Ready,
    /// Inside COPY FROM STDIN.
    CopyIn,
}

/// A message whose header was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    pub tag: u8,
    /// Length of the whole message with its header.
    pub total_len: usize,
}

/// Reads the header at the start of `input`; `None` when it has not arrived yet.
///
/// Errors are fatal: after a wrong header nobody knows where the next message starts.
pub fn read_header(input: &[u8], phase: Phase, large_bytes_max: usize) -> SqlResult<Option<Header>> {
    let Some((&tag, rest)) = input.split_first() else { return Ok(None) };
    let bytes_max = length_limit(tag, phase, large_bytes_max)?;
    let Some(length) = rest.first_chunk::<4>() else { return Ok(None) };
    let length = u32::from_be_bytes(*length) as usize;
    if length < 4 || length > bytes_max {
        return Err(violation("invalid message length").fatal());
    }
    Ok(Some(Header { tag, total_len: length + 1 }))
}

/// The largest length that a message of this type may announce in this phase.
fn length_limit(tag: u8, phase: Phase, large_bytes_max: usize) -> SqlResult<usize> {
    if phase == Phase::Authentication {
        return match tag {
            b'p' => Ok(UNAUTHENTICATED_MESSAGE_BYTES_MAX),
            _ => Err(violation(format!("expected password response, got message type {tag}")).fatal()),
        };
    }
    match tag {
        b'Q' | b'P' | b'B' | b'F' | b'd' => Ok(large_bytes_max.min(LARGE_MESSAGE_BYTES_MAX)),
        b'C' | b'D' | b'E' | b'H' | b'S' | b'X' | b'c' | b'f' => Ok(SMALL_MESSAGE_BYTES_MAX),
        _ => Err(violation(format!("invalid frontend message type {tag}")).fatal()),
    }
}

/// Reads the length of a start-up packet; `None` when it has not arrived yet.
pub fn read_startup_length(input: &[u8]) -> SqlResult<Option<usize>> {
    let Some(length) = input.first_chunk::<4>() else { return Ok(None) };
    let length = u32::from_be_bytes(*length) as usize;
    if !(8..=UNAUTHENTICATED_MESSAGE_BYTES_MAX).contains(&length) {
        return Err(violation("invalid length of startup packet").fatal());
    }
    Ok(Some(length))
}

/// `08P01` with a message.
pub(crate) fn violation(message: impl Into<String>) -> SqlError {
    SqlError::new(PROTOCOL_VIOLATION, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(tag: u8, length: u32) -> Vec<u8> {
        let mut bytes = vec![tag];
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes
    }

    #[test]
    fn a_header_is_awaited_until_it_is_complete() {
        let bytes = header(b'Q', 9);
        for arrived in 0..bytes.len() {
            assert_eq!(read_header(&bytes[..arrived], Phase::Ready, 1 << 20).unwrap(), None);
        }
        assert_eq!(read_header(&bytes, Phase::Ready, 1 << 20).unwrap(), Some(Header { tag: b'Q', total_len: 10 }));
    }

    #[test]
    fn lengths_are_limited_by_type_and_phase() {
        let accepted = |tag, length, phase| read_header(&header(tag, length), phase, 1 << 20).is_ok();
        assert!(accepted(b'Q', 1 << 20, Phase::Ready));
        assert!(!accepted(b'Q', (1 << 20) + 1, Phase::Ready));
        assert!(accepted(b'S', 10_000, Phase::Ready));
        assert!(!accepted(b'S', 10_001, Phase::Ready));
        assert!(!accepted(b'S', 3, Phase::Ready));
        assert!(accepted(b'p', 10_000, Phase::Authentication));
        assert!(!accepted(b'p', 10_001, Phase::Authentication));
    }

    #[test]
    fn a_wrong_type_is_refused_before_its_length_arrives() {
        assert!(read_header(b"Q", Phase::Authentication, 1 << 20).unwrap_err().is_fatal());
        let error = read_header(b"z", Phase::Ready, 1 << 20).unwrap_err();
        assert_eq!((error.code(), error.message()), (PROTOCOL_VIOLATION, "invalid frontend message type 122"));
    }

    #[test]
    fn a_startup_packet_is_8_to_10000_bytes() {
        for (length, accepted) in [(7u32, false), (8, true), (10_000, true), (10_001, false), (u32::MAX, false)] {
            assert_eq!(read_startup_length(&length.to_be_bytes()).is_ok(), accepted, "{length}");
        }
    }
}
