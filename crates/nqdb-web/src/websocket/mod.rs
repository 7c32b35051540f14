//! WebSockets: the handshake (RFC 6455, section 4) and the frames.

pub mod frame;
mod handshake;

pub use handshake::{Accepted, accept};
