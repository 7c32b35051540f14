//! What is published and who is told (docs/realtime.md): views of our own, whose numbers are of the range that PostgreSQL's
//! sources leave to extensions in development.

use std::net::IpAddr;

use nqdb_catalog::channel::ChannelLimits;
use nqdb_sqlstate::SqlResult;
use nqdb_types::Datum;

use super::context::{SystemContext, SystemRows};
use super::relation::{SystemRelation, relation};
use super::value::{int4, int8, optional_text, text, text_array};

pub(super) static RELATIONS: &[&SystemRelation] = &[&PUBLISHED_TABLES, &CHANNELS, &CONNECTIONS];

relation! {
    /// Tables whose changes go to a channel.
    PUBLISHED_TABLES = "nqdb_published_tables" 9811, row_type 9812, View, keys [], rows published_tables;
    PublishedTable { schemaname: NAME nullable, tablename: NAME nullable, channel: TEXT nullable,
    columns: TEXT_ARRAY nullable, filter: TEXT nullable, }
}

relation! {
    /// Channels of the database.
    CHANNELS = "nqdb_channels" 9813, row_type 9814, View, keys [], rows channels;
    ChannelRow { name: TEXT nullable, subscribers: INT4 nullable, messages: INT8 nullable, bytes: INT8 nullable,
    history: INT8 nullable, gaps: INT8 nullable, durable: BOOL nullable, owner: NAME nullable, epoch: TEXT nullable,
    newest_offset: INT8 nullable, history_max: INT8 nullable, history_bytes_max: INT8 nullable,
    history_seconds_max: INT8 nullable, }
}

relation! {
    /// Real-time clients.
    CONNECTIONS = "nqdb_connections" 9815, row_type 9816, View, keys [], rows connections;
    ConnectionRow { kind: TEXT nullable, usename: NAME nullable, datname: NAME nullable, address: TEXT nullable,
    connected_at: TIMESTAMPTZ nullable, subscriptions: INT4 nullable, messages_in: INT8 nullable,
    messages_out: INT8 nullable, queue_bytes: INT8 nullable, }
}

/// A channel, as the server tells it.
#[derive(Clone, Debug)]
pub struct ChannelFacts {
    pub name: String,
    pub subscribers: usize,
    /// Since the channel exists.
    pub messages: u64,
    /// The bytes of their payloads.
    pub bytes: u64,
    /// Messages that are kept.
    pub history: u64,
    /// Subscribers that came back and had missed too much.
    pub gaps: u64,
    /// Which stream it is, and its newest message; none where messages are not counted.
    pub position: Option<(String, u64)>,
    /// What it may keep.
    pub limits: Option<ChannelLimits>,
}

/// A real-time client, as the server tells it.
#[derive(Clone, Debug)]
pub struct ConnectionFacts {
    pub kind: &'static str,
    /// None until they are known.
    pub user: Option<String>,
    pub database: Option<u32>,
    pub address: IpAddr,
    /// µs since 2000-01-01 UTC.
    pub connected_micros: i64,
    pub subscriptions: usize,
    pub messages_in: u64,
    pub messages_out: u64,
    pub queue_bytes: usize,
}

fn published_tables(cx: &SystemContext<'_>, rows: &mut SystemRows<'_>) -> SqlResult<()> {
    let mut tables: Vec<_> = cx.catalog.tables().filter(|table| table.published.is_some()).collect();
    tables.sort_unstable_by_key(|table| (&table.schema_name, &table.name));
    tables.into_iter().try_for_each(|table| {
        let published = table.published.as_deref().cloned().unwrap_or_default();
        let sent = |attnum: i16| published.columns.as_ref().is_none_or(|columns| columns.contains(&attnum));
        let columns = table.live_columns().map(|(_, column)| column).filter(|column| sent(column.attnum));
        rows.push(PublishedTable {
            schemaname: text(&table.schema_name),
            tablename: text(&table.name),
            channel: text(&table.change_channel()),
            columns: text_array(columns.map(|column| column.name.as_str())),
            filter: optional_text(published.filter_text()),
        })
    })
}

fn channels(cx: &SystemContext<'_>, rows: &mut SystemRows<'_>) -> SqlResult<()> {
    let limit = |value: Option<u64>| value.map_or(Datum::Null, int8);
    cx.session.channels().into_iter().try_for_each(|channel| {
        let kept = cx.catalog.channel(&channel.name);
        let owner = kept.and_then(|table| cx.catalog.role_by_oid(table.owner));
        rows.push(ChannelRow {
            name: text(&channel.name),
            subscribers: count(channel.subscribers),
            messages: int8(channel.messages),
            bytes: int8(channel.bytes),
            history: int8(channel.history),
            gaps: int8(channel.gaps),
            durable: Datum::Bool(kept.is_some()),
            owner: optional_text(owner.map(|owner| owner.name.as_str())),
            epoch: optional_text(channel.position.as_ref().map(|(epoch, _)| epoch.as_str())),
            newest_offset: channel.position.as_ref().map_or(Datum::Null, |(_, offset)| int8(*offset)),
            history_max: limit(channel.limits.map(|limits| limits.history.into())),
            history_bytes_max: limit(channel.limits.map(|limits| limits.history_bytes)),
            history_seconds_max: limit(channel.limits.map(|limits| limits.history_seconds).filter(|limit| *limit > 0)),
        })
    })
}

/// Who somebody is and what he does is for himself and for superusers, as in `pg_stat_activity`.
fn connections(cx: &SystemContext<'_>, rows: &mut SystemRows<'_>) -> SqlResult<()> {
    let asking = cx.functions.current_user();
    cx.session.connections().into_iter().try_for_each(|connection| {
        let may_see = cx.session.is_superuser() || connection.user.as_ref() == Some(&asking);
        let shown = |value: Datum| if may_see { value } else { Datum::Null };
        let database = connection.database.and_then(|database| cx.catalog.database_by_oid(database));
        rows.push(ConnectionRow {
            kind: text(connection.kind),
            usename: optional_text(connection.user.as_deref()),
            datname: optional_text(database.map(|database| database.name.as_str())),
            address: shown(text(&connection.address.to_string())),
            connected_at: shown(Datum::TimestampTz(connection.connected_micros)),
            subscriptions: shown(count(connection.subscriptions)),
            messages_in: shown(int8(connection.messages_in)),
            messages_out: shown(int8(connection.messages_out)),
            queue_bytes: shown(int8(connection.queue_bytes as u64)),
        })
    })
}

fn count(value: usize) -> Datum {
    int4(i32::try_from(value).unwrap_or(i32::MAX))
}
