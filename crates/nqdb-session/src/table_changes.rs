//! Changes of published tables as messages to their channels (docs/realtime.md).
//!
//! ```text
//! the writer notes rows (`nqdb_txn::feed`) --> at the commit: columns, filter, JSON --> the hook of the commit adds its number
//! ```
//!
//! What always holds:
//! 1. Every committed change of a published table becomes a message, or is none of what the filter lets through; where it
//!    cannot be told (no room, a filter that fails) a `resync` stands in its place.
//! 2. What a message looks like depends on no setting of the session that made the change.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use nqdb_catalog::rights::{ColumnNeeds, Rights, SecuredKind};
use nqdb_catalog::{CHANGE_CHANNEL_PREFIX, Catalog, Snapshot, TableDef, TypesView};
use nqdb_functions::{FunctionContext, quote_identifier, row_as_json};
use nqdb_pubsub::{Guard, Message};
use nqdb_sql::IndexExpressions;
use nqdb_sql::rights::{Access, check_accesses};
use nqdb_sqlstate::{SqlError, SqlResult, UNDEFINED_TABLE};
use nqdb_txn::{ChangeFeed, Computation, RowChange, TableChange};
use nqdb_types::json::write_json_string;
use nqdb_types::{Datum, FormatContext, Type};

use crate::kept_channels::NewMessage;
use crate::session::Session;

/// Tables of which a session remembers how their changes are told.
const TELLERS_MAX: usize = 64;

/// Changes from which on it takes long to tell them.
const MANY_CHANGES: usize = 1_000;

/// A change on its way to its channel. The number of the commit stands between the two parts of its text.
#[derive(Clone, Debug)]
pub(crate) struct ChangeMessage {
    channel: Arc<str>,
    before: String,
    after: String,
    is_farewell: bool,
}

impl ChangeMessage {
    /// What is told last of a table whose changes are told no longer.
    pub(crate) fn end_of(table: &TableDef) -> ChangeMessage {
        let before = format!("{{\"op\":\"end\",\"table\":{},\"csn\":", json_string(&table.channel_name()));
        ChangeMessage { channel: table.change_channel().into(), before, after: "}".to_owned(), is_farewell: true }
    }

    /// Whether nothing follows on its channel: it is the only one of its transaction there, and has nothing of a row.
    pub(crate) fn is_farewell(&self) -> bool {
        self.is_farewell
    }

    pub(crate) fn channel(&self) -> &str {
        &self.channel
    }

    /// The message as it is kept until the number of its commit is known.
    pub(crate) fn kept(&self) -> NewMessage {
        NewMessage { payload: self.before.as_str().into(), rest: Some(self.after.clone()) }
    }

    pub(crate) fn message(&self, csn: u64) -> Message {
        let payload = format!("{}{csn}{}", self.before, self.after);
        Message { channel: self.channel.clone(), payload: payload.into() }
    }
}

/// How the changes of one definition of a table are told.
pub(crate) struct Teller {
    table: Arc<TableDef>,
    channel: Arc<str>,
    /// The name of the table as JSON.
    name: String,
    /// Positions of the columns that are sent, and of those that name the row.
    columns: Vec<usize>,
    key: Vec<usize>,
    filter: Option<Arc<dyn Computation>>,
}

/// How the tables that a session has changed are told of, by their numbers.
pub(crate) type Tellers = HashMap<u32, Arc<Teller>>;

impl Teller {
    fn new(table: &Arc<TableDef>, catalog: &Snapshot) -> SqlResult<Teller> {
        let published = table.published.as_deref().cloned().unwrap_or_default();
        let columns = match &published.columns {
            Some(columns) => table.positions_of(columns),
            None => table.live_columns().map(|(position, _)| position).collect(),
        };
        // A row without a primary key is named by all of it that is sent.
        let key = match table.primary_key() {
            Some(_) => table.positions_of(&table.change_key()),
            None => columns.clone(),
        };
        let filter = published.filter_index();
        let bind = |index| nqdb_catalog::IndexBinder::bind(&IndexExpressions, table, &index, catalog);
        Ok(Teller {
            table: table.clone(),
            channel: table.change_channel().into(),
            name: json_string(&table.channel_name()),
            columns,
            key,
            filter: filter.map(bind).transpose()?,
        })
    }

    fn passes(&self, row: &[Datum]) -> SqlResult<bool> {
        let Some(filter) = &self.filter else { return Ok(true) };
        let values = filter.reads().iter().map(|position| row.get(*position).cloned().unwrap_or_default()).collect();
        Ok(filter.compute(values)?.is_some())
    }

    /// The message of a change; `None` for one that the filter leaves out.
    fn tell(&self, change: &RowChange, context: &FunctionContext<'_>) -> SqlResult<Option<ChangeMessage>> {
        let told = match change {
            RowChange::Inserted(row) if self.passes(row)? => self.message("insert", row, None, true, context)?,
            RowChange::Deleted(row) if self.passes(row)? => self.message("delete", row, None, false, context)?,
            RowChange::Inserted(_) | RowChange::Deleted(_) => return Ok(None),
            RowChange::Updated { old, new } => match (self.passes(old)?, self.passes(new)?) {
                (true, true) => self.message("update", new, Some(old), true, context)?,
                (true, false) => self.message("leave", old, None, false, context)?,
                (false, true) => self.message("enter", new, None, true, context)?,
                (false, false) => return Ok(None),
            },
            RowChange::Truncated => self.bare("truncate"),
            RowChange::Lost => self.bare("resync"),
        };
        Ok(Some(told))
    }

    /// A message without a row.
    fn bare(&self, operation: &str) -> ChangeMessage {
        let before = format!("{{\"op\":\"{operation}\",\"table\":{},\"csn\":", self.name);
        ChangeMessage { channel: self.channel.clone(), before, after: "}".to_owned(), is_farewell: false }
    }

    fn message(
        &self,
        operation: &str,
        row: &[Datum],
        old: Option<&[Datum]>,
        has_row: bool,
        context: &FunctionContext<'_>,
    ) -> SqlResult<ChangeMessage> {
        let key = self.json(&self.key, row, context)?;
        let old_key = old.map(|old| self.json(&self.key, old, context)).transpose()?;
        let mut after = format!(",\"key\":{key}");
        if let Some(old_key) = old_key.filter(|old_key| *old_key != key) {
            after.push_str(",\"old_key\":");
            after.push_str(&old_key);
        }
        if has_row {
            after.push_str(",\"row\":");
            after.push_str(&self.json(&self.columns, row, context)?);
        }
        after.push('}');
        Ok(ChangeMessage { after, ..self.bare(operation) })
    }

    fn json(&self, positions: &[usize], row: &[Datum], context: &FunctionContext<'_>) -> SqlResult<String> {
        let columns = positions.iter().filter_map(|position| Some((*position, self.table.columns.get(*position)?)));
        let values = columns.map(|(position, column)| -> (&str, Type, &Datum) {
            (column.name.as_str(), column.ty, row.get(position).unwrap_or(&Datum::Null))
        });
        row_as_json(values, context)
    }
}

impl Session {
    /// The messages of what the transaction at hand has changed in published tables.
    pub(crate) fn take_table_changes(&mut self) -> Vec<ChangeMessage> {
        let Some(feed) = self.open.as_mut().and_then(|open| open.txn.take_changes()) else { return Vec::new() };
        self.tell_changes(&feed)
    }

    /// The messages of what a transaction has changed.
    pub(crate) fn tell_changes(&mut self, feed: &ChangeFeed) -> Vec<ChangeMessage> {
        if feed.len() >= MANY_CHANGES {
            self.surroundings.begin_step();
            self.surroundings.leave_worker();
        }
        let catalog = self.catalog_view();
        let types = TypesView::new(catalog.clone(), Arc::from([]), quote_identifier);
        let format = FormatContext::of_types(Arc::new(types));
        let mut messages = Vec::new();
        for TableChange { table, change } in feed.iter() {
            let Some(teller) = self.teller(*table, &catalog) else { continue };
            let context = FunctionContext::new(&format, 0, 0, &self.surroundings);
            match teller.tell(change, &context) {
                Ok(told) => messages.extend(told),
                Err(error) => {
                    tracing::warn!(table = teller.table.name, %error, "a change of a published table could not be told");
                    messages.push(teller.bare("resync"));
                }
            }
        }
        messages
    }

    /// How changes of a table are told; `None` when it is not published, or not any more.
    fn teller(&mut self, table: u32, catalog: &Arc<Snapshot>) -> Option<Arc<Teller>> {
        let table = catalog.table_by_oid(table).filter(|table| table.published.is_some())?;
        if let Some(known) = self.tellers.get(&table.oid).filter(|known| Arc::ptr_eq(&known.table, table)) {
            return Some(known.clone());
        }
        let teller = match Teller::new(table, catalog) {
            Ok(teller) => Arc::new(teller),
            Err(error) => {
                // The filter was bound when it was set, and what it depends on cannot go without it.
                tracing::error!(table = table.name, %error, "the filter of a published table does not bind");
                return None;
            }
        };
        if self.tellers.len() >= TELLERS_MAX {
            self.tellers.clear();
        }
        self.tellers.insert(table.oid, teller.clone());
        Some(teller)
    }
}

/// A text as JSON.
pub(crate) fn json_string(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len() + 2);
    write_json_string(&mut out, text);
    String::from_utf8_lossy(&out).into_owned()
}

/// Whether a role may follow what goes to a channel: changes of a table need the SELECT privilege on what is sent of it.
///
/// Errors: 42P01 for a channel of a table that is not there, 42501.
pub(crate) fn expect_may_follow(catalog: &Snapshot, role: u32, channel: &str) -> SqlResult<()> {
    let Some(name) = channel.strip_prefix(CHANGE_CHANNEL_PREFIX) else { return Ok(()) };
    let missing = || SqlError::new(UNDEFINED_TABLE, format!("relation \"{name}\" does not exist"));
    let table = catalog.table_of_channel(name).ok_or_else(missing)?;
    if !catalog.may_use_schema(role, table.schema) {
        return Err(missing());
    }
    let sent = table.published.as_ref().and_then(|published| published.columns.clone());
    let selected = sent.unwrap_or_else(|| table.live_columns().map(|(_, column)| column.attnum).collect());
    let columns = ColumnNeeds { selected, ..ColumnNeeds::default() };
    let access = Access { kind: SecuredKind::Table, object: table.oid, as_role: None, needed: Rights::SELECT, columns };
    check_accesses(catalog, role, &[access])
}

/// What asks again, whenever definitions or rights have changed, whether a role may follow what goes to a channel; none where
/// everybody may.
pub(crate) fn follow_guard(catalog: Arc<Catalog>, role: u32, channel: &str) -> Option<Guard> {
    if !channel.starts_with(CHANGE_CHANNEL_PREFIX) {
        return None;
    }
    let (channel, asked_of) = (channel.to_owned(), AtomicU64::new(0));
    Some(Guard(Arc::new(move || {
        let version = catalog.committed_version();
        if asked_of.load(Ordering::Relaxed) == version {
            return true;
        }
        let may = expect_may_follow(&catalog.committed(), role, &channel).is_ok();
        if may {
            asked_of.store(version, Ordering::Relaxed);
        }
        may
    })))
}
