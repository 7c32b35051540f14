//! Letting clients in that speak another protocol than PostgreSQL's: who they are, and where they may go.
//!
//! The rules are those of the wire: a role with a password proves it from everywhere; one without is trusted on this machine
//! and refused from others. Nobody learns from the error, or from the time that it takes, whether a role exists.

use std::sync::Arc;

use nqdb_catalog::rights::{Rights, SecuredKind};
use nqdb_catalog::{RoleDef, ScramVerifier, Snapshot};
use nqdb_pubsub::Guard;
use nqdb_sqlstate::{
    INSUFFICIENT_PRIVILEGE, INVALID_AUTHORIZATION_SPECIFICATION, INVALID_CATALOG_NAME, INVALID_PASSWORD, SqlError,
    SqlResult,
};
use ring::digest;

use crate::instance::Instance;
use crate::table_changes::{expect_may_follow, follow_guard};

/// Rounds of PBKDF2 for roles that do not exist: those of new passwords.
const MOCK_ITERATIONS: std::num::NonZeroU32 = std::num::NonZeroU32::new(4096).expect("not zero");

/// A client that was let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admission {
    pub role: u32,
    pub role_name: Arc<str>,
    pub database: u32,
}

/// The role's verifier, unless the password is no longer valid or cannot be read.
pub fn valid_verifier(role: &RoleDef, now_micros: i64) -> Option<ScramVerifier> {
    if role.valid_until.is_some_and(|until| until < now_micros) {
        return None;
    }
    ScramVerifier::parse(role.password.as_deref()?)
}

impl Instance {
    /// Lets a client in that says its name and its password, or, where `is_trusted` says that it is on this machine, none.
    /// Takes the time of thousands of hashes.
    ///
    /// Errors: 28P01 for what is not so, and as [`Instance::admit`].
    pub fn admit_with_password(
        &self,
        user: &str,
        password: Option<&str>,
        database: &str,
        is_trusted: bool,
    ) -> SqlResult<Admission> {
        let role = self.cluster.shared_objects().role(user).cloned();
        let has_password = role.as_ref().is_some_and(|role| role.password.is_some());
        if !is_trusted || has_password {
            self.expect_password(user, role.as_deref(), password.unwrap_or_default())?;
        }
        self.admit(user, database)
    }

    fn expect_password(&self, user: &str, role: Option<&RoleDef>, password: &str) -> SqlResult<()> {
        let verifier = role.and_then(|role| valid_verifier(role, self.now_micros()));
        let (salt, iterations) = match &verifier {
            Some(verifier) => (verifier.salt.clone(), verifier.iterations),
            None => (self.mock_secret().to_vec(), MOCK_ITERATIONS),
        };
        let given = ScramVerifier::with_salt(password, salt, iterations);
        let hash = |key: &[u8]| digest::digest(&digest::SHA256, key);
        // Hashes of secrets: how far they agree tells nothing.
        let is_right =
            verifier.is_some_and(|verifier| hash(&verifier.stored_key).as_ref() == hash(&given.stored_key).as_ref());
        if is_right {
            return Ok(());
        }
        Err(SqlError::new(INVALID_PASSWORD, format!("password authentication failed for user \"{user}\"")))
    }

    /// Lets a client in that has proved in another way which role it has.
    ///
    /// Errors: 28000 (no such role, or it may not log in), 3D000 (no such database), 55000 (it takes no sessions), 42501 (no
    /// CONNECT privilege).
    pub fn admit(&self, user: &str, database: &str) -> SqlResult<Admission> {
        let shared = self.cluster.shared_objects();
        let refused = |message: String| SqlError::new(INVALID_AUTHORIZATION_SPECIFICATION, message);
        let role = shared.role(user).ok_or_else(|| refused(format!("role \"{user}\" does not exist")))?;
        if !role.can_login {
            return Err(refused(format!("role \"{user}\" is not permitted to log in")));
        }
        let missing = || SqlError::new(INVALID_CATALOG_NAME, format!("database \"{database}\" does not exist"));
        let found = shared.database_named(database).ok_or_else(missing)?;
        crate::database::expect_admitting(found)?;
        expect_connect(&shared, found.oid, database, role)?;
        Ok(Admission { role: role.oid, role_name: role.name.as_str().into(), database: found.oid })
    }

    /// Whether a role is another, or a member of it.
    pub fn is_member(&self, role: u32, of: &str) -> bool {
        let shared = self.cluster.shared_objects();
        shared.role(of).is_some_and(|of| shared.is_member(role, of.oid))
    }

    /// Whether a role may follow what goes to a channel of its database. The errors are those of a missing table, and 42501.
    pub fn expect_may_follow(&self, who: &Admission, channel: &str) -> SqlResult<()> {
        let gone = || SqlError::new(INVALID_CATALOG_NAME, format!("database {} does not exist", who.database));
        let catalog = self.cluster.catalog(who.database).ok_or_else(gone)?;
        expect_may_follow(&catalog.committed(), who.role, channel)
    }

    /// What ends a subscription once its role may not follow the channel any more.
    pub fn follow_guard(&self, who: &Admission, channel: &str) -> Option<Guard> {
        follow_guard(self.cluster.catalog(who.database)?, who.role, channel)
    }
}

/// 42501 without the CONNECT privilege.
pub(crate) fn expect_connect(catalog: &Snapshot, oid: u32, name: &str, role: &RoleDef) -> SqlResult<()> {
    let secured = nqdb_sql::system::secured(catalog, SecuredKind::Database, oid);
    if secured.is_some_and(|secured| !catalog.may(role.oid, &secured, Rights::CONNECT)) {
        let message = format!("permission denied for database \"{name}\"");
        return Err(SqlError::new(INSUFFICIENT_PRIVILEGE, message).with_detail("User does not have CONNECT privilege."));
    }
    Ok(())
}
