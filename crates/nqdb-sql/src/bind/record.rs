//! Composite values in expressions: `ROW(..)`, whole rows of tables, `(record).field`.
//!
//! The type `record` does not tell a record's shape; the binder finds it where it was made: at the constructor, at the
//! column of a subquery that shows one, at the table whose row it is.

use std::sync::Arc;

use nqdb_catalog::TableDef;
use nqdb_sqlstate::{SqlError, SqlResult, UNDEFINED_COLUMN, WRONG_OBJECT_TYPE};
use nqdb_types::{RecordField, RecordShape, Type, oid};
use sqlparser::ast::{self, FunctionArg, FunctionArgExpr, FunctionArguments, ObjectName};

use super::from::{TableName, table_name};
use super::scope::{ScopeTable, find_table, missing_from};
use super::{Binder, leftmost};
use crate::ir::{ColumnId, Expr, ExprKind, FunctionColumn};

/// PostgreSQL's limit on the fields of a row.
const FIELD_COUNT_MAX: usize = 1664;

/// What may stand between the parentheses of a row.
pub(super) enum RowItem<'q> {
    Value(&'q ast::Expr),
    /// `table.*`
    Wildcard(&'q ObjectName),
}

/// The items of `ROW(..)`.
pub(super) fn row_arguments(function: &ast::Function) -> Option<Vec<RowItem<'_>>> {
    let FunctionArguments::List(list) = &function.args else { return None };
    if list.duplicate_treatment.is_some() || !list.clauses.is_empty() {
        return None;
    }
    list.args
        .iter()
        .map(|arg| match arg {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(item)) => Some(RowItem::Value(item)),
            FunctionArg::Unnamed(FunctionArgExpr::QualifiedWildcard(name)) => Some(RowItem::Wildcard(name)),
            _ => None,
        })
        .collect()
}

impl Binder<'_> {
    /// `ROW(a, b)` and `(a, b)`.
    pub(super) fn bind_row(&mut self, items: &[RowItem<'_>], position: Option<u32>) -> SqlResult<Expr> {
        let mut fields = Vec::with_capacity(items.len());
        for item in items {
            match item {
                RowItem::Wildcard(name) => fields.extend(self.row_expansion(name)?),
                RowItem::Value(item) => {
                    let bound = self.bind_expr(item)?;
                    fields.push(self.resolve_unknown(bound)?);
                }
            }
        }
        if fields.len() > FIELD_COUNT_MAX {
            let message = format!("ROW expressions can have at most {FIELD_COUNT_MAX} entries");
            return Err(SqlError::new(nqdb_sqlstate::TOO_MANY_COLUMNS, message).or_position(position));
        }
        let shape = Arc::new(RecordShape::anonymous(fields.iter().map(|field| field.ty)));
        let ty = self.record_type(&shape);
        Ok(Expr { kind: ExprKind::Row { fields, shape, absent_if_null: false }, ty, nullable: false, position })
    }

    /// A table's name where a value stands: its row.
    pub(super) fn whole_row(&mut self, table: &ScopeTable, position: Option<u32>) -> Expr {
        if let (true, [column]) = (table.is_value, table.columns.as_slice()) {
            return self.column_expr(column.id, position);
        }
        let columns = table.columns.clone();
        let mut shape = RecordShape { type_oid: oid::RECORD, fields: Vec::with_capacity(columns.len()) };
        let has_value = |table: &Arc<TableDef>| table.live_columns().any(|(_, column)| column.not_null);
        let absent_if_null = table.table.as_ref().is_some_and(has_value);
        let mut fields = Vec::with_capacity(columns.len());
        for column in columns {
            let field = self.column_expr(column.id, position);
            shape.fields.push(RecordField { name: column.name.as_str().into(), ty: field.ty });
            fields.push(field);
        }
        let shape = Arc::new(shape);
        let ty = self.record_type(&shape);
        Expr { kind: ExprKind::Row { fields, shape, absent_if_null }, ty, nullable: absent_if_null, position }
    }

    /// The row of a function that gives several columns.
    pub(super) fn row_of_columns(&mut self, columns: &[FunctionColumn], position: Option<u32>) -> Expr {
        let field = |column: &FunctionColumn| RecordField { name: column.name.as_str().into(), ty: column.ty };
        let shape = Arc::new(RecordShape { type_oid: oid::RECORD, fields: columns.iter().map(field).collect() });
        let fields = columns.iter().map(|column| self.column_expr(column.id, position)).collect();
        let ty = self.record_type(&shape);
        // Where the rows of another function of the list are more, there is no record.
        Expr { kind: ExprKind::Row { fields, shape, absent_if_null: true }, ty, nullable: true, position }
    }

    /// The columns of `table.*` within a row.
    fn row_expansion(&mut self, name: &ObjectName) -> SqlResult<Vec<Expr>> {
        let TableName { schema, name, position } = table_name(name)?;
        let Some(table) = find_table(&self.scopes, schema.as_deref(), &name, position)? else {
            return Err(missing_from(&self.scopes, &name, position));
        };
        let ids: Vec<ColumnId> = table.columns.iter().map(|column| column.id).collect();
        Ok(ids.into_iter().map(|id| self.column_expr(id, position)).collect())
    }

    /// `(record).field`.
    pub(super) fn field_of(&mut self, record: Expr, name: &str, position: Option<u32>) -> SqlResult<Expr> {
        let start = leftmost(record.position, position);
        let type_name = self.cx.format.type_name(record.ty.bare());
        if record.ty.oid != oid::RECORD {
            let message = format!("column notation .{name} applied to type {type_name}, which is not a composite type");
            return Err(SqlError::new(WRONG_OBJECT_TYPE, message).or_position(record.position));
        }
        let shape = self.shape_of(record.ty);
        let fields = shape.iter().flat_map(|shape| &shape.fields);
        let Some((index, field)) = fields.enumerate().find(|(_, field)| &*field.name == name) else {
            let message = format!("could not identify column \"{name}\" in record data type");
            return Err(SqlError::new(UNDEFINED_COLUMN, message).or_position(record.position));
        };
        let ty = field.ty;
        Ok(Expr { kind: ExprKind::Field { record: Box::new(record), index }, ty, nullable: true, position: start })
    }

    /// The shape of a record, where the binder knows it.
    pub(super) fn shape_of(&self, record: Type) -> Option<Arc<RecordShape>> {
        let index = usize::try_from(record.typmod).ok().filter(|_| record.oid == oid::RECORD)?;
        self.shapes.get(index).cloned()
    }

    /// The type of records of a shape: within the binder its modifier is the shape's number.
    fn record_type(&mut self, shape: &Arc<RecordShape>) -> Type {
        let index = self.shapes.iter().position(|known| known == shape).unwrap_or_else(|| {
            self.shapes.push(Arc::clone(shape));
            self.shapes.len() - 1
        });
        Type::with_typmod(oid::RECORD, index as i32)
    }
}
