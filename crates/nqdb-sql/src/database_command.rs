//! Commands about databases as they were written, before any name is looked up (`parse::database`).

use crate::rights_command::RoleSpec;

/// CREATE, ALTER and DROP DATABASE; ALTER DATABASE ... SET is among the commands about roles.
#[derive(Clone, Debug)]
pub enum DatabaseCommand {
    Create {
        name: String,
        options: Vec<DatabaseOption>,
    },
    Drop {
        name: String,
        if_exists: bool,
        /// End the sessions in it first.
        force: bool,
    },
    Alter {
        name: String,
        options: Vec<DatabaseOption>,
    },
    Rename {
        name: String,
        new_name: String,
    },
    SetOwner {
        name: String,
        owner: RoleSpec,
    },
    SetTablespace {
        name: String,
        tablespace: String,
    },
    /// REFRESH COLLATION VERSION.
    RefreshCollation {
        name: String,
    },
}

impl DatabaseCommand {
    /// The words of a command that must not be part of a larger transaction (25001).
    pub(crate) fn alone(&self) -> Option<&'static str> {
        match self {
            DatabaseCommand::Create { .. } => Some("CREATE DATABASE"),
            DatabaseCommand::Drop { .. } => Some("DROP DATABASE"),
            DatabaseCommand::SetTablespace { .. } => Some("ALTER DATABASE SET TABLESPACE"),
            DatabaseCommand::Alter { .. }
            | DatabaseCommand::Rename { .. }
            | DatabaseCommand::SetOwner { .. }
            | DatabaseCommand::RefreshCollation { .. } => None,
        }
    }
}

/// `name [=] value` of CREATE or ALTER DATABASE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseOption {
    /// In lower case; CONNECTION LIMIT is `connection_limit`.
    pub name: String,
    pub value: OptionValue,
    pub position: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OptionValue {
    Default,
    Integer(i64),
    /// A word or a string.
    Text(String),
}
