//! The time zones that there are: `pg_timezone_names`.

use nqdb_functions_macros::sql_function;
use nqdb_sqlstate::SqlResult;
use nqdb_types::{Datum, Interval, TimeZone, zone_names};

use crate::{Function, FunctionContext, Records};

pub(super) static FUNCTIONS: &[&[Function]] = &[&TIMEZONE_NAMES];

/// Name, abbreviation and offset of each zone as they are at the statement's time.
#[sql_function(
    "pg_timezone_names(out name text, out abbrev text, out utc_offset interval, out is_dst bool) -> setof record",
    oid = 2856,
    stable
)]
fn timezone_names(context: &mut FunctionContext<'_>) -> SqlResult<Records> {
    let now_micros = context.transaction_time_micros;
    let rows = zone_names().into_iter().filter_map(move |name| {
        let there = TimeZone::from_name(&name)?.offset_at_utc(now_micros);
        let offset = Interval::new(0, 0, i64::from(there.seconds_east) * 1_000_000);
        Some(Ok(vec![
            Datum::text(name),
            Datum::text(there.abbreviation),
            Datum::Interval(offset),
            Datum::Bool(there.is_dst),
        ]))
    });
    Ok(Box::new(rows))
}
