//! Where the rows of a portal go on their way out: to the client, into a list, or nowhere; and what the portal notes of them.

use std::sync::Arc;

use nqdb_catalog::Snapshot;
use nqdb_sql::exec::RowSink;
use nqdb_sql::ir::OutputColumn;
use nqdb_sql::system::object_name;
use nqdb_sqlstate::SqlResult;
use nqdb_types::{Array, Datum, FormatContext, oid};

use crate::client_sink::{ClientSink, Formats};
use crate::kept_rows::KeptRows;

/// Who gets the rows.
pub(crate) struct RowTarget {
    pub columns: Arc<[OutputColumn]>,
    pub formats: Formats,
    pub to: Destination,
    /// Rows that were given.
    pub rows: u64,
    /// The client is to be told the columns before the first row.
    pub description_due: bool,
}

pub(crate) enum Destination {
    Client,
    /// FETCH under a row limit: the rows are kept for the client.
    List(Vec<Vec<Datum>>),
    /// MOVE, and rows on the way to those that are wanted.
    Nobody,
}

impl RowTarget {
    pub fn new(columns: Option<&Arc<[OutputColumn]>>, formats: Formats, to: Destination) -> RowTarget {
        let columns = columns.cloned().unwrap_or_else(|| Arc::from([]));
        RowTarget { columns, formats, to, rows: 0, description_due: false }
    }

    /// The same columns, for nobody.
    pub fn nobody(&self) -> RowTarget {
        RowTarget::new(Some(&self.columns), Formats::Text, Destination::Nobody)
    }

    /// Tells the client the columns, unless it knows them.
    pub fn describe(&mut self, out: &mut impl ClientSink, format: &FormatContext) {
        if std::mem::take(&mut self.description_due) {
            out.row_description(&self.columns, &self.formats, format);
        }
    }

    pub fn is_client(&self) -> bool {
        matches!(self.to, Destination::Client)
    }
}

/// What a portal notes of its rows beside giving them out.
pub(crate) struct Notes<'a> {
    /// The rows to which it may go back.
    pub kept: Option<&'a mut KeptRows>,
    /// The addresses of the newest row.
    pub place: &'a mut Vec<Datum>,
}

/// Takes the rows of an execution: columns for the target, behind them addresses.
pub(crate) struct RowGate<'a, 'n, C> {
    pub out: &'a mut C,
    pub target: &'a mut RowTarget,
    pub notes: &'a mut Notes<'n>,
    pub format: &'a FormatContext,
    /// There when objects are to be named.
    pub names: Option<ObjectNames>,
}

/// Spells the values of reg types, which only a catalog can.
pub(crate) struct ObjectNames {
    pub catalog: Arc<Snapshot>,
    pub search_path: Arc<[u32]>,
    /// Position and type of the columns of such types that go out as text.
    pub columns: Vec<(usize, u32)>,
}

impl ObjectNames {
    fn spell(&self, values: &[Datum]) -> Vec<Datum> {
        let mut values = values.to_vec();
        for (column, reg_type) in &self.columns {
            if let Some(value) = values.get_mut(*column)
                && let Some(named) = self.named(value, *reg_type)
            {
                *value = named;
            }
        }
        values
    }

    /// The value with names in place of numbers; an array keeps its shape.
    fn named(&self, value: &Datum, reg_type: u32) -> Option<Datum> {
        match value {
            Datum::Oid(object) => object_name(&self.catalog, &self.search_path, reg_type, *object).map(Datum::text),
            Datum::Array(array) => {
                let spell = |element: &Datum| match element {
                    Datum::Oid(object) => {
                        let name = object_name(&self.catalog, &self.search_path, reg_type, *object);
                        Datum::text(name.unwrap_or_else(|| object.to_string()))
                    }
                    _ => Datum::Null,
                };
                let elements = array.elements().iter().map(spell).collect();
                let spelled = Array::new(oid::TEXT, array.dimensions().to_vec(), elements).ok()?;
                Some(Datum::Array(Arc::new(spelled)))
            }
            _ => None,
        }
    }
}

impl<C: ClientSink> RowGate<'_, '_, C> {
    /// Gives out a row that was kept.
    pub fn give(&mut self, values: &[Datum]) -> SqlResult<()> {
        let (values, addresses) = values.split_at(self.target.columns.len().min(values.len()));
        self.notes.place.clear();
        self.notes.place.extend_from_slice(addresses);
        self.target.rows += 1;
        self.target.describe(self.out, self.format);
        match (&mut self.target.to, &self.names) {
            (Destination::Client, None) => {
                self.out.data_row(values, &self.target.columns, &self.target.formats, self.format)
            }
            (Destination::Client, Some(names)) => {
                self.out.data_row(&names.spell(values), &self.target.columns, &self.target.formats, self.format)
            }
            (Destination::List(rows), _) => {
                rows.push(values.to_vec());
                Ok(())
            }
            (Destination::Nobody, _) => Ok(()),
        }
    }
}

impl<C: ClientSink> RowSink for RowGate<'_, '_, C> {
    fn row(&mut self, values: &[Datum]) -> SqlResult<()> {
        if let Some(kept) = &mut self.notes.kept {
            kept.push(values)?;
        }
        self.give(values)
    }
}
