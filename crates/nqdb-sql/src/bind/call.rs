//! Calls: functions, aggregates, set-returning functions in the select list, and the functions without parentheses.

use nqdb_functions::{Callee, CastContext, Function, ResolveError, ResolvedFunction, resolve_function};
use nqdb_sqlstate::{FEATURE_NOT_SUPPORTED, SYNTAX_ERROR, SqlError, SqlResult, UNDEFINED_FUNCTION, WRONG_OBJECT_TYPE};
use nqdb_types::{Oid, Type, oid};
use sqlparser::ast::{
    self, DuplicateTreatment, FunctionArg, FunctionArgExpr, FunctionArgumentClause, FunctionArgumentList,
    FunctionArguments, ObjectName, ObjectNamePart, Value,
};

use super::aggregate::{check_star, is_aggregate_name};
use super::arguments::{WrittenArguments, resolve_call};
use super::record::row_arguments;
use super::scope::Clause;
use super::{Binder, leftmost, span_position};
use crate::ir::{Expr, ExprKind, WindowCallee};
use crate::names::name_of;
use crate::parse::VARIADIC;

/// The function `pg_typeof`.
const PG_TYPEOF: Oid = 1619;

/// How a call was written, besides its name and arguments.
#[derive(Clone, Copy)]
pub(super) struct CallForm<'q> {
    pub(super) star: bool,
    pub(super) distinct: bool,
    pub(super) order_by: &'q [ast::OrderByExpr],
    pub(super) within_group: &'q [ast::OrderByExpr],
    pub(super) filter: Option<&'q ast::Expr>,
    pub(super) over: Option<&'q ast::WindowType>,
    pub(super) position: Option<u32>,
}

impl CallForm<'_> {
    /// Whether it is nothing but a name and arguments.
    fn is_plain(&self) -> bool {
        !self.star
            && !self.distinct
            && self.order_by.is_empty()
            && self.within_group.is_empty()
            && self.filter.is_none()
            && self.over.is_none()
    }
}

impl Binder<'_> {
    pub(super) fn bind_function(&mut self, function: &ast::Function) -> SqlResult<Expr> {
        let ast::Function { name, uses_odbc_syntax, parameters, args, filter, null_treatment, over, within_group } =
            function;
        let written_name = name;
        let (name, position) = self.function_name(name)?;
        let refuse = |what: &str| Err(SqlError::unsupported(what).or_position(position));
        if *uses_odbc_syntax || *parameters != FunctionArguments::None {
            return Err(self.syntax_error_at(position, &name));
        }
        if null_treatment.is_some() {
            return refuse("IGNORE NULLS and RESPECT NULLS");
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
        let order_by = match clauses.as_slice() {
            [] => &[][..],
            [FunctionArgumentClause::OrderBy(keys)] => keys,
            _ => return Err(self.syntax_error_at(position, &name)),
        };
        if name == "row"
            && let Some(items) = row_arguments(function)
        {
            return self.bind_row(&items, position);
        }
        if written_name.0.len() == 1
            && name == "normalize"
            && let [
                FunctionArg::Unnamed(FunctionArgExpr::Expr(text)),
                FunctionArg::Unnamed(FunctionArgExpr::Expr(form)),
            ] = args.as_slice()
        {
            return self.bind_normalize(text, form, position);
        }
        let mut form = CallForm {
            star: false,
            distinct: matches!(duplicate_treatment, Some(DuplicateTreatment::Distinct)),
            order_by,
            within_group,
            filter: filter.as_deref(),
            over: over.as_ref(),
            position,
        };
        self.check_within_group(&form)?;
        let mut written = WrittenArguments::default();
        for arg in args {
            match written.add(arg)? {
                None | Some(FunctionArgExpr::Expr(_)) => {}
                Some(FunctionArgExpr::Wildcard) => form.star = true,
                Some(FunctionArgExpr::QualifiedWildcard(_)) => return Err(self.syntax_error_at(position, "*")),
                Some(FunctionArgExpr::WildcardWithOptions(_)) => return Err(self.syntax_error_at(position, "*")),
            }
        }
        if form.star && !written.exprs.is_empty() {
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
            [schema, name] if schema == "information_schema" && is_schema_function(name) => {
                Ok((format!("{schema}.{name}"), position))
            }
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

    fn bind_call(&mut self, name: &str, written: &WrittenArguments<'_>, form: CallForm<'_>) -> SqlResult<Expr> {
        let position = form.position;
        let WrittenArguments { exprs, names } = written;
        let written: Vec<&ast::Expr> = exprs.iter().map(|expr| &**expr).collect();
        if names.is_empty()
            && let Some(bound) = self.bind_keyword_call(name, &written, &form)?
        {
            return Ok(bound);
        }
        let is_aggregate = form.over.is_none() && is_aggregate_name(name);
        let sets_before = self.set_call_count();
        let variadic = written.last().is_some_and(|last| variadic_array(last).is_some());
        let mut args = Vec::with_capacity(written.len() + form.within_group.len());
        for &arg in &written {
            args.push(self.bind_expr(variadic_array(arg).unwrap_or(arg))?);
        }
        for item in form.within_group {
            args.push(self.in_clause(Clause::OrderBy, |binder| binder.bind_expr(&item.expr))?);
        }
        if names.is_empty() {
            drop_out_parameters(&mut args);
        }
        let given: Vec<Oid> = args.iter().map(|arg| arg.ty.oid).collect();
        let found = match resolve_call(name, &given, names, variadic) {
            Ok(found) => found,
            Err(ResolveError::CastSyntax(target)) if form.is_plain() => {
                let Some(arg) = args.pop() else { return Err(SqlError::internal("a cast without an argument")) };
                return self.coerce(arg, Type::new(target), CastContext::Explicit, position);
            }
            Err(error) => {
                if let ([record], true, true) = (args.as_slice(), form.is_plain(), names.is_empty())
                    && let Some(field) = self.projection(record, name, position)
                {
                    return Ok(field);
                }
                let position = match error {
                    ResolveError::VariadicIsNoArray => args.last().and_then(|array| array.position),
                    _ => position,
                };
                return Err(error.named_call_error(name, &given, names, self.cx.format).or_position(position));
            }
        };
        let resolved = &found.function;
        if let Callee::Aggregate(aggregate) = resolved.callee {
            self.check_ordered_set(aggregate, &mut args, &form)?;
        }
        let first = args.first().map(|arg| arg.ty);
        let is_hypothetical = matches!(resolved.callee, Callee::Aggregate(aggregate) if aggregate.variadic);
        let args = if is_hypothetical { args } else { self.arrange_args(args, &found)? };
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
                if !form.within_group.is_empty() {
                    return not_aggregate("WITHIN GROUP".to_string());
                }
                if !form.order_by.is_empty() {
                    return not_aggregate("ORDER BY".to_string());
                }
                if form.filter.is_some() {
                    return not_aggregate("FILTER".to_string());
                }
                if form.over.is_some() {
                    let message =
                        format!("OVER specified, but {name} is not a window function nor an aggregate function");
                    return Err(SqlError::new(WRONG_OBJECT_TYPE, message).or_position(position));
                }
                // One that gives a row of several columns is run like one that gives many.
                let bound = if function.set_returning || function.records.is_some() {
                    self.bind_set_call(function, args, returns, position)?
                } else {
                    call(function, args, returns, position)
                };
                self.with_rules_of(function, first, bound)
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
        if written.is_empty() {
            return Err(self.syntax_error_in_call(position, ")"));
        }
        if !form.is_plain() {
            return Err(self.syntax_error_at(position, name));
        }
        if name == "grouping" {
            return self.bind_grouping(written, position).map(Some);
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
        let callee = match resolved.callee {
            Callee::Function(function) => Some(function.oid),
            Callee::Aggregate(aggregate) => Some(aggregate.oid),
            Callee::Window(window) => Some(window.oid),
        };
        callee.into_iter().for_each(|callee| self.note_call(callee));
        let mut converted = Vec::with_capacity(args.len() + resolved.defaults.len());
        for (at, arg) in args.into_iter().enumerate() {
            let arg = match resolved.arg_types.get(at) {
                // Only this one tells the type of what it is given: it stays unknown, as in PostgreSQL.
                Some(&oid::UNKNOWN | &oid::ANY)
                    if callee == Some(PG_TYPEOF) && matches!(arg.kind, ExprKind::Literal(_)) =>
                {
                    arg
                }
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
            converted.push(self.default_argument(*ty, text)?);
        }
        Ok(converted)
    }

    /// Calls a built-in function by name.
    pub(super) fn call_named(&mut self, name: &str, args: Vec<Expr>, position: Option<u32>) -> SqlResult<Expr> {
        let given: Vec<Oid> = args.iter().map(|arg| arg.ty.oid).collect();
        let resolved = match resolve_function(name, &given) {
            Ok(resolved) => resolved,
            Err(error) => {
                return Err(error
                    .function_error(&format!("pg_catalog.{name}"), &given, self.cx.format)
                    .or_position(position));
            }
        };
        let args = self.convert_args(args, &resolved)?;
        let returns = Type::new(resolved.returns);
        match resolved.callee {
            Callee::Function(function) if !function.set_returning => Ok(call(function, args, returns, position)),
            _ => Err(SqlError::internal(format!("{name} is no plain function"))),
        }
    }

    /// The result of a function that reads the fields of records: it meets the rules of their domains, and those of the first
    /// argument's type, if that is a domain over a composite type.
    pub(super) fn with_rules_of(&mut self, function: &Function, first: Option<Type>, result: Expr) -> SqlResult<Expr> {
        if !reads_fields(function) {
            return Ok(result);
        }
        let result = self.conformed(result)?;
        match first.filter(|first| first.domain != oid::INVALID && first.oid == result.ty.oid) {
            Some(domain) => self.coerce(result, domain, CastContext::Assignment, None),
            None => Ok(result),
        }
    }

    /// `value.name` as a call of a plain function; `None` when there is none that takes such a value.
    pub(super) fn call_of_one(&mut self, name: &str, arg: Expr, position: Option<u32>) -> SqlResult<Option<Expr>> {
        if is_keyword_call(name) {
            return Ok(None);
        }
        match resolve_function(name, &[arg.ty.oid]) {
            Ok(resolved) => {
                let args = self.convert_args(vec![arg], &resolved)?;
                let returns = Type::new(resolved.returns);
                match resolved.callee {
                    Callee::Function(function) if function.set_returning || function.records.is_some() => {
                        self.bind_set_call(function, args, returns, position).map(Some)
                    }
                    Callee::Function(function) => Ok(Some(call(function, args, returns, position))),
                    Callee::Aggregate(_) | Callee::Window(_) => Ok(None),
                }
            }
            Err(ResolveError::CastSyntax(target)) => {
                self.coerce(arg, Type::new(target), CastContext::Explicit, position).map(Some)
            }
            Err(_) => Ok(None),
        }
    }

    /// A syntax error at the first token with this text behind the name of a call.
    pub(super) fn syntax_error_in_call(&self, call: Option<u32>, text: &str) -> SqlError {
        let call = call.and_then(|position| self.tokens.at_position(position));
        let found = call.and_then(|call| (call..self.tokens.len()).find(|at| self.tokens.is(*at, text)));
        self.syntax_error_at(found.and_then(|at| self.tokens.position(at)), text)
    }

    /// What PostgreSQL's grammar does not allow together with WITHIN GROUP.
    fn check_within_group(&self, form: &CallForm<'_>) -> SqlResult<()> {
        let message = match form.within_group {
            [] => return Ok(()),
            _ if !form.order_by.is_empty() => "cannot use multiple ORDER BY clauses with WITHIN GROUP",
            _ if form.distinct => "cannot use DISTINCT with WITHIN GROUP",
            _ => return Ok(()),
        };
        let call = form.position.and_then(|position| self.tokens.at_position(position));
        let within = call.and_then(|call| (call..self.tokens.len()).find(|at| self.tokens.is(*at, "within")));
        let position = within.and_then(|at| self.tokens.position(at));
        Err(SqlError::new(SYNTAX_ERROR, message).or_position(position))
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
        if let WindowCallee::Aggregate(aggregate) = callee {
            check_star(aggregate, &args, &form)?;
        }
        if !form.order_by.is_empty() {
            return refuse("aggregate ORDER BY is not implemented for window functions");
        }
        if matches!(callee, WindowCallee::Function(_)) && form.filter.is_some() {
            return refuse("FILTER is not implemented for non-aggregate window functions");
        }
        let filter = match form.filter {
            None => None,
            Some(filter) => Some(self.in_clause(Clause::Filter, |binder| binder.bind_boolean(filter, "FILTER"))?),
        };
        self.bind_window_call(callee, args, filter, returns, over, position)
    }

    /// CURRENT_DATE and the other functions that are written without parentheses.
    pub(super) fn bind_value_function(&mut self, name: &str, position: Option<u32>) -> SqlResult<Option<Expr>> {
        let function = match name {
            "current_timestamp" | "current_date" | "current_time" | "localtime" | "localtimestamp" => "now",
            "current_user" | "current_role" | "user" => "current_user",
            "session_user" => "session_user",
            "current_catalog" => "current_database",
            "current_schema" => "current_schema",
            _ => return Ok(None),
        };
        let value = self.call_named(function, Vec::new(), position)?;
        let target = match name {
            "current_date" => Type::DATE,
            "current_time" => Type::TIMETZ,
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

/// Whether a function makes a record's fields of texts, without asking the rules of domains.
fn reads_fields(function: &Function) -> bool {
    const NAMES: [&str; 4] =
        ["json_populate_record", "jsonb_populate_record", "json_populate_recordset", "jsonb_populate_recordset"];
    NAMES.contains(&function.name)
}

/// A call of a plain function.
pub(super) fn call(function: &'static Function, args: Vec<Expr>, ty: Type, position: Option<u32>) -> Expr {
    let start = args.iter().fold(position, |start, arg| leftmost(start, arg.position));
    Expr { kind: ExprKind::Call { function, args }, ty, nullable: true, position: start }
}

/// The array behind the word VARIADIC.
fn variadic_array(arg: &ast::Expr) -> Option<&ast::Expr> {
    let ast::Expr::Function(function) = arg else { return None };
    let [ObjectNamePart::Identifier(name)] = function.name.0.as_slice() else { return None };
    let FunctionArguments::List(list) = &function.args else { return None };
    match list.args.as_slice() {
        [FunctionArg::Unnamed(FunctionArgExpr::Expr(array))] if name.value == VARIADIC => Some(array),
        _ => None,
    }
}

/// The repeated arguments of a variadic function as the array that it takes.
fn packed(items: Vec<Expr>) -> SqlResult<Expr> {
    let element = items.first().map_or(oid::TEXT, |item| item.ty.oid);
    let ty = Type::new(super::array::array_over(element, None)?);
    Ok(Expr { kind: ExprKind::Array { items, nested: false }, ty, nullable: false, position: None })
}

/// Whether `information_schema` has a function of its own under the name; the registry knows those by the qualified one.
fn is_schema_function(name: &str) -> bool {
    !nqdb_functions::functions_named(&format!("information_schema.{name}")).is_empty()
}

/// Takes away parameters of type void: the places that JDBC's `{? = call f(?)}` keeps for results, as in PostgreSQL.
pub(super) fn drop_out_parameters(args: &mut Vec<Expr>) {
    args.retain(|arg| arg.ty.oid != oid::VOID || !matches!(arg.kind, ExprKind::Param(_)));
}
