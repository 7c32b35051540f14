//! Any bytes from a client: headers and messages are read or refused, never with a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nqdb_wire::frame::{Phase, read_header, read_startup_length};
use nqdb_wire::frontend::Request;

const LARGE_BYTES_MAX: usize = 1 << 20;

fuzz_target!(|data: &[u8]| {
    let _ = read_startup_length(data);
    for phase in [Phase::Authentication, Phase::Ready, Phase::CopyIn] {
        let _ = read_header(data, phase, LARGE_BYTES_MAX);
    }
    if let Some((&tag, body)) = data.split_first() {
        let _ = Request::decode(tag, body);
    }
});
