//! What sessions and the server know of themselves: settings, activity, statistics of columns, time zones.

use nqdb_catalog::TableDef;
use nqdb_sqlstate::SqlResult;
use nqdb_types::{Datum, Interval, TimeZone, zone_names};

use super::context::{SystemContext, SystemRows};
use super::relation::{SystemRelation, relation};
use super::value::{boolean, int4, int8, oid, optional_text, text, text_array};

pub(super) static RELATIONS: &[&SystemRelation] =
    &[&PG_SETTINGS, &PG_STAT_ACTIVITY, &PG_STATS, &PG_TIMEZONE_NAMES, &PG_STAT_DATABASE];

relation! {
    /// Settings.
    PG_SETTINGS = "pg_settings" 12104, row_type 12106, View, keys [], rows settings;
    Setting {     name: TEXT nullable, setting: TEXT nullable, unit: TEXT nullable, category: TEXT nullable,
    short_desc: TEXT nullable, extra_desc: TEXT nullable, context: TEXT nullable, vartype: TEXT nullable,
    source: TEXT nullable, min_val: TEXT nullable, max_val: TEXT nullable, enumvals: TEXT_ARRAY nullable,
    boot_val: TEXT nullable, reset_val: TEXT nullable, sourcefile: TEXT nullable, sourceline: INT4 nullable,
    pending_restart: BOOL nullable, }
}

relation! {
    /// Sessions.
    PG_STAT_ACTIVITY = "pg_stat_activity" 12222, row_type 12224, View, keys [], rows activity;
    ActivityRow {     datid: OID nullable, datname: NAME nullable, pid: INT4 nullable, leader_pid: INT4 nullable,
    usesysid: OID nullable, usename: NAME nullable, application_name: TEXT nullable, client_addr: INET nullable,
    client_hostname: TEXT nullable, client_port: INT4 nullable, backend_start: TIMESTAMPTZ nullable,
    xact_start: TIMESTAMPTZ nullable, query_start: TIMESTAMPTZ nullable, state_change: TIMESTAMPTZ nullable,
    wait_event_type: TEXT nullable, wait_event: TEXT nullable, state: TEXT nullable, backend_xid: XID nullable,
    backend_xmin: XID nullable, query_id: INT8 nullable, query: TEXT nullable, backend_type: TEXT nullable, }
}

relation! {
    /// What ANALYZE found out about columns.
    PG_STATS = "pg_stats" 12053, row_type 12055, View, keys [], rows statistics;
    Statistics {     schemaname: NAME nullable, tablename: NAME nullable, attname: NAME nullable, inherited: BOOL nullable,
    null_frac: FLOAT4 nullable, avg_width: INT4 nullable, n_distinct: FLOAT4 nullable,
    most_common_vals: ANYARRAY nullable, most_common_freqs: FLOAT4_ARRAY nullable,
    histogram_bounds: ANYARRAY nullable, correlation: FLOAT4 nullable, most_common_elems: ANYARRAY nullable,
    most_common_elem_freqs: FLOAT4_ARRAY nullable, elem_count_histogram: FLOAT4_ARRAY nullable, }
}

relation! {
    /// Time zones.
    PG_TIMEZONE_NAMES = "pg_timezone_names" 12126, row_type 12128, View, keys [], rows time_zones;
    Zone {     name: TEXT nullable, abbrev: TEXT nullable, utc_offset: INTERVAL nullable, is_dst: BOOL nullable, }
}

relation! {
    /// Counters of the databases: only sessions and temporary files are counted.
    PG_STAT_DATABASE = "pg_stat_database" 12266, row_type 12268, View, keys [], rows database_statistics;
    DatabaseStatistics {     datid: OID nullable, datname: NAME nullable, numbackends: INT4 nullable, xact_commit: INT8 nullable,
    xact_rollback: INT8 nullable, blks_read: INT8 nullable, blks_hit: INT8 nullable, tup_returned: INT8 nullable,
    tup_fetched: INT8 nullable, tup_inserted: INT8 nullable, tup_updated: INT8 nullable,
    tup_deleted: INT8 nullable, conflicts: INT8 nullable, temp_files: INT8 nullable, temp_bytes: INT8 nullable,
    deadlocks: INT8 nullable, checksum_failures: INT8 nullable, checksum_last_failure: TIMESTAMPTZ nullable,
    blk_read_time: FLOAT8 nullable, blk_write_time: FLOAT8 nullable, session_time: FLOAT8 nullable,
    active_time: FLOAT8 nullable, idle_in_transaction_time: FLOAT8 nullable, sessions: INT8 nullable,
    sessions_abandoned: INT8 nullable, sessions_fatal: INT8 nullable, sessions_killed: INT8 nullable,
    stats_reset: TIMESTAMPTZ nullable, }
}

/// A setting, as the session tells it.
#[derive(Clone, Debug, Default)]
pub struct SettingFacts {
    pub name: &'static str,
    pub value: String,
    pub unit: Option<&'static str>,
    pub description: &'static str,
    /// `internal`, `postmaster`, `superuser` or `user`.
    pub context: &'static str,
    /// `bool`, `integer`, `real`, `enum` or `string`.
    pub kind: &'static str,
    pub min: Option<String>,
    pub max: Option<String>,
    pub choices: &'static [&'static str],
    pub default: String,
    /// What RESET sets.
    pub reset: String,
    /// Where the value comes from: `default`, `client` or `session`.
    pub source: &'static str,
}

/// A session, as the server tells it.
#[derive(Clone, Debug)]
pub struct SessionFacts {
    pub pid: i32,
    /// The number of its database.
    pub database: u32,
    pub user: String,
    pub application_name: String,
    pub state: &'static str,
    pub query: String,
    /// µs since 2000-01-01 UTC.
    pub started_micros: i64,
    pub statement_started_micros: i64,
    /// None outside of a transaction.
    pub transaction_started_micros: Option<i64>,
    pub state_changed_micros: i64,
    /// The number of its transaction, if it has one.
    pub transaction: Option<u64>,
    /// Type and name of what it waits for.
    pub wait: Option<(&'static str, &'static str)>,
}

fn settings(cx: &SystemContext<'_>, rows: &mut SystemRows<'_>) -> SqlResult<()> {
    cx.session.settings().into_iter().try_for_each(|setting| {
        rows.push(Setting {
            name: text(setting.name),
            setting: text(&setting.value),
            unit: optional_text(setting.unit),
            short_desc: text(setting.description),
            context: text(setting.context),
            vartype: text(setting.kind),
            source: text(setting.source),
            min_val: optional_text(setting.min.as_deref()),
            max_val: optional_text(setting.max.as_deref()),
            enumvals: if setting.choices.is_empty() {
                Datum::Null
            } else {
                text_array(setting.choices.iter().copied())
            },
            boot_val: text(&setting.default),
            reset_val: text(&setting.reset),
            pending_restart: boolean(false),
            ..Setting::default()
        })
    })
}

fn activity(cx: &SystemContext<'_>, rows: &mut SystemRows<'_>) -> SqlResult<()> {
    let asking = cx.functions.current_user();
    cx.session.sessions().into_iter().try_for_each(|session| {
        let may_see = cx.session.is_superuser() || session.user == asking;
        let shown = |value: Datum| if may_see { value } else { Datum::Null };
        rows.push(ActivityRow {
            datid: oid(session.database),
            datname: optional_text(cx.catalog.database_by_oid(session.database).map(|found| found.name.as_str())),
            pid: int4(session.pid),
            usesysid: cx.catalog.role(&session.user).map_or(Datum::Null, |role| oid(role.oid)),
            usename: text(&session.user),
            application_name: text(&session.application_name),
            backend_start: shown(Datum::TimestampTz(session.started_micros)),
            query_start: shown(Datum::TimestampTz(session.statement_started_micros)),
            xact_start: shown(session.transaction_started_micros.map_or(Datum::Null, Datum::TimestampTz)),
            state_change: shown(Datum::TimestampTz(session.state_changed_micros)),
            wait_event_type: shown(optional_text(session.wait.map(|(kind, _)| kind))),
            wait_event: shown(optional_text(session.wait.map(|(_, name)| name))),
            // Numbers of 32 bits are what the type holds: the lower half, as in PostgreSQL.
            backend_xid: shown(session.transaction.map_or(Datum::Null, |xid| oid(xid as u32))),
            state: shown(text(session.state)),
            query: text(if may_see { &session.query } else { "<insufficient privilege>" }),
            backend_type: shown(text("client backend")),
            ..ActivityRow::default()
        })
    })
}

fn statistics(cx: &SystemContext<'_>, rows: &mut SystemRows<'_>) -> SqlResult<()> {
    let role = cx.catalog.role(&cx.functions.current_user()).map_or(0, |role| role.oid);
    let mut tables: Vec<&TableDef> =
        cx.catalog.tables().map(|table| &**table).filter(|table| cx.catalog.owns(role, table.owner)).collect();
    tables.sort_unstable_by_key(|table| table.oid);
    for table in tables {
        let Some(statistics) = &table.statistics else { continue };
        for (column, found) in table.columns.iter().zip(&statistics.columns) {
            let Some(found) = found else { continue };
            rows.push(Statistics {
                schemaname: text(&table.schema_name),
                tablename: text(&table.name),
                attname: text(&column.name),
                inherited: boolean(false),
                null_frac: Datum::Float4(found.null_fraction as f32),
                avg_width: int4(found.average_width_bytes as i32),
                n_distinct: Datum::Float4(found.distinct as f32),
                ..Statistics::default()
            })?;
        }
    }
    Ok(())
}

fn time_zones(cx: &SystemContext<'_>, rows: &mut SystemRows<'_>) -> SqlResult<()> {
    let now = cx.functions.clock_micros();
    for name in zone_names() {
        let Some(zone) = TimeZone::from_name(&name) else { continue };
        let local = zone.offset_at_utc(now);
        rows.push(Zone {
            name: text(&name),
            abbrev: text(&local.abbreviation),
            utc_offset: Datum::Interval(Interval::new(0, 0, i64::from(local.seconds_east) * 1_000_000)),
            is_dst: boolean(local.is_dst),
        })?;
    }
    Ok(())
}

fn database_statistics(cx: &SystemContext<'_>, rows: &mut SystemRows<'_>) -> SqlResult<()> {
    let sessions = cx.session.sessions();
    cx.catalog.databases().try_for_each(|found| {
        let temporary = cx.session.temporary_use(found.oid);
        let here = sessions.iter().filter(|session| session.database == found.oid).count();
        rows.push(DatabaseStatistics {
            datid: oid(found.oid),
            datname: text(&found.name),
            numbackends: int4(i32::try_from(here).unwrap_or(i32::MAX)),
            temp_files: int8(temporary.files),
            temp_bytes: int8(temporary.bytes),
            ..DatabaseStatistics::default()
        })
    })
}
