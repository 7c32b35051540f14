//! Values that become values of a domain: its NOT NULL, then its checks.

use std::sync::Arc;

use nqdb_sqlstate::{CHECK_VIOLATION, NOT_NULL_VIOLATION, SqlError, SqlResult};
use nqdb_types::Datum;

use super::evaluation::Evaluation;
use super::expression::{Eval, Slot};
use crate::ir::{DomainRules, RuleStep};

/// The conversion of a value to a domain, or of its parts.
#[derive(Clone, Debug)]
pub(crate) struct DomainCheck {
    pub arg: Eval,
    /// Where the checks find the value.
    pub slot: Slot,
    pub checks: Box<[Eval]>,
    pub rules: Arc<DomainRules>,
}

impl DomainCheck {
    /// The value, if it meets the rules; else 23502 or 23514.
    pub(super) fn eval(&self, rt: &mut impl Evaluation) -> SqlResult<Datum> {
        let value = self.arg.eval(rt)?;
        self.test_parts(&value, &self.rules.path, rt)?;
        Ok(value)
    }

    /// Tests what the steps lead to; nothing within a NULL.
    fn test_parts(&self, value: &Datum, path: &[RuleStep], rt: &mut impl Evaluation) -> SqlResult<()> {
        match (path.split_first(), value) {
            (None, _) => self.test(value, rt),
            (Some((RuleStep::Elements, rest)), Datum::Array(array)) => {
                array.elements().iter().try_for_each(|element| self.test_parts(element, rest, rt))
            }
            (Some((RuleStep::Field(index), rest)), Datum::Record(record)) => match record.values().get(*index) {
                Some(field) => self.test_parts(field, rest, rt),
                None => Err(SqlError::internal(format!("a record has no field {index}"))),
            },
            _ => Ok(()),
        }
    }

    fn test(&self, value: &Datum, rt: &mut impl Evaluation) -> SqlResult<()> {
        let rules = &self.rules;
        if rules.not_null && value.is_null() {
            let message = format!("domain {} does not allow null values", rules.display);
            return Err(self.of_domain(SqlError::new(NOT_NULL_VIOLATION, message)));
        }
        if self.checks.is_empty() {
            return Ok(());
        }
        rt.set_slot(self.slot, value.clone());
        for (check, known) in self.checks.iter().zip(&rules.checks) {
            if check.test(rt)? == Some(false) {
                let name = &known.name;
                let message = format!("value for domain {} violates check constraint \"{name}\"", rules.display);
                return Err(self.of_domain(SqlError::new(CHECK_VIOLATION, message)).with_constraint(name));
            }
        }
        Ok(())
    }

    fn of_domain(&self, error: SqlError) -> SqlError {
        error.with_schema(&self.rules.schema).with_data_type(&self.rules.type_name)
    }
}
