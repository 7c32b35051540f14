//! Intervals in all their spellings.

use nqdb_types::{Type, interval_typmod, oid};

use crate::oracle::{Case, Oracle, Sequence};
use crate::spellings::{context, round_trip};

const INPUTS: &[&str] = &[
    "1 year",
    "1 year 2 mons",
    "1 year 2 months 3 days 4 hours 5 minutes 6.789 seconds",
    "1 year 2 mons 3 days 04:05:06.7",
    "-1 year",
    "-1 year +2 mons",
    "@ 1 minute",
    "5 hour",
    "10 day",
    "34 year",
    "3 months",
    "-14 seconds ago",
    "1 day 2 hours 3 minutes 4 seconds",
    "6 years",
    "5 months 12 hours",
    "1 week",
    "2.5 weeks",
    "1.5 months",
    "1.25 years",
    "0.3 years",
    "1 decade",
    "1 century",
    "1 millennium",
    "1.5 decades",
    "2 centuries 3 decades",
    "500 milliseconds",
    "1.5 ms",
    "7 microseconds",
    "7.6 us",
    "P1Y2M3DT4H5M6S",
    "P1Y2M",
    "PT5M",
    "P1W",
    "P0.5Y",
    "P1.5D",
    "PT0.001S",
    "P0001-02-03T04:05:06",
    "P0001-02-03",
    "P00010203T040506",
    "P2020-10",
    "P",
    "PT",
    "P1S",
    "PT1Y",
    "P-1Y2M",
    "PT-1.5S",
    "1-2",
    "-1-2",
    "+1-2",
    "1-13",
    "1-2 3 4:05:06",
    "1 4:05:06",
    "-1 4:05:06",
    "-1 -4:05:06",
    "4:05:06",
    "4:05",
    "-4:05:06.5",
    "4:05.5",
    "100:00:00",
    "1:60",
    "1:00:61",
    "123",
    "1.5",
    "-1.5",
    "",
    " ",
    "x",
    "1 x",
    "year",
    "1 year 1 year",
    "1 hour 2:00",
    "1 day 2",
    "1 2",
    "1 2 3",
    "ago",
    "1 day ago",
    "1 day ago 2 hours",
    "1 month -1 day ago",
    "1 year month",
    "1y2mon3d4h5m6s",
    "1 yr 2 mon 3 d",
    "2147483647 days",
    "2147483648 days",
    "-2147483648 days",
    "178956970 years 7 months",
    "178956970 years 8 months",
    "-178956970 years -8 months",
    "9223372036854775807 us",
    "9223372036854775808 us",
    "2562047788:00:54.775807",
    "2562047789:00:00",
    "99999999999 years",
    "1e5 days",
    "0.1 months",
    "0.05 months",
    "1.999999 days",
    "0.5 days",
    "1 quarter",
    "1 day, 2 hours",
    "infinity",
    "1 us 2 ms",
    "0 days",
    "-0:00:01",
    "1.1 weeks",
    "1.33 months",
    "-1.5 months",
    "-0.5 years",
    "-2.5 weeks",
    "1 mon 2147483647 days 23:59:59.999999",
    "+1 day -1 hour",
    "1 day -00:00:01",
    "0.0000005 seconds",
    "1.0000005 seconds",
    "3 days ago 04:05:06",
];

#[test]
fn inputs_are_read_and_written_alike_in_every_style() {
    let oracle = Oracle::start();
    let mut sequence = Sequence::new(31);
    let mut inputs: Vec<String> = INPUTS.iter().map(|text| text.to_string()).collect();
    for _ in 0..400 {
        let mut text = String::new();
        for unit in ["years", "mons", "days", "hours", "mins", "secs"] {
            let value = sequence.below(40) as i64 - 20;
            match sequence.below(3) {
                0 => text.push_str(&format!("{value} {unit} ")),
                1 if unit != "mons" => text.push_str(&format!("{value}.{} {unit} ", sequence.below(1000))),
                _ => {}
            }
        }
        inputs.push(text);
    }
    for style in ["postgres", "postgres_verbose", "sql_standard", "iso_8601"] {
        let (cx, settings) = context("ISO, MDY", style, "UTC");
        let cases: Vec<Case> = inputs.iter().map(|text| round_trip(text, Type::INTERVAL, &cx)).collect();
        oracle.expect_agreement(&settings, &cases);
    }
}

#[test]
fn modifiers_decide_what_a_number_is_and_cut_the_rest() {
    use interval_typmod::{DAY, FULL_PRECISION, FULL_RANGE, HOUR, MINUTE, MONTH, SECOND, YEAR, pack};
    let ranges = [
        YEAR,
        MONTH,
        DAY,
        HOUR,
        MINUTE,
        SECOND,
        YEAR | MONTH,
        DAY | HOUR,
        DAY | HOUR | MINUTE,
        DAY | HOUR | MINUTE | SECOND,
        HOUR | MINUTE,
        HOUR | MINUTE | SECOND,
        MINUTE | SECOND,
    ];
    let texts = [
        "1",
        "1.5",
        "-3",
        "1-2",
        "1 2:03",
        "2:03",
        "2:03:04.5678",
        "1 2:03:04.5678",
        "1 year 2 mons 3 days 4:05:06.789",
        "-1 year -2 mons -3 days -4:05:06.789",
        "1 2",
        "10.25",
    ];
    let (cx, settings) = context("ISO, MDY", "postgres", "UTC");
    let mut types: Vec<Type> =
        ranges.iter().map(|range| Type::with_typmod(oid::INTERVAL, pack(FULL_PRECISION, *range))).collect();
    types.push(Type::with_typmod(oid::INTERVAL, pack(2, FULL_RANGE)));
    types.push(Type::with_typmod(oid::INTERVAL, pack(0, FULL_RANGE)));
    types.push(Type::with_typmod(oid::INTERVAL, pack(1, DAY | HOUR | MINUTE | SECOND)));
    // interval(2)'2 days' is how a literal gets its modifier before input.
    let cases: Vec<Case> = types.iter().flat_map(|ty| texts.iter().map(|text| round_trip(text, *ty, &cx))).collect();
    Oracle::start().expect_agreement(&settings, &cases);
}
