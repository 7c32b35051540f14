//! The window functions that are no aggregates: positions, neighbours, rows of the frame (manual 9.22).

use nqdb_functions::WindowKind;
use nqdb_sqlstate::{INVALID_ARGUMENT_FOR_NTH_VALUE, INVALID_ARGUMENT_FOR_NTILE, SqlError, SqlResult};
use nqdb_types::Datum;

use super::{FrameRows, Peers};

/// row_number, rank, dense_rank, percent_rank, cume_dist.
pub fn rank(kind: WindowKind, peers: &Peers, row: usize) -> Datum {
    let number = peers.number(row);
    let (start, end) = peers.group(number);
    let rows = peers.rows();
    match kind {
        WindowKind::Rank => integer(start + 1),
        WindowKind::DenseRank => integer(number + 1),
        WindowKind::PercentRank if rows <= 1 => Datum::Float8(0.0),
        WindowKind::PercentRank => Datum::Float8(start as f64 / (rows - 1) as f64),
        WindowKind::CumeDist => Datum::Float8(end as f64 / rows as f64),
        _ => integer(row + 1),
    }
}

fn integer(value: usize) -> Datum {
    Datum::Int8(i64::try_from(value).unwrap_or(i64::MAX))
}

/// lag and lead: the row so many away, if the partition has it.
pub fn neighbour(is_lead: bool, distance: i64, row: usize, rows: usize) -> Option<usize> {
    let distance = if is_lead { distance } else { distance.checked_neg()? };
    let target = i64::try_from(row).ok()?.checked_add(distance)?;
    usize::try_from(target).ok().filter(|target| *target < rows)
}

/// first_value, last_value, nth_value: the row that the value is of. `number` is the argument of nth_value, if it is not
/// NULL.
pub fn row_in_frame(kind: WindowKind, rows: &FrameRows, number: Option<i64>) -> SqlResult<Option<usize>> {
    let number = match kind {
        WindowKind::FirstValue => Some(0),
        WindowKind::LastValue => rows.len().checked_sub(1),
        _ => match number {
            None => return Ok(None),
            Some(number) if number <= 0 => {
                let message = "argument of nth_value must be greater than zero";
                return Err(SqlError::new(INVALID_ARGUMENT_FOR_NTH_VALUE, message));
            }
            Some(number) => usize::try_from(number - 1).ok(),
        },
    };
    Ok(number.and_then(|number| rows.nth(number)))
}

/// ntile: the number of buckets is that of the first row where it is not NULL.
#[derive(Default)]
pub struct Ntile {
    /// The row that it was taken from, and the number.
    buckets: Option<(usize, usize)>,
}

impl Ntile {
    /// The bucket of a row; `buckets` is the argument there, if it is not NULL.
    pub fn value(&mut self, buckets: Option<i64>, row: usize, rows: usize) -> SqlResult<Option<i32>> {
        let (first, buckets) = match self.buckets {
            Some(known) => known,
            None => {
                let Some(buckets) = buckets else { return Ok(None) };
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
        Ok(Some(i32::try_from(bucket + 1).unwrap_or(i32::MAX)))
    }
}
