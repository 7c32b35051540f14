//! CASE, COALESCE, NULLIF, GREATEST and LEAST.

use nqdb_functions::less;
use nqdb_sqlstate::SqlResult;
use nqdb_types::Type;
use sqlparser::ast;

use super::Binder;
use super::operators::no_operator;
use crate::ir::{Expr, ExprKind};

impl Binder<'_> {
    /// CASE; the ELSE result counts first when the common type is chosen, as in PostgreSQL.
    pub(super) fn bind_case(
        &mut self,
        operand: Option<&ast::Expr>,
        arms: &[ast::CaseWhen],
        otherwise: Option<&ast::Expr>,
        position: Option<u32>,
    ) -> SqlResult<Expr> {
        let sets_before = self.set_call_count();
        let operand = match operand {
            Some(operand) => {
                let bound = self.bind_expr(operand)?;
                Some(self.resolve_unknown(bound)?)
            }
            None => None,
        };
        let mut conditions = Vec::with_capacity(arms.len());
        let mut results = Vec::with_capacity(arms.len() + 1);
        for ast::CaseWhen { condition, result } in arms {
            let condition = match &operand {
                None => self.bind_boolean(condition, "CASE/WHEN")?,
                Some(operand) => {
                    let placeholder = Expr { kind: ExprKind::CaseOperand, ..operand.clone() };
                    let value = self.bind_expr(condition)?;
                    let at = value.position;
                    let compared = self.apply_operator("=", placeholder, value, at)?;
                    self.coerce_to_boolean(compared, "CASE/WHEN")?
                }
            };
            conditions.push(condition);
            results.push(self.bind_expr(result)?);
        }
        let otherwise = match otherwise {
            Some(otherwise) => Some(self.bind_expr(otherwise)?),
            None => None,
        };
        self.refuse_sets_since(sets_before, "CASE")?;
        let has_else = otherwise.is_some();
        let mut all = Vec::with_capacity(results.len() + 1);
        all.extend(otherwise);
        all.extend(results);
        let (unified, ty) = self.unify(all, "CASE")?;
        let mut unified = unified.into_iter();
        let otherwise = if has_else { unified.next() } else { None };
        let results: Vec<Expr> = unified.collect();
        let nullable = otherwise.as_ref().is_none_or(|otherwise| otherwise.nullable)
            || results.iter().any(|result| result.nullable);
        Ok(Expr {
            kind: ExprKind::Case {
                operand: operand.map(Box::new),
                arms: conditions.into_iter().zip(results).collect(),
                otherwise: otherwise.map(Box::new),
            },
            ty,
            nullable,
            position,
        })
    }

    pub(super) fn bind_coalesce(&mut self, args: Vec<Expr>, position: Option<u32>) -> SqlResult<Expr> {
        let (args, ty) = self.unify(args, "COALESCE")?;
        let nullable = args.iter().all(|arg| arg.nullable);
        Ok(Expr { kind: ExprKind::Coalesce(args), ty, nullable, position })
    }

    pub(super) fn bind_min_max(&mut self, args: Vec<Expr>, greatest: bool, position: Option<u32>) -> SqlResult<Expr> {
        let (args, ty) = self.unify(args, if greatest { "GREATEST" } else { "LEAST" })?;
        let Some(less) = less(ty.oid) else {
            return Err(no_operator("ordering", ty.oid, position));
        };
        let compared = less
            .args
            .first()
            .copied()
            .filter(|compared| !matches!(*compared, nqdb_types::oid::ANYARRAY | nqdb_types::oid::ANYENUM));
        let mut converted = Vec::with_capacity(args.len());
        for arg in args {
            converted.push(self.coerce_operand(arg, compared)?);
        }
        let nullable = converted.iter().all(|arg| arg.nullable);
        let compared = Type::new(compared.unwrap_or(ty.oid));
        let value = Expr {
            kind: ExprKind::MinMax { args: converted, greatest, less },
            ty: if compared.oid == ty.oid { ty } else { compared },
            nullable,
            position,
        };
        // The comparison of varchar is text's; the result is varchar again.
        if compared.oid == ty.oid {
            return Ok(value);
        }
        Ok(Expr { nullable, position, kind: ExprKind::Relabel(Box::new(value)), ty })
    }

    /// NULLIF(a, b): the type of `a`, as the `=` between the two sees it.
    pub(super) fn bind_null_if(&mut self, left: Expr, right: Expr, position: Option<u32>) -> SqlResult<Expr> {
        let (equal, left, right) = self.resolve_equality(left, right, "NULLIF", position)?;
        let ty = left.ty;
        Ok(Expr {
            kind: ExprKind::NullIf { left: Box::new(left), right: Box::new(right), equal },
            ty,
            nullable: true,
            position,
        })
    }
}
