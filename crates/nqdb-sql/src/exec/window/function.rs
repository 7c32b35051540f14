//! The window functions that are no aggregates: positions, neighbours, rows of the frame (manual 9.22).

use nqdb_functions::WindowKind;
use nqdb_sqlstate::{INVALID_ARGUMENT_FOR_NTH_VALUE, INVALID_ARGUMENT_FOR_NTILE, SqlError, SqlResult};
use nqdb_types::Datum;

use super::Partition;
use super::frame::FrameRows;
use crate::exec::spill::ChargedRows;

/// row_number, rank, dense_rank, percent_rank, cume_dist.
pub(super) fn rank(kind: WindowKind, partition: &Partition, row: usize) -> Datum {
    let group = partition.group_of(row);
    let (start, end) = partition.group(group);
    let rows = partition.len();
    match kind {
        WindowKind::Rank => integer(start + 1),
        WindowKind::DenseRank => integer(group + 1),
        WindowKind::PercentRank if rows <= 1 => Datum::Float8(0.0),
        WindowKind::PercentRank => Datum::Float8(start as f64 / (rows - 1) as f64),
        WindowKind::CumeDist => Datum::Float8(end as f64 / rows as f64),
        _ => integer(row + 1),
    }
}

fn integer(value: usize) -> Datum {
    Datum::Int8(i64::try_from(value).unwrap_or(i64::MAX))
}

/// lag and lead: the value so many rows away, or the default.
pub(super) fn neighbour(is_lead: bool, args: &mut ChargedRows, row: usize, rows: usize) -> SqlResult<Datum> {
    let own = args.row(row)?;
    let distance = match own.get(1) {
        None => 1,
        Some(distance) => match distance.as_integer() {
            Some(distance) => distance,
            None => return Ok(Datum::Null),
        },
    };
    let default = own.get(2).cloned();
    let distance = if is_lead { distance } else { -distance };
    let target = i64::try_from(row).ok().and_then(|row| row.checked_add(distance));
    let target = target.and_then(|target| usize::try_from(target).ok()).filter(|target| *target < rows);
    let found = match target {
        Some(target) => args.row(target)?.first().cloned(),
        None => default,
    };
    Ok(found.unwrap_or(Datum::Null))
}

/// first_value, last_value, nth_value.
pub(super) fn value_in_frame(
    kind: WindowKind,
    rows: &FrameRows,
    args: &mut ChargedRows,
    row: usize,
) -> SqlResult<Datum> {
    let number = match kind {
        WindowKind::FirstValue => Some(0),
        WindowKind::LastValue => rows.len().checked_sub(1),
        _ => match args.row(row)?.get(1).and_then(Datum::as_integer) {
            None => return Ok(Datum::Null),
            Some(number) if number <= 0 => {
                let message = "argument of nth_value must be greater than zero";
                return Err(SqlError::new(INVALID_ARGUMENT_FOR_NTH_VALUE, message));
            }
            Some(number) => usize::try_from(number - 1).ok(),
        },
    };
    match number.and_then(|number| rows.nth(number)) {
        Some(row) => Ok(args.row(row)?.first().cloned().unwrap_or(Datum::Null)),
        None => Ok(Datum::Null),
    }
}

/// ntile: the number of buckets is that of the first row where it is not NULL.
#[derive(Default)]
pub(super) struct Ntile {
    /// The row that it was taken from, and the number.
    buckets: Option<(usize, usize)>,
}

impl Ntile {
    pub fn value(&mut self, argument: Option<&Datum>, row: usize, rows: usize) -> SqlResult<Datum> {
        let (first, buckets) = match self.buckets {
            Some(known) => known,
            None => {
                let Some(buckets) = argument.and_then(Datum::as_integer) else { return Ok(Datum::Null) };
                let Some(buckets) = usize::try_from(buckets).ok().filter(|buckets| *buckets > 0) else {
                    let message = "argument of ntile must be greater than zero";
                    return Err(SqlError::new(INVALID_ARGUMENT_FOR_NTILE, message));
                };
                *self.buckets.insert((row, buckets))
            }
        };
        // The first `larger` buckets hold one row more than the others.
        let (size, larger) = (rows / buckets, rows % buckets);
        let at = row - first;
        let bucket =
            if at < larger * (size + 1) { at / (size + 1) } else { larger + (at - larger * (size + 1)) / size.max(1) };
        Ok(Datum::Int4(i32::try_from(bucket + 1).unwrap_or(i32::MAX)))
    }
}
