//! GROUPING SETS, ROLLUP, CUBE and GROUPING: which keys each grouping of a GROUP BY has (manual 7.2.4).
//!
//! Every item of GROUP BY is a list of sets; a plain expression is one set of one key. The items' lists are multiplied.

use nqdb_functions::equality;
use nqdb_sqlstate::{GROUPING_ERROR, STATEMENT_TOO_COMPLEX, SqlError, SqlResult, TOO_MANY_ARGUMENTS, TOO_MANY_COLUMNS};
use nqdb_types::Type;
use sqlparser::ast::{self, FunctionArg, FunctionArgExpr, FunctionArguments, ObjectNamePart};

use super::Binder;
use super::group::Key;
use super::operators::no_operator;
use super::order::without_parentheses;
use super::same::same_expr;
use super::select::Target;
use crate::ir::{ColumnId, Expr, GroupingSets};
use crate::parse::{CUBE, DISTINCT_SETS, GROUPING_SETS, ROLLUP};

/// Grouping sets of one query, as in PostgreSQL.
const SETS_MAX: usize = 4096;
/// Elements of one CUBE, as in PostgreSQL.
const CUBE_ELEMENTS_MAX: usize = 12;
/// Arguments of GROUPING: its result has a bit for each.
const GROUPING_ARGUMENTS_MAX: usize = 31;

/// A call of GROUPING; its value is a column.
#[derive(Clone, Debug)]
pub(super) struct GroupingCall {
    pub(super) column: ColumnId,
    args: Vec<Expr>,
}

/// Positions among the keys.
type Set = Vec<usize>;

impl Binder<'_> {
    /// GROUP BY: the keys; the sets, if it has any, are left in the scope.
    pub(super) fn bind_group_by(&mut self, group_by: &ast::GroupByExpr, targets: &mut [Target]) -> SqlResult<Vec<Key>> {
        let ast::GroupByExpr::Expressions(expressions, modifiers) = group_by else {
            return Err(SqlError::unsupported("GROUP BY ALL"));
        };
        if !modifiers.is_empty() {
            return Err(SqlError::unsupported("this form of GROUP BY"));
        }
        let mut keys: Vec<Key> = Vec::with_capacity(expressions.len());
        let mut sets: Vec<Set> = vec![Vec::new()];
        let (mut has_sets, mut distinct) = (false, false);
        for expression in expressions {
            if self.marked(expression).is_some_and(|(name, _)| name == DISTINCT_SETS) {
                distinct = true;
                continue;
            }
            has_sets |= self.marked(expression).is_some();
            let item = self.bind_group_item(expression, targets, &mut keys)?;
            sets = multiply(&sets, &item)?;
        }
        if distinct {
            let mut known: Vec<Set> = Vec::new();
            for set in sets.drain(..) {
                let mut sorted = set;
                sorted.sort_unstable();
                if !known.contains(&sorted) {
                    known.push(sorted);
                }
            }
            sets = known;
        }
        if has_sets {
            for (id, _) in &keys {
                self.columns[id.0 as usize].nullable = true;
            }
            self.scope().grouping_sets = Some(sets);
        }
        Ok(keys)
    }

    /// The sets of one item.
    fn bind_group_item(
        &mut self,
        expression: &ast::Expr,
        targets: &mut [Target],
        keys: &mut Vec<Key>,
    ) -> SqlResult<Vec<Set>> {
        let Some((name, items)) = self.marked(expression) else {
            return Ok(vec![self.bind_key_list(expression, targets, keys)?]);
        };
        if name == GROUPING_SETS {
            let mut sets = Vec::new();
            for item in &items {
                sets.extend(self.bind_group_item(item, targets, keys)?);
                check_count(sets.len())?;
            }
            return Ok(if items.is_empty() { vec![Vec::new()] } else { sets });
        }
        let mut elements = Vec::with_capacity(items.len());
        for item in &items {
            elements.push(self.bind_key_list(item, targets, keys)?);
        }
        if name == CUBE && items.len() > CUBE_ELEMENTS_MAX {
            let message = format!("CUBE is limited to {CUBE_ELEMENTS_MAX} elements");
            return Err(SqlError::new(TOO_MANY_COLUMNS, message).or_position(self.position_of(expression)));
        }
        let set_of =
            |chosen: &mut dyn Iterator<Item = &Set>| chosen.fold(Vec::new(), |set, element| union(&set, element));
        Ok(if name == ROLLUP {
            (0..=elements.len()).rev().map(|len| set_of(&mut elements.iter().take(len))).collect()
        } else {
            let subsets = (0..1usize << elements.len()).rev();
            subsets
                .map(|bits| {
                    let last = elements.len().saturating_sub(1);
                    set_of(
                        &mut elements.iter().enumerate().filter(|(at, _)| bits >> (last - at) & 1 == 1).map(|(_, e)| e),
                    )
                })
                .collect()
        })
    }

    /// An expression, or several in parentheses, as one set.
    fn bind_key_list(&mut self, expression: &ast::Expr, targets: &mut [Target], keys: &mut Vec<Key>) -> SqlResult<Set> {
        let ast::Expr::Tuple(items) = without_parentheses(expression) else {
            return Ok(vec![self.bind_key(expression, targets, keys)?]);
        };
        let mut set = Vec::with_capacity(items.len());
        for item in items {
            let key = self.bind_key(item, targets, keys)?;
            if !set.contains(&key) {
                set.push(key);
            }
        }
        Ok(set)
    }

    /// The position of a key, which is made unless there is an equal one.
    fn bind_key(&mut self, expression: &ast::Expr, targets: &mut [Target], keys: &mut Vec<Key>) -> SqlResult<usize> {
        let expr = self.bind_group_key(expression, targets)?;
        if equality(expr.ty.oid).is_none() {
            return Err(no_operator("equality", expr.ty.oid, expr.position));
        }
        if let Some(at) = keys.iter().position(|(_, key)| same_expr(key, &expr)) {
            return Ok(at);
        }
        let id = self.key_column(&expr);
        keys.push((id, expr));
        Ok(keys.len() - 1)
    }

    /// The name and items of a grouping construct, which the parser was given as a call.
    fn marked<'q>(&self, expression: &'q ast::Expr) -> Option<(&'q str, Vec<&'q ast::Expr>)> {
        let ast::Expr::Function(function) = expression else { return None };
        let [ObjectNamePart::Identifier(name)] = function.name.0.as_slice() else { return None };
        let is_marker = [GROUPING_SETS, ROLLUP, CUBE, DISTINCT_SETS].contains(&name.value.as_str());
        let FunctionArguments::List(list) = &function.args else { return None };
        let items = list.args.iter().filter_map(|arg| match arg {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(item)) => Some(item),
            _ => None,
        });
        is_marker.then(|| (name.value.as_str(), items.collect()))
    }

    /// `GROUPING(a, b)`: belongs to the level of its arguments, where it becomes a column.
    pub(super) fn bind_grouping(&mut self, written: &[&ast::Expr], position: Option<u32>) -> SqlResult<Expr> {
        if written.len() > GROUPING_ARGUMENTS_MAX {
            let message = format!("GROUPING must have fewer than {} arguments", GROUPING_ARGUMENTS_MAX + 1);
            return Err(SqlError::new(TOO_MANY_ARGUMENTS, message).or_position(position));
        }
        let mut args = Vec::with_capacity(written.len());
        for arg in written {
            args.push(self.bind_expr(arg)?);
        }
        let here = self.scopes.len().saturating_sub(1);
        let level = self.innermost_column(args.iter(), false).map_or(here, |(level, _)| level);
        if let Some(message) = self.scopes.get(level).and_then(|scope| scope.clause.refuses_aggregates()) {
            let message = message.replace("aggregate functions", "grouping operations");
            return Err(SqlError::new(GROUPING_ERROR, message).or_position(position));
        }
        let column = self.new_column(Type::INT4, false, None);
        self.columns[column.0 as usize].level = level;
        if let Some(scope) = self.scopes.get_mut(level) {
            scope.groupings.push(GroupingCall { column, args });
        }
        Ok(self.column_expr(column, position))
    }

    /// The sets and the GROUPING calls of the level at hand, over its keys.
    pub(super) fn take_grouping_sets(&mut self, keys: &[Key]) -> SqlResult<Option<GroupingSets>> {
        let calls = std::mem::take(&mut self.scope().groupings);
        let sets = self.scope().grouping_sets.take();
        let mut groupings = Vec::with_capacity(calls.len());
        for GroupingCall { column, args } in calls {
            let mut positions = Vec::with_capacity(args.len());
            for arg in args {
                let Some(at) = keys.iter().position(|(_, key)| same_expr(key, &arg)) else {
                    let message = "arguments to GROUPING must be grouping expressions of the associated query level";
                    return Err(SqlError::new(GROUPING_ERROR, message).or_position(arg.position));
                };
                positions.push(at);
            }
            groupings.push((column, positions));
        }
        Ok(match sets {
            Some(sets) => Some(GroupingSets { sets, groupings }),
            None if groupings.is_empty() => None,
            None => Some(GroupingSets { sets: vec![(0..keys.len()).collect()], groupings }),
        })
    }
}

fn union(a: &Set, b: &Set) -> Set {
    let mut all = a.clone();
    all.extend(b.iter().filter(|key| !a.contains(key)));
    all
}

fn multiply(left: &[Set], right: &[Set]) -> SqlResult<Vec<Set>> {
    check_count(left.len().saturating_mul(right.len()))?;
    Ok(left.iter().flat_map(|a| right.iter().map(|b| union(a, b))).collect())
}

fn check_count(sets: usize) -> SqlResult<()> {
    if sets > SETS_MAX {
        let message = format!("too many grouping sets present (maximum {SETS_MAX})");
        return Err(SqlError::new(STATEMENT_TOO_COMPLEX, message));
    }
    Ok(())
}
