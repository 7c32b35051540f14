//! Calls: functions, aggregates, set-returning functions in the select list, and the functions without parentheses.

use nqdb_functions::{
    Aggregate, Callee, CastContext, Function, ResolveError, ResolvedFunction, aggregates_named, equality,
    functions_named, resolve_function,
};
use nqdb_sqlstate::{
    FEATURE_NOT_SUPPORTED, GROUPING_ERROR, SqlError, SqlResult, UNDEFINED_FUNCTION, WRONG_OBJECT_TYPE,
};
use nqdb_types::{Datum, Oid, Type, oid};
use sqlparser::ast::{
    self, DuplicateTreatment, FunctionArg, FunctionArgExpr, FunctionArgumentClause, FunctionArgumentList,
    FunctionArguments, ObjectName, ObjectNamePart, Value,
};

use super::operators::no_operator;
use super::rows::row_items;
use super::same::same_expr;
use super::scope::Clause;
use super::{Binder, leftmost, span_position, walk};
use crate::ir::{AggregateCall, Expr, ExprKind, WindowCallee};
use crate::names::name_of;

/// How a call was written, besides its name and arguments.
struct CallForm<'q> {
    star: bool,
    distinct: bool,
    filter: Option<&'q ast::Expr>,
    over: Option<&'q ast::WindowType>,
    position: Option<u32>,
}

impl Binder<'_> {
    pub(super) fn bind_function(&mut self, function: &ast::Function) -> SqlResult<Expr> {
        let ast::Function { name, uses_odbc_syntax, parameters, args, filter, null_treatment, over, within_group } =
            function;
        let (name, position) = self.function_name(name)?;
        let refuse = |what: &str| Err(SqlError::unsupported(what).or_position(position));
        if *uses_odbc_syntax || *parameters != FunctionArguments::None {
            return Err(self.syntax_error_at(position, &name));
        }
        if null_treatment.is_some() {
            return refuse("IGNORE NULLS and RESPECT NULLS");
        }
        if !within_group.is_empty() {
            return refuse("an ordered-set aggregate");
        }
        let list = match args {
            FunctionArguments::None => {
                return match self.bind_value_function(&name, position)? {
                    Some(bound) => Ok(bound),
                    None => Err(self.syntax_error_at(position, &name)),
                };
            }
            FunctionArguments::Subquery(subquery) if name == "array" => {
                return self.bind_array_subquery(subquery, position);
            }
            FunctionArguments::Subquery(_) => return Err(self.syntax_error_at(position, "SELECT")),
            FunctionArguments::List(list) => list,
        };
        let FunctionArgumentList { duplicate_treatment, args, clauses } = list;
        if let Some(clause) = clauses.first() {
            return match clause {
                FunctionArgumentClause::OrderBy(_) => refuse("ORDER BY inside an aggregate"),
                _ => Err(self.syntax_error_at(position, &name)),
            };
        }
        if name == "row"
            && let Some(items) = row_items(&ast::Expr::Function(function.clone()))
        {
            return self.bind_row(&items, position);
        }
        let mut form = CallForm {
            star: false,
            distinct: matches!(duplicate_treatment, Some(DuplicateTreatment::Distinct)),
            filter: filter.as_deref(),
            over: over.as_ref(),
            position,
        };
        let mut written = Vec::with_capacity(args.len());
        for arg in args {
            match arg {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(arg)) => written.push(arg),
                FunctionArg::Unnamed(FunctionArgExpr::Wildcard) => form.star = true,
                FunctionArg::Unnamed(FunctionArgExpr::QualifiedWildcard(_)) => {
                    return refuse("a whole row as an argument");
                }
                FunctionArg::Unnamed(FunctionArgExpr::WildcardWithOptions(_)) => {
                    return Err(self.syntax_error_at(position, "*"));
                }
                FunctionArg::Named { .. } | FunctionArg::ExprNamed { .. } => return refuse("a named argument"),
            }
        }
        if form.star && !written.is_empty() {
            return Err(self.syntax_error_at(position, "*"));
        }
        self.bind_call(&name, &written, form)
    }

    /// The name of a built-in function: `f` or `pg_catalog.f`.
    pub(super) fn function_name(&self, name: &ObjectName) -> SqlResult<(String, Option<u32>)> {
        let mut parts = Vec::new();
        let mut position = None;
        for part in &name.0 {
            match part {
                ObjectNamePart::Identifier(identifier) => {
                    position = leftmost(position, span_position(identifier.span));
                    parts.push(name_of(identifier));
                }
                ObjectNamePart::Function(_) => return Err(SqlError::unsupported("a computed name")),
            }
        }
        match parts.as_slice() {
            [name] => Ok((name.clone(), position)),
            [schema, name] if schema == "pg_catalog" => Ok((name.clone(), position)),
            [schema, name] => {
                if self.cx.catalog.schema(schema).is_none() {
                    let message = format!("schema \"{schema}\" does not exist");
                    return Err(SqlError::new(nqdb_sqlstate::INVALID_SCHEMA_NAME, message).or_position(position));
                }
                let message = format!("function {schema}.{name} does not exist");
                Err(SqlError::new(UNDEFINED_FUNCTION, message)
                    .with_hint(
                        "No function matches the given name and argument types. You might need to add explicit type casts.",
                    )
                    .or_position(position))
            }
            _ => Err(SqlError::unsupported("a reference to another database").or_position(position)),
        }
    }

    fn bind_call(&mut self, name: &str, written: &[&ast::Expr], form: CallForm<'_>) -> SqlResult<Expr> {
        let position = form.position;
        if let Some(bound) = self.bind_keyword_call(name, written, &form)? {
            return Ok(bound);
        }
        let is_aggregate =
            form.over.is_none() && !aggregates_named(name).is_empty() && functions_named(name).is_empty();
        let nested_before = self.scope().in_aggregate;
        let sets_before = self.set_call_count();
        if is_aggregate {
            if nested_before && self.scope().clause != Clause::Filter {
                return Err(nested_aggregate(position));
            }
            self.scope().in_aggregate = true;
        }
        let mut args = Vec::with_capacity(written.len());
        let mut failure = None;
        for arg in written {
            match self.bind_expr(arg) {
                Ok(arg) => args.push(arg),
                Err(error) => {
                    failure = Some(error);
                    break;
                }
            }
        }
        self.scope().in_aggregate = nested_before;
        if let Some(error) = failure {
            return Err(error);
        }
        let given: Vec<Oid> = args.iter().map(|arg| arg.ty.oid).collect();
        let resolved = match resolve_function(name, &given) {
            Ok(resolved) => resolved,
            Err(ResolveError::CastSyntax(target))
                if !form.star && !form.distinct && form.filter.is_none() && form.over.is_none() =>
            {
                let Some(arg) = args.pop() else { return Err(SqlError::internal("a cast without an argument")) };
                return self.coerce(arg, Type::new(target), CastContext::Explicit, position);
            }
            Err(error) => return Err(error.function_error(name, &given).or_position(position)),
        };
        let args = self.convert_args(args, &resolved)?;
        if is_aggregate {
            self.refuse_sets_in_aggregate(sets_before)?;
        } else if form.over.is_some() {
            let message = "window function calls cannot contain set-returning function calls";
            self.refuse_sets(sets_before, message)?;
        }
        let returns = Type::new(resolved.returns);
        match resolved.callee {
            Callee::Aggregate(aggregate) => match form.over {
                Some(over) => self.bind_windowed(WindowCallee::Aggregate(aggregate), args, returns, form, over),
                None => self.bind_aggregate(aggregate, args, returns, form),
            },
            Callee::Window(function) => match form.over {
                Some(over) => self.bind_windowed(WindowCallee::Function(function), args, returns, form, over),
                None => {
                    let message = format!("window function {name} requires an OVER clause");
                    Err(SqlError::new(WRONG_OBJECT_TYPE, message).or_position(position))
                }
            },
            Callee::Function(function) => {
                let not_aggregate = |what: String| {
                    let message = format!("{what} specified, but {name} is not an aggregate function");
                    Err(SqlError::new(WRONG_OBJECT_TYPE, message).or_position(position))
                };
                if form.star {
                    return not_aggregate(format!("{name}(*)"));
                }
                if form.distinct {
                    return not_aggregate("DISTINCT".to_string());
                }
                if form.filter.is_some() {
                    return not_aggregate("FILTER".to_string());
                }
                if form.over.is_some() {
                    let message =
                        format!("OVER specified, but {name} is not a window function nor an aggregate function");
                    return Err(SqlError::new(WRONG_OBJECT_TYPE, message).or_position(position));
                }
                if function.set_returning {
                    return self.bind_set_call(function, args, returns, position);
                }
                Ok(call(function, args, returns, position))
            }
        }
    }

    /// COALESCE, NULLIF, GREATEST, LEAST and the like, which look like calls.
    fn bind_keyword_call(
        &mut self,
        name: &str,
        written: &[&ast::Expr],
        form: &CallForm<'_>,
    ) -> SqlResult<Option<Expr>> {
        if !is_keyword_call(name) {
            return Ok(None);
        }
        let position = form.position;
        if form.star || form.distinct || form.filter.is_some() || written.is_empty() {
            return Err(self.syntax_error_at(position, name));
        }
        if name == "grouping" {
            return Err(SqlError::unsupported("GROUPING").or_position(position));
        }
        if let ("current_timestamp" | "localtimestamp" | "localtime" | "current_time", [precision]) = (name, written) {
            return self.bind_timed_function(name, precision, position).map(Some);
        }
        let sets_before = self.set_call_count();
        let mut args = Vec::with_capacity(written.len());
        for arg in written {
            args.push(self.bind_expr(arg)?);
        }
        if name == "coalesce" {
            self.refuse_sets_since(sets_before, "COALESCE")?;
        }
        match name {
            "coalesce" => self.bind_coalesce(args, position).map(Some),
            "greatest" | "least" => self.bind_min_max(args, name == "greatest", position).map(Some),
            "nullif" => match (args.pop(), args.pop(), args.pop()) {
                (Some(right), Some(left), None) => self.bind_null_if(left, right, position).map(Some),
                _ => Err(self.syntax_error_at(position, name)),
            },
            _ => Err(self.syntax_error_at(position, name)),
        }
    }

    /// Converts arguments to the types of the resolved function and adds its defaults.
    pub(super) fn convert_args(&mut self, args: Vec<Expr>, resolved: &ResolvedFunction) -> SqlResult<Vec<Expr>> {
        let mut converted = Vec::with_capacity(args.len() + resolved.defaults.len());
        for (at, arg) in args.into_iter().enumerate() {
            let arg = match resolved.arg_types.get(at) {
                Some(&oid::UNKNOWN | &oid::ANY) => self.require_known(arg)?,
                to => self.coerce_operand(arg, to.copied())?,
            };
            converted.push(arg);
        }
        if let Some(first) = resolved.packed_from {
            let items = converted.split_off(first.min(converted.len()));
            converted.push(packed(items)?);
        }
        for (ty, text) in &resolved.defaults {
            let ty = Type::new(*ty);
            let value = self.read_literal(&Datum::text(*text), ty)?;
            converted.push(super::literal::literal(value, ty, None));
        }
        Ok(converted)
    }

    /// Calls a built-in function by name.
    pub(super) fn call_named(&mut self, name: &str, args: Vec<Expr>, position: Option<u32>) -> SqlResult<Expr> {
        let given: Vec<Oid> = args.iter().map(|arg| arg.ty.oid).collect();
        let resolved = match resolve_function(name, &given) {
            Ok(resolved) => resolved,
            Err(error) => {
                return Err(error.function_error(&format!("pg_catalog.{name}"), &given).or_position(position));
            }
        };
        let args = self.convert_args(args, &resolved)?;
        let returns = Type::new(resolved.returns);
        match resolved.callee {
            Callee::Function(function) if !function.set_returning => Ok(call(function, args, returns, position)),
            _ => Err(SqlError::internal(format!("{name} is no plain function"))),
        }
    }

    /// A window function or aggregate with OVER: what PostgreSQL allows of its form.
    fn bind_windowed(
        &mut self,
        callee: WindowCallee,
        args: Vec<Expr>,
        returns: Type,
        form: CallForm<'_>,
        over: &ast::WindowType,
    ) -> SqlResult<Expr> {
        let position = form.position;
        let refuse = |what: &str| Err(SqlError::new(FEATURE_NOT_SUPPORTED, what).or_position(position));
        if form.distinct {
            return refuse("DISTINCT is not implemented for window functions");
        }
        match callee {
            WindowCallee::Aggregate(aggregate) => check_star(aggregate, &args, &form)?,
            WindowCallee::Function(_) if form.filter.is_some() => {
                return refuse("FILTER is not implemented for non-aggregate window functions");
            }
            WindowCallee::Function(_) => {}
        }
        let filter = match form.filter {
            None => None,
            Some(filter) => Some(self.in_clause(Clause::Filter, |binder| binder.bind_boolean(filter, "FILTER"))?),
        };
        self.bind_window_call(callee, args, filter, returns, over, position)
    }

    /// An aggregate: computed at the query level of its innermost variable, where it becomes a column.
    fn bind_aggregate(
        &mut self,
        aggregate: &'static Aggregate,
        args: Vec<Expr>,
        ty: Type,
        form: CallForm<'_>,
    ) -> SqlResult<Expr> {
        let position = form.position;
        check_star(aggregate, &args, &form)?;
        if form.distinct {
            if form.star {
                return Err(self.syntax_error_at(position, "*"));
            }
            for arg in &args {
                if equality(arg.ty.oid).is_none() {
                    return Err(no_operator("equality", arg.ty.oid, arg.position));
                }
            }
        }
        let filter = match form.filter {
            None => None,
            Some(filter) => Some(self.in_clause(Clause::Filter, |binder| binder.bind_boolean(filter, "FILTER"))?),
        };
        if let Some(position) = args.iter().find_map(|arg| self.window_function_in(arg)) {
            let message = "aggregate function calls cannot contain window function calls";
            return Err(SqlError::new(GROUPING_ERROR, message).or_position(position));
        }
        let level = self.aggregate_level(args.iter().chain(&filter));
        if let Some(scope) = self.scopes.get(level) {
            if scope.in_aggregate {
                return Err(nested_aggregate(position));
            }
            if let Some(message) = scope.clause.refuses_aggregates() {
                return Err(SqlError::new(GROUPING_ERROR, message).or_position(position));
            }
        }
        let nullable = aggregate.name != "count";
        let call = AggregateCall { aggregate, args, distinct: form.distinct, filter, ty };
        if let Some(scope) = self.scopes.get(level)
            && let Some((id, _)) = scope.aggregates.iter().find(|(_, other)| same_call(other, &call))
        {
            let id = *id;
            return Ok(self.column_expr(id, position));
        }
        let id = self.new_column(ty, nullable, None);
        self.columns[id.0 as usize].level = level;
        if let Some(scope) = self.scopes.get_mut(level) {
            scope.aggregates.push((id, call));
        }
        Ok(self.column_expr(id, position))
    }

    /// The innermost level that a column of the arguments belongs to; without any, the level at hand.
    fn aggregate_level<'e>(&self, args: impl Iterator<Item = &'e Expr>) -> usize {
        let here = self.scopes.len().saturating_sub(1);
        let mut innermost = None;
        for arg in args {
            walk::any(arg, &mut |part| {
                if let ExprKind::Column(id) = part.kind {
                    let level = self.info(id).level;
                    if level <= here {
                        innermost = innermost.max(Some(level));
                    }
                }
                false
            });
        }
        innermost.unwrap_or(here)
    }

    /// CURRENT_DATE and the other functions that are written without parentheses.
    pub(super) fn bind_value_function(&mut self, name: &str, position: Option<u32>) -> SqlResult<Option<Expr>> {
        let function = match name {
            "current_timestamp" | "current_date" | "localtime" | "localtimestamp" => "now",
            "current_time" => return Err(SqlError::unsupported("type time with time zone").or_position(position)),
            "current_user" | "current_role" | "user" => "current_user",
            "session_user" => "session_user",
            "current_catalog" => "current_database",
            "current_schema" => "current_schema",
            _ => return Ok(None),
        };
        let value = self.call_named(function, Vec::new(), position)?;
        let target = match name {
            "current_date" => Type::DATE,
            "localtime" => Type::TIME,
            "localtimestamp" => Type::TIMESTAMP,
            _ => return Ok(Some(value)),
        };
        self.coerce(value, target, CastContext::Explicit, position).map(Some)
    }

    /// `CURRENT_TIMESTAMP(3)`.
    fn bind_timed_function(&mut self, name: &str, precision: &ast::Expr, position: Option<u32>) -> SqlResult<Expr> {
        let ast::Expr::Value(value) = precision else { return Err(self.syntax_error_at(position, name)) };
        let Value::Number(digits, false) = &value.value else { return Err(self.syntax_error_at(position, name)) };
        let Ok(digits) = digits.parse::<i32>() else { return Err(self.syntax_error_at(position, digits)) };
        let Some(value) = self.bind_value_function(name, position)? else {
            return Err(self.syntax_error_at(position, name));
        };
        let target = Type::with_typmod(value.ty.oid, digits.min(6));
        self.coerce(value, target, CastContext::Explicit, position)
    }
}

/// Whether a name with parentheses is a construct of the grammar.
pub(super) fn is_keyword_call(name: &str) -> bool {
    const NAMES: [&str; 9] = [
        "coalesce",
        "nullif",
        "greatest",
        "least",
        "grouping",
        "current_timestamp",
        "localtimestamp",
        "localtime",
        "current_time",
    ];
    NAMES.contains(&name)
}

/// `count(*)` is for aggregates without arguments, and these are called in no other way.
fn check_star(aggregate: &Aggregate, args: &[Expr], form: &CallForm<'_>) -> SqlResult<()> {
    if form.star && (!aggregate.takes_star || !args.is_empty()) {
        let message = format!("function {}(*) does not exist", aggregate.name);
        return Err(SqlError::new(UNDEFINED_FUNCTION, message).or_position(form.position));
    }
    if args.is_empty() && !form.star {
        let message = format!("{}(*) must be used to call a parameterless aggregate function", aggregate.name);
        return Err(SqlError::new(WRONG_OBJECT_TYPE, message).or_position(form.position));
    }
    Ok(())
}

/// A call of a plain function.
pub(super) fn call(function: &'static Function, args: Vec<Expr>, ty: Type, position: Option<u32>) -> Expr {
    let start = args.iter().fold(position, |start, arg| leftmost(start, arg.position));
    Expr { kind: ExprKind::Call { function, args }, ty, nullable: true, position: start }
}

/// The repeated arguments of a variadic function as the array that it takes.
fn packed(items: Vec<Expr>) -> SqlResult<Expr> {
    let element = items.first().map_or(oid::TEXT, |item| item.ty.oid);
    let ty = Type::new(super::array::array_over(element, None)?);
    Ok(Expr { kind: ExprKind::Array { items, nested: false }, ty, nullable: false, position: None })
}

fn nested_aggregate(position: Option<u32>) -> SqlError {
    SqlError::new(GROUPING_ERROR, "aggregate function calls cannot be nested").or_position(position)
}

fn same_call(a: &AggregateCall, b: &AggregateCall) -> bool {
    a.aggregate == b.aggregate
        && a.distinct == b.distinct
        && a.args.len() == b.args.len()
        && a.args.iter().zip(&b.args).all(|(a, b)| same_expr(a, b))
        && match (&a.filter, &b.filter) {
            (None, None) => true,
            (Some(a), Some(b)) => same_expr(a, b),
            _ => false,
        }
}
