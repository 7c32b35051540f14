//! Input and output of the plain types.

use nqdb_types::{DateStyle, FormatContext, IntervalStyle, TimeZone, Type, oid, parse_text, write_text};

use crate::oracle::{Case, Oracle, Sequence};

/// Reads a text and writes it again, as `'text'::type::text` does.
pub fn round_trip(text: &str, ty: Type, cx: &FormatContext) -> Case {
    let ours = parse_text(text, ty, cx).map(|datum| {
        let mut out = Vec::new();
        write_text(&mut out, &datum, ty, cx);
        String::from_utf8(out).expect("text output is UTF-8")
    });
    // A cast of a literal calls the type's input function; the modifier is applied as in a COPY by assignment.
    let value = format!("$value${text}$value$::{}", ty.name());
    // boolean's cast to text is spelled out, unlike its output.
    if ty == Type::BOOL { Case::new(format!("textin(boolout({value}))"), ours) } else { Case::new(value, ours) }
}

pub fn context(date_style: &str, interval_style: &str, zone: &str) -> (FormatContext, String) {
    let cx = FormatContext {
        date_style: DateStyle::default().parse(date_style).expect("a DateStyle"),
        interval_style: IntervalStyle::parse(interval_style).expect("an IntervalStyle"),
        time_zone: TimeZone::from_setting(zone).expect("a zone"),
        ..FormatContext::default()
    };
    let settings =
        format!("set datestyle = '{date_style}'; set intervalstyle = '{interval_style}'; set timezone = '{zone}';");
    (cx, settings)
}

#[test]
fn integers_booleans_and_the_rest() {
    let inputs: &[(Type, &[&str])] = &[
        (
            Type::INT2,
            &["0", "32767", "-32768", "32768", "-32769", " 7 ", "+5", "-", "", "7x", "1.0", "99999x", "1 2", "0x1"],
        ),
        (
            Type::INT4,
            &[
                "0",
                "2147483647",
                "2147483648",
                "-2147483648",
                "-2147483649",
                "99999999999999999999",
                "\t12\n",
                "1_000",
                "--1",
                "+ 1",
            ],
        ),
        (
            Type::INT8,
            &[
                "9223372036854775807",
                "9223372036854775808",
                "-9223372036854775808",
                "-9223372036854775809",
                "abc",
                "1e3",
            ],
        ),
        (Type::OID, &["0", "4294967295", "4294967296", "-1", "-2147483648", "x", "", " 12 ", "12 x"]),
        (
            Type::BOOL,
            &[
                "t", "true", "TRUE", " yes ", "y", "on", "of", "off", "o", "n", "no", "0", "1", "2", "", "tru",
                "truee", "fals",
            ],
        ),
        (
            Type::BYTEA,
            &[
                "\\x0aFF",
                "\\x0 a",
                "\\x0 aa",
                "\\x 0a bb",
                "\\xzz",
                "\\x0",
                "abc",
                "a\\\\b",
                "\\000\\377",
                "\\400",
                "\\1",
                "a\\",
            ],
        ),
        (
            Type::UUID,
            &[
                "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
                "A0EEBC999C0B4EF8BB6D6BB9BD380A11",
                "{a0eebc99-9c0b4ef8-bb6d6bb9-bd380a11}",
                "a0ee-bc99-9c0b-4ef8-bb6d-6bb9-bd38-0a11",
                "a0eebc99-",
                "",
                "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
                "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11-",
                "x0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
            ],
        ),
        (
            Type::NUMERIC,
            &[
                "1",
                " 1.50 ",
                "-0",
                "+.5",
                "5.",
                ".",
                "",
                "1e5",
                "1e-5",
                "1E+3",
                "1e",
                "1e+",
                "e5",
                "1..2",
                "nan",
                "NAN",
                "inf",
                "-INF",
                "+infinity",
                "infinit",
                "--1",
                "1 2",
                "0x1",
                "1e131071",
                "1e131072",
                "1e-16383",
                "1e-16384",
                "1e99999999999",
                "0e200000",
                "12345678901234567890",
                "0.00000000000000000000001",
                "-123.4500",
            ],
        ),
        (Type::CHAR_INTERNAL, &["a", "", "abc"]),
    ];
    let (cx, settings) = context("ISO, MDY", "postgres", "UTC");
    let cases: Vec<Case> =
        inputs.iter().flat_map(|(ty, texts)| texts.iter().map(|text| round_trip(text, *ty, &cx))).collect();
    Oracle::start().expect_agreement(&settings, &cases);
}

#[test]
fn floats_have_postgresqls_shortest_digits() {
    let (mut cx, settings) = context("ISO, MDY", "postgres", "UTC");
    let fixed = [
        "0",
        "-0",
        "1",
        "1.5",
        "1e15",
        "1e14",
        "123456789012345",
        "1234567890123456",
        "1e-4",
        "1e-5",
        "0.00012",
        "1e23",
        "9e22",
        "1e22",
        "5e-324",
        "1.7976931348623157e308",
        "1.8e308",
        "1e-400",
        "0e-400",
        "-1e400",
        "nan",
        "NaN",
        "inf",
        "-Infinity",
        "infinit",
        "1e",
        "",
        " 1 ",
        "1 2",
        "x",
        "1000000",
        "999999",
        "1e5",
        "1e6",
        "1e7",
        "16777217",
        "3.4028235e38",
        "3.5e38",
        "1e-45",
        "1e-46",
        "0.1",
        ".5",
        "5.",
    ];
    let mut sequence = Sequence::new(99);
    let mut texts: Vec<String> = fixed.iter().map(|text| text.to_string()).collect();
    texts.extend(
        (0..1500).map(|_| format!("{:e}", f64::from_bits(sequence.next()))).filter(|text| !text.contains("NaN")),
    );
    texts.extend((0..400).map(|_| format!("{}e{}", sequence.below(100), sequence.below(40))));
    texts.extend(
        (0..400).map(|_| format!("{:e}", f32::from_bits(sequence.next() as u32))).filter(|text| !text.contains("NaN")),
    );
    let mut cases = Vec::new();
    for text in &texts {
        cases.push(round_trip(text, Type::FLOAT8, &cx));
        cases.push(round_trip(text, Type::FLOAT4, &cx));
    }
    let oracle = Oracle::start();
    oracle.expect_agreement(&settings, &cases);
    for digits in [0, -3, -15] {
        cx.extra_float_digits = digits;
        let cases: Vec<Case> = texts.iter().take(800).map(|text| round_trip(text, Type::FLOAT8, &cx)).collect();
        oracle.expect_agreement(&format!("set extra_float_digits = {digits};"), &cases);
    }
}

#[test]
fn modifiers_cut_pad_and_refuse() {
    let (cx, settings) = context("ISO, MDY", "postgres", "UTC");
    let mut cases = Vec::new();
    let oracle = Oracle::start();
    // An assignment, which unlike a cast refuses what is too long.
    let setup = format!(
        "{settings} create function pg_temp.assign(kind text, value text) returns text language plpgsql as $f$ declare r text; begin
         execute 'create temp table if not exists a_' || md5(kind) || ' (c ' || kind || ')';
         execute 'insert into a_' || md5(kind) || ' values (' || quote_literal(value) || ') returning ''['' || textin(textout(c::text)) || '']''' into r;
         return r; end $f$;"
    );
    let types = [
        Type::varchar(3),
        Type::varchar(1),
        Type::numeric(4, 2),
        Type::numeric(2, 4),
        Type::with_typmod(oid::TIME, 2),
        Type::with_typmod(oid::TIMESTAMP, 0),
        Type::with_typmod(oid::TIMESTAMPTZ, 3),
    ];
    let texts = [
        "abc",
        "abcd",
        "abc  ",
        "",
        "äöü",
        "äöüß",
        "12.345",
        "12.344",
        "99.995",
        "0.00994",
        "0.009951",
        "-1.5",
        "12:30:15.125",
        "12:30:15.129",
        "23:59:59.999",
        "2020-01-02 03:04:05.5",
        "2020-12-31 23:59:59.9999",
        "1999-01-01 00:00:00.4999999",
    ];
    for ty in types {
        for text in texts {
            let ours = parse_text(text, ty, &cx).map(|datum| {
                let mut out = Vec::new();
                write_text(&mut out, &datum, ty, &cx);
                format!("[{}]", String::from_utf8(out).expect("UTF-8"))
            });
            cases.push(Case::new(format!("pg_temp.assign('{}', $v${text}$v$)", ty.name()), ours));
        }
    }
    oracle.expect_agreement(&setup, &cases);
}
