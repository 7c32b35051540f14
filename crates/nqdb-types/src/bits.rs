//! Bit strings: the values of `bit(n)` and `bit varying(n)`.
//!
//! Bits stand in bytes, the first bit highest; what the last byte has beyond the length is zero. The order is
//! PostgreSQL's: the bytes decide, then the length, so that `B'1'` stands before `B'10'`.
//!
//! ```text
//! wire form      length in bits i32, big-endian | bytes          storage form   length u32, little-endian | bytes
//! key            the bytes as those of a bytea | length u32, big-endian
//! ```

use std::cmp::Ordering;

use nqdb_sqlstate::{
    ARRAY_SUBSCRIPT_ERROR, INVALID_BINARY_REPRESENTATION, INVALID_TEXT_REPRESENTATION, PROGRAM_LIMIT_EXCEEDED,
    PROTOCOL_VIOLATION, STRING_DATA_LENGTH_MISMATCH, STRING_DATA_RIGHT_TRUNCATION, SqlError, SqlResult,
};

use crate::Sink;

/// The most bits of a value (PostgreSQL's limit).
pub const BIT_COUNT_MAX: usize = 0x7fff_ffe7;
/// The longest length that a type may ask for (PostgreSQL's limit).
pub const LENGTH_MODIFIER_MAX: i32 = 83_886_080;

/// A string of bits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Bits {
    len: usize,
    bytes: Vec<u8>,
}

impl Bits {
    /// So many zeros.
    pub fn zeros(len: usize) -> Bits {
        Bits { len, bytes: vec![0; len.div_ceil(8)] }
    }

    /// The first `len` bits of bytes; what is missing is zero.
    pub fn from_bytes(mut bytes: Vec<u8>, len: usize) -> Bits {
        bytes.resize(len.div_ceil(8), 0);
        if let Some(last) = bytes.last_mut()
            && !len.is_multiple_of(8)
        {
            *last &= 0xff << (8 - len % 8);
        }
        Bits { len, bytes }
    }

    /// The number of bits.
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// All bits, eight to a byte.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bit at a place counted from 0; zero beyond the end.
    pub fn get(&self, at: usize) -> bool {
        at < self.len && self.bytes.get(at / 8).is_some_and(|byte| byte >> (7 - at % 8) & 1 == 1)
    }

    /// Changes the bit at a place counted from 0; beyond the end nothing happens.
    pub fn set(&mut self, at: usize, value: bool) {
        if at < self.len
            && let Some(byte) = self.bytes.get_mut(at / 8)
        {
            let mask = 1 << (7 - at % 8);
            *byte = if value { *byte | mask } else { *byte & !mask };
        }
    }

    /// Reads `101`, `b101` or `x1f`. 22P02 for another digit.
    pub fn parse(text: &str) -> SqlResult<Bits> {
        let (digits, digit_bits) = match text.as_bytes().first() {
            Some(b'b' | b'B') => (text.get(1..).unwrap_or(""), 1),
            Some(b'x' | b'X') => (text.get(1..).unwrap_or(""), 4),
            _ => (text, 1),
        };
        let len = digits.chars().count() * digit_bits;
        if len > BIT_COUNT_MAX {
            return Err(too_long());
        }
        let mut bits = Bits::zeros(len);
        for (index, digit) in digits.chars().enumerate() {
            let Some(value) = digit.to_digit(1 << digit_bits) else {
                let kind = if digit_bits == 1 { "binary" } else { "hexadecimal" };
                let message = format!("\"{digit}\" is not a valid {kind} digit");
                return Err(SqlError::new(INVALID_TEXT_REPRESENTATION, message));
            };
            for bit in 0..digit_bits {
                bits.set(index * digit_bits + bit, value >> (digit_bits - 1 - bit) & 1 == 1);
            }
        }
        Ok(bits)
    }

    /// Appends the bits as zeros and ones.
    pub fn write_to<S: Sink>(&self, out: &mut S) {
        (0..self.len).for_each(|at| out.put_byte(b'0' + u8::from(self.get(at))));
    }

    /// Appends the wire form.
    pub fn write_binary<S: Sink>(&self, out: &mut S) {
        out.put(&(self.len as i32).to_be_bytes());
        out.put(&self.bytes);
    }

    /// Reads the wire form. 08P01 for too few bytes, 22P03 for a length that no value has or for too many bytes.
    pub fn read_binary(bytes: &[u8]) -> SqlResult<Bits> {
        let too_short = || SqlError::new(PROTOCOL_VIOLATION, "insufficient data left in message");
        let (len, bytes) = bytes.split_first_chunk::<4>().ok_or_else(too_short)?;
        let len = usize::try_from(i32::from_be_bytes(*len)).ok().filter(|len| *len <= BIT_COUNT_MAX);
        let len =
            len.ok_or_else(|| SqlError::new(INVALID_BINARY_REPRESENTATION, "invalid length in external bit string"))?;
        match bytes.len().cmp(&len.div_ceil(8)) {
            Ordering::Less => Err(too_short()),
            Ordering::Greater => Err(SqlError::new(INVALID_BINARY_REPRESENTATION, "incorrect binary data format")),
            Ordering::Equal => Ok(Bits::from_bytes(bytes.to_vec(), len)),
        }
    }

    /// Fits the bits to `bit(n)`: exactly so many. An explicit cast cuts or adds zeros at the end; else 22026.
    pub fn fitted(&self, len: usize, explicit: bool) -> SqlResult<Bits> {
        if self.len == len || explicit {
            return Ok(Bits::from_bytes(self.bytes.clone(), len));
        }
        let message = format!("bit string length {} does not match type bit({len})", self.len);
        Err(SqlError::new(STRING_DATA_LENGTH_MISMATCH, message))
    }

    /// Fits the bits to `bit varying(n)`: at most so many. An explicit cast cuts; else 22001.
    pub fn shortened(&self, len_max: usize, explicit: bool) -> SqlResult<Bits> {
        if self.len <= len_max || explicit {
            return Ok(Bits::from_bytes(self.bytes.clone(), self.len.min(len_max)));
        }
        let message = format!("bit string too long for type bit varying({len_max})");
        Err(SqlError::new(STRING_DATA_RIGHT_TRUNCATION, message))
    }

    /// The bits from a place counted from 0, at most so many.
    pub fn slice(&self, start: usize, len: usize) -> Bits {
        let start = start.min(self.len);
        let len = len.min(self.len - start);
        let mut slice = Bits::zeros(len);
        if start.is_multiple_of(8) {
            let bytes = self.bytes.get(start / 8..(start / 8 + len.div_ceil(8))).unwrap_or_default();
            return Bits::from_bytes(bytes.to_vec(), len);
        }
        (0..len).for_each(|at| slice.set(at, self.get(start + at)));
        slice
    }

    /// These bits and then the others; 54000 when that is too many.
    pub fn concatenated(&self, other: &Bits) -> SqlResult<Bits> {
        let len = self.len + other.len;
        if len > BIT_COUNT_MAX {
            return Err(too_long());
        }
        let mut bytes = self.bytes.clone();
        if self.len.is_multiple_of(8) {
            bytes.extend_from_slice(&other.bytes);
            return Ok(Bits { len, bytes });
        }
        let mut joined = Bits::from_bytes(bytes, len);
        (0..other.len).for_each(|at| joined.set(self.len + at, other.get(at)));
        Ok(joined)
    }

    /// Byte by byte with bits of the same length.
    pub fn combined(&self, other: &Bits, combine: fn(u8, u8) -> u8) -> Bits {
        let bytes = self.bytes.iter().zip(&other.bytes).map(|(a, b)| combine(*a, *b)).collect();
        Bits::from_bytes(bytes, self.len)
    }

    /// The other value of each bit.
    pub fn inverted(&self) -> Bits {
        Bits::from_bytes(self.bytes.iter().map(|byte| !byte).collect(), self.len)
    }

    /// Moves the bits towards the end by so many places, or towards the start where that is negative; the length stays.
    pub fn shifted(&self, places: i64) -> Bits {
        let distance = usize::try_from(places.unsigned_abs()).unwrap_or(usize::MAX);
        let mut shifted = Bits::zeros(self.len);
        for at in 0..self.len.saturating_sub(distance) {
            let (from, to) = if places > 0 { (at, at + distance) } else { (at + distance, at) };
            shifted.set(to, self.get(from));
        }
        shifted
    }

    /// The number of ones.
    pub fn count_ones(&self) -> i64 {
        self.bytes.iter().map(|byte| i64::from(byte.count_ones())).sum()
    }

    /// PostgreSQL's order.
    pub fn compare(&self, other: &Bits) -> Ordering {
        self.bytes.cmp(&other.bytes).then(self.len.cmp(&other.len))
    }

    /// Bytes that the value holds outside of itself.
    pub fn heap_size(&self) -> usize {
        self.bytes.len()
    }
}

fn too_long() -> SqlError {
    let message = format!("bit string length exceeds the maximum allowed ({BIT_COUNT_MAX})");
    SqlError::new(PROGRAM_LIMIT_EXCEEDED, message)
}

/// `bit index 9 out of valid range (0..7)` (2202E).
pub fn index_out_of_range(index: i64, len: usize) -> SqlError {
    let last = len as i64 - 1;
    SqlError::new(ARRAY_SUBSCRIPT_ERROR, format!("bit index {index} out of valid range (0..{last})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bits(text: &str) -> Bits {
        Bits::parse(text).expect("bits")
    }

    fn text(bits: &Bits) -> String {
        let mut out = Vec::new();
        bits.write_to(&mut out);
        String::from_utf8(out).expect("digits")
    }

    #[test]
    fn bits_are_read_and_written() {
        assert_eq!(text(&bits("x1F")), "00011111");
        assert_eq!(text(&bits("b101")), "101");
        assert_eq!(text(&bits("")), "");
        assert!(Bits::parse("12").is_err());
        let mut wire = Vec::new();
        bits("1010101011").write_binary(&mut wire);
        assert_eq!(wire, [0, 0, 0, 10, 0b1010_1010, 0b1100_0000]);
        assert_eq!(Bits::read_binary(&wire).expect("bits"), bits("1010101011"));
        assert!(Bits::read_binary(&wire[..5]).is_err());
        assert!(Bits::read_binary(&[0xff; 4]).is_err());
    }

    #[test]
    fn bits_move_and_join() {
        assert_eq!(text(&bits("10110").shifted(2)), "00101");
        assert_eq!(text(&bits("10110").shifted(-2)), "11000");
        assert_eq!(text(&bits("10110").shifted(9)), "00000");
        assert_eq!(text(&bits("101").concatenated(&bits("0110")).expect("short")), "1010110");
        assert_eq!(text(&bits("1010110011").slice(3, 5)), "01100");
        assert_eq!(text(&bits("101").inverted()), "010");
        assert!(bits("1").compare(&bits("10")).is_lt());
        assert!(bits("1").compare(&bits("01")).is_gt());
    }
}
