//! One expression of the syntax tree: names, and the way to everything else.

use nqdb_functions::CastContext;
use nqdb_sqlstate::{FEATURE_NOT_SUPPORTED, STATEMENT_TOO_COMPLEX, SqlError, SqlResult, UNDEFINED_OBJECT};
use nqdb_types::array::element_type;
use nqdb_types::type_info;
use sqlparser::ast::{self, CastKind, Ident, ObjectName, ObjectNamePart};

use super::from::{TableName, table_name};
use super::record::{RowItem, expanded_record};
use super::scope::{Clause, find_column, find_table, missing_column, missing_column_of, missing_from};
use super::{Binder, EXPRESSION_DEPTH_MAX, leftmost, span_position};
use crate::SystemColumn;
use crate::ir::{Expr, ExprKind};
use crate::names::{is_reserved, name_of};
use crate::parse::{Tokens, with_deep_stack};

impl Binder<'_> {
    /// Binds an expression; literals and parameters that nothing types yet stay UNKNOWN.
    pub(super) fn bind_expr(&mut self, expression: &ast::Expr) -> SqlResult<Expr> {
        if self.depth >= EXPRESSION_DEPTH_MAX {
            let message = "stack depth limit exceeded";
            return Err(SqlError::new(STATEMENT_TOO_COMPLEX, message)
                .with_hint(format!("An expression may nest {EXPRESSION_DEPTH_MAX} levels deep.")));
        }
        self.depth += 1;
        let bound = with_deep_stack(|| self.dispatch(expression));
        self.depth -= 1;
        bound
    }

    fn dispatch(&mut self, expression: &ast::Expr) -> SqlResult<Expr> {
        use ast::Expr as E;
        match expression {
            E::Identifier(name) => self.bind_identifier(name),
            E::CompoundIdentifier(names) => self.bind_qualified(names),
            E::Nested(inner) => self.bind_expr(inner),
            E::Value(value) => self.bind_value(value),
            E::TypedString(typed) => self.bind_typed_string(typed),
            E::Interval(interval) => self.bind_interval(interval),
            E::BinaryOp { left, op, right } => self.bind_binary(left, op, right),
            E::UnaryOp { op, expr } => self.bind_unary(*op, expr),
            E::IsFalse(arg) => self.bind_is_bool(arg, Some(false), false),
            E::IsNotFalse(arg) => self.bind_is_bool(arg, Some(false), true),
            E::IsTrue(arg) => self.bind_is_bool(arg, Some(true), false),
            E::IsNotTrue(arg) => self.bind_is_bool(arg, Some(true), true),
            E::IsUnknown(arg) => self.bind_is_bool(arg, None, false),
            E::IsNotUnknown(arg) => self.bind_is_bool(arg, None, true),
            E::IsNull(arg) => self.bind_is_null(arg, false),
            E::IsNotNull(arg) => self.bind_is_null(arg, true),
            E::IsDistinctFrom(left, right) => self.bind_is_distinct(left, right, false),
            E::IsNotDistinctFrom(left, right) => self.bind_is_distinct(left, right, true),
            E::InList { expr, list, negated } => self.bind_in_list(expr, list, *negated),
            E::InSubquery { expr, subquery, negated } => self.bind_in_subquery(expr, subquery, *negated),
            E::Between { expr, negated, low, high } => self.bind_between(expr, *negated, low, high),
            E::Like { negated, any: false, expr, pattern, escape_char } => {
                let operator = if *negated { "!~~" } else { "~~" };
                self.bind_like(operator, expr, pattern, escape_char.as_deref())
            }
            E::ILike { negated, any: false, expr, pattern, escape_char } => {
                let operator = if *negated { "!~~*" } else { "~~*" };
                self.bind_like(operator, expr, pattern, escape_char.as_deref())
            }
            E::AnyOp { left, compare_op, right, is_some: _ } => self.bind_quantified(left, compare_op, right, false),
            E::AllOp { left, compare_op, right } => self.bind_quantified(left, compare_op, right, true),
            E::Cast { kind, expr, data_type, format } => {
                if format.is_some() {
                    return Err(self.unsupported("CAST with a format", expression));
                }
                self.bind_cast(kind, expr, data_type, expression)
            }
            E::Case { case_token: _, end_token: _, operand, conditions, else_result } => {
                let position = self.position_of(expression);
                self.bind_case(operand.as_deref(), conditions, else_result.as_deref(), position)
            }
            E::Function(_) if expanded_record(expression).is_some() => {
                Err(SqlError::new(FEATURE_NOT_SUPPORTED, "row expansion via \"*\" is not supported here")
                    .or_position(expanded_record(expression).and_then(|record| self.position_of(record))))
            }
            E::Function(function) => self.bind_function(function),
            E::Extract { .. }
            | E::Ceil { .. }
            | E::Floor { .. }
            | E::Position { .. }
            | E::Substring { .. }
            | E::Trim { .. }
            | E::Overlay { .. }
            | E::AtTimeZone { .. }
            | E::IsNormalized { .. } => self.bind_syntax_function(expression),
            E::Exists { subquery, negated } => self.bind_exists(subquery, *negated, self.position_of(expression)),
            E::Subquery(subquery) => self.bind_scalar_subquery(subquery),
            E::Collate { expr, collation } => self.bind_collate(expr, collation),
            E::Tuple(items) => {
                let items: Vec<RowItem<'_>> = items.iter().map(RowItem::Value).collect();
                self.bind_row(&items, self.position_of(expression))
            }
            E::SimilarTo { negated, expr, pattern, escape_char } => {
                self.bind_similar(expr, *negated, pattern, escape_char.as_deref())
            }
            E::Like { negated, any: true, expr, pattern, escape_char: None } => {
                self.bind_quantified_by_name(expr, if *negated { "!~~" } else { "~~" }, pattern, false)
            }
            E::ILike { negated, any: true, expr, pattern, escape_char: None } => {
                self.bind_quantified_by_name(expr, if *negated { "!~~*" } else { "~~*" }, pattern, false)
            }
            E::Like { any: true, escape_char: Some(_), .. } | E::ILike { any: true, escape_char: Some(_), .. } => {
                Err(self.syntax_error_at(self.position_of(expression), "escape"))
            }
            E::Array(array) => self.bind_array(array, None, self.position_of(expression)),
            E::CompoundFieldAccess { root, access_chain } => self.bind_field_access(root, access_chain),
            E::InUnnest { .. } => Err(self.unsupported("IN UNNEST", expression)),
            E::IsJson { .. } | E::JsonAccess { .. } => Err(self.unsupported("json", expression)),
            E::GroupingSets(_) | E::Cube(_) | E::Rollup(_) => Err(self.unsupported("a grouping set", expression)),
            E::Wildcard(token) => {
                let position = span_position(token.0.span);
                Err(self.syntax_error_at(position, "*"))
            }
            E::QualifiedWildcard(name, _) => self.bind_row_of(name),
            E::RLike { .. }
            | E::Convert { .. }
            | E::Prefixed { .. }
            | E::Struct { .. }
            | E::Named { .. }
            | E::Dictionary(_)
            | E::Map(_)
            | E::MatchAgainst { .. }
            | E::OuterJoin(_)
            | E::Prior(_)
            | E::Lambda(_)
            | E::MemberOf(_) => Err(self.unsupported("this expression", expression)),
        }
    }

    /// 0A000 at the expression.
    pub(super) fn unsupported(&self, what: &str, expression: &ast::Expr) -> SqlError {
        SqlError::unsupported(what).or_position(self.position_of(expression))
    }

    /// `table.*` as a value: the table's row.
    fn bind_row_of(&mut self, name: &ObjectName) -> SqlResult<Expr> {
        let TableName { schema, name, position } = table_name(name)?;
        let Some(table) = find_table(&self.scopes, schema.as_deref(), &name, position)?.cloned() else {
            return Err(missing_from(&self.scopes, &name, position));
        };
        Ok(self.whole_row(&table, position))
    }

    fn bind_identifier(&mut self, identifier: &Ident) -> SqlResult<Expr> {
        let position = span_position(identifier.span);
        let name = name_of(identifier);
        if is_reserved(identifier) {
            return Err(self.syntax_error_at(position, &identifier.value));
        }
        if identifier.quote_style.is_none() && name == "default" {
            return Err(SqlError::new(nqdb_sqlstate::SYNTAX_ERROR, "DEFAULT is not allowed in this context")
                .or_position(position));
        }
        if let Some(id) = find_column(&self.scopes, &name, position)? {
            return Ok(self.column_expr(id, position));
        }
        let in_default = self.scopes.last().is_some_and(|scope| scope.clause == Clause::Default);
        if identifier.quote_style.is_none()
            && let Some(bound) = self.bind_value_function(&name, position)?
        {
            return Ok(bound);
        }
        if in_default {
            return Err(SqlError::new(
                nqdb_sqlstate::FEATURE_NOT_SUPPORTED,
                "cannot use column reference in DEFAULT expression",
            )
            .or_position(position));
        }
        if let Some(table) = find_table(&self.scopes, None, &name, position)? {
            let table = table.clone();
            return Ok(self.whole_row(&table, position));
        }
        if name == "tableoid"
            && let Some(id) =
                self.scopes.last().and_then(|scope| scope.tables.iter().find_map(|table| self.system_tableoid(table)))
        {
            return Ok(self.column_expr(id, position));
        }
        if let Some(bound) = self.system_column(&name, position)? {
            return Ok(bound);
        }
        Err(missing_column(&self.scopes, &name, position))
    }

    /// `table.column`, `schema.table.column`.
    fn bind_qualified(&mut self, names: &[Ident]) -> SqlResult<Expr> {
        let position = names.first().and_then(|name| span_position(name.span));
        let parts: Vec<String> = names.iter().map(name_of).collect();
        let (schema, table, column) = match parts.as_slice() {
            [table, column] => (None, table, column),
            [schema, table, column] => (Some(schema.as_str()), table, column),
            [_, _, _, _] => return Err(SqlError::unsupported("a reference to another database").or_position(position)),
            _ => {
                let message = format!("improper qualified name (too many dotted names): {}", parts.join("."));
                return Err(SqlError::new(nqdb_sqlstate::SYNTAX_ERROR, message).or_position(position));
            }
        };
        let Some(found) = find_table(&self.scopes, schema, table, position)? else {
            return Err(missing_from(&self.scopes, table, position));
        };
        let mut matching = found.columns.iter().filter(|found| found.name == *column);
        match (matching.next().map(|found| found.id), matching.next().is_some()) {
            (Some(id), false) => Ok(self.column_expr(id, position)),
            (Some(_), true) => {
                let message = format!("column reference \"{column}\" is ambiguous");
                Err(SqlError::new(nqdb_sqlstate::AMBIGUOUS_COLUMN, message).or_position(position))
            }
            (None, _) => {
                if column == "tableoid"
                    && let Some(id) = self.system_tableoid(found)
                {
                    return Ok(self.column_expr(id, position));
                }
                if let Some((_, id)) = found.system.iter().find(|(system, _)| system.name() == column) {
                    let id = *id;
                    return Ok(self.column_expr(id, position));
                }
                let error = missing_column_of(found, table, column, position);
                let row = found.clone();
                let row = self.whole_row(&row, position);
                if let Some(called) = self.call_of_one(column, row, position)? {
                    return Ok(called);
                }
                Err(error)
            }
        }
    }

    /// A system column of the innermost level that has one of the name. Errors: 42702 when several tables have it.
    fn system_column(&mut self, name: &str, position: Option<u32>) -> SqlResult<Option<Expr>> {
        let Some(wanted) = SystemColumn::named(name) else { return Ok(None) };
        for scope in self.scopes.iter().rev() {
            let of_table = |table: &super::scope::ScopeTable| {
                table.system.iter().find(|(column, _)| *column == wanted).map(|(_, id)| *id)
            };
            let mut found = scope.tables.iter().filter_map(of_table);
            match (found.next(), found.next()) {
                (Some(_), Some(_)) => {
                    let message = format!("column reference \"{name}\" is ambiguous");
                    return Err(SqlError::new(nqdb_sqlstate::AMBIGUOUS_COLUMN, message).or_position(position));
                }
                (Some(id), None) => return Ok(Some(self.column_expr(id, position))),
                (None, _) => {}
            }
        }
        Ok(None)
    }

    /// `CAST(x AS type)` and `x::type`.
    fn bind_cast(
        &mut self,
        kind: &CastKind,
        inner: &ast::Expr,
        data_type: &ast::DataType,
        whole: &ast::Expr,
    ) -> SqlResult<Expr> {
        let position = match kind {
            CastKind::Cast => self.position_of(whole),
            CastKind::DoubleColon => self.double_colon_position(inner),
            CastKind::TryCast | CastKind::SafeCast => return Err(self.unsupported("this form of CAST", whole)),
        };
        let target = self.data_type(data_type).map_err(|error| match (kind, position) {
            // The name of the type stands right behind the two colons.
            (CastKind::DoubleColon, Some(position)) => error.or_position(Some(position + 2)),
            _ => error.or_position(position),
        })?;
        let bound = match inner {
            ast::Expr::Array(array) if element_type(target.oid).is_some() => {
                self.bind_array(array, Some(target), self.position_of(inner))?
            }
            inner => self.bind_expr(inner)?,
        };
        let start = leftmost(position, bound.position);
        let mut bound = self.coerce(bound, target, CastContext::Explicit, position)?;
        bound.position = start;
        Ok(bound)
    }

    /// The `::` behind an operand: the first one at its nesting level after the operand's start.
    fn double_colon_position(&self, operand: &ast::Expr) -> Option<u32> {
        let start = crate::parse::start_of(&self.tokens, operand)?;
        let mut depth = 0usize;
        // Chained casts: the operand contains as many `::` as it has casts at its left edge.
        let mut skip = cast_chain_len(operand);
        for at in start..self.tokens.len() {
            match self.tokens.token_text(at) {
                "(" | "[" => depth += 1,
                ")" | "]" if depth == 0 => return None,
                ")" | "]" => depth -= 1,
                "::" if depth == 0 && skip == 0 => return self.tokens.position(at),
                "::" if depth == 0 => skip -= 1,
                ";" => return None,
                _ => {}
            }
        }
        None
    }

    /// COLLATE: text compares by code point, under any of the names that PostgreSQL has for that.
    fn bind_collate(&mut self, inner: &ast::Expr, collation: &ObjectName) -> SqlResult<Expr> {
        let mut names = Vec::new();
        let mut position = None;
        for part in &collation.0 {
            match part {
                ObjectNamePart::Identifier(identifier) => {
                    // PostgreSQL points at COLLATE, the word in front of the name.
                    let keyword =
                        Tokens::index_of(identifier.span).and_then(|at| self.tokens.position(at.checked_sub(1)?));
                    position = leftmost(position, keyword);
                    names.push(name_of(identifier));
                }
                ObjectNamePart::Function(_) => return Err(SqlError::unsupported("a computed name")),
            }
        }
        let known = match names.as_slice() {
            [name] => Some(name),
            [schema, name] if schema == "pg_catalog" => Some(name),
            _ => None,
        };
        if known.is_none_or(|name| !["default", "C", "POSIX", "ucs_basic"].contains(&name.as_str())) {
            let message = format!("collation \"{}\" for encoding \"UTF8\" does not exist", names.join("."));
            return Err(SqlError::new(UNDEFINED_OBJECT, message).or_position(position));
        }
        let bound = self.bind_expr(inner)?;
        let bound = self.resolve_unknown(bound)?;
        if type_info(bound.ty.oid).is_none_or(|info| info.category != 'S') {
            let message = format!("collations are not supported by type {}", self.cx.format.type_name(bound.ty.bare()));
            return Err(SqlError::new(nqdb_sqlstate::DATATYPE_MISMATCH, message).or_position(position));
        }
        Ok(bound)
    }

    /// `IS [NOT] NULL`; of a row: all of its fields are (not) NULL.
    fn bind_is_null(&mut self, arg: &ast::Expr, negated: bool) -> SqlResult<Expr> {
        if let Some(items) = super::rows::row_items(arg) {
            let mut tests = Vec::with_capacity(items.len());
            for item in items {
                tests.push(self.bind_is_null(item, negated)?);
            }
            return Ok(super::operators::conjunction(tests));
        }
        let arg = self.bind_expr(arg)?;
        let arg = self.require_known(arg)?;
        let position = arg.position;
        Ok(Expr {
            kind: ExprKind::IsNull { arg: Box::new(arg), negated },
            ty: nqdb_types::Type::BOOL,
            nullable: false,
            position,
        })
    }

    fn bind_is_bool(&mut self, arg: &ast::Expr, value: Option<bool>, negated: bool) -> SqlResult<Expr> {
        let construct = match (value, negated) {
            (Some(true), false) => "IS TRUE",
            (Some(true), true) => "IS NOT TRUE",
            (Some(false), false) => "IS FALSE",
            (Some(false), true) => "IS NOT FALSE",
            (None, false) => "IS UNKNOWN",
            (None, true) => "IS NOT UNKNOWN",
        };
        let arg = self.bind_boolean(arg, construct)?;
        let position = arg.position;
        Ok(Expr {
            kind: ExprKind::IsBool { arg: Box::new(arg), value, negated },
            ty: nqdb_types::Type::BOOL,
            nullable: false,
            position,
        })
    }
}

/// How many casts `x::a::b` has at its left edge.
fn cast_chain_len(expression: &ast::Expr) -> usize {
    match expression {
        ast::Expr::Cast { kind: CastKind::DoubleColon, expr, data_type: _, format: _ } => 1 + cast_chain_len(expr),
        _ => 0,
    }
}
