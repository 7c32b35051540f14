//! Defaults and checks: bound once before they are stored.

use std::ops::ControlFlow;
use std::sync::Arc;

use nqdb_catalog::request::NewCheck;
use nqdb_catalog::{ColumnDef, Relation, Snapshot, TableDef, type_reference};
use nqdb_functions::Volatility;
use nqdb_sqlstate::{FEATURE_NOT_SUPPORTED, INVALID_OBJECT_DEFINITION, SqlError, SqlResult};
use nqdb_txn::{RelationLock, TxnError};
use nqdb_types::{Oid, Type, is_user_type};
use sqlparser::ast::{self, visit_expressions_mut};

use super::query::placeless;
use super::{DdlContext, place};
use crate::bind::{any_expression, bind_default, bind_generation, bind_new_check, data_type};
use crate::ir::{ColumnId, Expr, ExprKind};
use crate::names::name_of;
use crate::parse::{Tokens, parse_expression};

/// A default that can be stored.
pub(super) struct CheckedDefault {
    pub text: String,
    /// Its value may differ from row to row.
    pub volatile: bool,
}

impl DdlContext<'_, '_> {
    /// Binds a column's default as INSERT will.
    pub(super) fn check_default(&mut self, text: String, name: &str, ty: Type) -> SqlResult<CheckedDefault> {
        let text = self.name_objects_by_number(text)?;
        let bound = placeless(self.bind_column_default(&text, name, ty))?;
        if any_expression(&bound, &mut |expr| is_subquery(expr)) {
            return Err(SqlError::new(FEATURE_NOT_SUPPORTED, "cannot use subquery in DEFAULT expression"));
        }
        Ok(CheckedDefault { text, volatile: any_expression(&bound, &mut |expr| is_volatile(expr)) })
    }

    /// Binds a text as the default of a column; errors have their place in the text.
    pub(super) fn bind_column_default(&mut self, text: &str, name: &str, ty: Type) -> SqlResult<Expr> {
        let column = ColumnDef {
            attnum: 1,
            name: name.to_owned(),
            ty,
            not_null: false,
            default: None,
            identity: None,
            generated: None,
            missing: None,
            settings: nqdb_catalog::ColumnSettings::default(),
            dropped: false,
        };
        let snapshot = self.draft.snapshot();
        bind_default(text, &column, &self.bind_context(&snapshot))
    }

    /// Gives an error of a check its place in the statement.
    pub(super) fn place_check(
        &mut self,
        error: TxnError,
        expression: &ast::Expr,
        tokens: &Tokens,
        table: &Arc<TableDef>,
    ) -> TxnError {
        let TxnError::Sql(error) = error else { return error };
        let snapshot = self.draft.snapshot();
        let context = self.bind_context(&snapshot);
        place::placed(error, || Some(bind_new_check(&place::placed_text(tokens, expression, false)?, table, &context)))
            .into()
    }

    /// Makes a column of a table a generated one. Errors: 42P17 for an expression that is not immutable or names a generated
    /// column.
    pub(super) fn generate_column(&mut self, table: Oid, position: usize, text: String) -> Result<(), TxnError> {
        let text = self.name_objects_by_number(text)?;
        let table = self.writer().lock_table(table, RelationLock::AccessExclusive)?;
        let snapshot = self.draft.snapshot();
        let live = table.live_columns().enumerate();
        let row: Vec<(usize, ColumnId)> = live.map(|(id, (at, _))| (at, ColumnId(id as u32))).collect();
        let bound = placeless(bind_generation(&text, &table, position, &row, &self.bind_context(&snapshot)))?;
        if any_expression(&bound, &mut |expr| is_subquery(expr)) {
            let message = "cannot use subquery in column generation expression";
            return Err(SqlError::new(FEATURE_NOT_SUPPORTED, message).into());
        }
        let mut columns = Vec::new();
        any_expression(&bound, &mut |expr| {
            if let ExprKind::Column(id) = expr.kind
                && let Some((at, _)) = row.iter().find(|(_, known)| *known == id)
                && let Some(column) = table.columns.get(*at)
                && !columns.contains(&column.attnum)
            {
                columns.push(column.attnum);
            }
            false
        });
        let is_generated = |column: &&ColumnDef| {
            columns.contains(&column.attnum)
                && (column.generated.is_some()
                    || table.columns.get(position).is_some_and(|own| own.attnum == column.attnum))
        };
        if let Some(column) = table.columns.iter().find(is_generated) {
            let message = format!("cannot use generated column \"{}\" in column generation expression", column.name);
            return Err(SqlError::new(INVALID_OBJECT_DEFINITION, message)
                .with_detail("A generated column cannot reference another generated column.")
                .into());
        }
        if any_expression(&bound, &mut |expr| is_not_immutable(expr)) {
            return Err(SqlError::new(INVALID_OBJECT_DEFINITION, "generation expression is not immutable").into());
        }
        self.writer().set_generated(table.oid, position, text, columns)
    }

    /// Writes the sequence of `nextval('name')` and users' types as their numbers, so that a renamed one is still found, and
    /// a drop knows who needs it.
    pub(super) fn name_objects_by_number(&mut self, text: String) -> SqlResult<String> {
        let (_, mut expression) = placeless(parse_expression(&text))?;
        let mut renamed = false;
        let snapshot = self.draft.snapshot();
        let _: ControlFlow<()> = visit_expressions_mut(&mut expression, |expression| {
            if let Some(written) = type_of_expression(expression) {
                renamed |= self.name_type_by_number(written, &snapshot);
            }
            if let ast::Expr::Function(call) = expression
                && let Some(literal) = sequence_literal(call)
                && let ast::Expr::Value(ast::ValueWithSpan { value: ast::Value::SingleQuotedString(name), .. }) =
                    literal
                && let Some(sequence) = sequence_named(&snapshot, self.search_path, name)
            {
                let number = ast::Value::SingleQuotedString(sequence.to_string()).into();
                *literal = ast::Expr::Cast {
                    kind: ast::CastKind::DoubleColon,
                    expr: Box::new(ast::Expr::Value(number)),
                    data_type: ast::DataType::Custom(vec![ast::Ident::new("regclass")].into(), Vec::new()),
                    format: None,
                };
                renamed = true;
            }
            ControlFlow::Continue(())
        });
        Ok(if renamed { expression.to_string() } else { text })
    }

    /// Whether the name was one of a user's type.
    fn name_type_by_number(&self, written: &mut ast::DataType, snapshot: &Snapshot) -> bool {
        match written {
            ast::DataType::Array(
                ast::ArrayElemTypeDef::SquareBracket(element, _) | ast::ArrayElemTypeDef::Qualified(element, _),
            ) => self.name_type_by_number(element, snapshot),
            other => match data_type(other, &self.bind_context(snapshot)) {
                Ok(ty) if is_user_type(ty.declared_oid()) => {
                    let name = ast::Ident::with_quote('"', type_reference(ty.declared_oid()));
                    *other = ast::DataType::Custom(vec![name].into(), Vec::new());
                    true
                }
                _ => false,
            },
        }
    }

    /// Binds a CHECK expression over a table and says which columns it names.
    pub(super) fn check_constraint(
        &mut self,
        name: Option<String>,
        text: String,
        table: &Arc<TableDef>,
    ) -> SqlResult<NewCheck> {
        let text = self.name_objects_by_number(text)?;
        let snapshot = self.draft.snapshot();
        let bound = placeless(bind_new_check(&text, table, &self.bind_context(&snapshot)))?;
        if any_expression(&bound, &mut |expr| is_subquery(expr)) {
            return Err(SqlError::new(FEATURE_NOT_SUPPORTED, "cannot use subquery in check constraint"));
        }
        let mut ids = Vec::new();
        any_expression(&bound, &mut |expr| {
            if let ExprKind::Column(id) = expr.kind {
                ids.push(id.0 as usize);
            }
            false
        });
        // A new check's column ids number the live columns.
        let columns = table
            .live_columns()
            .enumerate()
            .filter(|(id, _)| ids.contains(id))
            .map(|(_, (_, column))| column.name.clone())
            .collect();
        Ok(NewCheck { name, expression: text, columns, validated: true, no_inherit: false })
    }
}

/// The type that an expression names, where it is one that names a type.
fn type_of_expression(expression: &mut ast::Expr) -> Option<&mut ast::DataType> {
    match expression {
        ast::Expr::Cast { data_type, .. } => Some(data_type),
        ast::Expr::TypedString(typed) => Some(&mut typed.data_type),
        _ => None,
    }
}

/// The number of a sequence that a string names.
fn sequence_named(snapshot: &Snapshot, search_path: &[Oid], name: &str) -> Option<Oid> {
    let parts = match parse_expression(name).ok()?.1 {
        ast::Expr::Identifier(name) => vec![name],
        ast::Expr::CompoundIdentifier(parts) => parts,
        _ => return None,
    };
    let (schema, name) = match parts.as_slice() {
        [name] => (None, name_of(name)),
        [schema, name] => (Some(name_of(schema)), name_of(name)),
        _ => return None,
    };
    let found = snapshot.resolve(search_path, schema.as_deref(), &name).ok().flatten();
    found.map(Relation::oid)
}

/// The argument of `nextval`, below a cast to regclass.
fn sequence_literal(call: &mut ast::Function) -> Option<&mut ast::Expr> {
    let [ast::ObjectNamePart::Identifier(name)] = call.name.0.as_slice() else { return None };
    if name_of(name) != "nextval" {
        return None;
    }
    let ast::FunctionArguments::List(list) = &mut call.args else { return None };
    let [ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(argument))] = list.args.as_mut_slice() else {
        return None;
    };
    match argument {
        ast::Expr::Cast { expr, data_type: ast::DataType::Regclass, .. } => Some(expr),
        other => Some(other),
    }
}

pub(super) fn is_subquery(expr: &Expr) -> bool {
    matches!(
        expr.kind,
        ExprKind::ScalarSubquery(_) | ExprKind::Exists(_) | ExprKind::ArraySubquery(_) | ExprKind::Quantified { .. }
    )
}

/// Whether the same arguments may give another value under other settings, or at another time.
pub(super) fn is_not_immutable(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Call { function, .. } => function.volatility != Volatility::Immutable,
        ExprKind::ViaText(arg) => text_depends_on_settings(arg.ty.oid) || text_depends_on_settings(expr.ty.oid),
        _ => false,
    }
}

/// Whether a value of the type is read from its text, or written, as a setting says: DateStyle, TimeZone, the search path.
fn text_depends_on_settings(type_oid: Oid) -> bool {
    let category = nqdb_types::type_category(type_oid);
    // Dates and times, intervals, arrays, composites, enums; the reg types count as numbers.
    matches!(category, Some('D' | 'T' | 'A' | 'P' | 'E')) || nqdb_functions::is_object_reference(type_oid)
}

fn is_volatile(expr: &Expr) -> bool {
    matches!(&expr.kind, ExprKind::Call { function, .. } if function.volatility == Volatility::Volatile)
}
