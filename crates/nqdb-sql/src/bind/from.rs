//! FROM: tables, derived tables, WITH names, functions, and joins.

use std::sync::Arc;

use nqdb_catalog::{Relation, TableDef};
use nqdb_sqlstate::{
    AMBIGUOUS_COLUMN, INVALID_COLUMN_REFERENCE, INVALID_SCHEMA_NAME, SYNTAX_ERROR, SqlError, SqlResult,
    UNDEFINED_COLUMN, UNDEFINED_TABLE, WRONG_OBJECT_TYPE,
};
use nqdb_types::Type;
use sqlparser::ast::{self, JoinConstraint, JoinOperator, ObjectName, ObjectNamePart, TableFactor};

use super::lateral::Sibling;
use super::operators::conjunction;
use super::scope::{Clause, ScopeColumn, ScopeTable, WholeRow, check_unique};
use super::{Binder, leftmost, levels, span_position};
use crate::SystemColumn;
use crate::ir::{ColumnId, Expr, ExprKind, JoinKind, Query, Rel};
use crate::names::name_of;
use crate::parse::JOIN_ALIAS;

/// What an item of FROM adds: a relation, and the names that reach into it.
pub(super) struct FromItem {
    pub(super) rel: Rel,
    pub(super) tables: Vec<ScopeTable>,
    /// What unqualified names and `*` see.
    pub(super) columns: Vec<ScopeColumn>,
    /// Tables that an alias of their join hides, for the error that names one of them.
    pub(super) hidden: Vec<ScopeTable>,
}

/// An alias with its column names.
pub(super) struct Alias {
    pub(super) name: String,
    pub(super) columns: Vec<String>,
    /// The types of a column definition list, one for each column, or none at all.
    pub(super) types: Vec<Type>,
    pub(super) position: Option<u32>,
}

/// What an undecided name in FROM is: schema, name, position.
pub(super) struct TableName {
    pub(super) schema: Option<String>,
    pub(super) name: String,
    pub(super) position: Option<u32>,
}

impl Binder<'_> {
    /// Binds the FROM list and makes its names visible in the scope at hand.
    pub(super) fn bind_from(&mut self, from: &[ast::TableWithJoins]) -> SqlResult<Rel> {
        let mut all: Option<FromItem> = None;
        self.add_levels(from.len() * levels::OF_FROM_ITEM)?;
        let around = self.scope().siblings.len();
        for item in from {
            let item = self.bind_joined(item)?;
            all = Some(match all {
                None => item,
                Some(left) => {
                    check_unique(&left.tables, &item.tables)?;
                    let mut tables = left.tables;
                    tables.extend(item.tables);
                    let mut columns = left.columns;
                    columns.extend(item.columns);
                    let mut hidden = left.hidden;
                    hidden.extend(item.hidden);
                    let kind = JoinKind::Cross;
                    let rel = Rel::Join { kind, left: Box::new(left.rel), right: Box::new(item.rel), on: None };
                    FromItem { rel, tables, columns, hidden }
                }
            });
            if let Some(all) = &all {
                let sibling = Sibling::new(all, true);
                let siblings = &mut self.scope().siblings;
                siblings.truncate(around);
                siblings.push(sibling);
            }
        }
        self.scope().siblings.truncate(around);
        let Some(FromItem { rel, tables, columns, hidden }) = all else { return Ok(Rel::OneRow) };
        let scope = self.scope();
        scope.tables = tables;
        scope.columns = columns;
        scope.invisible = hidden;
        Ok(rel)
    }

    fn bind_joined(&mut self, item: &ast::TableWithJoins) -> SqlResult<FromItem> {
        let ast::TableWithJoins { relation, joins } = item;
        self.add_levels(joins.len() * levels::OF_FROM_ITEM)?;
        let mut nullable = joins.iter().filter(|join| nulls_left(&join.join_operator)).count();
        let mut left = self.in_outer_join(nullable > 0, |binder| binder.bind_factor(relation))?;
        for join in joins {
            let ast::Join { relation, global, join_operator } = join;
            if *global {
                return Err(SqlError::new(SYNTAX_ERROR, "syntax error at or near \"global\""));
            }
            // The rows of an outer join's own side cannot depend on the other side.
            let sibling = Sibling::new(&left, !nulls_left(join_operator));
            self.scope().siblings.push(sibling);
            nullable -= usize::from(nulls_left(join_operator));
            let in_outer_join = nullable > 0 || nulls_right(join_operator);
            let right = self.in_outer_join(in_outer_join, |binder| binder.bind_factor(relation));
            self.scope().siblings.pop();
            let right = right?;
            left = self.bind_join(left, right, join_operator)?;
        }
        Ok(left)
    }

    fn bind_factor(&mut self, factor: &TableFactor) -> SqlResult<FromItem> {
        self.cx.session.check_interruption()?;
        let mut item = self.bind_factor_parts(factor)?;
        self.note_factor(factor, &item)?;
        self.note_lockable(factor, &mut item);
        Ok(item)
    }

    fn bind_factor_parts(&mut self, factor: &TableFactor) -> SqlResult<FromItem> {
        match factor {
            TableFactor::Table {
                name,
                alias,
                args,
                with_hints,
                version,
                with_ordinality,
                partitions,
                json_path,
                sample,
                index_hints,
            } => {
                if !with_hints.is_empty()
                    || version.is_some()
                    || !partitions.is_empty()
                    || json_path.is_some()
                    || !index_hints.is_empty()
                {
                    return Err(SqlError::unsupported("this clause of FROM"));
                }
                let alias = alias.as_ref().map(|alias| self.table_alias(alias)).transpose()?;
                match args {
                    Some(ast::TableFunctionArgs { args, settings }) => {
                        if let Some(sample) = sample {
                            return Err(self.misplaced_sample(sample));
                        }
                        if settings.is_some() {
                            return Err(SqlError::unsupported("this clause of FROM"));
                        }
                        self.bind_table_function(name, args, *with_ordinality, alias)
                    }
                    None if *with_ordinality => Err(SqlError::new(SYNTAX_ERROR, "syntax error at or near \"WITH\"")),
                    None => {
                        refuse_definitions(alias.as_ref())?;
                        let TableName { schema, name, position } = table_name(name)?;
                        let item = self.bind_named_table(schema.as_deref(), &name, position)?;
                        let mut item = apply_alias(item, alias)?;
                        if let Some(sample) = sample {
                            self.bind_table_sample(&mut item, sample, position)?;
                        }
                        Ok(item)
                    }
                }
            }
            TableFactor::Derived { lateral, subquery, alias, sample } => {
                if let Some(sample) = sample {
                    return Err(self.misplaced_sample(sample));
                }
                let Some(alias) = alias else {
                    let kind = if matches!(*subquery.body, ast::SetExpr::Values(_)) { "VALUES" } else { "subquery" };
                    let example = if kind == "VALUES" { "VALUES ..." } else { "SELECT ..." };
                    let position = crate::parse::query_start(&self.tokens, subquery)
                        .and_then(|start| self.tokens.position(start.checked_sub(1)?));
                    return Err(SqlError::new(SYNTAX_ERROR, format!("{kind} in FROM must have an alias"))
                        .with_hint(format!("For example, FROM ({example}) [AS] foo."))
                        .or_position(position));
                };
                let alias = self.table_alias(alias)?;
                refuse_definitions(Some(&alias))?;
                let query = self.beside_siblings(*lateral, |binder| binder.bind_query(subquery))?;
                let item = self.adopt_query(query, alias.name.clone());
                apply_alias(item, Some(alias))
            }
            TableFactor::NestedJoin { table_with_joins, alias } => {
                let item = self.bind_joined(table_with_joins)?;
                let Some(alias) = alias else { return Ok(item) };
                let alias = self.table_alias(alias)?;
                refuse_definitions(Some(&alias))?;
                alias_join(item, alias)
            }
            TableFactor::Function { lateral: _, name, args, with_ordinality, alias } => {
                // Every function in FROM sees what stands before it.
                let alias = alias.as_ref().map(|alias| self.table_alias(alias)).transpose()?;
                self.bind_table_function(name, args, *with_ordinality, alias)
            }
            TableFactor::UNNEST { alias, array_exprs, with_offset, with_offset_alias, with_ordinality } => {
                if *with_offset || with_offset_alias.is_some() {
                    return Err(SqlError::new(SYNTAX_ERROR, "syntax error at or near \"offset\""));
                }
                let alias = alias.as_ref().map(|alias| self.table_alias(alias)).transpose()?;
                self.bind_unnest(array_exprs, *with_ordinality, alias)
            }
            TableFactor::TableFunction { .. }
            | TableFactor::JsonTable { .. }
            | TableFactor::OpenJsonTable { .. }
            | TableFactor::Pivot { .. }
            | TableFactor::Unpivot { .. }
            | TableFactor::UnpivotExpr { .. }
            | TableFactor::MatchRecognize { .. }
            | TableFactor::XmlTable { .. }
            | TableFactor::SemanticView { .. } => Err(SqlError::unsupported("this kind of item in FROM")),
        }
    }

    /// A WITH name or a stored table.
    pub(super) fn bind_named_table(
        &mut self,
        schema: Option<&str>,
        name: &str,
        position: Option<u32>,
    ) -> SqlResult<FromItem> {
        if schema.is_none()
            && let Some(at) = self.common_tables.iter().rposition(|table| table.name == name)
        {
            return self.bind_with_reference(at, position);
        }
        if let Some(named) = self.stored_relation(schema, name) {
            return self.bind_named(&named, position);
        }
        if let Some(system) = self.find_system_relation(schema, name) {
            return self.bind_system_relation(system);
        }
        self.expect_schema_usage(schema, position)?;
        let catalog = self.cx.catalog;
        let (relation, item) = match catalog.resolve(self.cx.search_path, schema, name) {
            Ok(Some(relation @ Relation::View(view))) => (relation.clone(), self.bind_view(view)?),
            Ok(Some(relation @ Relation::Sequence(sequence))) => {
                let schema = catalog.schema_by_oid(sequence.schema).map_or("", |schema| schema.name.as_str());
                (relation.clone(), self.sequence_scan(sequence, schema))
            }
            _ => {
                let table = self.find_stored_table(schema, name, position)?;
                self.expect_populated(&table)?;
                let item = self.scan(&table, position);
                (Relation::Table(table), item)
            }
        };
        self.record(schema, name, &relation, &item);
        Ok(item)
    }

    /// 42501 for a name in a schema that the role may not use.
    pub(super) fn expect_schema_usage(&self, schema: Option<&str>, position: Option<u32>) -> SqlResult<()> {
        if self.in_system_view { Ok(()) } else { self.cx.expect_schema_usage(schema, position) }
    }

    /// Looks a table up: 42P01 when there is none, 42809 when it is an index.
    pub(super) fn find_stored_table(
        &self,
        schema: Option<&str>,
        name: &str,
        position: Option<u32>,
    ) -> SqlResult<Arc<TableDef>> {
        let missing = || {
            let written = schema.map_or_else(|| name.to_string(), |schema| format!("{schema}.{name}"));
            let error = SqlError::new(UNDEFINED_TABLE, format!("relation \"{written}\" does not exist"));
            let error = error.or_position(position);
            if schema.is_none() && self.later_with_names.iter().any(|later| later == name) {
                return error
                    .with_detail(format!(
                        "There is a WITH item named \"{name}\", but it cannot be referenced from this part of the query."
                    ))
                    .with_hint("Use WITH RECURSIVE, or re-order the WITH items to remove forward references.");
            }
            error
        };
        self.expect_schema_usage(schema, position)?;
        match self.cx.catalog.resolve(self.cx.search_path, schema, name) {
            Ok(Some(Relation::Table(table))) => {
                self.cx.expect_own_if_temporary(table)?;
                Ok(Arc::clone(table))
            }
            Ok(Some(Relation::Index(..))) => {
                Err(SqlError::new(WRONG_OBJECT_TYPE, format!("\"{name}\" is an index")).or_position(position))
            }
            Ok(Some(Relation::View(_))) => {
                Err(SqlError::new(WRONG_OBJECT_TYPE, format!("\"{name}\" is not a table")).or_position(position))
            }
            Ok(Some(Relation::Sequence(_))) => {
                Err(SqlError::unsupported("a sequence in the place of a table").or_position(position))
            }
            Ok(None) if self.find_system_relation(schema, name).is_some() => Err(SqlError::new(
                nqdb_sqlstate::INSUFFICIENT_PRIVILEGE,
                format!("permission denied: \"{name}\" is a system catalog"),
            )),
            Ok(None) => Err(missing()),
            Err(error) if error.code() == INVALID_SCHEMA_NAME => Err(missing()),
            Err(error) => Err(error.or_position(position)),
        }
    }

    pub(super) fn scan(&mut self, table: &Arc<TableDef>, position: Option<u32>) -> FromItem {
        let mut ids = Vec::new();
        let mut columns = Vec::new();
        for (at, column) in table.live_columns() {
            let id = self.new_column(column.ty, !column.not_null, Some((table.oid, column.attnum)));
            ids.push((at, id));
            columns.push(ScopeColumn { name: column.name.clone(), id });
        }
        self.add_system_columns(table, &mut ids);
        let system = ids.iter().filter_map(|(at, id)| Some((SystemColumn::at(*at)?, *id))).collect();
        let address = (self.locking_levels > 0).then(|| self.new_column(Type::BYTEA, true, None));
        let rel = Rel::Scan {
            table: Arc::clone(table),
            alias: table.name.clone(),
            columns: ids,
            address,
            sample: None,
            position,
        };
        let scope_table = ScopeTable {
            name: table.name.clone(),
            schema: Some(table.schema_name.clone()),
            table: Some(Arc::clone(table)),
            row: whole_row_of(&Relation::Table(Arc::clone(table)), &columns),
            columns: columns.clone(),
            hidden_name: None,
            is_value: false,
            system,
        };
        let item = FromItem { rel, tables: vec![scope_table], columns, hidden: Vec::new() };
        self.note_item(table.oid, table.live_columns().map(|(_, column)| column.attnum), &item);
        self.note_address(address);
        item
    }

    /// A finished query as an item of FROM: its columns belong to this level from now on.
    fn adopt_query(&mut self, query: Query, name: String) -> FromItem {
        let here = self.scopes.len().saturating_sub(1);
        let mut columns = Vec::with_capacity(query.output.len());
        for output in &query.output {
            self.columns[output.id.0 as usize].level = here;
            columns.push(ScopeColumn { name: output.name.clone(), id: output.id });
        }
        let table = ScopeTable {
            name,
            schema: None,
            table: None,
            columns: columns.clone(),
            hidden_name: None,
            is_value: false,
            system: Vec::new(),
            row: None,
        };
        FromItem { rel: query.rel, tables: vec![table], columns, hidden: Vec::new() }
    }

    fn bind_join(&mut self, left: FromItem, right: FromItem, operator: &JoinOperator) -> SqlResult<FromItem> {
        let (kind, constraint) = match operator {
            JoinOperator::Join(constraint) | JoinOperator::Inner(constraint) => (JoinKind::Inner, constraint),
            JoinOperator::Left(constraint) | JoinOperator::LeftOuter(constraint) => (JoinKind::Left, constraint),
            JoinOperator::Right(constraint) | JoinOperator::RightOuter(constraint) => (JoinKind::Right, constraint),
            JoinOperator::FullOuter(constraint) => (JoinKind::Full, constraint),
            JoinOperator::CrossJoin(constraint) => (JoinKind::Cross, constraint),
            JoinOperator::Semi(_)
            | JoinOperator::LeftSemi(_)
            | JoinOperator::RightSemi(_)
            | JoinOperator::Anti(_)
            | JoinOperator::LeftAnti(_)
            | JoinOperator::RightAnti(_)
            | JoinOperator::CrossApply
            | JoinOperator::OuterApply
            | JoinOperator::AsOf { .. }
            | JoinOperator::StraightJoin(_)
            | JoinOperator::ArrayJoin
            | JoinOperator::LeftArrayJoin
            | JoinOperator::InnerArrayJoin => return Err(SqlError::new(SYNTAX_ERROR, "syntax error in a join")),
        };
        check_unique(&left.tables, &right.tables)?;
        match constraint {
            JoinConstraint::None if kind == JoinKind::Cross => Ok(self.joined(kind, left, right, None)),
            JoinConstraint::None => Err(SqlError::new(SYNTAX_ERROR, "syntax error: a join needs ON or USING")),
            _ if kind == JoinKind::Cross => {
                Err(SqlError::new(SYNTAX_ERROR, "syntax error: CROSS JOIN takes no condition"))
            }
            JoinConstraint::On(condition) => {
                let on = self.bind_join_condition(&left, &right, condition)?;
                Ok(self.joined(kind, left, right, Some(on)))
            }
            JoinConstraint::Using(names) => {
                let mut wanted = Vec::with_capacity(names.len());
                let mut alias = None;
                for name in names {
                    if let [ObjectNamePart::Identifier(marker), ObjectNamePart::Identifier(name)] = name.0.as_slice()
                        && marker.value == JOIN_ALIAS
                    {
                        alias = Some(name_of(name));
                        continue;
                    }
                    let [ObjectNamePart::Identifier(identifier)] = name.0.as_slice() else {
                        return Err(SqlError::new(SYNTAX_ERROR, "syntax error in USING"));
                    };
                    let position = span_position(identifier.span);
                    let name = name_of(identifier);
                    if wanted.iter().any(|(other, _)| *other == name) {
                        let message = format!("column name \"{name}\" appears more than once in USING clause");
                        return Err(SqlError::new(nqdb_sqlstate::DUPLICATE_COLUMN, message).or_position(position));
                    }
                    wanted.push((name, position));
                }
                self.join_using(kind, left, right, wanted, alias)
            }
            JoinConstraint::Natural => {
                let common =
                    left.columns.iter().filter(|column| right.columns.iter().any(|other| other.name == column.name));
                let mut wanted: Vec<(String, Option<u32>)> = Vec::new();
                for column in common {
                    if !wanted.iter().any(|(name, _)| *name == column.name) {
                        wanted.push((column.name.clone(), None));
                    }
                }
                if wanted.is_empty() && kind == JoinKind::Inner {
                    return Ok(self.joined(JoinKind::Cross, left, right, None));
                }
                self.join_using(kind, left, right, wanted, None)
            }
        }
    }

    /// ON sees the two sides of its join, and what is outside of the query.
    fn bind_join_condition(&mut self, left: &FromItem, right: &FromItem, condition: &ast::Expr) -> SqlResult<Expr> {
        let tables = left.tables.iter().chain(&right.tables).cloned().collect();
        let columns = left.columns.iter().chain(&right.columns).cloned().collect();
        let scope = self.scope();
        let tables = std::mem::replace(&mut scope.tables, tables);
        let columns = std::mem::replace(&mut scope.columns, columns);
        let bound = self.beside_siblings(false, |binder| {
            binder.in_clause(Clause::JoinCondition, |binder| binder.bind_boolean(condition, "JOIN/ON"))
        });
        let scope = self.scope();
        scope.tables = tables;
        scope.columns = columns;
        bound
    }

    fn joined(&mut self, kind: JoinKind, left: FromItem, right: FromItem, on: Option<Expr>) -> FromItem {
        self.extend_with_nulls(kind, &left, &right);
        let mut tables = left.tables;
        tables.extend(right.tables);
        let mut columns = left.columns;
        columns.extend(right.columns);
        let mut hidden = left.hidden;
        hidden.extend(right.hidden);
        let rel = Rel::Join { kind, left: Box::new(left.rel), right: Box::new(right.rel), on };
        let item = FromItem { rel, tables, columns, hidden };
        self.note_join(kind, Vec::new(), None, &item);
        item
    }

    /// An outer join makes the columns of its other side nullable.
    fn extend_with_nulls(&mut self, kind: JoinKind, left: &FromItem, right: &FromItem) {
        let mut sides: Vec<&FromItem> = Vec::new();
        if matches!(kind, JoinKind::Left | JoinKind::Full) {
            sides.push(right);
        }
        if matches!(kind, JoinKind::Right | JoinKind::Full) {
            sides.push(left);
        }
        for side in sides {
            let of_tables = side.tables.iter().flat_map(|table| &table.columns);
            for column in side.columns.iter().chain(of_tables) {
                self.columns[column.id.0 as usize].nullable = true;
            }
        }
    }

    /// USING and NATURAL: each pair of columns becomes one, which stands first.
    fn join_using(
        &mut self,
        kind: JoinKind,
        left: FromItem,
        right: FromItem,
        names: Vec<(String, Option<u32>)>,
        alias: Option<String>,
    ) -> SqlResult<FromItem> {
        let mut conditions = Vec::with_capacity(names.len());
        let mut pairs: Vec<(String, ColumnId, ColumnId)> = Vec::with_capacity(names.len());
        for (name, position) in &names {
            let left_id = using_column(&left.columns, name, "left")?;
            let right_id = using_column(&right.columns, name, "right")?;
            let left_column = self.column_expr(left_id, None);
            let right_column = self.column_expr(right_id, None);
            conditions.push(self.apply_operator("=", left_column, right_column, *position)?);
            pairs.push((name.clone(), left_id, right_id));
        }
        let on = if conditions.is_empty() { None } else { Some(conjunction(conditions)) };
        let kind = if on.is_none() && kind == JoinKind::Inner { JoinKind::Cross } else { kind };
        self.extend_with_nulls(kind, &left, &right);
        let mut merged = Vec::with_capacity(pairs.len());
        let mut computed = Vec::new();
        for (name, left_id, right_id) in pairs {
            let id = self.merge_columns(kind, left_id, right_id, &mut computed)?;
            merged.push(ScopeColumn { name, id });
        }
        let merged_table = alias.clone().map(|name| ScopeTable {
            name,
            schema: None,
            table: None,
            columns: merged.clone(),
            hidden_name: None,
            is_value: false,
            system: Vec::new(),
            row: None,
        });
        let is_merged = |column: &ScopeColumn| names.iter().any(|(name, _)| *name == column.name);
        let mut columns = merged;
        columns.extend(left.columns.iter().chain(&right.columns).filter(|column| !is_merged(column)).cloned());
        let mut tables = left.tables;
        tables.extend(right.tables);
        if let Some(merged_table) = merged_table {
            check_unique(&tables, std::slice::from_ref(&merged_table))?;
            self.note_merged_columns(&merged_table.name);
            tables.push(merged_table);
        }
        let mut hidden = left.hidden;
        hidden.extend(right.hidden);
        let mut rel = Rel::Join { kind, left: Box::new(left.rel), right: Box::new(right.rel), on };
        if !computed.is_empty() {
            rel = Rel::Extend { input: Box::new(rel), columns: computed };
        }
        let item = FromItem { rel, tables, columns, hidden };
        self.note_join(kind, names.into_iter().map(|(name, _)| name).collect(), alias, &item);
        Ok(item)
    }

    /// The merged column: that of the side that cannot be missing, or the first that is not NULL.
    fn merge_columns(
        &mut self,
        kind: JoinKind,
        left: ColumnId,
        right: ColumnId,
        computed: &mut Vec<(ColumnId, Expr)>,
    ) -> SqlResult<ColumnId> {
        let left_expr = self.column_expr(left, None);
        let right_expr = self.column_expr(right, None);
        let (unified, ty) = self.unify(vec![left_expr, right_expr], "JOIN/USING")?;
        let mut unified = unified.into_iter();
        let (Some(left_expr), Some(right_expr)) = (unified.next(), unified.next()) else {
            return Err(SqlError::internal("a merged column has two sides"));
        };
        let expr = match kind {
            JoinKind::Full => Expr {
                nullable: left_expr.nullable && right_expr.nullable,
                kind: ExprKind::Coalesce(vec![left_expr, right_expr]),
                ty,
                position: None,
            },
            JoinKind::Right => right_expr,
            JoinKind::Inner | JoinKind::Left | JoinKind::Cross | JoinKind::Semi | JoinKind::Anti => left_expr,
        };
        if let ExprKind::Column(id) = expr.kind {
            return Ok(id);
        }
        let id = self.new_column(ty, expr.nullable, None);
        computed.push((id, expr));
        Ok(id)
    }
}

fn using_column(columns: &[ScopeColumn], name: &str, side: &str) -> SqlResult<ColumnId> {
    let mut matching = columns.iter().filter(|column| column.name == name);
    match (matching.next(), matching.next()) {
        (Some(column), None) => Ok(column.id),
        (None, _) => {
            let message = format!("column \"{name}\" specified in USING clause does not exist in {side} table");
            Err(SqlError::new(UNDEFINED_COLUMN, message))
        }
        (Some(_), Some(_)) => {
            let message = format!("common column name \"{name}\" appears more than once in {side} table");
            Err(SqlError::new(AMBIGUOUS_COLUMN, message))
        }
    }
}

/// Whether a join can give rows without its left side.
fn nulls_left(operator: &JoinOperator) -> bool {
    matches!(operator, JoinOperator::Right(_) | JoinOperator::RightOuter(_) | JoinOperator::FullOuter(_))
}

/// Whether a join can give rows without its right side.
fn nulls_right(operator: &JoinOperator) -> bool {
    matches!(operator, JoinOperator::Left(_) | JoinOperator::LeftOuter(_) | JoinOperator::FullOuter(_))
}

/// 42601 for a column definition list behind anything but a function.
fn refuse_definitions(alias: Option<&Alias>) -> SqlResult<()> {
    match alias {
        Some(alias) if !alias.types.is_empty() => {
            let message = "a column definition list is only allowed for functions returning \"record\"";
            Err(SqlError::new(SYNTAX_ERROR, message).or_position(alias.position))
        }
        _ => Ok(()),
    }
}

/// An alias of a join: one table of all its columns, which hides those that it is made of.
fn alias_join(item: FromItem, alias: Alias) -> SqlResult<FromItem> {
    let FromItem { rel, tables, mut columns, mut hidden } = item;
    if alias.columns.len() > columns.len() {
        let message = format!(
            "join expression \"{}\" has {} columns available but {} columns specified",
            alias.name,
            columns.len(),
            alias.columns.len()
        );
        return Err(SqlError::new(INVALID_COLUMN_REFERENCE, message));
    }
    for (column, name) in columns.iter_mut().zip(alias.columns) {
        column.name = name;
    }
    hidden.extend(tables);
    let table = ScopeTable {
        name: alias.name,
        schema: None,
        table: None,
        columns: columns.clone(),
        hidden_name: None,
        is_value: false,
        system: Vec::new(),
        row: None,
    };
    Ok(FromItem { rel, tables: vec![table], columns, hidden })
}

/// The row of a relation whose columns, all of them, are these.
pub(super) fn whole_row_of(relation: &Relation, columns: &[ScopeColumn]) -> Option<WholeRow> {
    let type_oid = relation.row_type()?;
    Some(WholeRow { type_oid, columns: columns.iter().map(|column| column.id).collect() })
}

/// Renames an item's table and its first columns.
pub(super) fn apply_alias(mut item: FromItem, alias: Option<Alias>) -> SqlResult<FromItem> {
    let Some(Alias { name, columns, types: _, position: _ }) = alias else { return Ok(item) };
    let Some(table) = item.tables.first_mut() else { return Ok(item) };
    if columns.len() > table.columns.len() {
        let message = format!(
            "table \"{name}\" has {} columns available but {} columns specified",
            table.columns.len(),
            columns.len()
        );
        return Err(SqlError::new(INVALID_COLUMN_REFERENCE, message));
    }
    for (at, renamed) in columns.into_iter().enumerate() {
        if let Some(column) = table.columns.get_mut(at) {
            column.name.clone_from(&renamed);
        }
        if let Some(column) = item.columns.get_mut(at) {
            column.name = renamed;
        }
    }
    if table.table.is_some() && table.name != name {
        table.hidden_name = Some(std::mem::replace(&mut table.name, name.clone()));
    }
    table.name = name.clone();
    table.schema = None;
    if let Rel::Scan { alias, .. } | Rel::SystemScan { alias, .. } = &mut item.rel {
        *alias = name;
    }
    Ok(item)
}

/// `name` or `schema.name`.
pub(super) fn table_name(name: &ObjectName) -> SqlResult<TableName> {
    let mut parts = Vec::new();
    let mut position = None;
    for part in &name.0 {
        let ObjectNamePart::Identifier(identifier) = part else {
            return Err(SqlError::unsupported("a computed name"));
        };
        position = leftmost(position, span_position(identifier.span));
        parts.push(name_of(identifier));
    }
    match parts.as_slice() {
        [name] => Ok(TableName { schema: None, name: name.clone(), position }),
        [schema, name] => Ok(TableName { schema: Some(schema.clone()), name: name.clone(), position }),
        _ => Err(SqlError::unsupported("a reference to another database").or_position(position)),
    }
}
