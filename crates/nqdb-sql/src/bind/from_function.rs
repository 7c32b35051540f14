//! Functions in FROM: one or several in lockstep, their columns and the names these get.
//!
//! ```text
//! f(..)                              one column (the function's name, or the alias), or the function's OUT columns
//! f(..) AS t(a int, b text)          columns that the caller defines, for functions returning "record"
//! ROWS FROM (f(..), g(..))           the columns of all, rows side by side, NULLs after the end of the shorter ones
//! ... WITH ORDINALITY                a last column that counts the rows
//! ```

use std::sync::Arc;

use nqdb_functions::{Callee, OutColumn, ResolveError, column_type};
use nqdb_sqlstate::{GROUPING_ERROR, SYNTAX_ERROR, SqlError, SqlResult};
use nqdb_types::{Datum, Oid, RecordShape, Type, is_composite, oid};
use sqlparser::ast::{self, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments, ObjectName};

use super::arguments::{WrittenArguments, resolve_call};
use super::call::call;
use super::from::{Alias, FromItem, apply_alias};
use super::literal::literal;
use super::scope::{Clause, ScopeColumn, ScopeTable, WholeRow};
use super::{Binder, span_position};
use crate::ir::{Expr, ExprKind, FunctionColumn, Rel, RowForm, TableCall, TableFunction};
use crate::names::name_of;
use crate::parse::{NO_ALIAS, ROWS_FROM};

/// A function of FROM, bound, before its columns have ids.
struct BoundFunction {
    name: String,
    call: TableCall,
    /// Name, if the function has one for it, and type of each column.
    columns: Vec<(Option<String>, Type)>,
    form: RowForm,
    /// The composite type of its rows.
    row_type: Option<Oid>,
    /// It returns "record": the caller says what that is.
    wants_definitions: bool,
    position: Option<u32>,
}

impl BoundFunction {
    /// Whether it gives plain values: one column, which may still have a name of its own.
    fn is_value(&self) -> bool {
        !self.wants_definitions && self.columns.len() == 1 && matches!(self.form, RowForm::Columns)
    }
}

impl Binder<'_> {
    /// A function, or `ROWS FROM (...)`, with what follows it.
    pub(super) fn bind_table_function(
        &mut self,
        name: &ObjectName,
        args: &[FunctionArg],
        with_ordinality: bool,
        alias: Option<Alias>,
    ) -> SqlResult<FromItem> {
        let functions = self.in_clause(Clause::FromFunction, |binder| {
            binder.beside_siblings(true, |binder| match name.0.as_slice() {
                [ast::ObjectNamePart::Identifier(marker)] if marker.value == ROWS_FROM => binder.bind_rows_from(args),
                _ => Ok(vec![binder.bind_one_function(name, args)?]),
            })
        })?;
        self.function_item(functions, with_ordinality, alias)
    }

    /// `unnest(a, b, ..)`, which is `ROWS FROM (unnest(a), unnest(b), ..)`.
    pub(super) fn bind_unnest(
        &mut self,
        arrays: &[ast::Expr],
        with_ordinality: bool,
        alias: Option<Alias>,
    ) -> SqlResult<FromItem> {
        let name = ObjectName::from(vec![ast::Ident::new("unnest")]);
        let functions = self.in_clause(Clause::FromFunction, |binder| {
            binder.beside_siblings(true, |binder| {
                let mut functions = Vec::with_capacity(arrays.len());
                for array in arrays {
                    let arg = FunctionArg::Unnamed(FunctionArgExpr::Expr(array.clone()));
                    functions.push(binder.bind_one_function(&name, &[arg])?);
                }
                Ok(functions)
            })
        })?;
        self.function_item(functions, with_ordinality, alias)
    }

    fn bind_rows_from(&mut self, items: &[FunctionArg]) -> SqlResult<Vec<BoundFunction>> {
        let mut functions = Vec::with_capacity(items.len());
        for item in items {
            let FunctionArg::Unnamed(FunctionArgExpr::Expr(item)) = item else {
                return Err(SqlError::new(SYNTAX_ERROR, "syntax error in ROWS FROM"));
            };
            match item {
                ast::Expr::Function(function) => match &function.args {
                    FunctionArguments::List(FunctionArgumentList { duplicate_treatment: None, args, clauses })
                        if clauses.is_empty() && function.over.is_none() && function.filter.is_none() =>
                    {
                        functions.push(self.bind_one_function(&function.name, args)?);
                    }
                    _ => functions.push(self.bind_value_item(item)?),
                },
                other => functions.push(self.bind_value_item(other)?),
            }
        }
        Ok(functions)
    }

    fn bind_one_function(&mut self, written: &ObjectName, args: &[FunctionArg]) -> SqlResult<BoundFunction> {
        let (name, position) = self.function_name(written)?;
        let mut arguments = WrittenArguments::default();
        for arg in args {
            if arguments.add(arg)?.is_some() || super::call::is_keyword_call(&name) {
                return self.bind_value_item(&call_expression(written, args));
            }
        }
        let WrittenArguments { exprs, names } = arguments;
        let mut bound = Vec::with_capacity(args.len());
        for arg in &exprs {
            bound.push(self.bind_expr(arg)?);
        }
        if names.is_empty() {
            super::call::drop_out_parameters(&mut bound);
        }
        let given: Vec<Oid> = bound.iter().map(|arg| arg.ty.oid).collect();
        let found = match resolve_call(&name, &given, &names, false) {
            Ok(found) => found,
            Err(ResolveError::CastSyntax(_)) => return self.bind_value_item(&call_expression(written, args)),
            Err(error) => {
                return Err(error.named_call_error(&name, &given, &names, self.cx.format).or_position(position));
            }
        };
        let resolved = &found.function;
        let Callee::Function(function) = resolved.callee else {
            let message = Clause::FromFunction.refuses_aggregates().unwrap_or_default();
            return Err(SqlError::new(GROUPING_ERROR, message).or_position(position));
        };
        let first = bound.first().map(|arg| arg.ty);
        let args = self.arrange_args(bound, &found)?;
        let result = Type::new(resolved.returns);
        let wants_definitions = function.columns.is_empty() && result.oid == oid::RECORD;
        let typed = |column: &OutColumn| Type::new(column_type(function.args, &given, column.type_oid));
        let named = function.columns.iter().map(|column| (Some(column.name.to_string()), typed(column))).collect();
        let (columns, form) = match self.shape_of(result) {
            _ if !function.columns.is_empty() => (named, RowForm::Columns),
            Some(shape) => (field_columns(&shape), RowForm::Fields),
            None if wants_definitions && function.records.is_none() => (Vec::new(), RowForm::Fields),
            None => (vec![(None, result)], RowForm::Columns),
        };
        let row_type = matches!(form, RowForm::Fields).then_some(result.oid).filter(|oid| is_composite(*oid));
        let call = if function.rows.is_some() || function.records.is_some() {
            TableCall::Rows { function, args }
        } else {
            let bound = call(function, args, result, position);
            TableCall::Value(self.with_rules_of(function, first, bound)?)
        };
        Ok(BoundFunction { name, call, columns, form, row_type, wants_definitions, position })
    }

    /// What looks like a function and is an expression: one row with its value.
    fn bind_value_item(&mut self, expression: &ast::Expr) -> SqlResult<BoundFunction> {
        let bound = self.bind_expr(expression)?;
        let value = self.resolve_unknown(bound)?;
        let (name, position) = (super::output_name::output_name(expression), value.position);
        let shape = self.shape_of(value.ty).filter(|_| is_composite(value.ty.oid));
        let row_type = shape.as_ref().map(|shape| shape.type_oid);
        let (columns, form) = match shape {
            Some(shape) => (field_columns(&shape), RowForm::Fields),
            None => (vec![(None, value.ty)], RowForm::Columns),
        };
        let call = TableCall::Value(value);
        Ok(BoundFunction { name, call, columns, form, row_type, wants_definitions: false, position })
    }

    /// The item of FROM that functions make.
    fn function_item(
        &mut self,
        functions: Vec<BoundFunction>,
        with_ordinality: bool,
        alias: Option<Alias>,
    ) -> SqlResult<FromItem> {
        let table_name = functions.first().map_or_else(String::new, |function| function.name.clone());
        let alone = functions.len() == 1;
        let (alias, mut definitions) = split_definitions(alias, &table_name);
        let refuse =
            |message: &str| Err(SqlError::new(SYNTAX_ERROR, message).or_position(definitions_position(&alias)));
        if !definitions.is_empty() && !alone {
            return refuse("ROWS FROM() with multiple functions cannot have a column definition list");
        }
        if !definitions.is_empty() && with_ordinality {
            return refuse("WITH ORDINALITY cannot be used with a column definition list");
        }
        let is_value = !with_ordinality && matches!(functions.as_slice(), [one] if one.is_value());
        let row_type = match functions.as_slice() {
            [one] if !with_ordinality => one.row_type,
            _ => None,
        };
        let mut items = Vec::with_capacity(functions.len());
        let mut columns = Vec::new();
        for mut function in functions {
            let shown = column_names(&function, &mut definitions, alone.then_some(alias.as_ref()).flatten())?;
            if function.wants_definitions {
                self.give_shape(&mut function.call, &shown);
            }
            let mut own = Vec::with_capacity(shown.len());
            for (name, ty) in shown {
                let id = self.new_column(ty, true, None);
                columns.push(ScopeColumn { name: name.clone(), id });
                own.push(FunctionColumn { id, name, ty });
            }
            items.push(TableFunction { call: function.call, form: function.form, columns: own });
        }
        let ordinality = with_ordinality.then(|| self.new_column(Type::INT8, false, None));
        columns.extend(ordinality.map(|id| ScopeColumn { name: "ordinality".to_string(), id }));
        let table = ScopeTable {
            name: table_name,
            schema: None,
            table: None,
            row: row_type
                .map(|type_oid| WholeRow { type_oid, columns: columns.iter().map(|column| column.id).collect() }),
            columns: columns.clone(),
            hidden_name: None,
            is_value,
            system: Vec::new(),
        };
        let rel = Rel::FunctionScan { functions: items, ordinality };
        apply_alias(FromItem { rel, tables: vec![table], columns, hidden: Vec::new() }, alias)
    }

    /// Tells a function over a record that is NULL, and so says nothing of its shape, what the caller wants.
    fn give_shape(&mut self, call: &mut TableCall, columns: &[(String, Type)]) {
        let args = match call {
            TableCall::Value(Expr { kind: ExprKind::Call { args, .. }, .. }) | TableCall::Rows { args, .. } => args,
            TableCall::Value(_) => return,
        };
        let Some(record) = args.first_mut().filter(|arg| arg.ty.oid == oid::RECORD) else { return };
        let named = columns.iter().map(|(name, ty)| (name.as_str(), *ty));
        let shape = Arc::new(RecordShape::named(oid::RECORD, named));
        let fields = columns.iter().map(|(_, ty)| literal(Datum::Null, *ty, None)).collect();
        let ty = self.record_type(&shape);
        let kind = ExprKind::Row { fields, shape, absent_if_null: false };
        let empty = Expr { kind, ty, nullable: false, position: None };
        let given = std::mem::replace(record, empty.clone());
        let position = given.position;
        *record = Expr { kind: ExprKind::Coalesce(vec![given, empty]), ty, nullable: false, position };
    }

    /// An alias with its columns; a column definition list also has their types.
    pub(super) fn table_alias(&mut self, alias: &ast::TableAlias) -> SqlResult<Alias> {
        let ast::TableAlias { explicit: _, name, columns, at } = alias;
        if at.is_some() {
            return Err(SqlError::unsupported("this form of alias"));
        }
        let mut names = Vec::with_capacity(columns.len());
        let mut types = Vec::new();
        for ast::TableAliasColumnDef { name, data_type } in columns {
            if let Some(data_type) = data_type {
                types.push(self.data_type(data_type)?);
            }
            names.push(name_of(name));
        }
        // What is wrong with a column definition list is said of its first column.
        let defined = columns.first().filter(|_| !types.is_empty());
        let position = span_position(defined.map_or(name.span, |column| column.name.span));
        if !types.is_empty() && types.len() != names.len() {
            return Err(SqlError::new(SYNTAX_ERROR, "syntax error in a column definition list").or_position(position));
        }
        Ok(Alias { name: name_of(name), columns: names, types, position })
    }
}

/// A column for each field.
fn field_columns(shape: &RecordShape) -> Vec<(Option<String>, Type)> {
    shape.fields.iter().map(|field| (Some(field.name.to_string()), field.ty)).collect()
}

/// The alias without its column definition list, and that list.
fn split_definitions(alias: Option<Alias>, table_name: &str) -> (Option<Alias>, Vec<(String, Type)>) {
    let Some(mut alias) = alias else { return (None, Vec::new()) };
    if alias.types.is_empty() {
        return (Some(alias), Vec::new());
    }
    let names = std::mem::take(&mut alias.columns);
    let definitions = names.into_iter().zip(std::mem::take(&mut alias.types)).collect();
    if alias.name == NO_ALIAS {
        alias.name = table_name.to_string();
    }
    (Some(alias), definitions)
}

fn definitions_position(alias: &Option<Alias>) -> Option<u32> {
    alias.as_ref().and_then(|alias| alias.position)
}

/// Names and types of a function's columns.
fn column_names(
    function: &BoundFunction,
    definitions: &mut Vec<(String, Type)>,
    alias: Option<&Alias>,
) -> SqlResult<Vec<(String, Type)>> {
    let fail = |message: &str| Err(SqlError::new(SYNTAX_ERROR, message).or_position(function.position));
    if function.wants_definitions {
        if definitions.is_empty() {
            return fail("a column definition list is required for functions returning \"record\"");
        }
        return Ok(std::mem::take(definitions));
    }
    if !definitions.is_empty() {
        let position = definitions_position_of(alias);
        let message = if function.row_type.is_some() {
            "a column definition list is redundant for a function returning a named composite type"
        } else if function.columns.len() > 1 {
            "a column definition list is redundant for a function with OUT parameters"
        } else {
            "a column definition list is only allowed for functions returning \"record\""
        };
        return Err(SqlError::new(SYNTAX_ERROR, message).or_position(position));
    }
    // The only column of a function without a name for it bears the alias of the table.
    let default = alias.map_or(function.name.as_str(), |alias| alias.name.as_str());
    let named = function.columns.iter();
    Ok(named.map(|(name, ty)| (name.clone().unwrap_or_else(|| default.to_string()), *ty)).collect())
}

fn definitions_position_of(alias: Option<&Alias>) -> Option<u32> {
    alias.and_then(|alias| alias.position)
}

/// A call of FROM as an expression.
fn call_expression(name: &ObjectName, args: &[FunctionArg]) -> ast::Expr {
    let list = FunctionArgumentList { duplicate_treatment: None, args: args.to_vec(), clauses: Vec::new() };
    ast::Expr::Function(ast::Function {
        name: name.clone(),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(list),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}
