//! What a statement needs to be allowed: written down while it is bound ([`crate::rights`]).
//!
//! A column counts as read when an expression of the user names it; what checks, generated columns and locks look at does not
//! count. While a view's query is bound, what it names is noted for the view's owner.

use nqdb_catalog::TableDef;
use nqdb_catalog::rights::{ColumnNeeds, Rights, SecuredKind};
use nqdb_sqlstate::SqlResult;
use nqdb_types::Oid;

use super::Binder;
use super::from::FromItem;
use super::table_row::Row;
use crate::ir::{ColumnId, Expr};
use crate::rights::Access;

/// An access whose columns are known by the ids that they have in the statement.
pub(super) struct NotedAccess {
    access: Access,
    /// Attribute numbers and ids of what may be read.
    readable: Vec<(i16, ColumnId)>,
}

/// A place among the noted accesses.
#[derive(Clone, Copy)]
pub(super) struct AccessPlace(usize);

impl Binder<'_> {
    /// Notes that the statement reads a relation; which columns shows at the end.
    pub(super) fn note_read(&mut self, relation: Oid, readable: Vec<(i16, ColumnId)>) -> AccessPlace {
        self.note(relation, Rights::SELECT, readable)
    }

    fn note(&mut self, relation: Oid, needed: Rights, readable: Vec<(i16, ColumnId)>) -> AccessPlace {
        let access = Access {
            kind: SecuredKind::Table,
            object: relation,
            as_role: self.acting_role,
            needed,
            columns: ColumnNeeds::default(),
        };
        self.accesses.push(NotedAccess { access, readable });
        AccessPlace(self.accesses.len() - 1)
    }

    /// Notes that the statement reads the relation of an item of FROM, whose columns have these attribute numbers.
    pub(super) fn note_item(&mut self, relation: Oid, numbers: impl IntoIterator<Item = i16>, item: &FromItem) {
        let readable = numbers.into_iter().zip(item.columns.iter().map(|column| column.id)).collect();
        self.note_read(relation, readable);
    }

    /// Says which columns of a noted relation can be read, once they have ids.
    pub(super) fn note_columns(&mut self, place: AccessPlace, readable: Vec<(i16, ColumnId)>) {
        if let Some(noted) = self.accesses.get_mut(place.0) {
            noted.readable = readable;
        }
    }

    /// Notes that the statement changes a table, and reads those columns of the row at hand that it names.
    pub(super) fn note_change(&mut self, table: &TableDef, needed: Rights, row: &Row) -> AccessPlace {
        let number = |at: &usize| table.columns.get(*at).map(|column| column.attnum);
        let readable = row.iter().filter_map(|(at, id)| Some((number(at)?, *id))).collect();
        self.note(table.oid, needed, readable)
    }

    /// Adds to what is needed of a noted relation.
    pub(super) fn note_more(&mut self, place: AccessPlace, change: impl FnOnce(&mut Access)) {
        if let Some(noted) = self.accesses.get_mut(place.0) {
            change(&mut noted.access);
        }
    }

    /// Notes the columns that an INSERT names.
    pub(super) fn note_inserted(&mut self, place: AccessPlace, table: &TableDef, targets: &[usize]) {
        let numbers = targets.iter().filter_map(|at| table.columns.get(*at)).map(|column| column.attnum);
        let numbers: Vec<i16> = numbers.collect();
        self.note_more(place, |access| access.columns.inserted.extend(numbers));
    }

    /// Notes the columns by which ON CONFLICT finds rows: that is reading.
    pub(super) fn note_arbiters(&mut self, place: AccessPlace, table: &TableDef, arbiters: &[usize]) {
        let keys = arbiters.iter().filter_map(|at| table.indexes.get(*at)).flat_map(|index| &index.key);
        let numbers = keys.filter_map(|key| table.columns.get(key.column)).map(|column| column.attnum);
        let numbers: Vec<i16> = numbers.collect();
        self.note_more(place, |access| access.columns.selected.extend(numbers));
    }

    /// Notes the columns that a SET names.
    pub(super) fn note_updated(&mut self, place: AccessPlace, table: &TableDef, set: &[(usize, Expr)]) {
        let numbers = set.iter().filter_map(|(at, _)| table.columns.get(*at)).map(|column| column.attnum);
        let numbers: Vec<i16> = numbers.collect();
        self.note_more(place, |access| access.columns.updated.extend(numbers));
    }

    /// The table whose row has this column is to be locked: that needs the right to change it.
    pub(super) fn note_lock(&mut self, column: ColumnId) {
        let of_column = |noted: &&mut NotedAccess| noted.readable.iter().any(|(_, id)| *id == column);
        if let Some(noted) = self.accesses.iter_mut().find(of_column) {
            noted.access.needed = noted.access.needed.with(Rights::UPDATE);
        }
    }

    /// Notes a call of a function that not everybody may call.
    pub(super) fn note_call(&mut self, function: Oid) {
        if self.in_system_view || self.cx.catalog.access_list(SecuredKind::Function.class(), function, 0).is_none() {
            return;
        }
        let place = self.note(function, Rights::EXECUTE, Vec::new());
        self.note_more(place, |access| access.kind = SecuredKind::Function);
    }

    /// Runs `work` and says which columns of a row it reads.
    pub(super) fn reading<T>(
        &mut self,
        table: &TableDef,
        row: &Row,
        work: impl FnOnce(&mut Self) -> SqlResult<T>,
    ) -> SqlResult<(T, Vec<i16>)> {
        let before: Vec<bool> = row.iter().map(|(_, id)| self.set_read(*id, false)).collect();
        let result = work(self)?;
        let mut read = Vec::new();
        for ((at, id), was_read) in row.iter().zip(before) {
            if self.set_read(*id, was_read)
                && let Some(column) = table.columns.get(*at)
            {
                read.push(column.attnum);
            }
        }
        Ok((result, read))
    }

    /// Changes whether a column counts as read; gives what it was.
    fn set_read(&mut self, id: ColumnId, read: bool) -> bool {
        match self.columns.get_mut(id.0 as usize) {
            Some(info) => std::mem::replace(&mut info.read, read),
            None => false,
        }
    }

    /// All that was noted, with the columns that turned out to be read.
    pub(super) fn take_accesses(&mut self) -> Vec<Access> {
        let noted = std::mem::take(&mut self.accesses);
        let finish = |NotedAccess { mut access, readable }: NotedAccess| {
            for (number, id) in readable {
                let is_read = self.columns.get(id.0 as usize).is_some_and(|info| info.read);
                if is_read && !access.columns.selected.contains(&number) {
                    access.columns.selected.push(number);
                }
            }
            if !access.columns.selected.is_empty() {
                access.needed = access.needed.with(Rights::SELECT);
            }
            access
        };
        noted.into_iter().map(finish).filter(|access| !access.needed.is_empty()).collect()
    }
}
