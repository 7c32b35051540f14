//! The aggregates.
pub(crate) static AGGREGATES: &[crate::Aggregate] = &[];
