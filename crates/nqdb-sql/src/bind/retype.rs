//! ALTER COLUMN TYPE: how the values that are there become values of the new type, and the copy of a table's rows that
//! this may take.

use std::sync::Arc;

use nqdb_catalog::TableDef;
use nqdb_functions::CastContext;
use nqdb_sqlstate::{DATATYPE_MISMATCH, FEATURE_NOT_SUPPORTED, SqlError, SqlResult};
use nqdb_types::{Oid, Type, oid};
use sqlparser::ast;

use super::scope::Clause;
use super::table_row::Row;
use super::{BindContext, Binder};
use crate::ir::{Bound, ColumnId, Expr, ExprKind, OutputColumn, Query, Rel};
use crate::params::ParamTypes;
use crate::parse::Tokens;

/// What a column is to become.
pub struct Conversion<'a> {
    pub position: usize,
    pub ty: Type,
    pub using: Option<&'a ast::Expr>,
}

/// Whether rows have to be written anew: any value may get other bytes, or may not fit.
///
/// Errors: 42804 for a column, or a USING, without an assignment cast to the new type.
pub fn needs_rewrite(
    table: &Arc<TableDef>,
    conversions: &[Conversion<'_>],
    tokens: &Arc<Tokens>,
    cx: &BindContext<'_>,
) -> SqlResult<bool> {
    let mut params = ParamTypes::none();
    let mut binder = Binder::new(cx, Arc::clone(tokens), &mut params);
    let row = binder.new_row(table, false);
    let mut rewrite = false;
    for conversion in conversions {
        let value = binder.converted(table, &row, conversion)?;
        rewrite |= id_of(&row, conversion.position).is_none_or(|id| !keeps_bytes(&value, id));
    }
    Ok(rewrite)
}

/// The rows of `old`, with some columns converted, as an INSERT into `new`: the same columns over another store.
pub fn bind_retype(
    old: &Arc<TableDef>,
    new: &Arc<TableDef>,
    conversions: &[Conversion<'_>],
    tokens: &Arc<Tokens>,
    cx: &BindContext<'_>,
) -> SqlResult<Bound> {
    let mut params = ParamTypes::none();
    let mut binder = Binder::new(cx, Arc::clone(tokens), &mut params);
    let row = binder.new_row(old, false);
    let mut converted = Vec::new();
    let mut output = Vec::new();
    for (position, column) in new.live_columns() {
        let Some(mut id) = id_of(&row, position) else { continue };
        if let Some(conversion) = conversions.iter().find(|conversion| conversion.position == position) {
            let value = binder.converted(old, &row, conversion)?;
            id = binder.new_column(value.ty, true, None);
            converted.push((id, value));
        }
        output.push(OutputColumn { id, name: column.name.clone(), ty: column.ty, origin: None });
    }
    let scan = Rel::Scan {
        table: Arc::clone(old),
        alias: old.name.clone(),
        columns: row,
        address: None,
        sample: None,
        position: None,
    };
    let rel = Rel::Extend { input: Box::new(scan), columns: converted };
    binder.fill(new, Query { rel, output })
}

impl Binder<'_> {
    /// The new value of a column over a row of the table as it was.
    fn converted(&mut self, table: &Arc<TableDef>, row: &Row, conversion: &Conversion<'_>) -> SqlResult<Expr> {
        let column = table.columns.get(conversion.position);
        let column = column.ok_or_else(|| SqlError::internal("no such column"))?;
        let value = match (conversion.using, id_of(row, conversion.position)) {
            (Some(expression), _) => {
                let scope = self.row_scope(table, &table.name, row, Clause::Transform);
                self.in_scope(scope, |binder| binder.bind_expr(expression))?
            }
            (None, Some(id)) => self.column_expr(id, None),
            (None, None) => return Err(SqlError::internal("no such column")),
        };
        let mut subquery = None;
        super::walk::any(&value, &mut |expr| {
            let found = matches!(
                expr.kind,
                ExprKind::ScalarSubquery(_)
                    | ExprKind::Exists(_)
                    | ExprKind::ArraySubquery(_)
                    | ExprKind::Quantified { .. }
            );
            if found {
                subquery = Some(expr.position);
            }
            found
        });
        if let Some(position) = subquery {
            let message = "cannot use subquery in transform expression";
            return Err(SqlError::new(FEATURE_NOT_SUPPORTED, message).or_position(position));
        }
        let coerced = self.try_coerce(value, conversion.ty, CastContext::Assignment)?;
        coerced.ok_or_else(|| {
            let name = self.cx.format.type_name(conversion.ty.bare());
            if conversion.using.is_some() {
                let message = format!(
                    "result of USING clause for column \"{}\" cannot be cast automatically to type {name}",
                    column.name
                );
                return SqlError::new(DATATYPE_MISMATCH, message).with_hint("You might need to add an explicit cast.");
            }
            let message = format!("column \"{}\" cannot be cast automatically to type {name}", column.name);
            let error = SqlError::new(DATATYPE_MISMATCH, message);
            if column.generated.is_some() {
                return error;
            }
            error.with_hint(format!(
                "You might need to specify \"USING {}::{}\".",
                nqdb_functions::quote_identifier(&column.name),
                self.cx.format.type_name(conversion.ty)
            ))
        })
    }
}

fn id_of(row: &Row, position: usize) -> Option<ColumnId> {
    row.iter().find(|(at, _)| *at == position).map(|(_, id)| *id)
}

/// Whether an expression is the column itself under another name, with limits that every value of it meets.
fn keeps_bytes(value: &Expr, column: ColumnId) -> bool {
    match &value.kind {
        ExprKind::Column(id) => *id == column,
        ExprKind::Relabel(arg) => share_bytes(arg.ty.oid, value.ty.oid) && keeps_bytes(arg, column),
        ExprKind::Typmod { arg, .. } => is_wider(arg.ty, value.ty) && keeps_bytes(arg, column),
        _ => false,
    }
}

/// Whether two types store a value as the same bytes.
fn share_bytes(left: Oid, right: Oid) -> bool {
    let is_text = |type_oid: Oid| matches!(type_oid, oid::TEXT | oid::VARCHAR);
    left == right || is_text(left) && is_text(right)
}

/// Whether every value of a type fits the other, which is the same but for its modifier.
fn is_wider(from: Type, to: Type) -> bool {
    if to.typmod < 0 {
        return true;
    }
    if from.typmod < 0 {
        return false;
    }
    match to.oid {
        oid::VARCHAR | oid::VARBIT | oid::TIME | oid::TIMETZ | oid::TIMESTAMP | oid::TIMESTAMPTZ => {
            to.typmod >= from.typmod
        }
        oid::NUMERIC => match (from.numeric_precision_scale(), to.numeric_precision_scale()) {
            (Some((from_precision, from_scale)), Some((to_precision, to_scale))) => {
                from_scale == to_scale && to_precision >= from_precision
            }
            _ => false,
        },
        _ => to.typmod == from.typmod,
    }
}

#[cfg(test)]
mod tests {
    use super::is_wider;
    use nqdb_types::{Type, oid};

    #[test]
    fn modifiers_grow_or_do_not() {
        let varchar = |typmod| Type::with_typmod(oid::VARCHAR, typmod);
        assert!(is_wider(varchar(14), varchar(24)));
        assert!(is_wider(varchar(14), varchar(-1)));
        assert!(!is_wider(varchar(-1), varchar(14)));
        assert!(!is_wider(varchar(24), varchar(14)));
        let numeric = |precision: i32, scale: i32| Type::with_typmod(oid::NUMERIC, (precision << 16 | scale) + 4);
        assert!(is_wider(numeric(5, 2), numeric(8, 2)));
        assert!(!is_wider(numeric(5, 2), numeric(8, 3)));
        assert!(!is_wider(numeric(8, 2), numeric(5, 2)));
        let bpchar = |typmod| Type::with_typmod(oid::BPCHAR, typmod);
        assert!(!is_wider(bpchar(5), bpchar(9)), "its blanks are stored");
    }
}
