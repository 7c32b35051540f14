//! `=`, `<>`, `<`, `<=`, `>`, `>=` on all types, within a type and across the pairs that PostgreSQL lists.
//!
//! Each family is six functions over one order. Text compares by code points (the C collation), `bpchar`
//! without trailing blanks, floats with NaN as the greatest value, dates as midnight in the session's zone
//! where the other side has one.

use std::cmp::Ordering;

use nqdb_functions_macros::sql_function;
use nqdb_types::calendar::{
    DATE_END, DATE_INFINITY, DATE_NEGATIVE_INFINITY, MICROS_PER_DAY, TIMESTAMP_INFINITY, TIMESTAMP_NEGATIVE_INFINITY,
    is_date_finite, is_timestamp_finite,
};
use nqdb_types::{Bits, Interval, Numeric, Tid, TimeTz};

use crate::{Function, FunctionContext};

/// Six comparison functions over one order.
macro_rules! comparison {
    ($module:ident: $left:ty, $right:ty, $order:expr;
     $eq:literal $eq_oid:literal, $ne:literal $ne_oid:literal, $lt:literal $lt_oid:literal,
     $le:literal $le_oid:literal, $gt:literal $gt_oid:literal, $ge:literal $ge_oid:literal $(,)?) => {
        mod $module {
            use super::*;

            #[sql_function($eq, oid = $eq_oid)]
            fn eq(a: $left, b: $right) -> bool {
                $order(&a, &b) == Ordering::Equal
            }
            #[sql_function($ne, oid = $ne_oid)]
            fn ne(a: $left, b: $right) -> bool {
                $order(&a, &b) != Ordering::Equal
            }
            #[sql_function($lt, oid = $lt_oid)]
            fn lt(a: $left, b: $right) -> bool {
                $order(&a, &b) == Ordering::Less
            }
            #[sql_function($le, oid = $le_oid)]
            fn le(a: $left, b: $right) -> bool {
                $order(&a, &b) != Ordering::Greater
            }
            #[sql_function($gt, oid = $gt_oid)]
            fn gt(a: $left, b: $right) -> bool {
                $order(&a, &b) == Ordering::Greater
            }
            #[sql_function($ge, oid = $ge_oid)]
            fn ge(a: $left, b: $right) -> bool {
                $order(&a, &b) != Ordering::Less
            }
        }
    };
}

/// As `comparison!`, for orders that depend on the session's time zone.
macro_rules! zoned_comparison {
    ($module:ident: $left:ty, $right:ty, $order:expr;
     $eq:literal $eq_oid:literal, $ne:literal $ne_oid:literal, $lt:literal $lt_oid:literal,
     $le:literal $le_oid:literal, $gt:literal $gt_oid:literal, $ge:literal $ge_oid:literal $(,)?) => {
        mod $module {
            use super::*;

            #[sql_function($eq, oid = $eq_oid, stable)]
            fn eq(context: &mut FunctionContext<'_>, a: $left, b: $right) -> bool {
                $order(context, a, b) == Ordering::Equal
            }
            #[sql_function($ne, oid = $ne_oid, stable)]
            fn ne(context: &mut FunctionContext<'_>, a: $left, b: $right) -> bool {
                $order(context, a, b) != Ordering::Equal
            }
            #[sql_function($lt, oid = $lt_oid, stable)]
            fn lt(context: &mut FunctionContext<'_>, a: $left, b: $right) -> bool {
                $order(context, a, b) == Ordering::Less
            }
            #[sql_function($le, oid = $le_oid, stable)]
            fn le(context: &mut FunctionContext<'_>, a: $left, b: $right) -> bool {
                $order(context, a, b) != Ordering::Greater
            }
            #[sql_function($gt, oid = $gt_oid, stable)]
            fn gt(context: &mut FunctionContext<'_>, a: $left, b: $right) -> bool {
                $order(context, a, b) == Ordering::Greater
            }
            #[sql_function($ge, oid = $ge_oid, stable)]
            fn ge(context: &mut FunctionContext<'_>, a: $left, b: $right) -> bool {
                $order(context, a, b) != Ordering::Less
            }
        }
    };
}

macro_rules! comparison_tables {
    ($($module:ident),* $(,)?) => {
        pub(crate) static FUNCTIONS: &[&[Function]] =
            &[$(&$module::EQ, &$module::NE, &$module::LT, &$module::LE, &$module::GT, &$module::GE),*];
    };
}

comparison_tables! {
    bool_type, bytea, char_type, name, name_text, int8, int8_int2, int8_int4, int2_int8, int2, int2_int4, int4_int8,
    int4_int2, int4, text_name, text, oid, float4, float4_float8, float8_float4, float8, bpchar, date,
    date_timestamp, date_timestamptz, time, timestamp_date, timestamp, timestamp_timestamptz, timestamptz_date,
    timestamptz_timestamp, timestamptz, interval, numeric, uuid, timetz, tid, bit, varbit,
    pg_lsn, xid8,
}

comparison! { bool_type: bool, bool, Ord::cmp;
    "booleq(bool, bool) -> bool" 60,
    "boolne(bool, bool) -> bool" 84,
    "boollt(bool, bool) -> bool" 56,
    "boolle(bool, bool) -> bool" 1691,
    "boolgt(bool, bool) -> bool" 57,
    "boolge(bool, bool) -> bool" 1692,
}
comparison! { bytea: &[u8], &[u8], ordered;
    "byteaeq(bytea, bytea) -> bool" 1948,
    "byteane(bytea, bytea) -> bool" 1953,
    "bytealt(bytea, bytea) -> bool" 1949,
    "byteale(bytea, bytea) -> bool" 1950,
    "byteagt(bytea, bytea) -> bool" 1951,
    "byteage(bytea, bytea) -> bool" 1952,
}
comparison! { char_type: &str, &str, ordered;
    "chareq(char, char) -> bool" 61,
    "charne(char, char) -> bool" 70,
    "charlt(char, char) -> bool" 1246,
    "charle(char, char) -> bool" 72,
    "chargt(char, char) -> bool" 73,
    "charge(char, char) -> bool" 74,
}
comparison! { name: &str, &str, ordered;
    "nameeq(name, name) -> bool" 62,
    "namene(name, name) -> bool" 659,
    "namelt(name, name) -> bool" 655,
    "namele(name, name) -> bool" 656,
    "namegt(name, name) -> bool" 657,
    "namege(name, name) -> bool" 658,
}
comparison! { name_text: &str, &str, ordered;
    "nameeqtext(name, text) -> bool" 240,
    "namenetext(name, text) -> bool" 245,
    "namelttext(name, text) -> bool" 241,
    "nameletext(name, text) -> bool" 242,
    "namegttext(name, text) -> bool" 244,
    "namegetext(name, text) -> bool" 243,
}
comparison! { int8: i64, i64, Ord::cmp;
    "int8eq(int8, int8) -> bool" 467,
    "int8ne(int8, int8) -> bool" 468,
    "int8lt(int8, int8) -> bool" 469,
    "int8le(int8, int8) -> bool" 471,
    "int8gt(int8, int8) -> bool" 470,
    "int8ge(int8, int8) -> bool" 472,
}
comparison! { int8_int2: i64, i16, integers;
    "int82eq(int8, int2) -> bool" 1856,
    "int82ne(int8, int2) -> bool" 1857,
    "int82lt(int8, int2) -> bool" 1858,
    "int82le(int8, int2) -> bool" 1860,
    "int82gt(int8, int2) -> bool" 1859,
    "int82ge(int8, int2) -> bool" 1861,
}
comparison! { int8_int4: i64, i32, integers;
    "int84eq(int8, int4) -> bool" 474,
    "int84ne(int8, int4) -> bool" 475,
    "int84lt(int8, int4) -> bool" 476,
    "int84le(int8, int4) -> bool" 478,
    "int84gt(int8, int4) -> bool" 477,
    "int84ge(int8, int4) -> bool" 479,
}
comparison! { int2_int8: i16, i64, integers;
    "int28eq(int2, int8) -> bool" 1850,
    "int28ne(int2, int8) -> bool" 1851,
    "int28lt(int2, int8) -> bool" 1852,
    "int28le(int2, int8) -> bool" 1854,
    "int28gt(int2, int8) -> bool" 1853,
    "int28ge(int2, int8) -> bool" 1855,
}
comparison! { int2: i16, i16, Ord::cmp;
    "int2eq(int2, int2) -> bool" 63,
    "int2ne(int2, int2) -> bool" 145,
    "int2lt(int2, int2) -> bool" 64,
    "int2le(int2, int2) -> bool" 148,
    "int2gt(int2, int2) -> bool" 146,
    "int2ge(int2, int2) -> bool" 151,
}
comparison! { int2_int4: i16, i32, integers;
    "int24eq(int2, int4) -> bool" 158,
    "int24ne(int2, int4) -> bool" 164,
    "int24lt(int2, int4) -> bool" 160,
    "int24le(int2, int4) -> bool" 166,
    "int24gt(int2, int4) -> bool" 162,
    "int24ge(int2, int4) -> bool" 168,
}
comparison! { int4_int8: i32, i64, integers;
    "int48eq(int4, int8) -> bool" 852,
    "int48ne(int4, int8) -> bool" 853,
    "int48lt(int4, int8) -> bool" 854,
    "int48le(int4, int8) -> bool" 856,
    "int48gt(int4, int8) -> bool" 855,
    "int48ge(int4, int8) -> bool" 857,
}
comparison! { int4_int2: i32, i16, integers;
    "int42eq(int4, int2) -> bool" 159,
    "int42ne(int4, int2) -> bool" 165,
    "int42lt(int4, int2) -> bool" 161,
    "int42le(int4, int2) -> bool" 167,
    "int42gt(int4, int2) -> bool" 163,
    "int42ge(int4, int2) -> bool" 169,
}
comparison! { int4: i32, i32, Ord::cmp;
    "int4eq(int4, int4) -> bool" 65,
    "int4ne(int4, int4) -> bool" 144,
    "int4lt(int4, int4) -> bool" 66,
    "int4le(int4, int4) -> bool" 149,
    "int4gt(int4, int4) -> bool" 147,
    "int4ge(int4, int4) -> bool" 150,
}
comparison! { text_name: &str, &str, ordered;
    "texteqname(text, name) -> bool" 247,
    "textnename(text, name) -> bool" 252,
    "textltname(text, name) -> bool" 248,
    "textlename(text, name) -> bool" 249,
    "textgtname(text, name) -> bool" 251,
    "textgename(text, name) -> bool" 250,
}
comparison! { text: &str, &str, ordered;
    "texteq(text, text) -> bool" 67,
    "textne(text, text) -> bool" 157,
    "text_lt(text, text) -> bool" 740,
    "text_le(text, text) -> bool" 741,
    "text_gt(text, text) -> bool" 742,
    "text_ge(text, text) -> bool" 743,
}
comparison! { oid: u32, u32, Ord::cmp;
    "oideq(oid, oid) -> bool" 184,
    "oidne(oid, oid) -> bool" 185,
    "oidlt(oid, oid) -> bool" 716,
    "oidle(oid, oid) -> bool" 717,
    "oidgt(oid, oid) -> bool" 1638,
    "oidge(oid, oid) -> bool" 1639,
}
comparison! { float4: f32, f32, floats;
    "float4eq(float4, float4) -> bool" 287,
    "float4ne(float4, float4) -> bool" 288,
    "float4lt(float4, float4) -> bool" 289,
    "float4le(float4, float4) -> bool" 290,
    "float4gt(float4, float4) -> bool" 291,
    "float4ge(float4, float4) -> bool" 292,
}
comparison! { float4_float8: f32, f64, floats;
    "float48eq(float4, float8) -> bool" 299,
    "float48ne(float4, float8) -> bool" 300,
    "float48lt(float4, float8) -> bool" 301,
    "float48le(float4, float8) -> bool" 302,
    "float48gt(float4, float8) -> bool" 303,
    "float48ge(float4, float8) -> bool" 304,
}
comparison! { float8_float4: f64, f32, floats;
    "float84eq(float8, float4) -> bool" 305,
    "float84ne(float8, float4) -> bool" 306,
    "float84lt(float8, float4) -> bool" 307,
    "float84le(float8, float4) -> bool" 308,
    "float84gt(float8, float4) -> bool" 309,
    "float84ge(float8, float4) -> bool" 310,
}
comparison! { float8: f64, f64, floats;
    "float8eq(float8, float8) -> bool" 293,
    "float8ne(float8, float8) -> bool" 294,
    "float8lt(float8, float8) -> bool" 295,
    "float8le(float8, float8) -> bool" 296,
    "float8gt(float8, float8) -> bool" 297,
    "float8ge(float8, float8) -> bool" 298,
}
comparison! { bpchar: &str, &str, blank_padded;
    "bpchareq(bpchar, bpchar) -> bool" 1048,
    "bpcharne(bpchar, bpchar) -> bool" 1053,
    "bpcharlt(bpchar, bpchar) -> bool" 1049,
    "bpcharle(bpchar, bpchar) -> bool" 1050,
    "bpchargt(bpchar, bpchar) -> bool" 1051,
    "bpcharge(bpchar, bpchar) -> bool" 1052,
}
comparison! { date: i32, i32, Ord::cmp;
    "date_eq(date, date) -> bool" 1086,
    "date_ne(date, date) -> bool" 1091,
    "date_lt(date, date) -> bool" 1087,
    "date_le(date, date) -> bool" 1088,
    "date_gt(date, date) -> bool" 1089,
    "date_ge(date, date) -> bool" 1090,
}
comparison! { date_timestamp: i32, i64, date_with_timestamp;
    "date_eq_timestamp(date, timestamp) -> bool" 2340,
    "date_ne_timestamp(date, timestamp) -> bool" 2343,
    "date_lt_timestamp(date, timestamp) -> bool" 2338,
    "date_le_timestamp(date, timestamp) -> bool" 2339,
    "date_gt_timestamp(date, timestamp) -> bool" 2341,
    "date_ge_timestamp(date, timestamp) -> bool" 2342,
}
zoned_comparison! { date_timestamptz: i32, i64, date_with_zoned;
    "date_eq_timestamptz(date, timestamptz) -> bool" 2353,
    "date_ne_timestamptz(date, timestamptz) -> bool" 2356,
    "date_lt_timestamptz(date, timestamptz) -> bool" 2351,
    "date_le_timestamptz(date, timestamptz) -> bool" 2352,
    "date_gt_timestamptz(date, timestamptz) -> bool" 2354,
    "date_ge_timestamptz(date, timestamptz) -> bool" 2355,
}
comparison! { time: i64, i64, Ord::cmp;
    "time_eq(time, time) -> bool" 1145,
    "time_ne(time, time) -> bool" 1106,
    "time_lt(time, time) -> bool" 1102,
    "time_le(time, time) -> bool" 1103,
    "time_gt(time, time) -> bool" 1104,
    "time_ge(time, time) -> bool" 1105,
}
comparison! { pg_lsn: u64, u64, Ord::cmp;
    "pg_lsn_eq(pg_lsn, pg_lsn) -> bool" 3233,
    "pg_lsn_ne(pg_lsn, pg_lsn) -> bool" 3236,
    "pg_lsn_lt(pg_lsn, pg_lsn) -> bool" 3231,
    "pg_lsn_le(pg_lsn, pg_lsn) -> bool" 3232,
    "pg_lsn_gt(pg_lsn, pg_lsn) -> bool" 3235,
    "pg_lsn_ge(pg_lsn, pg_lsn) -> bool" 3234,
}
comparison! { xid8: u64, u64, Ord::cmp;
    "xid8eq(xid8, xid8) -> bool" 5084,
    "xid8ne(xid8, xid8) -> bool" 5085,
    "xid8lt(xid8, xid8) -> bool" 5034,
    "xid8le(xid8, xid8) -> bool" 5036,
    "xid8gt(xid8, xid8) -> bool" 5035,
    "xid8ge(xid8, xid8) -> bool" 5037,
}
comparison! { timestamp_date: i64, i32, timestamp_with_date;
    "timestamp_eq_date(timestamp, date) -> bool" 2366,
    "timestamp_ne_date(timestamp, date) -> bool" 2369,
    "timestamp_lt_date(timestamp, date) -> bool" 2364,
    "timestamp_le_date(timestamp, date) -> bool" 2365,
    "timestamp_gt_date(timestamp, date) -> bool" 2367,
    "timestamp_ge_date(timestamp, date) -> bool" 2368,
}
comparison! { timestamp: i64, i64, Ord::cmp;
    "timestamp_eq(timestamp, timestamp) -> bool" 2052,
    "timestamp_ne(timestamp, timestamp) -> bool" 2053,
    "timestamp_lt(timestamp, timestamp) -> bool" 2054,
    "timestamp_le(timestamp, timestamp) -> bool" 2055,
    "timestamp_gt(timestamp, timestamp) -> bool" 2057,
    "timestamp_ge(timestamp, timestamp) -> bool" 2056,
}
zoned_comparison! { timestamp_timestamptz: i64, i64, timestamp_with_zoned;
    "timestamp_eq_timestamptz(timestamp, timestamptz) -> bool" 2522,
    "timestamp_ne_timestamptz(timestamp, timestamptz) -> bool" 2525,
    "timestamp_lt_timestamptz(timestamp, timestamptz) -> bool" 2520,
    "timestamp_le_timestamptz(timestamp, timestamptz) -> bool" 2521,
    "timestamp_gt_timestamptz(timestamp, timestamptz) -> bool" 2523,
    "timestamp_ge_timestamptz(timestamp, timestamptz) -> bool" 2524,
}
zoned_comparison! { timestamptz_date: i64, i32, zoned_with_date;
    "timestamptz_eq_date(timestamptz, date) -> bool" 2379,
    "timestamptz_ne_date(timestamptz, date) -> bool" 2382,
    "timestamptz_lt_date(timestamptz, date) -> bool" 2377,
    "timestamptz_le_date(timestamptz, date) -> bool" 2378,
    "timestamptz_gt_date(timestamptz, date) -> bool" 2380,
    "timestamptz_ge_date(timestamptz, date) -> bool" 2381,
}
zoned_comparison! { timestamptz_timestamp: i64, i64, zoned_with_timestamp;
    "timestamptz_eq_timestamp(timestamptz, timestamp) -> bool" 2529,
    "timestamptz_ne_timestamp(timestamptz, timestamp) -> bool" 2532,
    "timestamptz_lt_timestamp(timestamptz, timestamp) -> bool" 2527,
    "timestamptz_le_timestamp(timestamptz, timestamp) -> bool" 2528,
    "timestamptz_gt_timestamp(timestamptz, timestamp) -> bool" 2530,
    "timestamptz_ge_timestamp(timestamptz, timestamp) -> bool" 2531,
}
comparison! { timestamptz: i64, i64, Ord::cmp;
    "timestamptz_eq(timestamptz, timestamptz) -> bool" 1152,
    "timestamptz_ne(timestamptz, timestamptz) -> bool" 1153,
    "timestamptz_lt(timestamptz, timestamptz) -> bool" 1154,
    "timestamptz_le(timestamptz, timestamptz) -> bool" 1155,
    "timestamptz_gt(timestamptz, timestamptz) -> bool" 1157,
    "timestamptz_ge(timestamptz, timestamptz) -> bool" 1156,
}
comparison! { timetz: TimeTz, TimeTz, time_tz_order;
    "timetz_eq(timetz, timetz) -> bool" 1352,
    "timetz_ne(timetz, timetz) -> bool" 1353,
    "timetz_lt(timetz, timetz) -> bool" 1354,
    "timetz_le(timetz, timetz) -> bool" 1355,
    "timetz_gt(timetz, timetz) -> bool" 1357,
    "timetz_ge(timetz, timetz) -> bool" 1356,
}
comparison! { tid: Tid, Tid, Ord::cmp;
    "tideq(tid, tid) -> bool" 1292,
    "tidne(tid, tid) -> bool" 1265,
    "tidlt(tid, tid) -> bool" 2791,
    "tidle(tid, tid) -> bool" 2793,
    "tidgt(tid, tid) -> bool" 2790,
    "tidge(tid, tid) -> bool" 2792,
}
comparison! { bit: &Bits, &Bits, bits_order;
    "biteq(bit, bit) -> bool" 1581,
    "bitne(bit, bit) -> bool" 1582,
    "bitlt(bit, bit) -> bool" 1595,
    "bitle(bit, bit) -> bool" 1594,
    "bitgt(bit, bit) -> bool" 1593,
    "bitge(bit, bit) -> bool" 1592,
}
comparison! { varbit: &Bits, &Bits, bits_order;
    "varbiteq(varbit, varbit) -> bool" 1666,
    "varbitne(varbit, varbit) -> bool" 1667,
    "varbitlt(varbit, varbit) -> bool" 1671,
    "varbitle(varbit, varbit) -> bool" 1670,
    "varbitgt(varbit, varbit) -> bool" 1669,
    "varbitge(varbit, varbit) -> bool" 1668,
}
comparison! { interval: Interval, Interval, Ord::cmp;
    "interval_eq(interval, interval) -> bool" 1162,
    "interval_ne(interval, interval) -> bool" 1163,
    "interval_lt(interval, interval) -> bool" 1164,
    "interval_le(interval, interval) -> bool" 1165,
    "interval_gt(interval, interval) -> bool" 1167,
    "interval_ge(interval, interval) -> bool" 1166,
}
comparison! { numeric: &Numeric, &Numeric, ordered;
    "numeric_eq(numeric, numeric) -> bool" 1718,
    "numeric_ne(numeric, numeric) -> bool" 1719,
    "numeric_lt(numeric, numeric) -> bool" 1722,
    "numeric_le(numeric, numeric) -> bool" 1723,
    "numeric_gt(numeric, numeric) -> bool" 1720,
    "numeric_ge(numeric, numeric) -> bool" 1721,
}
comparison! { uuid: [u8; 16], [u8; 16], Ord::cmp;
    "uuid_eq(uuid, uuid) -> bool" 2956,
    "uuid_ne(uuid, uuid) -> bool" 2959,
    "uuid_lt(uuid, uuid) -> bool" 2954,
    "uuid_le(uuid, uuid) -> bool" 2955,
    "uuid_gt(uuid, uuid) -> bool" 2958,
    "uuid_ge(uuid, uuid) -> bool" 2957,
}

fn ordered<T: Ord + ?Sized>(a: &&T, b: &&T) -> Ordering {
    (*a).cmp(*b)
}

fn integers<A: Copy + Into<i64>, B: Copy + Into<i64>>(a: &A, b: &B) -> Ordering {
    let (a, b): (i64, i64) = ((*a).into(), (*b).into());
    a.cmp(&b)
}

fn floats<A: Copy + Into<f64>, B: Copy + Into<f64>>(a: &A, b: &B) -> Ordering {
    compare_floats((*a).into(), (*b).into())
}

/// PostgreSQL's order: every NaN equal and above infinity, -0 equal to 0.
pub(crate) fn compare_floats(a: f64, b: f64) -> Ordering {
    match a.partial_cmp(&b) {
        Some(order) => order,
        None => a.is_nan().cmp(&b.is_nan()),
    }
}

fn blank_padded(a: &&str, b: &&str) -> Ordering {
    a.trim_end_matches(' ').cmp(b.trim_end_matches(' '))
}

/// Midnight of a day as a timestamp. A day later than timestamps go stands above every finite timestamp.
fn midnight(days: i32) -> (i64, bool) {
    match days {
        DATE_INFINITY => (TIMESTAMP_INFINITY, false),
        DATE_NEGATIVE_INFINITY => (TIMESTAMP_NEGATIVE_INFINITY, false),
        days => match i64::from(days).checked_mul(MICROS_PER_DAY) {
            Some(micros) => (micros, false),
            None => (TIMESTAMP_INFINITY, days < DATE_END),
        },
    }
}

fn date_with_timestamp(date: &i32, timestamp: &i64) -> Ordering {
    let (micros, beyond) = midnight(*date);
    if beyond {
        return if *timestamp == TIMESTAMP_INFINITY { Ordering::Less } else { Ordering::Greater };
    }
    micros.cmp(timestamp)
}

fn timestamp_with_date(timestamp: &i64, date: &i32) -> Ordering {
    date_with_timestamp(date, timestamp).reverse()
}

fn date_with_zoned(context: &FunctionContext<'_>, date: i32, zoned: i64) -> Ordering {
    let (micros, beyond) = midnight(date);
    if beyond || !is_date_finite(date) {
        return date_with_timestamp(&date, &zoned);
    }
    context.format.time_zone.local_to_utc(micros).cmp(&zoned)
}

fn zoned_with_date(context: &FunctionContext<'_>, zoned: i64, date: i32) -> Ordering {
    date_with_zoned(context, date, zoned).reverse()
}

fn timestamp_with_zoned(context: &FunctionContext<'_>, timestamp: i64, zoned: i64) -> Ordering {
    if !is_timestamp_finite(timestamp) {
        return timestamp.cmp(&zoned);
    }
    context.format.time_zone.local_to_utc(timestamp).cmp(&zoned)
}

fn zoned_with_timestamp(context: &FunctionContext<'_>, zoned: i64, timestamp: i64) -> Ordering {
    timestamp_with_zoned(context, timestamp, zoned).reverse()
}

fn time_tz_order(a: &TimeTz, b: &TimeTz) -> Ordering {
    a.compare(*b)
}

fn bits_order(a: &&Bits, b: &&Bits) -> Ordering {
    a.compare(b)
}
