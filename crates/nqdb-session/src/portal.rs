//! A portal: a statement with its parameters, ready to run or in the middle of it. Cursors are portals too.

use std::sync::Arc;

use nqdb_sql::exec::{CommandTag, Execution};
use nqdb_sql::ir::OutputColumn;
use nqdb_sql::plan::Plan;
use nqdb_txn::ReadView;
use nqdb_types::Datum;

use crate::analytical::AnalyticalPortal;
use crate::client_sink::Formats;
use crate::kept_rows::KeptRows;
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
    pub created_micros: i64,
    pub position: Position,
    pub scroll: Scroll,
    /// What is run, as soon as it has begun: it holds its relations open until the portal is gone.
    pub plan: Option<Arc<Plan>>,
    /// The addresses of the row that it stands on, behind each other as the plan gives them.
    pub place: Vec<Datum>,
}

/// How far a portal has run.
pub(crate) enum PortalState {
    Ready,
    Running(Box<Execution>),
    /// The analytical executor runs it.
    Analytical(Box<AnalyticalPortal>),
    /// The rows are all here: those of SHOW and FETCH.
    Rows {
        rows: std::vec::IntoIter<Vec<Datum>>,
        tag: CommandTag,
    },
    /// It has answered everything; one that returns rows may be asked again and has none.
    Finished(CommandTag),
    /// It met an error, in a part of the transaction that was rolled back.
    Failed,
}

/// Where a portal stands between its rows, as PostgreSQL counts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    /// In front of the first row.
    pub at_start: bool,
    /// Behind the last row.
    pub at_end: bool,
    /// The number of the row that it stands on, counted from 1; behind the end the number of the last one.
    pub row: u64,
}

/// What DECLARE CURSOR said, and what it takes to go back.
#[derive(Default)]
pub(crate) struct Scroll {
    pub is_binary: bool,
    pub hold: Hold,
    /// There when the portal may go back.
    pub kept: Option<KeptRows>,
    /// What computes its rows again.
    pub origin: Option<Origin>,
    pub is_scrollable: bool,
}

/// Whether a cursor outlives its transaction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Hold {
    #[default]
    No,
    /// It will: WITH HOLD.
    Wanted,
    /// It has: all rows that it may still give are kept, and nothing runs.
    Done,
}

/// A plan with what it runs under.
pub(crate) struct Origin {
    pub plan: Arc<Plan>,
    pub params: Arc<[Datum]>,
    pub view: ReadView,
}

impl Position {
    pub const START: Position = Position { at_start: true, at_end: false, row: 0 };

    /// `given` rows went out forwards; `ended`: there were no more.
    pub fn forward(&mut self, given: u64, ended: bool) {
        self.at_start &= given == 0;
        self.at_end |= ended;
        self.row += given;
    }

    /// `given` rows went out backwards; `ended`: there were no more.
    pub fn backward(&mut self, given: u64, ended: bool) {
        if given > 0 && self.at_end {
            self.at_end = false;
            self.row += 1;
        }
        if ended {
            self.at_start = true;
            self.row = 0;
        } else {
            self.row = self.row.saturating_sub(given);
        }
    }

    pub fn is_on_row(self) -> bool {
        !self.at_start && !self.at_end
    }
}

impl Portal {
    /// A portal that has not begun.
    pub fn new(
        statement: Statement,
        params: Arc<[Datum]>,
        output: Option<Arc<[OutputColumn]>>,
        formats: Formats,
        level: usize,
        created_micros: i64,
    ) -> Portal {
        Portal {
            statement,
            params,
            output,
            formats,
            state: PortalState::Ready,
            describe_first: false,
            level,
            created_micros,
            position: Position::START,
            scroll: Scroll::default(),
            plan: None,
            place: Vec::new(),
        }
    }

    /// A portal for a statement without parameters, in text format: the simple protocol's.
    pub fn simple(statement: Statement, output: Option<Arc<[OutputColumn]>>) -> Portal {
        let portal = Portal::new(statement, Arc::from([]), output, Formats::Text, 0, 0);
        Portal { describe_first: true, ..portal }
    }

    /// Whether it has outlived the transaction in which it was made.
    pub fn is_held(&self) -> bool {
        self.scroll.hold == Hold::Done
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_those_of_postgresql() {
        let mut position = Position::START;
        position.forward(2, false);
        assert_eq!(position, Position { at_start: false, at_end: false, row: 2 });
        position.forward(1, true);
        assert_eq!(position, Position { at_start: false, at_end: true, row: 3 });
        position.backward(1, false);
        assert_eq!(position, Position { at_start: false, at_end: false, row: 3 });
        position.backward(2, true);
        assert_eq!(position, Position::START);
        // Nothing at all.
        position.forward(0, true);
        assert_eq!(position, Position { at_start: true, at_end: true, row: 0 });
        assert!(!position.is_on_row());
    }
}
