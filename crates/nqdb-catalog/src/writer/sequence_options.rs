//! The clauses of CREATE and ALTER SEQUENCE, with PostgreSQL's defaults and checks (`init_params`).

use nqdb_sqlstate::{INVALID_PARAMETER_VALUE, SqlError, SqlResult};
use nqdb_types::{Oid, Type, oid};

use crate::definition::SequenceDef;
use crate::request::SequenceOptions;

/// Fills in a new sequence (`is_new`) or changes an old one.
pub(super) fn apply(options: &SequenceOptions, sequence: &mut SequenceDef, is_new: bool) -> SqlResult<()> {
    let mut type_changed = is_new;
    if let Some(data_type) = options.data_type {
        if type_range(data_type).is_none() {
            return Err(invalid("sequence type must be smallint, integer, or bigint"));
        }
        type_changed |= data_type != sequence.data_type;
        let (old_min, old_max) = type_range(sequence.data_type).unwrap_or((i64::MIN, i64::MAX));
        // A bound that was the old type's own moves with the type.
        let (new_min, new_max) = type_range(data_type).unwrap_or((i64::MIN, i64::MAX));
        if !is_new && sequence.max == old_max {
            sequence.max = new_max;
        }
        if !is_new && sequence.min == old_min {
            sequence.min = new_min;
        }
        sequence.data_type = data_type;
    }
    if let Some(increment) = options.increment {
        if increment == 0 {
            return Err(invalid("INCREMENT must not be zero"));
        }
        sequence.increment = increment;
    }
    apply_bounds(options, sequence, is_new)?;
    apply_start(options, sequence, is_new)?;
    if let Some(cache) = options.cache {
        if cache <= 0 {
            return Err(invalid(format!("CACHE ({cache}) must be greater than zero")));
        }
        sequence.cache = cache;
    }
    if let Some(cycle) = options.cycle {
        sequence.cycle = cycle;
    }
    if type_changed {
        expect_in_type(sequence)?;
    }
    Ok(())
}

fn apply_bounds(options: &SequenceOptions, sequence: &mut SequenceDef, is_new: bool) -> SqlResult<()> {
    let (type_min, type_max) = type_range(sequence.data_type).unwrap_or((i64::MIN, i64::MAX));
    let ascending = sequence.increment > 0;
    match options.max {
        Some(Some(max)) => sequence.max = max,
        Some(None) => sequence.max = if ascending { type_max } else { -1 },
        None if is_new => sequence.max = if ascending { type_max } else { -1 },
        None => {}
    }
    match options.min {
        Some(Some(min)) => sequence.min = min,
        Some(None) => sequence.min = if ascending { 1 } else { type_min },
        None if is_new => sequence.min = if ascending { 1 } else { type_min },
        None => {}
    }
    expect_in_type(sequence)?;
    if sequence.min >= sequence.max {
        return Err(invalid(format!("MINVALUE ({}) must be less than MAXVALUE ({})", sequence.min, sequence.max)));
    }
    Ok(())
}

fn apply_start(options: &SequenceOptions, sequence: &mut SequenceDef, is_new: bool) -> SqlResult<()> {
    match options.start {
        Some(start) => sequence.start = start,
        None if is_new => sequence.start = if sequence.increment > 0 { sequence.min } else { sequence.max },
        None => {}
    }
    if sequence.start < sequence.min {
        return Err(invalid(format!(
            "START value ({}) cannot be less than MINVALUE ({})",
            sequence.start, sequence.min
        )));
    }
    if sequence.start > sequence.max {
        return Err(invalid(format!(
            "START value ({}) cannot be greater than MAXVALUE ({})",
            sequence.start, sequence.max
        )));
    }
    Ok(())
}

fn expect_in_type(sequence: &SequenceDef) -> SqlResult<()> {
    let Some((min, max)) = type_range(sequence.data_type) else { return Ok(()) };
    let name = Type::new(sequence.data_type).name();
    for (what, value) in [("MAXVALUE", sequence.max), ("MINVALUE", sequence.min)] {
        if value < min || value > max {
            return Err(invalid(format!("{what} ({value}) is out of range for sequence data type {name}")));
        }
    }
    Ok(())
}

fn type_range(data_type: Oid) -> Option<(i64, i64)> {
    match data_type {
        oid::INT2 => Some((i16::MIN.into(), i16::MAX.into())),
        oid::INT4 => Some((i32::MIN.into(), i32::MAX.into())),
        oid::INT8 => Some((i64::MIN, i64::MAX)),
        _ => None,
    }
}

fn invalid(message: impl Into<String>) -> SqlError {
    SqlError::new(INVALID_PARAMETER_VALUE, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blank() -> SequenceDef {
        SequenceDef {
            counter_id: 1,
            oid: 1,
            schema: 1,
            name: "s".into(),
            owner: 10,
            data_type: oid::INT8,
            start: 0,
            increment: 1,
            min: 0,
            max: 0,
            cache: 1,
            cycle: false,
            owned_by: None,
        }
    }

    #[test]
    fn a_new_sequence_gets_the_bounds_of_its_type_and_direction() {
        let mut sequence = blank();
        let options = SequenceOptions { data_type: Some(oid::INT2), increment: Some(-1), ..Default::default() };
        apply(&options, &mut sequence, true).unwrap();
        assert_eq!((sequence.min, sequence.max, sequence.start), (i16::MIN.into(), -1, -1));
    }

    #[test]
    fn bounds_and_start_are_checked_in_postgresqls_words() {
        let message = |options: SequenceOptions| apply(&options, &mut blank(), true).unwrap_err().message().to_owned();
        assert_eq!(message(SequenceOptions { increment: Some(0), ..Default::default() }), "INCREMENT must not be zero");
        let reversed = SequenceOptions { min: Some(Some(9)), max: Some(Some(3)), ..Default::default() };
        assert_eq!(message(reversed), "MINVALUE (9) must be less than MAXVALUE (3)");
        let low = SequenceOptions { start: Some(0), ..Default::default() };
        assert_eq!(message(low), "START value (0) cannot be less than MINVALUE (1)");
        let wide = SequenceOptions { data_type: Some(oid::INT2), max: Some(Some(70000)), ..Default::default() };
        assert_eq!(message(wide), "MAXVALUE (70000) is out of range for sequence data type smallint");
    }
}
