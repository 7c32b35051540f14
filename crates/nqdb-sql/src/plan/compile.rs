//! From a typed expression to one that runs over slots.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use foldhash::fast::RandomState;
use nqdb_functions::{Function, all_operators};
use nqdb_sqlstate::{SqlError, SqlResult};
use nqdb_types::array::element_type;
use nqdb_types::{Oid, oid};

use super::mentions::{free_columns, locks_rows, query_is_volatile};
use super::slots::Planner;
use crate::exec::{Comparison, ConstantSet, DomainCheck, Equality, Eval, EvalSubscript, Subplan};
use crate::ir::{ColumnId, Expr, ExprKind, Query, Subscript};

/// `txid_current()` and `pg_current_xact_id()`, by their numbers in `pg_proc`.
const TRANSACTION_NUMBER: [Oid; 2] = [2943, 5059];

/// A comparison operator and the types of its sides.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ComparisonOperator {
    pub comparison: Comparison,
    pub left: Oid,
    pub right: Oid,
}

/// What a function is as a comparison operator.
pub(crate) fn comparison_of(function: &Function) -> Option<ComparisonOperator> {
    static COMPARISONS: OnceLock<HashMap<Oid, ComparisonOperator, RandomState>> = OnceLock::new();
    let comparisons = COMPARISONS.get_or_init(|| {
        all_operators()
            .filter_map(|operator| {
                let comparison = match operator.name {
                    "<" => Comparison::Less,
                    "<=" => Comparison::LessEqual,
                    "=" => Comparison::Equal,
                    "<>" => Comparison::NotEqual,
                    ">=" => Comparison::GreaterEqual,
                    ">" => Comparison::Greater,
                    _ => return None,
                };
                let entry = ComparisonOperator { comparison, left: operator.left?, right: operator.right };
                Some((operator.function.oid, entry))
            })
            .collect()
    });
    comparisons.get(&function.oid).copied()
}

pub(crate) fn is_integer(type_oid: Oid) -> bool {
    matches!(type_oid, oid::INT2 | oid::INT4 | oid::INT8)
}

/// Types whose values are plain text compared byte by byte.
pub(crate) fn is_plain_text(type_oid: Oid) -> bool {
    matches!(type_oid, oid::TEXT | oid::VARCHAR | oid::NAME)
}

/// Whether values of the two types compare by their datums as their operator does.
fn compares_as_datums(left: Oid, right: Oid) -> bool {
    let is_float = |type_oid| matches!(type_oid, oid::FLOAT4 | oid::FLOAT8);
    left == right
        || (is_integer(left) && is_integer(right))
        || (is_float(left) && is_float(right))
        || (is_plain_text(left) && is_plain_text(right))
}

/// How a comparison function is run.
pub(crate) fn equality(function: &'static Function) -> Equality {
    match comparison_of(function) {
        // Records of different shapes have to be refused, which the function does.
        Some(operator) if operator.left != oid::RECORD && compares_as_datums(operator.left, operator.right) => {
            Equality::Datums { comparison: operator.comparison, type_oid: operator.left }
        }
        _ => Equality::Function(function),
    }
}

/// The element type of an expression that is an array.
fn element_of(expr: &Expr) -> SqlResult<Oid> {
    element_type(expr.ty.oid).ok_or_else(|| SqlError::internal(format!("{} is no array type", expr.ty.name())))
}

impl Planner<'_> {
    /// Compiles a list.
    pub fn compile_all<'e>(&mut self, exprs: impl IntoIterator<Item = &'e Expr>) -> SqlResult<Box<[Eval]>> {
        exprs.into_iter().map(|expr| self.compile(expr)).collect()
    }

    fn compile_pair(&mut self, left: &Expr, right: &Expr) -> SqlResult<Box<[Eval; 2]>> {
        Ok(Box::new([self.compile(left)?, self.compile(right)?]))
    }

    fn compile_box(&mut self, expr: &Expr) -> SqlResult<Box<Eval>> {
        self.compile(expr).map(Box::new)
    }

    /// The conjunction of some conditions; none when there are none.
    pub fn compile_conjunction(&mut self, conditions: &[Expr]) -> SqlResult<Option<Eval>> {
        match conditions {
            [] => Ok(None),
            [condition] => self.compile(condition).map(Some),
            _ => Ok(Some(Eval::And(self.compile_all(conditions)?))),
        }
    }

    /// Compiles an expression; all its columns have slots.
    pub fn compile(&mut self, expr: &Expr) -> SqlResult<Eval> {
        Ok(match &expr.kind {
            ExprKind::Literal(datum) => Eval::Constant(datum.clone()),
            ExprKind::Param(index) => Eval::Param(usize::from(*index)),
            ExprKind::Column(id) => Eval::Slot(self.slot(*id)?),
            ExprKind::Call { function, args } => self.compile_call(function, args)?,
            ExprKind::Relabel(arg) => match (element_type(arg.ty.oid), element_type(expr.ty.oid)) {
                (Some(from), Some(element_type)) if from != element_type => {
                    Eval::RelabelArray { arg: self.compile_box(arg)?, element_type }
                }
                _ => self.compile(arg)?,
            },
            ExprKind::Convert { arg, convert } => Eval::Convert { arg: self.compile_box(arg)?, convert: *convert },
            ExprKind::ViaText(arg) => Eval::ViaText { from: arg.ty, to: expr.ty, arg: self.compile_box(arg)? },
            ExprKind::Typmod { arg, explicit } => {
                Eval::Typmod { arg: self.compile_box(arg)?, ty: expr.ty, explicit: *explicit }
            }
            ExprKind::And(args) => Eval::And(self.compile_all(args)?),
            ExprKind::Or(args) => Eval::Or(self.compile_all(args)?),
            ExprKind::Not(arg) => Eval::Not(self.compile_box(arg)?),
            ExprKind::IsNull { arg, negated } => Eval::IsNull { arg: self.compile_box(arg)?, negated: *negated },
            ExprKind::IsBool { arg, value, negated } => {
                Eval::IsBool { arg: self.compile_box(arg)?, value: *value, negated: *negated }
            }
            ExprKind::IsDistinct { left, right, equal, negated } => {
                let args = self.compile_pair(left, right)?;
                Eval::IsDistinct { args, equal: equality(equal), negated: *negated }
            }
            ExprKind::NullIf { left, right, equal } => {
                Eval::NullIf { args: self.compile_pair(left, right)?, equal: equality(equal) }
            }
            ExprKind::Case { operand, arms, otherwise } => {
                self.compile_case(operand.as_deref(), arms, otherwise.as_deref())?
            }
            ExprKind::CaseOperand => {
                let slot = self.case_slots.last().copied();
                Eval::Slot(slot.ok_or_else(|| SqlError::internal("a CASE operand outside of CASE"))?)
            }
            ExprKind::Coalesce(args) => Eval::Coalesce(self.compile_all(args)?),
            ExprKind::MinMax { args, greatest, .. } => {
                Eval::MinMax { args: self.compile_all(args)?, greatest: *greatest, type_oid: expr.ty.oid }
            }
            ExprKind::InList { arg, list, equal, negated } => {
                let (arg, list, equal) = (self.compile_box(arg)?, self.compile_all(list)?, equality(equal));
                let set = match equal {
                    Equality::Datums { comparison: Comparison::Equal, type_oid } => ConstantSet::of(&list, type_oid),
                    _ => None,
                };
                match set {
                    Some(set) => Eval::InSet { arg, set, negated: *negated },
                    None => Eval::InList { arg, list, equal, negated: *negated },
                }
            }
            ExprKind::ScalarSubquery(query) => Eval::ScalarSubquery(self.compile_subquery(query, None, false)?),
            ExprKind::Exists(query) => Eval::Exists(self.compile_subquery(query, None, true)?),
            ExprKind::Quantified { arg, function, query, all } => {
                let arg = self.compile_box(arg)?;
                let function = equality(function);
                let hashes = match &function {
                    Equality::Datums { comparison: Comparison::Equal, type_oid } if !*all => Some(*type_oid),
                    _ => None,
                };
                let subplan = self.compile_subquery(query, hashes, false)?;
                Eval::Quantified { arg, function, subplan, all: *all }
            }
            ExprKind::QuantifiedArray { arg, function, array, all } => Eval::QuantifiedArray {
                arg: self.compile_box(arg)?,
                function: equality(function),
                array: self.compile_box(array)?,
                all: *all,
            },
            ExprKind::Array { items, nested } => {
                Eval::Array { items: self.compile_all(items)?, element_type: element_of(expr)?, nested: *nested }
            }
            ExprKind::ArraySubquery(query) => Eval::ArraySubquery {
                element_type: element_of(expr)?,
                nested: query.output.first().is_some_and(|column| column.ty.oid == expr.ty.oid),
                subplan: self.compile_subquery(query, None, false)?,
            },
            ExprKind::Subscript { array, subscripts } => {
                Eval::Subscript { array: self.compile_box(array)?, subscripts: self.compile_subscripts(subscripts)? }
            }
            ExprKind::AssignSubscript { array, subscripts, value } if expr.ty.oid == oid::JSONB => Eval::AssignJson {
                json: self.compile_box(array)?,
                starts_as_array: subscripts
                    .first()
                    .and_then(|first| first.upper.as_ref())
                    .is_some_and(|first| first.ty.oid == oid::INT4),
                path: self.compile_all(subscripts.iter().flat_map(Subscript::bounds))?,
                value: self.compile_box(value)?,
            },
            ExprKind::AssignSubscript { array, subscripts, value } => Eval::AssignSubscript {
                element_type: element_of(expr)?,
                array: self.compile_box(array)?,
                subscripts: self.compile_subscripts(subscripts)?,
                value: self.compile_box(value)?,
            },
            ExprKind::MapElements { array, element } => {
                let array = self.compile_box(array)?;
                let slot = self.new_slot();
                self.case_slots.push(slot);
                let element = self.compile_box(element);
                self.case_slots.pop();
                Eval::MapElements { array, slot, element: element?, element_type: element_of(expr)? }
            }
            ExprKind::Row { fields, shape, absent_if_null } => Eval::Row {
                fields: self.compile_all(fields)?,
                shape: Arc::clone(shape),
                absent_if_null: *absent_if_null,
            },
            ExprKind::Domain { arg, rules } => Eval::Domain(Box::new(DomainCheck {
                arg: self.compile(arg)?,
                slot: self.define(rules.value, rules.ty),
                checks: rules.checks.iter().map(|check| self.compile(&check.predicate)).collect::<SqlResult<_>>()?,
                rules: Arc::clone(rules),
            })),
            ExprKind::Field { record, index, .. } => Eval::Field { record: self.compile_box(record)?, index: *index },
            ExprKind::AssignField { record, index, value, shape } => Eval::AssignField {
                record: self.compile_box(record)?,
                index: *index,
                value: self.compile_box(value)?,
                shape: Arc::clone(shape),
            },
        })
    }

    fn compile_subscripts(&mut self, subscripts: &[Subscript]) -> SqlResult<Box<[EvalSubscript]>> {
        let mut bound = |bound: &Option<Expr>| bound.as_ref().map(|bound| self.compile(bound)).transpose();
        let compile = |subscript: &Subscript| {
            let (lower, upper) = (bound(&subscript.lower)?, bound(&subscript.upper)?);
            Ok(EvalSubscript { lower, upper, is_slice: subscript.is_slice })
        };
        subscripts.iter().map(compile).collect()
    }

    fn compile_call(&mut self, function: &'static Function, args: &[Expr]) -> SqlResult<Eval> {
        self.needs_number |= TRANSACTION_NUMBER.contains(&function.oid);
        if let ([left, right], Equality::Datums { comparison, type_oid }) = (args, equality(function)) {
            return Ok(Eval::Compare { comparison, type_oid, args: self.compile_pair(left, right)? });
        }
        if function.needs_argument_types() {
            let types = args.iter().map(|arg| arg.ty).collect();
            return Ok(Eval::TypedCall { function, args: self.compile_all(args)?, types });
        }
        Ok(match args {
            [arg] => Eval::Call1 { function, arg: self.compile_box(arg)? },
            [left, right] => Eval::Call2 { function, args: self.compile_pair(left, right)? },
            _ => Eval::Call { function, args: self.compile_all(args)? },
        })
    }

    fn compile_case(
        &mut self,
        operand: Option<&Expr>,
        arms: &[(Expr, Expr)],
        otherwise: Option<&Expr>,
    ) -> SqlResult<Eval> {
        let operand = match operand {
            Some(operand) => {
                let operand = self.compile_box(operand)?;
                Some((self.new_slot(), operand))
            }
            None => None,
        };
        self.case_slots.extend(operand.as_ref().map(|(slot, _)| *slot));
        let compiled = arms
            .iter()
            .map(|(condition, result)| Ok((self.compile(condition)?, self.compile(result)?)))
            .collect::<SqlResult<Box<[(Eval, Eval)]>>>();
        let otherwise = otherwise.map(|otherwise| self.compile_box(otherwise)).transpose();
        if operand.is_some() {
            self.case_slots.pop();
        }
        Ok(Eval::Case { operand, arms: compiled?, otherwise: otherwise? })
    }

    /// The outer columns that decide what a correlated subquery answers, where nothing else does.
    fn memo_slots(&self, query: &Query) -> SqlResult<Option<Box<[usize]>>> {
        if query_is_volatile(query) || self.reads_dependent_rows(query) {
            return Ok(None);
        }
        let mut outer: Vec<ColumnId> = free_columns(query).into_iter().collect();
        outer.sort_unstable();
        Ok(if outer.is_empty() { None } else { Some(self.slots(&outer)?) })
    }

    fn compile_subquery(&mut self, query: &Query, hash_type: Option<Oid>, exists: bool) -> SqlResult<usize> {
        let root = self.plan_query(query, exists.then_some(1.0))?;
        let correlated = self.depends_on_surroundings(query);
        let column = match query.output.first() {
            Some(column) if !exists => Some(self.slot(column.id)?),
            _ => None,
        };
        let mut root = root;
        if locks_rows(&query.rel) && !correlated {
            root = self.plan_early(root, column)?;
        }
        let memo_slots = self.memo_slots(query)?;
        self.subplans.push(Subplan { root: root.node, column, correlated, memo_slots, hash_type });
        Ok(self.subplans.len() - 1)
    }
}
