//! Defaults and checks as `pg_get_expr` and `pg_get_constraintdef` print them: `((a > 0) AND ((b)::text <> 'x'::text))`, and
//! pretty `a > 0 AND b::text <> 'x'::text`.
//!
//! Expressions are stored as the text that was written. Here they are bound again, so that types, casts and operators are
//! spelled out. What this file cannot spell (or what does not bind any more) stays as it was written.

use std::sync::Arc;

use nqdb_catalog::TableDef;
use nqdb_functions::{Function, all_operators, casts, is_object_reference, quote_identifier};
use nqdb_types::{Datum, FormatContext, Type, oid, write_text};

use super::object_name::object_name;
use crate::bind::{BindContext, bind_domain_check, bind_stored_expression};
use crate::ir::{ColumnId, Expr, ExprKind};

/// The text of a stored expression over the columns of a table, or over none.
pub fn expression_text(stored: &str, table: Option<&Arc<TableDef>>, pretty: bool, cx: &BindContext<'_>) -> String {
    let written = stored.trim();
    if WORDS.iter().any(|word| word.eq_ignore_ascii_case(written)) {
        return written.to_ascii_uppercase();
    }
    let Ok(bound) = bind_stored_expression(written, table, cx) else { return written.to_string() };
    let writer = Writer { table, is_domain: false, pretty, cx };
    writer.expression(&bound).unwrap_or_else(|| written.to_string())
}

/// The text of a domain's check, which is about VALUE.
pub(super) fn domain_expression_text(stored: &str, base: Type, pretty: bool, cx: &BindContext<'_>) -> String {
    let written = stored.trim();
    let Ok(bound) = bind_domain_check(written, base, cx) else { return written.to_string() };
    let writer = Writer { table: None, is_domain: true, pretty, cx };
    writer.expression(&bound).unwrap_or_else(|| written.to_string())
}

/// The text of an expression in the key of an index: in parentheses, unless it is a call.
pub(super) fn key_expression_text(stored: &str, table: &Arc<TableDef>, pretty: bool, cx: &BindContext<'_>) -> String {
    let text = expression_text(stored, Some(table), pretty, cx);
    let is_call = bind_stored_expression(stored, Some(table), cx).is_ok_and(|bound| looks_like_call(&bound));
    if is_call { text } else { format!("({text})") }
}

/// Functions, and what is written as one; no operators and no casts.
fn looks_like_call(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Call { function, args } => {
            let is_cast = matches!(args.as_slice(), [arg] if is_cast(function, arg.ty, expr.ty));
            !is_cast && operator_symbol(function, args).is_none()
        }
        ExprKind::Coalesce(_) | ExprKind::MinMax { .. } | ExprKind::NullIf { .. } => true,
        _ => false,
    }
}

/// Functions that are written as bare words.
const WORDS: [&str; 9] = [
    "CURRENT_DATE",
    "CURRENT_TIME",
    "CURRENT_TIMESTAMP",
    "LOCALTIME",
    "LOCALTIMESTAMP",
    "CURRENT_USER",
    "CURRENT_ROLE",
    "SESSION_USER",
    "CURRENT_CATALOG",
];

struct Writer<'a> {
    table: Option<&'a Arc<TableDef>>,
    /// Its only column is VALUE.
    is_domain: bool,
    pretty: bool,
    cx: &'a BindContext<'a>,
}

impl Writer<'_> {
    /// The text; `None` for what has no spelling here.
    fn expression(&self, expr: &Expr) -> Option<String> {
        Some(match &expr.kind {
            ExprKind::Literal(datum) => self.literal(datum, expr.ty),
            ExprKind::Column(id) => self.column(*id)?,
            ExprKind::Call { function, args } => self.call(function, args, expr.ty)?,
            ExprKind::Relabel(arg)
            | ExprKind::ViaText(arg)
            | ExprKind::Domain { arg, .. }
            | ExprKind::Convert { arg, .. } => self.cast(arg, expr.ty)?,
            ExprKind::Typmod { arg, .. } => self.cast(without_cast(arg), expr.ty)?,
            ExprKind::And(args) => self.joined(args, " AND ")?,
            ExprKind::Or(args) => self.joined(args, " OR ")?,
            ExprKind::Not(arg) => self.enclosed(format!("NOT {}", self.operand(arg)?)),
            ExprKind::IsNull { arg, negated } => self.test(arg, *negated, "NULL")?,
            ExprKind::IsBool { arg, value, negated } => {
                let word = match value {
                    Some(true) => "TRUE",
                    Some(false) => "FALSE",
                    None => "UNKNOWN",
                };
                self.test(arg, *negated, word)?
            }
            ExprKind::IsDistinct { left, right, negated, .. } => {
                let word = if *negated { "IS NOT DISTINCT FROM" } else { "IS DISTINCT FROM" };
                self.enclosed(format!("{} {word} {}", self.operand(left)?, self.operand(right)?))
            }
            ExprKind::NullIf { left, right, .. } => {
                format!("NULLIF({}, {})", self.expression(left)?, self.expression(right)?)
            }
            ExprKind::Case { operand: None, arms, otherwise } => self.case(arms, otherwise.as_deref())?,
            ExprKind::Coalesce(args) => format!("COALESCE({})", self.list(args)?),
            ExprKind::MinMax { args, greatest, .. } => {
                format!("{}({})", if *greatest { "GREATEST" } else { "LEAST" }, self.list(args)?)
            }
            ExprKind::InList { arg, list, negated, .. } => {
                let word = if *negated { "<> ALL" } else { "= ANY" };
                self.enclosed(format!("{} {word} (ARRAY[{}])", self.operand(arg)?, self.list(list)?))
            }
            ExprKind::QuantifiedArray { arg, function, array, all } => {
                let symbol = comparison_symbol(function)?;
                let word = if *all { "ALL" } else { "ANY" };
                self.enclosed(format!("{} {symbol} {word} ({})", self.operand(arg)?, self.expression(array)?))
            }
            ExprKind::Array { items, nested: false } => format!("ARRAY[{}]", self.list(items)?),
            _ => return None,
        })
    }

    /// In parentheses, unless they are left out where nothing depends on them.
    fn enclosed(&self, text: String) -> String {
        if self.pretty { text } else { format!("({text})") }
    }

    /// An operand of an operator: pretty text needs parentheses here where plain text has them already.
    fn operand(&self, expr: &Expr) -> Option<String> {
        let text = self.expression(expr)?;
        let needs = self.pretty && (is_compound(expr) || is_operator_call(expr));
        Some(if needs { format!("({text})") } else { text })
    }

    fn column(&self, id: ColumnId) -> Option<String> {
        if self.is_domain {
            return Some("VALUE".to_string());
        }
        let (_, column) = self.table?.live_columns().nth(id.0 as usize)?;
        Some(quote_identifier(&column.name))
    }

    fn list(&self, exprs: &[Expr]) -> Option<String> {
        let texts: Option<Vec<String>> = exprs.iter().map(|expr| self.expression(expr)).collect();
        Some(texts?.join(", "))
    }

    fn joined(&self, args: &[Expr], word: &str) -> Option<String> {
        let is_or = word == " OR ";
        let texts: Option<Vec<String>> = args
            .iter()
            .map(|arg| {
                let text = self.expression(arg)?;
                let is_list = matches!(arg.kind, ExprKind::InList { .. } | ExprKind::QuantifiedArray { .. });
                let needs = self.pretty && (is_list || (!is_or && matches!(arg.kind, ExprKind::Or(_))));
                Some(if needs { format!("({text})") } else { text })
            })
            .collect();
        Some(self.enclosed(texts?.join(word)))
    }

    fn test(&self, arg: &Expr, negated: bool, word: &str) -> Option<String> {
        let not = if negated { "NOT " } else { "" };
        Some(self.enclosed(format!("{} IS {not}{word}", self.operand(arg)?)))
    }

    fn case(&self, arms: &[(Expr, Expr)], otherwise: Option<&Expr>) -> Option<String> {
        let mut text = "\nCASE".to_string();
        for (condition, result) in arms {
            let (condition, result) = (self.expression(condition)?, self.expression(result)?);
            text.push_str(&format!("\n    WHEN {condition} THEN {result}"));
        }
        match otherwise {
            Some(otherwise) => text.push_str(&format!("\n    ELSE {}", self.expression(otherwise)?)),
            None => text.push_str(&format!("\n    ELSE NULL::{}", self.cx.format.type_name(arms.first()?.1.ty))),
        }
        Some(text + "\nEND")
    }

    fn cast(&self, arg: &Expr, ty: Type) -> Option<String> {
        if let ExprKind::Literal(datum) = &arg.kind
            && arg.ty.oid == oid::UNKNOWN
        {
            return Some(self.literal(datum, ty));
        }
        let text = self.expression(arg)?;
        let simple = text.starts_with('\'') && matches!(arg.kind, ExprKind::Literal(_));
        let text = match (self.pretty, is_compound(arg) || is_operator_call(arg)) {
            (true, true) => format!("({text})"),
            (true, false) => text,
            (false, _) if simple || text.starts_with('(') && is_operator_call(arg) => text,
            (false, _) => format!("({text})"),
        };
        Some(format!("{text}::{}", self.cx.format.type_name(ty)))
    }

    fn call(&self, function: &'static Function, args: &[Expr], ty: Type) -> Option<String> {
        if let [arg] = args
            && is_cast(function, arg.ty, ty)
        {
            return self.cast(arg, Type::new(function.returns));
        }
        match (operator_symbol(function, args), args) {
            (Some(symbol), [arg]) => Some(self.enclosed(format!("{symbol} {}", self.operand(arg)?))),
            (Some(symbol), [left, right]) => {
                Some(self.enclosed(format!("{} {symbol} {}", self.operand(left)?, self.operand(right)?)))
            }
            _ => self.plain_call(function, args),
        }
    }

    /// A call by name; some names have a syntax of their own.
    fn plain_call(&self, function: &Function, args: &[Expr]) -> Option<String> {
        let text = |at: usize| args.get(at).and_then(|arg| self.expression(arg));
        Some(match (function.name, args.len()) {
            ("extract", 2) => format!("EXTRACT({} FROM {})", field_name(args.first()?)?, text(1)?),
            ("substring", 3) => format!("SUBSTRING({} FROM {} FOR {})", text(0)?, text(1)?, text(2)?),
            ("substring", 2) => format!("SUBSTRING({} FROM {})", text(0)?, text(1)?),
            ("position", 2) => format!("POSITION(({}) IN ({}))", text(1)?, text(0)?),
            ("btrim", 1) => format!("TRIM(BOTH FROM {})", text(0)?),
            ("ltrim", 1) => format!("TRIM(LEADING FROM {})", text(0)?),
            ("rtrim", 1) => format!("TRIM(TRAILING FROM {})", text(0)?),
            ("timezone", 2) => self.enclosed(format!("{} AT TIME ZONE {}", text(1)?, text(0)?)),
            (name, _) => format!("{}({})", quote_identifier(name), self.list(args)?),
        })
    }

    fn literal(&self, datum: &Datum, ty: Type) -> String {
        let bare = Type::new(ty.oid);
        if datum.is_null() {
            return format!("NULL::{}", self.cx.format.type_name(bare));
        }
        let named = match datum {
            Datum::Oid(object) if is_object_reference(ty.oid) => {
                object_name(self.cx.catalog, self.cx.search_path, ty.oid, *object)
            }
            _ => None,
        };
        let text = named.unwrap_or_else(|| {
            let mut bytes = Vec::new();
            write_text(&mut bytes, datum, bare, &FormatContext::of_types(self.cx.format.types.clone()));
            String::from_utf8_lossy(&bytes).into_owned()
        });
        match ty.oid {
            oid::BOOL => (if text == "t" { "true" } else { "false" }).to_string(),
            oid::INT4 | oid::NUMERIC if text.starts_with(|first: char| first.is_ascii_digit()) => text,
            _ => format!("'{}'::{}", text.replace('\'', "''"), self.cx.format.type_name(bare)),
        }
    }
}

/// Whether the text of an expression has an operator word at its top, so that it cannot stand beside another operator.
fn is_compound(expr: &Expr) -> bool {
    matches!(
        expr.kind,
        ExprKind::And(_)
            | ExprKind::Or(_)
            | ExprKind::Not(_)
            | ExprKind::IsNull { .. }
            | ExprKind::IsBool { .. }
            | ExprKind::IsDistinct { .. }
            | ExprKind::InList { .. }
            | ExprKind::Case { .. }
    )
}

fn is_operator_call(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Call { function, args } => operator_symbol(function, args).is_some(),
        _ => false,
    }
}

/// The argument of a cast of the same type, which the modifier's name stands for.
fn without_cast(expr: &Expr) -> &Expr {
    match &expr.kind {
        ExprKind::Relabel(arg) | ExprKind::ViaText(arg) => arg,
        ExprKind::Call { function, args } => match args.as_slice() {
            [arg] if is_cast(function, arg.ty, expr.ty) => arg,
            _ => expr,
        },
        _ => expr,
    }
}

/// Whether a function is there to convert between the two types.
fn is_cast(function: &Function, from: Type, to: Type) -> bool {
    casts().iter().any(|cast| cast.catalog_function == function.oid && cast.source == from.oid && cast.target == to.oid)
}

/// The operator that a function of so many arguments implements.
fn operator_symbol(function: &Function, args: &[Expr]) -> Option<&'static str> {
    all_operators()
        .find(|operator| {
            operator.function.oid == function.oid && operator.left.is_some() == (args.len() == 2) && args.len() < 3
        })
        .map(|operator| operator.name)
}

/// The operator of two operands that a function implements.
fn comparison_symbol(function: &Function) -> Option<&'static str> {
    let is_it = |operator: &&nqdb_functions::Operator| operator.function.oid == function.oid && operator.left.is_some();
    all_operators().find(is_it).map(|operator| operator.name)
}

/// The field of EXTRACT, as it was written.
fn field_name(expr: &Expr) -> Option<&str> {
    match &expr.kind {
        ExprKind::Literal(datum) => datum.as_text(),
        _ => None,
    }
}
