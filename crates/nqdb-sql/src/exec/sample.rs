//! TABLESAMPLE: which rows of a table a scan looks at.
//!
//! A row, or the page that it would have in PostgreSQL, is hashed with the seed; it is among the chosen ones when the hash is
//! below the percentage's part of all hashes. So a seed chooses the same rows as long as they are there, and those of a
//! smaller percentage are among those of a greater one.

use nqdb_sqlstate::{INVALID_TABLESAMPLE_ARGUMENT, INVALID_TABLESAMPLE_REPEAT, SqlError, SqlResult};
use nqdb_txn::RowId;
use nqdb_types::Datum;

use super::expression::Eval;
use super::runtime::Runtime;
use crate::SystemColumn;
use crate::ir::SampleMethod;

#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub method: SampleMethod,
    /// float4.
    pub percentage: Eval,
    /// float8.
    pub repeat: Option<Eval>,
}

/// A sample with the values of its arguments.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ChosenRows {
    method: SampleMethod,
    seed: u64,
    /// Of hashes of 32 bits.
    below: u64,
}

impl Sample {
    /// Evaluates the arguments. A scan that starts again keeps the seed that was drawn for it.
    ///
    /// Errors: 2202H for a percentage, 2202G for a NULL in REPEATABLE.
    pub fn choose(&self, drawn: &mut Option<u64>, rt: &mut Runtime<'_, '_>) -> SqlResult<ChosenRows> {
        let percentage = match self.percentage.eval(rt)? {
            Datum::Float4(percentage) => f64::from(percentage),
            Datum::Null => return Err(refused("TABLESAMPLE parameter cannot be null")),
            _ => return Err(SqlError::internal("a percentage of another type")),
        };
        let seed = match &self.repeat {
            Some(repeat) => match repeat.eval(rt)? {
                // Zero has two signs.
                Datum::Float8(value) => (value + 0.0).to_bits(),
                Datum::Null => {
                    let message = "TABLESAMPLE REPEATABLE parameter cannot be null";
                    return Err(SqlError::new(INVALID_TABLESAMPLE_REPEAT, message));
                }
                _ => return Err(SqlError::internal("a seed of another type")),
            },
            None => *drawn.get_or_insert_with(|| rt.cx.functions.session.random().to_bits()),
        };
        if !(0.0..=100.0).contains(&percentage) {
            return Err(refused("sample percentage must be between 0 and 100"));
        }
        let below = (percentage / 100.0 * (1u64 << 32) as f64).round() as u64;
        Ok(ChosenRows { method: self.method, seed, below })
    }
}

impl ChosenRows {
    pub fn has(self, row: RowId) -> bool {
        let unit = match self.method {
            SampleMethod::Bernoulli => row.0,
            SampleMethod::System => SystemColumn::page_of(row),
        };
        mixed(mixed(self.seed) ^ unit) >> 32 < self.below
    }
}

fn refused(message: &str) -> SqlError {
    SqlError::new(INVALID_TABLESAMPLE_ARGUMENT, message)
}

/// The finalizer of SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
fn mixed(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
