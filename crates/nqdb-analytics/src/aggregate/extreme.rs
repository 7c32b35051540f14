//! `min` and `max` of numbers, dates and texts.

use arrow::array::{ArrayRef, AsArray, BooleanArray, PrimitiveArray, StringViewBuilder};
use arrow::datatypes::{ArrowPrimitiveType, Decimal128Type, Int16Type, Int32Type, Int64Type, UInt32Type};
use datafusion_expr::EmitTo;
use nqdb_sqlstate::SqlError;
use nqdb_types::oid;

use super::{Groups, argument, array, for_each_row};
use crate::failure::Outcome;
use crate::shape::{Repr, Shape};

/// The states for values of a shape.
pub(super) fn extremes(shape: Shape, greatest: bool) -> Outcome<Box<dyn Groups>> {
    Ok(match shape.repr {
        Repr::Int16 => Numbers::<Int16Type>::boxed(shape, greatest),
        Repr::Int32 => Numbers::<Int32Type>::boxed(shape, greatest),
        Repr::Int64 => Numbers::<Int64Type>::boxed(shape, greatest),
        Repr::Oid => Numbers::<UInt32Type>::boxed(shape, greatest),
        Repr::Decimal { .. } => Numbers::<Decimal128Type>::boxed(shape, greatest),
        Repr::Text => Box::new(Texts { best: Vec::new(), greatest, is_bpchar: shape.ty.oid == oid::BPCHAR, bytes: 0 }),
        _ => return Err(SqlError::internal("min and max have no states for this type").into()),
    })
}

struct Numbers<T: ArrowPrimitiveType> {
    best: Vec<Option<T::Native>>,
    shape: Shape,
    greatest: bool,
}

impl<T: ArrowPrimitiveType> Numbers<T>
where
    T::Native: Ord,
{
    fn boxed(shape: Shape, greatest: bool) -> Box<dyn Groups> {
        Box::new(Numbers::<T> { best: Vec::new(), shape, greatest })
    }
}

impl<T: ArrowPrimitiveType> Groups for Numbers<T>
where
    T::Native: Ord,
{
    fn resize(&mut self, groups: usize) {
        self.best.resize(groups, None);
    }

    fn update(&mut self, values: &[ArrayRef], groups: &[usize], filter: Option<&BooleanArray>) -> Outcome<()> {
        let values = argument(values, 0)?;
        let numbers = values.as_primitive::<T>().values();
        for_each_row(Some(values), groups, filter, |row, group| {
            let (best, value) = (&mut self.best[group], numbers[row]);
            if best.is_none_or(|best| if self.greatest { value > best } else { value < best }) {
                *best = Some(value);
            }
            Ok(())
        })
    }

    fn merge(&mut self, states: &[ArrayRef], groups: &[usize]) -> Outcome<()> {
        self.update(states, groups, None)
    }

    fn finish(&mut self, emit: EmitTo) -> Outcome<ArrayRef> {
        let best: PrimitiveArray<T> = emit.take_needed(&mut self.best).into_iter().collect();
        Ok(array(best.with_data_type(self.shape.data_type())))
    }

    fn state(&mut self, emit: EmitTo) -> Outcome<Vec<ArrayRef>> {
        Ok(vec![self.finish(emit)?])
    }

    fn size_bytes(&self) -> usize {
        self.best.capacity() * size_of::<Option<T::Native>>()
    }
}

struct Texts {
    best: Vec<Option<Box<str>>>,
    greatest: bool,
    /// Blanks at the end do not count.
    is_bpchar: bool,
    bytes: usize,
}

impl Groups for Texts {
    fn resize(&mut self, groups: usize) {
        self.best.resize(groups, None);
    }

    fn update(&mut self, values: &[ArrayRef], groups: &[usize], filter: Option<&BooleanArray>) -> Outcome<()> {
        let values = argument(values, 0)?;
        let texts = values.as_string_view();
        let is_bpchar = self.is_bpchar;
        let counted = |text: &str| if is_bpchar { text.trim_end_matches(' ').len() } else { text.len() };
        for_each_row(Some(values), groups, filter, |row, group| {
            let (best, value) = (&mut self.best[group], texts.value(row));
            let is_better = best.as_deref().is_none_or(|best| {
                let (value, best) = (&value.as_bytes()[..counted(value)], &best.as_bytes()[..counted(best)]);
                if self.greatest { value > best } else { value < best }
            });
            if is_better {
                self.bytes += value.len();
                self.bytes -= best.as_deref().map_or(0, str::len);
                *best = Some(value.into());
            }
            Ok(())
        })
    }

    fn merge(&mut self, states: &[ArrayRef], groups: &[usize]) -> Outcome<()> {
        self.update(states, groups, None)
    }

    fn finish(&mut self, emit: EmitTo) -> Outcome<ArrayRef> {
        let best = emit.take_needed(&mut self.best);
        let mut texts = StringViewBuilder::with_capacity(best.len());
        for text in best {
            self.bytes -= text.as_deref().map_or(0, str::len);
            texts.append_option(text);
        }
        Ok(array(texts.finish()))
    }

    fn state(&mut self, emit: EmitTo) -> Outcome<Vec<ArrayRef>> {
        Ok(vec![self.finish(emit)?])
    }

    fn size_bytes(&self) -> usize {
        self.best.capacity() * size_of::<Option<Box<str>>>() + self.bytes
    }
}
