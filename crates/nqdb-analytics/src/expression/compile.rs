//! From the Bound IR's expressions to those that run over batches.
//!
//! Constants are folded: a call whose arguments are all known is made once, here. When it fails, the error waits in the
//! expression for a row that asks for it.

use std::cell::Cell;
use std::collections::HashMap;

use nqdb_functions::Function;
use nqdb_sql::ir::{ColumnId, Expr, ExprKind, Query};
use nqdb_sqlstate::{SqlError, SqlResult};
use nqdb_types::{Datum, Type, type_info};

use super::by_row::takes_records;
use super::call::is_equality;
use super::evaluate::Rows;
use super::{EvalContext, Expression, Node, RowOperation};
use crate::column::datum_at;
use crate::failure::{Failure, Outcome};
use crate::shape::{Key, Repr, Shape};

/// What an expression wants of a subquery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Wanted {
    /// The value of its only row.
    Value,
    /// Whether there is a row.
    Existence,
    /// The values of all rows, as an array.
    List,
}

/// The values of subqueries, by [`subquery_key`].
pub(crate) type SubqueryValues = HashMap<(ColumnId, Wanted), SqlResult<Datum>>;

/// What names a subquery of an expression: its first column, which no other query of the statement defines, and what is wanted
/// of it. Copies of an expression mean the same subquery.
pub(crate) fn subquery_key(query: &Query, wanted: Wanted) -> Option<(ColumnId, Wanted)> {
    query.output.first().map(|column| (column.id, wanted))
}

/// Where the columns of a relation are in its batches.
#[derive(Clone, Debug, Default)]
pub(crate) struct Columns(HashMap<ColumnId, (usize, Shape), foldhash::fast::RandomState>);

/// What is known when a query is lowered.
pub(crate) struct Constants {
    pub params: std::sync::Arc<[Datum]>,
    pub cx: std::sync::Arc<EvalContext>,
    /// Values of the uncorrelated subqueries.
    pub subqueries: SubqueryValues,
    /// A decimal may turn out too long: the query may decline after it has begun.
    pub may_decline: Cell<bool>,
}

/// Compiles expressions over one relation's columns.
pub(crate) struct Compiler<'a> {
    pub columns: &'a Columns,
    pub constants: &'a Constants,
}

impl Columns {
    pub fn insert(&mut self, id: ColumnId, index: usize, shape: Shape) {
        self.0.insert(id, (index, shape));
    }

    pub fn get(&self, id: ColumnId) -> Option<(usize, Shape)> {
        self.0.get(&id).copied()
    }

    /// These columns, and others that stand behind `width` of them.
    pub fn extended(&self, width: usize, others: &Columns) -> Columns {
        let mut all = self.clone();
        all.0.extend(others.0.iter().map(|(id, (index, shape))| (*id, (index + width, *shape))));
        all
    }

    pub fn iter(&self) -> impl Iterator<Item = (ColumnId, usize, Shape)> + '_ {
        self.0.iter().map(|(id, (index, shape))| (*id, *index, *shape))
    }
}

impl Constants {
    pub fn new(
        params: std::sync::Arc<[Datum]>,
        cx: std::sync::Arc<EvalContext>,
        subqueries: SubqueryValues,
    ) -> Constants {
        Constants { params, cx, subqueries, may_decline: Cell::new(false) }
    }

    /// The value of a constant expression, for LIMIT and the like.
    pub fn value_of(&self, expr: &Expr) -> Outcome<Datum> {
        let compiler = Compiler { columns: &Columns::default(), constants: self };
        match compiler.compile(expr)?.node {
            Node::Constant(datum) => Ok(datum),
            Node::Raise(error) => Err(error.into()),
            _ => Err(Failure::Declined("a limit that is not constant")),
        }
    }
}

impl Compiler<'_> {
    pub fn compile(&self, expr: &Expr) -> Outcome<Expression> {
        self.compile_under(expr, None)
    }

    /// `operand` is that of the innermost CASE.
    fn compile_under(&self, expr: &Expr, operand: Option<&Expr>) -> Outcome<Expression> {
        let one = |arg: &Expr| self.compile_under(arg, operand);
        let all = |args: &[Expr]| args.iter().map(one).collect::<Outcome<Vec<Expression>>>();
        let ty = expr.ty;
        if takes_records(expr) {
            return self.by_row(expr);
        }
        Ok(match &expr.kind {
            ExprKind::Literal(datum) => Expression::constant(datum.clone(), ty),
            ExprKind::Param(index) => match self.constants.params.get(usize::from(*index)) {
                Some(datum) => Expression::constant(datum.clone(), ty),
                None => return Err(SqlError::internal("a parameter has no value").into()),
            },
            ExprKind::Column(id) => match self.columns.get(*id) {
                Some((index, shape)) => Expression::column(index, shape),
                None => return Err(Failure::Declined("a column of an outer query")),
            },
            ExprKind::Call { function, args } => {
                let types = args.iter().map(|arg| arg.ty).collect();
                self.call(function, all(args)?, types, ty)?
            }
            ExprKind::Relabel(arg) => relabelled(one(arg)?, ty),
            ExprKind::Convert { arg, convert } => self.row_wise(RowOperation::Convert(*convert), vec![one(arg)?], ty),
            ExprKind::ViaText(arg) if is_of_catalog(arg.ty) || is_of_catalog(ty) => {
                return Err(Failure::Declined("a value whose text only the catalog knows"));
            }
            ExprKind::ViaText(arg) => {
                self.row_wise(RowOperation::ViaText { from: arg.ty, to: ty }, vec![one(arg)?], ty)
            }
            ExprKind::Typmod { arg, explicit } => {
                self.row_wise(RowOperation::Typmod { ty, explicit: *explicit }, vec![one(arg)?], ty)
            }
            ExprKind::And(args) => junction(Node::And, all(args)?),
            ExprKind::Or(args) => junction(Node::Or, all(args)?),
            ExprKind::Not(arg) => self.folded(parent(Shape::BOOL, Node::Not, one(arg)?)),
            ExprKind::IsNull { arg, negated } => {
                self.folded(parent(Shape::BOOL, |arg| Node::IsNull { arg, negated: *negated }, one(arg)?))
            }
            ExprKind::IsBool { arg, value, negated } => {
                let node = |arg| Node::IsBool { arg, value: *value, negated: *negated };
                self.folded(parent(Shape::BOOL, node, one(arg)?))
            }
            ExprKind::IsDistinct { left, right, equal, negated } => {
                let operation = RowOperation::IsDistinct { equal: session_free(equal)?, negated: *negated };
                self.row_wise(operation, vec![one(left)?, one(right)?], ty)
            }
            ExprKind::NullIf { left, right, equal } => {
                let operation = RowOperation::NullIf { equal: session_free(equal)? };
                self.row_wise(operation, vec![one(left)?, one(right)?], ty)
            }
            ExprKind::MinMax { args, greatest, less } => {
                let operation = RowOperation::MinMax {
                    greatest: *greatest,
                    type_oid: session_free(less)?.args.first().copied().unwrap_or(ty.oid),
                };
                self.row_wise(operation, all(args)?, ty)
            }
            ExprKind::Case { operand: inner, arms, otherwise } => {
                let inner = inner.as_deref().map(|inner| resolved_operand(inner, operand)).transpose()?;
                let under = |arg: &Expr| self.compile_under(arg, inner.as_deref().or(operand));
                let arms = arms.iter().map(|(condition, result)| Ok((under(condition)?, under(result)?)));
                let arms = arms.collect::<Outcome<Vec<(Expression, Expression)>>>()?;
                self.case(arms, otherwise.as_deref().map(under).transpose()?, ty)
            }
            ExprKind::CaseOperand => match operand {
                Some(operand) => self.compile_under(operand, None)?,
                None => return Err(Failure::Declined("an operand outside of its CASE")),
            },
            ExprKind::Coalesce(args) => self.coalesce(all(args)?, ty),
            ExprKind::InList { arg, list, equal, negated } => {
                self.in_list(one(arg)?, all(list)?, session_free(equal)?, *negated)?
            }
            ExprKind::ScalarSubquery(query) => self.subquery(query, Wanted::Value, ty)?,
            ExprKind::Exists(query) => self.subquery(query, Wanted::Existence, ty)?,
            ExprKind::Quantified { arg, function, query, all: false } if is_equality(function) => {
                self.in_subquery(one(arg)?, query, function)?
            }
            _ => self.by_row(expr)?,
        })
    }

    /// `arg IN (query)`, where the query was run before.
    fn in_subquery(&self, arg: Expression, query: &Query, equal: &'static Function) -> Outcome<Expression> {
        let ty = query.output.first().map_or(arg.shape.ty, |column| column.ty);
        let values = self.subquery(query, Wanted::List, ty)?;
        let list = match &values.node {
            Node::Constant(Datum::Array(array)) => array.elements(),
            Node::Raise(_) => return Ok(Expression { shape: Shape::BOOL, ..values }),
            _ => return Err(SqlError::internal("the values of a subquery are no array").into()),
        };
        if list.is_empty() && !arg.can_fail {
            return Ok(Expression::constant(Datum::Bool(false), Type::BOOL));
        }
        let list = list.iter().map(|value| Expression::constant(value.clone(), ty)).collect();
        self.in_constants(arg, list, equal)
    }

    fn subquery(&self, query: &Query, wanted: Wanted, ty: Type) -> Outcome<Expression> {
        match subquery_key(query, wanted).and_then(|key| self.constants.subqueries.get(&key)) {
            Some(Ok(datum)) => Ok(Expression::constant(datum.clone(), ty)),
            Some(Err(error)) => Ok(raising(error.clone(), ty)),
            None => Err(Failure::Declined("a correlated subquery")),
        }
    }

    fn row_wise(&self, operation: RowOperation, args: Vec<Expression>, ty: Type) -> Expression {
        let shape = match &operation {
            RowOperation::Typmod { ty, .. } => Shape::of_column(*ty),
            RowOperation::NullIf { .. } => args.first().map_or(Shape::of_type(ty), |arg| arg.shape),
            _ => Shape::of_type(ty),
        };
        self.folded(Expression { node: Node::RowWise { operation, args }, shape, can_fail: true })
    }

    /// Evaluates an expression without columns, here and now.
    pub(super) fn folded(&self, expression: Expression) -> Expression {
        let mut is_constant = true;
        expression.for_each_child(&mut |child| is_constant &= matches!(child.node, Node::Constant(_)));
        if !is_constant || matches!(expression.node, Node::Column(_) | Node::Constant(_) | Node::Raise(_)) {
            return expression;
        }
        let rows = Rows { columns: Vec::new(), count: 1 };
        let ty = expression.shape.ty;
        let value = expression.evaluate(&rows, &self.constants.cx);
        let datum = value.and_then(|value| datum_at(value.array(), 0, expression.shape));
        match datum {
            Ok(datum) => Expression::constant(datum, ty),
            Err(Failure::Sql(error)) => raising(error, ty),
            Err(Failure::Declined(_)) => expression,
        }
    }

    /// CASE over results of one shape.
    fn case(&self, arms: Vec<(Expression, Expression)>, otherwise: Option<Expression>, ty: Type) -> Expression {
        let (conditions, mut results): (Vec<Expression>, Vec<Expression>) = arms.into_iter().unzip();
        let has_otherwise = otherwise.is_some();
        results.extend(otherwise);
        let (mut results, shape) = aligned(results, ty);
        let otherwise = if has_otherwise { results.pop().map(Box::new) } else { None };
        let arms: Vec<(Expression, Expression)> = conditions.into_iter().zip(results).collect();
        let mut can_fail = otherwise.as_ref().is_some_and(|otherwise| otherwise.can_fail);
        can_fail |= arms.iter().any(|(condition, result)| condition.can_fail || result.can_fail);
        Expression { node: Node::Case { arms, otherwise }, shape, can_fail }
    }

    fn coalesce(&self, args: Vec<Expression>, ty: Type) -> Expression {
        let (args, shape) = aligned(args, ty);
        let can_fail = args.iter().any(|arg| arg.can_fail);
        Expression { node: Node::Coalesce(args), shape, can_fail }
    }

    /// An expression as a key: see [`Key`].
    pub fn key(&self, expression: Expression) -> Expression {
        let shape = match expression.shape.key() {
            Key::Itself => return expression,
            Key::Float => Shape::of_type(Type::FLOAT8),
            Key::Trimmed => Shape::of_type(Type::TEXT),
            Key::Encoded => Shape::of_type(Type::BYTEA),
        };
        parent(shape, Node::Key, expression)
    }
}

/// The operand of a CASE within a CASE may mention the outer one's.
fn resolved_operand<'e>(inner: &'e Expr, outer: Option<&'e Expr>) -> Outcome<std::borrow::Cow<'e, Expr>> {
    match (&inner.kind, outer) {
        (ExprKind::CaseOperand, Some(outer)) => Ok(std::borrow::Cow::Borrowed(outer)),
        _ if mentions_operand(inner) => Err(Failure::Declined("a CASE over another CASE's operand")),
        _ => Ok(std::borrow::Cow::Borrowed(inner)),
    }
}

fn mentions_operand(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::CaseOperand => true,
        ExprKind::Call { args, .. } => args.iter().any(mentions_operand),
        ExprKind::Relabel(arg) | ExprKind::Typmod { arg, .. } | ExprKind::ViaText(arg) => mentions_operand(arg),
        ExprKind::Literal(_) | ExprKind::Column(_) | ExprKind::Param(_) => false,
        // Rare enough to be left to the row executor when it mentions one, and harmless when it does not.
        _ => true,
    }
}

/// The reg types: their text names an object of the catalog.
pub(super) fn is_of_catalog(ty: Type) -> bool {
    type_info(ty.oid).is_none_or(|info| info.name.starts_with("reg"))
}

/// An error that waits for a row.
pub(super) fn raising(error: SqlError, ty: Type) -> Expression {
    Expression { node: Node::Raise(error), shape: Shape::of_type(ty), can_fail: true }
}

/// An expression over one other; it fails when that does.
pub(super) fn parent(shape: Shape, node: impl FnOnce(Box<Expression>) -> Node, child: Expression) -> Expression {
    let can_fail = child.can_fail;
    Expression { node: node(Box::new(child)), shape, can_fail }
}

fn junction(node: impl FnOnce(Vec<Expression>) -> Node, args: Vec<Expression>) -> Expression {
    let can_fail = args.iter().any(|arg| arg.can_fail);
    Expression { node: node(args), shape: Shape::BOOL, can_fail }
}

/// The same array under another type.
fn relabelled(arg: Expression, ty: Type) -> Expression {
    let shape = match arg.shape.repr {
        repr @ Repr::Decimal { .. } => Shape { ty, repr },
        repr if repr == Shape::of_type(ty).repr => Shape { ty, repr },
        _ => Shape::of_type(ty),
    };
    let is_same =
        shape.data_type() == arg.shape.data_type() && (shape.repr == Repr::Opaque) == (arg.shape.repr == Repr::Opaque);
    match arg.node {
        Node::Column(_) | Node::Constant(_) | Node::Raise(_) if is_same => Expression { shape, ..arg },
        _ => parent(shape, Node::Reshape, arg),
    }
}

/// Brings results to one shape: decimals of one scale stay decimals, constant NULLs take any.
pub(crate) fn aligned(results: Vec<Expression>, ty: Type) -> (Vec<Expression>, Shape) {
    let is_null = |result: &Expression| result.as_constant().is_some_and(Datum::is_null);
    let shapes = results.iter().filter(|result| !is_null(result)).map(|result| Some(result.shape));
    let merged = shapes.reduce(|a, b| a.and_then(|a| b.and_then(|b| a.merged(b)))).flatten();
    let shape = merged.map_or(Shape::of_type(ty), |merged| Shape { ty, repr: merged.repr });
    let results = results.into_iter().map(|result| {
        if is_null(&result) {
            return Expression { shape, ..result };
        }
        if result.shape.repr == shape.repr { result } else { result.reshaped(shape) }
    });
    (results.collect(), shape)
}

/// Declines functions that need more than their arguments.
pub(super) fn session_free(function: &'static Function) -> Outcome<&'static Function> {
    if super::call::is_session_free(function) {
        Ok(function)
    } else {
        Err(Failure::Declined("a function that asks its session"))
    }
}
