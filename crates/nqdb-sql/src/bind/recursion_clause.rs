//! SEARCH and CYCLE of a recursive WITH query (manual 7.8.2.1): both terms get columns that say how a row was come to.
//!
//! ```text
//! SEARCH DEPTH FIRST BY a SET s       first term  ARRAY[ROW(a)]      second term  s || ARRAY[ROW(a)]
//! SEARCH BREADTH FIRST BY a SET s     first term  ROW(0, a)          second term  ROW(s.depth + 1, a)
//! CYCLE a SET m TO v DEFAULT d USING p
//!     first term   d AS m, ARRAY[ROW(a)] AS p
//!     second term  CASE WHEN ROW(a) = ANY (p) THEN v ELSE d END AS m, p || ARRAY[ROW(a)] AS p, only behind rows with m <> v
//! ```
//!
//! Each term becomes a subquery of a SELECT that adds the columns; the second one gives, behind its own columns, those of
//! the row that it came from. What always holds: `*` does not show the new columns within the query itself.

use std::fmt::Write;

use nqdb_sqlstate::{DUPLICATE_COLUMN, FEATURE_NOT_SUPPORTED, SYNTAX_ERROR, SqlError, SqlResult};
use sqlparser::ast::{self, Expr, Ident, ObjectNamePart, Query, SelectItem, SetExpr, TableFactor};

use super::Binder;
use super::coerce::common_of;
use crate::names::name_of;
use crate::parse::{CycleClause, RecursionClauses, SearchClause, generated_query};

/// The names of the subqueries that the terms become.
const TERM: &str = "\u{1}term";

/// Both terms with their new columns.
pub(super) struct ExtendedTerms {
    pub(super) left: SetExpr,
    pub(super) right: SetExpr,
    /// How many columns are new; they are the last ones.
    pub(super) added: usize,
}

impl Binder<'_> {
    /// Adds the columns of the clauses to the terms of a recursive query with these columns.
    pub(super) fn extend_terms(
        &mut self,
        left: &SetExpr,
        right: &SetExpr,
        clauses: &RecursionClauses,
        name: &str,
        columns: &[String],
    ) -> SqlResult<ExtendedTerms> {
        check_terms(left, right)?;
        check_names(clauses, columns)?;
        if let Some(cycle) = &clauses.cycle {
            let sides = [self.bind_expr(&cycle.value)?, self.bind_expr(&cycle.default)?];
            common_of(&sides, "CYCLE", self.cx.format)?;
        }
        let added = added_names(clauses);
        let left = seed_term(left, clauses, columns)?;
        let right = step_term(exposing(right, name, &added)?, clauses, columns, &added)?;
        Ok(ExtendedTerms { left, right, added: added.len() })
    }
}

/// The names of the new columns, in order.
fn added_names(clauses: &RecursionClauses) -> Vec<String> {
    let search = clauses.search.iter().map(|search| name_of(&search.sequence));
    let cycle = clauses.cycle.iter().flat_map(|cycle| [name_of(&cycle.mark), name_of(&cycle.path)]);
    search.chain(cycle).collect()
}

fn check_terms(left: &SetExpr, right: &SetExpr) -> SqlResult<()> {
    let refuse = |code, side: &str| {
        let message = format!("with a SEARCH or CYCLE clause, the {side} side of the UNION must be a SELECT");
        Err(SqlError::new(code, message))
    };
    if is_set_operation(left) {
        return refuse(FEATURE_NOT_SUPPORTED, "left");
    }
    if is_set_operation(right) {
        return refuse(SYNTAX_ERROR, "right");
    }
    Ok(())
}

fn is_set_operation(term: &SetExpr) -> bool {
    match term {
        SetExpr::SetOperation { .. } => true,
        SetExpr::Query(query) => query.with.is_none() && is_set_operation(&query.body),
        _ => false,
    }
}

fn check_names(clauses: &RecursionClauses, columns: &[String]) -> SqlResult<()> {
    if let Some(search) = &clauses.search {
        check_listed(&search.columns, columns, "search", search.position)?;
        check_new(&search.sequence, columns, "search sequence", search.position)?;
    }
    if let Some(cycle) = &clauses.cycle {
        check_listed(&cycle.columns, columns, "cycle", cycle.position)?;
        check_new(&cycle.mark, columns, "cycle mark", cycle.position)?;
        check_new(&cycle.path, columns, "cycle path", cycle.position)?;
        check_different(("cycle mark", &cycle.mark), ("cycle path", &cycle.path), cycle.position)?;
    }
    if let RecursionClauses { search: Some(search), cycle: Some(cycle) } = clauses {
        for other in [("cycle mark", &cycle.mark), ("cycle path", &cycle.path)] {
            check_different(("search sequence", &search.sequence), other, search.position)?;
        }
    }
    Ok(())
}

/// The columns of a clause are columns of the query, each named once.
fn check_listed(listed: &[Ident], columns: &[String], clause: &str, position: Option<u32>) -> SqlResult<()> {
    let mut seen = Vec::with_capacity(listed.len());
    for name in listed.iter().map(name_of) {
        if !columns.contains(&name) {
            let message = format!("{clause} column \"{name}\" not in WITH query column list");
            return Err(SqlError::new(SYNTAX_ERROR, message).or_position(position));
        }
        if seen.contains(&name) {
            let message = format!("{clause} column \"{name}\" specified more than once");
            return Err(SqlError::new(DUPLICATE_COLUMN, message).or_position(position));
        }
        seen.push(name);
    }
    Ok(())
}

fn check_new(name: &Ident, columns: &[String], role: &str, position: Option<u32>) -> SqlResult<()> {
    let name = name_of(name);
    if !columns.contains(&name) {
        return Ok(());
    }
    let message = format!("{role} column name \"{name}\" already used in WITH query column list");
    Err(SqlError::new(SYNTAX_ERROR, message).or_position(position))
}

fn check_different(one: (&str, &Ident), other: (&str, &Ident), position: Option<u32>) -> SqlResult<()> {
    if name_of(one.1) != name_of(other.1) {
        return Ok(());
    }
    let message = format!("{} column name and {} column name are the same", one.0, other.0);
    Err(SqlError::new(SYNTAX_ERROR, message).or_position(position))
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn quoted_list<'n>(names: impl IntoIterator<Item = &'n String>) -> String {
    names.into_iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ")
}

/// `ROW(..)` of a clause's columns, with something before them.
fn row_of(before: &str, columns: &[Ident]) -> String {
    let columns: Vec<String> = columns.iter().map(name_of).collect();
    format!("ROW({before}{})", quoted_list(&columns))
}

/// The first term with its new columns.
fn seed_term(term: &SetExpr, clauses: &RecursionClauses, columns: &[String]) -> SqlResult<SetExpr> {
    let mut sql = format!("SELECT {}", quoted_list(columns));
    if let Some(SearchClause { is_breadth_first, columns, sequence, .. }) = &clauses.search {
        let value = match is_breadth_first {
            true => row_of("0::int8, ", columns),
            false => format!("ARRAY[{}]", row_of("", columns)),
        };
        let _ = write!(sql, ", {value} AS {}", quoted(&name_of(sequence)));
    }
    if let Some(CycleClause { columns, mark, path, .. }) = &clauses.cycle {
        let (mark, path) = (quoted(&name_of(mark)), quoted(&name_of(path)));
        let _ = write!(sql, ", CASE WHEN false THEN 0 ELSE 0 END AS {mark}, ARRAY[{}] AS {path}", row_of("", columns));
    }
    let _ = write!(sql, " FROM (SELECT 1) AS \"{TERM}\" ({})", quoted_list(columns));
    let mut select = generated_select(&sql)?;
    put_term(&mut select, term)?;
    put_values(&mut select, clauses);
    Ok(SetExpr::Select(Box::new(select)))
}

/// The second term with its new columns; it gives those of the row it came from behind its own.
fn step_term(term: SetExpr, clauses: &RecursionClauses, columns: &[String], added: &[String]) -> SqlResult<SetExpr> {
    let mut sql = format!("SELECT {}", quoted_list(columns));
    if let Some(SearchClause { is_breadth_first, columns, sequence, .. }) = &clauses.search {
        let sequence = quoted(&name_of(sequence));
        let value = match is_breadth_first {
            true => row_of(&format!("({sequence}).f1 + 1, "), columns),
            false => format!("{sequence} || ARRAY[{}]", row_of("", columns)),
        };
        let _ = write!(sql, ", {value} AS {sequence}");
    }
    let mut condition = "";
    if let Some(CycleClause { columns, mark, path, .. }) = &clauses.cycle {
        let (mark, path, row) = (quoted(&name_of(mark)), quoted(&name_of(path)), row_of("", columns));
        let _ = write!(
            sql,
            ", CASE WHEN {row} = ANY ({path}) THEN 0 ELSE 0 END AS {mark}, {path} || ARRAY[{row}] AS {path}"
        );
        condition = " WHERE 0 <> 0";
    }
    let all = quoted_list(columns.iter().chain(added));
    let _ = write!(sql, " FROM (SELECT 1) AS \"{TERM}\" ({all}){condition}");
    let mut select = generated_select(&sql)?;
    put_term(&mut select, &term)?;
    put_values(&mut select, clauses);
    if let (Some(cycle), Some(Expr::BinaryOp { left, right, .. })) = (&clauses.cycle, &mut select.selection) {
        **left = Expr::Identifier(cycle.mark.clone());
        **right = cycle.value.clone();
    }
    Ok(SetExpr::Select(Box::new(select)))
}

fn generated_select(sql: &str) -> SqlResult<ast::Select> {
    match *generated_query(sql)?.body {
        SetExpr::Select(select) => Ok(*select),
        _ => Err(SqlError::internal("a term of ours is no SELECT")),
    }
}

/// The term in the place of the subquery in FROM.
fn put_term(select: &mut ast::Select, term: &SetExpr) -> SqlResult<()> {
    match select.from.first_mut().map(|from| &mut from.relation) {
        Some(TableFactor::Derived { subquery, .. }) => *subquery.body = term.clone(),
        _ => return Err(SqlError::internal("a term of ours has no subquery")),
    }
    Ok(())
}

/// The two values of the mark in the place of the zeros of its CASE.
fn put_values(select: &mut ast::Select, clauses: &RecursionClauses) {
    let Some(cycle) = &clauses.cycle else { return };
    let mark = name_of(&cycle.mark);
    for item in &mut select.projection {
        if let SelectItem::ExprWithAlias { expr: Expr::Case { conditions, else_result, .. }, alias } = item
            && name_of(alias) == mark
        {
            if let Some(when) = conditions.first_mut() {
                when.result = cycle.value.clone();
            }
            *else_result = Some(Box::new(cycle.default.clone()));
        }
    }
}

/// The second term with the new columns of the row that it comes from.
fn exposing(term: &SetExpr, name: &str, added: &[String]) -> SqlResult<SetExpr> {
    let fail = || {
        let message = format!(
            "with a SEARCH or CYCLE clause, the recursive reference to WITH query \"{name}\" must be at the top level of its right-hand SELECT"
        );
        SqlError::new(FEATURE_NOT_SUPPORTED, message)
    };
    let mut term = term.clone();
    let Some(select) = innermost(&mut term) else { return Err(fail()) };
    let factors = select
        .from
        .iter()
        .flat_map(|from| std::iter::once(&from.relation).chain(from.joins.iter().map(|join| &join.relation)));
    let qualifier = factors.filter_map(|factor| reference(factor, name)).next().ok_or_else(fail)?;
    for column in added {
        let parts = vec![qualifier.clone(), Ident::with_quote('"', column)];
        select.projection.push(SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts)));
    }
    Ok(term)
}

/// The SELECT, out of parentheses that do nothing else.
fn innermost(term: &mut SetExpr) -> Option<&mut ast::Select> {
    match term {
        SetExpr::Select(select) => Some(select),
        SetExpr::Query(query) if is_bare(query) => innermost(&mut query.body),
        _ => None,
    }
}

fn is_bare(query: &Query) -> bool {
    query.with.is_none() && query.order_by.is_none() && query.limit_clause.is_none() && query.fetch.is_none()
}

/// What qualifies the columns of a reference to the recursion.
fn reference(factor: &TableFactor, wanted: &str) -> Option<Ident> {
    match factor {
        TableFactor::Table { name, alias, .. } => match name.0.as_slice() {
            [ObjectNamePart::Identifier(name)] if name_of(name) == wanted => {
                Some(alias.as_ref().map_or_else(|| name.clone(), |alias| alias.name.clone()))
            }
            _ => None,
        },
        TableFactor::NestedJoin { table_with_joins, alias: None } => {
            let joined = table_with_joins.joins.iter().map(|join| &join.relation);
            std::iter::once(&table_with_joins.relation).chain(joined).find_map(|factor| reference(factor, wanted))
        }
        _ => None,
    }
}
