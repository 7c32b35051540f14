//! DELETE of one table.

use nqdb_sqlstate::{SYNTAX_ERROR, SqlError, SqlResult};
use sqlparser::ast::{self, FromTable};

use super::Binder;
use super::scope::{Clause, Scope};
use crate::ir::Delete;

impl Binder<'_> {
    pub(super) fn bind_delete(&mut self, delete: &ast::Delete) -> SqlResult<Delete> {
        let ast::Delete {
            delete_token: _,
            optimizer_hints: _,
            tables,
            from,
            using,
            selection,
            returning,
            output,
            order_by,
            limit,
        } = delete;
        if using.is_some() {
            return Err(SqlError::unsupported("DELETE ... USING"));
        }
        if !tables.is_empty() || output.is_some() || !order_by.is_empty() || limit.is_some() {
            return Err(SqlError::unsupported("this clause of DELETE"));
        }
        let FromTable::WithFromKeyword(items) = from else {
            return Err(SqlError::new(SYNTAX_ERROR, "syntax error: DELETE needs FROM"));
        };
        let [item] = items.as_slice() else {
            return Err(SqlError::new(SYNTAX_ERROR, "syntax error: DELETE takes one table"));
        };
        let (table, alias) = self.bind_changed_table(item)?;
        self.in_scope(Scope::new(Clause::Where), |binder| {
            let old = binder.new_row(&table, false);
            let scope = binder.row_scope(&table, &alias, &old, Clause::Where);
            *binder.scope() = scope;
            let predicate = match selection {
                Some(selection) => Some(binder.bind_boolean(selection, "WHERE")?),
                None => None,
            };
            let scope = binder.row_scope(&table, &alias, &old, Clause::Returning);
            let returning = binder.bind_returning(returning.as_ref(), scope)?;
            Ok(Delete { table, old, alias, predicate, returning })
        })
    }
}
