//! Composite values in expressions: `ROW(..)`, whole rows of tables, `(record).field`.
//!
//! A composite type's shape is the catalog's. The type `record` does not tell a record's shape; the binder finds it where it
//! was made: at the constructor, at the column of a subquery that shows one.

use std::sync::Arc;

use nqdb_catalog::{NamedAttribute, TableDef};
use nqdb_functions::CastContext;
use nqdb_sqlstate::{CANNOT_COERCE, SYNTAX_ERROR, SqlError, SqlResult, UNDEFINED_COLUMN, WRONG_OBJECT_TYPE};
use nqdb_types::{RecordShape, Type, is_composite, oid};
use sqlparser::ast::{self, FunctionArg, FunctionArgExpr, FunctionArguments, ObjectName};

use super::from::{TableName, table_name};
use super::operators::marked_argument;
use super::scope::{ScopeTable, find_table, missing_from};
use super::{Binder, leftmost};
use crate::ir::{ColumnId, Expr, ExprKind, FunctionColumn};
use crate::parse::ALL_FIELDS;

/// PostgreSQL's limit on the fields of a row.
const FIELD_COUNT_MAX: usize = 1664;

/// What may stand between the parentheses of a row.
pub(super) enum RowItem<'q> {
    Value(&'q ast::Expr),
    /// `table.*`
    Wildcard(&'q ObjectName),
}

/// The record whose fields `(record).*` stands for.
pub(super) fn expanded_record(expression: &ast::Expr) -> Option<&ast::Expr> {
    marked_argument(expression, ALL_FIELDS)
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
                RowItem::Value(item) if expanded_record(item).is_some() => {
                    let Some(record) = expanded_record(item) else { continue };
                    let record = self.bind_expr(record)?;
                    fields.extend(self.fields_of(&record)?.into_iter().map(|(_, field)| field));
                }
                RowItem::Value(item) => {
                    // A literal stays unknown: a cast of the row to a composite type gives it its type.
                    let bound = self.bind_expr(item)?;
                    let is_literal = matches!(bound.kind, ExprKind::Literal(_));
                    fields.push(if is_literal { bound } else { self.resolve_unknown(bound)? });
                }
            }
        }
        if fields.len() > FIELD_COUNT_MAX {
            let message = format!("ROW expressions can have at most {FIELD_COUNT_MAX} entries");
            return Err(SqlError::new(nqdb_sqlstate::TOO_MANY_COLUMNS, message).or_position(position));
        }
        let known = |ty: Type| if ty.oid == oid::UNKNOWN { Type::TEXT } else { ty };
        let shape = Arc::new(RecordShape::anonymous(fields.iter().map(|field| known(field.ty))));
        let ty = self.record_type(&shape);
        Ok(Expr { kind: ExprKind::Row { fields, shape, absent_if_null: false }, ty, nullable: false, position })
    }

    /// A table's name where a value stands: its row.
    pub(super) fn whole_row(&mut self, table: &ScopeTable, position: Option<u32>) -> Expr {
        if let (true, [column]) = (table.is_value, table.columns.as_slice()) {
            return self.column_expr(column.id, position);
        }
        let has_value = |table: &Arc<TableDef>| table.live_columns().any(|(_, column)| column.not_null);
        let absent_if_null = table.table.as_ref().is_some_and(has_value);
        let named = table.row.as_ref().and_then(|row| {
            let shape = self.cx.catalog.composite_shape(row.type_oid)?;
            (shape.fields.len() == row.columns.len()).then(|| (shape, row.columns.clone()))
        });
        if let Some((shape, columns)) = named {
            let fields = columns.into_iter().map(|id| self.column_expr(id, position)).collect();
            let ty = Type::new(shape.type_oid);
            let kind = ExprKind::Row { fields, shape, absent_if_null };
            return Expr { kind, ty, nullable: absent_if_null, position };
        }
        let mut fields = Vec::with_capacity(table.columns.len());
        for column in &table.columns {
            fields.push(self.column_expr(column.id, position));
        }
        let names = table.columns.iter().map(|column| column.name.as_str());
        let shape = Arc::new(RecordShape::named(oid::RECORD, names.zip(fields.iter().map(|field| field.ty))));
        let ty = self.record_type(&shape);
        Expr { kind: ExprKind::Row { fields, shape, absent_if_null }, ty, nullable: absent_if_null, position }
    }

    /// The row of a function that gives several columns.
    pub(super) fn row_of_columns(&mut self, columns: &[FunctionColumn], position: Option<u32>) -> Expr {
        let named = columns.iter().map(|column| (column.name.as_str(), column.ty));
        let shape = Arc::new(RecordShape::named(oid::RECORD, named));
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

    /// `(record).field`; of a value without such a field, a call of the function of that name.
    pub(super) fn field_of(&mut self, record: Expr, name: &str, position: Option<u32>) -> SqlResult<Expr> {
        let start = leftmost(record.position, position);
        if let Some(index) = self.field_index(record.ty, name) {
            return Ok(self.field_at(record, index, start));
        }
        let (ty, at) = (record.ty, record.position);
        if ty.oid != oid::UNKNOWN
            && let Some(called) = self.call_of_one(name, record, position)?
        {
            return Ok(called);
        }
        let type_name = self.cx.format.type_name(ty.bare());
        let error = if is_composite(ty.oid) {
            SqlError::new(UNDEFINED_COLUMN, format!("column \"{name}\" not found in data type {type_name}"))
        } else if ty.oid == oid::RECORD {
            let message = format!("could not identify column \"{name}\" in record data type");
            SqlError::new(UNDEFINED_COLUMN, message)
        } else {
            let message = format!("column notation .{name} applied to type {type_name}, which is not a composite type");
            SqlError::new(WRONG_OBJECT_TYPE, message)
        };
        Err(error.or_position(at))
    }

    /// A field of a value by the name of a function: `name(record)`; `None` when there is no such field.
    pub(super) fn projection(&mut self, record: &Expr, name: &str, position: Option<u32>) -> Option<Expr> {
        let index = self.field_index(record.ty, name)?;
        Some(self.field_at(record.clone(), index, leftmost(record.position, position)))
    }

    /// The position of a field among those that a value of the type has now.
    fn field_index(&mut self, ty: Type, name: &str) -> Option<usize> {
        let shape = self.shape_of(ty)?;
        if let Some(stored) = self.stored.as_ref().filter(|_| is_composite(ty.oid)) {
            let named = stored.attributes.iter().find(|named| named.type_oid == ty.oid && named.name == name)?;
            return shape.fields.iter().position(|field| field.number == named.number);
        }
        let (index, _) = shape.field_named(name)?;
        self.record_attribute(&shape, index);
        Some(index)
    }

    /// The field of a record at a position that it has.
    fn field_at(&mut self, record: Expr, index: usize, position: Option<u32>) -> Expr {
        let shape = self.shape_of(record.ty);
        let field = shape.as_ref().and_then(|shape| shape.fields.get(index));
        let (ty, name) = field.map_or((Type::TEXT, Arc::from("")), |field| (field.ty, Arc::clone(&field.name)));
        if let ExprKind::Row { fields, .. } = &record.kind
            && let Some(field) = fields.get(index)
        {
            return Expr { position, ty, ..field.clone() };
        }
        Expr { kind: ExprKind::Field { record: Box::new(record), index, name }, ty, nullable: true, position }
    }

    /// `(record).*`: the names and values of all fields. Errors: 42809 for what is no record, 42601 for a record whose shape
    /// nobody knows.
    pub(super) fn fields_of(&mut self, record: &Expr) -> SqlResult<Vec<(String, Expr)>> {
        let Some(shape) = self.shape_of(record.ty) else {
            let type_name = self.cx.format.type_name(record.ty.bare());
            let error = if record.ty.oid == oid::RECORD {
                SqlError::new(SYNTAX_ERROR, "record type has not been registered")
            } else {
                SqlError::new(WRONG_OBJECT_TYPE, format!("type {type_name} is not composite"))
            };
            return Err(error.or_position(record.position));
        };
        let stored = self.stored.as_ref().filter(|_| is_composite(record.ty.oid));
        let chosen: Vec<(String, usize)> = match stored {
            // What `*` meant when the query was stored.
            Some(stored) => {
                let named = stored.attributes.iter().filter(|named| named.type_oid == record.ty.oid);
                let place = |number| shape.fields.iter().position(|field| field.number == number);
                named.filter_map(|named| Some((named.name.clone(), place(named.number)?))).collect()
            }
            None => shape.fields.iter().enumerate().map(|(at, field)| (field.name.to_string(), at)).collect(),
        };
        for (_, index) in &chosen {
            self.record_attribute(&shape, *index);
        }
        Ok(chosen.into_iter().map(|(name, at)| (name, self.field_at(record.clone(), at, record.position))).collect())
    }

    /// Notes a field that a query selects which is to be stored, in the order of their numbers.
    fn record_attribute(&mut self, shape: &RecordShape, index: usize) {
        let (Some(recorded), Some(field)) = (&mut self.recorded_attributes, shape.fields.get(index)) else { return };
        if !is_composite(shape.type_oid) {
            return;
        }
        let named = NamedAttribute { type_oid: shape.type_oid, number: field.number, name: field.name.to_string() };
        if !recorded.contains(&named) {
            recorded.push(named);
            recorded.sort_by_key(|named| (named.type_oid, named.number));
        }
    }

    /// The shape of a record, where the binder knows it.
    pub(super) fn shape_of(&self, record: Type) -> Option<Arc<RecordShape>> {
        if is_composite(record.oid) {
            return self.cx.catalog.composite_shape(record.oid);
        }
        let index = usize::try_from(record.typmod).ok().filter(|_| record.oid == oid::RECORD)?;
        self.shapes.get(index).cloned()
    }

    /// The type of records of a shape: within the binder its modifier is the shape's number.
    pub(super) fn record_type(&mut self, shape: &Arc<RecordShape>) -> Type {
        if is_composite(shape.type_oid) {
            return Type::new(shape.type_oid);
        }
        let index = self.shapes.iter().position(|known| known == shape).unwrap_or_else(|| {
            self.shapes.push(Arc::clone(shape));
            self.shapes.len() - 1
        });
        Type::with_typmod(oid::RECORD, index as i32)
    }

    /// A row that was spelled out, as a composite type: field by field. `None` for a value that is no such row.
    ///
    /// Errors: 42846 with its reason when a field, or their number, does not fit.
    pub(super) fn row_as_composite(
        &mut self,
        row: Expr,
        target: Type,
        context: CastContext,
    ) -> SqlResult<Option<Expr>> {
        let Expr { kind, ty, nullable, position } = row;
        let (ExprKind::Row { fields, absent_if_null, .. }, Some(shape)) = (kind, self.shape_of(target)) else {
            return Ok(None);
        };
        let refuse = |binder: &Self, detail: String| {
            let (from, to) = (binder.cx.format.type_name(ty.bare()), binder.cx.format.type_name(target.bare()));
            Err(SqlError::new(CANNOT_COERCE, format!("cannot cast type {from} to {to}"))
                .with_detail(detail)
                .or_position(position))
        };
        if fields.len() != shape.fields.len() {
            let what = if fields.len() < shape.fields.len() { "few" } else { "many" };
            return refuse(self, format!("Input has too {what} columns."));
        }
        let mut converted = Vec::with_capacity(fields.len());
        for (at, (value, field)) in fields.into_iter().zip(&shape.fields).enumerate() {
            let from = value.ty;
            match self.try_coerce(value, field.ty, context)? {
                Some(value) => converted.push(value),
                None => {
                    let (from, to) = (self.cx.format.type_name(from), self.cx.format.type_name(field.ty));
                    return refuse(self, format!("Cannot cast type {from} to {to} in column {}.", at + 1));
                }
            }
        }
        let ty = Type::new(shape.type_oid);
        let kind = ExprKind::Row { fields: converted, shape, absent_if_null };
        Ok(Some(Expr { kind, ty, nullable, position }))
    }
}
