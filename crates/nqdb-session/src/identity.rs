//! Who a session is: the role that logged in, the role of SET SESSION AUTHORIZATION, the role of SET ROLE.
//!
//! 1. The settings `session_authorization` and `role` hold the names, so that a rollback takes SET ROLE back like any SET;
//!    the numbers are looked up when a text has changed, and stay when a role gets another name.
//! 2. The current role is that of SET ROLE, or the session's where that is `none`.
//! 3. A role that was dropped meanwhile has no privileges: nothing inherits from it, nobody grants to it.

use nqdb_catalog::Snapshot;
use nqdb_sqlstate::{INSUFFICIENT_PRIVILEGE, INVALID_PARAMETER_VALUE, SqlError, SqlResult};

use crate::settings::{Authority, Settings};
use crate::surroundings::Surroundings;

/// What the settings say of the session's roles.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    /// Who logged in.
    authenticated: u32,
    session_role: u32,
    current_role: u32,
    /// The texts that the numbers were looked up for.
    session_text: String,
    role_text: String,
    /// [`Settings::generation`] of the last look at the texts.
    generation: u64,
}

impl Identity {
    /// The identity of a session that begins.
    pub(crate) fn new(role: u32, name: &str) -> Identity {
        Identity {
            authenticated: role,
            session_role: role,
            current_role: role,
            session_text: name.to_owned(),
            role_text: NONE.to_owned(),
            generation: 0,
        }
    }
}

/// SET ROLE NONE.
const NONE: &str = "none";

/// Whether a setting says who the session is.
pub(crate) fn is_of_identity(name: &str) -> bool {
    ["role", "session_authorization"].iter().any(|own| own.eq_ignore_ascii_case(name))
}

impl Surroundings {
    /// The role whose privileges count.
    pub fn current_role(&self) -> u32 {
        self.refresh_identity();
        self.identity.borrow().current_role
    }

    /// The role that SET ROLE NONE goes back to.
    pub fn session_role(&self) -> u32 {
        self.refresh_identity();
        self.identity.borrow().session_role
    }

    /// Whether the current role is a superuser now.
    pub fn is_superuser(&self) -> bool {
        let role = self.current_role();
        self.database.committed().is_superuser(role) || self.catalog.borrow().is_superuser(role)
    }

    /// The name of a role, empty when it was dropped.
    pub fn name_of_role(&self, role: u32) -> String {
        let here = self.catalog.borrow().role_by_oid(role).map(|role| role.name.clone());
        let found = here.or_else(|| self.database.committed().role_by_oid(role).map(|role| role.name.clone()));
        found.unwrap_or_default()
    }

    /// Looks the names up again that the settings have changed.
    fn refresh_identity(&self) {
        let (session_text, role_text, generation) = {
            let settings = self.settings.borrow();
            if settings.generation() == self.identity.borrow().generation {
                return;
            }
            let text = |name: &str| settings.show(name).unwrap_or_default();
            (text("session_authorization"), text("role"), settings.generation())
        };
        let mut identity = self.identity.borrow_mut();
        identity.generation = generation;
        if identity.session_text == session_text && identity.role_text == role_text {
            return;
        }
        let catalog = self.catalog.borrow();
        let number = |name: &str| catalog.role(name).map(|role| role.oid);
        if identity.session_text != session_text {
            identity.session_role = number(&session_text).unwrap_or(identity.authenticated);
        }
        identity.current_role = match role_text.as_str() {
            NONE => identity.session_role,
            name if name == identity.role_text => identity.current_role,
            name => number(name).unwrap_or(identity.session_role),
        };
        identity.session_text = session_text;
        identity.role_text = role_text;
    }

    /// Whether the session may become somebody else: 22023 for a role that does not exist, 42501 for one that it may not be.
    fn expect_may_be(&self, setting: &str, name: &str) -> SqlResult<()> {
        let catalog = self.catalog.borrow();
        let of_role = setting.eq_ignore_ascii_case("role");
        if of_role && name == NONE {
            return Ok(());
        }
        let Some(role) = catalog.role(name) else {
            return Err(SqlError::new(INVALID_PARAMETER_VALUE, format!("role \"{name}\" does not exist")));
        };
        if of_role {
            let message = format!("permission denied to set role \"{name}\"");
            let may = catalog.is_member(self.session_role(), role.oid);
            return if may { Ok(()) } else { Err(SqlError::new(INSUFFICIENT_PRIVILEGE, message)) };
        }
        let authenticated = self.identity.borrow().authenticated;
        if role.oid == authenticated || catalog.is_superuser(authenticated) {
            return Ok(());
        }
        Err(SqlError::new(INSUFFICIENT_PRIVILEGE, "permission denied to set session authorization"))
    }

    /// SET ROLE and SET SESSION AUTHORIZATION; none goes back to who logged in. The latter ends the former.
    pub(crate) fn set_identity(&self, name: &str, value: Option<&str>, local: bool) -> SqlResult<()> {
        if let Some(value) = value {
            self.expect_may_be(name, value)?;
        }
        {
            let mut settings = self.settings.borrow_mut();
            match value {
                Some(value) => settings.set_text(name, value, local, Authority::Server)?,
                None => settings.reset(name, local, Authority::Server)?,
            }
            if !name.eq_ignore_ascii_case("role") {
                settings.set_text("role", NONE, local, Authority::Server)?;
            }
        }
        self.tell_superuser();
        Ok(())
    }

    /// Keeps the fact `is_superuser` true, which clients are told of.
    pub(crate) fn tell_superuser(&self) {
        let on = if self.is_superuser() { "on" } else { "off" };
        let mut settings = self.settings.borrow_mut();
        if settings.show("is_superuser").is_ok_and(|shown| shown != on) {
            // A fact of the table takes both words.
            settings.state("is_superuser", on).ok();
        }
    }
}

/// Lays what ALTER ROLE and ALTER DATABASE have set under what the client asks for: the narrower a scope, the later.
pub(crate) fn apply_role_settings(settings: &mut Settings, catalog: &Snapshot, database: u32, role: u32) {
    for (database, role) in [(0, 0), (database, 0), (0, role), (database, role)] {
        let Some(found) = catalog.settings_of(database, role) else { continue };
        for (name, value) in &found.settings {
            if let Err(error) = settings.preset(name, value, Authority::Superuser) {
                tracing::warn!(setting = %name, %error, "a stored setting of a role is not valid any more");
            }
        }
    }
}
