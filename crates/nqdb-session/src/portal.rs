//! A portal: a statement with its parameters, ready to run or in the middle of it.

use std::sync::Arc;

use nqdb_sql::exec::{CommandTag, Execution};
use nqdb_sql::ir::OutputColumn;
use nqdb_types::Datum;

use crate::analytical::AnalyticalPortal;
use crate::client_sink::Formats;
use crate::prepared::Statement;

/// A statement bound to parameters.
pub(crate) struct Portal {
    pub statement: Statement,
    pub params: Arc<[Datum]>,
    pub output: Option<Arc<[OutputColumn]>>,
    pub formats: Formats,
    pub state: PortalState,
    /// The columns are told when the first rows are about to come: the simple protocol.
    pub describe_first: bool,
    /// Savepoints that surrounded its making: it dies with the innermost of them.
    pub level: usize,
}

/// How far a portal has run.
pub(crate) enum PortalState {
    Ready,
    Running(Box<Execution>),
    /// The analytical executor runs it.
    Analytical(Box<AnalyticalPortal>),
    /// The rows are all here: those of SHOW.
    Rows {
        rows: std::vec::IntoIter<Vec<Datum>>,
        tag: CommandTag,
    },
    /// It has answered everything; one that returns rows may be asked again and has none.
    Finished(CommandTag),
}

impl Portal {
    /// A portal for a statement without parameters, in text format: the simple protocol's.
    pub fn simple(statement: Statement, output: Option<Arc<[OutputColumn]>>) -> Portal {
        Portal {
            statement,
            params: Arc::from([]),
            output,
            formats: Formats::Text,
            state: PortalState::Ready,
            describe_first: true,
            level: 0,
        }
    }
}

/// How running a portal ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum PortalEnd {
    /// As many rows as were asked for went out.
    Suspended,
    Complete(CommandTag),
    /// There was no statement in the text.
    Empty,
    /// The client's data is awaited.
    CopyIn,
}
