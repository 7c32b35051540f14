//! Locking clauses inside of relations: the tables below views, subqueries and joins whose rows come out of a query.
//!
//! ```text
//! SELECT .. FROM a, view FOR UPDATE      LockRows a, b, c ( Join( a, Extend( Filter( Join( b, c )))))
//! SELECT .. FROM (.. LIMIT 3) s FOR ..   Limit( LockRows a ( Sort( a )))
//! ```
//!
//! What always holds:
//! 1. Rows are locked above everything that leaves rows out, but below a LIMIT, and within the query that a WITH list belongs
//!    to: what such a query has given out is locked, whatever becomes of it above (as PostgreSQL, which cannot merge such a
//!    query with the one around it, does).
//! 2. What gives out rows that are no rows of tables (groups, DISTINCT, windows, set operations) is refused, wherever it is.

use std::sync::Arc;

use nqdb_catalog::TableDef;
use nqdb_sqlstate::{FEATURE_NOT_SUPPORTED, SqlError, SqlResult, WRONG_OBJECT_TYPE};
use nqdb_txn::RowLock;

use super::Binder;
use super::locking::not_allowed;
use super::operators::conjunction;
use crate::ir::{ColumnId, Expr, JoinKind, LockWait, Query, Rel, RowLocking};
use crate::plan::mentions::visible;

/// How rows are locked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lock {
    pub(super) mode: RowLock,
    pub(super) wait: LockWait,
}

impl Lock {
    /// Two clauses about one table: the strongest mode counts, and the least patient answer.
    pub(super) fn and(self, other: Lock) -> Lock {
        let wait = match (self.wait, other.wait) {
            (LockWait::NoWait, _) | (_, LockWait::NoWait) => LockWait::NoWait,
            (LockWait::SkipLocked, _) | (_, LockWait::SkipLocked) => LockWait::SkipLocked,
            (LockWait::Block, LockWait::Block) => LockWait::Block,
        };
        Lock { mode: self.mode.max(other.mode), wait }
    }

    /// As messages name the clause.
    pub(super) fn name(self) -> &'static str {
        match self.mode {
            RowLock::Update => "FOR UPDATE",
            RowLock::NoKeyUpdate => "FOR NO KEY UPDATE",
            RowLock::Share => "FOR SHARE",
            RowLock::KeyShare => "FOR KEY SHARE",
        }
    }
}

/// A table whose rows are to be locked: the scan that gives these addresses.
#[derive(Clone, Debug)]
pub(super) struct LockedTable {
    pub(super) address: ColumnId,
    pub(super) lock: Lock,
}

impl Binder<'_> {
    /// Finds the tables whose rows make up those of a relation. What has to be locked below a LIMIT is so at once.
    ///
    /// Errors: 0A000 for rows that are made of others, 42809 for relations whose rows cannot be locked.
    pub(super) fn lock_inside(&mut self, rel: &mut Rel, lock: Lock, tables: &mut Vec<LockedTable>) -> SqlResult<()> {
        match rel {
            Rel::Scan { table, address, .. } => {
                if table.materialized.is_some() {
                    let message = format!("cannot lock rows in materialized view \"{}\"", table.name);
                    return Err(SqlError::new(WRONG_OBJECT_TYPE, message));
                }
                let address = address.ok_or_else(|| SqlError::internal("a table to lock tells no addresses"))?;
                self.note_lock(address);
                tables.push(LockedTable { address, lock });
                Ok(())
            }
            Rel::SystemScan { alias, object, .. } if *object != 0 => {
                let message = format!("cannot lock rows in sequence \"{alias}\"");
                Err(SqlError::new(WRONG_OBJECT_TYPE, message))
            }
            Rel::SystemScan { .. } => Err(SqlError::unsupported(format!("{} of a system relation", lock.name()))),
            Rel::OneRow
            | Rel::Values { .. }
            | Rel::FunctionScan { .. }
            | Rel::WithScan { .. }
            | Rel::WorkTable { .. }
            | Rel::Recursion { .. } => Ok(()),
            Rel::Join { left, right, .. } => {
                self.lock_inside(left, lock, tables)?;
                self.lock_inside(right, lock, tables)
            }
            Rel::Filter { input, .. } | Rel::Sort { input, .. } if made_of_others(input).is_none() => {
                self.lock_inside(input, lock, tables)
            }
            Rel::Extend { input, columns } if made_of_others(input).is_none() => {
                // Where they are those of a view, the view's own rights count too.
                if let Some((first, _)) = columns.first() {
                    self.note_lock(*first);
                }
                self.lock_inside(input, lock, tables)
            }
            Rel::Limit { input, .. } | Rel::With { input, .. } if made_of_others(input).is_none() => {
                let mut below = Vec::new();
                self.lock_inside(input, lock, &mut below)?;
                self.put_locks(input, below)
            }
            Rel::LockRows { input, locks, .. } => {
                let mut below = Vec::new();
                self.lock_inside(input, lock, &mut below)?;
                for LockedTable { address, lock } in below {
                    expect_present(input, address, lock)?;
                    match locks.iter_mut().find(|known| known.address == address) {
                        Some(known) => {
                            let both = lock.and(Lock { mode: known.mode, wait: known.wait });
                            (known.mode, known.wait) = (both.mode, both.wait);
                        }
                        None => locks.push(row_locking(input, address, lock)?),
                    }
                }
                Ok(())
            }
            other => Err(not_allowed(lock.name(), made_of_others(other).unwrap_or("this kind of query"))),
        }
    }

    /// Puts the locking above a finished SELECT, below its LIMIT.
    pub(super) fn apply_locks(&mut self, query: &mut Query, locked: Vec<LockedTable>) -> SqlResult<()> {
        self.put_locks(&mut query.rel, locked)
    }

    fn put_locks(&mut self, rel: &mut Rel, locked: Vec<LockedTable>) -> SqlResult<()> {
        if locked.is_empty() {
            return Ok(());
        }
        for table in &locked {
            expect_present(rel, table.address, table.lock)?;
        }
        let mut conditions = Vec::new();
        let mut recompute = Vec::new();
        collect(rel, &mut conditions, &mut recompute);
        let locks = locked.into_iter().map(|table| row_locking(rel, table.address, table.lock));
        let locks = locks.collect::<SqlResult<Vec<RowLocking>>>()?;
        let recheck = if conditions.is_empty() { None } else { Some(conjunction(conditions)) };
        for expr in recheck.iter().chain(recompute.iter().map(|(_, expr)| expr)) {
            self.refer_again(expr);
        }
        let input = Box::new(std::mem::replace(rel, Rel::OneRow));
        *rel = Rel::LockRows { input, locks, recheck, recompute };
        Ok(())
    }
}

/// What makes the rows of one query level others than those of its tables, as messages name it; `None` where they are them.
fn made_of_others(rel: &Rel) -> Option<&'static str> {
    let (mut is_distinct, mut is_grouped, mut has_having, mut aggregates, mut windows, mut sets) =
        (false, false, false, false, false, false);
    let mut at = rel;
    loop {
        at = match at {
            Rel::SetOperation { .. } => return Some("UNION/INTERSECT/EXCEPT"),
            Rel::Distinct { input, .. } => {
                is_distinct = true;
                input
            }
            Rel::Aggregate { input, keys, sets, .. } => {
                is_grouped |= !keys.is_empty() || sets.is_some();
                aggregates = true;
                input
            }
            Rel::Window { input, .. } => {
                windows = true;
                input
            }
            Rel::ProjectSet { input, .. } => {
                sets = true;
                input
            }
            Rel::Filter { input, .. } => {
                has_having |= matches!(**input, Rel::Aggregate { .. });
                input
            }
            Rel::Extend { input, .. } | Rel::Sort { input, .. } | Rel::Limit { input, .. } => input,
            _ => break,
        };
    }
    let found = [
        (is_distinct, "DISTINCT clause"),
        (is_grouped, "GROUP BY clause"),
        (has_having, "HAVING clause"),
        (aggregates, "aggregate functions"),
        (windows, "window functions"),
        (sets, "set-returning functions in the target list"),
    ];
    found.into_iter().find(|(is_there, _)| *is_there).map(|(_, what)| what)
}

/// 0A000 where an outer join may leave out the row of the scan that gives these addresses.
fn expect_present(rel: &Rel, address: ColumnId, lock: Lock) -> SqlResult<()> {
    if nullable_below(rel, address, false, true) { Err(nullable_side(lock)) } else { Ok(()) }
}

pub(super) fn nullable_side(lock: Lock) -> SqlError {
    let message = format!("{} cannot be applied to the nullable side of an outer join", lock.name());
    SqlError::new(FEATURE_NOT_SUPPORTED, message)
}

/// Whether an outer join of a FROM list may leave out the item that a column is of.
pub(super) fn is_nullable_column(from: &Rel, id: ColumnId) -> bool {
    nullable_below(from, id, false, false)
}

/// `deep`: also by joins inside of views and subqueries.
fn nullable_below(rel: &Rel, id: ColumnId, nullable: bool, deep: bool) -> bool {
    match rel {
        Rel::Join { kind, left, right, .. } => {
            let mut on_left = Vec::new();
            visible(left, &mut on_left);
            let (side, is_outer) = if on_left.contains(&id) {
                (left, matches!(kind, JoinKind::Right | JoinKind::Full))
            } else {
                (right, matches!(kind, JoinKind::Left | JoinKind::Full))
            };
            nullable_below(side, id, nullable || is_outer, deep)
        }
        Rel::Extend { columns, .. } if !deep && columns.iter().any(|(own, _)| *own == id) => nullable,
        Rel::Filter { input, .. } | Rel::Extend { input, .. } => nullable_below(input, id, nullable, deep),
        Rel::Sort { input, .. } if deep => nullable_below(input, id, nullable, deep),
        _ => nullable,
    }
}

/// The conditions that a row of the query satisfies, and the columns that are computed of it.
fn collect(rel: &Rel, conditions: &mut Vec<Expr>, computed: &mut Vec<(ColumnId, Expr)>) {
    match rel {
        Rel::Sort { input, .. } => collect(input, conditions, computed),
        Rel::Filter { input, predicate } => {
            conditions.push(predicate.clone());
            collect(input, conditions, computed);
        }
        Rel::Extend { input, columns } => {
            collect(input, conditions, computed);
            computed.extend(columns.iter().cloned());
        }
        Rel::Join { kind: JoinKind::Inner | JoinKind::Cross, left, right, on } => {
            collect(left, conditions, computed);
            collect(right, conditions, computed);
            conditions.extend(on.iter().cloned());
        }
        Rel::Join { kind: JoinKind::Left, left, .. } => collect(left, conditions, computed),
        Rel::Join { kind: JoinKind::Right, right, .. } => collect(right, conditions, computed),
        _ => {}
    }
}

/// The locking of the table whose scan, below `rel`, gives these addresses.
fn row_locking(rel: &Rel, address: ColumnId, lock: Lock) -> SqlResult<RowLocking> {
    let Some((table, columns)) = scanned(rel, address) else {
        return Err(SqlError::internal("a table to lock is not in its query"));
    };
    Ok(RowLocking { table, address, columns, mode: lock.mode, wait: lock.wait })
}

/// A table, and the columns that its scan reads.
type ScannedTable = (Arc<TableDef>, Vec<(usize, ColumnId)>);

fn scanned(rel: &Rel, wanted: ColumnId) -> Option<ScannedTable> {
    match rel {
        Rel::Scan { table, columns, address, .. } if *address == Some(wanted) => Some((table.clone(), columns.clone())),
        Rel::Join { left, right, .. } => scanned(left, wanted).or_else(|| scanned(right, wanted)),
        Rel::Filter { input, .. } | Rel::Extend { input, .. } | Rel::Sort { input, .. } => scanned(input, wanted),
        _ => None,
    }
}
