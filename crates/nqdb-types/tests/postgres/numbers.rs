//! numeric: every operation's digits, and input.

use nqdb_sqlstate::{SqlError, SqlResult};
use nqdb_types::{Numeric, Type};

use crate::oracle::{Case, Oracle, Sequence};

const OPERANDS: &[&str] = &[
    "0",
    "0.000",
    "1",
    "-1",
    "1.0",
    "2",
    "3",
    "-3",
    "7",
    "10",
    "100",
    "0.1",
    "0.01",
    "0.001",
    "0.0001",
    "0.00001",
    "-0.5",
    "1.5",
    "2.5",
    "-2.5",
    "9999",
    "10000",
    "9999.9999",
    "99999999",
    "12345.6789",
    "0.9",
    "1.1",
    "0.99999999",
    "1.00000001",
    "3.14159265358979",
    "1e10",
    "1e-10",
    "123456789012345678",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "123456789012345678901234567890.123456789",
    "0.000000000000000000000000000001",
    "1e50",
    "1e-50",
    "4.2e30",
    "NaN",
    "Infinity",
    "-Infinity",
];

fn numeric(text: &str) -> Numeric {
    text.parse().expect("a number")
}

fn shown(result: SqlResult<Numeric>) -> Result<String, SqlError> {
    result.map(|value| value.to_string())
}

fn random_operand(sequence: &mut Sequence) -> String {
    let digits = |sequence: &mut Sequence, count: u64| {
        (0..count).map(|_| char::from(b'0' + sequence.below(10) as u8)).collect::<String>()
    };
    let sign = if sequence.below(3) == 0 { "-" } else { "" };
    let before = sequence.below(24) + 1;
    let behind = sequence.below(16);
    let before = digits(sequence, before);
    let behind = digits(sequence, behind);
    format!("{sign}{before}.{behind}")
}

fn operands() -> Vec<String> {
    let mut sequence = Sequence::new(20_220_214);
    let mut operands: Vec<String> = OPERANDS.iter().map(|text| text.to_string()).collect();
    operands.extend((0..24).map(|_| random_operand(&mut sequence)));
    operands
}

#[test]
fn binary_operations_give_postgresqls_digits() {
    type Operation = fn(&Numeric, &Numeric) -> SqlResult<Numeric>;
    let operations: [(&str, Operation); 10] = [
        ("{a} + {b}", Numeric::add),
        ("{a} - {b}", Numeric::sub),
        ("{a} * {b}", Numeric::mul),
        ("{a} / {b}", Numeric::div),
        ("{a} % {b}", Numeric::rem),
        ("div({a}, {b})", Numeric::div_trunc),
        ("log({a}, {b})", |a, b| b.log(a)),
        ("gcd({a}, {b})", |a, b| a.gcd(b, &|| Ok(()))),
        ("lcm({a}, {b})", |a, b| a.lcm(b, &|| Ok(()))),
        ("case when {a} < {b} then -1 when {a} > {b} then 1 else 0 end", |a, b| Ok(Numeric::from(a.cmp(b) as i32))),
    ];
    let mut cases = Vec::new();
    for a in &operands() {
        for b in &operands() {
            for (expression, operation) in &operations {
                let expression = expression.replace("{a}", &literal(a)).replace("{b}", &literal(b));
                cases.push(Case::new(expression, shown(operation(&numeric(a), &numeric(b)))));
            }
        }
    }
    Oracle::start().expect_agreement("", &cases);
}

#[test]
fn powers_give_postgresqls_digits() {
    let exponents = [
        "0",
        "0.0",
        "1",
        "-1",
        "2",
        "3",
        "-2",
        "10",
        "-10",
        "0.5",
        "-0.5",
        "1.5",
        "2.25",
        "0.333333333",
        "17",
        "100",
        "-100",
        "64.0",
        "3.00",
        "1000.5",
        "12345",
        "-7.25",
        "NaN",
        "Infinity",
        "-Infinity",
    ];
    let mut cases = Vec::new();
    for base in &operands() {
        for exponent in exponents {
            let ours = shown(numeric(base).power(&numeric(exponent)));
            cases.push(Case::new(format!("power({}, {})", literal(base), literal(exponent)), ours));
        }
    }
    Oracle::start().expect_agreement("", &cases);
}

#[test]
fn functions_give_postgresqls_digits() {
    type Operation = fn(&Numeric) -> SqlResult<Numeric>;
    let operations: [(&str, Operation); 18] = [
        ("-{a}", |a| Ok(a.neg())),
        ("abs({a})", |a| Ok(a.abs())),
        ("sign({a})", |a| Ok(a.sign())),
        ("ceil({a})", Numeric::ceil),
        ("floor({a})", Numeric::floor),
        ("round({a}, 3)", |a| a.round(3)),
        ("round({a}, 0)", |a| a.round(0)),
        ("round({a}, -3)", |a| a.round(-3)),
        ("trunc({a}, 2)", |a| Ok(a.trunc(2))),
        ("trunc({a}, -2)", |a| Ok(a.trunc(-2))),
        ("sqrt({a})", Numeric::sqrt),
        ("exp({a})", Numeric::exp),
        ("ln({a})", Numeric::ln),
        ("log({a})", |a| a.log(&Numeric::from(10))),
        ("trim_scale({a})", |a| Ok(a.trim_scale())),
        ("{a}::numeric(10,3)", |a| a.apply_typmod(Type::numeric(10, 3))),
        ("{a}::numeric(5,-2)", |a| a.apply_typmod(Type::numeric(5, -2))),
        ("{a}::numeric(3,5)", |a| a.apply_typmod(Type::numeric(3, 5))),
    ];
    let mut sequence = Sequence::new(7);
    let mut operands = operands();
    operands.extend((0..200).map(|_| random_operand(&mut sequence)));
    operands.extend((0..60).map(|exponent| format!("{}e{}", sequence.below(9999), exponent - 30)));
    operands.extend(["5999", "-5999", "6000", "6001", "-6001", "20.5", "-1500.25"].map(String::from));
    let mut cases = Vec::new();
    for a in &operands {
        for (expression, operation) in &operations {
            cases.push(Case::new(expression.replace("{a}", &literal(a)), shown(operation(&numeric(a)))));
        }
    }
    Oracle::start().expect_agreement("", &cases);
}

#[test]
fn casts_agree_in_value_and_error() {
    let floats = [
        "0",
        "1",
        "-1.5",
        "0.1",
        "1e20",
        "1e-20",
        "1.7976931348623157e308",
        "5e-324",
        "123456789.123456789",
        "2.5",
        "3.5",
        "1e15",
        "NaN",
        "Infinity",
        "-Infinity",
    ];
    let mut cases = Vec::new();
    for text in floats {
        let value: f64 = text.to_ascii_lowercase().parse().expect("a float");
        cases.push(Case::new(format!("'{text}'::float8::numeric"), Ok(Numeric::from_f64(value).to_string())));
        let narrow = value as f32;
        if narrow.is_infinite() == value.is_infinite() && (narrow == 0.0) == (value == 0.0) {
            cases.push(Case::new(format!("'{text}'::float4::numeric"), Ok(Numeric::from_f32(narrow).to_string())));
        }
    }
    for text in &operands() {
        let value = numeric(text);
        let literal = literal(text);
        cases.push(Case::new(format!("{literal}::int2"), value.to_i16().map(|value| value.to_string())));
        cases.push(Case::new(format!("{literal}::int4"), value.to_i32().map(|value| value.to_string())));
        cases.push(Case::new(format!("{literal}::int8"), value.to_i64().map(|value| value.to_string())));
        cases.push(Case::new(
            format!("encode(numeric_send({literal}), 'hex')"),
            Ok({
                let mut bytes = Vec::new();
                value.write_binary(&mut bytes);
                assert_eq!(Numeric::read_binary(&bytes).expect("valid").to_string(), value.to_string());
                bytes.iter().map(|byte| format!("{byte:02x}")).collect()
            }),
        ));
    }
    Oracle::start().expect_agreement("", &cases);
}

fn literal(text: &str) -> String {
    format!("'{text}'::numeric")
}
