//! What an item of FROM sees of the items before it: everything when it is LATERAL or a function, nothing otherwise.
//!
//! While an item is bound, the finished items to its left are the scope's [`Sibling`]s. For a lateral item they become
//! the names of the query level in which FROM stands, which is where the item's subquery looks outside of itself.

use nqdb_sqlstate::SqlResult;

use super::Binder;
use super::from::FromItem;
use super::scope::{ScopeColumn, ScopeTable};

/// An item of FROM, or the left side of a join, that is bound already.
#[derive(Clone, Debug)]
pub(super) struct Sibling {
    pub(super) tables: Vec<ScopeTable>,
    pub(super) columns: Vec<ScopeColumn>,
    /// The join at hand may be evaluated row by row of it.
    pub(super) reachable: bool,
}

impl Sibling {
    pub(super) fn new(item: &FromItem, reachable: bool) -> Sibling {
        Sibling { tables: item.tables.clone(), columns: item.columns.clone(), reachable }
    }
}

impl Binder<'_> {
    /// Binds an item of FROM; with `lateral` it sees its siblings.
    pub(super) fn beside_siblings<T>(
        &mut self,
        lateral: bool,
        work: impl FnOnce(&mut Self) -> SqlResult<T>,
    ) -> SqlResult<T> {
        let siblings = self.scope().siblings.clone();
        if siblings.is_empty() {
            return work(self);
        }
        let tables: Vec<ScopeTable> = siblings.iter().flat_map(|sibling| sibling.tables.iter().cloned()).collect();
        let scope = self.scope();
        if !lateral {
            let before = std::mem::replace(&mut scope.invisible, tables);
            let result = work(self);
            self.scope().invisible = before;
            return result;
        }
        let columns = siblings.iter().flat_map(|sibling| sibling.columns.iter().cloned()).collect();
        let unreachable = siblings.iter().filter(|sibling| !sibling.reachable);
        let unreachable = unreachable
            .flat_map(|sibling| sibling.tables.iter().flat_map(|table| &table.columns).chain(&sibling.columns))
            .map(|column| column.id)
            .collect();
        let tables_before = std::mem::replace(&mut scope.tables, tables);
        let columns_before = std::mem::replace(&mut scope.columns, columns);
        let unreachable_before = std::mem::replace(&mut scope.unreachable, unreachable);
        let result = work(self);
        let scope = self.scope();
        scope.tables = tables_before;
        scope.columns = columns_before;
        scope.unreachable = unreachable_before;
        result
    }
}
