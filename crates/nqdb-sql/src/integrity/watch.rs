//! What a plan watches in the table that it changes, and the events that come of it.
//!
//! Rows that were inserted are noted by their ids, in runs: a million of them cost a few bytes. A key that rows refer to and
//! that goes is noted with its values, for the row is not there any more.

use std::ops::Range;
use std::sync::Arc;

use nqdb_catalog::{ForeignKeyDef, IndexDef, ReferentialAction, TableDef};
use nqdb_sqlstate::SqlResult;
use nqdb_txn::RowId;
use nqdb_types::{Datum, Oid, row};

use crate::exec::Runtime;

/// What is watched when the rows of a table change.
#[derive(Clone, Debug)]
pub(crate) struct Watch {
    /// Foreign keys.
    on_insert: Arc<[OwnCheck]>,
    /// Deferrable keys, one each: for rows that the store has doubts about.
    on_doubt: Box<[Arc<[OwnCheck]>]>,
    /// Foreign keys, one each, to be noted alone.
    on_update: Box<[Arc<[OwnCheck]>]>,
    on_key_update: Box<[Arc<Referenced>]>,
    on_delete: Box<[Arc<Referenced>]>,
}

/// A constraint that rows of the table have to meet.
#[derive(Clone, Debug)]
pub(crate) struct OwnCheck {
    pub table: Arc<TableDef>,
    /// The key's columns, by position.
    pub positions: Box<[usize]>,
    pub constraint: OwnConstraint,
}

#[derive(Clone, Debug)]
pub(crate) enum OwnConstraint {
    /// A deferrable PRIMARY KEY or UNIQUE.
    Unique(Arc<IndexDef>),
    ForeignKey(Arc<ForeignKeyDef>),
}

/// A foreign key that refers to rows of the table.
#[derive(Debug)]
pub(crate) struct Referenced {
    pub table: Arc<TableDef>,
    pub positions: Box<[usize]>,
    pub key: Arc<ForeignKeyDef>,
}

/// Something to be looked at once the statement, or the transaction, is over.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// Rows were written that have to meet constraints.
    Written { checks: Arc<[OwnCheck]>, rows: Range<u64> },
    /// A row is not there any more under the key that others may refer to.
    KeyGone(Box<KeyGone>),
}

#[derive(Clone, Debug)]
pub(crate) struct KeyGone {
    pub referenced: Arc<Referenced>,
    pub old: Box<[Datum]>,
    /// The key that the row has now; none when it was deleted.
    pub new: Option<Box<[Datum]>>,
}

impl KeyGone {
    /// What becomes of the rows that refer to the key.
    pub fn action(&self) -> ReferentialAction {
        if self.new.is_some() { self.referenced.key.on_update } else { self.referenced.key.on_delete }
    }
}

impl OwnCheck {
    pub fn oid(&self) -> Oid {
        match &self.constraint {
            OwnConstraint::Unique(index) => index.oid,
            OwnConstraint::ForeignKey(key) => key.oid,
        }
    }

    fn is_unique(&self) -> bool {
        matches!(self.constraint, OwnConstraint::Unique(_))
    }

    /// PostgreSQL's triggers run in the order of their names.
    fn rank(&self) -> (u8, Oid) {
        match &self.constraint {
            OwnConstraint::Unique(index) if index.primary => (0, index.oid),
            OwnConstraint::ForeignKey(key) => (1, key.oid),
            OwnConstraint::Unique(index) => (2, index.oid),
        }
    }
}

impl Event {
    /// The table whose rows brought it about.
    pub fn table(&self) -> Option<Oid> {
        match self {
            Event::Written { checks, .. } => checks.first().map(|check| check.table.oid),
            Event::KeyGone(gone) => Some(gone.referenced.table.oid),
        }
    }

    /// Bytes that it holds.
    pub fn bytes(&self) -> usize {
        let values =
            |values: &[Datum]| values.iter().map(|datum| size_of::<Datum>() + datum.heap_size()).sum::<usize>();
        size_of::<Event>()
            + match self {
                Event::Written { .. } => 0,
                Event::KeyGone(gone) => {
                    size_of::<KeyGone>() + values(&gone.old) + gone.new.as_deref().map_or(0, values)
                }
            }
    }
}

/// What a statement may do to the rows of its table.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Changes<'a> {
    pub inserts: bool,
    /// Positions of the columns that an update sets, generated ones included.
    pub updates: &'a [usize],
    pub deletes: bool,
}

impl Watch {
    /// What a statement has to watch; `None` when there is nothing.
    pub fn of(table: &Arc<TableDef>, changes: Changes<'_>) -> Option<Arc<Watch>> {
        let has_deferrable = table.indexes.iter().any(|index| index.deferral.is_deferrable());
        if table.foreign_keys.is_empty() && table.referenced_by.is_empty() && !has_deferrable {
            return None;
        }
        let own = own_checks(table);
        let referenced = referenced_keys(table);
        let is_set = |positions: &[usize]| positions.iter().any(|position| changes.updates.contains(position));
        let watch = Watch {
            on_insert: own.iter().filter(|check| changes.inserts && !check.is_unique()).cloned().collect(),
            on_doubt: own
                .iter()
                .filter(|check| check.is_unique() && (changes.inserts || is_set(&check.positions)))
                .map(|check| [check.clone()].into())
                .collect(),
            on_update: own
                .iter()
                .filter(|check| !check.is_unique() && is_set(&check.positions))
                .map(|check| [check.clone()].into())
                .collect(),
            on_key_update: referenced.iter().filter(|key| is_set(&key.positions)).cloned().collect(),
            on_delete: referenced.iter().filter(|_| changes.deletes).cloned().collect(),
        };
        let is_empty = watch.on_insert.is_empty()
            && watch.on_doubt.is_empty()
            && watch.on_update.is_empty()
            && watch.on_key_update.is_empty()
            && watch.on_delete.is_empty();
        (!is_empty).then(|| Arc::new(watch))
    }

    /// The foreign keys whose rows it may look for, and those that refer to the rows that it may change.
    pub fn foreign_keys(&self) -> (Vec<Arc<ForeignKeyDef>>, Vec<Arc<ForeignKeyDef>>) {
        let own = self.on_insert.iter().chain(self.on_update.iter().flat_map(|checks| checks.iter()));
        let own = own.filter_map(|check| match &check.constraint {
            OwnConstraint::ForeignKey(key) => Some(key.clone()),
            OwnConstraint::Unique(_) => None,
        });
        let referring = self.on_key_update.iter().chain(&self.on_delete).map(|referenced| referenced.key.clone());
        (own.collect(), referring.collect())
    }

    /// Notes rows with ids in one piece.
    pub fn inserted(&self, first: RowId, count: u64, rt: &mut Runtime<'_, '_>) {
        self.note_doubts(rt);
        if self.on_insert.is_empty() {
            return;
        }
        let end = first.0.saturating_add(count);
        if let Some(Event::Written { checks, rows }) = rt.frame.events.last_mut()
            && rows.end == first.0
            && Arc::ptr_eq(checks, &self.on_insert)
        {
            rows.end = end;
            return;
        }
        rt.frame.events.push(Event::Written { checks: self.on_insert.clone(), rows: first.0..end });
    }

    /// Notes the rows whose deferrable keys the store has doubts about.
    fn note_doubts(&self, rt: &mut Runtime<'_, '_>) {
        if self.on_doubt.is_empty() {
            return;
        }
        for (index, row) in rt.cx.txn.take_doubts() {
            let is_of_index = |checks: &&Arc<[OwnCheck]>| checks.iter().any(|check| check.oid() == index);
            if let Some(checks) = self.on_doubt.iter().find(is_of_index) {
                let rows = row.0..row.0.saturating_add(1);
                rt.frame.events.push(Event::Written { checks: checks.clone(), rows });
            }
        }
    }

    /// Notes an update; `old` gives the values that the row had by their positions.
    pub fn updated(
        &self,
        row: RowId,
        old: &dyn Fn(usize, &Runtime<'_, '_>) -> Datum,
        new: &[Datum],
        rt: &mut Runtime<'_, '_>,
    ) -> SqlResult<()> {
        self.note_doubts(rt);
        let new_value = |position: &usize| new.get(*position).cloned().unwrap_or_default();
        for referenced in &self.on_key_update {
            let before: Box<[Datum]> = referenced.positions.iter().map(|position| old(*position, rt)).collect();
            let after: Box<[Datum]> = referenced.positions.iter().map(new_value).collect();
            if !is_same_image(&before, &after) {
                key_gone(referenced, before, Some(after), rt)?;
            }
        }
        for checks in &self.on_update {
            let has_changed =
                |check: &OwnCheck| check.positions.iter().any(|position| old(*position, rt) != new_value(position));
            if checks.iter().any(has_changed) {
                let rows = row.0..row.0.saturating_add(1);
                rt.frame.events.push(Event::Written { checks: checks.clone(), rows });
            }
        }
        Ok(())
    }

    /// Notes that a row is gone.
    pub fn deleted(&self, old: &dyn Fn(usize, &Runtime<'_, '_>) -> Datum, rt: &mut Runtime<'_, '_>) -> SqlResult<()> {
        for referenced in &self.on_delete {
            let before = referenced.positions.iter().map(|position| old(*position, rt)).collect();
            key_gone(referenced, before, None, rt)?;
        }
        Ok(())
    }
}

/// Whether keys are the same to the byte: a cascade tells 0 from -0, although they are equal.
fn is_same_image(left: &[Datum], right: &[Datum]) -> bool {
    let image = |values: &[Datum]| {
        let mut bytes = Vec::new();
        values.iter().for_each(|value| row::encode_value(&mut bytes, value));
        bytes
    };
    left == right && image(left) == image(right)
}

/// Nobody refers to a key with a NULL in it.
fn key_gone(
    referenced: &Arc<Referenced>,
    old: Box<[Datum]>,
    new: Option<Box<[Datum]>>,
    rt: &mut Runtime<'_, '_>,
) -> SqlResult<()> {
    if old.iter().any(Datum::is_null) {
        return Ok(());
    }
    let event = Event::KeyGone(Box::new(KeyGone { referenced: referenced.clone(), old, new }));
    rt.charge(event.bytes())?;
    rt.frame.events.push(event);
    Ok(())
}

fn own_checks(table: &Arc<TableDef>) -> Vec<OwnCheck> {
    let unique = table.indexes.iter().filter(|index| index.deferral.is_deferrable()).map(|index| OwnCheck {
        table: table.clone(),
        positions: index.key.iter().map(|key| key.column).collect(),
        constraint: OwnConstraint::Unique(index.clone()),
    });
    let foreign = table.foreign_keys.iter().map(|key| OwnCheck {
        table: table.clone(),
        positions: table.positions_of(&key.columns).into(),
        constraint: OwnConstraint::ForeignKey(key.clone()),
    });
    let mut own: Vec<OwnCheck> = unique.chain(foreign).collect();
    own.sort_by_key(OwnCheck::rank);
    own
}

fn referenced_keys(table: &Arc<TableDef>) -> Vec<Arc<Referenced>> {
    let referenced = table.referenced_by.iter().map(|key| {
        let positions = table.positions_of(&key.referenced_columns).into();
        Arc::new(Referenced { table: table.clone(), positions, key: key.clone() })
    });
    referenced.collect()
}
