//! Plans of simple queries, found by the shape of their text: the same statement with other constants in it.
//!
//! A shape that comes a second time is planned once more, with parameters in place of constants. That plan serves later
//! texts of the shape, which then are neither parsed nor planned.
//!
//! What always holds:
//! 1. A plan with parameters is kept only if it does the same as the one that was made for the text at hand: the same
//!    operators over the same relations, the same columns.
//! 2. A constant that is no value of its parameter's type, or that stands where the plan depends on it, is left to the parser.
//! 3. It is never made anew: once it does not hold any more (the catalog or a setting changed) the text is parsed and planned
//!    as it stands, so that errors point into it.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::fast::RandomState;
use nqdb_functions::is_object_reference;
use nqdb_sql::parse::{Fixed, Parameterized, Shape, parameterized};
use nqdb_types::{Datum, FormatContext, Oid, is_user_type};

use crate::block::Block;
use crate::client_sink::ClientSink;
use crate::portal::Portal;
use crate::prepared::Statement;
use crate::session::{CommandEnd, Failure, Session};

/// Shapes that are kept.
const ENTRIES_MAX: usize = 256;
/// Bytes of their texts: a load's statement has many, and a plan that is a multiple of them.
const KEY_BYTES_MAX: usize = 1024 * 1024;
/// Hashes of shapes that came once; newer ones overwrite older ones.
const SEEN_SLOTS: usize = 512;

/// The shapes of one session's simple queries.
#[derive(Default)]
pub(crate) struct Shapes {
    /// The shape of the text at hand.
    current: Shape,
    /// The text at hand has a shape that came before and is not known.
    is_wanted: bool,
    entries: HashMap<Box<[u8]>, Option<Known>, RandomState>,
    key_bytes: usize,
    seen: Vec<u64>,
}

/// A statement with parameters in place of some constants, and what the others have to be.
struct Known {
    statement: Statement,
    fixed: Fixed,
}

impl Shapes {
    /// The statement for a text, with its parameters.
    fn find(&mut self, sql: &str, format: &FormatContext) -> Option<(Statement, Arc<[Datum]>)> {
        self.is_wanted = false;
        if !self.current.read(sql) || self.current.constants().is_empty() {
            return None;
        }
        match self.entries.get(self.current.key()) {
            Some(known) => {
                let Known { statement, fixed } = known.as_ref()?;
                let values = fixed.values(&self.current, sql, &statement.parameters, format)?;
                Some((statement.clone(), Arc::from(values)))
            }
            None => {
                self.is_wanted = self.came_before();
                None
            }
        }
    }

    fn came_before(&mut self) -> bool {
        if self.seen.is_empty() {
            self.seen.resize(SEEN_SLOTS, 0);
        }
        let hash = self.entries.hasher().hash_one(self.current.key());
        let slot = &mut self.seen[hash as usize % SEEN_SLOTS];
        std::mem::replace(slot, hash) == hash
    }

    /// Keeps what became of the shape at hand; nothing when no constant of it can be a parameter.
    fn keep(&mut self, known: Option<Known>) {
        let bytes = self.current.key().len();
        if self.entries.len() >= ENTRIES_MAX || self.key_bytes + bytes > KEY_BYTES_MAX {
            // Rare: a client with more shapes than places starts over.
            self.entries.clear();
            self.key_bytes = 0;
        }
        self.key_bytes += bytes;
        self.entries.insert(self.current.key().into(), known);
    }

    /// The plan of the shape at hand does not hold any more.
    fn forget_current(&mut self) {
        if self.entries.remove(self.current.key()).is_some() {
            self.key_bytes -= self.current.key().len();
        }
        self.is_wanted = true;
    }

    /// The text at hand was found otherwise.
    pub fn pass_over(&mut self) {
        self.is_wanted = false;
    }

    pub fn clear(&mut self) {
        self.entries.clear();
        self.key_bytes = 0;
        self.seen.clear();
        self.is_wanted = false;
    }
}

impl Session {
    /// Runs a query string whose shape is known; `None`, with nothing answered, when it is not or its plan does not hold.
    pub(crate) async fn run_by_shape<C: ClientSink>(
        &mut self,
        sql: &str,
        out: &mut C,
    ) -> Result<Option<CommandEnd>, Failure> {
        let Some((statement, params)) = self.shapes.find(sql, &self.format).filter(|_| self.block != Block::Failed)
        else {
            return Ok(None);
        };
        self.start_statement_timer();
        self.ensure_transaction()?;
        let Some(plan) = self.plan_that_holds(&statement) else {
            self.shapes.forget_current();
            return Ok(None);
        };
        self.lock_relations(&plan.relations).await?;
        if self.plan_that_holds(&statement).is_none() {
            self.shapes.forget_current();
            return Ok(None);
        }
        self.surroundings.instance.metrics.plans_reused.increment();
        self.surroundings.instance.metrics.statements.increment();
        self.show_active_text(sql, self.shapes.current.statement_text(sql));
        let mut portal = Portal::simple(statement, plan.output.clone());
        self.begin_plan(&mut portal, plan, params).await?;
        let end = self.run_portal(&mut portal, 0, out).await?;
        drop(portal);
        self.complete_statement(&end, true, out).await?;
        self.end_of_query();
        Ok(Some(CommandEnd::Complete))
    }

    /// A statement has run that was parsed and planned: its shape may be worth knowing.
    pub(crate) fn learn_shape(&mut self, sql: &str, statement: &Statement) {
        if std::mem::take(&mut self.shapes.is_wanted) {
            let known = self.parameterize(sql, statement);
            self.shapes.keep(known);
        }
    }

    /// The statement with parameters; none when it cannot be had, or would not do the same.
    fn parameterize(&mut self, sql: &str, literal: &Statement) -> Option<Known> {
        if !literal.parsed.tokens.truncation_notices().is_empty() {
            return None;
        }
        let plan = self.plan_that_holds(literal)?;
        let Parameterized { text, types, fixed } = parameterized(&literal.parsed, sql, &self.shapes.current)?;
        let mut parsed = nqdb_sql::parse::parse(&text).ok()?;
        let parsed = parsed.pop().filter(|_| parsed.is_empty())?;
        let mut statement = Statement::with_parameters(parsed, &types);
        let general = self.current_plan(&mut statement).ok()?;
        let declared = statement.parameters.iter().zip(&types);
        let is_known = declared.len() == types.len()
            && declared.clone().all(|(ty, declared)| ty == declared || *declared == 0 && is_read_alone(*ty));
        (is_known && general.does_as(&plan)).then_some(Known { statement, fixed })
    }
}

/// Whether a quoted constant of a type can be read without the catalog.
fn is_read_alone(ty: Oid) -> bool {
    !is_user_type(ty) && !is_object_reference(ty)
}
