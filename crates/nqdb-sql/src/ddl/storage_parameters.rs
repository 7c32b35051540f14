//! `WITH (...)`, SET and RESET of tables, indexes and columns (manual, CREATE TABLE, Storage Parameters).
//!
//! 1. Names and values are checked as PostgreSQL checks them, kept in the catalog and shown. They have no effect here, and
//!    results do not depend on them (docs/compat.md).
//! 2. Parameters of TOAST tables (`toast.name`) are checked and dropped, as PostgreSQL does for a table without one: no table
//!    has one here.

use nqdb_catalog::Parameters;
use nqdb_sqlstate::{INVALID_PARAMETER_VALUE, SqlError, SqlResult};

use crate::table_command::Parameter;

/// What parameters are set of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Table,
    /// A btree.
    Index,
    Column,
}

/// What a value may be.
enum Values {
    Boolean,
    Integer(i64, i64),
    Real(f64, f64),
    /// The accepted words, and what a message says of them.
    Words(&'static [&'static str], &'static str),
}

const INT_MAX: i64 = i32::MAX as i64;
const AGE_MAX: i64 = 2_000_000_000;

/// Parameters of tables that a TOAST table has too.
const TOAST: &[(&str, Values)] = &[
    ("autovacuum_enabled", Values::Boolean),
    ("autovacuum_freeze_max_age", Values::Integer(100_000, AGE_MAX)),
    ("autovacuum_freeze_min_age", Values::Integer(0, 1_000_000_000)),
    ("autovacuum_freeze_table_age", Values::Integer(0, AGE_MAX)),
    ("autovacuum_multixact_freeze_max_age", Values::Integer(10_000, AGE_MAX)),
    ("autovacuum_multixact_freeze_min_age", Values::Integer(0, 1_000_000_000)),
    ("autovacuum_multixact_freeze_table_age", Values::Integer(0, AGE_MAX)),
    ("autovacuum_vacuum_cost_delay", Values::Real(0.0, 100.0)),
    ("autovacuum_vacuum_cost_limit", Values::Integer(1, 10_000)),
    ("autovacuum_vacuum_insert_scale_factor", Values::Real(0.0, 100.0)),
    ("autovacuum_vacuum_insert_threshold", Values::Integer(-1, INT_MAX)),
    ("autovacuum_vacuum_scale_factor", Values::Real(0.0, 100.0)),
    ("autovacuum_vacuum_threshold", Values::Integer(0, INT_MAX)),
    ("log_autovacuum_min_duration", Values::Integer(-1, INT_MAX)),
    (
        "vacuum_index_cleanup",
        Values::Words(
            &["auto", "on", "off", "true", "false", "yes", "no", "1", "0"],
            "Valid values are \"on\", \"off\", and \"auto\".",
        ),
    ),
    ("vacuum_truncate", Values::Boolean),
];

/// Parameters that only tables have.
const TABLE: &[(&str, Values)] = &[
    ("autovacuum_analyze_scale_factor", Values::Real(0.0, 100.0)),
    ("autovacuum_analyze_threshold", Values::Integer(0, INT_MAX)),
    ("fillfactor", Values::Integer(10, 100)),
    ("parallel_workers", Values::Integer(0, 1024)),
    ("toast_tuple_target", Values::Integer(128, 8160)),
    ("user_catalog_table", Values::Boolean),
];

const INDEX: &[(&str, Values)] = &[("deduplicate_items", Values::Boolean), ("fillfactor", Values::Integer(10, 100))];

const COLUMN: &[(&str, Values)] =
    &[("n_distinct", Values::Real(-1.0, f64::MAX)), ("n_distinct_inherited", Values::Real(-1.0, f64::MAX))];

/// The parameters of a new object.
pub(super) fn checked(written: &[Parameter], target: Target) -> SqlResult<Parameters> {
    set(&Parameters::new(), written, target)
}

/// What is there with what is set: a parameter that is set again goes behind those that stay.
///
/// Errors: 22023 for names and values that PostgreSQL does not take.
pub(super) fn set(present: &Parameters, written: &[Parameter], target: Target) -> SqlResult<Parameters> {
    let mut own = Parameters::new();
    for (at, parameter) in written.iter().enumerate() {
        let is_toast = expect_namespace(parameter, target)?;
        let value = parameter.value.clone().unwrap_or_else(|| "true".to_owned());
        if target == Target::Table && parameter.name == "oids" && !is_toast {
            expect_no_oids(&value)?;
            continue;
        }
        let same = |other: &Parameter| (&other.namespace, &other.name) == (&parameter.namespace, &parameter.name);
        if written.iter().take(at).any(same) {
            return Err(invalid(format!("parameter \"{}\" specified more than once", parameter.name)));
        }
        expect_value(&parameter.name, &value, target, is_toast)?;
        if !is_toast {
            own.push((parameter.name.clone(), value));
        }
    }
    let is_set = |name: &String| own.iter().any(|(other, _)| other == name);
    let mut all: Parameters = present.iter().filter(|(name, _)| !is_set(name)).cloned().collect();
    all.extend(own);
    Ok(all)
}

/// What is there without what is reset.
pub(super) fn reset(present: &Parameters, names: &[Parameter], target: Target) -> SqlResult<Parameters> {
    let mut kept = present.clone();
    for parameter in names {
        if !expect_namespace(parameter, target)? {
            kept.retain(|(name, _)| *name != parameter.name);
        }
    }
    Ok(kept)
}

/// Whether the parameter is one of the TOAST table.
fn expect_namespace(parameter: &Parameter, target: Target) -> SqlResult<bool> {
    match parameter.namespace.as_deref() {
        None => Ok(false),
        Some("toast") if target == Target::Table => Ok(true),
        Some(other) => Err(invalid(format!("unrecognized parameter namespace \"{other}\""))),
    }
}

fn expect_no_oids(value: &str) -> SqlResult<()> {
    match boolean(value) {
        Some(false) => Ok(()),
        Some(true) => {
            let message = "tables declared WITH OIDS are not supported";
            Err(SqlError::new(nqdb_sqlstate::FEATURE_NOT_SUPPORTED, message))
        }
        None => Err(SqlError::new(nqdb_sqlstate::SYNTAX_ERROR, "oids requires a Boolean value")),
    }
}

fn expect_value(name: &str, value: &str, target: Target, is_toast: bool) -> SqlResult<()> {
    let lists: &[&[(&str, Values)]] = match target {
        Target::Table if is_toast => &[TOAST],
        Target::Table => &[TABLE, TOAST],
        Target::Index => &[INDEX],
        Target::Column => &[COLUMN],
    };
    let known = lists.iter().flat_map(|list| list.iter()).find(|(known, _)| *known == name);
    let Some((_, values)) = known else { return Err(invalid(format!("unrecognized parameter \"{name}\""))) };
    match values {
        Values::Boolean if boolean(value).is_some() => Ok(()),
        Values::Boolean => Err(invalid(format!("invalid value for boolean option \"{name}\": {value}"))),
        Values::Integer(min, max) => match integer(value) {
            None => Err(invalid(format!("invalid value for integer option \"{name}\": {value}"))),
            Some(number) if (*min..=*max).contains(&number) => Ok(()),
            Some(_) => Err(out_of_bounds(name, value, &min.to_string(), &max.to_string())),
        },
        Values::Real(min, max) => match value.trim().parse::<f64>() {
            Err(_) => Err(invalid(format!("invalid value for floating point option \"{name}\": {value}"))),
            Ok(number) if (*min..=*max).contains(&number) => Ok(()),
            Ok(_) => Err(out_of_bounds(name, value, &format!("{min:.6}"), &format!("{max:.6}"))),
        },
        Values::Words(words, detail) => {
            if words.iter().any(|word| word.eq_ignore_ascii_case(value)) {
                return Ok(());
            }
            Err(invalid(format!("invalid value for enum option \"{name}\": {value}")).with_detail(*detail))
        }
    }
}

fn out_of_bounds(name: &str, value: &str, min: &str, max: &str) -> SqlError {
    invalid(format!("value {value} out of bounds for option \"{name}\""))
        .with_detail(format!("Valid values are between \"{min}\" and \"{max}\"."))
}

fn invalid(message: String) -> SqlError {
    SqlError::new(INVALID_PARAMETER_VALUE, message)
}

/// A whole number; one with a fraction is rounded, as settings are.
fn integer(value: &str) -> Option<i64> {
    let value = value.trim();
    if let Ok(number) = value.parse::<i64>() {
        return (i64::from(i32::MIN)..=INT_MAX).contains(&number).then_some(number);
    }
    let number = value.parse::<f64>().ok().filter(|number| number.abs() <= INT_MAX as f64)?;
    Some(number.round_ties_even() as i64)
}

/// PostgreSQL's `parse_bool`: beginnings of the words count.
fn boolean(value: &str) -> Option<bool> {
    let value = value.to_ascii_lowercase();
    let begins = |word: &str| !value.is_empty() && word.starts_with(&value);
    match value.as_str() {
        "on" | "1" => Some(true),
        "off" | "of" | "0" => Some(false),
        _ if begins("true") || begins("yes") => Some(true),
        _ if begins("false") || begins("no") => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Target, checked, reset, set};
    use crate::table_command::Parameter;

    fn parameter(name: &str, value: Option<&str>) -> Parameter {
        let (namespace, name) = match name.split_once('.') {
            Some((namespace, name)) => (Some(namespace.to_owned()), name.to_owned()),
            None => (None, name.to_owned()),
        };
        Parameter { namespace, name, value: value.map(str::to_owned) }
    }

    #[test]
    fn values_are_checked_at_both_ends() {
        for (name, value, fits) in [
            ("fillfactor", "10", true),
            ("fillfactor", "9", false),
            ("fillfactor", "100", true),
            ("fillfactor", "101", false),
            ("fillfactor", "true", false),
            ("fillfactor", "30.5", true),
            ("autovacuum_enabled", "of", true),
            ("autovacuum_enabled", "string", false),
            ("autovacuum_vacuum_scale_factor", "100.0", true),
            ("autovacuum_vacuum_scale_factor", "-1", false),
            ("vacuum_index_cleanup", "AUTO", true),
            ("vacuum_index_cleanup", "never", false),
            ("deduplicate_items", "on", false),
            ("toast.autovacuum_enabled", "on", true),
            ("toast.fillfactor", "50", false),
            ("other.fillfactor", "50", false),
            ("oids", "false", true),
            ("oids", "true", false),
        ] {
            assert_eq!(checked(&[parameter(name, Some(value))], Target::Table).is_ok(), fits, "{name} = {value}");
        }
        assert!(checked(&[parameter("deduplicate_items", None)], Target::Index).is_ok());
        assert!(checked(&[parameter("n_distinct", Some("-1.5"))], Target::Column).is_err());
    }

    #[test]
    fn what_is_set_again_goes_behind_what_stays() {
        let first =
            checked(&[parameter("fillfactor", Some("30")), parameter("parallel_workers", Some("2"))], Target::Table)
                .unwrap();
        let second = set(&first, &[parameter("fillfactor", Some("40"))], Target::Table).unwrap();
        let names: Vec<&str> = second.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["parallel_workers", "fillfactor"]);
        let kept = reset(&second, &[parameter("fillfactor", None), parameter("nothing", None)], Target::Table).unwrap();
        assert_eq!(kept.len(), 1);
        assert!(set(&first, &[parameter("fillfactor", None), parameter("fillfactor", None)], Target::Table).is_err());
    }
}
