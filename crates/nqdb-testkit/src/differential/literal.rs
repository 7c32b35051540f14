//! The types that are generated, and constants of them.

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

/// A type of generated columns and expressions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Bool,
    Int2,
    Int4,
    Int8,
    Numeric,
    Float8,
    Text,
    Char,
    Bytea,
    Date,
    Time,
    Timestamp,
    TimestampTz,
    Interval,
    Uuid,
    IntArray,
    TextArray,
    Jsonb,
}

/// What columns are made of.
pub(super) const KINDS: [Kind; 18] = [
    Kind::Bool,
    Kind::Int2,
    Kind::Int4,
    Kind::Int8,
    Kind::Numeric,
    Kind::Float8,
    Kind::Text,
    Kind::Char,
    Kind::Bytea,
    Kind::Date,
    Kind::Time,
    Kind::Timestamp,
    Kind::TimestampTz,
    Kind::Interval,
    Kind::Uuid,
    Kind::IntArray,
    Kind::TextArray,
    Kind::Jsonb,
];

impl Kind {
    /// The type's name in SQL.
    pub fn sql_name(self) -> &'static str {
        match self {
            Kind::Bool => "boolean",
            Kind::Int2 => "smallint",
            Kind::Int4 => "integer",
            Kind::Int8 => "bigint",
            Kind::Numeric => "numeric",
            Kind::Float8 => "double precision",
            Kind::Text => "text",
            Kind::Char => "char(4)",
            Kind::Bytea => "bytea",
            Kind::Date => "date",
            Kind::Time => "time",
            Kind::Timestamp => "timestamp",
            Kind::TimestampTz => "timestamptz",
            Kind::Interval => "interval",
            Kind::Uuid => "uuid",
            Kind::IntArray => "integer[]",
            Kind::TextArray => "text[]",
            Kind::Jsonb => "jsonb",
        }
    }

    /// What stands between the quotes of constants: ordinary values first, from `EDGES_FROM` on the ends of ranges.
    fn spellings(self) -> &'static [&'static str] {
        match self {
            Kind::Bool => &["true", "false"],
            Kind::Int2 => &["0", "1", "-1", "7", "12", "100", "32767", "-32768"],
            Kind::Int4 => &["0", "1", "-1", "3", "42", "1000", "2147483647", "-2147483648"],
            Kind::Int8 => {
                &["0", "1", "-5", "77", "100000", "4294967296", "9223372036854775807", "-9223372036854775808"]
            }
            Kind::Numeric => &["0", "1.5", "-2.25", "10.00", "0.001", "123456789.123", "NaN", "99999999999999999999.9"],
            Kind::Float8 => &["0", "0.5", "-1.25", "8", "1024.75", "-3", "NaN", "Infinity"],
            Kind::Text => &["a", "", "abc", "Zebra", "a b", "10%_x", "straße", "x\ny"],
            Kind::Char => &["a", "", "ab", "abcd", "Z", "b ", "zz", "é"],
            Kind::Bytea => &["\\x", "\\x00", "\\x0102", "\\xff", "\\x6162", "\\x61", "\\xdeadbeef", "\\x0000ff"],
            Kind::Date => &[
                "2000-01-01",
                "1999-12-31",
                "2024-02-29",
                "1970-01-01",
                "2020-06-15",
                "2001-03-04",
                "infinity",
                "0044-03-15 BC",
            ],
            Kind::Time => &[
                "00:00:00",
                "12:34:56",
                "23:59:59.999999",
                "06:00",
                "12:00",
                "18:30:15.5",
                "24:00:00",
                "00:00:00.000001",
            ],
            Kind::Timestamp => &[
                "2000-01-01 00:00:00",
                "1999-12-31 23:59:59",
                "2024-02-29 12:30:00",
                "1970-01-01 00:00:01.5",
                "2020-06-15 06:00:00",
                "2001-03-04 05:06:07",
                "-infinity",
                "4713-01-01 00:00:00 BC",
            ],
            Kind::TimestampTz => &[
                "2000-01-01 00:00:00+00",
                "1999-12-31 23:59:59+02",
                "2024-02-29 12:30:00-05",
                "1970-01-01 00:00:01+00",
                "2020-06-15 06:00:00+05:30",
                "2001-03-04 05:06:07Z",
                "infinity",
                "2038-01-19 03:14:08+00",
            ],
            Kind::Interval => &[
                "1 day",
                "2 hours",
                "-3 days",
                "1 month",
                "29 days",
                "1 year 2 months 3 days 04:05:06.7",
                "0",
                "-00:00:01",
            ],
            Kind::Uuid => &[
                "00000000-0000-0000-0000-000000000000",
                "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
                "ffffffff-ffff-ffff-ffff-ffffffffffff",
                "12345678-1234-5678-1234-567812345678",
            ],
            Kind::IntArray => &["{}", "{1,2,3}", "{NULL,1}", "{3}", "{7,8,9}", "{42,42}", "[0:1]={5,6}", "{-1}"],
            Kind::TextArray => {
                &["{}", "{a,b}", "{NULL,\"\"}", "{\"a b\",c}", "{abc}", "{\"NULL\"}", "{Z,a}", "{\"x,y\"}"]
            }
            Kind::Jsonb => &[
                "{}",
                "{\"a\": 1}",
                "[1, 2, \"x\"]",
                "null",
                "{\"a\": {\"b\": [true, null]}}",
                "1.50",
                "\"text\"",
                "{\"b\": 2, \"a\": \"1\"}",
            ],
        }
    }

    /// A constant of this type: mostly an ordinary value, one time in `16` NULL; edges only if they are allowed.
    pub fn constant(self, random: &mut StdRng, edges: bool) -> String {
        if random.random_ratio(1, 16) {
            return format!("NULL::{}", self.sql_name());
        }
        let spelling = self.spelling(random, edges);
        match self {
            Kind::Int4 if !spelling.starts_with('-') => spelling.to_owned(),
            Kind::Bool => spelling.to_owned(),
            Kind::Text if random.random_bool(0.5) => quoted(spelling),
            _ => format!("{}::{}", quoted(spelling), self.sql_name()),
        }
    }

    /// What a column of this type may be filled with; NULL one time in `null_in`.
    pub fn stored(self, random: &mut StdRng, null_in: u32) -> String {
        if null_in > 0 && random.random_ratio(1, null_in) {
            "NULL".to_owned()
        } else {
            quoted(self.spelling(random, true))
        }
    }

    fn spelling(self, random: &mut StdRng, edges: bool) -> &'static str {
        /// Values behind this one are ends of ranges.
        const EDGES_FROM: usize = 6;
        let all = self.spellings();
        let upto = if edges { all.len() } else { all.len().min(EDGES_FROM) };
        all[..upto].choose(random).expect("every type has values")
    }
}

/// A string constant.
pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
