//! The simple query protocol: one message, any number of statements, one implicit transaction around them.
//!
//! The transaction ends with the last statement, before that statement's tag is sent; BEGIN and COMMIT inside the
//! string do what they say, and what stands before a BEGIN becomes part of its block.

use nqdb_sql::statement::{Parsed, StatementKind};
use nqdb_sqlstate::SqlResult;
use tokio::time::Instant;

use crate::client_sink::ClientSink;
use crate::portal::{Portal, PortalEnd};
use crate::prepared::Statement;
use crate::session::{CommandEnd, Failure, Session};
use crate::surroundings::LONG_STEP;

/// Text from which on parsing, binding and planning take a good part of a worker's slice, bytes.
const LONG_TEXT_BYTES: usize = 64 << 10;

impl Session {
    /// Parses what a client sent; others go on meanwhile if it is long.
    pub(crate) fn parse_text(&self, sql: &str) -> SqlResult<Vec<Parsed>> {
        self.surroundings.begin_step();
        if sql.len() >= LONG_TEXT_BYTES {
            self.surroundings.leave_worker();
        }
        nqdb_sql::parse::parse(sql)
    }

    /// Runs a query string. An error ends it: report it with [`Session::fail`].
    pub async fn simple_query<C: ClientSink>(&mut self, sql: &str, out: &mut C) -> Result<CommandEnd, Failure> {
        self.arrive();
        self.prepared.remove("");
        self.portals.remove("");
        // Settings may have changed what the texts that are known mean.
        self.catalog_view();
        if let Some(statement) = self.plan_cache.get(sql) {
            self.shapes.pass_over();
            return self.run_statements(vec![statement].into_iter(), false, Some(sql), out).await;
        }
        if let Some(end) = self.run_by_shape(sql, out).await? {
            return Ok(end);
        }
        let parsed = self.parse_text(sql)?;
        self.notices.extend(parsed.first().map(|first| first.tokens.truncation_notices()).unwrap_or_default());
        self.send_notices(out);
        let statements: Vec<Statement> = parsed.into_iter().map(Statement::simple).collect();
        let several = statements.len() > 1;
        self.run_statements(statements.into_iter(), several, (!several).then_some(sql), out).await
    }

    /// Runs the statements that are left of a query string. `text` is given when its only statement may be remembered.
    pub(crate) async fn run_statements<C: ClientSink>(
        &mut self,
        mut statements: std::vec::IntoIter<Statement>,
        several: bool,
        text: Option<&str>,
        out: &mut C,
    ) -> Result<CommandEnd, Failure> {
        self.is_one_of_several = several;
        let mut turn_began = Instant::now();
        while let Some(statement) = statements.next() {
            if several {
                self.surroundings.check_interruption()?;
                if turn_began.elapsed() >= LONG_STEP {
                    // None of the statements may have had to wait: others get their turn.
                    tokio::task::yield_now().await;
                    turn_began = Instant::now();
                }
            }
            let is_last = statements.as_slice().is_empty();
            let end = self.run_one(statement, is_last, text, out).await?;
            if end == PortalEnd::CopyIn {
                if let Some(copy) = &mut self.copy_in {
                    copy.rest_of_query = Some((statements, several));
                }
                return Ok(CommandEnd::CopyIn);
            }
        }
        self.end_of_query();
        Ok(CommandEnd::Complete)
    }

    pub(crate) fn end_of_query(&mut self) {
        self.is_one_of_several = false;
        self.surroundings.deadline.set(None);
        self.show_idle();
    }

    async fn run_one<C: ClientSink>(
        &mut self,
        mut statement: Statement,
        is_last: bool,
        text: Option<&str>,
        out: &mut C,
    ) -> Result<PortalEnd, Failure> {
        self.check_block(statement.kind())?;
        self.start_statement_timer();
        let is_cacheable = matches!(statement.kind(), StatementKind::Rows(_));
        if is_cacheable {
            // The columns are told before the first row: they must be those that the plan has under its locks.
            self.locked_plan(&mut statement).await?;
        }
        let output = self.output_of(&mut statement)?;
        let formats = self.formats_of_fetch(statement.kind());
        let mut portal = Portal { formats, ..Portal::simple(statement, output) };
        let end = self.run_portal(&mut portal, 0, out).await?;
        if let PortalEnd::CopyIn = end {
            return Ok(end);
        }
        if let (Some(text), true) = (text, is_cacheable && !portal.statement.parsed.tokens.mention_the_clock()) {
            self.plan_cache.remember(text, &portal.statement);
            self.learn_shape(text, &portal.statement);
        }
        drop(portal.state);
        self.complete_statement(&end, is_last, out).await?;
        Ok(end)
    }

    /// Ends a statement of a query string: commits after the last one, then says so.
    pub(crate) async fn complete_statement<C: ClientSink>(
        &mut self,
        end: &PortalEnd,
        is_last: bool,
        out: &mut C,
    ) -> Result<(), Failure> {
        if is_last {
            self.end_request().await?;
        }
        self.send_notices(out);
        match end {
            PortalEnd::Complete(tag) => out.command_complete(tag),
            PortalEnd::Empty => out.empty_query(),
            PortalEnd::Suspended | PortalEnd::CopyIn => {}
        }
        Ok(())
    }

    /// The COPY of a query string has its data: goes on with what follows it.
    pub(crate) async fn resume_query<C: ClientSink>(
        &mut self,
        end: PortalEnd,
        rest: Option<(std::vec::IntoIter<Statement>, bool)>,
        out: &mut C,
    ) -> Result<CommandEnd, Failure> {
        let Some((statements, several)) = rest else {
            // The extended protocol: Sync ends the transaction.
            self.complete_statement(&end, false, out).await?;
            return Ok(CommandEnd::Complete);
        };
        let is_last = statements.as_slice().is_empty();
        self.complete_statement(&end, is_last, out).await?;
        self.run_statements(statements, several, None, out).await
    }
}
