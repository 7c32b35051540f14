//! The transaction statements, and how a session begins, ends and fails its transaction.

use std::sync::Arc;

use nqdb_catalog::Draft;
use nqdb_sql::exec::CommandTag;
use nqdb_sql::integrity::Selection;
use nqdb_sql::statement::{TransactionModes, TransactionStatement};
use nqdb_sqlstate::{
    ACTIVE_SQL_TRANSACTION, IN_FAILED_SQL_TRANSACTION, NO_ACTIVE_SQL_TRANSACTION, SqlError, SqlResult,
};
use nqdb_storage::Lsn;
use nqdb_txn::{Transaction, TxnError, Wait};

use crate::block::{Block, Characteristics, OpenTransaction};
use crate::session::Session;

/// 25P02.
pub(crate) fn block_has_failed() -> SqlError {
    SqlError::new(
        IN_FAILED_SQL_TRANSACTION,
        "current transaction is aborted, commands ignored until end of transaction block",
    )
}

/// Whether a failed block takes the statement: it ends the block or goes back to a savepoint.
pub(crate) fn leaves_failed_block(statement: &TransactionStatement) -> bool {
    matches!(
        statement,
        TransactionStatement::Commit { .. }
            | TransactionStatement::Rollback { .. }
            | TransactionStatement::RollbackTo(_)
            | TransactionStatement::Prepare(_)
    )
}

impl Session {
    /// Makes sure that a transaction runs; one that the client did not begin is implicit.
    pub(crate) fn ensure_transaction(&mut self) -> SqlResult<&mut OpenTransaction> {
        if self.open.is_none() {
            let characteristics = self.surroundings.default_characteristics();
            self.begin(characteristics)?;
            if self.block == Block::Idle {
                self.block = Block::Implicit;
            }
        }
        self.open.as_mut().ok_or_else(|| SqlError::internal("a transaction that was just begun is missing"))
    }

    fn begin(&mut self, characteristics: Characteristics) -> SqlResult<()> {
        let instance = &self.surroundings.instance;
        let mut txn = instance.system.begin_as(
            self.surroundings.backend.owner(),
            characteristics.isolation(),
            characteristics.read_only,
        );
        txn.set_process_id(self.surroundings.backend.pid());
        txn.set_deferrable(characteristics.deferrable);
        self.surroundings.characteristics.set(Some(characteristics));
        self.open = Some(OpenTransaction {
            txn,
            draft: Draft::new(self.surroundings.database.clone()),
            closed_databases: Vec::new(),
            characteristics,
            savepoints: Vec::new(),
            started_micros: self.statement_micros,
            has_queried: false,
        });
        Ok(())
    }

    /// Runs a transaction statement.
    pub(crate) async fn transaction_statement(&mut self, statement: &TransactionStatement) -> SqlResult<CommandTag> {
        match statement {
            TransactionStatement::Begin { start, modes } => {
                self.begin_block(*modes)?;
                Ok(CommandTag::Other(if *start { "START TRANSACTION" } else { "BEGIN" }))
            }
            TransactionStatement::Commit { chain } => self.commit_statement(*chain).await,
            TransactionStatement::Rollback { chain } => self.rollback_statement(*chain).await,
            TransactionStatement::Prepare(gid) => self.prepare_transaction(gid).await,
            TransactionStatement::CommitPrepared(gid) => self.commit_prepared(gid).await,
            TransactionStatement::RollbackPrepared(gid) => self.rollback_prepared(gid).await,
            TransactionStatement::Savepoint(name) => {
                self.require_block("SAVEPOINT")?;
                let marks = self.surroundings.mark();
                self.ensure_transaction()?.savepoint(name.clone(), marks);
                Ok(CommandTag::Other("SAVEPOINT"))
            }
            TransactionStatement::Release(name) => {
                self.require_block("RELEASE SAVEPOINT")?;
                let open = self.ensure_transaction()?;
                open.release(name)?;
                let characteristics = open.characteristics;
                self.surroundings.characteristics.set(Some(characteristics));
                self.portals_join_level();
                Ok(CommandTag::Other("RELEASE"))
            }
            TransactionStatement::RollbackTo(name) => self.rollback_to_statement(name),
            TransactionStatement::SetConstraints { names, deferred } => {
                self.set_constraints(names.as_deref(), *deferred).await
            }
            TransactionStatement::SetTransaction(modes) => {
                if matches!(self.block, Block::Idle | Block::Implicit) && !self.is_one_of_several {
                    self.warn(NO_ACTIVE_SQL_TRANSACTION, "SET TRANSACTION can only be used in transaction blocks");
                }
                self.set_modes(*modes)?;
                Ok(CommandTag::Other("SET"))
            }
            TransactionStatement::SetSessionCharacteristics(modes) => {
                // What is set lasts when the statement's transaction commits.
                self.ensure_transaction()?;
                self.set_session_characteristics(*modes)?;
                Ok(CommandTag::Other("SET"))
            }
        }
    }

    fn begin_block(&mut self, modes: TransactionModes) -> SqlResult<()> {
        if self.block == Block::Open {
            self.warn(ACTIVE_SQL_TRANSACTION, "there is already a transaction in progress");
        }
        // Modes that are refused begin no block; in a block that is open already they fail it.
        self.set_modes(modes)?;
        self.block = Block::Open;
        Ok(())
    }

    async fn commit_statement(&mut self, chain: bool) -> SqlResult<CommandTag> {
        let characteristics = self.surroundings.characteristics.get();
        let tag = match self.block {
            Block::Failed => {
                self.roll_back()?;
                "ROLLBACK"
            }
            Block::Open => {
                self.commit().await?;
                "COMMIT"
            }
            Block::Idle | Block::Implicit => {
                self.warn_outside_block(chain, "COMMIT AND CHAIN")?;
                self.commit().await?;
                "COMMIT"
            }
        };
        self.chain(chain, characteristics)?;
        Ok(CommandTag::Other(tag))
    }

    async fn rollback_statement(&mut self, chain: bool) -> SqlResult<CommandTag> {
        let characteristics = self.surroundings.characteristics.get();
        if matches!(self.block, Block::Idle | Block::Implicit) {
            self.warn_outside_block(chain, "ROLLBACK AND CHAIN")?;
        }
        self.roll_back()?;
        self.chain(chain, characteristics)?;
        Ok(CommandTag::Other("ROLLBACK"))
    }

    fn warn_outside_block(&mut self, chain: bool, command: &str) -> SqlResult<()> {
        if chain {
            return self.require_block(command);
        }
        self.warn(NO_ACTIVE_SQL_TRANSACTION, "there is no transaction in progress");
        Ok(())
    }

    /// Begins the next block of AND CHAIN, with the characteristics of the one before.
    fn chain(&mut self, chain: bool, characteristics: Option<Characteristics>) -> SqlResult<()> {
        if chain {
            let characteristics = characteristics.unwrap_or_else(|| self.surroundings.default_characteristics());
            self.begin(characteristics)?;
            self.block = Block::Open;
        }
        Ok(())
    }

    fn rollback_to_statement(&mut self, name: &str) -> SqlResult<CommandTag> {
        if self.block != Block::Failed {
            self.require_block("ROLLBACK TO SAVEPOINT")?;
        }
        let Some(open) = &mut self.open else {
            // The block failed before its first savepoint: there is nothing to go back to.
            return Err(SqlError::new(
                nqdb_sqlstate::INVALID_SAVEPOINT_SPECIFICATION,
                format!("savepoint \"{name}\" does not exist"),
            ));
        };
        let marks = open.rollback_to(name)?;
        let level = open.savepoints.len();
        self.surroundings.characteristics.set(Some(open.characteristics));
        self.surroundings.rollback_to(marks);
        self.portals.retain(|_, portal| portal.level < level);
        self.block = Block::Open;
        Ok(CommandTag::Other("ROLLBACK"))
    }

    pub(crate) fn require_block(&self, command: &str) -> SqlResult<()> {
        if self.block == Block::Open {
            return Ok(());
        }
        Err(SqlError::new(NO_ACTIVE_SQL_TRANSACTION, format!("{command} can only be used in transaction blocks")))
    }

    /// As [`Session::require_block`], for what a query string of several statements may hold too.
    pub(crate) fn require_block_around(&self, command: &str) -> SqlResult<()> {
        if self.is_one_of_several { Ok(()) } else { self.require_block(command) }
    }

    /// BEGIN's and SET TRANSACTION's modes, for the transaction at hand.
    pub(crate) fn set_modes(&mut self, modes: TransactionModes) -> SqlResult<()> {
        let open = self.ensure_transaction()?;
        let too_late = |what: &str| Err(SqlError::new(ACTIVE_SQL_TRANSACTION, what.to_owned()));
        let mut wanted = open.characteristics;
        if let Some(isolation) = modes.isolation
            && isolation != wanted.isolation
        {
            if open.has_queried {
                return too_late("SET TRANSACTION ISOLATION LEVEL must be called before any query");
            }
            if !open.savepoints.is_empty() {
                return too_late("SET TRANSACTION ISOLATION LEVEL must not be called in a subtransaction");
            }
            wanted.isolation = isolation;
        }
        if let Some(read_only) = modes.read_only {
            if !read_only && wanted.read_only {
                if !open.savepoints.is_empty() {
                    return too_late("cannot set transaction read-write mode inside a read-only transaction");
                }
                if open.has_queried {
                    return too_late("transaction read-write mode must be set before any query");
                }
            }
            wanted.read_only = read_only;
        }
        if let Some(deferrable) = modes.deferrable {
            if !open.savepoints.is_empty() {
                return too_late("SET TRANSACTION [NOT] DEFERRABLE cannot be called within a subtransaction");
            }
            if open.has_queried {
                return too_late("SET TRANSACTION [NOT] DEFERRABLE must be called before any query");
            }
            wanted.deferrable = deferrable;
        }
        let isolation = wanted.isolation();
        if isolation != open.txn.isolation() {
            open.txn.set_isolation(isolation);
        }
        open.txn.set_read_only(wanted.read_only);
        open.txn.set_deferrable(wanted.deferrable);
        open.characteristics = wanted;
        self.surroundings.characteristics.set(Some(wanted));
        Ok(())
    }

    fn set_session_characteristics(&mut self, modes: TransactionModes) -> SqlResult<()> {
        let authority = self.surroundings.authority();
        let mut settings = self.surroundings.settings.borrow_mut();
        let on_off = |on: bool| if on { "on" } else { "off" };
        if let Some(isolation) = modes.isolation {
            settings.set_text("default_transaction_isolation", isolation.name(), false, authority)?;
        }
        if let Some(read_only) = modes.read_only {
            settings.set_text("default_transaction_read_only", on_off(read_only), false, authority)?;
        }
        if let Some(deferrable) = modes.deferrable {
            settings.set_text("default_transaction_deferrable", on_off(deferrable), false, authority)?;
        }
        Ok(())
    }

    /// Commits, and waits until the commit is on disk. Whatever comes out, no transaction is left.
    pub(crate) async fn commit(&mut self) -> SqlResult<()> {
        if let Err(error) = self.fire_deferred(Selection::All).await {
            self.roll_back()?;
            return Err(error);
        }
        if let Err(error) = self.hold_cursors().await {
            self.roll_back()?;
            return Err(error);
        }
        if self.has_on_commit
            && let Err(error) = self.apply_on_commit().await
        {
            self.roll_back()?;
            return Err(error);
        }
        let told = self.prepare_publication().await;
        let channels: Vec<Arc<str>> = told.iter().flat_map(|told| &told.streams).map(|it| it.channel.clone()).collect();
        let publication = told.and_then(|told| self.surroundings.notifications.borrow_mut().take_publication(told));
        let publication = match publication {
            Ok(publication) => publication,
            Err(error) => {
                self.roll_back()?;
                return Err(error);
            }
        };
        self.block = Block::Idle;
        self.surroundings.characteristics.set(None);
        let Some(open) = self.open.take() else { return Ok(()) };
        let publishes = publication.is_some();
        let written = open.txn.written_relations();
        let committed = open.txn.commit_and_publish(publication);
        self.surroundings.advisory.borrow_mut().rollback_to(0);
        self.surroundings.constraints.borrow_mut().end();
        let commit = match committed {
            Ok(commit) => commit,
            Err(error) => {
                self.surroundings.settings.borrow_mut().rollback();
                return Err(error.into());
            }
        };
        self.surroundings.end_settings(true);
        if let Some(lsn) = commit.durable_lsn {
            // After this point a cancel comes too late: the commit may already be on disk.
            self.durable(lsn).await?;
        }
        if publishes {
            self.surroundings.instance.system.publish_synced();
            self.trim_channels(&channels);
        }
        self.surroundings.instance.live.touched(&written);
        Ok(())
    }

    /// Ends a request: commits the implicit transaction, and waits for the commits that its answers owe to. Their records lie
    /// before its own in the log, so that one wait is for all of them.
    pub(crate) async fn end_request(&mut self) -> SqlResult<()> {
        if self.block != Block::Implicit {
            return self.settle_dependencies().await;
        }
        self.adopt_effects();
        let owed = self.open.as_ref().and_then(|open| open.txn.depends_on());
        let ended = self.commit().await;
        match owed {
            // What was answered before it failed goes out all the same.
            Some(lsn) if ended.is_err() => self.durable(lsn).await.and(ended),
            _ => ended,
        }
    }

    /// Rolls back. Whatever comes out, no transaction is left.
    pub(crate) fn roll_back(&mut self) -> SqlResult<()> {
        self.end_portals();
        self.block = Block::Idle;
        self.surroundings.characteristics.set(None);
        self.surroundings.notifications.borrow_mut().roll_back();
        self.surroundings.end_settings(false);
        let rolled_back = match self.open.take() {
            Some(open) => open.txn.rollback(),
            None => Ok(()),
        };
        self.surroundings.advisory.borrow_mut().rollback_to(0);
        self.surroundings.constraints.borrow_mut().end();
        Ok(rolled_back?)
    }

    /// What an error does to the transaction.
    pub(crate) fn abort(&mut self) -> SqlResult<()> {
        self.surroundings.publication_changes.borrow_mut().clear();
        match self.block {
            Block::Idle | Block::Failed => Ok(()),
            Block::Implicit => self.roll_back(),
            Block::Open => self.fail_block(),
        }
    }

    /// A block keeps what stood at its newest savepoint, for ROLLBACK TO, and gives back everything else at once.
    fn fail_block(&mut self) -> SqlResult<()> {
        let undone = match &mut self.open {
            Some(open) => {
                open.undo_to_newest_savepoint().map(|result| result.map(|mark| (mark, open.savepoints.len())))
            }
            None => None,
        };
        match undone {
            Some(Ok((mark, level))) => {
                self.surroundings.rollback_to(mark);
                self.portals.retain(|_, portal| portal.level < level);
                self.block = Block::Failed;
                Ok(())
            }
            Some(Err(error)) => {
                let ended = self.roll_back();
                self.block = Block::Failed;
                ended.and(Err(error))
            }
            None => {
                let characteristics = self.surroundings.characteristics.get();
                let ended = self.roll_back();
                self.surroundings.characteristics.set(characteristics);
                self.block = Block::Failed;
                ended
            }
        }
    }

    /// Waits for the commits that an answer or an error is owed to.
    pub(crate) async fn settle_dependencies(&mut self) -> SqlResult<()> {
        self.adopt_effects();
        match self.open.as_ref().and_then(|open| open.txn.depends_on()) {
            Some(lsn) => self.durable(lsn).await,
            None => Ok(()),
        }
    }

    /// Waits until the log is on disk up to a position.
    pub(crate) fn durable(&self, lsn: Lsn) -> impl Future<Output = SqlResult<()>> + Send + use<> {
        let durable = self.surroundings.instance.system.durable(lsn);
        async move { durable.await.map_err(|error| SqlError::from(error).fatal()) }
    }

    /// Tells the transaction what functions of a statement have done on its behalf: its end waits for what sequences wrote,
    /// its next snapshot for the commits of those who held the advisory locks before.
    pub(crate) fn adopt_effects(&mut self) {
        let written = self.surroundings.take_dependency();
        let granted = self.surroundings.advisory.borrow_mut().take_granted();
        let Some(open) = &self.open else { return };
        if let Some(lsn) = written {
            open.txn.add_end_dependency(lsn);
        }
        if granted {
            open.txn.depend_on_all_commits();
        }
    }

    /// Makes a call on the transaction, waiting for others as often as it asks for it.
    pub(crate) async fn with_waits<T>(
        &mut self,
        mut call: impl FnMut(&mut Transaction) -> Result<T, TxnError>,
    ) -> SqlResult<T> {
        loop {
            let open = self.ensure_transaction()?;
            match call(&mut open.txn) {
                Ok(value) => return Ok(value),
                Err(TxnError::Wait(wait)) => self.wait(wait).await?,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Waits for another transaction or the log; cancel, timeouts and deadlocks end the wait with their errors.
    pub(crate) async fn wait(&mut self, wait: Wait) -> SqlResult<()> {
        let (deadlock_timeout, lock_timeout) = {
            let settings = self.surroundings.settings.borrow();
            (settings.effective().deadlock_timeout, settings.effective().lock_timeout)
        };
        let Some(open) = &mut self.open else {
            return Err(SqlError::internal("nothing can be waited for without a transaction"));
        };
        let wait = wait.queued(&open.txn);
        let event = match &wait {
            Wait::Relation(_) => ("Lock", "relation"),
            Wait::Txn(_) => ("Lock", "transactionid"),
            Wait::Turn(_) => ("Lock", "tuple"),
            Wait::Log(_) => ("IO", "WALSync"),
            Wait::SafeSnapshot(_) => ("IPC", "SafeSnapshot"),
        };
        let transaction = open.txn.xid().map(|xid| xid.0);
        let backend = self.surroundings.backend.clone();
        backend.update_activity(|activity| (activity.wait, activity.transaction) = (Some(event), transaction));
        let waited = wait.wait(&mut open.txn, deadlock_timeout, lock_timeout);
        let waited = self.surroundings.interruptible(waited).await;
        backend.update_activity(|activity| activity.wait = None);
        let waited = waited?;
        if let Err(error) = &waited {
            self.surroundings.report_deadlock(error);
        }
        Ok(waited?)
    }

    /// RELEASE: portals of the released parts belong to what surrounds them now.
    fn portals_join_level(&mut self) {
        let level = self.savepoint_level();
        for portal in self.portals.values_mut() {
            portal.level = portal.level.min(level);
        }
    }

    /// How many savepoints surround what happens now.
    pub(crate) fn savepoint_level(&self) -> usize {
        self.open.as_ref().map_or(0, |open| open.savepoints.len())
    }
}
