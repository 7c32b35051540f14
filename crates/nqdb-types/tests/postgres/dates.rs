//! Dates, times and timestamps: what is read, what is refused, how it is written.

use nqdb_types::{FormatContext, TimeZone, Type};

use crate::oracle::{Case, Oracle, Sequence};
use crate::spellings::{context, round_trip};

const INPUTS: &[&str] = &[
    "2020-01-02",
    "2020-1-2",
    "20200102",
    "200102",
    "1999-01-08",
    "January 8, 1999",
    "1/8/1999",
    "1/18/1999",
    "01/02/03",
    "1999-Jan-08",
    "Jan-08-1999",
    "08-Jan-1999",
    "99-Jan-08",
    "08-Jan-99",
    "Jan-08-99",
    "19990108",
    "990108",
    "1999.008",
    "J2451187",
    "January 8, 99 BC",
    "2020-02-29",
    "2019-02-29",
    "2020-02-30",
    "2020-13-01",
    "2020-00-01",
    "0000-01-01",
    "0001-01-01",
    "0001-01-01 BC",
    "4714-11-24 BC",
    "4714-11-23 BC",
    "5874897-12-31",
    "5874898-01-01",
    "294276-12-31 23:59:59.999999",
    "294277-01-01",
    "epoch",
    "infinity",
    "-infinity",
    "Infinity",
    "+infinity",
    "infinit",
    "",
    " ",
    "x",
    "2020",
    "2020-01",
    "01-02",
    "2020-01-02 03:04:05",
    "2020-01-02T03:04:05",
    "2020-01-02 03:04:05.678",
    "2020-01-02 03:04:05.6789012",
    "2020-01-02 03:04:05.9999999",
    "2020-01-02 03:04",
    "2020-01-02 3:4",
    "2020-01-02 24:00:00",
    "2020-01-02 24:00:01",
    "2020-01-02 23:59:60",
    "2020-01-02 23:60:00",
    "2020-01-02 25:00",
    "2020-01-02 03:04:05+02",
    "2020-01-02 03:04:05 +02",
    "2020-01-02 03:04:05-08:30",
    "2020-01-02 03:04:05+0530",
    "2020-01-02 03:04:05+00:53:28",
    "2020-01-02 03:04:05+16",
    "2020-01-02 03:04:05+15:59",
    "2020-01-02 03:04:05 PST",
    "2020-01-02 03:04:05 EST",
    "2020-07-02 03:04:05 CEST",
    "2020-01-02 03:04:05 America/New_York",
    "2020-07-02 03:04:05 America/New_York",
    "2020-01-02 03:04:05 Europe/Berlin",
    "2020-01-02 03:04:05 europe/berlin",
    "2020-01-02 03:04:05 Nowhere/Land",
    "2020-01-02 03:04:05Z",
    "2020-01-02 03:04:05 zulu",
    "2020-01-02T030405Z",
    "20200102T030405",
    "20200102 030405",
    "20200102T030405+02",
    "20200102 030405.25",
    "2020-01-02 0304",
    "2020-01-02 03:04:05 AM",
    "2020-01-02 03:04:05 PM",
    "2020-01-02 12:04:05 AM",
    "2020-01-02 12:04 PM",
    "2020-01-02 13:04 PM",
    "2020-01-02 13:04 AM",
    "Wed Jan 1 2020",
    "Wed Jan 01 17:32:01 1997 PST",
    "Mon Feb 10 17:32:01.4 1997 PDT",
    "Feb 10 17:32:01 1997 -0800",
    "Feb 10 17:32:01 1997",
    "Feb 10 5:32PM 1997",
    "1997/02/10 17:32:01-0800",
    "1997-02-10 17:32:01 PST8PDT",
    "97FEB10 5:32:01PM UTC",
    "97/02/10 17:32:01 UTC",
    "1997.041 17:32:01 UTC",
    "19970210 173201 America/New_York",
    "2001-09-22T18:19:20",
    "y2001m02d04",
    "2000-03-15 08:14:01 GMT+8",
    "Feb 16 17:32:01 0097 BC",
    "Feb 16 17:32:01 5097 BC",
    "J2452271+08",
    "J2452271 04:05:06",
    "J2452271T040506789+08",
    "20011227 040506+08",
    "20011227T040506+08",
    "December 27, 2001 04:05:06.789-08",
    "2001-12-27 04:05:06.789 MET DST",
    "2001-12-27 allballs",
    "15/Feb/1999",
    "15/2/1999",
    "2.15.1999",
    "15.2.1999",
    "1999 Jan 08",
    "Jan 08 1999",
    "08 Jan 1999",
    "Jan 1999 08",
    "12 Jan",
    "Jan 12",
    "2001-Foo-12",
    "Foo 12, 2001",
    "2020-01-02 foo",
    "1 2 3 4",
    "2020-01-02 2020-01-02",
    "03:04:05",
    "03:04:05 2020-01-02",
    "May 5 2020 at 10:00",
    "on May 5 2020",
    "05-05-2020",
    "5-5-5",
    "70-01-01",
    "69-12-31",
    "1-1-1 BC",
    "2020-01-02 10:00 BC",
    "2020-01-02 AD",
    "2020.01.02",
    "2020/01/02",
    "2020-01/02",
    "2020 01 02",
    "366 2020",
    "2020 366",
    "2021 366",
    "2020-366",
    "2020-06-15 12:00:00 MSK",
    "2012-06-15 12:00:00 MSK",
    "1920-03-15 12:00:00 Europe/Paris",
    "1850-01-01 12:00:00 Europe/Paris",
    "2020-03-29 02:30:00",
    "2020-10-25 02:30:00",
    "2020-03-29 02:30:00 Europe/Berlin",
    "2020-03-08 02:30:00 America/New_York",
    "2020-11-01 01:30:00 America/New_York",
    "1900-01-01",
    "2500-07-01 12:00",
    "9999-12-31",
    "10000-01-01",
    "100000-07-01 12:00:00",
    "200000-07-01 12:00",
    "2020-01-02 03:04:05,678",
    "2020-01-02 03.04.05",
    "'2020-01-02'",
    "2020-01-02;",
    "2020--01-02",
    "2020-01-02-",
    "99999999999-01-01",
    "2020-01-02 99999999999:00",
    "2020-01-02 +99999999999",
    "Sat 2020-01-02",
    "2020-01-02 04:05:06 d",
    "epoch 2020-01-01",
    "2020-W01-1",
    "2020-01-02 04:05:06.5.5",
    "2020-01-02 1:2:3.",
    "2020-01-02 .5",
    "2020-01-02 4",
    "00-01-01",
    "000-01-01",
];

const ZONES: &[&str] =
    &["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "-3.5", "America/Sao_Paulo"];

#[test]
fn inputs_are_read_or_refused_alike() {
    let oracle = Oracle::start();
    for date_style in ["ISO, MDY", "ISO, DMY", "ISO, YMD"] {
        let (cx, settings) = context(date_style, "postgres", "Europe/Berlin");
        let mut cases = Vec::new();
        for text in INPUTS {
            for ty in [Type::DATE, Type::TIMESTAMP, Type::TIMESTAMPTZ] {
                cases.push(round_trip(text, ty, &cx));
            }
        }
        oracle.expect_agreement(&settings, &cases);
    }
}

#[test]
fn times_of_day_are_read_or_refused_alike() {
    let (cx, settings) = context("ISO, MDY", "postgres", "Europe/Berlin");
    let texts = [
        "04:05:06.789",
        "04:05:06",
        "04:05",
        "040506",
        "0405",
        "04:05 AM",
        "04:05 PM",
        "12:00 AM",
        "12:00 PM",
        "13:00 PM",
        "04:05:06.789-8",
        "04:05:06-08:00",
        "04:05-08:00",
        "040506-08",
        "04:05:06 PST",
        "2003-04-12 04:05:06 America/New_York",
        "04:05:06 America/New_York",
        "04:05:06 UTC",
        "04:05:06 GMT",
        "24:00:00",
        "24:00:01",
        "23:59:60",
        "23:60",
        "25:00",
        "",
        "x",
        "allballs",
        "now x",
        "today",
        "infinity",
        "epoch",
        "2020-01-01",
        "2020-01-01 10:00",
        "10",
        "100",
        "1000",
        "10000",
        "100000",
        "1",
        "t040506",
        "T04:05:06",
        "04:05:06.1234567",
        "040506.5",
        "04.05",
        "-04:05",
        "+04:05",
        "04:05:06 Nowhere/Land",
        "10:00 10:00",
        "h04mm05s06",
        "12:34:56 BC",
        "J2451187 04:05:06",
        "Jan 5 2020 04:05:06",
        "5:6:7",
        "4:5:6.7 +2",
    ];
    let cases: Vec<Case> = texts.iter().map(|text| round_trip(text, Type::TIME, &cx)).collect();
    Oracle::start().expect_agreement(&settings, &cases);
}

fn random_timestamps(sequence: &mut Sequence, count: usize) -> Vec<String> {
    (0..count)
        .map(|_| {
            let year = match sequence.below(5) {
                0 => sequence.below(4000) + 1,
                1 => 2037 + sequence.below(500),
                2 => 10_000 + sequence.below(200_000),
                _ => 1880 + sequence.below(160),
            };
            let fraction = ["", ".5", ".123456", ".000001"][sequence.below(4) as usize];
            let era = if sequence.below(12) == 0 && year < 4000 { " BC" } else { "" };
            format!(
                "{year:04}-{:02}-{:02} {:02}:{:02}:{:02}{fraction}{era}",
                sequence.below(12) + 1,
                sequence.below(28) + 1,
                sequence.below(24),
                sequence.below(60),
                sequence.below(60)
            )
        })
        .collect()
}

#[test]
fn outputs_have_every_style_and_zone() {
    let oracle = Oracle::start();
    let mut sequence = Sequence::new(4);
    for date_style in
        ["ISO, MDY", "SQL, MDY", "SQL, DMY", "Postgres, MDY", "Postgres, DMY", "German, DMY", "Postgres, YMD"]
    {
        for zone in ZONES {
            let (mut cx, settings) = context(date_style, "postgres", zone);
            // The inputs are ISO whatever the style; a style's own order does not touch them.
            cx.now_micros = 0;
            let mut cases = Vec::new();
            for text in random_timestamps(&mut sequence, 120) {
                for ty in [Type::DATE, Type::TIMESTAMP, Type::TIMESTAMPTZ] {
                    cases.push(round_trip(&text, ty, &cx));
                }
            }
            oracle.expect_agreement(&settings, &cases);
        }
    }
}

#[test]
fn the_hours_around_clock_changes_agree() {
    let oracle = Oracle::start();
    for zone in
        ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Europe/Dublin", "Europe/Moscow", "Asia/Tehran"]
    {
        let (cx, settings) = context("ISO, MDY", "postgres", zone);
        let days = [
            "2020-03-29",
            "2020-10-25",
            "2020-03-08",
            "2020-11-01",
            "2020-04-05",
            "2020-10-04",
            "2014-10-26",
            "2011-03-27",
            "2023-03-19",
            "2023-04-23",
            "1945-05-24",
            "2040-03-25",
            "2040-10-28",
            "2040-03-11",
            "2450-03-27",
            "12020-03-29",
        ];
        let mut cases = Vec::new();
        for day in days {
            for minutes in (0..300).step_by(15) {
                let text = format!("{day} {:02}:{:02}:00", minutes / 60, minutes % 60);
                cases.push(round_trip(&text, Type::TIMESTAMPTZ, &cx));
                cases.push(round_trip(&format!("{text}+00"), Type::TIMESTAMPTZ, &cx));
            }
        }
        oracle.expect_agreement(&settings, &cases);
    }
}

#[test]
fn words_that_depend_on_the_clock_use_the_transactions() {
    // 2024-03-10 23:50 UTC is the next day in Tokyo.
    let now_micros = 763_429_800_000_000;
    let cx = FormatContext {
        time_zone: TimeZone::from_name("Asia/Tokyo").expect("a zone"),
        now_micros,
        ..FormatContext::default()
    };
    let shown = |text: &str, ty: Type| {
        let mut out = Vec::new();
        nqdb_types::write_text(&mut out, &nqdb_types::parse_text(text, ty, &cx).expect("valid"), ty, &cx);
        String::from_utf8(out).expect("UTF-8")
    };
    assert_eq!(shown("now", Type::TIMESTAMPTZ), "2024-03-11 08:50:00+09");
    assert_eq!(shown("now", Type::TIMESTAMP), "2024-03-11 08:50:00");
    assert_eq!(shown("today", Type::DATE), "2024-03-11");
    assert_eq!(shown("yesterday", Type::TIMESTAMPTZ), "2024-03-10 00:00:00+09");
    assert_eq!(shown("tomorrow 04:05", Type::TIMESTAMP), "2024-03-12 04:05:00");
    assert_eq!(shown("now", Type::TIME), "08:50:00");
}
