//! Any bytes from a client of channels: frames of WebSockets are taken apart within the limit of a message however they come, and
//! lines become commands, filters and tokens, or are refused, never with a panic.
//!
//! The modules are those of `nqdb-web`, compiled by themselves: the crate needs sessions, and they everything else.
#![no_main]
#![allow(dead_code, reason = "the fuzzer calls what a client reaches")]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;

#[path = "../../crates/nqdb-web/src/websocket"]
mod websocket {
    pub mod frame;
}

#[path = "../../crates/nqdb-web/src/realtime"]
mod realtime {
    pub mod filter;
    pub mod protocol;
    pub mod token;
}

use realtime::filter::Filter;
use realtime::protocol::Command;
use websocket::frame::{Decoder, Message};

const MESSAGE_BYTES_MAX: usize = 4 * 1024;

/// What a client sends arrives in pieces of so many bytes: the same has to come out.
fn decoded(data: &[u8], piece_bytes: usize) -> Vec<Message> {
    let (mut decoder, mut input, mut messages) = (Decoder::new(MESSAGE_BYTES_MAX), BytesMut::new(), Vec::new());
    for piece in data.chunks(piece_bytes) {
        input.extend_from_slice(piece);
        loop {
            match decoder.next(&mut input) {
                Ok(Some(message)) => {
                    if let Message::Text(text) = &message {
                        assert!(text.len() <= MESSAGE_BYTES_MAX);
                    }
                    messages.push(message);
                }
                Ok(None) => break,
                Err(violation) => {
                    assert!((1002..=1009).contains(&violation.code));
                    return messages;
                }
            }
        }
    }
    messages
}

fn take_line(line: &str) {
    let Some(command) = Command::read(line) else { return };
    if let Some(subscribe) = &command.subscribe
        && let Some(filter) = subscribe.tf.as_ref().and_then(Filter::read)
    {
        let _ = filter.passes(line);
        let _ = filter.passes(r#"{"op":"insert","row":{"total":12.50,"name":"ada"}}"#);
    }
    if let Some(connect) = &command.connect {
        let _ = realtime::token::verify(&connect.token, b"secret", 0);
    }
}

fuzz_target!(|data: &[u8]| {
    let whole = decoded(data, data.len().max(1));
    assert_eq!(decoded(data, 1), whole, "pieces change nothing");
    for message in whole {
        if let Message::Text(text) = message {
            text.split('\n').for_each(take_line);
        }
    }
    // Most inputs are no frames: as lines they reach the commands.
    if let Ok(text) = std::str::from_utf8(data) {
        text.split('\n').for_each(take_line);
    }
});
