//! The database that a session is in: how it gets there, and how commands keep sessions away from one.
//!
//! What always holds:
//! 1. A session that is in a database was entered while the database was open ([`Registry::enter_database`]), and is counted
//!    there until it ends.
//! 2. CREATE DATABASE keeps others away from its template, DROP DATABASE and RENAME from their database, from before they
//!    look whether somebody is there until their transaction has ended.
//! 3. Whoever is on the way out has [`LEAVING_LIMIT`] to be gone, as in PostgreSQL.

use std::sync::Arc;
use std::time::Duration;

use nqdb_catalog::{Catalog, DatabaseDef, RoleDef};
use nqdb_sql::database_command::DatabaseCommand;
use nqdb_sql::ddl::{DatabaseClaim, database_claim};
use nqdb_sql::exec::CommandTag;
use nqdb_sql::statement::Parsed;
use nqdb_sqlstate::{
    INVALID_CATALOG_NAME, OBJECT_IN_USE, OBJECT_NOT_IN_PREREQUISITE_STATE, SqlError, SqlResult, TOO_MANY_CONNECTIONS,
};
use tokio::time::{Instant, sleep_until};

use crate::admission::expect_connect;
use crate::instance::Instance;
use crate::registry::Backend;
use crate::session::Session;

/// How long a command waits for other sessions to leave a database.
const LEAVING_LIMIT: Duration = Duration::from_secs(5);

/// Enters a session into the database of a name.
///
/// Errors: 3D000 (no such database), 55000 (it takes no sessions), 42501 (no CONNECT privilege), 53300 (it is full).
pub(crate) async fn enter(
    instance: &Arc<Instance>,
    backend: &Arc<Backend>,
    name: &str,
    role: &RoleDef,
) -> SqlResult<Arc<Catalog>> {
    let missing = || SqlError::new(INVALID_CATALOG_NAME, format!("database \"{name}\" does not exist"));
    let number = |name: &str| instance.cluster.shared_objects().database_named(name).map(|database| database.oid);
    let oid = number(name).ok_or_else(missing)?;
    instance.registry.enter_database(backend, oid).await?;
    let gone = || missing().with_detail("It seems to have just been dropped or renamed.");
    let catalog = instance.cluster.catalog(oid).filter(|_| number(name) == Some(oid)).ok_or_else(gone)?;
    let committed = catalog.committed();
    let database = committed.database_by_oid(oid).ok_or_else(gone)?;
    expect_admitting(database)?;
    expect_connect(&committed, oid, name, role)?;
    expect_room(instance, database, role)?;
    Ok(catalog)
}

pub(crate) fn expect_admitting(database: &DatabaseDef) -> SqlResult<()> {
    if database.allow_connections {
        return Ok(());
    }
    let message = format!("database \"{}\" is not currently accepting connections", database.name);
    Err(SqlError::new(OBJECT_NOT_IN_PREREQUISITE_STATE, message))
}

/// The session that asks is counted already.
fn expect_room(instance: &Instance, database: &DatabaseDef, role: &RoleDef) -> SqlResult<()> {
    let limit = usize::try_from(database.connection_limit).ok();
    if limit.is_some_and(|limit| !role.superuser && instance.registry.count_in_database(database.oid) > limit) {
        let message = format!("too many connections for database \"{}\"", database.name);
        return Err(SqlError::new(TOO_MANY_CONNECTIONS, message));
    }
    Ok(())
}

impl Session {
    /// Runs a command about databases.
    pub(crate) async fn run_database_command(
        &mut self,
        parsed: &Parsed,
        command: &DatabaseCommand,
    ) -> SqlResult<CommandTag> {
        self.expect_writable(parsed)?;
        let catalog = self.catalog_view();
        if let Some(claim) = database_claim(command, &catalog, self.surroundings.current_role())? {
            self.keep_others_away(claim).await?;
        }
        self.run_definition(parsed).await
    }

    /// Keeps other sessions away from a database until the transaction ends; 55006 when somebody stays in it.
    async fn keep_others_away(&mut self, claim: DatabaseClaim) -> SqlResult<()> {
        let instance = self.surroundings.instance.clone();
        let closed = instance.registry.close_database(claim.database);
        self.ensure_transaction()?.closed_databases.push(closed);
        if claim.force {
            self.terminate_others(claim.database)?;
        }
        let limit = Instant::now() + LEAVING_LIMIT;
        let pid = self.backend().pid();
        loop {
            let left = instance.registry.departure();
            let count = instance.registry.others_in_database(claim.database, pid).len();
            let prepared = self.count_prepared(claim.database);
            if count + prepared == 0 {
                break;
            }
            if Instant::now() >= limit {
                return Err(claim.busy.with_detail(users_of_database(count, prepared)));
            }
            let wait = async {
                tokio::select! {
                    () = left => {}
                    () = sleep_until(limit) => {}
                }
            };
            self.surroundings.interruptible(wait).await?;
        }
        // A copy is made of what is synced.
        let end = instance.system.engine().log_end();
        self.durable(end).await
    }

    fn count_prepared(&self, database: u32) -> usize {
        let prepared = self.surroundings.instance.system.prepared_transactions();
        prepared.iter().filter(|facts| facts.label.database == database).count()
    }

    /// DROP DATABASE ... WITH (FORCE). Errors: 55006 when transactions are prepared there; 42501 when there is a session
    /// that the role may not end; then none is.
    fn terminate_others(&self, database: u32) -> SqlResult<()> {
        let prepared = self.count_prepared(database);
        if prepared > 0 {
            let catalog = self.surroundings.instance.cluster.shared_objects();
            let name = catalog.database_by_oid(database).map(|found| found.name.clone()).unwrap_or_default();
            let message = format!("database \"{name}\" is being used by prepared transactions");
            return Err(SqlError::new(OBJECT_IN_USE, message).with_detail(users_of_database(0, prepared)));
        }
        let others = self.surroundings.instance.registry.others_in_database(database, self.backend().pid());
        let mut allowed = Vec::with_capacity(others.len());
        for other in others {
            allowed.extend(self.surroundings.signal(other.pid(), "terminate")?);
        }
        allowed.iter().for_each(|backend| backend.terminate());
        Ok(())
    }
}

/// Who is in a database besides the session that asks.
fn users_of_database(sessions: usize, prepared: usize) -> String {
    match (sessions, prepared) {
        (0, 1) => "There is 1 prepared transaction using the database.".to_owned(),
        (0, count) => format!("There are {count} prepared transactions using the database."),
        (1, 0) => "There is 1 other session using the database.".to_owned(),
        (count, 0) => format!("There are {count} other sessions using the database."),
        (sessions, prepared) => {
            format!("There are {sessions} other session(s) and {prepared} prepared transaction(s) using the database.")
        }
    }
}
