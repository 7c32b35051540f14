//! Tables whose committed changes are sent to a channel (docs/realtime.md).

use nqdb_types::Oid;
use serde::{Deserialize, Serialize};

use crate::definition::{IndexComputation, IndexDef, TableDef};
use crate::foreign_key::Deferral;

/// What is sent of the changes of a table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishedChanges {
    /// Attribute numbers of the columns that are sent; all of the table without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<Vec<i16>>,
    /// The condition that rows meet which are sent; it has no expressions but the predicate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<IndexComputation>,
}

impl PublishedChanges {
    /// Whether a column is one of those that are named.
    pub fn names_column(&self, attnum: i16) -> bool {
        self.columns.as_ref().is_some_and(|columns| columns.contains(&attnum)) || self.filters_by(attnum)
    }

    /// Whether the condition names a column.
    pub fn filters_by(&self, attnum: i16) -> bool {
        self.filter.as_ref().is_some_and(|filter| filter.columns.contains(&attnum))
    }

    /// The SQL text of the condition.
    pub fn filter_text(&self) -> Option<&str> {
        self.filter.as_ref()?.predicate.as_deref()
    }

    /// The condition in the form in which conditions are bound: that of a partial index, which nobody makes.
    pub fn filter_index(&self) -> Option<IndexDef> {
        let filter = self.filter.clone()?;
        Some(IndexDef {
            oid: 0,
            name: String::new(),
            unique: false,
            primary: false,
            constraint: false,
            deferral: Deferral::default(),
            nulls_not_distinct: false,
            key: Vec::new(),
            options: Vec::new(),
            included: Vec::new(),
            computation: Some(std::sync::Arc::new(filter)),
            settings: Default::default(),
            position: 0,
        })
    }
}

impl TableDef {
    /// The attribute numbers by which a change names its row: those of the primary key; all live ones without it.
    pub fn change_key(&self) -> Vec<i16> {
        match self.primary_key() {
            Some(key) => {
                let columns = key.key.iter().filter_map(|part| self.columns.get(part.column));
                columns.map(|column| column.attnum).collect()
            }
            None => self.live_columns().map(|(_, column)| column.attnum).collect(),
        }
    }

    /// The channel that its changes go to: `table:orders`, with the schema's name outside of `public`.
    pub fn change_channel(&self) -> String {
        format!("{CHANGE_CHANNEL_PREFIX}{}", self.channel_name())
    }

    /// The table as its channel names it.
    pub fn channel_name(&self) -> String {
        match self.schema_name.as_str() {
            "public" => self.name.clone(),
            schema => format!("{schema}.{}", self.name),
        }
    }
}

/// What the names of channels begin with that changes of tables go to.
pub const CHANGE_CHANNEL_PREFIX: &str = "table:";

/// The number of a table that is to be published, with what is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishRequest {
    pub table: Oid,
    /// Names of columns; all without it.
    pub columns: Option<Vec<String>>,
    /// SQL text of a condition.
    pub filter: Option<String>,
}
