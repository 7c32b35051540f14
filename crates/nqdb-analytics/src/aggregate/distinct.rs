//! DISTINCT: of equal arguments of a group, the first one counts.
//!
//! Equal is what has equal bytes; the caller saw to it that this is SQL's equality.

use std::collections::HashSet;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use arrow::datatypes::{DataType, Decimal128Type, Int16Type, Int32Type, Int64Type, UInt32Type};
use datafusion_expr::EmitTo;
use foldhash::fast::RandomState;
use nqdb_sqlstate::SqlError;

use super::{Groups, argument, for_each_row};
use crate::failure::Outcome;

pub(super) struct DistinctGroups {
    inner: Box<dyn Groups>,
    numbers: HashSet<(usize, i128), RandomState>,
    texts: HashSet<(usize, Box<[u8]>), RandomState>,
    text_bytes: usize,
}

impl DistinctGroups {
    pub fn new(inner: Box<dyn Groups>) -> DistinctGroups {
        DistinctGroups { inner, numbers: HashSet::default(), texts: HashSet::default(), text_bytes: 0 }
    }

    fn add_text(&mut self, group: usize, bytes: &[u8]) -> bool {
        let is_new = self.texts.insert((group, bytes.into()));
        self.text_bytes += if is_new { bytes.len() } else { 0 };
        is_new
    }

    /// Whether the group has not had this value.
    fn is_new(&mut self, values: &ArrayRef, row: usize, group: usize) -> Outcome<bool> {
        let number = match values.data_type() {
            DataType::Boolean => i128::from(values.as_boolean().value(row)),
            DataType::Int16 => values.as_primitive::<Int16Type>().value(row).into(),
            DataType::Int32 => values.as_primitive::<Int32Type>().value(row).into(),
            DataType::Int64 => values.as_primitive::<Int64Type>().value(row).into(),
            DataType::UInt32 => values.as_primitive::<UInt32Type>().value(row).into(),
            DataType::Decimal128(..) => values.as_primitive::<Decimal128Type>().value(row),
            DataType::Utf8View => return Ok(self.add_text(group, values.as_string_view().value(row).as_bytes())),
            DataType::BinaryView => return Ok(self.add_text(group, values.as_binary_view().value(row))),
            other => return Err(SqlError::internal(format!("DISTINCT cannot take {other}")).into()),
        };
        Ok(self.numbers.insert((group, number)))
    }
}

impl Groups for DistinctGroups {
    fn resize(&mut self, groups: usize) {
        self.inner.resize(groups);
    }

    fn update(&mut self, values: &[ArrayRef], groups: &[usize], filter: Option<&BooleanArray>) -> Outcome<()> {
        let argument = argument(values, 0)?;
        let mut first = vec![false; groups.len()];
        for_each_row(Some(argument), groups, filter, |row, group| {
            first[row] = self.is_new(argument, row, group)?;
            Ok(())
        })?;
        self.inner.update(values, groups, Some(&BooleanArray::from(first)))
    }

    fn merge(&mut self, _: &[ArrayRef], _: &[usize]) -> Outcome<()> {
        Err(SqlError::internal("DISTINCT has no states to merge").into())
    }

    /// Groups are only taken out all at once: what was seen is numbered by them.
    fn finish(&mut self, emit: EmitTo) -> Outcome<ArrayRef> {
        if let EmitTo::First(_) = emit {
            return Err(SqlError::internal("DISTINCT was asked for some of its groups").into());
        }
        self.numbers.clear();
        self.texts.clear();
        self.text_bytes = 0;
        self.inner.finish(emit)
    }

    fn state(&mut self, _: EmitTo) -> Outcome<Vec<ArrayRef>> {
        Err(super::no_state())
    }

    fn size_bytes(&self) -> usize {
        self.inner.size_bytes()
            + self.numbers.capacity() * size_of::<(usize, i128)>()
            + self.texts.capacity() * size_of::<(usize, Box<[u8]>)>()
            + self.text_bytes
    }
}
