use nqdb_sqlstate::{INVALID_TEXT_REPRESENTATION, PROGRAM_LIMIT_EXCEEDED};

use super::*;
use crate::{FormatContext, Type, key, parse_text, read_binary, row, write_binary, write_text};

fn parse(text: &str) -> SqlResult<Datum> {
    parse_text(text, Type::new(oid::TEXT_ARRAY), &FormatContext::default())
}

fn integers(text: &str) -> Datum {
    parse_text(text, Type::new(oid::INT4_ARRAY), &FormatContext::default()).expect("an array")
}

fn spelled(datum: &Datum, type_oid: Oid) -> String {
    let mut out = Vec::new();
    write_text(&mut out, datum, Type::new(type_oid), &FormatContext::default());
    String::from_utf8(out).expect("UTF-8")
}

const SPELLINGS: &[(&str, &str)] = &[
    ("{}", "{}"),
    (" { } ", "{}"),
    ("{a,b}", "{a,b}"),
    ("{ a b , c }", "{\"a b\",c}"),
    ("{NULL,null,\"null\",\\null}", "{NULL,NULL,\"null\",\"null\"}"),
    ("{\"\",\"a\\\"b\",\"c\\\\d\"}", "{\"\",\"a\\\"b\",\"c\\\\d\"}"),
    ("{{1,2},{3,4}}", "{{1,2},{3,4}}"),
    ("{{{1},{2}},{{3},{4}}}", "{{{1},{2}},{{3},{4}}}"),
    ("[2:3]={a,b}", "[2:3]={a,b}"),
    ("[1:2]={a,b}", "{a,b}"),
    ("[-1:0][0:0] = {{a},{b}}", "[-1:0][0:0]={{a},{b}}"),
    ("{grün,\" x \"}", "{grün,\" x \"}"),
];

#[test]
fn text_goes_both_ways() {
    for (read, written) in SPELLINGS {
        let datum = parse(read).unwrap_or_else(|error| panic!("{read}: {error}"));
        assert_eq!(spelled(&datum, oid::TEXT_ARRAY), *written, "{read}");
    }
}

#[test]
fn malformed_text_is_refused_with_its_reason() {
    for (text, detail) in [
        ("a", "Array value must start with \"{\" or dimension information."),
        ("{a", "Unexpected end of input."),
        ("{a}}", "Junk after closing right brace."),
        ("{{1,{2}},{2,3}}", "Unexpected \"{\" character."),
        ("{{},{}}", "Unexpected \"}\" character."),
        ("{1,{2}}", "Unexpected \"{\" character."),
        ("{{1},{2,3}}", "Multidimensional arrays must have sub-arrays with matching dimensions."),
        ("{a \"b\"}", "Unexpected array element."),
        ("{,a}", "Unexpected \",\" character."),
        ("[1:2]={a}", "Specified array dimensions do not match array contents."),
        ("[1:2]{a}", "Missing \"=\" after array dimensions."),
        ("[]={a}", "\"[\" must introduce explicitly-specified array dimensions."),
    ] {
        let error = parse(text).expect_err(text);
        assert_eq!((error.code(), error.detail()), (INVALID_TEXT_REPRESENTATION, Some(detail)), "{text}");
    }
    let deep = "{".repeat(7) + "1" + &"}".repeat(7);
    assert_eq!(parse(&deep).map_err(|error| error.code()).err(), Some(PROGRAM_LIMIT_EXCEEDED));
}

#[test]
fn binary_storage_and_keys_go_both_ways() {
    let ty = Type::new(oid::INT4_ARRAY);
    for text in ["{}", "{1,NULL,3}", "[0:1][2:3]={{1,2},{3,4}}"] {
        let datum = integers(text);
        let mut wire = Vec::new();
        write_binary(&mut wire, &datum, ty, &FormatContext::default());
        assert_eq!(spelled(&read_binary(&wire, ty, &FormatContext::default()).expect("binary"), ty.oid), text);
        for len in 0..wire.len() {
            assert!(
                read_binary(wire.get(..len).expect("in range"), ty, &FormatContext::default()).is_err(),
                "{text} cut to {len}"
            );
        }
        let mut stored = Vec::new();
        row::encode_value(&mut stored, &datum);
        assert_eq!(spelled(&row::decode_value(&stored, ty).expect("stored"), ty.oid), text);
        let column = key::KeyColumn::descending(0, ty);
        let mut bytes = Vec::new();
        key::encode(&mut bytes, &datum, &column);
        let rest = &mut bytes.as_slice();
        assert_eq!(key::decode(rest, &column), Ok(key::Decoded::Exact(datum.clone())));
        assert!(rest.is_empty());
    }
}

#[test]
fn keys_sort_as_arrays_do() {
    let sorted = ["{}", "{1}", "{1,2}", "{{1},{2}}", "{1,2,3}", "{1,NULL}", "{2}", "{NULL}"];
    let column = key::KeyColumn::ascending(0, Type::new(oid::INT4_ARRAY));
    for pair in sorted.windows(2) {
        let (a, b) = (integers(pair[0]), integers(pair[1]));
        let encoded = |datum: &Datum| {
            let mut bytes = Vec::new();
            key::encode(&mut bytes, datum, &column);
            bytes
        };
        assert!(a.compare(&b).is_lt(), "{pair:?}");
        assert!(encoded(&a) < encoded(&b), "{pair:?}");
    }
}

#[test]
fn stored_arrays_that_are_cut_or_flipped_never_panic() {
    let mut stored = Vec::new();
    row::encode_value(&mut stored, &integers("{{1,2},{NULL,4}}"));
    for at in 0..stored.len() {
        let _ = row::decode_value(&stored[..at], Type::new(oid::INT4_ARRAY));
        for bit in 0..8 {
            let mut flipped = stored.clone();
            flipped[at] ^= 1 << bit;
            let _ = row::decode_value(&flipped, Type::new(oid::INT4_ARRAY));
        }
    }
}
