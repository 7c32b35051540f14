//! WITH RECURSIVE: the order of the list, the two terms of a recursion, and where it may refer to itself.

use std::ops::ControlFlow;

use nqdb_functions::equality;
use nqdb_sqlstate::{DATATYPE_MISMATCH, FEATURE_NOT_SUPPORTED, INVALID_RECURSION, SYNTAX_ERROR, SqlError, SqlResult};
use nqdb_types::{Type, oid};
use sqlparser::ast::{self, Ident, ObjectNamePart, SetExpr, SetOperator, SetQuantifier};

use super::coerce::common_of;
use super::operators::no_operator;
use super::query::Tail;
use super::with::{CommonKind, CommonTable, Recursion, check_alias_count};
use super::{Binder, span_position};
use crate::ir::{Query, Rel, SetKind};
use crate::names::name_of;
use crate::parse::RecursionClauses;

/// What a WITH query is called, its columns too, and where.
#[derive(Clone, Copy)]
struct Head<'q> {
    name: &'q str,
    aliases: &'q [String],
    position: Option<u32>,
}

/// Whether a query names a table like that anywhere.
pub(super) fn references(query: &ast::Query, name: &Ident) -> bool {
    mentions(query, &name_of(name))
}

fn mentions(query: &ast::Query, wanted: &str) -> bool {
    let found = ast::visit_relations(query, |relation| match relation.0.as_slice() {
        [ObjectNamePart::Identifier(name)] if name_of(name) == wanted => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    found.is_break()
}

/// The queries of a WITH RECURSIVE list, each behind those that it refers to: 0A000 when two refer to each other.
pub(super) fn dependency_order(list: &[ast::Cte], names: &[String]) -> SqlResult<Vec<usize>> {
    let needs = |at: usize, other: usize| {
        at != other && matches!((list.get(at), names.get(other)), (Some(cte), Some(name)) if mentions(&cte.query, name))
    };
    let mut order: Vec<usize> = Vec::with_capacity(list.len());
    while order.len() < list.len() {
        let open: Vec<usize> = (0..list.len()).filter(|at| !order.contains(at)).collect();
        let ready = open.iter().find(|at| open.iter().all(|other| !needs(**at, *other)));
        let Some(ready) = ready else {
            let position = open.first().and_then(|at| list.get(*at)).and_then(|cte| span_position(cte.alias.name.span));
            let message = "mutual recursion between WITH items is not implemented";
            return Err(SqlError::new(FEATURE_NOT_SUPPORTED, message).or_position(position));
        };
        order.push(*ready);
    }
    Ok(order)
}

impl Binder<'_> {
    /// A WITH query that refers to itself.
    pub(super) fn bind_recursive_query(
        &mut self,
        query: &ast::Query,
        name: &str,
        aliases: &[String],
        clauses: Option<&RecursionClauses>,
        position: Option<u32>,
    ) -> SqlResult<Query> {
        self.with_own_queries(|binder| {
            let mut tail = Tail::EMPTY;
            let noted = binder.noted_with_count();
            binder.collect_tail(query, &mut tail, &mut false)?;
            let (left, right, quantifier) = terms(query).ok_or_else(|| {
                let message = format!(
                    "recursive query \"{name}\" does not have the form non-recursive-term UNION [ALL] recursive-term"
                );
                SqlError::new(INVALID_RECURSION, message).or_position(position)
            })?;
            binder.refuse_tail(&tail)?;
            let all = quantifier == SetQuantifier::All;
            let outer = std::mem::take(&mut binder.recursion);
            let bound = binder.bind_recursion([left, right], all, Head { name, aliases, position }, clauses);
            binder.recursion = outer;
            binder.note_with(noted, false);
            bound
        })
    }

    fn refuse_tail(&self, tail: &Tail<'_>) -> SqlResult<()> {
        let refuse = |what: &str, at: Option<&ast::Expr>| {
            let position = at.and_then(|at| self.position_of(at));
            let message = format!("{what} in a recursive query is not implemented");
            Err(SqlError::new(FEATURE_NOT_SUPPORTED, message).or_position(position))
        };
        if let Some(item) = tail.order_by.first() {
            return refuse("ORDER BY", Some(&item.expr));
        }
        if tail.offset.is_some() {
            return refuse("OFFSET", tail.offset);
        }
        if !tail.locks.is_empty() {
            return refuse("FOR UPDATE/SHARE", None);
        }
        if tail.limit.is_some() || tail.fetch.is_some() {
            return refuse("LIMIT", tail.limit);
        }
        Ok(())
    }

    fn bind_recursion(
        &mut self,
        [left, right]: [&SetExpr; 2],
        all: bool,
        head: Head<'_>,
        clauses: Option<&RecursionClauses>,
    ) -> SqlResult<Query> {
        let Head { name, aliases, position } = head;
        let id = self.new_with_id();
        let itself = self.common_tables.len();
        let kind = CommonKind::InSeed;
        let columns = Vec::new();
        let table = CommonTable { name: name.to_string(), id, columns, kind, reference_count: 0, hidden_count: 0 };
        self.common_tables.push(table);
        let extended = match clauses {
            Some(clauses) => {
                let columns = self.columns_of_term(left, head)?;
                Some(self.extend_terms(left, right, clauses, name, &columns)?)
            }
            None => None,
        };
        let (left, right) = extended.as_ref().map_or((left, right), |terms| (&terms.left, &terms.right));
        if let (Some(table), Some(terms)) = (self.common_tables.get_mut(itself), &extended) {
            table.hidden_count = terms.added;
        }
        let mut seed = self.bind_branch(left)?;
        self.resolve_output(&mut seed)?;
        check_alias_count(name, seed.output.len(), aliases.len(), position)?;
        for (column, alias) in seed.output.iter_mut().zip(aliases) {
            column.name.clone_from(alias);
        }
        let columns = seed.output.iter().map(|column| self.common_column(column));
        // A value of the first term says nothing about those of later rounds.
        let columns =
            columns.map(|column| super::with::CommonColumn { nullable: true, origin: None, ..column }).collect();
        if let Some(table) = self.common_tables.get_mut(itself) {
            table.columns = columns;
            table.kind = CommonKind::InStep;
        }
        let mut step = self.bind_branch(right)?;
        // Behind its own text the name means the whole query, which the list enters.
        self.common_tables.remove(itself);
        if seed.output.len() != step.output.len() {
            let message = "each UNION query must have the same number of columns";
            return Err(SqlError::new(SYNTAX_ERROR, message).or_position(self.item_position(right, 0)));
        }
        let mut columns = Vec::with_capacity(seed.output.len());
        let mut output = Vec::with_capacity(seed.output.len());
        for at in 0..seed.output.len() {
            let ty = self.recursion_type(&seed, &step, at, left, right, name)?;
            self.retype_output(&mut step, at, ty, "UNION")?;
            if !all && equality(ty.oid).is_none() {
                return Err(no_operator("equality", ty.oid, self.item_position(left, at)));
            }
            let id = self.new_column(ty, true, None);
            columns.push(id);
            let column_name = seed.output.get(at).map_or_else(String::new, |column| column.name.clone());
            output.push(self.output_column(column_name, id));
        }
        let rel = Rel::Recursion { id, all, seed: Box::new(seed), step: Box::new(step), columns };
        let query = Query { rel, output };
        self.note_set_operation(SetKind::Union, all, &query)?;
        Ok(query)
    }

    /// The names of the columns of a recursive query, which its first term and its aliases decide. The term is bound to
    /// learn them, and bound again with more columns: nothing of the first time stays.
    fn columns_of_term(
        &mut self,
        term: &SetExpr,
        Head { name, aliases, position }: Head<'_>,
    ) -> SqlResult<Vec<String>> {
        let (tables, pending) = (self.common_tables.clone(), self.pending_with.len());
        let mut bound = self.bind_branch(term)?;
        self.resolve_output(&mut bound)?;
        self.common_tables = tables;
        self.pending_with.truncate(pending);
        check_alias_count(name, bound.output.len(), aliases.len(), position)?;
        let named = bound.output.into_iter().enumerate();
        Ok(named.map(|(at, column)| aliases.get(at).cloned().unwrap_or(column.name)).collect())
    }

    /// The type of a column: that of the first term, which the union of both must agree with.
    fn recursion_type(
        &mut self,
        seed: &Query,
        step: &Query,
        at: usize,
        left: &SetExpr,
        right: &SetExpr,
        name: &str,
    ) -> SqlResult<Type> {
        let sides = [self.branch_column(seed, at, left), self.branch_column(step, at, right)];
        let [first, _] = &sides;
        let (of_seed, position) = (first.ty, first.position);
        let overall = common_of(&sides, "UNION", self.cx.format)?;
        if overall.oid == of_seed.oid && matches!(of_seed.oid, oid::RECORD | oid::RECORD_ARRAY) {
            // Records without a type of their own agree whatever their fields are; each brings its own along.
            return Ok(of_seed);
        }
        if overall != of_seed {
            let message = format!(
                "recursive query \"{name}\" column {} has type {} in non-recursive term but type {} overall",
                at + 1,
                self.cx.format.type_name(of_seed),
                self.cx.format.type_name(overall)
            );
            return Err(SqlError::new(DATATYPE_MISMATCH, message)
                .with_hint("Cast the output of the non-recursive term to the correct type.")
                .or_position(position));
        }
        Ok(overall)
    }

    /// 42P19 where a recursion must not refer to itself.
    pub(super) fn check_self_reference(
        &self,
        name: &str,
        kind: CommonKind,
        reference_count: usize,
        position: Option<u32>,
    ) -> SqlResult<()> {
        let Recursion { expressions, outer_joins, excepts, intersects } = self.recursion;
        let place = if kind == CommonKind::InSeed {
            "within its non-recursive term"
        } else if expressions > 0 {
            "within a subquery"
        } else if outer_joins > 0 {
            "within an outer join"
        } else if intersects > 0 {
            "within INTERSECT"
        } else if excepts > 0 {
            "within EXCEPT"
        } else if reference_count > 1 {
            "more than once"
        } else {
            return Ok(());
        };
        let message = format!("recursive reference to query \"{name}\" must not appear {place}");
        Err(SqlError::new(INVALID_RECURSION, message).or_position(position))
    }

    /// A subquery of an expression.
    pub(super) fn bind_expression_query(&mut self, query: &ast::Query) -> SqlResult<Query> {
        self.recursion.expressions += 1;
        let bound = self.bind_query(query);
        self.recursion.expressions -= 1;
        let bound = bound?;
        self.note_subquery(&bound);
        Ok(bound)
    }

    /// Binds what an outer join may give NULLs for.
    pub(super) fn in_outer_join<T>(
        &mut self,
        nullable: bool,
        work: impl FnOnce(&mut Self) -> SqlResult<T>,
    ) -> SqlResult<T> {
        self.recursion.outer_joins += usize::from(nullable);
        let result = work(self);
        self.recursion.outer_joins -= usize::from(nullable);
        result
    }

    /// Binds a side of EXCEPT or INTERSECT ALL.
    pub(super) fn in_set_operation<T>(
        &mut self,
        excepts: bool,
        intersects: bool,
        work: impl FnOnce(&mut Self) -> SqlResult<T>,
    ) -> SqlResult<T> {
        self.recursion.excepts += usize::from(excepts);
        self.recursion.intersects += usize::from(intersects);
        let result = work(self);
        self.recursion.excepts -= usize::from(excepts);
        self.recursion.intersects -= usize::from(intersects);
        result
    }
}

/// The two terms of a recursion.
fn terms(query: &ast::Query) -> Option<(&SetExpr, &SetExpr, SetQuantifier)> {
    match &*query.body {
        SetExpr::SetOperation { left, op: SetOperator::Union, set_quantifier, right } => {
            Some((left, right, *set_quantifier))
        }
        _ => None,
    }
}
