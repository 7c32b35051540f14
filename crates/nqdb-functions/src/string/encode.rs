//! Bytes as text (hex, base64, escape) and digests.

use nqdb_functions_macros::sql_function;
use nqdb_sqlstate::{INVALID_PARAMETER_VALUE, INVALID_TEXT_REPRESENTATION, SqlError, SqlResult};
use sha2::Digest;

use crate::Function;

pub(crate) static FUNCTIONS: &[&[Function]] =
    &[&ENCODE, &DECODE, &MD5_TEXT, &MD5_BYTEA, &SHA224, &SHA256, &SHA384, &SHA512];

fn fail<T>(message: impl Into<String>) -> SqlResult<T> {
    Err(SqlError::new(INVALID_PARAMETER_VALUE, message))
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble & 15)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect()
}

#[sql_function("encode(bytea, text) -> text", oid = 1946)]
fn encode(bytes: &[u8], encoding: &str) -> SqlResult<String> {
    match encoding.to_ascii_lowercase().as_str() {
        "hex" => Ok(hex(bytes)),
        "base64" => Ok(base64(bytes)),
        "escape" => Ok(escape(bytes)),
        _ => fail(format!("unrecognized encoding: \"{encoding}\"")),
    }
}

#[sql_function("decode(text, text) -> bytea", oid = 1947)]
fn decode(text: &str, encoding: &str) -> SqlResult<Vec<u8>> {
    match encoding.to_ascii_lowercase().as_str() {
        "hex" => from_hex(text),
        "base64" => from_base64(text),
        "escape" => from_escape(text),
        _ => fail(format!("unrecognized encoding: \"{encoding}\"")),
    }
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// RFC 2045: lines of 76 characters, padded.
fn base64(bytes: &[u8]) -> String {
    const LINE_LEN: usize = 76;
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    let mut column = 0;
    for group in bytes.chunks(3) {
        if column >= LINE_LEN {
            out.push('\n');
            column = 0;
        }
        let value = group.iter().fold(0u32, |value, byte| value << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        for index in 0..4 {
            let digit = BASE64[(value >> (18 - 6 * index) & 63) as usize];
            out.push(if index <= group.len() { char::from(digit) } else { '=' });
        }
        column += 4;
    }
    out
}

fn from_base64(text: &str) -> SqlResult<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let (mut value, mut count, mut padding) = (0u32, 0, 0);
    for character in text.chars().filter(|character| !matches!(character, ' ' | '\t' | '\n' | '\r')) {
        let digit = if character == '=' {
            if count < 2 && padding == 0 {
                return fail("unexpected \"=\" while decoding base64 sequence");
            }
            padding += 1;
            0
        } else {
            match BASE64.iter().position(|digit| char::from(*digit) == character) {
                Some(_) if padding > 0 => return fail("invalid base64 end sequence"),
                Some(digit) => digit as u32,
                None => {
                    let message = format!("invalid symbol \"{character}\" found while decoding base64 sequence");
                    return fail(message);
                }
            }
        };
        value = value << 6 | digit;
        count += 1;
        if count == 4 {
            let kept = 3usize.saturating_sub(padding);
            out.extend_from_slice(value.to_be_bytes().get(1..1 + kept).unwrap_or(&[]));
            (value, count) = (0, 0);
        }
    }
    if count != 0 {
        return Err(SqlError::new(INVALID_PARAMETER_VALUE, "invalid base64 end sequence")
            .with_hint("Input data is missing padding, is truncated, or is otherwise corrupted."));
    }
    Ok(out)
}

fn from_hex(text: &str) -> SqlResult<Vec<u8>> {
    let mut digits = Vec::with_capacity(text.len());
    for character in text.chars().filter(|character| !matches!(character, ' ' | '\t' | '\n' | '\r')) {
        match character.to_digit(16) {
            Some(digit) => digits.push(digit as u8),
            None => return fail(format!("invalid hexadecimal digit: \"{character}\"")),
        }
    }
    let pairs = digits.chunks_exact(2);
    if !pairs.remainder().is_empty() {
        return fail("invalid hexadecimal data: odd number of digits");
    }
    Ok(pairs.map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect())
}

/// NUL and bytes beyond ASCII as `\ooo`, a backslash doubled.
fn escape(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b'\\' => out.push_str("\\\\"),
            0 | 128.. => out.push_str(&format!("\\{byte:03o}")),
            _ => out.push(char::from(*byte)),
        }
    }
    out
}

fn from_escape(text: &str) -> SqlResult<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    loop {
        rest = match rest {
            [] => return Ok(out),
            [b'\\', b'\\', rest @ ..] => {
                out.push(b'\\');
                rest
            }
            [b'\\', a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', rest @ ..] => {
                out.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                rest
            }
            [b'\\', ..] => {
                return Err(SqlError::new(INVALID_TEXT_REPRESENTATION, "invalid input syntax for type bytea"));
            }
            [byte, rest @ ..] => {
                out.push(*byte);
                rest
            }
        };
    }
}

#[sql_function("md5(text) -> text", oid = 2311)]
fn md5_text(text: &str) -> String {
    hex(&md5::Md5::digest(text.as_bytes()))
}

#[sql_function("md5(bytea) -> text", oid = 2321)]
fn md5_bytea(bytes: &[u8]) -> String {
    hex(&md5::Md5::digest(bytes))
}

#[sql_function("sha224(bytea) -> bytea", oid = 3419)]
fn sha224(bytes: &[u8]) -> Vec<u8> {
    sha2::Sha224::digest(bytes).to_vec()
}

#[sql_function("sha256(bytea) -> bytea", oid = 3420)]
fn sha256(bytes: &[u8]) -> Vec<u8> {
    sha2::Sha256::digest(bytes).to_vec()
}

#[sql_function("sha384(bytea) -> bytea", oid = 3421)]
fn sha384(bytes: &[u8]) -> Vec<u8> {
    sha2::Sha384::digest(bytes).to_vec()
}

#[sql_function("sha512(bytea) -> bytea", oid = 3422)]
fn sha512(bytes: &[u8]) -> Vec<u8> {
    sha2::Sha512::digest(bytes).to_vec()
}
