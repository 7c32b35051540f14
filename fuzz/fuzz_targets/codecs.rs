//! Any bytes as a stored row, a key, a value in binary or in text: errors, never panics. What can be read is written and
//! read again the same.
//!
//! Input: which type (u8), then the bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nqdb_types::key::{self, Decoded, KeyColumn};
use nqdb_types::row::{RowView, decode_value, encode_value};
use nqdb_types::{Datum, FormatContext, Type, all_types, parse_text, read_binary, write_binary, write_text};

fn row(bytes: &[u8], ty: Type) {
    let Ok(view) = RowView::new(bytes) else { return };
    for column in 0..=view.column_count() {
        let _ = (view.field(column), view.datum(column, ty));
    }
    assert!(view.external_values().count() <= view.column_count());
}

/// Encodings are compared, because NaN is unlike itself.
fn stored(datum: &Datum, ty: Type) -> Vec<u8> {
    let mut out = Vec::new();
    encode_value(&mut out, datum);
    let again = decode_value(&out, ty).expect("what was encoded");
    let mut twice = Vec::new();
    encode_value(&mut twice, &again);
    assert_eq!(out, twice);
    out
}

fn keys(bytes: &[u8], ty: Type) {
    for column in [KeyColumn::ascending(0, ty), KeyColumn::descending(0, ty)] {
        let mut input = bytes;
        if let Ok(Decoded::Exact(datum)) = key::decode(&mut input, &column) {
            let mut out = Vec::new();
            key::encode(&mut out, &datum, &column);
            assert_eq!(out, bytes[..bytes.len() - input.len()]);
        }
    }
}

/// A value that came from a client is written in every form.
fn written(datum: &Datum, ty: Type) {
    if datum.is_null() {
        return;
    }
    stored(datum, ty);
    let mut key = Vec::new();
    key::encode(&mut key, datum, &KeyColumn::ascending(0, ty));
    let mut binary = Vec::new();
    write_binary(&mut binary, datum, ty);
    let mut text = Vec::new();
    write_text(&mut text, datum, ty, &FormatContext::default());
    let text = std::str::from_utf8(&text).expect("text is UTF-8");
    assert!(parse_text(text, ty, &FormatContext::default()).is_ok(), "{} does not read {text:?}", ty.name());
}

fuzz_target!(|data: &[u8]| {
    let Some((&which, bytes)) = data.split_first() else { return };
    let types = all_types();
    let ty = Type::new(types[usize::from(which) % types.len()].oid);
    row(bytes, ty);
    if let Ok(datum) = decode_value(bytes, ty) {
        stored(&datum, ty);
    }
    keys(bytes, ty);
    if let Ok(datum) = read_binary(bytes, ty) {
        written(&datum, ty);
    }
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(datum) = parse_text(text, ty, &FormatContext::default())
    {
        written(&datum, ty);
    }
});
