//! Parts of arrays as the targets of INSERT and UPDATE: `SET a[1] = 5`, `INSERT INTO t (a[1:2], a[4])`.
//!
//! An assignment to a part is an assignment of the whole array with that part changed. Several of them to one column
//! work on each other's results, in the order in which they are written.

use nqdb_catalog::{ColumnDef, TableDef};
use nqdb_functions::CastContext;
use nqdb_sqlstate::{DATATYPE_MISMATCH, FEATURE_NOT_SUPPORTED, SqlError, SqlResult};
use nqdb_types::array::element_type;
use nqdb_types::{Datum, Oid, Type, is_domain, oid};
use sqlparser::ast;

use super::{Binder, literal};
use crate::ir::{Expr, ExprKind, OutputColumn, Query, Rel, Subscript};
use crate::parse::Tokens;

/// A part of a column: what stands in the brackets, and the type that its value must have.
pub(super) struct ArrayPart {
    subscripts: Vec<Subscript>,
    ty: Type,
    /// Where the target stands.
    position: Option<u32>,
}

impl ArrayPart {
    /// The type of a value for the part.
    pub(super) fn ty(&self) -> Type {
        self.ty
    }

    /// The array with a value in the place of the part.
    pub(super) fn assigned(&self, array: Expr, value: Expr) -> Expr {
        let (ty, position) = (array.ty, value.position);
        let (array, value) = (Box::new(array), Box::new(value));
        let kind = ExprKind::AssignSubscript { array, subscripts: self.subscripts.clone(), value };
        Expr { kind, ty, nullable: true, position }
    }
}

impl Binder<'_> {
    /// The part of a column that a target names; `None` when it names the whole column.
    pub(super) fn array_part(&mut self, column: &ColumnDef, name: &ast::Ident) -> SqlResult<Option<ArrayPart>> {
        let token = Tokens::index_of(name.span);
        let written = self.target_subscripts.iter().find(|target| Some(target.name) == token);
        let Some(written) = written.map(|target| target.subscripts.clone()) else { return Ok(None) };
        let Some(element) = element_type(column.ty.oid) else {
            let message = format!(
                "cannot subscript type {} because it does not support subscripting",
                self.cx.format.type_name(column.ty.bare())
            );
            return Err(SqlError::new(DATATYPE_MISMATCH, message).or_position(super::span_position(name.span)));
        };
        if is_domain(column.ty.domain) {
            return Err(SqlError::unsupported("an assignment to a part of a value of a domain"));
        }
        let subscripts = self.bind_brackets(&written.iter().collect::<Vec<_>>())?;
        let is_slice = subscripts.iter().any(|subscript| subscript.is_slice);
        let ty = if is_slice { column.ty } else { element_of(column.ty, element) };
        Ok(Some(ArrayPart { subscripts, ty, position: super::span_position(name.span) }))
    }

    /// Converts a value to the type of a part.
    pub(super) fn coerce_for_part(&mut self, value: Expr, part: &ArrayPart, column: &str) -> SqlResult<Expr> {
        let (from, position) = (value.ty, part.position);
        self.try_coerce(value, part.ty, CastContext::Assignment)?.ok_or_else(|| {
            let message = format!(
                "subscripted assignment to \"{column}\" requires type {} but expression is of type {}",
                self.cx.format.type_name(part.ty.bare()),
                self.cx.format.type_name(from.bare())
            );
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
        part: &ArrayPart,
        value: Expr,
        set: &mut Vec<(usize, Expr)>,
    ) -> SqlResult<()> {
        if let Some((_, before)) = set.iter_mut().find(|(other, _)| *other == at) {
            let array = std::mem::replace(before, literal::literal(Datum::Null, part.ty, None));
            *before = part.assigned(array, value);
            return Ok(());
        }
        let array = self.old_value(table, at)?;
        set.push((at, part.assigned(array, value)));
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
        parts: &[Option<ArrayPart>],
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
            match assembled.iter_mut().find(|(other, _)| *other == at) {
                Some((_, before)) => *before = part.assigned(before.clone(), value),
                None => {
                    let ty = table.columns.get(at).map_or(part.ty, |column| column.ty);
                    assembled.push((at, part.assigned(literal::literal(Datum::Null, ty, None), value)));
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

/// The type of an array's elements, which may be a domain.
fn element_of(array: Type, element: Oid) -> Type {
    let domain = element_type(array.domain).unwrap_or(oid::INVALID);
    Type::with_typmod(element, array.typmod).as_domain(domain)
}

/// 0A000 `cannot set an array element to DEFAULT`.
pub(super) fn default_in_part(part: &ArrayPart) -> SqlError {
    SqlError::new(FEATURE_NOT_SUPPORTED, "cannot set an array element to DEFAULT").or_position(part.position)
}
