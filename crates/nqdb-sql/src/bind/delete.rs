//! DELETE of one table.

use nqdb_catalog::rights::Rights;
use nqdb_sqlstate::{SYNTAX_ERROR, SqlError, SqlResult};
use sqlparser::ast::{self, FromTable};

use super::Binder;
use super::scope::{Clause, Scope};
use super::view_target::ViewChange;
use crate::ir::Delete;
use crate::parse::cursor_of;

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
        if !tables.is_empty() || output.is_some() || !order_by.is_empty() || limit.is_some() {
            return Err(SqlError::unsupported("this clause of DELETE"));
        }
        let FromTable::WithFromKeyword(items) = from else {
            return Err(SqlError::new(SYNTAX_ERROR, "syntax error: DELETE needs FROM"));
        };
        let [item] = items.as_slice() else {
            return Err(SqlError::new(SYNTAX_ERROR, "syntax error: DELETE takes one table"));
        };
        let (table, alias) = self.bind_changed_table(item, Some(ViewChange::Delete))?;
        self.in_scope(Scope::new(Clause::From), |binder| {
            let mut old = binder.new_row(&table, false);
            binder.add_system_columns(&table, &mut old);
            binder.note_change(&table, Rights::DELETE, &old)?;
            let others = binder.bind_other_tables(&table, &alias, &old, using.as_deref().unwrap_or_default())?;
            let scope = binder.changed_scope(&table, &alias, &old, others.as_ref(), Clause::Where)?;
            *binder.scope() = scope;
            let current_of = selection.as_ref().and_then(cursor_of);
            if current_of.is_some() && others.is_some() {
                return Err(SqlError::unsupported("WHERE CURRENT OF beside other tables"));
            }
            let predicate = match selection {
                _ if current_of.is_some() => None,
                Some(selection) => Some(binder.bind_boolean(selection, "WHERE")?),
                None => None,
            };
            let predicate = binder.with_view_conditions(&table, &old, predicate)?;
            let scope = binder.changed_scope(&table, &alias, &old, others.as_ref(), Clause::Returning)?;
            let returning = binder.bind_returning(returning.as_ref(), scope)?;
            binder.drop_unused_system_columns(&mut old);
            let using = others.map(|others| binder.join_changed(&table, &alias, &old, others));
            let table = binder.real_table(&table);
            let mut delete = Delete { table, old, alias, using, current_of, predicate, returning };
            binder.put_view_values_in(delete.predicate.iter_mut(), &mut delete.returning);
            Ok(delete)
        })
    }
}
