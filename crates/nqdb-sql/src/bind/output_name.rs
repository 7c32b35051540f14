//! What a column of the select list without an alias is called (PostgreSQL's FigureColname).

use nqdb_types::array::element_type;
use nqdb_types::type_info;
use sqlparser::ast::{self, ObjectNamePart, TrimWhereField};

use super::types::built_in_type;
use crate::names::name_of;

/// The name of an expression's column: `?column?` when it has none of its own.
pub(super) fn output_name(expression: &ast::Expr) -> String {
    own_name(expression).map_or_else(|| "?column?".to_string(), |(name, _)| name)
}

/// What the column of an index is called that an expression makes (PostgreSQL's FigureIndexColname).
pub(crate) fn index_column_name(expression: &ast::Expr) -> String {
    own_name(expression).map_or_else(|| "expr".to_string(), |(name, _)| name)
}

/// How much a name is worth: a cast's type name gives way to the name of what is cast.
#[derive(PartialEq)]
enum Strength {
    Weak,
    Strong,
}

fn own_name(expression: &ast::Expr) -> Option<(String, Strength)> {
    use ast::Expr as E;
    let strong = |name: &str| Some((name.to_string(), Strength::Strong));
    match expression {
        E::Identifier(name) => Some((name_of(name), Strength::Strong)),
        E::CompoundIdentifier(names) => Some((name_of(names.last()?), Strength::Strong)),
        E::Nested(inner) | E::Collate { expr: inner, .. } => own_name(inner),
        E::Cast { expr, data_type, .. } => match own_name(expr) {
            Some((name, Strength::Strong)) => Some((name, Strength::Strong)),
            _ => Some((type_name(data_type)?, Strength::Weak)),
        },
        E::TypedString(typed) => Some((type_name(&typed.data_type)?, Strength::Weak)),
        E::Interval(_) => Some(("interval".to_string(), Strength::Weak)),
        E::Function(function) => match function.name.0.last()? {
            ObjectNamePart::Identifier(name) => Some((name_of(name), Strength::Strong)),
            ObjectNamePart::Function(_) => None,
        },
        E::Case { else_result, .. } => match else_result.as_deref().and_then(own_name) {
            Some((name, Strength::Strong)) => Some((name, Strength::Strong)),
            _ => Some(("case".to_string(), Strength::Weak)),
        },
        E::Extract { .. } => strong("extract"),
        E::Ceil { .. } => strong("ceil"),
        E::Floor { .. } => strong("floor"),
        E::Position { .. } => strong("position"),
        E::Substring { shorthand, .. } => strong(if *shorthand { "substr" } else { "substring" }),
        E::Overlay { .. } => strong("overlay"),
        E::Trim { trim_where, .. } => strong(match trim_where {
            None | Some(TrimWhereField::Both) => "btrim",
            Some(TrimWhereField::Leading) => "ltrim",
            Some(TrimWhereField::Trailing) => "rtrim",
        }),
        E::IsNormalized { negated: false, .. } => strong("is_normalized"),
        E::AtTimeZone { .. } => strong("timezone"),
        E::BinaryOp { op: ast::BinaryOperator::Overlaps, .. } => strong("overlaps"),
        E::Exists { negated: false, .. } => strong("exists"),
        E::Subquery(query) => subquery_name(&query.body).map(|name| (name, Strength::Strong)),
        E::Tuple(_) => strong("row"),
        E::Array(_) => strong("array"),
        E::CompoundFieldAccess { root, access_chain } => {
            let field = access_chain.iter().rev().find_map(|access| match access {
                ast::AccessExpr::Dot(field) => Some(field),
                ast::AccessExpr::Subscript(_) => None,
            });
            own_name(field.unwrap_or(root))
        }
        _ => None,
    }
}

/// A scalar subquery is called as its only column.
fn subquery_name(body: &ast::SetExpr) -> Option<String> {
    match body {
        ast::SetExpr::Select(select) => match select.projection.first()? {
            ast::SelectItem::UnnamedExpr(expression) => own_name(expression).map(|(name, _)| name),
            ast::SelectItem::ExprWithAlias { alias, .. } => Some(name_of(alias)),
            _ => None,
        },
        ast::SetExpr::Query(query) => subquery_name(&query.body),
        ast::SetExpr::Values(_) => Some("column1".to_string()),
        ast::SetExpr::SetOperation { left, .. } => subquery_name(left),
        _ => None,
    }
}

/// The catalog's name of a type: `integer` is called `int4`.
fn type_name(written: &ast::DataType) -> Option<String> {
    // A user's type is called as it was written.
    let bare = match written {
        ast::DataType::Array(
            ast::ArrayElemTypeDef::SquareBracket(element, _) | ast::ArrayElemTypeDef::Qualified(element, _),
        ) => element,
        other => other,
    };
    let Ok(ty) = built_in_type(written) else {
        let ast::DataType::Custom(name, _) = bare else { return None };
        return name.0.last().and_then(|part| part.as_ident()).map(name_of);
    };
    // Of an array the name of its elements' type, unless the array's own name was written (`_int4`).
    let named = match written {
        ast::DataType::Array(_) => element_type(ty.oid).unwrap_or(ty.oid),
        _ => ty.oid,
    };
    type_info(named).map(|info| info.name.to_string())
}
