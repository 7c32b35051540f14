//! Expressions as text, in the spelling of PostgreSQL's EXPLAIN: `((a > 1) AND (b = 'x'::text))`.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;
use nqdb_functions::{Function, all_operators};
use nqdb_types::{Datum, FormatContext, Type, TypeCatalog, oid, write_text};

use crate::ir::{AggregateCall, AggregateKey, ColumnId, Expr, ExprKind, Subscript, WindowCall, WindowCallee};
use crate::plan::ColumnName;

/// What EXPLAIN calls columns, and how it spells values.
pub(crate) struct Names {
    columns: HashMap<ColumnId, ColumnName, RandomState>,
    format: FormatContext,
}

impl Names {
    pub fn new(types: Arc<dyn TypeCatalog>) -> Names {
        Names { columns: HashMap::default(), format: FormatContext::of_types(types) }
    }

    pub fn insert(&mut self, id: ColumnId, name: ColumnName) {
        self.columns.insert(id, name);
    }

    pub fn get(&self, id: &ColumnId) -> Option<&ColumnName> {
        self.columns.get(id)
    }
}

/// A column under its name, qualified where the statement has several relations.
pub(crate) fn column(id: ColumnId, names: &Names) -> String {
    match names.get(&id) {
        Some(ColumnName { relation: Some(relation), column }) => format!("{relation}.{column}"),
        Some(ColumnName { relation: None, column }) => column.clone(),
        None => format!("#{}", id.0),
    }
}

/// Conditions joined by AND.
pub(crate) fn conjunction(conditions: &[Expr], names: &Names) -> String {
    match conditions {
        [condition] => in_parentheses(expression(condition, names)),
        _ => joined(conditions, " AND ", names),
    }
}

/// A bare column or call as a condition stands in parentheses nowhere but there.
fn in_parentheses(text: String) -> String {
    if text.starts_with('(') { text } else { format!("({text})") }
}

/// An aggregate call.
pub(crate) fn aggregate(call: &AggregateCall, names: &Names) -> String {
    let args = if call.args.is_empty() { "*".to_string() } else { list(&call.args, names) };
    let distinct = if call.distinct { "DISTINCT " } else { "" };
    if call.aggregate.ordered_set.is_some() {
        let direct = list(&call.direct, names);
        return format!("{}({direct}) WITHIN GROUP (ORDER BY {})", call.aggregate.name, order_list(&call.order, names));
    }
    let order = match call.order.as_slice() {
        [] => String::new(),
        order => format!(" ORDER BY {}", order_list(order, names)),
    };
    let filter = match &call.filter {
        Some(filter) => format!(" FILTER (WHERE {})", expression(filter, names)),
        None => String::new(),
    };
    format!("{}({distinct}{args}{order}){filter}", call.aggregate.name)
}

fn order_list(order: &[AggregateKey], names: &Names) -> String {
    let key = |key: &AggregateKey| {
        let direction = if key.descending { " DESC" } else { "" };
        let nulls = match (key.nulls_first, key.descending) {
            (true, false) => " NULLS FIRST",
            (false, true) => " NULLS LAST",
            _ => "",
        };
        format!("{}{direction}{nulls}", expression(&key.expr, names))
    };
    order.iter().map(key).collect::<Vec<_>>().join(", ")
}

/// A window function call, as PostgreSQL shows it.
pub(crate) fn window_call(call: &WindowCall, names: &Names) -> String {
    let filter = match &call.filter {
        Some(filter) => format!(" FILTER (WHERE {})", expression(filter, names)),
        None => String::new(),
    };
    match call.callee {
        WindowCallee::Function(function) => format!("{}({}) OVER (?)", function.name, list(&call.args, names)),
        WindowCallee::Aggregate(aggregate) => {
            let args = if call.args.is_empty() { "*".to_string() } else { list(&call.args, names) };
            format!("{}({args}){filter} OVER (?)", aggregate.name)
        }
    }
}

/// An expression.
pub(crate) fn expression(expr: &Expr, names: &Names) -> String {
    let of = |expr: &Expr| expression(expr, names);
    match &expr.kind {
        ExprKind::Literal(datum) => literal(datum, expr.ty, names),
        ExprKind::Param(index) => format!("${}", index + 1),
        ExprKind::Column(id) => column(*id, names),
        ExprKind::Call { function, args } => call(function, args, names),
        ExprKind::Relabel(arg) | ExprKind::ViaText(arg) | ExprKind::Convert { arg, .. } => {
            cast(&of(arg), expr.ty, names)
        }
        ExprKind::Typmod { arg, .. } => cast(&of(arg), expr.ty, names),
        ExprKind::And(args) => joined(args, " AND ", names),
        ExprKind::Or(args) => joined(args, " OR ", names),
        ExprKind::Not(arg) => format!("(NOT {})", of(arg)),
        ExprKind::IsNull { arg, negated } => format!("({} IS {}NULL)", of(arg), if *negated { "NOT " } else { "" }),
        ExprKind::IsBool { arg, value, negated } => {
            let word = match value {
                Some(true) => "TRUE",
                Some(false) => "FALSE",
                None => "UNKNOWN",
            };
            format!("({} IS {}{word})", of(arg), if *negated { "NOT " } else { "" })
        }
        ExprKind::IsDistinct { left, right, negated, .. } => {
            format!("({} IS {}DISTINCT FROM {})", of(left), if *negated { "NOT " } else { "" }, of(right))
        }
        ExprKind::NullIf { left, right, .. } => format!("NULLIF({}, {})", of(left), of(right)),
        ExprKind::Case { operand, arms, otherwise } => {
            let mut text = "CASE".to_string();
            if let Some(operand) = operand {
                text.push_str(&format!(" {}", of(operand)));
            }
            for (condition, result) in arms {
                text.push_str(&format!(" WHEN {} THEN {}", of(condition), of(result)));
            }
            if let Some(otherwise) = otherwise {
                text.push_str(&format!(" ELSE {}", of(otherwise)));
            }
            text + " END"
        }
        ExprKind::CaseOperand => "CASE_TEST_EXPR".to_string(),
        ExprKind::Coalesce(args) => format!("COALESCE({})", list(args, names)),
        ExprKind::MinMax { args, greatest, .. } => {
            format!("{}({})", if *greatest { "GREATEST" } else { "LEAST" }, list(args, names))
        }
        ExprKind::InList { arg, list: items, negated, .. } => {
            let word = if *negated { "NOT IN" } else { "IN" };
            format!("({} {word} ({}))", of(arg), list(items, names))
        }
        ExprKind::ScalarSubquery(_) => "(SubPlan)".to_string(),
        ExprKind::Exists(_) => "(exists SubPlan)".to_string(),
        ExprKind::Quantified { arg, function, all, .. } => {
            let symbol = operator_symbol(function).unwrap_or(function.name);
            format!("({} {symbol} {} (SubPlan))", of(arg), if *all { "ALL" } else { "ANY" })
        }
        ExprKind::QuantifiedArray { arg, function, array, all } => {
            let symbol = operator_symbol(function).unwrap_or(function.name);
            format!("({} {symbol} {} ({}))", of(arg), if *all { "ALL" } else { "ANY" }, of(array))
        }
        ExprKind::Array { items, .. } => format!("ARRAY[{}]", list(items, names)),
        ExprKind::ArraySubquery(_) => "ARRAY(SubPlan)".to_string(),
        ExprKind::Subscript { array, subscripts } => format!("{}{}", of(array), brackets(subscripts, names)),
        ExprKind::AssignSubscript { array, subscripts, value } => {
            format!("{}{} := {}", of(array), brackets(subscripts, names), of(value))
        }
        ExprKind::MapElements { array, .. } => cast(&of(array), expr.ty, names),
        ExprKind::Row { fields, .. } => format!("ROW({})", list(fields, names)),
        ExprKind::Domain { arg, .. } => cast(&of(arg), expr.ty, names),
        ExprKind::Field { record, name, .. } => format!("({}).{name}", of(record)),
        ExprKind::AssignField { record, index, value, shape } => {
            let name = shape.fields.get(*index).map_or("", |field| &field.name);
            format!("{}.{name} := {}", of(record), of(value))
        }
    }
}

fn brackets(subscripts: &[Subscript], names: &Names) -> String {
    let bound = |bound: &Option<Expr>| bound.as_ref().map(|bound| expression(bound, names)).unwrap_or_default();
    let one = |subscript: &Subscript| match subscript.is_slice {
        true => format!("[{}:{}]", bound(&subscript.lower), bound(&subscript.upper)),
        false => format!("[{}]", bound(&subscript.upper)),
    };
    subscripts.iter().map(one).collect()
}

fn list(exprs: &[Expr], names: &Names) -> String {
    exprs.iter().map(|expr| expression(expr, names)).collect::<Vec<_>>().join(", ")
}

fn joined(args: &[Expr], word: &str, names: &Names) -> String {
    let parts: Vec<String> = args.iter().map(|arg| expression(arg, names)).collect();
    format!("({})", parts.join(word))
}

fn call(function: &Function, args: &[Expr], names: &Names) -> String {
    match (operator_symbol(function), args) {
        (Some(symbol), [arg]) => format!("({symbol} {})", expression(arg, names)),
        (Some(symbol), [left, right]) => {
            format!("({} {symbol} {})", expression(left, names), expression(right, names))
        }
        _ => format!("{}({})", function.name, list(args, names)),
    }
}

/// The operator that a function implements.
fn operator_symbol(function: &Function) -> Option<&'static str> {
    all_operators().find(|operator| operator.function.oid == function.oid).map(|operator| operator.name)
}

fn cast(text: &str, ty: Type, names: &Names) -> String {
    if text.starts_with('(') || text.starts_with('\'') {
        format!("{text}::{}", names.format.type_name(ty))
    } else {
        format!("({text})::{}", names.format.type_name(ty))
    }
}

fn literal(datum: &Datum, ty: Type, names: &Names) -> String {
    if datum.is_null() {
        return format!("NULL::{}", names.format.type_name(ty));
    }
    let mut bytes = Vec::new();
    write_text(&mut bytes, datum, ty, &names.format);
    let text = String::from_utf8_lossy(&bytes).into_owned();
    match ty.oid {
        oid::BOOL => {
            if text == "t" {
                "true".to_string()
            } else {
                "false".to_string()
            }
        }
        oid::INT4 | oid::NUMERIC if text.starts_with(|c: char| c.is_ascii_digit()) => text,
        _ => format!("'{}'::{}", text.replace('\'', "''"), names.format.type_name(ty)),
    }
}
