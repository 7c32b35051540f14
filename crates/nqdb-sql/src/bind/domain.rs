//! Domains: conversions to them, and the rules that they check then (manual 8.18).
//!
//! Within expressions a value of a domain is one of its base type; only a conversion to the domain asks whether the value
//! meets its rules. Those of the domains that it is over come first.

use std::sync::Arc;

use nqdb_functions::CastContext;
use nqdb_sqlstate::{SqlError, SqlResult};
use nqdb_types::array::element_type;
use nqdb_types::{Oid, Type, holds_records, is_composite, is_domain, oid};
use sqlparser::ast;

use super::Binder;
use super::scope::{Clause, Scope, ScopeColumn};
use super::walk::parts_mut;
use crate::ir::{Check, ColumnId, DomainRules, Expr, ExprKind, RuleStep};
use crate::parse::parse_expression;

/// What a domain's checks call the value.
const VALUE: &str = "value";

impl Binder<'_> {
    /// Converts to a domain, or to an array over one; `None` when its base type takes no such value.
    pub(super) fn coerce_to_domain(
        &mut self,
        expr: Expr,
        target: Type,
        context: CastContext,
    ) -> SqlResult<Option<Expr>> {
        if expr.ty.domain == target.domain {
            return Ok(Some(expr));
        }
        let Some(mut value) = self.try_coerce(expr, target.base(), context)? else { return Ok(None) };
        let rules = self.domain_rules(target, Vec::new())?;
        let Some(rules) = rules else {
            value.ty = target;
            return Ok(Some(value));
        };
        let (nullable, position) = (value.nullable && !rules.not_null, value.position);
        let kind = ExprKind::Domain { arg: Box::new(value), rules: Arc::new(rules) };
        Ok(Some(Expr { kind, ty: target, nullable, position }))
    }

    /// A value that came from outside: asks the rules of the domains that fields of composite values are of.
    pub(super) fn conformed(&mut self, value: Expr) -> SqlResult<Expr> {
        if !holds_records(value.ty.oid) {
            return Ok(value);
        }
        let mut places = Vec::new();
        self.domain_places(value.ty.oid, &mut Vec::new(), &mut places);
        let mut value = value;
        for (path, ty) in places {
            let Some(rules) = self.domain_rules(ty, path)? else { continue };
            let (ty, nullable, position) = (value.ty, value.nullable, value.position);
            value = Expr {
                kind: ExprKind::Domain { arg: Box::new(value), rules: Arc::new(rules) },
                ty,
                nullable,
                position,
            };
        }
        Ok(value)
    }

    /// The places of domains within the values of a type, each with its type, innermost first.
    fn domain_places(&self, type_oid: Oid, path: &mut Vec<RuleStep>, found: &mut Vec<(Vec<RuleStep>, Type)>) {
        if let Some(element) = element_type(type_oid).filter(|element| is_composite(*element)) {
            path.push(RuleStep::Elements);
            self.domain_places(element, path, found);
            path.pop();
        }
        let shape = self.cx.catalog.composite_shape(type_oid);
        for (index, field) in shape.iter().flat_map(|shape| &shape.fields).enumerate() {
            path.push(RuleStep::Field(index));
            self.domain_places(field.ty.oid, path, found);
            if field.ty.domain != oid::INVALID {
                found.push((path.clone(), field.ty));
            }
            path.pop();
        }
    }

    /// The rules of a domain, or of the elements of an array over one, for what a path leads to; `None` when there are none.
    fn domain_rules(&mut self, target: Type, mut path: Vec<RuleStep>) -> SqlResult<Option<DomainRules>> {
        let over_elements = !is_domain(target.domain);
        let domain = if over_elements { element_type(target.domain).unwrap_or_default() } else { target.domain };
        if over_elements {
            path.push(RuleStep::Elements);
        }
        let stack = self.cx.catalog.domain_stack(domain);
        let Some(outer) = stack.first() else {
            return Err(SqlError::internal(format!("cache lookup failed for type {domain}")));
        };
        let not_null = stack.iter().filter_map(|def| def.domain()).any(|found| found.not_null);
        let texts: Vec<(String, String)> = stack
            .iter()
            .rev()
            .filter_map(|def| def.domain())
            .flat_map(|found| found.checks.iter().map(|check| (check.name.clone(), check.expression.clone())))
            .collect();
        if !not_null && texts.is_empty() {
            return Ok(None);
        }
        let schema = self.cx.catalog.schema_by_oid(outer.schema).map_or("", |schema| schema.name.as_str()).to_owned();
        let type_name = outer.name.clone();
        let display = self.cx.format.type_name(Type::new(domain));
        let ty = if over_elements { element_of(target) } else { target.base() };
        let value = self.new_column(ty, true, None);
        self.domain_values += 1;
        let own = ColumnId(u32::MAX - self.domain_values);
        let mut checks = Vec::with_capacity(texts.len());
        for (name, text) in texts {
            let mut predicate = self.bind_domain_check(&text, value).map_err(SqlError::without_position)?;
            renumber(&mut predicate, value, own);
            checks.push(Check { name, predicate, of_view: false });
        }
        Ok(Some(DomainRules { schema, type_name, display, ty, path, not_null, value: own, checks }))
    }

    fn bind_domain_check(&mut self, text: &str, value: ColumnId) -> SqlResult<Expr> {
        let (tokens, expression) = parse_expression(text)?;
        let outer_tokens = std::mem::replace(&mut self.tokens, tokens);
        let outer_scopes = std::mem::take(&mut self.scopes);
        let bound = self.bind_over_value(&expression, value);
        self.scopes = outer_scopes;
        self.tokens = outer_tokens;
        bound
    }

    /// A condition over `VALUE`.
    fn bind_over_value(&mut self, expression: &ast::Expr, value: ColumnId) -> SqlResult<Expr> {
        let mut scope = Scope::new(Clause::Check);
        scope.columns.push(ScopeColumn { name: VALUE.to_owned(), id: value });
        self.in_scope(scope, |binder| binder.bind_boolean(expression, "CHECK"))
    }

    /// Binds the check of a domain over a type for its own sake.
    pub(super) fn bind_check_over(&mut self, expression: &ast::Expr, ty: Type) -> SqlResult<Expr> {
        let value = self.new_column(ty, true, None);
        self.bind_over_value(expression, value)
    }

    /// The default that a column of a domain has when it has none of its own.
    pub(super) fn domain_default(&self, ty: Type) -> Option<String> {
        let stack = self.cx.catalog.domain_stack(ty.domain);
        stack.first()?.domain()?.default.clone()
    }
}

/// Gives the value of a check a number that no column of a statement has: defaults are bound apart from the statement that
/// they end up in. Conversions of different binds may share one, because none of them stands in a check of another.
fn renumber(expr: &mut Expr, from: ColumnId, to: ColumnId) {
    if let ExprKind::Column(id) = &mut expr.kind
        && *id == from
    {
        *id = to;
    }
    for part in parts_mut(expr).0 {
        renumber(part, from, to);
    }
}

/// The type of the elements of an array, with its modifier.
fn element_of(array: Type) -> Type {
    Type::with_typmod(element_type(array.oid).unwrap_or(array.oid), array.typmod)
}
