//! Values come back as they were stored, in PostgreSQL's order, and what is no JSON is refused in its words.

use std::cmp::Ordering;

use super::*;
use crate::key::{self, KeyColumn};
use crate::{Datum, Type, oid};

fn json(text: &str) -> Json {
    Json::parse(text).unwrap()
}

/// In ascending order.
const ORDERED: &[&str] = &[
    "[]",
    "null",
    "\"\"",
    "\"a\"",
    "\"aa\"",
    "\"b\"",
    "-1.5e3",
    "0",
    "1.00",
    "1e300",
    "false",
    "true",
    "[null]",
    "[true]",
    "[[]]",
    "[{}]",
    "[1, 2]",
    "[1, []]",
    "{}",
    "{\"a\": 1}",
    "{\"b\": 0}",
    "{\"a\": 1, \"b\": 2}",
    "{\"b\": 1, \"aa\": 0}",
];

#[test]
fn values_and_their_keys_have_one_order() {
    let column = KeyColumn::ascending(0, Type::new(oid::JSONB));
    let encoded = |json: &Json| {
        let mut out = Vec::new();
        key::encode(&mut out, &Datum::Jsonb(Arc::new(json.clone())), &column);
        out
    };
    for (at, a) in ORDERED.iter().enumerate() {
        for (other, b) in ORDERED.iter().enumerate() {
            let (a, b) = (json(a), json(b));
            assert_eq!(a.compare(&b), at.cmp(&other), "{a:?} and {b:?}");
            assert_eq!(encoded(&a).cmp(&encoded(&b)), at.cmp(&other), "the keys of {a:?} and {b:?}");
        }
    }
    assert_eq!(json("1.0").compare(&json("1.00")), Ordering::Equal);
}

#[test]
fn a_stored_value_comes_back_with_its_spelling() {
    for text in ORDERED.iter().chain(&["{\"a\": [1.10, {\"b\": \"\\u00e9\\n\"}], \"long\": null}"]) {
        let value = json(text);
        let mut bytes = Vec::new();
        encode(&mut bytes, &value);
        assert_eq!(decode(&bytes).unwrap().to_text(), value.to_text());
        for len in 0..bytes.len() {
            assert!(decode(&bytes[..len]).is_err(), "{len} bytes of {text}");
        }
    }
}

#[test]
fn objects_keep_the_last_of_equal_keys_and_sort_by_length() {
    assert_eq!(json("{\"bb\":1,\"a\":2,\"bb\":3,\"c\":[ ]}").to_text(), "{\"a\": 2, \"c\": [], \"bb\": 3}");
    assert_eq!(json(" \"\\ud83d\\ude00\\u0001\\/\\\"\" ").to_text(), "\"😀\\u0001/\\\"\"");
}

#[test]
fn what_is_no_json_is_refused_in_the_usual_words() {
    let cases = [
        ("", "The input string ended unexpectedly.", "JSON data, line 1: "),
        ("{\"a\":1,}", "Expected string, but found \"}\".", "JSON data, line 1: {\"a\":1,}"),
        ("[1,\n2 3]", "Expected \",\" or \"]\", but found \"3\".", "JSON data, line 2: 2 3..."),
        ("[01]", "Token \"01\" is invalid.", "JSON data, line 1: [01..."),
        ("tru", "Token \"tru\" is invalid.", "JSON data, line 1: tru"),
        ("1 2", "Expected end of input, but found \"2\".", "JSON data, line 1: 1 2"),
        ("{1:2}", "Expected string or \"}\", but found \"1\".", "JSON data, line 1: {1..."),
        ("\"\\x\"", "Escape sequence \"\\x\" is invalid.", "JSON data, line 1: \"\\x..."),
        ("\"\\ude00\"", "Unicode low surrogate must follow a high surrogate.", "JSON data, line 1: \"\\ude00..."),
        ("\"abc", "Token \"\"abc\" is invalid.", "JSON data, line 1: \"abc"),
    ];
    for (text, detail, context) in cases {
        let error = Json::parse(text).unwrap_err();
        assert_eq!((error.detail(), error.context()), (Some(detail), Some(context)), "{text}");
    }
    assert!(JsonText::check("\"\\ude00 \\u0000\"").is_ok(), "a json keeps escapes that nobody has to understand");
    let deep = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
    assert!(Json::parse(&deep(NESTING_MAX)).unwrap().check_nesting().is_ok());
    assert!(Json::parse(&deep(NESTING_MAX + 1)).is_err());
}
