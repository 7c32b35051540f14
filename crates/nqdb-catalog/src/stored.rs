//! The stored form of definitions: JSON, one document for each catalog row.
//!
//! JSON keeps old rows readable when a field is added (`#[serde(default)]`), and readable by people when a
//! data directory has to be examined. What is derived (names of schemas, positions) is not stored.

use nqdb_sqlstate::{DATA_CORRUPTED, SqlError, SqlResult};
use nqdb_types::key::KeyColumn;
use nqdb_types::{Datum, Oid, Type, row};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::channel::KeptChannel;
use crate::definition::{CheckDef, ColumnDef, Identity, IndexComputation, KeyOptions, OnCommit};
use crate::foreign_key::{Deferral, ForeignKeyDef};
use crate::published::PublishedChanges;
use crate::settings::{ColumnSettings, IndexSettings, TableSettings, is_default};
use crate::view::Materialized;

/// A table without its indexes, which have rows of their own.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct StoredTable {
    pub owner: Oid,
    pub rows_tree: u64,
    pub overflow_tree: u64,
    pub columns: Vec<StoredColumn>,
    pub checks: Vec<CheckDef>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub foreign_keys: Vec<ForeignKeyDef>,
    #[serde(default)]
    pub on_commit: OnCommit,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub materialized: Option<Materialized>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub settings: TableSettings,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published: Option<PublishedChanges>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<KeptChannel>,
    pub version: u64,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct StoredColumn {
    pub name: String,
    pub type_oid: Oid,
    pub typmod: i32,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub domain: Oid,
    pub not_null: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generated: Option<Vec<i16>>,
    /// The value's storage form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<Vec<u8>>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub settings: ColumnSettings,
    #[serde(default)]
    pub dropped: bool,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct StoredIndex {
    pub table: Oid,
    pub tree: u64,
    pub unique: bool,
    pub primary: bool,
    pub constraint: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    pub deferral: Deferral,
    #[serde(default)]
    pub nulls_not_distinct: bool,
    pub key: Vec<StoredKeyColumn>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub included: Vec<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub computation: Option<IndexComputation>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub settings: IndexSettings,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct StoredKeyColumn {
    pub column: usize,
    pub descending: bool,
    pub nulls_first: bool,
    #[serde(flatten)]
    pub options: KeyOptions,
}

impl StoredColumn {
    pub(crate) fn of(column: &ColumnDef) -> StoredColumn {
        StoredColumn {
            name: column.name.clone(),
            type_oid: column.ty.oid,
            typmod: column.ty.typmod,
            domain: column.ty.domain,
            not_null: column.not_null,
            default: column.default.clone(),
            identity: column.identity,
            generated: column.generated.clone(),
            missing: column.missing.as_ref().map(|value| {
                let mut bytes = Vec::new();
                row::encode_value(&mut bytes, value);
                bytes
            }),
            settings: column.settings.clone(),
            dropped: column.dropped,
        }
    }

    /// The value of rows that are older than the column.
    pub(crate) fn missing_value(&self) -> SqlResult<Option<Datum>> {
        let ty = Type::with_typmod(self.type_oid, self.typmod).as_domain(self.domain);
        let decode = |bytes: &Vec<u8>| row::decode_value(bytes, ty).map_err(|corrupt| damaged(&corrupt));
        self.missing.as_ref().map(decode).transpose()
    }

    pub(crate) fn set_missing(&mut self, value: &Datum) {
        let mut bytes = Vec::new();
        row::encode_value(&mut bytes, value);
        self.missing = Some(bytes);
    }

    pub(crate) fn into_column(self, position: usize) -> SqlResult<ColumnDef> {
        let ty = Type::with_typmod(self.type_oid, self.typmod).as_domain(self.domain);
        let missing = self.missing_value()?;
        Ok(ColumnDef {
            attnum: attribute_number(position),
            name: self.name,
            ty,
            not_null: self.not_null,
            default: self.default,
            identity: self.identity,
            generated: self.generated,
            missing,
            settings: self.settings,
            dropped: self.dropped,
        })
    }
}

/// Whether a number says that there is nothing.
pub(crate) fn is_zero(number: &Oid) -> bool {
    *number == 0
}

/// The attribute number of a position; a table never has more than 1,600 columns.
pub(crate) fn attribute_number(position: usize) -> i16 {
    i16::try_from(position + 1).expect("a table has at most 1600 columns")
}

pub(crate) fn to_json<T: Serialize>(definition: &T) -> String {
    serde_json::to_string(definition).expect("definitions have string keys only, so they always serialize")
}

/// Reads a stored definition; XX001 when it does not parse.
pub(crate) fn from_json<T: DeserializeOwned>(text: &str) -> SqlResult<T> {
    serde_json::from_str(text).map_err(|error| damaged(&error))
}

fn damaged(cause: &dyn std::fmt::Display) -> SqlError {
    SqlError::new(DATA_CORRUPTED, format!("a catalog row is damaged: {cause}"))
}

impl StoredKeyColumn {
    pub(crate) fn of(key: &KeyColumn, options: &KeyOptions) -> StoredKeyColumn {
        let KeyColumn { column, ty: _, descending, nulls_first } = *key;
        StoredKeyColumn { column, descending, nulls_first, options: *options }
    }

    pub(crate) fn over(&self, columns: &[ColumnDef], computation: Option<&IndexComputation>) -> SqlResult<KeyColumn> {
        let missing = || damaged(&"an index names a column that is not there");
        let mut key = KeyColumn {
            column: self.column,
            ty: Type::TEXT,
            descending: self.descending,
            nulls_first: self.nulls_first,
        };
        key.ty = match key.computed() {
            None => columns.get(self.column).ok_or_else(missing)?.ty,
            Some(number) => {
                let expression = computation.and_then(|computation| computation.expressions.get(number));
                expression.ok_or_else(missing)?.ty()
            }
        };
        Ok(key)
    }
}
