//! Conversions: which ones happen on their own, and what they are made of.

use std::sync::Arc;

use nqdb_catalog::ColumnDef;
use nqdb_functions::{CastContext, CastMethod, apply_cast, coercion, common_type, read_text};
use nqdb_sqlstate::{CANNOT_COERCE, DATATYPE_MISMATCH, SqlError, SqlResult};
use nqdb_types::{Datum, FormatContext, Oid, RecordShape, Type, apply_typmod, is_composite, oid, type_category};
use sqlparser::ast;

use super::Binder;
use super::literal::literal;
use crate::ir::{Expr, ExprKind};
use crate::params::undetermined;

impl Binder<'_> {
    /// Converts an expression to a type, modifier included.
    ///
    /// Fails with 42846 `cannot cast type .. to ..` at `cast_position` or where the expression starts; callers with a
    /// better message ask [`Binder::try_coerce`].
    pub(super) fn coerce(
        &mut self,
        expr: Expr,
        target: Type,
        context: CastContext,
        cast_position: Option<u32>,
    ) -> SqlResult<Expr> {
        let from = expr.ty;
        let position = cast_position.or(expr.position);
        match self.try_coerce(expr, target, context)? {
            Some(expr) => Ok(expr),
            None => {
                let message = format!(
                    "cannot cast type {} to {}",
                    self.cx.format.type_name(from.bare()),
                    self.cx.format.type_name(target.bare())
                );
                Err(SqlError::new(CANNOT_COERCE, message).or_position(position))
            }
        }
    }

    /// As [`Binder::coerce`]; `None` when the types have no such conversion.
    pub(super) fn try_coerce(&mut self, expr: Expr, target: Type, context: CastContext) -> SqlResult<Option<Expr>> {
        if target.domain != oid::INVALID {
            return self.coerce_to_domain(expr, target, context);
        }
        let mut expr = expr;
        expr.ty = expr.ty.base();
        let Some(converted) = self.convert_type(expr, target, context)? else { return Ok(None) };
        Ok(Some(self.apply_modifier(converted, target, context == CastContext::Explicit)))
    }

    /// Changes the type, not yet the modifier.
    pub(super) fn convert_type(&mut self, expr: Expr, target: Type, context: CastContext) -> SqlResult<Option<Expr>> {
        if expr.ty.oid == target.oid {
            return Ok(Some(expr));
        }
        if expr.ty.oid == oid::UNKNOWN {
            return self.convert_unknown(expr, target);
        }
        if is_composite(target.oid) && expr.ty.oid == oid::RECORD {
            return self.row_as_composite(expr, target, context);
        }
        if is_composite(expr.ty.oid) && target.oid == oid::RECORD {
            // A cast to "record" is obeyed by what is a record already.
            if context == CastContext::Explicit {
                return Ok(Some(expr));
            }
            let ty = match self.shape_of(expr.ty) {
                Some(shape) => self.record_type(&Arc::new(RecordShape { type_oid: oid::RECORD, ..(*shape).clone() })),
                None => Type::RECORD,
            };
            let (nullable, position) = (expr.nullable, expr.position);
            return Ok(Some(Expr { kind: ExprKind::Relabel(Box::new(expr)), ty, nullable, position }));
        }
        let Some(method) = coercion(expr.ty.oid, target.oid, context) else { return Ok(None) };
        let (nullable, position) = (expr.nullable, expr.position);
        let kind = match method {
            CastMethod::Relabel => ExprKind::Relabel(Box::new(expr)),
            CastMethod::Function(function) => {
                // A second argument is the target's modifier: an integer becomes so many bits.
                let modifier =
                    (function.args.len() == 2).then(|| literal(Datum::Int4(target.typmod), Type::INT4, None));
                ExprKind::Call { function, args: std::iter::once(expr).chain(modifier).collect() }
            }
            CastMethod::Convert(convert) => ExprKind::Convert { arg: Box::new(expr), convert },
            CastMethod::Elements => return self.map_elements(expr, target.oid, context),
            CastMethod::ViaText => {
                let ty = Type::new(target.oid);
                let read = Expr { kind: ExprKind::ViaText(Box::new(expr)), ty, nullable, position };
                return self.conformed(read).map(Some);
            }
        };
        Ok(Some(Expr { kind, ty: Type::new(target.oid), nullable, position }))
    }

    /// Gives an unknown literal or parameter its type: the literal is read now, as PostgreSQL does.
    fn convert_unknown(&mut self, expr: Expr, target: Type) -> SqlResult<Option<Expr>> {
        let Expr { kind, ty, nullable, position } = expr;
        let category = type_category(target.oid);
        let takes_values =
            |oid: Oid| matches!(oid, oid::ANY | oid::RECORD | oid::RECORD_ARRAY | oid::VOID | oid::CSTRING);
        // The catalog has columns of type anyarray; a NULL may stand beside them.
        let is_null = target.oid == oid::ANYARRAY && matches!(kind, ExprKind::Literal(Datum::Null));
        if category.is_none_or(|category| category == 'P' && !takes_values(target.oid) && !is_null) {
            return Ok(None);
        }
        match kind {
            ExprKind::Literal(datum) => {
                // Only interval's input depends on its modifier: `interval '1' hour`.
                let read_as = if target.oid == oid::INTERVAL { target } else { Type::new(target.oid) };
                let value = self.read_literal(&datum, read_as).map_err(|error| error.or_position(position))?;
                let read = Expr { nullable: value.is_null(), kind: ExprKind::Literal(value), ty: read_as, position };
                self.conformed(read).map(Some)
            }
            ExprKind::Param(index) => {
                self.params.infer(usize::from(index), target.oid, position)?;
                let ty = Type::new(target.oid);
                self.conformed(Expr { kind: ExprKind::Param(index), ty, nullable: true, position }).map(Some)
            }
            // A column of a subquery or VALUES list that stayed unknown: it has been made text by then.
            kind => Ok(Some(Expr {
                kind: ExprKind::ViaText(Box::new(Expr { kind, ty, nullable, position })),
                ty: target,
                nullable,
                position,
            })),
        }
    }

    /// Reads a literal's text as a type.
    pub(super) fn read_literal(&self, datum: &Datum, ty: Type) -> SqlResult<Datum> {
        match datum {
            Datum::Null => Ok(Datum::Null),
            Datum::Text(text) => read_text(text, ty, self.cx.format, self.cx.session),
            other => {
                let mut context = self.function_context();
                apply_cast(CastMethod::ViaText, other, Type::UNKNOWN, ty, &mut context)
            }
        }
    }

    /// Coerces to the modifier of `target`, whose type the expression has already.
    fn apply_modifier(&mut self, expr: Expr, target: Type, explicit: bool) -> Expr {
        if target.typmod < 0 || expr.ty.typmod == target.typmod {
            return expr;
        }
        let Expr { kind, nullable, position, ty } = expr;
        if let ExprKind::Literal(datum) = &kind
            && let Ok(value) = apply_typmod(datum.clone(), target, explicit)
        {
            return Expr { kind: ExprKind::Literal(value), ty: target, nullable, position };
        }
        let arg = Box::new(Expr { kind, ty, nullable, position });
        Expr { kind: ExprKind::Typmod { arg, explicit }, ty: target, nullable, position }
    }

    /// An unknown literal or parameter that nothing typed becomes text.
    pub(super) fn resolve_unknown(&mut self, expr: Expr) -> SqlResult<Expr> {
        if expr.ty.oid == oid::UNKNOWN { self.coerce(expr, Type::TEXT, CastContext::Implicit, None) } else { Ok(expr) }
    }

    /// Refuses a parameter without a type where PostgreSQL has no context to give it one; a literal becomes text.
    pub(super) fn require_known(&mut self, expr: Expr) -> SqlResult<Expr> {
        match expr.kind {
            ExprKind::Param(index) if expr.ty.oid == oid::UNKNOWN => Err(undetermined(usize::from(index))),
            _ => self.resolve_unknown(expr),
        }
    }

    /// Converts a value that is stored into a column.
    ///
    /// Fails with 42804 at the value.
    pub(super) fn coerce_for_column(
        &mut self,
        expr: Expr,
        column: &ColumnDef,
        name: &str,
        position: Option<u32>,
    ) -> SqlResult<Expr> {
        let from = expr.ty;
        let position = position.or(expr.position);
        match self.try_coerce(expr, column.ty, CastContext::Assignment)? {
            Some(expr) => Ok(expr),
            None => {
                let message = format!(
                    "column \"{name}\" is of type {} but expression is of type {}",
                    self.cx.format.type_name(column.ty.bare()),
                    self.cx.format.type_name(from.bare())
                );
                Err(SqlError::new(DATATYPE_MISMATCH, message)
                    .with_hint("You will need to rewrite or cast the expression.")
                    .or_position(position))
            }
        }
    }

    /// Binds a condition: 42804 `argument of WHERE must be type boolean, not type integer`.
    pub(super) fn bind_boolean(&mut self, expression: &ast::Expr, construct: &str) -> SqlResult<Expr> {
        let bound = self.bind_expr(expression)?;
        self.coerce_to_boolean(bound, construct)
    }

    /// Converts to boolean for a construct that PostgreSQL names so.
    pub(super) fn coerce_to_boolean(&mut self, expr: Expr, construct: &str) -> SqlResult<Expr> {
        self.coerce_to_type(expr, Type::BOOL, construct)
    }

    /// Assignment conversion for a construct: `argument of LIMIT must be type bigint, not type text`.
    pub(super) fn coerce_to_type(&mut self, expr: Expr, target: Type, construct: &str) -> SqlResult<Expr> {
        let (from, position) = (expr.ty, expr.position);
        match self.try_coerce(expr, target, CastContext::Assignment)? {
            Some(expr) => Ok(expr),
            None => {
                let message = format!(
                    "argument of {construct} must be type {}, not type {}",
                    self.cx.format.type_name(target),
                    self.cx.format.type_name(from.bare())
                );
                Err(SqlError::new(DATATYPE_MISMATCH, message).or_position(position))
            }
        }
    }

    /// Converts expressions to the type that they have in common (manual 10.5): of CASE, COALESCE, VALUES, UNION.
    ///
    /// Fails with 42804 `CASE types text and integer cannot be matched` at the expression that does not fit.
    pub(super) fn unify(&mut self, exprs: Vec<Expr>, construct: &str) -> SqlResult<(Vec<Expr>, Type)> {
        let target = common_of(&exprs, construct, self.cx.format)?;
        let mut unified = Vec::with_capacity(exprs.len());
        for expr in exprs {
            unified.push(self.coerce_to_common(expr, target, construct)?);
        }
        Ok((unified, target))
    }

    /// Converts to a common type that was chosen before: 42846 when it cannot be done implicitly.
    pub(super) fn coerce_to_common(&mut self, expr: Expr, target: Type, construct: &str) -> SqlResult<Expr> {
        let (from, position) = (expr.ty, expr.position);
        match self.try_coerce(expr, target, CastContext::Implicit)? {
            Some(expr) => Ok(expr),
            None => {
                let message = format!(
                    "{construct} could not convert type {} to {}",
                    self.cx.format.type_name(from.bare()),
                    self.cx.format.type_name(target.bare())
                );
                Err(SqlError::new(CANNOT_COERCE, message).or_position(position))
            }
        }
    }
}

/// The common type of some expressions; its modifier is theirs when they all agree.
pub(super) fn common_of(exprs: &[Expr], construct: &str, format: &FormatContext) -> SqlResult<Type> {
    let types: Vec<Oid> = exprs.iter().map(|expr| expr.ty.oid).collect();
    // A domain stays one only where all are of it.
    if let [first, others @ ..] = exprs
        && first.ty.domain != oid::INVALID
        && others.iter().all(|other| other.ty == first.ty)
    {
        return Ok(first.ty);
    }
    let Some(common) = common_type(&types) else {
        return Err(mismatch(exprs, construct, format));
    };
    let mut modifiers = exprs.iter().map(|expr| if expr.ty.oid == common { expr.ty.typmod } else { -1 });
    let first = modifiers.next().unwrap_or(-1);
    let typmod = if modifiers.all(|typmod| typmod == first) { first } else { -1 };
    Ok(Type::with_typmod(common, typmod))
}

/// 42804 at the first expression whose type category is another one than that of those before it.
fn mismatch(exprs: &[Expr], construct: &str, format: &FormatContext) -> SqlError {
    let category = |ty: Oid| type_category(ty).unwrap_or('X');
    let mut chosen: Option<Oid> = None;
    for (at, expr) in exprs.iter().enumerate() {
        if expr.ty.oid == oid::UNKNOWN {
            continue;
        }
        match chosen {
            Some(so_far) if category(so_far) != category(expr.ty.oid) => {
                let before: Vec<Oid> = exprs.iter().take(at).map(|expr| expr.ty.oid).collect();
                let so_far = common_type(&before).unwrap_or(so_far);
                let message = format!(
                    "{construct} types {} and {} cannot be matched",
                    format.type_name(Type::new(so_far)),
                    format.type_name(expr.ty.bare())
                );
                return SqlError::new(DATATYPE_MISMATCH, message).or_position(expr.position);
            }
            None => chosen = Some(expr.ty.oid),
            Some(_) => {}
        }
    }
    SqlError::new(DATATYPE_MISMATCH, format!("{construct} types cannot be matched"))
}
