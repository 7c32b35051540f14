//! What the rows of a system relation are made of, and where they go.

use std::sync::Arc;

use nqdb_catalog::Snapshot;
use nqdb_functions::SessionFunctions;
use nqdb_sqlstate::SqlResult;
use nqdb_types::{Datum, Oid};

use super::locks::LockedObject;
use super::prepared_transactions::PreparedTransactionFacts;
use super::realtime::{ChannelFacts, ConnectionFacts};
use super::relation::SystemRow;
use super::session_objects::SessionObjects;
use super::session_state::{SessionFacts, SettingFacts};
use crate::temporary_files::TemporaryUse;

/// What system relations ask of the session that reads them.
pub trait SystemSession {
    /// The catalog of the statement at hand.
    fn catalog(&self) -> Arc<Snapshot>;
    /// Whether the role may see what is for superusers only.
    fn is_superuser(&self) -> bool;
    /// The settings that the session may see, in the order of their names.
    fn settings(&self) -> Vec<SettingFacts>;
    /// The sessions of the server.
    fn sessions(&self) -> Vec<SessionFacts>;
    /// The temporary files of a database's sessions that are gone.
    fn temporary_use(&self, database: u32) -> TemporaryUse {
        let _ = database;
        TemporaryUse::default()
    }
    /// The locks that sessions hold and wait for.
    fn locks(&self) -> Vec<LockedObject> {
        Vec::new()
    }
    /// The transactions that are prepared, of all databases.
    fn prepared_transactions(&self) -> Vec<PreparedTransactionFacts> {
        Vec::new()
    }
    /// The channels of the session's database.
    fn channels(&self) -> Vec<ChannelFacts> {
        Vec::new()
    }
    /// The real-time clients of the server.
    fn connections(&self) -> Vec<ConnectionFacts> {
        Vec::new()
    }
    /// The cursors and prepared statements of the session.
    fn objects(&self) -> SessionObjects {
        SessionObjects::default()
    }
}

/// What the rows of one scan are made of.
pub(crate) struct SystemContext<'a> {
    pub catalog: &'a Snapshot,
    pub functions: &'a dyn SessionFunctions,
    pub session: &'a dyn SystemSession,
    /// Values that the scan's conditions ask for: the name of a key column, and what it must equal.
    pub wanted: &'a [(&'static str, Datum)],
    /// The sequence whose state is read.
    pub object: Oid,
}

impl SystemContext<'_> {
    /// The number that a key column must equal, if the conditions say one.
    pub fn wanted_oid(&self, column: &str) -> Option<Oid> {
        match self.wanted.iter().find(|(name, _)| *name == column)?.1 {
            Datum::Oid(value) => Some(value),
            _ => None,
        }
    }

    /// The name that a key column must equal, if the conditions say one.
    pub fn wanted_name(&self, column: &str) -> Option<&str> {
        self.wanted.iter().find(|(name, _)| *name == column)?.1.as_text()
    }
}

/// Takes the rows of a scan, and keeps the columns that it reads.
pub(crate) struct SystemRows<'a> {
    /// `tableoid`.
    relation: Oid,
    columns: &'a [usize],
    rows: Vec<Box<[Datum]>>,
    /// Called with the bytes of each row.
    charge: &'a mut dyn FnMut(usize) -> SqlResult<()>,
}

impl<'a> SystemRows<'a> {
    /// Keeps only the columns at these positions; the one behind the last is the relation's number.
    pub fn new(
        relation: Oid,
        columns: &'a [usize],
        charge: &'a mut dyn FnMut(usize) -> SqlResult<()>,
    ) -> SystemRows<'a> {
        SystemRows { relation, columns, rows: Vec::new(), charge }
    }

    pub fn push(&mut self, row: impl SystemRow) -> SqlResult<()> {
        let mut values = row.into_values();
        let mut kept = Vec::with_capacity(self.columns.len());
        let mut bytes = size_of::<Box<[Datum]>>();
        for column in self.columns {
            let value = values.get_mut(*column).map_or(Datum::Oid(self.relation), std::mem::take);
            bytes += size_of::<Datum>() + value.heap_size();
            kept.push(value);
        }
        (self.charge)(bytes)?;
        self.rows.push(kept.into());
        Ok(())
    }

    pub fn into_rows(self) -> Vec<Box<[Datum]>> {
        self.rows
    }
}
