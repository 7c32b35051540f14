//! Foreign keys, and when constraints are checked.
//!
//! 1. A foreign key is part of the table whose rows refer to others; the table that they refer to has it too, in
//!    [`crate::TableDef::referenced_by`], so that who changes rows knows without a look at other tables.
//! 2. Columns are named by number: renaming changes nothing that is stored.

use nqdb_types::Oid;
use serde::{Deserialize, Serialize};

use crate::settings::{is_default, is_false, is_true, yes};

/// FOREIGN KEY (columns) REFERENCES referenced (referenced_columns).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForeignKeyDef {
    pub oid: Oid,
    pub name: String,
    /// The table whose rows refer.
    pub table: Oid,
    /// Attribute numbers.
    pub columns: Vec<i16>,
    pub referenced: Oid,
    /// Attribute numbers in `referenced`, in the order of `columns`.
    pub referenced_columns: Vec<i16>,
    /// The unique index of `referenced` over these columns.
    pub index: Oid,
    /// MATCH FULL.
    #[serde(default, skip_serializing_if = "is_false")]
    pub match_full: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    pub on_delete: ReferentialAction,
    #[serde(default, skip_serializing_if = "is_default")]
    pub on_update: ReferentialAction,
    /// The columns that ON DELETE SET NULL or SET DEFAULT names; all when it is empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub delete_columns: Vec<i16>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub deferral: Deferral,
    /// False while rows that were there before it may not meet it (NOT VALID).
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub validated: bool,
}

impl ForeignKeyDef {
    /// Whether the rows that refer are in the table that they refer to.
    pub fn is_self_reference(&self) -> bool {
        self.table == self.referenced
    }
}

/// What becomes of the rows that refer to one that goes, or whose key changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReferentialAction {
    /// An error, once the statement, or the transaction, is over.
    #[default]
    NoAction,
    /// An error, which cannot be deferred.
    Restrict,
    Cascade,
    SetNull,
    SetDefault,
}

impl ReferentialAction {
    /// As in `pg_constraint`.
    pub fn letter(self) -> char {
        match self {
            ReferentialAction::NoAction => 'a',
            ReferentialAction::Restrict => 'r',
            ReferentialAction::Cascade => 'c',
            ReferentialAction::SetNull => 'n',
            ReferentialAction::SetDefault => 'd',
        }
    }

    /// As in SQL.
    pub fn words(self) -> &'static str {
        match self {
            ReferentialAction::NoAction => "NO ACTION",
            ReferentialAction::Restrict => "RESTRICT",
            ReferentialAction::Cascade => "CASCADE",
            ReferentialAction::SetNull => "SET NULL",
            ReferentialAction::SetDefault => "SET DEFAULT",
        }
    }

    /// Whether it changes the rows that refer.
    pub fn writes(self) -> bool {
        matches!(self, ReferentialAction::Cascade | ReferentialAction::SetNull | ReferentialAction::SetDefault)
    }
}

/// Whether a constraint may be checked as late as at the end of its transaction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Deferral {
    #[default]
    NotDeferrable,
    /// DEFERRABLE, and checked after each statement unless SET CONSTRAINTS says otherwise.
    Immediate,
    /// DEFERRABLE INITIALLY DEFERRED.
    Deferred,
}

impl Deferral {
    pub fn is_deferrable(self) -> bool {
        self != Deferral::NotDeferrable
    }

    pub fn is_deferred(self) -> bool {
        self == Deferral::Deferred
    }

    /// What a definition says of it; empty for what is so anyway.
    pub fn words(self) -> &'static str {
        match self {
            Deferral::NotDeferrable => "",
            Deferral::Immediate => " DEFERRABLE",
            Deferral::Deferred => " DEFERRABLE INITIALLY DEFERRED",
        }
    }
}
