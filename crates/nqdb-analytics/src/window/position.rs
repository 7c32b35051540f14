//! Functions of a row's position: row_number, rank, dense_rank, percent_rank, cume_dist, ntile.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int32Array, Int64Array};
use nqdb_functions::WindowKind;
use nqdb_sql::window::{Ntile, rank};
use nqdb_types::Datum;

use super::chunk::{Partition, Surrounded};
use super::neighbour::integers;
use super::{Arguments, Computation};
use crate::failure::Outcome;

/// One of them but ntile.
pub(super) fn positions(kind: WindowKind, rows: usize) -> Box<dyn Computation> {
    match kind {
        WindowKind::PercentRank | WindowKind::CumeDist => {
            Box::new(Fractions { kind, values: Vec::with_capacity(rows) })
        }
        kind => Box::new(Numbers { kind, values: Vec::with_capacity(rows) }),
    }
}

struct Numbers {
    kind: WindowKind,
    values: Vec<i64>,
}

impl Computation for Numbers {
    fn partition(&mut self, partition: &Partition<'_>, _: &mut Surrounded<'_>) -> Outcome<()> {
        let rows = 0..partition.rows();
        let peers = partition.peers;
        match self.kind {
            WindowKind::Rank => self.values.extend(rows.map(|row| peers.of(row).0 as i64 + 1)),
            WindowKind::DenseRank => self.values.extend(rows.map(|row| peers.number(row) as i64 + 1)),
            _ => self.values.extend(rows.map(|row| row as i64 + 1)),
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> Outcome<ArrayRef> {
        Ok(Arc::new(Int64Array::from(self.values)))
    }
}

struct Fractions {
    kind: WindowKind,
    values: Vec<f64>,
}

impl Computation for Fractions {
    fn partition(&mut self, partition: &Partition<'_>, _: &mut Surrounded<'_>) -> Outcome<()> {
        for row in 0..partition.rows() {
            let fraction = match rank(self.kind, partition.peers, row) {
                Datum::Float8(fraction) => fraction,
                _ => 0.0,
            };
            self.values.push(fraction);
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> Outcome<ArrayRef> {
        Ok(Arc::new(Float64Array::from(self.values)))
    }
}

/// ntile.
pub(super) struct Buckets {
    argument: Vec<Option<i64>>,
    values: Vec<Option<i32>>,
}

impl Buckets {
    pub fn new(args: Arguments, rows: usize) -> Outcome<Buckets> {
        Ok(Buckets { argument: integers(&args, 0)?, values: Vec::with_capacity(rows) })
    }
}

impl Computation for Buckets {
    fn partition(&mut self, partition: &Partition<'_>, _: &mut Surrounded<'_>) -> Outcome<()> {
        let mut ntile = Ntile::default();
        let rows = partition.rows();
        for row in 0..rows {
            let buckets = self.argument.get(partition.first + row).copied().flatten();
            self.values.push(ntile.value(buckets, row, rows)?);
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> Outcome<ArrayRef> {
        Ok(Arc::new(Int32Array::from(self.values)))
    }
}
