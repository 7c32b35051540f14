//! A row as a reader gets it.

use super::TableStore;
use crate::error::{Result, TxnError};
use nqdb_types::Datum;
use nqdb_types::row::{Field, RowView, decode_value};

/// One version of a row. Holds no latch: values may be read as they are needed.
#[derive(Clone, Copy)]
pub struct RowImage<'a> {
    table: &'a TableStore,
    view: RowView<'a>,
}

impl<'a> RowImage<'a> {
    pub(crate) fn new(table: &'a TableStore, image: &'a [u8]) -> Result<RowImage<'a>> {
        let view = RowView::new(image).map_err(|corrupt| TxnError::corrupt(corrupt.to_string()))?;
        Ok(RowImage { table, view })
    }

    /// The stored form.
    pub fn raw(&self) -> RowView<'a> {
        self.view
    }

    /// Columns of the table's definition through which the row is read.
    pub fn column_count(&self) -> usize {
        self.table.columns.len()
    }

    /// Whether a column is NULL.
    pub fn is_null(&self, column: usize) -> bool {
        match self.view.field(column) {
            Field::Missing => self.table.missing.get(column).is_none_or(Datum::is_null),
            Field::Null => true,
            _ => false,
        }
    }

    /// A column's value: the default that was given when it was added, if the row is older; read from the overflow tree,
    /// if it was moved there.
    pub fn datum(&self, column: usize) -> Result<Datum> {
        let Some(ty) = self.table.columns.get(column) else {
            return Err(TxnError::corrupt(format!("relation {} has no column {column}", self.table.id)));
        };
        match self.view.field(column) {
            Field::Missing => Ok(self.table.missing.get(column).cloned().unwrap_or(Datum::Null)),
            Field::Null => Ok(Datum::Null),
            Field::Inline(bytes) => decode_value(bytes, *ty),
            Field::External(reference) => decode_value(&self.table.load_value(reference)?, *ty),
        }
        .map_err(|corrupt| TxnError::corrupt(corrupt.to_string()))
    }

    /// All columns.
    pub fn datums(&self) -> Result<Vec<Datum>> {
        (0..self.column_count()).map(|column| self.datum(column)).collect()
    }
}
