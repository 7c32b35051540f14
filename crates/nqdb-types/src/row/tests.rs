use std::convert::Infallible;

use nqdb_sqlstate::{PROGRAM_LIMIT_EXCEEDED, TOO_MANY_COLUMNS};

use super::*;
use crate::{Numeric, oid};

fn row() -> Vec<Datum> {
    vec![
        Datum::Int4(7),
        Datum::Null,
        Datum::text("grün"),
        Datum::Bool(true),
        Datum::text(""),
        Datum::Numeric("-12.340".parse().expect("numeric")),
        Datum::Int8(i64::MIN),
        Datum::Null,
        Datum::bytea([0u8, 255].as_slice()),
    ]
}

const TYPES: [Type; 9] =
    [Type::INT4, Type::INT8, Type::TEXT, Type::BOOL, Type::TEXT, Type::NUMERIC, Type::INT8, Type::TEXT, Type::BYTEA];

#[test]
fn every_column_comes_back_and_later_ones_are_missing() {
    let image = encode_row(&row()).expect("fits");
    let view = RowView::new(&image).expect("valid");
    assert_eq!(view.column_count(), 9);
    for (column, (datum, ty)) in row().iter().zip(TYPES).enumerate() {
        assert_eq!(&view.datum(column, ty).expect("valid"), datum, "column {column}");
    }
    assert_eq!(view.field(1), Field::Null);
    assert_eq!(view.field(4), Field::Inline(b""));
    assert_eq!(view.field(9), Field::Missing);
}

#[test]
fn the_image_has_the_bytes_that_are_drawn() {
    let image = encode_row(&[Datum::Int2(258), Datum::Null, Datum::text("ab")]).expect("fits");
    assert_eq!(image, [3, 0, 0b010, 2, 0, 2, 0, 4, 0, 2, 1, b'a', b'b']);
}

#[test]
fn an_image_is_appended_just_as_it_is_built() {
    let wide: Vec<Datum> = (0..20).map(|n| if n % 3 == 0 { Datum::Null } else { Datum::Int8(n) }).collect();
    for datums in [row(), wide, Vec::new()] {
        let mut out = b"before".to_vec();
        let built = encode_row(&datums).expect("fits");
        assert_eq!(append_image(&mut out, &datums, built.len()), Some(built.len()));
        assert_eq!(out, [b"before", &built[..]].concat());
    }
}

#[test]
fn nothing_is_appended_for_a_row_that_does_not_fit() {
    let datums = [Datum::text("a".repeat(1000)), Datum::text("b".repeat(1000))];
    let len = encode_row(&datums).expect("fits").len();
    let mut out = b"before".to_vec();
    assert_eq!(append_image(&mut out, &datums, len - 1), None);
    assert_eq!(append_image(&mut out, &vec![Datum::Null; COLUMN_COUNT_MAX + 1], 8000), None);
    assert_eq!(append_image(&mut out, &[Datum::text("c".repeat(DATA_LEN_MAX + 1))], usize::MAX), None);
    assert_eq!(out, b"before");
}

#[test]
fn a_row_without_columns_has_an_image() {
    let image = encode_row(&[]).expect("fits");
    assert_eq!(image, [0, 0]);
    assert_eq!(RowView::new(&image).map(|view| view.column_count()), Ok(0));
}

#[test]
fn the_longest_values_move_out_until_the_row_fits() {
    let datums =
        [Datum::text("a".repeat(500)), Datum::Int4(1), Datum::text("b".repeat(2000)), Datum::text("c".repeat(900))];
    let mut moved = Vec::new();
    let image = RowBuilder::new(&datums)
        .finish(1000, |bytes| {
            moved.push(bytes.to_vec());
            Ok::<_, Infallible>(ValueRef {
                value_id: moved.len() as u64,
                len: bytes.len() as u32,
                stored_len: 99,
                compressed: true,
            })
        })
        .expect("fits when two have left");
    assert_eq!(moved, [vec![b'b'; 2000], vec![b'c'; 900]]);
    let view = RowView::new(&image).expect("valid");
    assert_eq!(view.datum(0, Type::TEXT), Ok(datums[0].clone()));
    assert_eq!(view.datum(1, Type::INT4), Ok(Datum::Int4(1)));
    let reference = ValueRef { value_id: 1, len: 2000, stored_len: 99, compressed: true };
    assert_eq!(view.field(2), Field::External(reference));
    assert!(view.datum(2, Type::TEXT).is_err());
    assert_eq!(view.external_values().map(|(column, _)| column).collect::<Vec<_>>(), [2, 3]);

    let mut kept = RowBuilder::new(&datums[..2]);
    kept.push_external(reference);
    let image = kept.finish_inline(1000).expect("fits");
    assert_eq!(RowView::new(&image).map(|view| view.field(2)), Ok(Field::External(reference)));
}

#[test]
fn a_row_that_cannot_shrink_is_refused() {
    let datums = vec![Datum::Int8(1); 200];
    let result = RowBuilder::new(&datums).finish(1000, |_| Err::<ValueRef, _>("nothing can leave"));
    match result {
        Err(RowError::Sql(error)) => {
            assert_eq!(error.code(), PROGRAM_LIMIT_EXCEEDED);
            assert_eq!(error.message(), "row is too big: size 2027, maximum size 1000");
        }
        other => panic!("{other:?}"),
    }
    assert!(RowBuilder::new(&datums).finish_inline(2027).is_ok());
    assert!(RowBuilder::new(&datums).finish_inline(2026).is_err());
}

#[test]
fn a_value_of_just_over_32_kib_must_move_out_whatever_the_limit() {
    let fits = [Datum::text("x".repeat(DATA_LEN_MAX))];
    let too_long = [Datum::text("x".repeat(DATA_LEN_MAX + 1))];
    assert!(encode_row(&fits).is_ok());
    assert_eq!(encode_row(&too_long).map_err(|error| error.code()), Err(PROGRAM_LIMIT_EXCEEDED));
}

#[test]
fn too_many_columns_are_refused() {
    assert!(encode_row(&vec![Datum::Null; COLUMN_COUNT_MAX]).is_ok());
    assert_eq!(
        encode_row(&vec![Datum::Null; COLUMN_COUNT_MAX + 1]).map_err(|error| error.code()),
        Err(TOO_MANY_COLUMNS)
    );
}

#[test]
fn a_cut_or_flipped_image_is_corrupt_and_never_a_panic() {
    let image = encode_row(&row()).expect("fits");
    for len in 0..image.len() {
        assert!(RowView::new(&image[..len]).is_err(), "cut to {len}");
    }
    for at in 0..image.len() {
        for bit in 0..8 {
            let mut flipped = image.clone();
            flipped[at] ^= 1 << bit;
            if let Ok(view) = RowView::new(&flipped) {
                for (column, ty) in TYPES.iter().enumerate() {
                    let _ = view.datum(column, *ty);
                }
            }
        }
    }
}

#[test]
fn numerics_keep_their_scale_in_storage() {
    for text in [
        "0",
        "0.000",
        "1",
        "-1",
        "12.50",
        "-0.00000000000000000000000000000000000001",
        "NaN",
        "Infinity",
        "-Infinity",
        "9223372036854775807",
        "9223372036854775808",
        "-9223372036854775808",
        "72057594037927936",
        "72057594037927935",
        "123456789012345678901234567890.123456789",
    ] {
        let mut bytes = Vec::new();
        encode_value(&mut bytes, &Datum::Numeric(text.parse().expect("numeric")));
        match decode_value(&bytes, Type::new(oid::NUMERIC)) {
            Ok(Datum::Numeric(value)) => assert_eq!(value.to_string(), text),
            other => panic!("{text}: {other:?}"),
        }
    }
}

#[test]
fn a_stored_numeric_reads_as_an_i128() {
    for text in ["0", "-0.00", "1.50", "-170141183460469231731687303715884105.7", "99999999999999999999999999999999999"]
    {
        let numeric: Numeric = text.parse().expect("numeric");
        let mut bytes = Vec::new();
        encode_value(&mut bytes, &Datum::Numeric(numeric.clone()));
        let ScaledNumeric::Finite { coefficient, scale } = decode_scaled_numeric(&bytes).expect("valid") else {
            panic!("{text} is finite");
        };
        let back = Numeric::from_scaled_i128(coefficient, scale);
        assert_eq!((&back, back.scale()), (&numeric, numeric.scale()), "{text}");
    }
    for (text, expected) in
        [("NaN", ScaledNumeric::NotANumber), ("Infinity", ScaledNumeric::Other), ("1e40", ScaledNumeric::Other)]
    {
        let mut bytes = Vec::new();
        encode_value(&mut bytes, &Datum::Numeric(text.parse().expect("numeric")));
        assert_eq!(decode_scaled_numeric(&bytes).expect("valid"), expected, "{text}");
    }
    assert!(decode_scaled_numeric(&[]).is_err());
    assert!(decode_scaled_numeric(&[KIND_POSITIVE_HEAD, 0]).is_err());
}

/// The head of a positive number without digits behind the point.
const KIND_POSITIVE_HEAD: u8 = 3;
