//! Parts of values as the targets of INSERT and UPDATE: `SET a[1] = 5`, `SET c.f = 1`, `INSERT INTO t (a[1:2], a[4])`.
//!
//! An assignment to a part is an assignment of the whole value with that part changed. Several of them to one column
//! work on each other's results, in the order in which they are written.

use std::sync::Arc;

use nqdb_catalog::{ColumnDef, TableDef};
use nqdb_functions::CastContext;
use nqdb_sqlstate::{DATATYPE_MISMATCH, FEATURE_NOT_SUPPORTED, SqlError, SqlResult, UNDEFINED_COLUMN};
use nqdb_types::array::element_type;
use nqdb_types::{Datum, Oid, Type, is_composite, oid};
use sqlparser::ast;

use super::{Binder, literal};
use crate::ir::{Expr, ExprKind, OutputColumn, Query, Rel, Subscript};
use crate::parse::Tokens;

/// A part of a column: what stands behind its name, and the type that its value must have.
pub(super) struct TargetPart {
    steps: Vec<Step>,
    ty: Type,
    /// Where the target stands.
    position: Option<u32>,
}

/// One step into a value.
#[derive(Clone)]
enum Step {
    /// Brackets that follow each other, behind an array or a jsonb.
    Brackets { subscripts: Vec<Subscript>, ty: Type },
    /// A field of a composite value.
    Field { index: usize, name: Arc<str>, ty: Type },
}

impl TargetPart {
    /// The type of a value for the part.
    pub(super) fn ty(&self) -> Type {
        self.ty
    }
}

/// Whether an expression is the assignment of a part.
pub(super) fn is_partial(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::AssignSubscript { .. } | ExprKind::AssignField { .. } => true,
        ExprKind::Domain { arg, .. } => is_partial(arg),
        _ => false,
    }
}

impl Binder<'_> {
    /// The part of a column that a target names; `None` when it names the whole column.
    pub(super) fn target_part(&mut self, column: &ColumnDef, name: &ast::Ident) -> SqlResult<Option<TargetPart>> {
        let token = Tokens::index_of(name.span);
        let written = self.target_paths.iter().find(|target| Some(target.name) == token);
        let Some(written) = written.map(|target| target.steps.clone()) else { return Ok(None) };
        let position = super::span_position(name.span);
        let mut steps = Vec::new();
        let mut ty = column.ty;
        let mut rest = written.as_slice();
        while let Some(first) = rest.first() {
            let step = match first {
                ast::AccessExpr::Subscript(_) => {
                    let end = rest.iter().position(|access| matches!(access, ast::AccessExpr::Dot(_)));
                    let (brackets, tail) = rest.split_at(end.unwrap_or(rest.len()));
                    rest = tail;
                    self.brackets_step(ty, brackets, position)?
                }
                ast::AccessExpr::Dot(field) => {
                    rest = rest.get(1..).unwrap_or_default();
                    self.field_step(ty, &column.name, field, position)?
                }
            };
            ty = match &step {
                Step::Brackets { ty, .. } | Step::Field { ty, .. } => *ty,
            };
            steps.push(step);
        }
        Ok(Some(TargetPart { steps, ty, position }))
    }

    fn brackets_step(
        &mut self,
        container: Type,
        brackets: &[ast::AccessExpr],
        position: Option<u32>,
    ) -> SqlResult<Step> {
        let written: Vec<&ast::Subscript> = brackets
            .iter()
            .filter_map(|access| match access {
                ast::AccessExpr::Subscript(subscript) => Some(subscript),
                ast::AccessExpr::Dot(_) => None,
            })
            .collect();
        if container.oid == oid::JSONB {
            let subscripts = self.bind_json_brackets(&written)?;
            return Ok(Step::Brackets { subscripts, ty: Type::JSONB });
        }
        let Some(element) = element_type(container.oid) else {
            let message = format!(
                "cannot subscript type {} because it does not support subscripting",
                self.cx.format.type_name(container.bare())
            );
            return Err(SqlError::new(DATATYPE_MISMATCH, message).or_position(position));
        };
        let subscripts = self.bind_brackets(&written)?;
        let is_slice = subscripts.iter().any(|subscript| subscript.is_slice);
        let ty = if is_slice { container.base() } else { element_of(container, element) };
        Ok(Step::Brackets { subscripts, ty })
    }

    fn field_step(
        &mut self,
        container: Type,
        column: &str,
        field: &ast::Expr,
        position: Option<u32>,
    ) -> SqlResult<Step> {
        let ast::Expr::Identifier(name) = field else {
            return Err(self.unsupported("this form of field selection", field));
        };
        let name = crate::names::name_of(name);
        let type_name = self.cx.format.type_name(container.bare());
        let Some(shape) = self.shape_of(container).filter(|_| is_composite(container.oid)) else {
            let message = format!(
                "cannot assign to field \"{name}\" of column \"{column}\" because its type {type_name} is not a composite type"
            );
            return Err(SqlError::new(DATATYPE_MISMATCH, message).or_position(position));
        };
        match shape.field_named(&name) {
            Some((index, field)) => Ok(Step::Field { index, name: Arc::clone(&field.name), ty: field.ty }),
            None => {
                let message = format!(
                    "cannot assign to field \"{name}\" of column \"{column}\" because there is no such column in data type \
                     {type_name}"
                );
                Err(SqlError::new(UNDEFINED_COLUMN, message).or_position(position))
            }
        }
    }

    /// The value of a column with another value in the place of a part.
    fn assigned(&mut self, container: Expr, part: &TargetPart, value: Expr) -> SqlResult<Expr> {
        self.assigned_step(container, &part.steps, value)
    }

    fn assigned_step(&mut self, container: Expr, steps: &[Step], value: Expr) -> SqlResult<Expr> {
        let Some((step, rest)) = steps.split_first() else { return Ok(value) };
        let (ty, position) = (container.ty, value.position);
        let value = if rest.is_empty() {
            value
        } else {
            let kind = match step {
                Step::Brackets { subscripts, .. } => {
                    ExprKind::Subscript { array: Box::new(container.clone()), subscripts: subscripts.clone() }
                }
                Step::Field { index, name, .. } => {
                    let record = Box::new(container.clone());
                    ExprKind::Field { record, index: *index, name: Arc::clone(name) }
                }
            };
            let (Step::Brackets { ty, .. } | Step::Field { ty, .. }) = step;
            self.assigned_step(Expr { kind, ty: *ty, nullable: true, position }, rest, value)?
        };
        let (container, value) = (Box::new(container), Box::new(value));
        let kind = match step {
            Step::Brackets { subscripts, .. } => {
                ExprKind::AssignSubscript { array: container, subscripts: subscripts.clone(), value }
            }
            Step::Field { index, .. } => {
                let Some(shape) = self.shape_of(ty) else { return Err(SqlError::internal("a type without a shape")) };
                ExprKind::AssignField { record: container, index: *index, value, shape }
            }
        };
        // A domain's rules are asked of the new whole.
        self.coerce(Expr { kind, ty: ty.base(), nullable: true, position }, ty, CastContext::Assignment, None)
    }

    /// Converts a value to the type of a part.
    pub(super) fn coerce_for_part(&mut self, value: Expr, part: &TargetPart, column: &str) -> SqlResult<Expr> {
        let (from, position) = (value.ty, part.position);
        self.try_coerce(value, part.ty, CastContext::Assignment)?.ok_or_else(|| {
            let (wanted, given) = (self.cx.format.type_name(part.ty.bare()), self.cx.format.type_name(from.bare()));
            let message = match part.steps.last() {
                Some(Step::Field { name, .. }) => {
                    format!("subfield \"{name}\" is of type {wanted} but expression is of type {given}")
                }
                _ => {
                    format!("subscripted assignment to \"{column}\" requires type {wanted} but expression is of type {given}")
                }
            };
            SqlError::new(DATATYPE_MISMATCH, message)
                .with_hint("You will need to rewrite or cast the expression.")
                .or_position(position)
        })
    }

    /// Adds an assignment to a part to those that an UPDATE has so far.
    pub(super) fn assign_part(
        &mut self,
        table: &TableDef,
        at: usize,
        part: &TargetPart,
        value: Expr,
        set: &mut Vec<(usize, Expr)>,
    ) -> SqlResult<()> {
        if let Some((_, before)) = set.iter_mut().find(|(other, _)| *other == at) {
            let array = unchecked(std::mem::replace(before, literal::literal(Datum::Null, part.ty, None)));
            let assigned = self.assigned(array, part, value)?;
            if let Some((_, before)) = set.iter_mut().find(|(other, _)| *other == at) {
                *before = assigned;
            }
            return Ok(());
        }
        let array = self.old_value(table, at)?;
        let assigned = self.assigned(array, part, value)?;
        set.push((at, assigned));
        Ok(())
    }

    /// The value that a column of the row at hand has before the UPDATE.
    fn old_value(&mut self, table: &TableDef, at: usize) -> SqlResult<Expr> {
        let name = table.columns.get(at).map(|column| column.name.as_str()).unwrap_or_default();
        let item = self.scopes.last().and_then(|scope| {
            scope.tables.iter().find(|item| item.table.as_ref().is_some_and(|stored| stored.oid == table.oid))
        });
        let id = item.and_then(|item| item.columns.iter().find(|column| column.name == name)).map(|column| column.id);
        match id {
            Some(id) => Ok(self.column_expr(id, None)),
            None => Err(SqlError::internal(format!("the old value of column \"{name}\" is not in scope"))),
        }
    }

    /// Puts the parts that an INSERT's source gives together: one output for each column, in order of its first part.
    pub(super) fn assemble_parts(
        &mut self,
        table: &TableDef,
        mut query: Query,
        targets: Vec<usize>,
        parts: &[Option<TargetPart>],
    ) -> SqlResult<(Query, Vec<usize>)> {
        if parts.iter().all(Option::is_none) {
            return Ok((query, targets));
        }
        let outputs = std::mem::take(&mut query.output);
        let mut assembled: Vec<(usize, Expr)> = Vec::new();
        let mut kept: Vec<(usize, OutputColumn)> = Vec::new();
        for ((output, at), part) in outputs.into_iter().zip(targets).zip(parts) {
            let Some(part) = part else {
                kept.push((at, output));
                continue;
            };
            let value = self.column_expr(output.id, None);
            match assembled.iter().position(|(other, _)| *other == at) {
                Some(place) => {
                    let (_, before) = assembled.remove(place);
                    let assigned = self.assigned(unchecked(before), part, value)?;
                    assembled.insert(place, (at, assigned));
                }
                None => {
                    let ty = table.columns.get(at).map_or(part.ty, |column| column.ty);
                    let assigned = self.assigned(literal::literal(Datum::Null, ty, None), part, value)?;
                    assembled.push((at, assigned));
                    kept.push((at, output));
                }
            }
        }
        let mut columns = Vec::with_capacity(assembled.len());
        for (at, expr) in assembled {
            let id = self.new_column(expr.ty, true, None);
            if let Some((_, output)) = kept.iter_mut().find(|(other, _)| *other == at) {
                (output.id, output.ty, output.origin) = (id, expr.ty, None);
            }
            columns.push((id, expr));
        }
        let input = Box::new(std::mem::replace(&mut query.rel, Rel::OneRow));
        query.rel = Rel::Extend { input, columns };
        let (targets, outputs): (Vec<usize>, Vec<OutputColumn>) = kept.into_iter().unzip();
        query.output = outputs;
        Ok((query, targets))
    }
}

/// An assignment of a part without the rules of its domain: they are asked of the value with all of its parts.
fn unchecked(expr: Expr) -> Expr {
    match expr.kind {
        ExprKind::Domain { arg, rules } if rules.path.is_empty() && is_partial(&arg) => {
            Expr { ty: expr.ty, ..unchecked(*arg) }
        }
        kind => Expr { kind, ..expr },
    }
}

/// The type of an array's elements, which may be a domain.
fn element_of(array: Type, element: Oid) -> Type {
    let domain = element_type(array.domain).unwrap_or(oid::INVALID);
    Type::with_typmod(element, array.typmod).as_domain(domain)
}

/// 0A000 `cannot set an array element to DEFAULT`.
pub(super) fn default_in_part(part: &TargetPart) -> SqlError {
    let what = if matches!(part.steps.first(), Some(Step::Field { .. })) { "a subfield" } else { "an array element" };
    SqlError::new(FEATURE_NOT_SUPPORTED, format!("cannot set {what} to DEFAULT")).or_position(part.position)
}
