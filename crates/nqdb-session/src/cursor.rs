//! Cursors: DECLARE, FETCH, MOVE, CLOSE, what a commit does to those WITH HOLD, and the rows of WHERE CURRENT OF.
//!
//! A cursor is a portal under its name, in the same namespace as the portals of the extended protocol. What always holds:
//!
//! 1. A cursor sees what DECLARE saw: its snapshot is taken there, and later changes are not in it.
//! 2. Going forward runs the query on. Going back gives out rows that were kept; where they are not any more, the query
//!    starts over and its rows are passed over up to there.
//! 3. Only a cursor that scrolls goes back. Without a word about it, a cursor scrolls when PostgreSQL's would: see
//!    `nqdb_sql::plan::CursorPlan`.
//! 4. A cursor that met an error cannot be run any more; it is gone with the part of the transaction that made it.
//!
//! The moves of FETCH are those of PostgreSQL's portals, step by step, because what is on the way shows: an error, a position
//! behind the end, "can only scan forward".

use std::sync::Arc;

use nqdb_sql::exec::{CommandTag, row_of_address};
use nqdb_sql::plan::{CurrentOf, CursorPlan, Plan};
use nqdb_sql::statement::{CursorMovement, DeclareCursor, FetchCount, FetchStatement, StatementKind};
use nqdb_sqlstate::{
    DUPLICATE_CURSOR, INVALID_CURSOR_NAME, INVALID_CURSOR_STATE, OBJECT_NOT_IN_PREREQUISITE_STATE, SqlError, SqlResult,
};
use nqdb_txn::RowId;
use nqdb_types::Datum;

use crate::client_sink::{ClientSink, Formats, NoClient, PENDING_BYTES_MAX};
use crate::kept_rows::KeptRows;
use crate::portal::{Hold, Origin, Portal, PortalEnd, PortalState, Position};
use crate::prepared::Statement;
use crate::row_target::{Destination, Notes, RowGate, RowTarget};
use crate::run::no_more_rows;
use crate::session::{Failure, Session};

/// No limit to a number of rows.
const ALL: u64 = 0;

/// 34000 for a name that no cursor has.
fn no_such_cursor(name: &str) -> SqlError {
    SqlError::new(INVALID_CURSOR_NAME, format!("cursor \"{name}\" does not exist"))
}

fn only_forward() -> SqlError {
    SqlError::new(OBJECT_NOT_IN_PREREQUISITE_STATE, "cursor can only scan forward")
        .with_hint("Declare it with SCROLL option to enable backward scan.")
}

impl Session {
    /// DECLARE CURSOR: begins the query and keeps it as a portal.
    pub(crate) async fn declare_cursor(
        &mut self,
        statement: &mut Statement,
        declare: &DeclareCursor,
        params: Arc<[Datum]>,
    ) -> SqlResult<CommandTag> {
        let DeclareCursor { name, options, query: _ } = declare;
        if !options.hold {
            self.require_block_around("DECLARE CURSOR")?;
        }
        if self.portals.contains_key(name) {
            return Err(SqlError::new(DUPLICATE_CURSOR, format!("cursor \"{name}\" already exists")));
        }
        let plan = self.locked_plan(statement).await?;
        let output = plan.output.clone();
        let formats = if options.binary { Formats::Binary } else { Formats::Text };
        let (level, now) = (self.savepoint_level(), self.statement_micros);
        let mut portal = Portal::new(statement.clone(), params.clone(), output, formats, level, now);
        let view = self.admit(&plan).await?;
        portal.state = self.launch(&plan, params.clone(), view.clone())?;
        let facts = plan.cursor.clone().unwrap_or_default();
        portal.scroll.is_binary = options.binary;
        portal.scroll.hold = if options.hold { Hold::Wanted } else { Hold::No };
        portal.scroll.is_scrollable = options.scroll || (!options.no_scroll && facts.goes_back);
        if portal.scroll.is_scrollable {
            let kept = if facts.is_volatile { KeptRows::all(1, self.surroundings.room()) } else { KeptRows::recent(1) };
            portal.scroll.kept = Some(kept);
            portal.scroll.origin = Some(Origin { plan: plan.clone(), params, view });
        }
        portal.plan = Some(plan);
        self.portals.insert(name.clone(), portal);
        Ok(CommandTag::Other("DECLARE CURSOR"))
    }

    /// CLOSE, of all cursors where there is no name.
    pub(crate) fn close_cursor(&mut self, name: Option<&str>) -> SqlResult<CommandTag> {
        match name {
            Some(name) => {
                self.portals.remove(name).ok_or_else(|| no_such_cursor(name))?;
                Ok(CommandTag::Other("CLOSE CURSOR"))
            }
            None => {
                self.portals.clear();
                Ok(CommandTag::Other("CLOSE CURSOR ALL"))
            }
        }
    }

    /// The formats in which FETCH in a query string gives out rows: those of the cursor.
    pub(crate) fn formats_of_fetch(&self, kind: &StatementKind) -> Formats {
        match kind {
            StatementKind::Fetch(fetch)
                if self.portals.get(&fetch.name).is_some_and(|found| found.scroll.is_binary) =>
            {
                Formats::Binary
            }
            _ => Formats::Text,
        }
    }

    /// FETCH and MOVE. Under a row limit the rows are kept in the statement's own portal, and none is the answer.
    pub(crate) async fn fetch_statement<C: ClientSink>(
        &mut self,
        own: &mut Portal,
        fetch: &FetchStatement,
        rows_max: u64,
        out: &mut C,
    ) -> Result<Option<PortalEnd>, Failure> {
        let mut cursor = self.portals.remove(&fetch.name).ok_or_else(|| no_such_cursor(&fetch.name))?;
        let to = match (fetch.moves, rows_max) {
            (true, _) => Destination::Nobody,
            (false, 0) => Destination::Client,
            (false, _) => Destination::List(Vec::new()),
        };
        let mut target = RowTarget::new(cursor.output.as_ref(), own.formats.clone(), to);
        target.description_due = std::mem::take(&mut own.describe_first) && own.output.is_some();
        let fetched = self.fetch(&mut cursor, fetch, &mut target, out).await;
        if fetched.is_err() {
            cursor.fail();
        }
        self.portals.insert(fetch.name.clone(), cursor);
        let rows = fetched?;
        target.describe(out, &self.format);
        if let Destination::List(kept) = target.to {
            own.state = PortalState::Rows { rows: kept.into_iter(), tag: CommandTag::Fetch(rows) };
            return Ok(None);
        }
        let tag = if fetch.moves { CommandTag::Move(rows) } else { CommandTag::Fetch(rows) };
        own.state = PortalState::Finished(tag);
        Ok(Some(PortalEnd::Complete(tag)))
    }

    /// Moves a cursor as FETCH says; gives the number of rows that the move is reported with.
    async fn fetch<C: ClientSink>(
        &mut self,
        cursor: &mut Portal,
        fetch: &FetchStatement,
        target: &mut RowTarget,
        out: &mut C,
    ) -> Result<u64, Failure> {
        if cursor.output.is_none() || matches!(cursor.state, PortalState::Failed | PortalState::Ready) {
            let message = format!("portal \"{}\" cannot be run", fetch.name);
            return Err(SqlError::new(OBJECT_NOT_IN_PREREQUISITE_STATE, message).into());
        }
        let (forward, count) = match (fetch.movement, fetch.count) {
            (CursorMovement::Absolute, FetchCount::Rows(count)) => {
                return self.fetch_absolute(cursor, count, target, out).await;
            }
            (CursorMovement::Relative, FetchCount::Rows(count)) if count != 0 => {
                let passed = count.unsigned_abs() - 1;
                self.pass_over(cursor, count > 0, passed, target, out).await?;
                return self.move_by(cursor, count > 0, Some(1), target, out).await;
            }
            (CursorMovement::Backward, FetchCount::All) => (false, None),
            (_, FetchCount::All) => (true, None),
            (CursorMovement::Backward, FetchCount::Rows(count)) => (count < 0, Some(count.unsigned_abs())),
            (_, FetchCount::Rows(count)) => (count >= 0, Some(count.unsigned_abs())),
        };
        if count == Some(0) {
            return self.fetch_current(cursor, target, out).await;
        }
        if !forward && count.is_none() && matches!(target.to, Destination::Nobody) {
            let Position { row, at_end, .. } = cursor.position;
            cursor.rewind()?;
            return Ok(if at_end { row } else { row.saturating_sub(1) });
        }
        self.move_by(cursor, forward, count, target, out).await
    }

    /// FETCH ABSOLUTE: the row is met going forward from the start, or from where the cursor stands if that is nearer.
    async fn fetch_absolute<C: ClientSink>(
        &mut self,
        cursor: &mut Portal,
        count: i64,
        target: &mut RowTarget,
        out: &mut C,
    ) -> Result<u64, Failure> {
        let wanted = count.unsigned_abs();
        if count < 0 {
            let mut nobody = target.nobody();
            self.move_by(cursor, true, None, &mut nobody, out).await?;
            self.pass_over(cursor, false, wanted - 1, target, out).await?;
            return self.move_by(cursor, false, Some(1), target, out).await;
        }
        let Position { row, at_end, .. } = cursor.position;
        if count == 0 || wanted - 1 <= row / 2 {
            cursor.rewind()?;
            if count == 0 {
                return Ok(0);
            }
            self.pass_over(cursor, true, wanted - 1, target, out).await?;
        } else {
            let here = row + u64::from(at_end);
            if wanted <= here {
                self.pass_over(cursor, false, here - wanted + 1, target, out).await?;
            } else {
                self.pass_over(cursor, true, wanted - here - 1, target, out).await?;
            }
        }
        self.move_by(cursor, true, Some(1), target, out).await
    }

    /// FETCH of no rows: the row that the cursor stands on, again.
    async fn fetch_current<C: ClientSink>(
        &mut self,
        cursor: &mut Portal,
        target: &mut RowTarget,
        out: &mut C,
    ) -> Result<u64, Failure> {
        let is_on_row = cursor.position.is_on_row();
        if !is_on_row || matches!(target.to, Destination::Nobody) {
            return Ok(u64::from(is_on_row));
        }
        self.pass_over(cursor, false, 1, target, out).await?;
        self.move_by(cursor, true, Some(1), target, out).await
    }

    /// Moves without giving out rows.
    async fn pass_over<C: ClientSink>(
        &mut self,
        cursor: &mut Portal,
        forward: bool,
        count: u64,
        target: &RowTarget,
        out: &mut C,
    ) -> Result<(), Failure> {
        if count > 0 {
            self.move_by(cursor, forward, Some(count), &mut target.nobody(), out).await?;
        }
        Ok(())
    }

    /// Moves by some rows, at least one, or to the end; gives how many there were.
    async fn move_by<C: ClientSink>(
        &mut self,
        cursor: &mut Portal,
        forward: bool,
        count: Option<u64>,
        target: &mut RowTarget,
        out: &mut C,
    ) -> Result<u64, Failure> {
        let before = target.rows;
        let count = count.unwrap_or(ALL);
        if forward {
            self.forward(cursor, count, target, out).await?;
        } else {
            self.backward(cursor, count, target, out).await?;
        }
        Ok(target.rows - before)
    }

    /// Gives out the next rows of a portal that has begun, and moves it.
    pub(crate) async fn forward<C: ClientSink>(
        &mut self,
        portal: &mut Portal,
        rows_max: u64,
        target: &mut RowTarget,
        out: &mut C,
    ) -> Result<PortalEnd, Failure> {
        if portal.position.at_end
            && let Some(tag) = portal.end_tag()
        {
            return Ok(PortalEnd::Complete(tag));
        }
        let before = target.rows;
        let end = self.run_forward(portal, rows_max, target, out).await?;
        portal.position.forward(target.rows - before, matches!(end, PortalEnd::Complete(_)));
        Ok(end)
    }

    /// The rows behind the position: those that are kept, then what the query goes on to give.
    async fn run_forward<C: ClientSink>(
        &mut self,
        portal: &mut Portal,
        rows_max: u64,
        target: &mut RowTarget,
        out: &mut C,
    ) -> Result<PortalEnd, Failure> {
        let mut number = portal.position.row + 1;
        let kept_next = portal.scroll.kept.as_ref().map_or(number, KeptRows::next);
        if number >= kept_next {
            return self.run_state(portal, rows_max, target, out).await;
        }
        self.bring_back(portal, number, target, out).await?;
        let mut given = 0;
        while rows_max == ALL || given < rows_max {
            if !self.give_kept(portal, number, target, out)? {
                break;
            }
            number += 1;
            given += 1;
            self.relieve(out).await?;
        }
        if rows_max != ALL && given == rows_max {
            return Ok(PortalEnd::Suspended);
        }
        let rest = if rows_max == ALL { ALL } else { rows_max - given };
        self.run_state(portal, rest, target, out).await
    }

    /// Gives out rows in front of the position, the nearest first, and moves the portal.
    async fn backward<C: ClientSink>(
        &mut self,
        portal: &mut Portal,
        rows_max: u64,
        target: &mut RowTarget,
        out: &mut C,
    ) -> Result<(), Failure> {
        if !portal.scroll.is_scrollable {
            return Err(only_forward().into());
        }
        let Position { at_start, at_end, row } = portal.position;
        if at_start {
            return Ok(());
        }
        let mut number = if at_end { row } else { row.saturating_sub(1) };
        let mut given = 0;
        while number > 0 && (rows_max == ALL || given < rows_max) {
            self.bring_back(portal, number, target, out).await?;
            if !self.give_kept(portal, number, target, out)? {
                return Err(SqlError::internal("a cursor's row is missing the second time").into());
            }
            number -= 1;
            given += 1;
            self.relieve(out).await?;
        }
        portal.position.backward(given, rows_max == ALL || given < rows_max);
        Ok(())
    }

    /// Makes sure that an earlier row is at hand: where it is not, the query starts over and runs up to it.
    async fn bring_back<C: ClientSink>(
        &mut self,
        portal: &mut Portal,
        number: u64,
        target: &RowTarget,
        out: &mut C,
    ) -> Result<(), Failure> {
        let Some(kept) = &mut portal.scroll.kept else { return Ok(()) };
        if kept.has(number) {
            return Ok(());
        }
        let Some(Origin { plan, params, view }) = &portal.scroll.origin else {
            return Err(SqlError::internal("a cursor cannot start over").into());
        };
        kept.restart();
        portal.state = self.launch(&plan.clone(), params.clone(), view.clone())?;
        self.run_state(portal, number, &mut target.nobody(), out).await?;
        Ok(())
    }

    /// Gives out a kept row; false when there is no row of that number.
    fn give_kept<C: ClientSink>(
        &self,
        portal: &mut Portal,
        number: u64,
        target: &mut RowTarget,
        out: &mut C,
    ) -> SqlResult<bool> {
        let Portal { scroll, place, .. } = portal;
        let Some(kept) = &mut scroll.kept else { return Ok(false) };
        let Some(row) = kept.row(number)? else { return Ok(false) };
        let names = self.object_names(target);
        let mut notes = Notes { kept: None, place };
        RowGate { out, target, notes: &mut notes, format: &self.format, names }.give(row)?;
        Ok(true)
    }

    /// Sends what has gathered, and looks for cancels.
    async fn relieve<C: ClientSink>(&mut self, out: &mut C) -> Result<(), Failure> {
        self.surroundings.check_interruption()?;
        if out.pending_bytes() > PENDING_BYTES_MAX {
            self.settle_dependencies().await?;
            out.flush().await?;
        }
        Ok(())
    }

    /// Before a commit: cursors WITH HOLD keep the rows that they may still give, all other portals end.
    pub(crate) async fn hold_cursors(&mut self) -> SqlResult<()> {
        let wanted = |(name, portal): (&String, &Portal)| (portal.scroll.hold == Hold::Wanted).then(|| name.clone());
        let names: Vec<String> = self.portals.iter().filter_map(wanted).collect();
        for name in names {
            let Some(mut portal) = self.portals.remove(&name) else { continue };
            if matches!(portal.state, PortalState::Failed) {
                continue;
            }
            match self.hold(&mut portal).await {
                Ok(()) => self.portals.insert(name, portal),
                Err(Failure::Sql(error)) => return Err(error),
                Err(Failure::Client(_)) => return Err(SqlError::internal("a cursor was kept for nobody")),
            };
        }
        self.end_portals();
        Ok(())
    }

    /// A cursor that scrolls keeps all of its rows, another one those that are to come.
    async fn hold(&mut self, portal: &mut Portal) -> Result<(), Failure> {
        let room = self.surroundings.room();
        let position = portal.position;
        match &portal.scroll.kept {
            Some(kept) if kept.keeps_all() => {}
            Some(_) => {
                portal.scroll.kept = Some(KeptRows::all(1, room));
                if let Some(Origin { plan, params, view }) = &portal.scroll.origin {
                    portal.state = self.launch(&plan.clone(), params.clone(), view.clone())?;
                }
            }
            None => portal.scroll.kept = Some(KeptRows::all(position.row + 1, room)),
        }
        if !matches!(portal.state, PortalState::Finished(_)) {
            let place = portal.place.clone();
            let mut target = RowTarget::new(portal.output.as_ref(), Formats::Text, Destination::Nobody);
            self.run_state(portal, ALL, &mut target, &mut NoClient).await?;
            portal.place = place;
        }
        portal.position = position;
        portal.scroll.hold = Hold::Done;
        portal.scroll.origin = None;
        portal.plan = None;
        portal.level = 0;
        Ok(())
    }

    /// The transaction ends: only held cursors are left.
    pub(crate) fn end_portals(&mut self) {
        if !self.portals.is_empty() {
            self.portals.retain(|_, portal| portal.is_held());
        }
    }

    /// The tables that open queries read.
    pub(crate) fn open_relations(&self) -> Vec<u32> {
        let plans = self.portals.values().filter_map(|portal| portal.plan.as_ref());
        let queries = plans.filter(|plan| !plan.writes && !plan.is_explain());
        let relations = queries.flat_map(|plan| plan.relations.iter().map(|(oid, _)| *oid));
        let catalog = self.surroundings.catalog.borrow();
        relations.filter(|relation| catalog.view_by_oid(*relation).is_none()).collect()
    }

    /// The rows that the cursors of a plan's WHERE CURRENT OF stand on.
    pub(crate) fn current_rows(&self, plan: &Plan) -> SqlResult<Vec<Option<RowId>>> {
        plan.current_of.iter().map(|current| self.current_row(current)).collect()
    }

    fn current_row(&self, current: &CurrentOf) -> SqlResult<Option<RowId>> {
        let CurrentOf { cursor: name, table, table_name } = current;
        let portal = self.portals.get(name).ok_or_else(|| no_such_cursor(name))?;
        let refuse = |what: String| Err(SqlError::new(INVALID_CURSOR_STATE, format!("cursor \"{name}\" {what}")));
        if portal.is_held() {
            return refuse("is held from a previous transaction".to_owned());
        }
        let Some(facts) = portal.plan.as_ref().filter(|plan| !plan.writes && !plan.is_explain()) else {
            return refuse("is not a SELECT query".to_owned());
        };
        let none = CursorPlan::default();
        let facts = facts.cursor.as_ref().unwrap_or(&none);
        let mut places = facts.tables.iter().zip(&portal.place).filter(|(found, _)| *found == table);
        let count = facts.tables.iter().filter(|found| *found == table).count();
        match (facts.locks_rows, count) {
            (true, 0) => {
                return refuse(format!("does not have a FOR UPDATE/SHARE reference to table \"{table_name}\""));
            }
            (true, 2..) => {
                return refuse(format!("has multiple FOR UPDATE/SHARE references to table \"{table_name}\""));
            }
            (false, 0) => return refuse(format!("is not a simply updatable scan of table \"{table_name}\"")),
            _ => {}
        }
        if !portal.position.is_on_row() {
            return refuse("is not positioned on a row".to_owned());
        }
        places.next().map_or(Ok(None), |(_, address)| row_of_address(address))
    }
}

impl Portal {
    /// Back in front of the first row.
    fn rewind(&mut self) -> SqlResult<()> {
        if self.position == Position::START {
            return Ok(());
        }
        if !self.scroll.is_scrollable {
            return Err(only_forward());
        }
        self.position = Position::START;
        Ok(())
    }

    /// It met an error: what it holds is given back.
    pub(crate) fn fail(&mut self) {
        self.state = PortalState::Failed;
        self.scroll.kept = None;
        self.scroll.origin = None;
    }

    /// What a portal answers that stands behind its last row.
    fn end_tag(&self) -> Option<CommandTag> {
        match self.state {
            PortalState::Finished(tag) if self.output.is_some() => Some(no_more_rows(tag)),
            _ => None,
        }
    }
}
