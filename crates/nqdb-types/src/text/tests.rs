use bytes::BytesMut;
use nqdb_sqlstate::{
    CHARACTER_NOT_IN_REPERTOIRE, FEATURE_NOT_SUPPORTED, INVALID_BINARY_REPRESENTATION, PROTOCOL_VIOLATION,
    STRING_DATA_RIGHT_TRUNCATION,
};
use proptest::prelude::*;

use super::*;
use crate::{ByteaOutput, Interval, read_binary, write_binary};

fn shown(datum: &Datum, ty: Type, cx: &FormatContext) -> String {
    let mut out = Vec::new();
    write_text(&mut out, datum, ty, cx);
    let mut buffer = BytesMut::new();
    write_text(&mut buffer, datum, ty, cx);
    assert_eq!(out, buffer, "every sink gets the same bytes");
    String::from_utf8(out).expect("text output is UTF-8")
}

#[test]
fn bytea_has_two_output_formats() {
    let mut cx = FormatContext::default();
    let datum = Datum::bytea([0u8, b'a', b'\\', 0xff].as_slice());
    assert_eq!(shown(&datum, Type::BYTEA, &cx), "\\x00615cff");
    cx.bytea_output = ByteaOutput::Escape;
    assert_eq!(shown(&datum, Type::BYTEA, &cx), "\\000a\\\\\\377");
}

#[test]
fn reg_types_are_numbers_here() {
    let cx = FormatContext::default();
    assert_eq!(shown(&Datum::Oid(0), Type::REGCLASS, &cx), "-");
    assert_eq!(shown(&Datum::Oid(0), Type::OID, &cx), "0");
    assert_eq!(parse_text("1259", Type::REGCLASS, &cx), Ok(Datum::Oid(1259)));
    assert!(parse_text("pg_class", Type::REGCLASS, &cx).is_err());
}

#[test]
fn a_name_is_cut_between_characters() {
    let cx = FormatContext::default();
    let long = format!("{}ü", "a".repeat(62));
    assert_eq!(parse_text(&long, Type::NAME, &cx), Ok(Datum::text("a".repeat(62))));
}

#[test]
fn text_holds_no_nul_and_an_unknown_type_is_refused() {
    let cx = FormatContext::default();
    let code = |text, ty| parse_text(text, ty, &cx).map_err(|error| error.code());
    assert_eq!(code("a\0b", Type::TEXT), Err(CHARACTER_NOT_IN_REPERTOIRE));
    assert_eq!(code("{1,2}", Type::new(oid::XML)), Err(FEATURE_NOT_SUPPORTED));
    assert_eq!(code("{}", Type::new(oid::TSVECTOR)), Err(FEATURE_NOT_SUPPORTED));
}

#[test]
fn an_assignment_refuses_what_a_cast_cuts() {
    let cast = |text: &str, ty| apply_typmod(Datum::text(text), ty, true);
    let assign = |text: &str, ty| apply_typmod(Datum::text(text), ty, false).map_err(|error| error.code());
    assert_eq!(cast("äöüß", Type::varchar(2)), Ok(Datum::text("äö")));
    assert_eq!(assign("äöüß", Type::varchar(2)), Err(STRING_DATA_RIGHT_TRUNCATION));
    assert_eq!(assign("äö  ", Type::varchar(2)), Ok(Datum::text("äö")));
    assert_eq!(assign("ä", Type::bpchar(3)), Ok(Datum::text("ä  ")));
    assert_eq!(cast("abcd", Type::bpchar(3)), Ok(Datum::text("abc")));
    assert_eq!(assign("abc   ", Type::bpchar(3)), Ok(Datum::text("abc")));
}

#[test]
fn binary_input_checks_lengths_and_encodings() {
    let code = |bytes: &[u8], ty| read_binary(bytes, ty, &FormatContext::default()).map_err(|error| error.code());
    assert_eq!(code(&[0, 0, 0, 1], Type::INT4), Ok(Datum::Int4(1)));
    assert_eq!(code(&[0, 0, 1], Type::INT4), Err(PROTOCOL_VIOLATION));
    assert_eq!(code(&[0, 0, 0, 0, 1], Type::INT4), Err(INVALID_BINARY_REPRESENTATION));
    assert_eq!(code(b"a\xc3(", Type::TEXT), Err(CHARACTER_NOT_IN_REPERTOIRE));
    assert_eq!(code(b"a\0", Type::TEXT), Err(CHARACTER_NOT_IN_REPERTOIRE));
    assert_eq!(code(b"abcd", Type::varchar(3)), Err(STRING_DATA_RIGHT_TRUNCATION));
    let error = read_binary(b"a\xc3(", Type::TEXT, &FormatContext::default()).expect_err("not UTF-8");
    assert_eq!(error.message(), "invalid byte sequence for encoding \"UTF8\": 0xc3 0x28");
}

fn identical(a: &Datum, b: &Datum) -> bool {
    match (a, b) {
        (Datum::Interval(a), Datum::Interval(b)) => a.is_identical(b),
        (Datum::Numeric(a), Datum::Numeric(b)) => a.to_string() == b.to_string(),
        _ => a == b,
    }
}

fn values() -> impl Strategy<Value = (Datum, Type)> {
    // Within the range of timestamps.
    let micros = -200_000_000_000_000_000i64..200_000_000_000_000_000;
    prop_oneof![
        any::<bool>().prop_map(|value| (Datum::Bool(value), Type::BOOL)),
        any::<i16>().prop_map(|value| (Datum::Int2(value), Type::INT2)),
        any::<i32>().prop_map(|value| (Datum::Int4(value), Type::INT4)),
        any::<i64>().prop_map(|value| (Datum::Int8(value), Type::INT8)),
        any::<f32>().prop_map(|value| (Datum::Float4(value), Type::FLOAT4)),
        any::<f64>().prop_map(|value| (Datum::Float8(value), Type::FLOAT8)),
        (any::<i128>(), 0..60u16)
            .prop_map(|(value, scale)| (Datum::Numeric(Numeric::from_scaled_i128(value, scale)), Type::NUMERIC)),
        any::<String>().prop_map(|value| (Datum::text(value.replace('\0', "")), Type::TEXT)),
        any::<Vec<u8>>().prop_map(|value| (Datum::bytea(value), Type::BYTEA)),
        any::<[u8; 16]>().prop_map(|value| (Datum::Uuid(value), Type::UUID)),
        any::<u32>().prop_map(|value| (Datum::Oid(value), Type::OID)),
        (-2_451_545..2_000_000i32).prop_map(|value| (Datum::Date(value), Type::DATE)),
        (0..=86_400_000_000i64).prop_map(|value| (Datum::Time(value), Type::TIME)),
        micros.clone().prop_map(|value| (Datum::Timestamp(value), Type::TIMESTAMP)),
        micros.prop_map(|value| (Datum::TimestampTz(value), Type::TIMESTAMPTZ)),
        any::<(i32, i32, i64)>().prop_map(|(a, b, c)| (Datum::Interval(Interval::new(a, b, c)), Type::INTERVAL)),
    ]
}

proptest! {
    #[test]
    fn text_and_binary_forms_read_back((datum, ty) in values()) {
        let cx = FormatContext::default();
        let text = shown(&datum, ty, &cx);
        let read = parse_text(&text, ty, &cx);
        prop_assert!(read.as_ref().is_ok_and(|read| identical(read, &datum)), "{:?} {} {:?}", datum, text, read);

        let mut binary = Vec::new();
        write_binary(&mut binary, &datum, ty, &FormatContext::default());
        let read = read_binary(&binary, ty, &FormatContext::default());
        prop_assert!(read.as_ref().is_ok_and(|read| identical(read, &datum)), "{:?} {:?}", datum, read);

        let mut stored = Vec::new();
        crate::row::encode_value(&mut stored, &datum);
        let read = crate::row::decode_value(&stored, ty);
        prop_assert!(read.as_ref().is_ok_and(|read| identical(read, &datum)), "{:?} {:?}", datum, read);
    }

    #[test]
    fn no_text_and_no_bytes_panic(text in any::<String>(), looks_like_a_date in "[0-9:+. TPYMDjanpmbc/-]{0,24}", bytes in any::<Vec<u8>>()) {
        let cx = FormatContext::default();
        for info in crate::all_types() {
            for text in [&text, &looks_like_a_date] {
                let _ = parse_text(text, Type::new(info.oid), &cx);
            }
            let _ = read_binary(&bytes, Type::new(info.oid), &FormatContext::default());
            let _ = crate::row::decode_value(&bytes, Type::new(info.oid));
        }
    }
}
