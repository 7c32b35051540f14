//! Functions and operators of text and bytea.
//!
//! Case follows the C collation: only ASCII letters have one. Positions and lengths count characters in text,
//! bytes in bytea.

mod bytes;
mod case;
mod concat;
mod encode;
mod encoding;
mod format;
mod identifier;
mod length;
mod like;
mod normalization;
mod pad;
mod quote;
mod regex;
mod regex_parts;
mod regex_replace;
mod search;
mod similar;
mod slice;
mod unicode;

use nqdb_sqlstate::{PROGRAM_LIMIT_EXCEEDED, SqlError};

use crate::Function;

pub use encoding::{char_to_encoding, server_encoding};
pub use quote::quote_identifier;

/// The tables of the modules below.
pub(crate) static TABLES: &[&[&[Function]]] = &[
    bytes::FUNCTIONS,
    case::FUNCTIONS,
    concat::FUNCTIONS,
    encode::FUNCTIONS,
    encoding::FUNCTIONS,
    format::FUNCTIONS,
    identifier::FUNCTIONS,
    length::FUNCTIONS,
    like::FUNCTIONS,
    normalization::FUNCTIONS,
    pad::FUNCTIONS,
    quote::FUNCTIONS,
    regex::FUNCTIONS,
    regex_parts::FUNCTIONS,
    regex_replace::FUNCTIONS,
    search::FUNCTIONS,
    similar::FUNCTIONS,
    slice::FUNCTIONS,
    unicode::FUNCTIONS,
];

/// The longest value of PostgreSQL's: 1 GiB less one byte.
const LEN_MAX: usize = 0x3fff_ffff;

/// "requested length too large" (54000).
#[cold]
fn too_long() -> SqlError {
    SqlError::new(PROGRAM_LIMIT_EXCEEDED, "requested length too large")
}
