//! Channels whose messages are kept (docs/realtime.md). Each is a table of its own in a schema of the system: one row for a
//! message, in the order of the stream. The schema's name begins as PostgreSQL's own do, so that users make nothing in it and
//! pg_dump leaves it out.
//!
//! Nobody writes to such a table, or changes it, but by publishing and by the functions for channels: see
//! [`crate::CatalogWriter::lock_table`].

use std::sync::Arc;

use nqdb_sqlstate::{INSUFFICIENT_PRIVILEGE, SqlError};
use nqdb_types::{Type, oid};
use serde::{Deserialize, Serialize};

use crate::definition::TableDef;
use crate::request::NewColumn;
use crate::snapshot::Snapshot;

/// The schema of the tables of channels.
pub const CHANNEL_SCHEMA: &str = "pg_nqdb";

/// How much a channel keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelLimits {
    /// Messages.
    pub history: u32,
    /// Bytes of payloads.
    pub history_bytes: u64,
    /// How long a message is kept, seconds; 0 for as long as the others let it.
    pub history_seconds: u64,
}

/// What makes a table the messages of a channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptChannel {
    /// Names the stream among all that the channel's name has had.
    pub epoch: String,
    #[serde(flatten)]
    pub limits: ChannelLimits,
}

/// The columns of a channel's table, by their positions.
pub mod channel_column {
    /// Counts the messages of the channel from 1.
    pub const OFFSET: usize = 0;
    /// The text of the message, or what stands in it before the number of its commit.
    pub const PAYLOAD: usize = 1;
    /// What stands behind the number of the commit, in a message that has it.
    pub const REST: usize = 2;
    /// A number that the commit's is not below, and those of all commits before on the channel are.
    pub const COMMIT_FLOOR: usize = 3;
    pub const PUBLISHED: usize = 4;
    /// The process number of the publishing session.
    pub const SENDER: usize = 5;
    /// The connection of a publisher over HTTP, and its user.
    pub const CLIENT: usize = 6;
    pub const USER: usize = 7;
}

/// The columns of a channel's table, in order.
pub(crate) fn channel_columns() -> Vec<NewColumn> {
    let column = |name: &str, ty: Type, not_null: bool| NewColumn { not_null, ..NewColumn::plain(name, ty) };
    vec![
        column("offset", Type::new(oid::INT8), true),
        column("payload", Type::TEXT, true),
        column("rest", Type::TEXT, false),
        column("commit_floor", Type::new(oid::INT8), true),
        column("published", Type::new(oid::TIMESTAMPTZ), true),
        column("sender", Type::new(oid::INT4), true),
        column("client", Type::TEXT, false),
        column("usename", Type::TEXT, false),
    ]
}

impl Snapshot {
    /// The table of a channel's messages, if they are kept.
    pub fn channel(&self, name: &str) -> Option<&Arc<TableDef>> {
        let schema = self.schema(CHANNEL_SCHEMA)?;
        let table = self.table_by_oid(self.relation(schema.oid, name)?.oid())?;
        (table.channel.is_some() && table.name == name).then_some(table)
    }

    /// The tables of all channels whose messages are kept.
    pub fn channels(&self) -> impl Iterator<Item = &Arc<TableDef>> {
        let schema = self.schema(CHANNEL_SCHEMA);
        let relations = schema.into_iter().flat_map(|schema| self.relations_of(schema.oid));
        relations.filter_map(|relation| self.table_by_oid(relation.oid())).filter(|table| table.channel.is_some())
    }

    /// The table that the channel of a table's changes names, without the channel's prefix: one of `public`, or one with its
    /// schema. Both may have dots in their names.
    pub fn table_of_channel(&self, name: &str) -> Option<&Arc<TableDef>> {
        let in_schema = |schema: &str, table: &str| {
            let schema = self.schema(schema).filter(|schema| !schema.is_temporary())?;
            self.table_by_oid(self.relation(schema.oid, table)?.oid()).filter(|found| found.name == table)
        };
        in_schema("public", name).or_else(|| {
            let mut dots = name.match_indices('.');
            dots.find_map(|(at, _)| in_schema(name.get(..at)?, name.get(at + 1..)?))
        })
    }
}

/// 42501: for who would change the messages of a channel by other ways than the channel's.
pub fn messages_are_kept(table: &TableDef) -> SqlError {
    let message = format!("permission denied: \"{}\" has the messages of a channel", table.name);
    SqlError::new(INSUFFICIENT_PRIVILEGE, message).with_hint("Use nqdb_alter_channel() and nqdb_drop_channel().")
}
