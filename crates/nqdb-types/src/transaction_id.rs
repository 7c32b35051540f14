//! `xid8`, `pg_lsn` and `pg_snapshot`: numbers of 64 bits without a sign, and what a snapshot saw of them (manual 8.19, 8.20
//! and 9.27.10).
//!
//! ```text
//! xid8          a number: decimal, octal behind 0, hexadecimal behind 0x
//! pg_lsn        two halves in hexadecimal: 16/B374D848
//! pg_snapshot   xmin:xmax:numbers in between that were running: 10:20:10,14,15
//! ```

use std::io::Write;

use nqdb_sqlstate::{INVALID_BINARY_REPRESENTATION, SqlError, SqlResult};

use crate::Sink;
use crate::row::Corrupt;
use crate::text::invalid_syntax;

/// Digits of one half of a `pg_lsn`.
const LSN_HALF_DIGITS_MAX: usize = 8;

/// A `pg_snapshot`. What always holds: `0 < xmin <= xmax`, and the running ones are in order, each once, from `xmin` up to
/// below `xmax`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransactionSnapshot {
    xmin: u64,
    xmax: u64,
    running: Vec<u64>,
}

impl TransactionSnapshot {
    /// `None` when the numbers are not as they must be.
    pub fn new(xmin: u64, xmax: u64, running: Vec<u64>) -> Option<TransactionSnapshot> {
        let in_order = running.windows(2).all(|pair| matches!(pair, [one, next] if one < next));
        let in_range = running.iter().all(|number| (xmin..xmax).contains(number));
        (xmin > 0 && xmin <= xmax && in_order && in_range).then_some(TransactionSnapshot { xmin, xmax, running })
    }

    pub fn xmin(&self) -> u64 {
        self.xmin
    }

    pub fn xmax(&self) -> u64 {
        self.xmax
    }

    pub fn running(&self) -> &[u64] {
        &self.running
    }

    /// Whether it sees what the transaction did.
    pub fn sees(&self, number: u64) -> bool {
        number < self.xmin || (number < self.xmax && self.running.binary_search(&number).is_err())
    }

    /// Bytes outside of the struct.
    pub(crate) fn heap_size(&self) -> usize {
        self.running.len() * size_of::<u64>()
    }

    pub(crate) fn parse(text: &str) -> SqlResult<TransactionSnapshot> {
        let bad = || invalid_syntax("pg_snapshot", text);
        let mut parts = text.splitn(3, ':');
        let mut bound = || parts.next().and_then(|part| part.parse::<u64>().ok());
        let (Some(xmin), Some(xmax), Some(list)) = (bound(), bound(), text.splitn(3, ':').nth(2)) else {
            return Err(bad());
        };
        let mut running: Vec<u64> = Vec::new();
        let mut numbers: Vec<&str> = list.split(',').collect();
        if numbers.last() == Some(&"") {
            numbers.pop();
        }
        for number in numbers {
            let number = number.parse().map_err(|_| bad())?;
            // A number that stands twice counts once.
            if running.last() != Some(&number) {
                running.push(number);
            }
        }
        TransactionSnapshot::new(xmin, xmax, running).ok_or_else(bad)
    }

    pub(crate) fn write_to<S: Sink>(&self, out: &mut S) {
        let running: Vec<String> = self.running.iter().map(u64::to_string).collect();
        out.put(format!("{}:{}:{}", self.xmin, self.xmax, running.join(",")).as_bytes());
    }

    /// The count of running ones in 4 bytes, `xmin`, `xmax`, and they: big-endian.
    pub(crate) fn write_binary<S: Sink>(&self, out: &mut S) {
        out.put(&(self.running.len() as u32).to_be_bytes());
        for number in [self.xmin, self.xmax].iter().chain(&self.running) {
            out.put(&number.to_be_bytes());
        }
    }

    pub(crate) fn read_binary(bytes: &[u8]) -> SqlResult<TransactionSnapshot> {
        let bad = || SqlError::new(INVALID_BINARY_REPRESENTATION, "invalid external pg_snapshot data");
        let (count, numbers) = bytes.split_first_chunk::<4>().ok_or_else(bad)?;
        let (numbers, rest) = numbers.as_chunks::<8>();
        let mut numbers = numbers.iter().map(|number| u64::from_be_bytes(*number));
        let (Some(xmin), Some(xmax)) = (numbers.next(), numbers.next()) else { return Err(bad()) };
        let running: Vec<u64> = numbers.collect();
        if !rest.is_empty() || u32::try_from(running.len()) != Ok(u32::from_be_bytes(*count)) {
            return Err(bad());
        }
        TransactionSnapshot::new(xmin, xmax, running).ok_or_else(bad)
    }

    /// The storage form: as the binary one, without the count.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        for number in [self.xmin, self.xmax].iter().chain(&self.running) {
            out.extend_from_slice(&number.to_le_bytes());
        }
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<TransactionSnapshot, Corrupt> {
        let (numbers, rest) = bytes.as_chunks::<8>();
        let mut numbers = numbers.iter().map(|number| u64::from_le_bytes(*number));
        let found = match (numbers.next(), numbers.next(), rest) {
            (Some(xmin), Some(xmax), []) => TransactionSnapshot::new(xmin, xmax, numbers.collect()),
            _ => None,
        };
        found.ok_or(Corrupt::new("a stored snapshot is none"))
    }
}

/// Reads a number as C's `strtoull` does with base 0: what cannot be read ends it, and one too large is the largest.
fn leading_number(text: &str) -> Option<(u64, &str)> {
    let text = text.trim_start_matches(crate::text::is_space);
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let hexadecimal = unsigned.strip_prefix("0x").or_else(|| unsigned.strip_prefix("0X"));
    let (digits, radix) = match hexadecimal.filter(|rest| rest.starts_with(|digit: char| digit.is_ascii_hexdigit())) {
        Some(rest) => (rest, 16),
        None if unsigned.starts_with('0') => (unsigned, 8),
        None => (unsigned, 10),
    };
    let len = digits.find(|digit: char| !digit.is_digit(radix)).unwrap_or(digits.len());
    let (digits, rest) = digits.split_at(len);
    if digits.is_empty() {
        return None;
    }
    let value = u64::from_str_radix(digits, radix).unwrap_or(u64::MAX);
    Some((if negative { value.wrapping_neg() } else { value }, rest))
}

/// An `xid8`: the number that the text starts with, or 0. PostgreSQL 15 refuses nothing here.
pub(crate) fn parse_xid8(text: &str) -> u64 {
    leading_number(text).map_or(0, |(number, _)| number)
}

/// An `xid`: the low half of what would be an `xid8`.
pub(crate) fn parse_xid(text: &str) -> u32 {
    parse_xid8(text) as u32
}

/// A `pg_lsn`; 22P02 when it is none.
pub(crate) fn parse_lsn(text: &str) -> SqlResult<u64> {
    let half = |digits: &str| {
        let valid =
            (1..=LSN_HALF_DIGITS_MAX).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        u64::from_str_radix(digits, 16).ok().filter(|_| valid)
    };
    let halves = text.split_once('/').and_then(|(high, low)| Some((half(high)?, half(low)?)));
    halves.map(|(high, low)| high << 32 | low).ok_or_else(|| invalid_syntax("pg_lsn", text))
}

/// A `pg_lsn` as PostgreSQL prints it.
pub(crate) fn write_lsn<S: Sink>(out: &mut S, value: u64) {
    let mut text = Vec::with_capacity(2 * LSN_HALF_DIGITS_MAX + 1);
    // Writing to a vector cannot fail.
    let _ = write!(text, "{:X}/{:X}", value >> 32, value as u32);
    out.put(&text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_c_reads_them() {
        assert_eq!(parse_xid8("010"), 8);
        assert_eq!(parse_xid8(" 0xffffffffffffffff "), u64::MAX);
        assert_eq!(parse_xid8("-1"), u64::MAX);
        assert_eq!(parse_xid("0xffffffff"), u32::MAX);
        assert_eq!(["", "asdf", "1x", "0x", "12 3"].map(parse_xid8), [0, 0, 1, 0, 12]);
    }

    #[test]
    fn places_in_the_log_have_two_halves() {
        assert_eq!(parse_lsn("16/B374D848").unwrap(), 0x16_B374_D848);
        let mut out = Vec::new();
        write_lsn(&mut out, u64::MAX);
        assert_eq!(out, b"FFFFFFFF/FFFFFFFF");
        for text in ["G/0", "-1/0", " 0/12345678", "ABCD/", "/ABCD", "123456789/0"] {
            assert!(parse_lsn(text).is_err(), "{text}");
        }
    }

    #[test]
    fn snapshots_keep_their_forms() {
        let snapshot = TransactionSnapshot::parse("12:20:13,15,15,18").unwrap();
        assert_eq!(snapshot.running(), [13, 15, 18]);
        assert!(snapshot.sees(11) && snapshot.sees(14) && !snapshot.sees(15) && !snapshot.sees(20));
        let (mut stored, mut wire, mut text) = (Vec::new(), Vec::new(), Vec::new());
        snapshot.encode(&mut stored);
        snapshot.write_binary(&mut wire);
        snapshot.write_to(&mut text);
        assert_eq!(TransactionSnapshot::decode(&stored).unwrap(), snapshot);
        assert_eq!(TransactionSnapshot::read_binary(&wire).unwrap(), snapshot);
        assert_eq!(text, b"12:20:13,15,18");
        assert!(TransactionSnapshot::decode(&stored[1..]).is_err());
        assert!(TransactionSnapshot::read_binary(&wire[..wire.len() - 1]).is_err());
        for text in ["31:12:", "0:1:", "12:13:0", "12:16:14,13", "1:2", "1:2:x", ""] {
            assert!(TransactionSnapshot::parse(text).is_err(), "{text}");
        }
    }
}
