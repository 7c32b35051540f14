//! FOR UPDATE, FOR NO KEY UPDATE, FOR SHARE, FOR KEY SHARE: which tables of FROM have their rows locked, and how.
//!
//! The clauses are read before FROM is bound; each item of FROM then finds out what they say of it, and of the tables inside
//! of it where it is a view or a subquery ([`super::locked_rel`]). What is wrong with that is said when all else is right.

use nqdb_sqlstate::{FEATURE_NOT_SUPPORTED, SYNTAX_ERROR, SqlError, SqlResult, UNDEFINED_TABLE};
use nqdb_txn::RowLock;
use sqlparser::ast::{self, LockClause, NonBlock, ObjectNamePart, TableFactor};

use super::from::FromItem;
use super::locked_rel::{Lock, LockedTable, is_nullable_column, nullable_side};
use super::{Binder, span_position};
use crate::ir::{ColumnId, Expr, LockWait, Rel};
use crate::names::name_of;
use crate::parse::LOCK_MODES;
use crate::plan::mentions::{expressions, operands, subquery, walk};

/// One locking clause.
#[derive(Clone, Debug)]
pub(super) struct Clause {
    lock: Lock,
    /// As messages name it.
    name: &'static str,
    /// The tables after OF; none: all.
    tables: Vec<(String, Option<u32>)>,
}

/// What the locking clauses of a query level say, and what its FROM has for them.
#[derive(Clone, Debug, Default)]
pub(super) struct Locking {
    clauses: Vec<Clause>,
    items: Vec<Item>,
}

/// An item of FROM as locking clauses see it.
#[derive(Clone, Debug)]
struct Item {
    name: String,
    /// What cannot be locked, for messages of a clause that names it. A clause that names nothing passes over it.
    unlockable: Option<&'static str>,
    first_column: Option<ColumnId>,
    /// What the clauses say of it together.
    lock: Option<Lock>,
    tables: Vec<LockedTable>,
    /// Why its rows cannot be locked.
    error: Option<SqlError>,
}

impl Binder<'_> {
    /// Reads the locking clauses of a SELECT whose FROM is going to be bound.
    pub(super) fn declare_locks(&mut self, locks: &[LockClause]) -> SqlResult<()> {
        let clauses = locks.iter().map(read_clause).collect::<SqlResult<Vec<Clause>>>()?;
        self.scope().locking = Locking { clauses, items: Vec::new() };
        Ok(())
    }

    /// Notes an item of FROM, and lets the clauses reach the tables inside of it.
    pub(super) fn note_lockable(&mut self, factor: &TableFactor, item: &mut FromItem) {
        if self.scope().locking.clauses.is_empty() {
            return;
        }
        let unlockable = match (factor, &item.rel) {
            (TableFactor::NestedJoin { alias: None, .. }, _) => return,
            (TableFactor::NestedJoin { .. }, _) => Some("a join"),
            (TableFactor::Derived { .. }, _) => None,
            (TableFactor::Table { args: None, .. }, Rel::WithScan { .. } | Rel::WorkTable { .. }) => {
                Some("a WITH query")
            }
            (TableFactor::Table { args: None, .. }, _) => None,
            _ => Some("a function"),
        };
        let Some(table) = item.tables.first() else { return };
        let (name, first_column) = (table.name.clone(), table.columns.first().map(|column| column.id));
        self.note_lockable_as(name, first_column, unlockable, &mut item.rel);
    }

    /// Notes the alias of a join's merged columns.
    pub(super) fn note_merged_columns(&mut self, alias: &str) {
        if !self.scope().locking.clauses.is_empty() {
            self.note_lockable_as(alias.to_owned(), None, Some("a join"), &mut Rel::OneRow);
        }
    }

    fn note_lockable_as(
        &mut self,
        name: String,
        first_column: Option<ColumnId>,
        unlockable: Option<&'static str>,
        rel: &mut Rel,
    ) {
        let locking = &self.scope().locking;
        let means =
            |clause: &&Clause| clause.tables.is_empty() || clause.tables.iter().any(|(table, _)| *table == name);
        let lock = locking.clauses.iter().filter(means).map(|clause| clause.lock).reduce(Lock::and);
        let mut item = Item { name, unlockable, first_column, lock, tables: Vec::new(), error: None };
        if let Some(lock) = lock.filter(|_| unlockable.is_none()) {
            item.error = self.lock_inside(rel, lock, &mut item.tables).err();
        }
        self.scope().locking.items.push(item);
    }

    /// The tables that the locking clauses of a SELECT mean, whose FROM has been bound to `rel`.
    /// `has_windows`: the SELECT calls window functions.
    pub(super) fn bind_locks(
        &mut self,
        select: &ast::Select,
        rel: &Rel,
        has_windows: bool,
    ) -> SqlResult<Vec<LockedTable>> {
        let Locking { clauses, mut items } = std::mem::take(&mut self.scope().locking);
        if clauses.is_empty() {
            return Ok(Vec::new());
        }
        for clause in &clauses {
            self.refuse_unlockable(select, has_windows, clause.name)?;
            if clause.tables.is_empty()
                && let Some(error) = items.iter_mut().find_map(|item| item.error.take())
            {
                return Err(error);
            }
            for (name, position) in &clause.tables {
                let Some(item) = items.iter_mut().find(|item| item.name == *name) else {
                    let message = format!("relation \"{name}\" in {} clause not found in FROM clause", clause.name);
                    return Err(SqlError::new(UNDEFINED_TABLE, message).or_position(*position));
                };
                if let Some(what) = item.unlockable {
                    let message = format!("{} cannot be applied to {what}", clause.name);
                    return Err(SqlError::new(FEATURE_NOT_SUPPORTED, message).or_position(*position));
                }
                if let Some(error) = item.error.take() {
                    return Err(error);
                }
            }
        }
        let mut locked = Vec::new();
        for mut item in items {
            if let Some(lock) = item.lock.filter(|_| item.unlockable.is_none())
                && item.first_column.is_some_and(|id| is_nullable_column(rel, id))
            {
                return Err(nullable_side(lock));
            }
            locked.append(&mut item.tables);
        }
        Ok(locked)
    }

    /// 0A000 for a SELECT whose rows are not rows of tables.
    fn refuse_unlockable(&mut self, select: &ast::Select, has_windows: bool, name: &str) -> SqlResult<()> {
        let grouped = match &select.group_by {
            ast::GroupByExpr::All(_) => true,
            ast::GroupByExpr::Expressions(expressions, _) => !expressions.is_empty(),
        };
        let scope = self.scope();
        let what = if select.distinct.is_some() {
            "DISTINCT clause"
        } else if grouped {
            "GROUP BY clause"
        } else if select.having.is_some() {
            "HAVING clause"
        } else if !scope.aggregates.is_empty() {
            "aggregate functions"
        } else if has_windows {
            "window functions"
        } else if !scope.set_calls.is_empty() {
            "set-returning functions in the target list"
        } else {
            return Ok(());
        };
        Err(not_allowed(name, what))
    }
}

/// 0A000 for rows that are not rows of tables.
pub(super) fn not_allowed(name: &str, what: &str) -> SqlError {
    SqlError::new(FEATURE_NOT_SUPPORTED, format!("{name} is not allowed with {what}"))
}

impl Binder<'_> {
    /// Counts the references to WITH queries in an expression that was copied: each stays one query with two readers.
    pub(super) fn refer_again(&mut self, expr: &Expr) {
        if let Some(query) = subquery(expr) {
            walk(&query.rel, &mut |rel| {
                if let Rel::WithScan { id, .. } = rel
                    && let Some(table) = self.common_tables.iter_mut().find(|table| table.id == *id)
                {
                    table.reference_count += 1;
                }
                expressions(rel).into_iter().for_each(|expr| self.refer_again(expr));
            });
        }
        operands(expr).into_iter().for_each(|operand| self.refer_again(operand));
    }
}

fn read_clause(lock: &LockClause) -> SqlResult<Clause> {
    let LockClause { lock_type: _, of, nonblock } = lock;
    let mut parts = of.iter().flat_map(|of| &of.0).filter_map(|part| match part {
        ObjectNamePart::Identifier(name) => Some(name),
        ObjectNamePart::Function(_) => None,
    });
    let mode = parts.next().and_then(|mode| LOCK_MODES.iter().position(|known| mode.value == *known));
    let mode = match mode {
        Some(0) => RowLock::Update,
        Some(1) => RowLock::NoKeyUpdate,
        Some(2) => RowLock::Share,
        Some(3) => RowLock::KeyShare,
        _ => return Err(SqlError::new(SYNTAX_ERROR, "syntax error in a locking clause")),
    };
    let wait = match nonblock {
        None => LockWait::Block,
        Some(NonBlock::Nowait) => LockWait::NoWait,
        Some(NonBlock::SkipLocked) => LockWait::SkipLocked,
    };
    let tables = parts.map(|part| (name_of(part), span_position(part.span))).collect();
    let lock = Lock { mode, wait };
    Ok(Clause { lock, name: lock.name(), tables })
}

/// The name of the first clause, for messages of those that cannot have one.
pub(super) fn first_lock_name(locks: &[LockClause]) -> SqlResult<&'static str> {
    locks.first().map_or(Ok("FOR UPDATE"), |lock| read_clause(lock).map(|clause| clause.name))
}
