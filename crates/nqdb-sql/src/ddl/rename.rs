//! Names inside of stored expressions, and ALTER INDEX ... RENAME.

use std::ops::ControlFlow;

use nqdb_catalog::{Relation, TableDef};
use nqdb_sqlstate::{SqlError, SqlResult, WRONG_OBJECT_TYPE};
use nqdb_txn::TxnError;
use sqlparser::ast::{Expr, Ident, ObjectName, VisitMut, visit_expressions_mut};

use super::DdlContext;
use super::names::missing_relation;
use crate::exec::CommandTag;
use crate::names::name_of;
use crate::parse::parse_expression;

pub(super) fn rename_index(
    name: &ObjectName,
    new_name: &ObjectName,
    cx: &mut DdlContext<'_, '_>,
) -> Result<CommandTag, TxnError> {
    let name = cx.name(name)?;
    let new_name = cx.name(new_name)?;
    match cx.find_relation(&name) {
        Some(Relation::Index(table, position)) => {
            cx.expect_owner(table.owner, "index", &name.name)?;
            cx.writer().rename_index(table.oid, table.indexes[position].oid, &new_name.name)?;
            Ok(CommandTag::Other("ALTER INDEX"))
        }
        Some(_) => Err(SqlError::new(WRONG_OBJECT_TYPE, format!("\"{}\" is not an index", name.name)).into()),
        None => Err(missing_relation("relation", &name).into()),
    }
}

/// The checks of a table that name a column, with the column under its new name: position and text.
pub(super) fn renamed_checks(table: &TableDef, position: usize, new_name: &str) -> SqlResult<Vec<(usize, String)>> {
    let column = &table.columns[position];
    let mut renamed = Vec::new();
    for (at, check) in table.checks.iter().enumerate() {
        if check.columns.contains(&column.attnum) {
            let (_, mut expression) = parse_expression(&check.expression)?;
            rename_column(&mut expression, &column.name, new_name);
            renamed.push((at, expression.to_string()));
        }
    }
    Ok(renamed)
}

fn rename_column(expression: &mut impl VisitMut, old_name: &str, new_name: &str) {
    let _: ControlFlow<()> = visit_expressions_mut(expression, |expression| {
        match expression {
            Expr::Identifier(name) if name_of(name) == old_name => *name = Ident::with_quote('"', new_name),
            Expr::CompoundIdentifier(names) => {
                if let Some(last) = names.last_mut()
                    && name_of(last) == old_name
                {
                    *last = Ident::with_quote('"', new_name);
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    });
}
