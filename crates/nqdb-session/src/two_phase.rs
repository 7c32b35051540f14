//! PREPARE TRANSACTION, COMMIT PREPARED and ROLLBACK PREPARED.
//!
//! PREPARE takes the transaction away from its session, with all that a commit would do before its record: deferred
//! constraints are checked, settings stay set. What only the session itself could finish is refused: temporary objects,
//! LISTEN and NOTIFY, cursors WITH HOLD. Who follows a changed table is told at COMMIT PREPARED. What a durable channel
//! keeps is written by the session that says it: changes for one are refused too.

use nqdb_sql::exec::CommandTag;
use nqdb_sql::integrity::Selection;
use nqdb_sqlstate::{
    FEATURE_NOT_SUPPORTED, INSUFFICIENT_PRIVILEGE, INVALID_PARAMETER_VALUE, NO_ACTIVE_SQL_TRANSACTION, SqlError,
    SqlResult,
};
use nqdb_txn::{AdvisoryKey, PreparedFacts, PreparedLabel, RelationLock, RowChange, Transaction};

use crate::block::Block;
use crate::kept_channels::Told;
use crate::portal::Hold;
use crate::session::Session;

/// The longest identifier, bytes: PostgreSQL's.
const GID_BYTES_MAX: usize = 199;

fn cannot_prepare(what: &str) -> SqlError {
    SqlError::new(FEATURE_NOT_SUPPORTED, format!("cannot PREPARE {what}"))
}

impl Session {
    /// PREPARE TRANSACTION. A block that has failed is rolled back, outside of a block nothing is prepared: the tag says so.
    pub(crate) async fn prepare_transaction(&mut self, gid: &str) -> SqlResult<CommandTag> {
        if self.block == Block::Failed {
            self.roll_back()?;
            return Ok(CommandTag::Other("ROLLBACK"));
        }
        if self.block != Block::Open {
            self.warn(NO_ACTIVE_SQL_TRANSACTION, "there is no transaction in progress");
            if !self.is_one_of_several {
                self.commit().await?;
                return Ok(CommandTag::Other("ROLLBACK"));
            }
            self.ensure_transaction()?;
        }
        match self.finish_for_prepare(gid).await {
            Ok(advisory) => self.hand_transaction_over(gid, advisory).await?,
            Err(error) => {
                self.roll_back()?;
                return Err(error);
            }
        }
        Ok(CommandTag::Other("PREPARE TRANSACTION"))
    }

    /// What a commit does before its record, and what cannot be prepared. Gives the advisory locks to hand over.
    async fn finish_for_prepare(&mut self, gid: &str) -> SqlResult<Vec<(AdvisoryKey, RelationLock)>> {
        self.fire_deferred(Selection::All).await?;
        self.adopt_effects();
        if self.portals.values().any(|portal| portal.scroll.hold == Hold::Wanted) {
            return Err(cannot_prepare("a transaction that has created a cursor WITH HOLD"));
        }
        if self.has_locked_temporary_objects() {
            return Err(cannot_prepare("a transaction that has operated on temporary objects"));
        }
        if let Some(open) = &self.open {
            let written = open.txn.written_relations();
            self.expect_not_kept("PREPARE", &written)?;
        }
        if gid.len() > GID_BYTES_MAX {
            let message = format!("transaction identifier \"{gid}\" is too long");
            return Err(SqlError::new(INVALID_PARAMETER_VALUE, message));
        }
        if self.surroundings.notifications.borrow().has_said_anything() {
            return Err(cannot_prepare("a transaction that has executed LISTEN, UNLISTEN, or NOTIFY"));
        }
        self.surroundings.advisory.borrow().of_transaction().ok_or_else(|| {
            cannot_prepare("while holding both session-level and transaction-level locks on the same object")
        })
    }

    /// 0A000 when changes of one of the tables go to a durable channel.
    fn expect_not_kept(&mut self, action: &str, written: &[u32]) -> SqlResult<()> {
        let catalog = self.catalog_view();
        let published =
            written.iter().filter_map(|table| catalog.table_by_oid(*table)).filter(|it| it.published.is_some());
        match published.into_iter().find(|table| catalog.channel(&table.change_channel()).is_some()) {
            Some(table) => {
                let what = format!("a transaction that has changed table \"{}\", whose channel is durable", table.name);
                Err(SqlError::new(FEATURE_NOT_SUPPORTED, format!("cannot {action} {what}")))
            }
            None => Ok(()),
        }
    }

    fn has_locked_temporary_objects(&mut self) -> bool {
        let catalog = self.catalog_view();
        let schema_of = |oid: u32| catalog.relation_by_oid(oid).map(|relation| relation.schema());
        let is_temporary = |oid: u32| {
            let schema = schema_of(oid).and_then(|schema| catalog.schema_by_oid(schema));
            schema.is_some_and(|schema| schema.is_temporary())
        };
        self.open.as_ref().is_some_and(|open| open.txn.locked_relations().any(is_temporary))
    }

    /// Hands the transaction at hand over; whatever comes out, the session has none left.
    async fn hand_transaction_over(&mut self, gid: &str, advisory: Vec<(AdvisoryKey, RelationLock)>) -> SqlResult<()> {
        self.end_portals();
        let label = PreparedLabel {
            gid: gid.to_owned(),
            database: self.surroundings.database.database(),
            role: self.surroundings.current_role(),
            prepared_micros: self.surroundings.instance.now_micros(),
        };
        let count_max = self.surroundings.instance.prepared_max;
        self.block = Block::Idle;
        self.surroundings.characteristics.set(None);
        let Some(open) = self.open.take() else {
            return Err(SqlError::internal("a transaction that was to be prepared is missing"));
        };
        let prepared = open.txn.prepare_transaction(label, advisory, count_max);
        self.surroundings.constraints.borrow_mut().end();
        self.surroundings.end_settings(prepared.is_ok());
        match prepared {
            Ok(lsn) => {
                self.surroundings.advisory.borrow_mut().forget_transaction();
                // After this point a cancel comes too late: the transaction may already be prepared.
                self.durable(lsn).await
            }
            Err(error) => {
                self.surroundings.advisory.borrow_mut().rollback_to(0);
                Err(error.into())
            }
        }
    }

    /// COMMIT PREPARED.
    pub(crate) async fn commit_prepared(&mut self, gid: &str) -> SqlResult<CommandTag> {
        self.refuse_in_block("COMMIT PREPARED")?;
        let (mut txn, is_recovered) = self.take_prepared(gid)?;
        // The channel may have become durable since.
        self.expect_not_kept("COMMIT", &txn.written_relations())?;
        if is_recovered {
            self.note_lost_changes(&mut txn);
        }
        let changes = txn.take_changes();
        let messages = changes.as_ref().map(|changes| self.tell_changes(changes)).unwrap_or_default();
        let told = Told { table_changes: messages, ..Told::default() };
        let publication = match self.surroundings.notifications.borrow_mut().take_publication(told) {
            Ok(publication) => publication,
            Err(error) => {
                // It stays prepared, with all there is to tell.
                txn.keep_changes(changes);
                return Err(error);
            }
        };
        let publishes = publication.is_some();
        let written = txn.written_relations();
        let commit = txn.commit_and_publish(publication)?;
        if let Some(lsn) = commit.durable_lsn {
            self.durable(lsn).await?;
        }
        if publishes {
            self.surroundings.instance.system.publish_synced();
        }
        self.surroundings.instance.live.touched(&written);
        Ok(CommandTag::Other("COMMIT PREPARED"))
    }

    /// ROLLBACK PREPARED.
    pub(crate) async fn rollback_prepared(&mut self, gid: &str) -> SqlResult<CommandTag> {
        self.refuse_in_block("ROLLBACK PREPARED")?;
        let (txn, _) = self.take_prepared(gid)?;
        let lsn = txn.rollback_prepared()?;
        self.durable(lsn).await?;
        Ok(CommandTag::Other("ROLLBACK PREPARED"))
    }

    /// Takes a prepared transaction that the role may end; also whether it was prepared before the last start.
    fn take_prepared(&mut self, gid: &str) -> SqlResult<(Transaction, bool)> {
        self.catalog_view();
        let (role, is_superuser) = (self.surroundings.current_role(), self.surroundings.is_superuser());
        let database = self.surroundings.database.database();
        let mut is_recovered = false;
        let txn = self.surroundings.instance.system.resume_prepared(gid, |facts| {
            is_recovered = facts.is_recovered;
            expect_may_end(facts, role, is_superuser, database)
        })?;
        Ok((txn, is_recovered))
    }

    /// What was changed before the start is known to nobody: who follows the tables is told that.
    fn note_lost_changes(&mut self, txn: &mut Transaction) {
        let catalog = self.catalog_view();
        for relation in txn.written_relations() {
            if catalog.table_by_oid(relation).is_some_and(|table| table.published.is_some()) {
                txn.note_change_of(relation, RowChange::Lost);
            }
        }
    }
}

fn expect_may_end(facts: &PreparedFacts, role: u32, is_superuser: bool, database: u32) -> SqlResult<()> {
    if facts.label.role != role && !is_superuser {
        return Err(SqlError::new(INSUFFICIENT_PRIVILEGE, "permission denied to finish prepared transaction")
            .with_hint("Must be superuser or the user that prepared the transaction."));
    }
    if facts.label.database != database {
        return Err(SqlError::new(FEATURE_NOT_SUPPORTED, "prepared transaction belongs to another database")
            .with_hint("Connect to the database where the transaction was prepared to finish it."));
    }
    Ok(())
}
