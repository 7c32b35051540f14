//! Interesting values of each type, as text.

use nqdb_types::oid;

pub fn values(type_oid: u32) -> &'static [&'static str] {
    match type_oid {
        oid::BOOL => &["t", "f"],
        oid::INT2 => &["0", "1", "-1", "2", "7", "32767", "-32768"],
        oid::INT4 => &["0", "1", "-1", "2", "5", "33", "2147483647", "-2147483648"],
        oid::INT8 => &["0", "1", "-1", "3", "10240", "123456789012", "9223372036854775807", "-9223372036854775808"],
        oid::FLOAT4 => &["0", "-0", "1", "-2.5", "0.1", "3e38", "1e-40", "NaN", "Infinity", "-Infinity"],
        oid::FLOAT8 => {
            &["0", "-0", "1", "-1", "0.5", "-2.5", "3.7", "1e15", "1e308", "1e-308", "NaN", "Infinity", "-Infinity"]
        }
        oid::NUMERIC => &[
            "0",
            "1",
            "-1",
            "0.5",
            "2.50",
            "-7.125",
            "100",
            "12345678901234567890.123456789",
            "1e-20",
            "NaN",
            "Infinity",
            "-Infinity",
        ],
        oid::TEXT | oid::VARCHAR => &["", "a", "abc", "Hello World", "xax", " pad ", "äö€x", "a\\b'c", "12", "b%_"],
        oid::BPCHAR => &["", "a", "abc  ", "Abc", "äö "],
        oid::NAME => &["", "abc", "Abc", "select"],
        oid::CHAR_INTERNAL => &["", "a", "Z"],
        oid::BYTEA => &["", "\\x00", "\\x6162", "\\xff00a1", "\\x5c25"],
        oid::DATE => &["2000-01-01", "1999-12-31", "2024-02-29", "0044-03-15 BC", "infinity", "-infinity"],
        oid::TIME => &["00:00:00", "12:34:56.789", "23:59:59.999999", "24:00:00"],
        oid::TIMESTAMP | oid::TIMESTAMPTZ => &[
            "2000-01-01 00:00:00",
            "2024-03-10 01:30:15.123456",
            "2024-11-03 01:30:00",
            "1999-12-31 23:59:59.999999",
            "0044-03-15 12:00:00 BC",
            "2024-02-29 12:00:00",
            "infinity",
            "-infinity",
        ],
        oid::INTERVAL => &[
            "0",
            "1 mon",
            "30 days",
            "-1 year -2 mons +3 days -04:05:06.7",
            "25:00:00",
            "-1 day +25:00:00",
            "1 year 1 mon 1 day 01:01:01.000001",
            "15 days",
            "400 years",
        ],
        oid::UUID => &["00000000-0000-0000-0000-000000000000", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"],
        oid::OID | oid::REGTYPE => &["0", "1", "23", "4294967295"],
        _ => &[],
    }
}
