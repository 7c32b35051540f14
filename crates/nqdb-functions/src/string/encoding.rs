//! Bytes in other encodings than the server's, which is UTF8: `convert` and its like, `length` of bytes in an
//! encoding, `to_ascii`.
//!
//! All encodings of PostgreSQL are known by number, name and alias. All of them keep ASCII, so that bytes without
//! anything else are converted between any two of them. Characters beyond are converted between UTF8 and LATIN1, LATIN9
//! and WIN1252; the other tables are not there (0A000).

use std::borrow::Cow;

use nqdb_functions_macros::sql_function;
use nqdb_sqlstate::{
    CHARACTER_NOT_IN_REPERTOIRE, FEATURE_NOT_SUPPORTED, INVALID_PARAMETER_VALUE, SqlError, SqlResult,
    UNDEFINED_FUNCTION, UNDEFINED_OBJECT, UNTRANSLATABLE_CHARACTER,
};
use nqdb_types::text_of_bytes;

use super::length::to_int4;
use crate::Function;

pub(crate) static FUNCTIONS: &[&[Function]] = &[
    &CONVERT,
    &CONVERT_FROM,
    &CONVERT_TO,
    &LENGTH_IN_ENCODING,
    &TO_ASCII,
    &TO_ASCII_NUMBER,
    &TO_ASCII_NAME,
    &ENCODING_TO_CHAR,
    &CHAR_TO_ENCODING,
    &DATABASE_ENCODING,
];

/// A number of `pg_encoding`: an index of [`NAMES`].
#[derive(Clone, Copy, PartialEq, Eq)]
struct Encoding(usize);

const SQL_ASCII: Encoding = Encoding(0);
const UTF8: Encoding = Encoding(6);
const MULE_INTERNAL: Encoding = Encoding(7);
const LATIN1: Encoding = Encoding(8);
const LATIN2: Encoding = Encoding(9);
const LATIN9: Encoding = Encoding(16);
const WIN1252: Encoding = Encoding(24);
const KOI8U: Encoding = Encoding(34);
const WIN1250: Encoding = Encoding(29);

const NAMES: [&str; 42] = [
    "SQL_ASCII",
    "EUC_JP",
    "EUC_CN",
    "EUC_KR",
    "EUC_TW",
    "EUC_JIS_2004",
    "UTF8",
    "MULE_INTERNAL",
    "LATIN1",
    "LATIN2",
    "LATIN3",
    "LATIN4",
    "LATIN5",
    "LATIN6",
    "LATIN7",
    "LATIN8",
    "LATIN9",
    "LATIN10",
    "WIN1256",
    "WIN1258",
    "WIN866",
    "WIN874",
    "KOI8R",
    "WIN1251",
    "WIN1252",
    "ISO_8859_5",
    "ISO_8859_6",
    "ISO_8859_7",
    "ISO_8859_8",
    "WIN1250",
    "WIN1253",
    "WIN1254",
    "WIN1255",
    "WIN1257",
    "KOI8U",
    "SJIS",
    "BIG5",
    "GBK",
    "UHC",
    "GB18030",
    "JOHAB",
    "SHIFT_JIS_2004",
];

/// Other names, in lower case and without what is neither letter nor digit.
const ALIASES: [(&str, usize); 42] = [
    ("abc", 19),
    ("alt", 20),
    ("iso88591", 8),
    ("iso885910", 13),
    ("iso885913", 14),
    ("iso885914", 15),
    ("iso885915", 16),
    ("iso885916", 17),
    ("iso88592", 9),
    ("iso88593", 10),
    ("iso88594", 11),
    ("iso88599", 12),
    ("koi8", 22),
    ("mskanji", 35),
    ("shiftjis", 35),
    ("tcvn", 19),
    ("tcvn5712", 19),
    ("unicode", 6),
    ("vscii", 19),
    ("win", 23),
    ("win932", 35),
    ("win936", 37),
    ("win949", 38),
    ("win950", 36),
    ("windows1250", 29),
    ("windows1251", 23),
    ("windows1252", 24),
    ("windows1253", 30),
    ("windows1254", 31),
    ("windows1255", 32),
    ("windows1256", 18),
    ("windows1257", 33),
    ("windows1258", 19),
    ("windows866", 20),
    ("windows874", 21),
    ("windows932", 35),
    ("windows936", 37),
    ("windows949", 38),
    ("windows950", 36),
    ("eucjis2004", 5),
    ("shiftjis2004", 41),
    ("sqlascii", 0),
];

/// The groups within which PostgreSQL converts between any two encodings. All others, but MULE_INTERNAL, it converts
/// from and to UTF8 only.
const DIRECT: [&[usize]; 5] = [&[1, 35], &[4, 36], &[5, 41], &[9, 29], &[20, 22, 23, 25]];
/// What MULE_INTERNAL is converted from and to.
const WITH_MULE_INTERNAL: [usize; 15] = [1, 2, 3, 4, 8, 9, 10, 11, 20, 22, 23, 25, 29, 35, 36];

/// LATIN9 where it differs from LATIN1.
const LATIN9_CHARACTERS: [(u8, char); 8] =
    [(0xa4, '€'), (0xa6, 'Š'), (0xa8, 'š'), (0xb4, 'Ž'), (0xb8, 'ž'), (0xbc, 'Œ'), (0xbd, 'œ'), (0xbe, 'Ÿ')];

/// WIN1252 from 0x80 on; a NUL stands for what is no character. From 0xa0 on it is LATIN1.
const WIN1252_CHARACTERS: [char; 32] = [
    '€', '\0', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\0', 'Ž', '\0', '\0', '‘', '’', '“', '”', '•',
    '–', '—', '˜', '™', 'š', '›', 'œ', '\0', 'ž', 'Ÿ',
];

impl Encoding {
    fn named(name: &str) -> Option<Encoding> {
        let clean = |name: &str| -> String {
            name.chars().filter(char::is_ascii_alphanumeric).map(|character| character.to_ascii_lowercase()).collect()
        };
        let wanted = clean(name);
        let alias = || ALIASES.iter().find(|(alias, _)| *alias == wanted).map(|(_, number)| *number);
        NAMES.iter().position(|known| clean(known) == wanted).or_else(alias).map(Encoding)
    }

    fn name(self) -> &'static str {
        NAMES.get(self.0).copied().unwrap_or("")
    }

    /// Each byte is a character, or none is known to be (SQL_ASCII).
    fn is_single_byte(self) -> bool {
        self == SQL_ASCII || (LATIN1.0..=KOI8U.0).contains(&self.0)
    }

    fn has_table(self) -> bool {
        matches!(self, LATIN1 | LATIN9 | WIN1252)
    }

    /// The character of a byte beyond ASCII in an encoding with a table.
    fn character(self, byte: u8) -> Option<char> {
        let special = match self {
            LATIN9 => LATIN9_CHARACTERS.iter().find(|(special, _)| *special == byte).map(|(_, character)| *character),
            WIN1252 => WIN1252_CHARACTERS.get(usize::from(byte.wrapping_sub(0x80))).copied(),
            _ => None,
        };
        match special {
            Some('\0') => None,
            special => special.or(Some(char::from(byte))),
        }
    }

    /// The byte of a character in an encoding with a table.
    fn byte(self, character: char) -> Option<u8> {
        match u8::try_from(character) {
            Ok(byte) if byte.is_ascii() => Some(byte),
            _ => (0x80..=0xff).find(|byte| self.character(*byte) == Some(character)),
        }
    }

    /// How many characters the bytes are; 22021 when they are not of this encoding, 0A000 when nobody here can tell.
    fn count_characters(self, bytes: &[u8]) -> SqlResult<usize> {
        if self == UTF8 {
            return Ok(text_of_bytes(bytes)?.chars().count());
        }
        if !self.is_single_byte() && !bytes.is_ascii() {
            return Err(SqlError::unsupported(format!("encoding {} beyond ASCII", self.name())));
        }
        if bytes.contains(&0) {
            let message = format!("invalid byte sequence for encoding \"{}\": 0x00", self.name());
            return Err(SqlError::new(CHARACTER_NOT_IN_REPERTOIRE, message));
        }
        Ok(bytes.len())
    }
}

fn untranslatable(bytes: &[u8], source: Encoding, target: Encoding) -> SqlError {
    let sequence: Vec<String> = bytes.iter().map(|byte| format!("0x{byte:02x}")).collect();
    let message = format!(
        "character with byte sequence {} in encoding \"{}\" has no equivalent in encoding \"{}\"",
        sequence.join(" "),
        source.name(),
        target.name()
    );
    SqlError::new(UNTRANSLATABLE_CHARACTER, message)
}

/// Whether PostgreSQL has a conversion between two encodings, of which neither is SQL_ASCII: 42883 when it has none,
/// 0A000 when it has one that is not here, for any but ASCII bytes.
fn check_conversion(bytes: &[u8], source: Encoding, target: Encoding) -> SqlResult<()> {
    let pair = [source, target];
    let exists = match pair {
        [MULE_INTERNAL, other] | [other, MULE_INTERNAL] => WITH_MULE_INTERNAL.contains(&other.0),
        _ => pair.contains(&UTF8) || DIRECT.iter().any(|group| pair.iter().all(|member| group.contains(&member.0))),
    };
    if !exists {
        let message = format!(
            "default conversion function for encoding \"{}\" to \"{}\" does not exist",
            source.name(),
            target.name()
        );
        return Err(SqlError::new(UNDEFINED_FUNCTION, message));
    }
    let is_here = bytes.is_ascii() || pair.contains(&UTF8) && pair.iter().any(|encoding| encoding.has_table());
    match is_here {
        true => Ok(()),
        false => Err(SqlError::unsupported(format!("conversion from {} to {}", source.name(), target.name()))),
    }
}

fn converted(bytes: &[u8], source: Encoding, target: Encoding) -> SqlResult<Cow<'_, [u8]>> {
    source.count_characters(bytes)?;
    if bytes.is_empty() || source == target || target == SQL_ASCII {
        return Ok(Cow::Borrowed(bytes));
    }
    if source == SQL_ASCII {
        target.count_characters(bytes)?;
        return Ok(Cow::Borrowed(bytes));
    }
    check_conversion(bytes, source, target)?;
    if bytes.is_ascii() {
        return Ok(Cow::Borrowed(bytes));
    }
    if source == UTF8 {
        let encode = |character: char| {
            let missing = || untranslatable(character.encode_utf8(&mut [0; 4]).as_bytes(), source, target);
            target.byte(character).ok_or_else(missing)
        };
        return text_of_bytes(bytes)?.chars().map(encode).collect::<SqlResult<Vec<u8>>>().map(Cow::Owned);
    }
    let decode = |byte: &u8| match byte.is_ascii() {
        true => Ok(char::from(*byte)),
        false => source.character(*byte).ok_or_else(|| untranslatable(&[*byte], source, target)),
    };
    bytes.iter().map(decode).collect::<SqlResult<String>>().map(|text| Cow::Owned(text.into_bytes()))
}

fn encoding(name: &str, role: &str) -> SqlResult<Encoding> {
    let unknown = || SqlError::new(INVALID_PARAMETER_VALUE, format!("invalid {role}encoding name \"{name}\""));
    Encoding::named(name).ok_or_else(unknown)
}

#[sql_function("convert(bytea, name, name) -> bytea", oid = 1813, stable)]
fn convert(bytes: &[u8], source: &str, target: &str) -> SqlResult<Vec<u8>> {
    let source = encoding(source, "source ")?;
    Ok(converted(bytes, source, encoding(target, "destination ")?)?.into_owned())
}

#[sql_function("convert_from(bytea, name) -> text", oid = 1714, stable)]
fn convert_from(bytes: &[u8], source: &str) -> SqlResult<String> {
    let bytes = converted(bytes, encoding(source, "source ")?, UTF8)?;
    text_of_bytes(&bytes).map(str::to_string)
}

#[sql_function("convert_to(text, name) -> bytea", oid = 1717, stable)]
fn convert_to(text: &str, target: &str) -> SqlResult<Vec<u8>> {
    Ok(converted(text.as_bytes(), UTF8, encoding(target, "destination ")?)?.into_owned())
}

#[sql_function("length(bytea, name) -> int4", oid = 1713, stable)]
fn length_in_encoding(bytes: &[u8], name: &str) -> SqlResult<i32> {
    to_int4(encoding(name, "")?.count_characters(bytes)?)
}

/// The text without accents, if the encoding has a rule for them: UTF8 has none, those that have one are not here.
fn to_ascii_from(text: &str, encoding: Encoding) -> SqlResult<&str> {
    match encoding {
        LATIN1 | LATIN2 | LATIN9 | WIN1250 if text.is_ascii() => Ok(text),
        LATIN1 | LATIN2 | LATIN9 | WIN1250 => {
            Err(SqlError::unsupported(format!("to_ascii of {} beyond ASCII", encoding.name())))
        }
        _ => {
            let message = format!("encoding conversion from {} to ASCII not supported", encoding.name());
            Err(SqlError::new(FEATURE_NOT_SUPPORTED, message))
        }
    }
}

#[sql_function("to_ascii(text) -> text", oid = 1845)]
fn to_ascii(text: &str) -> SqlResult<&str> {
    to_ascii_from(text, UTF8)
}

#[sql_function("to_ascii(text, int4) -> text", oid = 1846)]
fn to_ascii_number(text: &str, number: i32) -> SqlResult<&str> {
    let known = usize::try_from(number).ok().filter(|index| *index < NAMES.len());
    let unknown = || SqlError::new(UNDEFINED_OBJECT, format!("{number} is not a valid encoding code"));
    to_ascii_from(text, Encoding(known.ok_or_else(unknown)?))
}

#[sql_function("to_ascii(text, name) -> text", oid = 1847)]
fn to_ascii_name<'a>(text: &'a str, name: &str) -> SqlResult<&'a str> {
    let unknown = || SqlError::new(UNDEFINED_OBJECT, format!("{name} is not a valid encoding name"));
    to_ascii_from(text, Encoding::named(name).ok_or_else(unknown)?)
}

#[sql_function("pg_encoding_to_char(int4) -> name", oid = 1597, stable)]
fn encoding_to_char(number: i32) -> &'static str {
    usize::try_from(number).ok().and_then(|index| NAMES.get(index)).copied().unwrap_or("")
}

#[sql_function("getdatabaseencoding() -> name", oid = 1039, stable)]
fn database_encoding() -> &'static str {
    UTF8.name()
}

/// The name of an encoding by PostgreSQL's number, of those in which its databases can be: the numbers behind them are of
/// encodings for clients only.
pub fn server_encoding(number: i32) -> Option<&'static str> {
    const LAST_OF_SERVERS: i32 = 34;
    (0..=LAST_OF_SERVERS).contains(&number).then(|| encoding_to_char(number))
}

/// PostgreSQL's number of an encoding; -1 when there is none of that name.
#[sql_function("pg_char_to_encoding(name) -> int4", oid = 1264, stable)]
pub fn char_to_encoding(name: &str) -> i32 {
    Encoding::named(name).and_then(|encoding| i32::try_from(encoding.0).ok()).unwrap_or(-1)
}
