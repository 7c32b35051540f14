//! Constraints that are checked later than their statements: SET CONSTRAINTS, and what COMMIT has to check.

use nqdb_sql::definition::QualifiedName;
use nqdb_sql::exec::{CommandTag, Step};
use nqdb_sql::integrity::{DeferredFiring, Selection, constraints_named};
use nqdb_sqlstate::{NO_ACTIVE_SQL_TRANSACTION, SqlResult};

use crate::block::Block;
use crate::session::Session;

impl Session {
    /// SET CONSTRAINTS: what is immediate from now on is checked at once.
    pub(crate) async fn set_constraints(
        &mut self,
        names: Option<&[QualifiedName]>,
        deferred: bool,
    ) -> SqlResult<CommandTag> {
        if matches!(self.block, Block::Idle | Block::Implicit) && !self.is_one_of_several {
            self.warn(NO_ACTIVE_SQL_TRANSACTION, "SET CONSTRAINTS can only be used in transaction blocks");
        }
        self.ensure_transaction()?;
        let named = match names {
            Some(names) => Some(self.with_planner(|cx, _| constraints_named(names, deferred, cx))?),
            None => None,
        };
        self.surroundings.constraints.borrow_mut().set(named.as_deref(), deferred);
        if !deferred {
            self.fire_deferred(Selection::Due).await?;
        }
        Ok(CommandTag::Other("SET CONSTRAINTS"))
    }

    /// Runs checks that wait in the transaction.
    pub(crate) async fn fire_deferred(&mut self, selection: Selection) -> SqlResult<()> {
        if !self.surroundings.constraints.borrow().has_deferred() {
            return Ok(());
        }
        self.catalog_view();
        let mut firing = DeferredFiring::new(selection);
        loop {
            self.surroundings.check_interruption()?;
            let step = self.with_execution(|cx| firing.step(cx));
            self.adopt_effects();
            match step.map_err(|error| self.interruption_or(error))? {
                None => return Ok(()),
                Some(Step::Wait(wait)) => self.wait(wait).await?,
                Some(_) => tokio::task::yield_now().await,
            }
        }
    }
}
