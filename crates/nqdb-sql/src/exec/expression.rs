//! Compiled expressions: what [`crate::ir::Expr`] becomes once every column has a slot.
//!
//! What always holds:
//! 1. Evaluation reads slots, parameters and subplans; it writes only the slot of a CASE operand.
//! 2. AND, OR, CASE, COALESCE and IN go from left to right and stop as soon as the result is known.
//! 3. Comparisons of one representation skip the function call; they order exactly as the function does.

use std::cmp::Ordering;
use std::sync::Arc;

use nqdb_functions::{CastMethod, Function, FunctionContext, apply_cast, is_object_reference};
use nqdb_sqlstate::{SqlError, SqlResult};
use nqdb_types::array::element_type;
use nqdb_types::{Datum, FormatContext, Oid, Record, RecordShape, Type, apply_typmod, parse_text, write_text};

use super::array::{self, EvalSubscript};
use super::constant_set::ConstantSet;
use super::domain::DomainCheck;
use super::evaluation::Evaluation;
use super::json_path;
use super::record;

/// A slot of the row frame.
pub(crate) type Slot = usize;

/// An expression that is ready to run.
#[derive(Clone, Debug)]
pub(crate) enum Eval {
    Constant(Datum),
    Param(usize),
    Slot(Slot),
    Call1 {
        function: &'static Function,
        arg: Box<Eval>,
    },
    Call2 {
        function: &'static Function,
        args: Box<[Eval; 2]>,
    },
    Call {
        function: &'static Function,
        args: Box<[Eval]>,
    },
    /// A call of a function that looks at the types of its arguments.
    TypedCall {
        function: &'static Function,
        args: Box<[Eval]>,
        types: Box<[Type]>,
    },
    /// `=`, `<` and the like, where the datums compare without a function.
    Compare {
        comparison: Comparison,
        type_oid: Oid,
        args: Box<[Eval; 2]>,
    },
    Convert {
        arg: Box<Eval>,
        convert: fn(&Datum) -> SqlResult<Datum>,
    },
    ViaText {
        arg: Box<Eval>,
        from: Type,
        to: Type,
    },
    Typmod {
        arg: Box<Eval>,
        ty: Type,
        explicit: bool,
    },
    And(Box<[Eval]>),
    Or(Box<[Eval]>),
    Not(Box<Eval>),
    IsNull {
        arg: Box<Eval>,
        negated: bool,
    },
    IsBool {
        arg: Box<Eval>,
        value: Option<bool>,
        negated: bool,
    },
    IsDistinct {
        args: Box<[Eval; 2]>,
        equal: Equality,
        negated: bool,
    },
    NullIf {
        args: Box<[Eval; 2]>,
        equal: Equality,
    },
    /// The operand, if any, is kept in its slot while the arms run.
    Case {
        operand: Option<(Slot, Box<Eval>)>,
        arms: Box<[(Eval, Eval)]>,
        otherwise: Option<Box<Eval>>,
    },
    Coalesce(Box<[Eval]>),
    MinMax {
        args: Box<[Eval]>,
        greatest: bool,
        type_oid: Oid,
    },
    InList {
        arg: Box<Eval>,
        list: Box<[Eval]>,
        equal: Equality,
        negated: bool,
    },
    /// IN over a long list of constants.
    InSet {
        arg: Box<Eval>,
        set: ConstantSet,
        negated: bool,
    },
    ScalarSubquery(usize),
    Exists(usize),
    Quantified {
        arg: Box<Eval>,
        function: Equality,
        subplan: usize,
        all: bool,
    },
    QuantifiedArray {
        arg: Box<Eval>,
        function: Equality,
        array: Box<Eval>,
        all: bool,
    },
    Array {
        items: Box<[Eval]>,
        element_type: Oid,
        nested: bool,
    },
    ArraySubquery {
        subplan: usize,
        element_type: Oid,
        nested: bool,
    },
    Subscript {
        array: Box<Eval>,
        subscripts: Box<[EvalSubscript]>,
    },
    AssignSubscript {
        array: Box<Eval>,
        subscripts: Box<[EvalSubscript]>,
        value: Box<Eval>,
        element_type: Oid,
    },
    /// A jsonb with a value at the end of a path of texts and integers.
    AssignJson {
        json: Box<Eval>,
        path: Box<[Eval]>,
        starts_as_array: bool,
        value: Box<Eval>,
    },
    AssignField {
        record: Box<Eval>,
        index: usize,
        value: Box<Eval>,
        shape: Arc<RecordShape>,
    },
    /// The element at hand is kept in the slot.
    MapElements {
        array: Box<Eval>,
        slot: Slot,
        element: Box<Eval>,
        element_type: Oid,
    },
    Row {
        fields: Box<[Eval]>,
        shape: Arc<RecordShape>,
        absent_if_null: bool,
    },
    Field {
        record: Box<Eval>,
        index: usize,
    },
    /// A value that must meet the rules of a domain.
    Domain(Box<DomainCheck>),
    /// The same array under another element type (`varchar[]` as `text[]`).
    RelabelArray {
        arg: Box<Eval>,
        element_type: Oid,
    },
}

/// A comparison operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Less,
    LessEqual,
    Equal,
    NotEqual,
    GreaterEqual,
    Greater,
}

impl Comparison {
    /// Whether the operator holds for two values in this order.
    pub fn holds(self, ordering: Ordering) -> bool {
        match self {
            Comparison::Less => ordering.is_lt(),
            Comparison::LessEqual => ordering.is_le(),
            Comparison::Equal => ordering.is_eq(),
            Comparison::NotEqual => ordering.is_ne(),
            Comparison::GreaterEqual => ordering.is_ge(),
            Comparison::Greater => ordering.is_gt(),
        }
    }

    /// The operator with its sides exchanged: `a < b` is `b > a`.
    pub fn commuted(self) -> Comparison {
        match self {
            Comparison::Less => Comparison::Greater,
            Comparison::LessEqual => Comparison::GreaterEqual,
            Comparison::GreaterEqual => Comparison::LessEqual,
            Comparison::Greater => Comparison::Less,
            Comparison::Equal | Comparison::NotEqual => self,
        }
    }
}

/// A comparison of two values by datum order or, where that does not fit, by its function.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Equality {
    Datums { comparison: Comparison, type_oid: Oid },
    Function(&'static Function),
}

impl Equality {
    /// Three-valued: `None` when the comparison yields NULL.
    pub fn test(&self, left: &Datum, right: &Datum, rt: &mut impl Evaluation) -> SqlResult<Option<bool>> {
        match self {
            Equality::Datums { comparison, type_oid } => {
                if left.is_null() || right.is_null() {
                    return Ok(None);
                }
                Ok(Some(comparison.holds(left.compare_as(right, *type_oid))))
            }
            Equality::Function(function) => {
                let result = rt.call(function, &[left.clone(), right.clone()])?;
                Ok(result.as_bool())
            }
        }
    }
}

/// A three-valued boolean as a datum.
fn boolean(value: Option<bool>) -> Datum {
    value.map_or(Datum::Null, Datum::Bool)
}

impl Eval {
    /// The value of the expression over the current slots.
    pub fn eval(&self, rt: &mut impl Evaluation) -> SqlResult<Datum> {
        match self {
            Eval::Constant(datum) => Ok(datum.clone()),
            Eval::Param(index) => rt.param(*index).cloned(),
            Eval::Slot(slot) => Ok(rt.slot(*slot).clone()),
            Eval::Call1 { function, arg } => {
                let arg = arg.eval(rt)?;
                rt.call(function, &[arg])
            }
            Eval::Call2 { function, args } => {
                let left = args[0].eval(rt)?;
                let right = args[1].eval(rt)?;
                rt.call(function, &[left, right])
            }
            Eval::Call { function, args } => {
                let args = args.iter().map(|arg| arg.eval(rt)).collect::<SqlResult<Vec<Datum>>>()?;
                rt.call(function, &args)
            }
            Eval::TypedCall { function, args, types } => {
                let args = args.iter().map(|arg| arg.eval(rt)).collect::<SqlResult<Vec<Datum>>>()?;
                rt.with_functions(|outer| {
                    let mut functions = FunctionContext {
                        format: outer.format,
                        transaction_time_micros: outer.transaction_time_micros,
                        statement_time_micros: outer.statement_time_micros,
                        session: outer.session,
                        argument_types: types,
                        result_columns: &[],
                    };
                    (function.eval)(&mut functions, &args)
                })
            }
            Eval::Convert { arg, convert } => {
                let value = arg.eval(rt)?;
                if value.is_null() { Ok(value) } else { convert(&value) }
            }
            Eval::ViaText { arg, from, to } => {
                let value = arg.eval(rt)?;
                via_text(&value, *from, *to, rt)
            }
            Eval::Typmod { arg, ty, explicit } => {
                let value = arg.eval(rt)?;
                if value.is_null() { Ok(value) } else { apply_typmod(value, *ty, *explicit) }
            }
            Eval::IsDistinct { args, equal, negated } => {
                let left = args[0].eval(rt)?;
                let right = args[1].eval(rt)?;
                let distinct = match (left.is_null(), right.is_null()) {
                    (true, true) => false,
                    (false, false) => equal.test(&left, &right, rt)? != Some(true),
                    _ => true,
                };
                Ok(Datum::Bool(distinct != *negated))
            }
            Eval::NullIf { args, equal } => {
                let left = args[0].eval(rt)?;
                let right = args[1].eval(rt)?;
                let same = equal.test(&left, &right, rt)? == Some(true);
                Ok(if same { Datum::Null } else { left })
            }
            Eval::Case { operand, arms, otherwise } => {
                if let Some((slot, operand)) = operand {
                    let operand = operand.eval(rt)?;
                    rt.set_slot(*slot, operand);
                }
                for (condition, result) in arms {
                    if condition.test(rt)? == Some(true) {
                        return result.eval(rt);
                    }
                }
                otherwise.as_ref().map_or(Ok(Datum::Null), |otherwise| otherwise.eval(rt))
            }
            Eval::Coalesce(args) => {
                for arg in args {
                    let value = arg.eval(rt)?;
                    if !value.is_null() {
                        return Ok(value);
                    }
                }
                Ok(Datum::Null)
            }
            Eval::MinMax { args, greatest, type_oid } => min_max(args, *greatest, *type_oid, rt),
            Eval::ScalarSubquery(subplan) => rt.scalar_subquery(*subplan),
            Eval::Array { items, element_type, nested } => array::construct(items, *element_type, *nested, rt),
            Eval::ArraySubquery { subplan, element_type, nested } => {
                rt.array_subquery(*subplan, *element_type, *nested)
            }
            Eval::Subscript { array, subscripts } => array::subscript(array, subscripts, rt),
            Eval::AssignSubscript { array, subscripts, value, element_type } => {
                array::assign(array, subscripts, value, *element_type, rt)
            }
            Eval::MapElements { array, slot, element, element_type } => {
                array::map_elements(array, *slot, element, *element_type, rt)
            }
            Eval::Row { fields, shape, absent_if_null } => {
                let values = fields.iter().map(|field| field.eval(rt)).collect::<SqlResult<Vec<Datum>>>()?;
                if *absent_if_null && values.iter().all(Datum::is_null) {
                    return Ok(Datum::Null);
                }
                Record::new(Arc::clone(shape), values).map(Datum::record)
            }
            Eval::AssignJson { json, path, starts_as_array, value } => {
                json_path::assign(json, path, *starts_as_array, value, rt)
            }
            Eval::Field { record, index } => record::field(record, *index, rt),
            Eval::AssignField { record, index, value, shape } => record::assign_field(record, *index, value, shape, rt),
            Eval::Domain(check) => check.eval(rt),
            Eval::RelabelArray { arg, element_type } => Ok(match arg.eval(rt)? {
                Datum::Array(array) => Datum::array(array.relabelled(*element_type)),
                other => other,
            }),
            Eval::Compare { .. }
            | Eval::And(_)
            | Eval::Or(_)
            | Eval::Not(_)
            | Eval::IsNull { .. }
            | Eval::IsBool { .. }
            | Eval::InList { .. }
            | Eval::InSet { .. }
            | Eval::Exists(_)
            | Eval::QuantifiedArray { .. }
            | Eval::Quantified { .. } => Ok(boolean(self.test(rt)?)),
        }
    }

    /// The value of a boolean expression, `None` for NULL.
    pub fn test(&self, rt: &mut impl Evaluation) -> SqlResult<Option<bool>> {
        match self {
            Eval::Compare { comparison, type_oid, args } => compare(*comparison, *type_oid, args, rt),
            Eval::And(args) => {
                let mut result = Some(true);
                for arg in args {
                    match arg.test(rt)? {
                        Some(true) => {}
                        Some(false) => return Ok(Some(false)),
                        None => result = None,
                    }
                }
                Ok(result)
            }
            Eval::Or(args) => {
                let mut result = Some(false);
                for arg in args {
                    match arg.test(rt)? {
                        Some(false) => {}
                        Some(true) => return Ok(Some(true)),
                        None => result = None,
                    }
                }
                Ok(result)
            }
            Eval::Not(arg) => Ok(arg.test(rt)?.map(|value| !value)),
            Eval::IsNull { arg, negated } => Ok(Some(record::is_null(&arg.eval(rt)?, *negated))),
            Eval::IsBool { arg, value, negated } => Ok(Some((arg.test(rt)? == *value) != *negated)),
            Eval::InList { arg, list, equal, negated } => {
                let arg = arg.eval(rt)?;
                let mut result = Some(false);
                for item in list {
                    let item = item.eval(rt)?;
                    match equal.test(&arg, &item, rt)? {
                        Some(true) => return Ok(Some(!*negated)),
                        Some(false) => {}
                        None => result = None,
                    }
                }
                Ok(result.map(|value| value != *negated))
            }
            Eval::InSet { arg, set, negated } => {
                let arg = arg.eval(rt)?;
                let found = !arg.is_null() && set.contains(&arg);
                let unknown = arg.is_null() || (!found && set.has_null);
                Ok((!unknown).then_some(found != *negated))
            }
            Eval::Exists(subplan) => rt.exists(*subplan).map(Some),
            Eval::QuantifiedArray { arg, function, array, all } => array::quantified(arg, function, array, *all, rt),
            Eval::Quantified { arg, function, subplan, all } => {
                let arg = arg.eval(rt)?;
                rt.quantified(*subplan, &arg, function, *all)
            }
            _ => match self.eval(rt)? {
                Datum::Bool(value) => Ok(Some(value)),
                Datum::Null => Ok(None),
                other => Err(SqlError::internal(format!("a condition has the value {other:?}"))),
            },
        }
    }

    /// Whether the row passes: NULL does not.
    pub fn passes(&self, rt: &mut impl Evaluation) -> SqlResult<bool> {
        Ok(self.test(rt)? == Some(true))
    }
}

/// Compares two expressions; a slot and a constant, the usual pair, are not cloned.
fn compare(
    comparison: Comparison,
    type_oid: Oid,
    args: &[Eval; 2],
    rt: &mut impl Evaluation,
) -> SqlResult<Option<bool>> {
    let holds = |left: &Datum, right: &Datum| {
        if left.is_null() || right.is_null() {
            return None;
        }
        Some(comparison.holds(left.compare_as(right, type_oid)))
    };
    match args {
        [Eval::Slot(left), Eval::Constant(right)] => Ok(holds(rt.slot(*left), right)),
        [Eval::Slot(left), Eval::Slot(right)] => Ok(holds(rt.slot(*left), rt.slot(*right))),
        [Eval::Slot(left), Eval::Param(right)] => Ok(holds(rt.slot(*left), rt.param(*right)?)),
        [left, right] => {
            let left = left.eval(rt)?;
            let right = right.eval(rt)?;
            Ok(holds(&left, &right))
        }
    }
}

/// Output function, then input function.
fn via_text(value: &Datum, from: Type, to: Type, rt: &mut impl Evaluation) -> SqlResult<Datum> {
    if value.is_null() {
        return Ok(Datum::Null);
    }
    if names_objects(from.oid) || names_objects(to.oid) {
        return rt.with_functions(|functions| apply_cast(CastMethod::ViaText, value, from, to, functions));
    }
    rt.with_functions(|functions| via_text_of(value, from, to, functions.format))
}

fn via_text_of(value: &Datum, from: Type, to: Type, format: &FormatContext) -> SqlResult<Datum> {
    if let Some(text) = value.as_text() {
        return parse_text(text, to, format);
    }
    let mut bytes = Vec::new();
    write_text(&mut bytes, value, from, format);
    let text = std::str::from_utf8(&bytes).map_err(|_| SqlError::internal("an output function wrote no UTF-8"))?;
    parse_text(text, to, format)
}

/// Whether values of the type, or elements of the array type, are spelled by the names of catalog objects.
fn names_objects(type_oid: Oid) -> bool {
    is_object_reference(element_type(type_oid).unwrap_or(type_oid))
}

/// GREATEST and LEAST: NULLs are ignored.
fn min_max(args: &[Eval], greatest: bool, type_oid: Oid, rt: &mut impl Evaluation) -> SqlResult<Datum> {
    let mut best = Datum::Null;
    for arg in args {
        let value = arg.eval(rt)?;
        if value.is_null() {
            continue;
        }
        let ordering = value.compare_as(&best, type_oid);
        if best.is_null() || (if greatest { ordering.is_gt() } else { ordering.is_lt() }) {
            best = value;
        }
    }
    Ok(best)
}
