//! A portal that the analytical executor runs: its batches become rows for the client, no faster than it takes them.
//!
//! What always holds:
//! 1. The statement keeps its snapshot, and a plan for the row executor: when the analytical one declines, which it does
//!    before the first row, the statement starts again there and sees the same.
//! 2. Cancel and timeouts are looked at while the session waits, and after each piece of a batch.

use std::sync::Arc;

use nqdb_analytics::{Analytics, Batch, Request, Running};
use nqdb_functions::SessionFunctions;
use nqdb_sql::exec::{CommandTag, Execution, RowSink};
use nqdb_sql::explain::measured_lines;
use nqdb_sql::ir::Query;
use nqdb_sql::plan::Plan;
use nqdb_sqlstate::SqlResult;
use nqdb_txn::ReadView;
use nqdb_types::Datum;

use crate::client_sink::{ClientSink, PENDING_BYTES_MAX};
use crate::portal::{PortalEnd, PortalState};
use crate::row_target::{Notes, RowGate, RowTarget};
use crate::session::{Failure, Session};

/// Rows between two looks at cancel flag and output buffer.
const ROWS_AT_ONCE: usize = 256;

/// A statement on the analytical executor, and what the row executor would need.
pub(crate) struct AnalyticalPortal {
    running: Running,
    batch: Option<Batch>,
    /// The next row of the batch.
    next: usize,
    plan: Arc<Plan>,
    params: Arc<[Datum]>,
    view: ReadView,
    /// Of EXPLAIN ANALYZE.
    measuring: Option<Measuring>,
}

/// EXPLAIN ANALYZE: nobody sees the rows of the query, but then what it did.
struct Measuring {
    started_micros: i64,
    /// What is still to be sent, once the query is through.
    lines: Option<std::vec::IntoIter<String>>,
}

impl AnalyticalPortal {
    /// The same statement on the row executor.
    pub fn by_rows(&self) -> Execution {
        Execution::new(self.plan.clone(), self.params.clone(), self.view.clone())
    }
}

impl Session {
    /// Hands a plan to the executor that it names. Nothing runs before it is asked for rows, but the analytical executor
    /// begins.
    pub(crate) fn launch(&mut self, plan: &Arc<Plan>, params: Arc<[Datum]>, view: ReadView) -> SqlResult<PortalState> {
        let instance = self.surroundings.instance.clone();
        let measures = plan.measures_analytical();
        let runs = measures || !plan.is_explain();
        let (Some(query), Some(analytics), true) = (plan.analytical(), instance.analytics.get(), runs) else {
            let current_rows = self.current_rows(plan)?;
            let execution = Execution::new(plan.clone(), params, view).with_current_rows(current_rows);
            return Ok(PortalState::Running(Box::new(execution)));
        };
        instance.metrics.analytical_planner_calls.increment();
        let running = analytics.start(self.request(query.clone(), params.clone(), view.clone(), measures));
        let measuring = measures.then(|| Measuring { started_micros: self.surroundings.clock_micros(), lines: None });
        let portal = AnalyticalPortal { running, batch: None, next: 0, plan: plan.clone(), params, view, measuring };
        Ok(PortalState::Analytical(Box::new(portal)))
    }

    fn request(&self, query: Arc<Query>, params: Arc<[Datum]>, view: ReadView, measures: bool) -> Request {
        let started = self.open.as_ref().map_or(self.statement_micros, |open| open.started_micros);
        Request {
            query,
            params,
            view,
            format: (*self.format).clone(),
            temporary: self.surroundings.temporary().clone(),
            transaction_time_micros: started,
            statement_time_micros: self.statement_micros,
            measures,
        }
    }

    /// Asks the analytical executor whether it takes a new plan's query; it is the row executor's otherwise.
    pub(crate) fn choose_executor(&self, plan: &mut Plan) {
        let Some(query) = plan.analytical().cloned() else { return };
        let takes = |analytics: &Analytics| {
            let params: Arc<[Datum]> = plan.parameters.iter().map(|_| Datum::Null).collect();
            let view = self.surroundings.instance.system.latest_view();
            let answer = analytics.examine(&self.request(query, params, view, false));
            if let Err(reason) = answer {
                tracing::debug!(reason, "the analytical executor does not take a statement");
            }
            answer.is_ok()
        };
        if !self.surroundings.instance.analytics.get().is_some_and(takes) {
            plan.decline_analytical();
        }
    }

    /// Sends the next rows; `None` when the executor declined the statement, of which no row went out.
    pub(crate) async fn drive_analytical<C: ClientSink>(
        &mut self,
        portal: &mut AnalyticalPortal,
        target: &mut RowTarget,
        notes: &mut Notes<'_>,
        rows_max: u64,
        out: &mut C,
    ) -> Result<Option<PortalEnd>, Failure> {
        if portal.measuring.is_some() {
            return self.drive_measuring(portal, target, notes, rows_max, out).await;
        }
        let mut sent = 0;
        let mut values = Vec::with_capacity(target.columns.len());
        loop {
            self.surroundings.check_interruption()?;
            let Some(batch) = portal.batch.take() else {
                match self.surroundings.interruptible(portal.running.next()).await? {
                    Ok(Some(batch)) => (portal.batch, portal.next) = (Some(batch), 0),
                    Ok(None) => {
                        self.count_sent_rows(target, sent);
                        return Ok(Some(PortalEnd::Complete(CommandTag::Select(sent))));
                    }
                    Err(nqdb_analytics::Failure::Declined(reason)) => {
                        tracing::debug!(reason, "the analytical executor declined a statement");
                        return Ok(None);
                    }
                    Err(nqdb_analytics::Failure::Sql(error)) => return Err(self.interruption_or(error).into()),
                }
                continue;
            };
            let mut end = batch.rows().min(portal.next + ROWS_AT_ONCE);
            if rows_max != 0 {
                let left = usize::try_from(rows_max - sent).unwrap_or(usize::MAX);
                end = end.min(portal.next.saturating_add(left));
            }
            let format = self.format.clone();
            let names = self.object_names(target);
            let rows_before = target.rows;
            let mut gate = RowGate { out, target, notes, format: &format, names };
            for row in portal.next..end {
                batch.read_row(row, &mut values).map_err(nqdb_analytics::Failure::too_late)?;
                gate.row(&values)?;
            }
            sent += target.rows - rows_before;
            portal.next = end;
            if end < batch.rows() {
                portal.batch = Some(batch);
            }
            if rows_max != 0 && sent >= rows_max {
                self.count_sent_rows(target, sent);
                return Ok(Some(PortalEnd::Suspended));
            }
            if out.pending_bytes() > PENDING_BYTES_MAX {
                self.settle_dependencies().await?;
                out.flush().await?;
            }
        }
    }

    /// EXPLAIN ANALYZE: runs the query to its end, then sends what its operators did.
    async fn drive_measuring<C: ClientSink>(
        &mut self,
        portal: &mut AnalyticalPortal,
        target: &mut RowTarget,
        notes: &mut Notes<'_>,
        rows_max: u64,
        out: &mut C,
    ) -> Result<Option<PortalEnd>, Failure> {
        let Some(measuring) = &mut portal.measuring else { return Ok(None) };
        if measuring.lines.is_none() {
            loop {
                self.surroundings.check_interruption()?;
                match self.surroundings.interruptible(portal.running.next()).await? {
                    Ok(Some(_)) => {}
                    Ok(None) => break,
                    Err(nqdb_analytics::Failure::Declined(_)) => return Ok(None),
                    Err(nqdb_analytics::Failure::Sql(error)) => return Err(self.interruption_or(error).into()),
                }
            }
            let micros = self.surroundings.clock_micros() - measuring.started_micros;
            let measured = portal.running.measured();
            let lines = measured.map(|measured| measured_lines(&portal.plan, &measured, micros));
            measuring.lines = Some(lines.unwrap_or_default().into_iter());
        }
        let lines = measuring.lines.iter_mut().flatten();
        let limit = if rows_max == 0 { usize::MAX } else { usize::try_from(rows_max).unwrap_or(usize::MAX) };
        let rows_before = target.rows;
        let format = self.format.clone();
        let names = self.object_names(target);
        let mut gate = RowGate { out, target, notes, format: &format, names };
        for line in lines.take(limit) {
            gate.row(&[Datum::text(line.as_str())])?;
        }
        let sent = target.rows - rows_before;
        if rows_max != 0 && sent >= rows_max {
            return Ok(Some(PortalEnd::Suspended));
        }
        Ok(Some(PortalEnd::Complete(CommandTag::Other("EXPLAIN"))))
    }
}
