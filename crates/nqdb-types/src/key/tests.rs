//! Byte order against value order, for every type and both directions.

use std::cmp::Ordering;

use proptest::prelude::*;

use super::*;
use crate::Numeric;

fn bytes(datum: &Datum, column: &KeyColumn) -> Vec<u8> {
    let mut out = Vec::new();
    encode(&mut out, datum, column);
    out
}

fn columns(ty: Type) -> [KeyColumn; 4] {
    [
        KeyColumn::ascending(0, ty),
        KeyColumn::descending(0, ty),
        KeyColumn { column: 0, ty, descending: false, nulls_first: true },
        KeyColumn { column: 0, ty, descending: true, nulls_first: false },
    ]
}

/// The order that a column asks for, NULLs included.
fn wanted(a: &Datum, b: &Datum, column: &KeyColumn) -> Ordering {
    let by_null = match (a.is_null(), b.is_null()) {
        (false, false) => {
            let order = a.compare_as(b, column.ty.oid);
            return if column.descending { order.reverse() } else { order };
        }
        (a_null, b_null) => a_null.cmp(&b_null),
    };
    if column.nulls_first { by_null.reverse() } else { by_null }
}

fn check(a: &Datum, b: &Datum, ty: Type) -> Result<(), TestCaseError> {
    for column in columns(ty) {
        let (key_a, key_b) = (bytes(a, &column), bytes(b, &column));
        let order = wanted(a, b, &column);
        prop_assert_eq!(key_a.cmp(&key_b), order, "{:?} {:?} {:?}", a, b, column);
        if order != Ordering::Equal {
            // Whatever follows, here the extreme bytes, must not change the order.
            let follow = |key: &[u8], byte: u8| [key, &[byte; 4]].concat();
            prop_assert_eq!(follow(&key_a, 0xff).cmp(&follow(&key_b, 0x00)), order);
            prop_assert_eq!(follow(&key_a, 0x00).cmp(&follow(&key_b, 0xff)), order);
        }
        for (datum, key) in [(a, &key_a), (b, &key_b)] {
            let mut rest = key.as_slice();
            let decoded = decode(&mut rest, &column);
            prop_assert!(rest.is_empty());
            match decoded {
                Ok(Decoded::Exact(value)) => prop_assert_eq!(&value, datum),
                Ok(Decoded::Inexact) => {}
                Err(corrupt) => prop_assert!(false, "{}", corrupt),
            }
        }
    }
    Ok(())
}

fn or_null(values: impl Strategy<Value = Datum> + 'static) -> BoxedStrategy<Datum> {
    prop_oneof![1 => Just(Datum::Null), 12 => values].boxed()
}

fn numerics() -> impl Strategy<Value = Datum> {
    let finite = (any::<i64>(), 0..40u32, 0..30u32, any::<bool>()).prop_map(|(digits, scale, zeros, small)| {
        let digits = if small { digits % 1000 } else { digits };
        format!("{digits}{}e-{scale}", "0".repeat(zeros as usize))
    });
    let far = (1..99i64, -3000..3000i32).prop_map(|(digits, exponent)| format!("{digits}e{exponent}"));
    let special =
        prop_oneof![Just("NaN"), Just("Infinity"), Just("-Infinity"), Just("0"), Just("0.000")].prop_map(String::from);
    prop_oneof![8 => finite, 4 => far, 1 => special]
        .prop_map(|text| Datum::Numeric(text.parse::<Numeric>().expect("a number")))
}

fn floats() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<u64>().prop_map(f64::from_bits),
        prop_oneof![
            Just(0.0),
            Just(-0.0),
            Just(f64::NAN),
            Just(-f64::NAN),
            Just(f64::INFINITY),
            Just(f64::NEG_INFINITY)
        ],
        -4.0..4.0,
    ]
}

fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        proptest::string::string_regex("[ab ]{0,6}").expect("a pattern"),
        any::<String>().prop_map(|text| text.replace('\0', ""))
    ]
}

proptest! {
    #[test]
    fn integers(a in any::<i64>(), b in any::<i64>(), c in any::<i16>(), d in any::<i16>()) {
        check(&Datum::Int8(a), &Datum::Int8(b), Type::INT8)?;
        check(&Datum::Int4(a as i32), &Datum::Int4(b as i32), Type::INT4)?;
        check(&Datum::Int2(c), &Datum::Int2(d), Type::INT2)?;
        check(&Datum::Int2(c), &Datum::Null, Type::INT2)?;
        check(&Datum::Oid(a as u32), &Datum::Oid(b as u32), Type::OID)?;
        check(&Datum::Date(a as i32), &Datum::Date(b as i32), Type::DATE)?;
        check(&Datum::TimestampTz(a), &Datum::TimestampTz(b), Type::TIMESTAMPTZ)?;
        check(&Datum::Bool(a > 0), &Datum::Bool(b > 0), Type::BOOL)?;
    }

    #[test]
    fn float_pairs(a in floats(), b in floats()) {
        check(&Datum::Float8(a), &Datum::Float8(b), Type::FLOAT8)?;
        check(&Datum::Float4(a as f32), &Datum::Float4(b as f32), Type::FLOAT4)?;
    }

    #[test]
    fn numeric_pairs(a in or_null(numerics()), b in or_null(numerics())) {
        check(&a, &b, Type::NUMERIC)?;
    }

    #[test]
    fn text_pairs(a in texts(), b in texts()) {
        check(&Datum::text(a.as_str()), &Datum::text(b.as_str()), Type::TEXT)?;
        check(&Datum::text(a), &Datum::text(b), Type::BPCHAR)?;
    }

    #[test]
    fn byte_pairs(a in proptest::collection::vec(prop_oneof![Just(0u8), Just(1), Just(255), any::<u8>()], 0..6),
                  b in proptest::collection::vec(prop_oneof![Just(0u8), Just(1), Just(255), any::<u8>()], 0..6)) {
        check(&Datum::bytea(a), &Datum::bytea(b), Type::BYTEA)?;
    }

    #[test]
    fn interval_pairs(a in any::<(i32, i32, i64)>(), b in any::<(i32, i32, i64)>(), near in -3..3i32) {
        let interval = |(months, days, micros)| Datum::Interval(Interval::new(months, days, micros));
        check(&interval(a), &interval(b), Type::INTERVAL)?;
        check(&interval((near, 0, 0)), &interval((0, near * 30, 0)), Type::INTERVAL)?;
    }

    #[test]
    fn pairs_of_columns(a in texts(), b in texts(), c in any::<i8>(), d in any::<i8>()) {
        let columns = [KeyColumn::descending(0, Type::TEXT), KeyColumn::ascending(1, Type::INT4)];
        let key = |text: &str, number: i8| {
            let mut out = Vec::new();
            encode_all(&mut out, &columns, &[Datum::text(text), Datum::Int4(number.into())]);
            out
        };
        prop_assert_eq!(key(&a, c).cmp(&key(&b, d)), b.as_bytes().cmp(a.as_bytes()).then(c.cmp(&d)));
    }

    #[test]
    fn any_bytes_decode_or_are_corrupt(input in proptest::collection::vec(any::<u8>(), 0..24)) {
        for ty in [Type::INT4, Type::TEXT, Type::NUMERIC, Type::BYTEA, Type::INTERVAL, Type::BOOL, Type::UUID, Type::FLOAT8] {
            for column in columns(ty) {
                let _ = decode(&mut input.as_slice(), &column);
            }
        }
    }
}

#[test]
fn the_bytes_of_version_1_stay_as_they_are() {
    let ascending = |ty| KeyColumn::ascending(0, ty);
    let hex = |datum: &Datum, column: &KeyColumn| {
        bytes(datum, column).iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    let numeric = |text: &str| Datum::Numeric(text.parse().expect("a number"));
    assert_eq!(hex(&Datum::Int4(1), &ascending(Type::INT4)), "0180000001");
    assert_eq!(hex(&Datum::Int4(1), &KeyColumn::descending(0, Type::INT4)), "017ffffffe");
    assert_eq!(hex(&Datum::Null, &ascending(Type::INT4)), "02");
    assert_eq!(hex(&Datum::Null, &KeyColumn::descending(0, Type::INT4)), "00");
    assert_eq!(hex(&Datum::text("ab"), &ascending(Type::TEXT)), "0161620000");
    assert_eq!(hex(&Datum::bytea([0u8, 1].as_slice()), &ascending(Type::BYTEA)), "0100ff010000");
    assert_eq!(hex(&numeric("12.50"), &ascending(Type::NUMERIC)), "0140810d3300");
    assert_eq!(hex(&numeric("-12.5"), &ascending(Type::NUMERIC)), "01207ef2ccff");
    assert_eq!(hex(&numeric("0.00"), &ascending(Type::NUMERIC)), "0130");
    assert_eq!(hex(&Datum::Float8(-0.0), &ascending(Type::FLOAT8)), "018000000000000000");
}
