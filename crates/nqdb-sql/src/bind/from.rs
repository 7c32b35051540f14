//! FROM: tables, derived tables, WITH names, functions, and joins.

use std::sync::Arc;

use nqdb_catalog::{Relation, TableDef};
use nqdb_functions::{Callee, resolve_function};
use nqdb_sqlstate::{
    AMBIGUOUS_COLUMN, INVALID_COLUMN_REFERENCE, INVALID_SCHEMA_NAME, SYNTAX_ERROR, SqlError, SqlResult,
    UNDEFINED_COLUMN, UNDEFINED_TABLE, WRONG_OBJECT_TYPE,
};
use nqdb_types::{Oid, Type};
use sqlparser::ast::{
    self, FunctionArg, FunctionArgExpr, JoinConstraint, JoinOperator, ObjectName, ObjectNamePart, TableFactor,
};

use super::operators::conjunction;
use super::scope::{Clause, ScopeColumn, ScopeTable, check_unique};
use super::{Binder, leftmost, span_position};
use crate::ir::{ColumnId, Expr, ExprKind, JoinKind, Query, Rel};
use crate::names::name_of;

/// What an item of FROM adds: a relation, and the names that reach into it.
pub(super) struct FromItem {
    pub(super) rel: Rel,
    pub(super) tables: Vec<ScopeTable>,
    /// What unqualified names and `*` see.
    pub(super) columns: Vec<ScopeColumn>,
}

/// An alias with its column names.
struct Alias {
    name: String,
    columns: Vec<String>,
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
                    let kind = JoinKind::Cross;
                    let rel = Rel::Join { kind, left: Box::new(left.rel), right: Box::new(item.rel), on: None };
                    FromItem { rel, tables, columns }
                }
            });
            if let Some(all) = &all {
                self.scope().invisible = all.tables.clone();
            }
        }
        self.scope().invisible.clear();
        let Some(FromItem { rel, tables, columns }) = all else { return Ok(Rel::OneRow) };
        let scope = self.scope();
        scope.tables = tables;
        scope.columns = columns;
        Ok(rel)
    }

    fn bind_joined(&mut self, item: &ast::TableWithJoins) -> SqlResult<FromItem> {
        let ast::TableWithJoins { relation, joins } = item;
        let mut left = self.bind_factor(relation)?;
        for join in joins {
            let ast::Join { relation, global, join_operator } = join;
            if *global {
                return Err(SqlError::new(SYNTAX_ERROR, "syntax error at or near \"global\""));
            }
            let before = std::mem::take(&mut self.scope().invisible);
            self.scope().invisible = before.iter().chain(&left.tables).cloned().collect();
            let right = self.bind_factor(relation)?;
            self.scope().invisible = before;
            left = self.bind_join(left, right, join_operator)?;
        }
        Ok(left)
    }

    fn bind_factor(&mut self, factor: &TableFactor) -> SqlResult<FromItem> {
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
                if sample.is_some() {
                    return Err(SqlError::unsupported("TABLESAMPLE"));
                }
                if !with_hints.is_empty()
                    || version.is_some()
                    || !partitions.is_empty()
                    || json_path.is_some()
                    || !index_hints.is_empty()
                {
                    return Err(SqlError::unsupported("this clause of FROM"));
                }
                let alias = alias.as_ref().map(table_alias).transpose()?;
                match args {
                    Some(ast::TableFunctionArgs { args, settings }) => {
                        if settings.is_some() {
                            return Err(SqlError::unsupported("this clause of FROM"));
                        }
                        self.bind_table_function(name, args, *with_ordinality, alias)
                    }
                    None if *with_ordinality => Err(SqlError::new(SYNTAX_ERROR, "syntax error at or near \"WITH\"")),
                    None => {
                        let TableName { schema, name, position } = table_name(name)?;
                        let item = self.bind_named_table(schema.as_deref(), &name, position)?;
                        apply_alias(item, alias)
                    }
                }
            }
            TableFactor::Derived { lateral, subquery, alias, sample } => {
                if *lateral {
                    return Err(SqlError::unsupported("LATERAL"));
                }
                if sample.is_some() {
                    return Err(SqlError::unsupported("TABLESAMPLE"));
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
                let alias = table_alias(alias)?;
                let query = self.bind_query(subquery)?;
                let item = self.adopt_query(query, alias.name.clone());
                apply_alias(item, Some(alias))
            }
            TableFactor::NestedJoin { table_with_joins, alias } => {
                if alias.is_some() {
                    return Err(SqlError::unsupported("an alias of a join"));
                }
                self.bind_joined(table_with_joins)
            }
            TableFactor::Function { lateral: _, name, args, with_ordinality, alias } => {
                // A function may be called LATERAL without referring to anything before it.
                let alias = alias.as_ref().map(table_alias).transpose()?;
                self.bind_table_function(name, args, *with_ordinality, alias)
            }
            TableFactor::UNNEST { .. } => Err(SqlError::unsupported("an array")),
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
            let query = self.bind_common_table(at, position)?;
            return Ok(self.adopt_query(query, name.to_string()));
        }
        let table = self.find_stored_table(schema, name, position)?;
        Ok(self.scan(&table, position))
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
            SqlError::new(UNDEFINED_TABLE, format!("relation \"{written}\" does not exist")).or_position(position)
        };
        match self.cx.catalog.resolve(self.cx.search_path, schema, name) {
            Ok(Some(Relation::Table(table))) => Ok(Arc::clone(table)),
            Ok(Some(Relation::Index(..))) => {
                Err(SqlError::new(WRONG_OBJECT_TYPE, format!("\"{name}\" is an index")).or_position(position))
            }
            Ok(Some(Relation::Sequence(_))) => {
                Err(SqlError::unsupported("a sequence in the place of a table").or_position(position))
            }
            Ok(None) => Err(missing()),
            Err(error) if error.code() == INVALID_SCHEMA_NAME => Err(missing()),
            Err(error) => Err(error.or_position(position)),
        }
    }

    fn scan(&mut self, table: &Arc<TableDef>, position: Option<u32>) -> FromItem {
        let mut ids = Vec::new();
        let mut columns = Vec::new();
        for (at, column) in table.live_columns() {
            let id = self.new_column(column.ty, !column.not_null, Some((table.oid, column.attnum)));
            ids.push((at, id));
            columns.push(ScopeColumn { name: column.name.clone(), id });
        }
        let rel = Rel::Scan { table: Arc::clone(table), alias: table.name.clone(), columns: ids, position };
        let scope_table = ScopeTable {
            name: table.name.clone(),
            schema: Some(table.schema_name.clone()),
            table: Some(Arc::clone(table)),
            columns: columns.clone(),
            hidden_name: None,
        };
        FromItem { rel, tables: vec![scope_table], columns }
    }

    /// A finished query as an item of FROM: its columns belong to this level from now on.
    fn adopt_query(&mut self, query: Query, name: String) -> FromItem {
        let here = self.scopes.len().saturating_sub(1);
        let mut columns = Vec::with_capacity(query.output.len());
        for output in &query.output {
            self.columns[output.id.0 as usize].level = here;
            columns.push(ScopeColumn { name: output.name.clone(), id: output.id });
        }
        let table = ScopeTable { name, schema: None, table: None, columns: columns.clone(), hidden_name: None };
        FromItem { rel: query.rel, tables: vec![table], columns }
    }

    /// A set-returning function in FROM.
    fn bind_table_function(
        &mut self,
        name: &ObjectName,
        args: &[FunctionArg],
        with_ordinality: bool,
        alias: Option<Alias>,
    ) -> SqlResult<FromItem> {
        let TableName { schema, name, position } = table_name(name)?;
        if schema.is_some_and(|schema| schema != "pg_catalog") {
            return Err(SqlError::unsupported("a function in a schema of its own").or_position(position));
        }
        let mut bound = Vec::with_capacity(args.len());
        for arg in args {
            let FunctionArg::Unnamed(FunctionArgExpr::Expr(arg)) = arg else {
                return Err(SqlError::unsupported("this form of argument").or_position(position));
            };
            bound.push(self.in_clause(Clause::FromFunction, |binder| binder.bind_expr(arg))?);
        }
        let given: Vec<Oid> = bound.iter().map(|arg| arg.ty.oid).collect();
        let resolved = resolve_function(&name, &given)
            .map_err(|error| error.function_error(&name, &given).or_position(position))?;
        let Callee::Function(function) = resolved.callee else {
            let message = Clause::FromFunction.refuses_aggregates().unwrap_or_default();
            return Err(SqlError::new(nqdb_sqlstate::GROUPING_ERROR, message).or_position(position));
        };
        let mut converted = Vec::with_capacity(bound.len());
        for (at, arg) in bound.into_iter().enumerate() {
            converted.push(self.coerce_operand(arg, resolved.arg_types.get(at).copied())?);
        }
        if !function.set_returning {
            return Err(SqlError::unsupported("a function in FROM that returns no set").or_position(position));
        }
        let column = self.new_column(Type::new(function.returns), true, None);
        let ordinality = with_ordinality.then(|| self.new_column(Type::INT8, false, None));
        // The only column of a function bears the alias of the table.
        let column_name = alias.as_ref().map_or_else(|| name.clone(), |alias| alias.name.clone());
        let mut columns = vec![ScopeColumn { name: column_name, id: column }];
        columns.extend(ordinality.map(|id| ScopeColumn { name: "ordinality".to_string(), id }));
        let table = ScopeTable { name, schema: None, table: None, columns: columns.clone(), hidden_name: None };
        let rel = Rel::FunctionScan { function, args: converted, column, ordinality };
        apply_alias(FromItem { rel, tables: vec![table], columns }, alias)
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
                for name in names {
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
                self.join_using(kind, left, right, wanted)
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
                self.join_using(kind, left, right, wanted)
            }
        }
    }

    /// ON sees the two sides of its join, and what is outside of the query.
    fn bind_join_condition(&mut self, left: &FromItem, right: &FromItem, condition: &ast::Expr) -> SqlResult<Expr> {
        let scope = self.scope();
        scope.tables = left.tables.iter().chain(&right.tables).cloned().collect();
        scope.columns = left.columns.iter().chain(&right.columns).cloned().collect();
        let bound = self.in_clause(Clause::JoinCondition, |binder| binder.bind_boolean(condition, "JOIN/ON"));
        let scope = self.scope();
        scope.tables.clear();
        scope.columns.clear();
        bound
    }

    fn joined(&mut self, kind: JoinKind, left: FromItem, right: FromItem, on: Option<Expr>) -> FromItem {
        self.extend_with_nulls(kind, &left, &right);
        let mut tables = left.tables;
        tables.extend(right.tables);
        let mut columns = left.columns;
        columns.extend(right.columns);
        FromItem { rel: Rel::Join { kind, left: Box::new(left.rel), right: Box::new(right.rel), on }, tables, columns }
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
        let is_merged = |column: &ScopeColumn| names.iter().any(|(name, _)| *name == column.name);
        let mut columns = merged;
        columns.extend(left.columns.iter().chain(&right.columns).filter(|column| !is_merged(column)).cloned());
        let mut tables = left.tables;
        tables.extend(right.tables);
        let mut rel = Rel::Join { kind, left: Box::new(left.rel), right: Box::new(right.rel), on };
        if !computed.is_empty() {
            rel = Rel::Extend { input: Box::new(rel), columns: computed };
        }
        Ok(FromItem { rel, tables, columns })
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

fn table_alias(alias: &ast::TableAlias) -> SqlResult<Alias> {
    let ast::TableAlias { explicit: _, name, columns, at } = alias;
    if at.is_some() {
        return Err(SqlError::unsupported("this form of alias"));
    }
    let mut names = Vec::with_capacity(columns.len());
    for ast::TableAliasColumnDef { name, data_type } in columns {
        if data_type.is_some() {
            return Err(SqlError::unsupported("a column definition list").or_position(span_position(name.span)));
        }
        names.push(name_of(name));
    }
    Ok(Alias { name: name_of(name), columns: names })
}

/// Renames an item's table and its first columns.
fn apply_alias(mut item: FromItem, alias: Option<Alias>) -> SqlResult<FromItem> {
    let Some(Alias { name, columns }) = alias else { return Ok(item) };
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
    if let Rel::Scan { alias, .. } = &mut item.rel {
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
