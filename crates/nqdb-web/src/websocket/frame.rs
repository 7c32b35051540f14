//! Frames of the WebSocket protocol (RFC 6455), the server's side: clients' frames are masked, ours are not.
//!
//! ```text
//!   byte 0: FIN, three reserved bits, opcode    byte 1: MASK, length (126: two more bytes, 127: eight)
//!   then, from a client, four bytes of mask, and the payload
//! ```
//!
//! What always holds:
//! 1. A message, whole or in fragments, takes no more memory than its limit: a longer one is refused at its header (1009).
//! 2. Whatever breaks a rule is an error with the close code that says so; nothing that is sent panics.
//! 3. An unmasked frame of ours is a header and bytes that many connections may share.
//!
//! No extensions: the reserved bits must be clear.

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// The longest payload of a control frame.
const CONTROL_BYTES_MAX: usize = 125;

const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// A message of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    Text(String),
    Binary,
    Ping(Bytes),
    Pong,
    /// With the code that it gave.
    Close(Option<u16>),
}

/// Why a connection is to be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Violation {
    pub code: u16,
    pub reason: &'static str,
}

const fn protocol_error(reason: &'static str) -> Violation {
    Violation { code: 1002, reason }
}

const TOO_LARGE: Violation = Violation { code: 1009, reason: "message too large" };
const NO_UTF8: Violation = Violation { code: 1007, reason: "text is not UTF-8" };

/// Reads the frames of one client.
#[derive(Debug)]
pub struct Decoder {
    message_bytes_max: usize,
    /// A message of which fragments have come: its opcode and their payloads.
    partial: Option<(u8, BytesMut)>,
}

/// A frame's header.
struct Header {
    is_final: bool,
    opcode: u8,
    mask: [u8; 4],
    header_len: usize,
    payload_len: usize,
}

impl Decoder {
    pub fn new(message_bytes_max: usize) -> Decoder {
        Decoder { message_bytes_max, partial: None }
    }

    /// Takes the next whole message from the start of the input; `None` when more has to come.
    pub fn next(&mut self, input: &mut BytesMut) -> Result<Option<Message>, Violation> {
        loop {
            let Some(header) = self.read_header(input)? else { return Ok(None) };
            if input.len() < header.header_len + header.payload_len {
                return Ok(None);
            }
            input.advance(header.header_len);
            let mut payload = input.split_to(header.payload_len);
            payload.iter_mut().zip(header.mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
            if let Some(message) = self.take(header.opcode, header.is_final, payload)? {
                return Ok(Some(message));
            }
        }
    }

    /// Checks what can be checked before the payload has come.
    fn read_header(&self, input: &[u8]) -> Result<Option<Header>, Violation> {
        let (Some(first), Some(second)) = (input.first(), input.get(1)) else { return Ok(None) };
        let (is_final, opcode) = (first & 0x80 != 0, first & 0x0f);
        if first & 0x70 != 0 {
            return Err(protocol_error("reserved bits are set"));
        }
        if second & 0x80 == 0 {
            return Err(protocol_error("frames of clients have to be masked"));
        }
        let short = usize::from(second & 0x7f);
        let (payload_len, length_end) = match short {
            126 => match input.get(2..4).and_then(|bytes| bytes.first_chunk::<2>()) {
                Some(bytes) => (usize::from(u16::from_be_bytes(*bytes)), 4),
                None => return Ok(None),
            },
            127 => match input.get(2..10).and_then(|bytes| bytes.first_chunk::<8>()) {
                Some(bytes) => (usize::try_from(u64::from_be_bytes(*bytes)).map_err(|_| TOO_LARGE)?, 10),
                None => return Ok(None),
            },
            _ => (short, 2),
        };
        if (short == 126 && payload_len < 126) || (short == 127 && payload_len <= usize::from(u16::MAX)) {
            return Err(protocol_error("a length is not written in its shortest form"));
        }
        self.check_kind(opcode, is_final, payload_len)?;
        let Some(mask) = input.get(length_end..length_end + 4).and_then(|bytes| bytes.first_chunk::<4>()) else {
            return Ok(None);
        };
        Ok(Some(Header { is_final, opcode, mask: *mask, header_len: length_end + 4, payload_len }))
    }

    fn check_kind(&self, opcode: u8, is_final: bool, payload_len: usize) -> Result<(), Violation> {
        match opcode {
            CLOSE | PING | PONG if !is_final => Err(protocol_error("a control frame is in fragments")),
            CLOSE | PING | PONG if payload_len > CONTROL_BYTES_MAX => {
                Err(protocol_error("a control frame is too long"))
            }
            CLOSE | PING | PONG => Ok(()),
            CONTINUATION if self.partial.is_none() => Err(protocol_error("nothing is there to continue")),
            TEXT | BINARY if self.partial.is_some() => Err(protocol_error("a message begins inside another")),
            CONTINUATION | TEXT | BINARY => {
                let before = self.partial.as_ref().map_or(0, |(_, payload)| payload.len());
                let fits = payload_len <= self.message_bytes_max.saturating_sub(before);
                if fits { Ok(()) } else { Err(TOO_LARGE) }
            }
            _ => Err(protocol_error("unknown kind of frame")),
        }
    }

    fn take(&mut self, opcode: u8, is_final: bool, payload: BytesMut) -> Result<Option<Message>, Violation> {
        match opcode {
            PING => return Ok(Some(Message::Ping(payload.freeze()))),
            PONG => return Ok(Some(Message::Pong)),
            CLOSE => return read_close(&payload).map(|code| Some(Message::Close(code))),
            _ => {}
        }
        let (opcode, payload) = match self.partial.take() {
            Some((first, mut whole)) => {
                whole.extend_from_slice(&payload);
                (first, whole)
            }
            None => (opcode, payload),
        };
        if !is_final {
            self.partial = Some((opcode, payload));
            return Ok(None);
        }
        if opcode == BINARY {
            return Ok(Some(Message::Binary));
        }
        String::from_utf8(payload.to_vec()).map(|text| Some(Message::Text(text))).map_err(|_| NO_UTF8)
    }
}

/// The code of a close frame, which may be empty; the reason has to be UTF-8.
fn read_close(payload: &[u8]) -> Result<Option<u16>, Violation> {
    let Some((code, reason)) = payload.split_first_chunk::<2>() else {
        return if payload.is_empty() { Ok(None) } else { Err(protocol_error("a close frame has half a code")) };
    };
    let code = u16::from_be_bytes(*code);
    if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
        return Err(protocol_error("a close frame has no valid code"));
    }
    std::str::from_utf8(reason).map(|_| Some(code)).map_err(|_| NO_UTF8)
}

fn put_header(opcode: u8, payload_len: usize, frame: &mut BytesMut) {
    frame.put_u8(0x80 | opcode);
    match payload_len {
        0..126 => frame.put_u8(payload_len as u8),
        126..0x1_0000 => {
            frame.put_u8(126);
            frame.put_u16(payload_len as u16);
        }
        _ => {
            frame.put_u8(127);
            frame.put_u64(payload_len as u64);
        }
    }
}

/// A text message, whole.
pub fn text(payload: &str) -> Bytes {
    let mut frame = BytesMut::with_capacity(payload.len() + 10);
    put_header(TEXT, payload.len(), &mut frame);
    frame.put_slice(payload.as_bytes());
    frame.freeze()
}

/// The answer to a ping.
pub fn pong(payload: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(payload.len() + 2);
    put_header(PONG, payload.len(), &mut frame);
    frame.put_slice(payload);
    frame.freeze()
}

/// The last frame of a connection. A reason that is too long is left out.
pub fn close(code: u16, reason: &str) -> Bytes {
    let reason = if reason.len() + 2 <= CONTROL_BYTES_MAX { reason } else { "" };
    let mut frame = BytesMut::with_capacity(reason.len() + 4);
    put_header(CLOSE, reason.len() + 2, &mut frame);
    frame.put_u16(code);
    frame.put_slice(reason.as_bytes());
    frame.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A client's frame.
    fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = BytesMut::new();
        put_header(0, payload.len(), &mut frame);
        frame[0] = first;
        frame[1] |= 0x80;
        let mask = [0x11, 0x22, 0x33, 0x44];
        frame.put_slice(&mask);
        frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        frame.to_vec()
    }

    fn decode(bytes: &[u8]) -> Result<Vec<Message>, Violation> {
        let (mut decoder, mut input) = (Decoder::new(1000), BytesMut::from(bytes));
        let mut messages = Vec::new();
        while let Some(message) = decoder.next(&mut input)? {
            messages.push(message);
        }
        Ok(messages)
    }

    #[test]
    fn messages_come_out_however_they_arrive() {
        let long = "é".repeat(300);
        let bytes = [
            masked(0x81, b"one"),
            masked(0x01, &long.as_bytes()[..301]),
            masked(0x89, b"between"),
            masked(0x80, &long.as_bytes()[301..]),
            masked(0x8a, b""),
            masked(0x82, b"\xff"),
            masked(0x88, &[0x03, 0xe8]),
        ]
        .concat();
        let wanted = vec![
            Message::Text("one".to_owned()),
            Message::Ping(Bytes::from_static(b"between")),
            Message::Text(long),
            Message::Pong,
            Message::Binary,
            Message::Close(Some(1000)),
        ];
        assert_eq!(decode(&bytes), Ok(wanted.clone()));
        let (mut decoder, mut input, mut got) = (Decoder::new(1000), BytesMut::new(), Vec::new());
        for byte in bytes {
            input.put_u8(byte);
            got.extend(decoder.next(&mut input).unwrap());
        }
        assert_eq!(got, wanted);
    }

    #[test]
    fn what_breaks_a_rule_has_its_code() {
        let code = |bytes: &[u8]| decode(bytes).unwrap_err().code;
        assert_eq!(code(&[0x81, 0x01, b'x']), 1002, "not masked");
        assert_eq!(code(&masked(0xc1, b"x")), 1002, "reserved bit");
        assert_eq!(code(&masked(0x83, b"x")), 1002, "unknown opcode");
        assert_eq!(code(&masked(0x80, b"x")), 1002, "nothing to continue");
        assert_eq!(code(&[masked(0x01, b"x"), masked(0x81, b"y")].concat()), 1002, "inside another");
        assert_eq!(code(&masked(0x09, b"x")), 1002, "ping in fragments");
        assert_eq!(code(&masked(0x89, &[0; 126])), 1002, "long ping");
        assert_eq!(code(&masked(0x88, &[3])), 1002, "half a code");
        assert_eq!(code(&masked(0x88, &[0x03, 0xed])), 1002, "1005 is never sent");
        assert_eq!(code(&masked(0x81, b"\xff")), 1007);
        assert_eq!(code(&masked(0x81, &[b'x'; 1001])), 1009);
        assert_eq!(code(&[masked(0x01, &[b'x'; 600]), masked(0x80, &[b'x'; 600])].concat()), 1009);
        // Refused at its header, before anything of it has come.
        assert_eq!(code(&[0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]), 1009);
        assert_eq!(code(&[0x81, 0xfe, 0, 5, 0, 0, 0, 0]), 1002, "length in a longer form");
    }

    #[test]
    fn noise_is_refused_or_awaited_and_never_kept_beyond_the_limit() {
        let mut state = 1u64;
        let mut noise = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        };
        for _ in 0..20_000 {
            let (mut decoder, mut input) = (Decoder::new(100), BytesMut::new());
            // The first byte is of a valid frame more often than chance would have it.
            input.put_u8([0x81, 0x01, 0x80, 0x82, 0x89][usize::from(noise()) % 5]);
            input.put_u8(0x80 | (noise() & 0x7f));
            (0..200).for_each(|_| input.put_u8(noise()));
            while let Ok(Some(message)) = decoder.next(&mut input) {
                if let Message::Text(text) = message {
                    assert!(text.len() <= 100);
                }
            }
            assert!(decoder.partial.is_none_or(|(_, payload)| payload.len() <= 100));
        }
    }

    #[test]
    fn our_frames_are_plain() {
        assert_eq!(&text("hi")[..], b"\x81\x02hi");
        assert_eq!(&text(&"x".repeat(200))[..4], [0x81, 126, 0, 200]);
        assert_eq!(&text(&"x".repeat(70_000))[..10], [0x81, 127, 0, 0, 0, 0, 0, 1, 0x11, 0x70]);
        assert_eq!(&close(3001, "shutdown")[..4], [0x88, 10, 0x0b, 0xb9]);
        assert_eq!(&pong(b"x")[..], b"\x8a\x01x");
    }
}
