//! What a statement needs to be allowed: written down while it is bound ([`crate::rights`]).
//!
//! A column counts as read when an expression of the user names it; what checks, generated columns and locks look at does not
//! count. While a view's query is bound, what it names is noted for the view's owner.

use std::sync::Arc;

use nqdb_catalog::rights::{ColumnNeeds, Rights, SecuredKind};
use nqdb_catalog::{TableDef, ViewDef};
use nqdb_sqlstate::{SqlError, SqlResult};
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
///
/// Behind a view follow those of what is below it, `count` in all.
#[derive(Clone, Copy)]
pub(super) struct AccessPlace {
    first: usize,
    count: usize,
}

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
        AccessPlace { first: self.accesses.len() - 1, count: 1 }
    }

    /// Notes that the statement reads the relation of an item of FROM, whose columns have these attribute numbers.
    pub(super) fn note_item(&mut self, relation: Oid, numbers: impl IntoIterator<Item = i16>, item: &FromItem) {
        let readable = numbers.into_iter().zip(item.columns.iter().map(|column| column.id)).collect();
        self.note_read(relation, readable);
    }

    /// Notes by which addresses the relation that was noted last may be asked to lock rows. Nothing reads them.
    pub(super) fn note_address(&mut self, address: Option<ColumnId>) {
        if let (Some(address), Some(noted)) = (address, self.accesses.last_mut()) {
            noted.readable.push((0, address));
        }
    }

    /// Says which columns of a noted relation can be read, once they have ids.
    pub(super) fn note_columns(&mut self, place: AccessPlace, readable: Vec<(i16, ColumnId)>) {
        if let Some(noted) = self.accesses.get_mut(place.first) {
            noted.readable = readable;
        }
    }

    /// Notes that the statement changes a table, and reads those columns of the row at hand that it names. Behind a view its
    /// owner needs the same rights.
    pub(super) fn note_change(&mut self, table: &Arc<TableDef>, needed: Rights, row: &Row) -> SqlResult<AccessPlace> {
        let Some(target) = self.view_behind(table) else {
            let readable = row.iter().map(|(at, id)| (self.number_of(table, *at), *id)).collect();
            return Ok(self.note(table.oid, needed, readable));
        };
        let ids = self.view_ids(&target, row)?;
        let views: Vec<&Arc<ViewDef>> = target.layers.iter().map(|layer| &layer.view).collect();
        let Some(outermost) = views.first() else { return Err(SqlError::internal("a view without a layer")) };
        let mut place = self.note(outermost.oid, needed, (1..).zip(ids).collect());
        let outer_role = self.acting_role;
        let below = views.iter().skip(1).map(|view| view.oid).chain([target.base.oid]);
        for (view, object) in views.iter().zip(below) {
            if !view.security_invoker() {
                self.acting_role = Some(view.owner);
            }
            self.note(object, needed, Vec::new());
            place.count += 1;
        }
        self.acting_role = outer_role;
        Ok(place)
    }

    /// The attribute number under which the statement names a column of its target.
    fn number_of(&self, table: &Arc<TableDef>, at: usize) -> i16 {
        match self.view_behind(table) {
            Some(target) => {
                let position = target.columns.iter().position(|column| *column == Some(at));
                position.and_then(|position| i16::try_from(position + 1).ok()).unwrap_or(0)
            }
            None => table.columns.get(at).map_or(0, |column| column.attnum),
        }
    }

    /// Adds a right that is needed of the target, and by owners of what is below it.
    pub(super) fn note_needed(&mut self, place: AccessPlace, needed: Rights) {
        for noted in self.accesses.iter_mut().skip(place.first).take(place.count) {
            noted.access.needed = noted.access.needed.with(needed);
        }
    }

    /// Notes columns of the target, and the same columns of the table at its bottom.
    fn note_numbers(
        &mut self,
        place: AccessPlace,
        table: &Arc<TableDef>,
        positions: &[usize],
        list: fn(&mut ColumnNeeds) -> &mut Vec<i16>,
    ) {
        let named: Vec<i16> = positions.iter().map(|at| self.number_of(table, *at)).collect();
        self.note_more(place, |access| list(&mut access.columns).extend(named));
        if place.count > 1 {
            let own = positions.iter().filter_map(|at| table.columns.get(*at)).map(|column| column.attnum);
            let own: Vec<i16> = own.collect();
            let base = AccessPlace { first: place.first + place.count - 1, count: 1 };
            self.note_more(base, |access| list(&mut access.columns).extend(own));
        }
    }

    /// Adds to what is needed of a noted relation.
    pub(super) fn note_more(&mut self, place: AccessPlace, change: impl FnOnce(&mut Access)) {
        if let Some(noted) = self.accesses.get_mut(place.first) {
            change(&mut noted.access);
        }
    }

    /// Notes the columns that an INSERT names.
    pub(super) fn note_inserted(&mut self, place: AccessPlace, table: &Arc<TableDef>, targets: &[usize]) {
        self.note_numbers(place, table, targets, |columns| &mut columns.inserted);
    }

    /// Notes the columns by which ON CONFLICT finds rows: that is reading.
    pub(super) fn note_arbiters(&mut self, place: AccessPlace, table: &Arc<TableDef>, arbiters: &[usize]) {
        let keys = arbiters.iter().filter_map(|at| table.indexes.get(*at)).flat_map(|index| &index.key);
        let mut positions: Vec<usize> = keys.map(|key| key.column).filter(|at| *at < table.columns.len()).collect();
        let computed = arbiters.iter().filter_map(|at| table.indexes.get(*at)?.computation.as_ref());
        let numbers = computed.flat_map(|computation| computation.columns.iter());
        positions.extend(numbers.filter_map(|number| usize::try_from(number - 1).ok()));
        self.note_numbers(place, table, &positions, |columns| &mut columns.selected);
    }

    /// Notes the columns that a SET names.
    pub(super) fn note_updated(&mut self, place: AccessPlace, table: &Arc<TableDef>, set: &[(usize, Expr)]) {
        let positions: Vec<usize> = set.iter().map(|(at, _)| *at).collect();
        self.note_numbers(place, table, &positions, |columns| &mut columns.updated);
    }

    /// The relation whose rows have this column is to be locked: that needs the right to change it.
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

    /// Runs `work` and says which columns of rows of the target it reads.
    pub(super) fn reading<T>(
        &mut self,
        table: &Arc<TableDef>,
        rows: &[&Row],
        work: impl FnOnce(&mut Self) -> SqlResult<T>,
    ) -> SqlResult<(T, Vec<i16>)> {
        let mut cells: Vec<(i16, ColumnId)> = Vec::new();
        for row in rows {
            match self.view_behind(table) {
                Some(target) => cells.extend((1..).zip(self.view_ids(&target, row)?)),
                None => cells.extend(row.iter().map(|(at, id)| (self.number_of(table, *at), *id))),
            }
        }
        let before: Vec<bool> = cells.iter().map(|(_, id)| self.set_read(*id, false)).collect();
        let result = work(self)?;
        let mut read = Vec::new();
        for ((number, id), was_read) in cells.into_iter().zip(before) {
            if self.set_read(id, was_read) {
                read.push(number);
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
