//! Which names a clause can use: the tables and columns of each query level, innermost last.
//!
//! What always holds:
//! 1. A level's `tables` answer qualified names, its `columns` unqualified ones and `*`, in the order of `*`.
//!    JOIN USING changes only the latter: the merged column comes first and hides the two it was made of.
//! 2. An inner level is searched completely before the next outer one (manual 7.2.1.3, SQL's scope rules).

use std::sync::Arc;

use nqdb_catalog::TableDef;
use nqdb_sqlstate::{
    AMBIGUOUS_ALIAS, AMBIGUOUS_COLUMN, DUPLICATE_ALIAS, INVALID_COLUMN_REFERENCE, SqlError, SqlResult,
    UNDEFINED_COLUMN, UNDEFINED_TABLE,
};
use nqdb_types::Oid;

use super::lateral::Sibling;
use super::similar::distance;
use crate::SystemColumn;
use crate::ir::{AggregateCall, ColumnId};

/// Part of a query that is being bound, for the error messages that name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Clause {
    Select,
    From,
    FromFunction,
    JoinCondition,
    Where,
    GroupBy,
    Having,
    OrderBy,
    DistinctOn,
    Limit,
    Offset,
    Filter,
    WindowDefinition,
    FrameRows,
    FrameRange,
    FrameGroups,
    Values,
    Returning,
    MergeWhen,
    Update,
    Check,
    Default,
    Generated,
    Parameter,
    CopyWhere,
    IndexExpression,
    IndexPredicate,
    /// USING of ALTER COLUMN TYPE.
    Transform,
}

impl Clause {
    /// What PostgreSQL says about an aggregate here; `None` where aggregates are welcome.
    pub(super) fn refuses_aggregates(self) -> Option<&'static str> {
        Some(match self {
            Clause::Select | Clause::Having | Clause::OrderBy | Clause::DistinctOn | Clause::WindowDefinition => {
                return None;
            }
            Clause::FrameRows => "aggregate functions are not allowed in window ROWS",
            Clause::FrameRange => "aggregate functions are not allowed in window RANGE",
            Clause::FrameGroups => "aggregate functions are not allowed in window GROUPS",
            Clause::From => "aggregate functions are not allowed in FROM clause of their own query level",
            Clause::FromFunction => "aggregate functions are not allowed in functions in FROM",
            Clause::JoinCondition => "aggregate functions are not allowed in JOIN conditions",
            Clause::Where => "aggregate functions are not allowed in WHERE",
            Clause::GroupBy => "aggregate functions are not allowed in GROUP BY",
            Clause::Limit => "aggregate functions are not allowed in LIMIT",
            Clause::Offset => "aggregate functions are not allowed in OFFSET",
            Clause::Filter => "aggregate functions are not allowed in FILTER",
            Clause::Values => "aggregate functions are not allowed in VALUES",
            Clause::Returning => "aggregate functions are not allowed in RETURNING",
            Clause::MergeWhen => "aggregate functions are not allowed in MERGE WHEN conditions",
            Clause::Update => "aggregate functions are not allowed in UPDATE",
            Clause::Check => "aggregate functions are not allowed in check constraints",
            Clause::Default => "aggregate functions are not allowed in DEFAULT expressions",
            Clause::Generated => "aggregate functions are not allowed in column generation expressions",
            Clause::Parameter => "aggregate functions are not allowed in EXECUTE parameters",
            Clause::CopyWhere => "aggregate functions are not allowed in COPY FROM WHERE conditions",
            Clause::IndexExpression => "aggregate functions are not allowed in index expressions",
            Clause::IndexPredicate => "aggregate functions are not allowed in index predicates",
            Clause::Transform => "aggregate functions are not allowed in transform expressions",
        })
    }

    /// What PostgreSQL says about a window function here; `None` where they are welcome.
    pub(super) fn refuses_windows(self) -> Option<String> {
        let place = match self {
            Clause::Select | Clause::OrderBy | Clause::DistinctOn => return None,
            Clause::JoinCondition => "JOIN conditions",
            Clause::FromFunction => "functions in FROM",
            Clause::WindowDefinition | Clause::FrameRows | Clause::FrameRange | Clause::FrameGroups => {
                "window definitions"
            }
            Clause::MergeWhen => "MERGE WHEN conditions",
            Clause::Check => "check constraints",
            Clause::Default => "DEFAULT expressions",
            Clause::Parameter => "EXECUTE parameters",
            Clause::CopyWhere => "COPY FROM WHERE conditions",
            other => other.name(),
        };
        Some(format!("window functions are not allowed in {place}"))
    }

    /// The clause's name in "argument of X must be type boolean" and the like.
    pub(super) fn name(self) -> &'static str {
        match self {
            Clause::Select => "SELECT",
            Clause::From | Clause::FromFunction => "FROM",
            Clause::JoinCondition => "JOIN/ON",
            Clause::Where | Clause::CopyWhere => "WHERE",
            Clause::GroupBy => "GROUP BY",
            Clause::Having => "HAVING",
            Clause::OrderBy => "ORDER BY",
            Clause::DistinctOn => "DISTINCT ON",
            Clause::Limit => "LIMIT",
            Clause::Offset => "OFFSET",
            Clause::Filter => "FILTER",
            Clause::WindowDefinition => "WINDOW",
            Clause::FrameRows => "ROWS",
            Clause::FrameRange => "RANGE",
            Clause::FrameGroups => "GROUPS",
            Clause::Values => "VALUES",
            Clause::Returning => "RETURNING",
            Clause::MergeWhen => "WHEN",
            Clause::Update => "UPDATE",
            Clause::Check => "CHECK",
            Clause::Default => "DEFAULT",
            Clause::Generated => "GENERATED AS",
            Clause::Parameter => "EXECUTE",
            Clause::IndexExpression => "index expressions",
            Clause::IndexPredicate => "index predicates",
            Clause::Transform => "transform expressions",
        }
    }
}

/// A column that a name can reach.
#[derive(Clone, Debug)]
pub(super) struct ScopeColumn {
    pub(super) name: String,
    pub(super) id: ColumnId,
}

/// A table, derived table, CTE or function of FROM.
#[derive(Clone, Debug)]
pub(super) struct ScopeTable {
    /// The alias, or the table's own name.
    pub(super) name: String,
    /// The schema, for `schema.table.column`; none when there is an alias.
    pub(super) schema: Option<String>,
    /// The stored table, for functional dependency and system columns; none for anything else.
    pub(super) table: Option<Arc<TableDef>>,
    pub(super) columns: Vec<ScopeColumn>,
    /// The name that an alias hides, for the hint.
    pub(super) hidden_name: Option<String>,
    /// It is a function with a plain result: its row, taken as a whole, is that value and no record.
    pub(super) is_value: bool,
    /// The system columns that can be named.
    pub(super) system: Vec<(SystemColumn, ColumnId)>,
    /// What its row is as a whole, where that is of a named type; else it is an anonymous record of `columns`.
    pub(super) row: Option<WholeRow>,
}

/// A row of a named composite type.
#[derive(Clone, Debug)]
pub(super) struct WholeRow {
    pub(super) type_oid: Oid,
    /// All fields of the type, also those that no name reaches.
    pub(super) columns: Vec<ColumnId>,
}

/// What one query level sees.
#[derive(Clone, Debug)]
pub(super) struct Scope {
    pub(super) tables: Vec<ScopeTable>,
    pub(super) columns: Vec<ScopeColumn>,
    pub(super) clause: Clause,
    /// Aggregates of this level, each computed into a column.
    pub(super) aggregates: Vec<(ColumnId, AggregateCall)>,
    /// The windows of the WINDOW clause, then those behind OVER.
    pub(super) windows: Vec<super::window::WindowDefinition>,
    /// Window functions of this level, each computed into a column.
    pub(super) window_calls: Vec<super::window::PendingCall>,
    /// GROUPING calls of this level, each computed into a column.
    pub(super) groupings: Vec<super::grouping_sets::GroupingCall>,
    /// The keys of each grouping set, as positions; none where GROUP BY has no such sets.
    pub(super) grouping_sets: Option<Vec<Vec<usize>>>,
    /// Tables of the same FROM list that cannot be seen: from an item without LATERAL, or behind the alias of a join.
    pub(super) invisible: Vec<ScopeTable>,
    /// What is bound already of the FROM list at hand.
    pub(super) siblings: Vec<Sibling>,
    /// Columns that are seen by LATERAL and may not be used, because of the kind of the join.
    pub(super) unreachable: Vec<ColumnId>,
    /// A VALUES of one row that an INSERT stores: sets are welcome.
    pub(super) takes_sets: bool,
    /// The table of UPDATE or DELETE, while its FROM or USING is bound.
    pub(super) changed_table: Option<String>,
    /// FROM reads the recursion that this query is the recursive term of.
    pub(super) reads_recursion: bool,
    /// FOR UPDATE and its like.
    pub(super) locking: super::locking::Locking,
    /// Set-returning calls of the select list: each becomes a function scan.
    pub(super) set_calls: Vec<super::set_calls::SetCall>,
}

impl Scope {
    pub(super) fn new(clause: Clause) -> Scope {
        Scope {
            tables: Vec::new(),
            columns: Vec::new(),
            clause,
            aggregates: Vec::new(),
            windows: Vec::new(),
            window_calls: Vec::new(),
            groupings: Vec::new(),
            grouping_sets: None,
            invisible: Vec::new(),
            siblings: Vec::new(),
            unreachable: Vec::new(),
            takes_sets: false,
            changed_table: None,
            reads_recursion: false,
            locking: super::locking::Locking::default(),
            set_calls: Vec::new(),
        }
    }

    /// 42P10 for a column of a sibling that the join at hand cannot be evaluated by.
    fn check_reachable(&self, id: ColumnId, position: Option<u32>) -> SqlResult<()> {
        if !self.unreachable.contains(&id) {
            return Ok(());
        }
        let table = self.tables.iter().find(|table| table.columns.iter().any(|column| column.id == id));
        let name = table.map_or("", |table| table.name.as_str());
        let message = format!("invalid reference to FROM-clause entry for table \"{name}\"");
        let error = SqlError::new(INVALID_COLUMN_REFERENCE, message);
        if table.is_some() && self.changed_table.as_deref() == Some(name) {
            let hint = format!(
                "There is an entry for table \"{name}\", but it cannot be referenced from this part of the query."
            );
            return Err(error.with_hint(hint).or_position(position));
        }
        Err(error
            .with_detail("The combining JOIN type must be INNER or LEFT for a LATERAL reference.")
            .or_position(position))
    }

    /// The columns of that name; more than one is for the caller to refuse.
    fn column_candidates(&self, name: &str) -> Vec<ColumnId> {
        self.columns.iter().filter(|column| column.name == name).map(|column| column.id).collect()
    }
}

/// Finds an unqualified column, innermost level first; `None` when no level has it.
///
/// Fails with 42702 when a level has it twice.
pub(super) fn find_column(scopes: &[Scope], name: &str, position: Option<u32>) -> SqlResult<Option<ColumnId>> {
    for scope in scopes.iter().rev() {
        match scope.column_candidates(name).as_slice() {
            [] => {}
            [only] => {
                scope.check_reachable(*only, position)?;
                return Ok(Some(*only));
            }
            _ => {
                let message = format!("column reference \"{name}\" is ambiguous");
                return Err(SqlError::new(AMBIGUOUS_COLUMN, message).or_position(position));
            }
        }
    }
    Ok(None)
}

/// Finds a table by its name in scope, innermost level first. Fails with 42P09 when a level has it twice.
pub(super) fn find_table<'a>(
    scopes: &'a [Scope],
    schema: Option<&str>,
    name: &str,
    position: Option<u32>,
) -> SqlResult<Option<&'a ScopeTable>> {
    for scope in scopes.iter().rev() {
        let mut matching = scope
            .tables
            .iter()
            .filter(|table| table.name == name && schema.is_none_or(|schema| table.schema.as_deref() == Some(schema)));
        if let Some(table) = matching.next() {
            if matching.next().is_some() {
                let message = format!("table reference \"{name}\" is ambiguous");
                return Err(SqlError::new(AMBIGUOUS_ALIAS, message).or_position(position));
            }
            if let Some(column) = table.columns.first() {
                scope.check_reachable(column.id, position)?;
            }
            return Ok(Some(table));
        }
    }
    Ok(None)
}

/// Refuses two tables of one name in one FROM clause: 42712.
pub(super) fn check_unique(left: &[ScopeTable], right: &[ScopeTable]) -> SqlResult<()> {
    for table in right {
        let clash = left.iter().any(|other| {
            // Two tables of one name in different schemas may stand side by side; aliases may not.
            other.name == table.name
                && (other.schema == table.schema || other.schema.is_none() || table.schema.is_none())
        });
        if clash {
            let message = format!("table name \"{}\" specified more than once", table.name);
            return Err(SqlError::new(DUPLICATE_ALIAS, message));
        }
    }
    Ok(())
}

/// 42703 for an unqualified column, with PostgreSQL's hint when another name is near.
pub(super) fn missing_column(scopes: &[Scope], name: &str, position: Option<u32>) -> SqlError {
    let error = SqlError::new(UNDEFINED_COLUMN, format!("column \"{name}\" does not exist")).or_position(position);
    let invisible = scopes.iter().rev().flat_map(|scope| &scope.invisible);
    if let Some(table) = invisible.into_iter().find(|table| table.columns.iter().any(|column| column.name == name)) {
        return error.with_hint(format!(
            "There is a column named \"{name}\" in table \"{}\", but it cannot be referenced from this part of the query.",
            table.name
        ));
    }
    let tables: Vec<&ScopeTable> = scopes.iter().rev().flat_map(|scope| scope.tables.iter()).collect();
    with_suggestion(error, &tables, name)
}

/// 42703 for `table.column`.
pub(super) fn missing_column_of(table: &ScopeTable, qualifier: &str, name: &str, position: Option<u32>) -> SqlError {
    let message = format!("column {qualifier}.{name} does not exist");
    let error = SqlError::new(UNDEFINED_COLUMN, message).or_position(position);
    with_suggestion(error, &[table], name)
}

/// PostgreSQL suggests at most two columns, and only ones that differ in less than half of their letters.
fn with_suggestion(error: SqlError, tables: &[&ScopeTable], name: &str) -> SqlError {
    /// More differences than this are no typing error (PostgreSQL's MAX_FUZZY_DISTANCE).
    const DISTANCE_MAX: usize = 3;
    let mut best: Vec<(usize, &str, &str)> = Vec::new();
    for table in tables {
        for column in &table.columns {
            let limit = DISTANCE_MAX.min(name.chars().count() / 2);
            let found = distance(name, &column.name);
            if found > limit {
                continue;
            }
            match best.first() {
                Some((so_far, ..)) if found > *so_far => {}
                Some((so_far, ..)) if found == *so_far => best.push((found, &table.name, &column.name)),
                _ => best = vec![(found, &table.name, &column.name)],
            }
        }
    }
    match best.as_slice() {
        [(_, table, column)] => {
            error.with_hint(format!("Perhaps you meant to reference the column \"{table}.{column}\"."))
        }
        [(_, table, column), (_, table_b, column_b)] => error.with_hint(format!(
            "Perhaps you meant to reference the column \"{table}.{column}\" or the column \"{table_b}.{column_b}\"."
        )),
        _ => error,
    }
}

/// 42P01 for a qualifier that names no table in scope.
pub(super) fn missing_from(scopes: &[Scope], name: &str, position: Option<u32>) -> SqlError {
    let hidden = scopes
        .iter()
        .rev()
        .flat_map(|scope| scope.tables.iter())
        .find(|table| table.hidden_name.as_deref() == Some(name));
    let invalid = || {
        let message = format!("invalid reference to FROM-clause entry for table \"{name}\"");
        SqlError::new(UNDEFINED_TABLE, message).or_position(position)
    };
    if let Some(table) = hidden {
        return invalid().with_hint(format!("Perhaps you meant to reference the table alias \"{}\".", table.name));
    }
    if scopes.iter().any(|scope| scope.invisible.iter().any(|table| table.name == name)) {
        return invalid().with_hint(format!(
            "There is an entry for table \"{name}\", but it cannot be referenced from this part of the query."
        ));
    }
    let message = format!("missing FROM-clause entry for table \"{name}\"");
    SqlError::new(UNDEFINED_TABLE, message).or_position(position)
}
