//! Arrays in expressions: `ARRAY[..]`, `ARRAY(SELECT ..)`, subscripts, `x op ANY (array)`, element-wise casts.

use nqdb_functions::{CastContext, coercion, resolve_operator};
use nqdb_sqlstate::{
    DATATYPE_MISMATCH, INDETERMINATE_DATATYPE, SYNTAX_ERROR, SqlError, SqlResult, UNDEFINED_OBJECT, WRONG_OBJECT_TYPE,
};
use nqdb_types::array::{DIMENSION_COUNT_MAX, array_type, element_type, too_many_dimensions};
use nqdb_types::{Datum, Oid, Type, oid};
use sqlparser::ast;

use super::coerce::common_of;
use super::literal::literal;
use super::{Binder, leftmost, span_position};
use crate::ir::{Expr, ExprKind, Subscript};
use crate::parse::start_of;

impl Binder<'_> {
    /// `ARRAY[..]`; `target` is the array type that a cast around it asks for, with the cast's words for errors.
    ///
    /// Items that are arrays, or brackets without the word ARRAY, make one more dimension.
    pub(super) fn bind_array(
        &mut self,
        written: &ast::Array,
        target: Option<Type>,
        position: Option<u32>,
    ) -> SqlResult<Expr> {
        let mut items = Vec::with_capacity(written.elem.len());
        let mut nested = false;
        for item in &written.elem {
            let bound = match item {
                ast::Expr::Array(inner) => {
                    nested = true;
                    self.bind_array(inner, target, self.position_of(item))?
                }
                item => self.bind_expr(item)?,
            };
            nested |= element_type(bound.ty.oid).is_some();
            items.push(bound);
        }
        let ty = match target {
            Some(target) => target,
            None if items.is_empty() => {
                return Err(SqlError::new(INDETERMINATE_DATATYPE, "cannot determine type of empty array")
                    .with_hint("Explicitly cast to the desired type, for example ARRAY[]::integer[].")
                    .or_position(position));
            }
            None => {
                let common = common_of(&items, "ARRAY", self.cx.format)?;
                // A type that is an array already stays: its items are the rows of the result.
                if nested { common } else { Type::with_typmod(array_over(common.oid, position)?, common.typmod) }
            }
        };
        let item_type = match (nested, element_type(ty.oid)) {
            (false, Some(element)) => Type::with_typmod(element, ty.typmod),
            _ => ty,
        };
        let mut converted = Vec::with_capacity(items.len());
        for item in items {
            converted.push(match target {
                Some(_) => self.coerce(item, item_type, CastContext::Explicit, None)?,
                None => self.coerce_to_common(item, item_type, "ARRAY")?,
            });
        }
        Ok(Expr { kind: ExprKind::Array { items: converted, nested }, ty, nullable: false, position })
    }

    /// `ARRAY(SELECT ..)`.
    pub(super) fn bind_array_subquery(&mut self, subquery: &ast::Query, position: Option<u32>) -> SqlResult<Expr> {
        let query = self.bind_query(subquery)?;
        let [output] = query.output.as_slice() else {
            return Err(SqlError::new(SYNTAX_ERROR, "subquery must return only one column").or_position(position));
        };
        let ty = match element_type(output.ty.oid) {
            Some(_) => output.ty,
            None => Type::with_typmod(array_over(output.ty.oid, position)?, output.ty.typmod),
        };
        Ok(Expr { kind: ExprKind::ArraySubquery(Box::new(query)), ty, nullable: false, position })
    }

    /// Brackets behind an expression, all that follow each other.
    pub(super) fn bind_subscripts(&mut self, array: Expr, written: &[&ast::Subscript]) -> SqlResult<Expr> {
        if let (oid::NAME, [ast::Subscript::Index { index }]) = (array.ty.oid, written) {
            return self.bind_letter_of_name(array, index);
        }
        if array.ty.oid == oid::JSONB {
            return self.bind_json_subscripts(array, written);
        }
        let Some(element) = element_type(array.ty.oid) else {
            let message = format!(
                "cannot subscript type {} because it does not support subscripting",
                self.cx.format.type_name(array.ty.bare())
            );
            return Err(SqlError::new(DATATYPE_MISMATCH, message).or_position(array.position));
        };
        let subscripts = self.bind_brackets(written)?;
        let is_slice = subscripts.iter().any(|subscript| subscript.is_slice);
        let ty = match is_slice {
            true => Type::with_typmod(plain_array(array.ty.oid), array.ty.typmod),
            false => Type::with_typmod(element, array.ty.typmod),
        };
        let position = array.position;
        let array = Box::new(array);
        Ok(Expr { kind: ExprKind::Subscript { array, subscripts }, ty, nullable: true, position })
    }

    /// `typname[0]`: a name is an array of letters that counts from 0.
    fn bind_letter_of_name(&mut self, name: Expr, index: &ast::Expr) -> SqlResult<Expr> {
        let position = name.position;
        let one = literal(Datum::Int4(1), Type::INT4, None);
        let index = self.bind_subscript_bound(index)?;
        let at = self.apply_operator("+", index, one.clone(), None)?;
        let text = self.coerce(name, Type::TEXT, CastContext::Explicit, None)?;
        let letter = self.call_named("substr", vec![text, at, one], position)?;
        self.coerce(letter, Type::CHAR_INTERNAL, CastContext::Explicit, None)
    }

    /// `j['a'][1]`: what is at the path, NULL where nothing is.
    fn bind_json_subscripts(&mut self, json: Expr, written: &[&ast::Subscript]) -> SqlResult<Expr> {
        let position = json.position;
        let mut path = Vec::with_capacity(written.len());
        for subscript in self.bind_json_brackets(written)? {
            let Some(step) = subscript.upper else { continue };
            path.push(self.coerce(step, Type::TEXT, CastContext::Explicit, None)?);
        }
        let ty = Type::new(oid::TEXT_ARRAY);
        let path = Expr { kind: ExprKind::Array { items: path, nested: false }, ty, nullable: false, position: None };
        let mut found = self.apply_operator("#>", json, path, None)?;
        found.position = position;
        Ok(found)
    }

    /// The texts and integers in brackets behind a jsonb.
    pub(super) fn bind_json_brackets(&mut self, written: &[&ast::Subscript]) -> SqlResult<Vec<Subscript>> {
        let mut subscripts = Vec::with_capacity(written.len());
        for subscript in written {
            let index = match subscript {
                ast::Subscript::Index { index } => index,
                ast::Subscript::Slice { lower_bound, upper_bound, .. } => {
                    let bound = upper_bound.as_ref().or(lower_bound.as_ref());
                    let position = bound.and_then(|bound| self.position_of(bound));
                    return Err(SqlError::new(DATATYPE_MISMATCH, "jsonb subscript does not support slices")
                        .or_position(position));
                }
            };
            let step = self.bind_expr(index)?;
            let (from, position) = (step.ty.oid, step.position);
            let converts = |to: Oid| coercion(from, to, CastContext::Implicit).is_some();
            let target = match (converts(oid::INT4), converts(oid::TEXT)) {
                _ if from == oid::UNKNOWN => Type::TEXT,
                (true, false) => Type::INT4,
                (false, true) => Type::TEXT,
                (is_both, _) => {
                    let types = if is_both { "only one type, integer or text" } else { "either integer or text" };
                    let message =
                        format!("subscript type {} is not supported", self.cx.format.type_name(step.ty.bare()));
                    return Err(SqlError::new(DATATYPE_MISMATCH, message)
                        .with_hint(format!("jsonb subscript must be coercible to {types}."))
                        .or_position(position));
                }
            };
            let step = self.coerce(step, target, CastContext::Implicit, None)?;
            subscripts.push(Subscript { lower: None, upper: Some(step), is_slice: false });
        }
        Ok(subscripts)
    }

    /// The integers in brackets.
    pub(super) fn bind_brackets(&mut self, written: &[&ast::Subscript]) -> SqlResult<Vec<Subscript>> {
        if written.len() > DIMENSION_COUNT_MAX {
            return Err(too_many_dimensions(written.len()));
        }
        let mut subscripts = Vec::with_capacity(written.len());
        for subscript in written {
            subscripts.push(match subscript {
                ast::Subscript::Index { index } => {
                    Subscript { lower: None, upper: Some(self.bind_subscript_bound(index)?), is_slice: false }
                }
                ast::Subscript::Slice { lower_bound, upper_bound, stride: None } => Subscript {
                    lower: lower_bound.as_ref().map(|bound| self.bind_subscript_bound(bound)).transpose()?,
                    upper: upper_bound.as_ref().map(|bound| self.bind_subscript_bound(bound)).transpose()?,
                    is_slice: true,
                },
                ast::Subscript::Slice { stride: Some(stride), .. } => {
                    return Err(self.syntax_error_at(self.position_of(stride), ":"));
                }
            });
        }
        Ok(subscripts)
    }

    fn bind_subscript_bound(&mut self, bound: &ast::Expr) -> SqlResult<Expr> {
        let bound = self.bind_expr(bound)?;
        let position = bound.position;
        self.try_coerce(bound, Type::INT4, CastContext::Assignment)?.ok_or_else(|| {
            SqlError::new(DATATYPE_MISMATCH, "array subscript must have type integer").or_position(position)
        })
    }

    /// `x op ANY (array)` and `x op ALL (array)`.
    pub(super) fn bind_quantified_array(
        &mut self,
        arg: &ast::Expr,
        name: &str,
        right: &ast::Expr,
        all: bool,
    ) -> SqlResult<Expr> {
        let position = self.quantifier_position(right);
        let arg = self.bind_expr(arg)?;
        let array = self.bind_expr(right)?;
        self.quantified_array(arg, name, array, all, position)
    }

    pub(super) fn quantified_array(
        &mut self,
        arg: Expr,
        name: &str,
        array: Expr,
        all: bool,
        position: Option<u32>,
    ) -> SqlResult<Expr> {
        let wrong = |message: &str| {
            SqlError::new(WRONG_OBJECT_TYPE, format!("op ANY/ALL (array) {message}")).or_position(position)
        };
        let element = match array.ty.oid {
            oid::UNKNOWN => oid::UNKNOWN,
            other => element_type(other).ok_or_else(|| wrong("requires array on right side"))?,
        };
        let name = if name == "!=" { "<>" } else { name };
        let resolved = resolve_operator(name, Some(arg.ty.oid), element).map_err(|error| {
            error.operator_error(name, Some(arg.ty.oid), element, self.cx.format).or_position(position)
        })?;
        if resolved.returns != oid::BOOL {
            return Err(wrong("requires operator to yield boolean"));
        }
        let arg = self.coerce_operand(arg, resolved.arg_types.first().copied())?;
        let right = resolved.arg_types.get(1).copied().unwrap_or(element);
        let array = self.coerce_operand(array, Some(array_over(right, position)?))?;
        let start = leftmost(position, arg.position);
        let kind = ExprKind::QuantifiedArray {
            arg: Box::new(arg),
            function: resolved.operator.function,
            array: Box::new(array),
            all,
        };
        Ok(Expr { kind, ty: Type::BOOL, nullable: true, position: start })
    }

    /// The operator in front of ANY, SOME or ALL, which stand in front of the parenthesis before `right`.
    fn quantifier_position(&self, right: &ast::Expr) -> Option<u32> {
        let start = start_of(&self.tokens, right)?;
        let word = (start.saturating_sub(8)..=start)
            .rev()
            .find(|at| ["any", "some", "all"].iter().any(|word| self.tokens.is(*at, word)))?;
        self.tokens.position(word.checked_sub(1)?)
    }

    /// An array with each element converted; `None` when elements have no such conversion.
    pub(super) fn map_elements(&mut self, array: Expr, target: Oid, context: CastContext) -> SqlResult<Option<Expr>> {
        let (Some(from), Some(to)) = (element_type(array.ty.oid), element_type(target)) else { return Ok(None) };
        let operand = Expr {
            kind: ExprKind::CaseOperand,
            ty: Type::with_typmod(from, array.ty.typmod),
            nullable: false,
            position: array.position,
        };
        let Some(element) = self.convert_type(operand, Type::new(to), context)? else { return Ok(None) };
        let (nullable, position) = (array.nullable, array.position);
        let array = Box::new(array);
        let kind = match element.kind {
            ExprKind::Relabel(_) | ExprKind::CaseOperand => ExprKind::Relabel(array),
            _ => ExprKind::MapElements { array, element: Box::new(element) },
        };
        Ok(Some(Expr { kind, ty: Type::new(target), nullable, position }))
    }

    /// `root.a.b[1].c`: names first, then brackets and fields.
    pub(super) fn bind_field_access(&mut self, root: &ast::Expr, chain: &[ast::AccessExpr]) -> SqlResult<Expr> {
        let (mut bound, mut rest) = self.bind_access_root(root, chain)?;
        while let Some(first) = rest.first() {
            match first {
                ast::AccessExpr::Subscript(_) => {
                    let end = rest.iter().position(|access| matches!(access, ast::AccessExpr::Dot(_)));
                    let (brackets, tail) = rest.split_at(end.unwrap_or(rest.len()));
                    let brackets: Vec<&ast::Subscript> = brackets
                        .iter()
                        .filter_map(|access| match access {
                            ast::AccessExpr::Subscript(subscript) => Some(subscript),
                            ast::AccessExpr::Dot(_) => None,
                        })
                        .collect();
                    bound = self.bind_subscripts(bound, &brackets)?;
                    rest = tail;
                }
                ast::AccessExpr::Dot(field) => {
                    bound = self.bind_field(bound, field)?;
                    rest = rest.get(1..).unwrap_or_default();
                }
            }
        }
        Ok(bound)
    }

    /// Names in front belong to a column: `t.a[1]` is the column `a` of `t`.
    fn bind_access_root<'q>(
        &mut self,
        root: &ast::Expr,
        chain: &'q [ast::AccessExpr],
    ) -> SqlResult<(Expr, &'q [ast::AccessExpr])> {
        let mut names = match root {
            ast::Expr::Identifier(name) => vec![name.clone()],
            ast::Expr::CompoundIdentifier(names) => names.clone(),
            other => return Ok((self.bind_expr(other)?, chain)),
        };
        let mut rest = chain;
        while let Some((ast::AccessExpr::Dot(ast::Expr::Identifier(name)), tail)) = rest.split_first() {
            names.push(name.clone());
            rest = tail;
        }
        let bound = match names.as_slice() {
            [_] => self.bind_expr(root)?,
            _ => self.bind_expr(&ast::Expr::CompoundIdentifier(names))?,
        };
        Ok((bound, rest))
    }

    fn bind_field(&mut self, record: Expr, field: &ast::Expr) -> SqlResult<Expr> {
        let ast::Expr::Identifier(name) = field else {
            return Err(self.unsupported("this form of field selection", field));
        };
        let position = span_position(name.span);
        self.field_of(record, &crate::names::name_of(name), position)
    }
}

/// The array type over a type; 42704 when there is none.
pub(super) fn array_over(element: Oid, position: Option<u32>) -> SqlResult<Oid> {
    array_type(element).ok_or_else(|| {
        let message = format!("could not find array type for data type {}", Type::new(element).name());
        SqlError::new(UNDEFINED_OBJECT, message).or_position(position)
    })
}

/// What subscripts see of a type: the two vectors are arrays of their elements.
fn plain_array(ty: Oid) -> Oid {
    match ty {
        oid::INT2VECTOR => oid::INT2_ARRAY,
        oid::OIDVECTOR => oid::OID_ARRAY,
        other => other,
    }
}
