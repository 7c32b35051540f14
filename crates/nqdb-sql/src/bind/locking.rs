//! FOR UPDATE, FOR NO KEY UPDATE, FOR SHARE, FOR KEY SHARE: which tables of FROM have their rows locked, and how.

use nqdb_sqlstate::{FEATURE_NOT_SUPPORTED, SYNTAX_ERROR, SqlError, SqlResult, UNDEFINED_TABLE};
use nqdb_txn::RowLock;
use nqdb_types::Type;
use sqlparser::ast::{self, LockClause, NonBlock, ObjectNamePart};

use super::operators::conjunction;
use super::scope::ScopeTable;
use super::{Binder, span_position};
use crate::ir::{ColumnId, Expr, JoinKind, LockWait, Query, Rel, RowLocking};
use crate::names::name_of;
use crate::parse::LOCK_MODES;
use crate::plan::mentions::{expressions, operands, subquery, walk};

/// One locking clause.
struct Clause {
    mode: RowLock,
    /// As messages name it.
    name: &'static str,
    wait: LockWait,
    /// The tables after OF; none: all.
    tables: Vec<(String, Option<u32>)>,
}

/// A table whose rows are to be locked, before it is known which of its columns are read.
pub(super) struct LockedTable {
    first_column: ColumnId,
    mode: RowLock,
    wait: LockWait,
}

impl Binder<'_> {
    /// The tables that the locking clauses of a SELECT mean, while its FROM is in scope.
    pub(super) fn bind_locks(
        &mut self,
        select: &ast::Select,
        rel: &Rel,
        locks: &[LockClause],
    ) -> SqlResult<Vec<LockedTable>> {
        let mut locked: Vec<LockedTable> = Vec::new();
        for lock in locks {
            let clause = read_clause(lock)?;
            self.refuse_unlockable(select, clause.name)?;
            let tables = self.scope().tables.clone();
            if clause.tables.is_empty() {
                for table in &tables {
                    self.lock_table(table, rel, &clause, None, &mut locked)?;
                }
            }
            for (name, position) in &clause.tables {
                let Some(table) = tables.iter().find(|table| table.name == *name) else {
                    let message = format!("relation \"{name}\" in {} clause not found in FROM clause", clause.name);
                    return Err(SqlError::new(UNDEFINED_TABLE, message).or_position(*position));
                };
                self.lock_table(table, rel, &clause, Some(*position), &mut locked)?;
            }
        }
        Ok(locked)
    }

    /// 0A000 for a SELECT whose rows are not rows of tables.
    fn refuse_unlockable(&mut self, select: &ast::Select, name: &str) -> SqlResult<()> {
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
        } else if !scope.set_calls.is_empty() {
            "set-returning functions in the target list"
        } else {
            return Ok(());
        };
        Err(SqlError::new(FEATURE_NOT_SUPPORTED, format!("{name} is not allowed with {what}")))
    }

    fn lock_table(
        &self,
        table: &ScopeTable,
        rel: &Rel,
        clause: &Clause,
        named_at: Option<Option<u32>>,
        locked: &mut Vec<LockedTable>,
    ) -> SqlResult<()> {
        let Some(first) = table.columns.first() else { return Ok(()) };
        let refuse = |what: &str| {
            let message = format!("{} cannot be applied to {what}", clause.name);
            Err(SqlError::new(FEATURE_NOT_SUPPORTED, message).or_position(named_at.flatten()))
        };
        match find_source(rel, first.id, false) {
            Some((Rel::Scan { .. }, true)) => return refuse("the nullable side of an outer join"),
            Some((Rel::Scan { .. }, false)) => {}
            Some((Rel::FunctionScan { .. }, _)) if named_at.is_some() => return refuse("a function"),
            Some((Rel::Values { .. }, _)) if named_at.is_some() => return refuse("VALUES"),
            Some((Rel::WithScan { .. } | Rel::WorkTable { .. }, _)) if named_at.is_some() => {
                return refuse("a WITH query");
            }
            Some((Rel::FunctionScan { .. } | Rel::Values { .. } | Rel::WithScan { .. } | Rel::WorkTable { .. }, _)) => {
                return Ok(());
            }
            _ => return Err(SqlError::unsupported(format!("{} of a subquery or a join", clause.name))),
        }
        match locked.iter_mut().find(|other| other.first_column == first.id) {
            // The strongest mode counts, and the least patient answer.
            Some(other) => {
                other.mode = other.mode.max(clause.mode);
                if other.wait != LockWait::NoWait && clause.wait != LockWait::Block {
                    other.wait = clause.wait;
                }
            }
            None => locked.push(LockedTable { first_column: first.id, mode: clause.mode, wait: clause.wait }),
        }
        Ok(())
    }

    /// A table to lock must be recognised by a column when the unused ones are gone.
    pub(super) fn keep_locked_columns(&mut self, locked: &[LockedTable]) {
        for table in locked {
            if let Some(info) = self.columns.get_mut(table.first_column.0 as usize) {
                info.used = true;
            }
            self.note_lock(table.first_column);
        }
    }

    /// Puts the locking above a finished SELECT, below its LIMIT.
    pub(super) fn apply_locks(&mut self, query: &mut Query, locked: Vec<LockedTable>) -> SqlResult<()> {
        if locked.is_empty() {
            return Ok(());
        }
        let mut conditions = Vec::new();
        let mut recompute = Vec::new();
        collect(&query.rel, &mut conditions, &mut recompute);
        let mut locks = Vec::with_capacity(locked.len());
        for LockedTable { first_column, mode, wait } in locked {
            let address = self.new_column(Type::BYTEA, true, None);
            let Some((table, columns)) = show_address(&mut query.rel, first_column, address) else {
                return Err(SqlError::internal("a table to lock is not in its query"));
            };
            locks.push(RowLocking { table, address, columns, mode, wait });
        }
        let recheck = if conditions.is_empty() { None } else { Some(conjunction(conditions)) };
        for expr in recheck.iter().chain(recompute.iter().map(|(_, expr)| expr)) {
            self.refer_again(expr);
        }
        let input = Box::new(std::mem::replace(&mut query.rel, Rel::OneRow));
        query.rel = Rel::LockRows { input, locks, recheck, recompute };
        Ok(())
    }
}

impl Binder<'_> {
    /// Counts the references to WITH queries in an expression that was copied: each stays one query with two readers.
    fn refer_again(&mut self, expr: &Expr) {
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
    let (mode, name) = match mode {
        Some(0) => (RowLock::Update, "FOR UPDATE"),
        Some(1) => (RowLock::NoKeyUpdate, "FOR NO KEY UPDATE"),
        Some(2) => (RowLock::Share, "FOR SHARE"),
        Some(3) => (RowLock::KeyShare, "FOR KEY SHARE"),
        _ => return Err(SqlError::new(SYNTAX_ERROR, "syntax error in a locking clause")),
    };
    let wait = match nonblock {
        None => LockWait::Block,
        Some(NonBlock::Nowait) => LockWait::NoWait,
        Some(NonBlock::SkipLocked) => LockWait::SkipLocked,
    };
    let tables = parts.map(|part| (name_of(part), span_position(part.span))).collect();
    Ok(Clause { mode, name, wait, tables })
}

/// The name of the first clause, for messages of those that cannot have one.
pub(super) fn first_lock_name(locks: &[LockClause]) -> SqlResult<&'static str> {
    locks.first().map_or(Ok("FOR UPDATE"), |lock| read_clause(lock).map(|clause| clause.name))
}

/// The relation of FROM that defines a column, and whether an outer join may set it to NULL.
fn find_source(rel: &Rel, id: ColumnId, nullable: bool) -> Option<(&Rel, bool)> {
    match rel {
        Rel::Scan { columns, .. } => columns.iter().any(|(_, own)| *own == id).then_some((rel, nullable)),
        Rel::Values { columns, .. } => columns.iter().any(|(own, _)| *own == id).then_some((rel, nullable)),
        Rel::WithScan { columns, .. } | Rel::WorkTable { columns, .. } => {
            columns.iter().any(|(_, own, _)| *own == id).then_some((rel, nullable))
        }
        Rel::FunctionScan { functions, ordinality } => {
            let own = functions.iter().flat_map(|function| &function.columns).any(|column| column.id == id);
            (own || *ordinality == Some(id)).then_some((rel, nullable))
        }
        Rel::Join { kind, left, right, .. } => {
            let nulls_left = matches!(kind, JoinKind::Right | JoinKind::Full);
            let nulls_right = matches!(kind, JoinKind::Left | JoinKind::Full);
            find_source(left, id, nullable || nulls_left).or_else(|| find_source(right, id, nullable || nulls_right))
        }
        Rel::Filter { input, .. } => find_source(input, id, nullable),
        Rel::Extend { input, .. } => find_source(input, id, nullable),
        _ => None,
    }
}

/// The conditions that a row of the query satisfies, and the columns that are computed of it.
fn collect(rel: &Rel, conditions: &mut Vec<Expr>, computed: &mut Vec<(ColumnId, Expr)>) {
    match rel {
        Rel::Sort { input, .. } | Rel::Limit { input, .. } => collect(input, conditions, computed),
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

/// A table, and the columns that its scan reads.
type ScannedTable = (std::sync::Arc<nqdb_catalog::TableDef>, Vec<(usize, ColumnId)>);

/// Makes the scan that defines a column give addresses; gives its table and the columns that it reads.
fn show_address(rel: &mut Rel, id: ColumnId, shown: ColumnId) -> Option<ScannedTable> {
    match rel {
        Rel::Scan { table, columns, address, .. } if columns.iter().any(|(_, own)| *own == id) => {
            *address = Some(shown);
            Some((table.clone(), columns.clone()))
        }
        Rel::Join { left, right, .. } => show_address(left, id, shown).or_else(|| show_address(right, id, shown)),
        Rel::Filter { input, .. } | Rel::Extend { input, .. } | Rel::Sort { input, .. } => {
            show_address(input, id, shown)
        }
        _ => None,
    }
}
