//! Who may do what: privileges, the lists that grant them, and the questions that are asked of them (manual, 5.7).
//!
//! | file | what it holds |
//! |---|---|
//! | `mod` | sets of privileges, items of access lists, and what holds where nothing was granted |
//! | `grant` | what GRANT and REVOKE make of a list |
//! | `granted` | what is stored |
//! | `member` | roles in roles |
//! | `check` | whether a role may do something with an object |
//! | `predefined` | the roles that exist from the start |
//!
//! What always holds:
//! 1. An object without a stored list has the default of its kind ([`SecuredKind::default_list`]): a list is stored from
//!    the first GRANT or REVOKE on.
//! 2. Owners hold the grant options of all privileges, whatever the list says; superusers act as owners.
//! 3. Privileges come from a list to a role itself, to PUBLIC, and to every role whose privileges it inherits.

mod check;
mod grant;
mod granted;
mod member;
mod predefined;

use nqdb_types::Oid;
use serde::{Deserialize, Serialize};

pub use check::ColumnNeeds;
pub use grant::{GrantChange, with_new_owner};
pub(crate) use granted::Granted;
pub use granted::{RightsChange, RoleSettingsDef};
pub use member::MembershipDef;
pub use predefined::*;

/// A set of privileges; the bits stand in the order in which PostgreSQL writes their letters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Rights(u16);

/// Letters and names of the privileges, by bit.
const PRIVILEGES: [(char, &str); 14] = [
    ('a', "INSERT"),
    ('r', "SELECT"),
    ('w', "UPDATE"),
    ('d', "DELETE"),
    ('D', "TRUNCATE"),
    ('x', "REFERENCES"),
    ('t', "TRIGGER"),
    ('X', "EXECUTE"),
    ('U', "USAGE"),
    ('C', "CREATE"),
    ('T', "TEMPORARY"),
    ('c', "CONNECT"),
    ('s', "SET"),
    ('A', "ALTER SYSTEM"),
];

impl Rights {
    pub const NONE: Rights = Rights(0);
    pub const INSERT: Rights = Rights(1);
    pub const SELECT: Rights = Rights(1 << 1);
    pub const UPDATE: Rights = Rights(1 << 2);
    pub const DELETE: Rights = Rights(1 << 3);
    pub const TRUNCATE: Rights = Rights(1 << 4);
    pub const REFERENCES: Rights = Rights(1 << 5);
    pub const TRIGGER: Rights = Rights(1 << 6);
    pub const EXECUTE: Rights = Rights(1 << 7);
    pub const USAGE: Rights = Rights(1 << 8);
    pub const CREATE: Rights = Rights(1 << 9);
    pub const TEMPORARY: Rights = Rights(1 << 10);
    pub const CONNECT: Rights = Rights(1 << 11);
    pub const SET: Rights = Rights(1 << 12);
    pub const ALTER_SYSTEM: Rights = Rights(1 << 13);

    pub const fn with(self, other: Rights) -> Rights {
        Rights(self.0 | other.0)
    }

    pub const fn without(self, other: Rights) -> Rights {
        Rights(self.0 & !other.0)
    }

    pub const fn common(self, other: Rights) -> Rights {
        Rights(self.0 & other.0)
    }

    pub const fn contains(self, other: Rights) -> bool {
        self.0 & other.0 == other.0
    }

    pub const fn intersects(self, other: Rights) -> bool {
        self.0 & other.0 != 0
    }

    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// How many privileges it holds.
    pub const fn count(self) -> u32 {
        self.0.count_ones()
    }

    /// The privilege of a name, in any case; TEMP is TEMPORARY.
    pub fn named(name: &str) -> Option<Rights> {
        let name = if name.eq_ignore_ascii_case("temp") { "temporary" } else { name };
        let bit = PRIVILEGES.iter().position(|(_, known)| known.eq_ignore_ascii_case(name))?;
        Some(Rights(1 << bit))
    }

    /// Each privilege on its own, with its letter and name.
    pub fn each(self) -> impl Iterator<Item = (Rights, char, &'static str)> {
        let one = |(bit, (letter, name)): (usize, (char, &'static str))| (Rights(1 << bit), letter, name);
        PRIVILEGES.into_iter().enumerate().map(one).filter(move |(right, ..)| self.contains(*right))
    }
}

/// Kinds of objects that have access lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SecuredKind {
    /// Tables, views and materialized views.
    Table,
    Column,
    Sequence,
    Database,
    Function,
    Language,
    Schema,
    Type,
    Tablespace,
}

impl SecuredKind {
    /// The number of the system catalog that its objects are in.
    pub fn class(self) -> Oid {
        match self {
            SecuredKind::Table | SecuredKind::Column | SecuredKind::Sequence => 1259,
            SecuredKind::Database => 1262,
            SecuredKind::Function => 1255,
            SecuredKind::Language => 2612,
            SecuredKind::Schema => 2615,
            SecuredKind::Type => 1247,
            SecuredKind::Tablespace => 1213,
        }
    }

    /// What ALL PRIVILEGES means.
    pub fn all_rights(self) -> Rights {
        match self {
            SecuredKind::Table => Rights(0b111_1111),
            SecuredKind::Column => Rights::INSERT.with(Rights::SELECT).with(Rights::UPDATE).with(Rights::REFERENCES),
            SecuredKind::Sequence => Rights::USAGE.with(Rights::SELECT).with(Rights::UPDATE),
            SecuredKind::Database => Rights::CREATE.with(Rights::TEMPORARY).with(Rights::CONNECT),
            SecuredKind::Function => Rights::EXECUTE,
            SecuredKind::Language | SecuredKind::Type => Rights::USAGE,
            SecuredKind::Schema => Rights::USAGE.with(Rights::CREATE),
            SecuredKind::Tablespace => Rights::CREATE,
        }
    }

    /// What everybody may where nothing was granted (manual, 5.7).
    fn public_rights(self) -> Rights {
        match self {
            SecuredKind::Database => Rights::TEMPORARY.with(Rights::CONNECT),
            SecuredKind::Function => Rights::EXECUTE,
            SecuredKind::Language | SecuredKind::Type => Rights::USAGE,
            SecuredKind::Table
            | SecuredKind::Column
            | SecuredKind::Sequence
            | SecuredKind::Schema
            | SecuredKind::Tablespace => Rights::NONE,
        }
    }

    /// The list of an object for which nothing was granted.
    pub fn default_list(self, owner: Oid) -> Vec<AccessItem> {
        let mut items = Vec::new();
        if !self.public_rights().is_empty() {
            items.push(AccessItem::new(PUBLIC, owner, self.public_rights()));
        }
        if self != SecuredKind::Column {
            items.push(AccessItem::new(owner, owner, self.all_rights()));
        }
        items
    }

    /// The letter of `pg_default_acl`, for kinds that ALTER DEFAULT PRIVILEGES knows.
    pub fn default_letter(self) -> char {
        match self {
            SecuredKind::Sequence => 'S',
            SecuredKind::Function => 'f',
            SecuredKind::Type => 'T',
            SecuredKind::Schema => 'n',
            _ => 'r',
        }
    }
}

/// The grantee that is everybody.
pub const PUBLIC: Oid = 0;

/// One item of an access list: what a role was granted by another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessItem {
    /// [`PUBLIC`] for everybody.
    pub grantee: Oid,
    pub grantor: Oid,
    pub rights: Rights,
    /// Those that the grantee may grant on.
    pub grantable: Rights,
}

impl AccessItem {
    /// An item without grant options.
    pub fn new(grantee: Oid, grantor: Oid, rights: Rights) -> AccessItem {
        AccessItem { grantee, grantor, rights, grantable: Rights::NONE }
    }

    /// As PostgreSQL writes it: `grantee=r*w/grantor`, with the names that `role_name` gives.
    pub fn display(&self, role_name: impl Fn(Oid) -> String) -> String {
        let mut text = if self.grantee == PUBLIC { String::new() } else { role_name(self.grantee) };
        text.push('=');
        for (right, letter, _) in self.rights.with(self.grantable).each() {
            text.push(letter);
            if self.grantable.contains(right) {
                text.push('*');
            }
        }
        text.push('/');
        text.push_str(&role_name(self.grantor));
        text
    }
}

/// The stored access list of one object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessListDef {
    pub oid: Oid,
    /// The number of the system catalog that the object is in.
    pub class: Oid,
    pub object: Oid,
    /// The attribute number of a column, 0 for the object itself.
    pub column: i16,
    pub items: Vec<AccessItem>,
}

/// ALTER DEFAULT PRIVILEGES: what is granted on objects that a role will make.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DefaultAccessDef {
    pub oid: Oid,
    pub role: Oid,
    /// 0 for all schemas.
    pub schema: Oid,
    pub kind: SecuredKind,
    pub items: Vec<AccessItem>,
}

/// An object that privileges are about: which one, whose, and what it is called in messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secured {
    pub kind: SecuredKind,
    pub object: Oid,
    pub owner: Oid,
    pub name: String,
}
