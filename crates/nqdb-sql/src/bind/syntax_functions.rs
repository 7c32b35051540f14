//! Functions with a syntax of their own (EXTRACT, SUBSTRING, POSITION, TRIM, OVERLAY, AT TIME ZONE, CEIL, FLOOR,
//! NORMALIZE, IS NORMALIZED):
//! each stands for a function of `pg_proc`.

use nqdb_sqlstate::{SqlError, SqlResult};
use nqdb_types::{Datum, Type};
use sqlparser::ast::{self, CeilFloorKind, DateTimeField, ExtractSyntax, TrimWhereField};

use super::literal::literal;
use super::operators::negation;
use super::{Binder, leftmost};
use crate::ir::Expr;

impl Binder<'_> {
    pub(super) fn bind_syntax_function(&mut self, expression: &ast::Expr) -> SqlResult<Expr> {
        let position = self.position_of(expression);
        match expression {
            ast::Expr::Extract { field, syntax, expr } => {
                if *syntax == ExtractSyntax::Comma {
                    return Err(self.syntax_error_at(position, ","));
                }
                let field = literal(Datum::text(field_name(field)), Type::TEXT, position);
                let arg = self.bind_expr(expr)?;
                self.call_named("extract", vec![field, arg], position)
            }
            ast::Expr::Ceil { expr, field } => self.bind_rounding("ceil", expr, field, position),
            ast::Expr::Floor { expr, field } => self.bind_rounding("floor", expr, field, position),
            ast::Expr::Position { expr, r#in } => {
                let part = self.bind_expr(expr)?;
                let whole = self.bind_expr(r#in)?;
                self.call_named("position", vec![whole, part], position)
            }
            ast::Expr::Substring { expr, substring_from, substring_for, special: _, shorthand } => {
                let mut args = vec![self.bind_expr(expr)?];
                match substring_from {
                    Some(from) => args.push(self.bind_expr(from)?),
                    None => args.push(literal(Datum::Int4(1), Type::INT4, position)),
                }
                if let Some(length) = substring_for {
                    args.push(self.bind_expr(length)?);
                }
                self.call_named(if *shorthand { "substr" } else { "substring" }, args, position)
            }
            ast::Expr::Trim { trim_where, trim_what, expr, trim_characters } => {
                let name = match trim_where {
                    None | Some(TrimWhereField::Both) => "btrim",
                    Some(TrimWhereField::Leading) => "ltrim",
                    Some(TrimWhereField::Trailing) => "rtrim",
                };
                let mut args = vec![self.bind_expr(expr)?];
                if let Some(what) = trim_what {
                    args.push(self.bind_expr(what)?);
                }
                for what in trim_characters.iter().flatten() {
                    args.push(self.bind_expr(what)?);
                }
                self.call_named(name, args, position)
            }
            ast::Expr::Overlay { expr, overlay_what, overlay_from, overlay_for } => {
                let mut args =
                    vec![self.bind_expr(expr)?, self.bind_expr(overlay_what)?, self.bind_expr(overlay_from)?];
                if let Some(length) = overlay_for {
                    args.push(self.bind_expr(length)?);
                }
                self.call_named("overlay", args, position)
            }
            ast::Expr::AtTimeZone { timestamp, time_zone } => {
                let time = self.bind_expr(timestamp)?;
                let zone = self.bind_expr(time_zone)?;
                let start = leftmost(position, time.position);
                self.call_named("timezone", vec![zone, time], start)
            }
            ast::Expr::IsNormalized { expr, form, negated } => {
                let form = form.map_or_else(|| "NFC".to_string(), |form| form.to_string());
                let args = vec![self.bind_expr(expr)?, literal(Datum::text(form), Type::TEXT, position)];
                let test = self.call_named("is_normalized", args, position)?;
                Ok(if *negated { negation(test, position) } else { test })
            }
            _ => Err(SqlError::internal("no function with a syntax of its own")),
        }
    }

    /// `normalize(text, form)`, where the form is a keyword.
    pub(super) fn bind_normalize(
        &mut self,
        text: &ast::Expr,
        form: &ast::Expr,
        position: Option<u32>,
    ) -> SqlResult<Expr> {
        let keyword = match form {
            ast::Expr::Identifier(word) if word.quote_style.is_none() => word.value.to_ascii_uppercase(),
            _ => String::new(),
        };
        let form_position = self.position_of(form);
        if !matches!(keyword.as_str(), "NFC" | "NFD" | "NFKC" | "NFKD") {
            return Err(self.syntax_error_at(form_position, &form.to_string()));
        }
        let args = vec![self.bind_expr(text)?, literal(Datum::text(keyword), Type::TEXT, form_position)];
        self.call_named("normalize", args, position)
    }

    fn bind_rounding(
        &mut self,
        name: &str,
        arg: &ast::Expr,
        field: &CeilFloorKind,
        position: Option<u32>,
    ) -> SqlResult<Expr> {
        if !matches!(field, CeilFloorKind::DateTimeField(DateTimeField::NoDateTime)) {
            return Err(self.syntax_error_at(position, name));
        }
        let arg = self.bind_expr(arg)?;
        self.call_named(name, vec![arg], position)
    }
}

/// The name of a field as the function gets it.
fn field_name(field: &DateTimeField) -> String {
    match field {
        DateTimeField::Custom(name) => name.value.to_lowercase(),
        field => field.to_string().to_lowercase(),
    }
}
