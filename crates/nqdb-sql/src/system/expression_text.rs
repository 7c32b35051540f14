//! Defaults and checks as `pg_get_expr` and `pg_get_constraintdef` print them: `((a > 0) AND ((b)::text <> 'x'::text))`, and
//! pretty `a > 0 AND b::text <> 'x'::text`.
//!
//! Expressions are stored as the text that was written. Here they are bound again, so that types, casts and operators are
//! spelled out. What this file cannot spell (or what does not bind any more) stays as it was written.

use std::cell::Cell;
use std::sync::Arc;

use nqdb_catalog::TableDef;
use nqdb_functions::{Aggregate, Function, all_operators, casts, is_object_reference, quote_identifier};
use nqdb_types::{Datum, FormatContext, Type, oid, type_category, write_text};

use super::object_name::object_name;
use super::query_text::{Meaning, QueryScope, finished, line_break, subquery_text};
use crate::bind::{BindContext, Computed, bind_domain_check, bind_stored_expression};
use crate::ir::{AggregateCall, ColumnId, Expr, ExprKind, Query, Subscript, WindowCallee};

/// The text of a stored expression over the columns of a table, or over none.
pub fn expression_text(stored: &str, table: Option<&Arc<TableDef>>, pretty: bool, cx: &BindContext<'_>) -> String {
    let written = stored.trim();
    if WORDS.iter().any(|word| word.eq_ignore_ascii_case(written)) {
        return written.to_ascii_uppercase();
    }
    let Ok(bound) = bind_stored_expression(written, table, cx) else { return written.to_string() };
    let columns = table.map_or(ColumnNames::None, ColumnNames::Table);
    let writer = Writer { columns, pretty, indent: Cell::new(0), cx };
    writer.expression(&bound).map_or_else(|| written.to_string(), |text| finished(&text))
}

/// The text of a domain's check, which is about VALUE.
pub(super) fn domain_expression_text(stored: &str, base: Type, pretty: bool, cx: &BindContext<'_>) -> String {
    let written = stored.trim();
    let Ok(bound) = bind_domain_check(written, base, cx) else { return written.to_string() };
    let writer = Writer { columns: ColumnNames::Domain, pretty, indent: Cell::new(0), cx };
    writer.expression(&bound).map_or_else(|| written.to_string(), |text| finished(&text))
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

/// What columns of an expression are called.
pub(super) enum ColumnNames<'a> {
    /// There are none.
    None,
    /// Their ids number the live columns of a table.
    Table(&'a Arc<TableDef>),
    /// The only one is VALUE.
    Domain,
    /// Those of the items of FROM of a query, and what it computes of them.
    Query(&'a QueryScope),
}

pub(super) struct Writer<'a> {
    pub columns: ColumnNames<'a>,
    pub pretty: bool,
    /// How far the clause is indented that the expression is in.
    pub indent: Cell<i32>,
    pub cx: &'a BindContext<'a>,
}

/// How much further the arms of CASE are indented.
const ARM_INDENT: i32 = 4;

impl Writer<'_> {
    /// The text; `None` for what has no spelling here.
    pub(super) fn expression(&self, expr: &Expr) -> Option<String> {
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
            ExprKind::Not(arg) => {
                let text = self.expression(arg)?;
                let text = if self.pretty && is_list_of_conditions(arg) { format!("({text})") } else { text };
                self.enclosed(format!("NOT {text}"))
            }
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
            ExprKind::Case { operand, arms, otherwise } => self.case(operand.as_deref(), arms, otherwise.as_deref())?,
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
            ExprKind::Array { items, .. } if items.is_empty() => {
                format!("ARRAY[]::{}", self.cx.format.type_name(expr.ty.bare()))
            }
            ExprKind::Array { items, .. } => format!("ARRAY[{}]", self.list(items)?),
            ExprKind::Subscript { array, subscripts } => self.subscripts(array, subscripts)?,
            ExprKind::Row { fields, shape, .. } if is_anonymous(shape) => format!("ROW({})", self.list(fields)?),
            ExprKind::ScalarSubquery(query) => format!("({})", self.subquery(query)?),
            ExprKind::ArraySubquery(query) => format!("ARRAY({})", self.subquery(query)?),
            ExprKind::Exists(query) => format!("(EXISTS ({}))", self.subquery(query)?),
            ExprKind::Quantified { arg, function, query, all } => {
                let symbol = comparison_symbol(function)?;
                let word = match (symbol, all) {
                    ("=", false) => "IN".to_string(),
                    (symbol, false) => format!("{symbol} ANY"),
                    (symbol, true) => format!("{symbol} ALL"),
                };
                format!("({} {word} ({}))", self.expression(arg)?, self.subquery(query)?)
            }
            _ => return None,
        })
    }

    /// In parentheses, unless they are left out where nothing depends on them.
    fn enclosed(&self, text: String) -> String {
        if self.pretty { text } else { format!("({text})") }
    }

    /// An operand of an operator that a function implements. In pretty text arithmetic goes without parentheses where it binds
    /// tighter, or stands first.
    fn operand_of(&self, function: &Function, symbol: &str, at: usize, arg: &Expr) -> Option<String> {
        let text = self.argument(function.args.get(at).copied(), arg)?;
        if !self.pretty || !(is_compound(arg) || is_operator_call(arg) || is_subquery(arg)) {
            return Some(text);
        }
        let binds = |symbol: &str| match symbol {
            "*" | "/" | "%" => Some(2),
            "+" | "-" => Some(1),
            _ => None,
        };
        let inner = match &arg.kind {
            ExprKind::Call { function, args } if args.len() == 2 => operator_symbol(function, args).and_then(binds),
            _ => None,
        };
        let is_tight = match (inner, binds(symbol).filter(|_| function.args.len() == 2)) {
            (Some(inner), Some(outer)) => inner > outer || inner == outer && at == 0,
            _ => false,
        };
        Some(if is_tight { text } else { format!("({text})") })
    }

    /// An operand of an operator: pretty text needs parentheses here where plain text has them already.
    fn operand(&self, expr: &Expr) -> Option<String> {
        let text = self.expression(expr)?;
        let needs = self.pretty && (is_compound(expr) || is_operator_call(expr) || is_subquery(expr));
        Some(if needs { format!("({text})") } else { text })
    }

    fn column(&self, id: ColumnId) -> Option<String> {
        let scope = match &self.columns {
            ColumnNames::None => return None,
            ColumnNames::Domain => return Some("VALUE".to_string()),
            ColumnNames::Table(table) => {
                let (_, column) = table.live_columns().nth(id.0 as usize)?;
                return Some(quote_identifier(&column.name));
            }
            ColumnNames::Query(scope) => scope,
        };
        match scope.meaning(id)? {
            Meaning::Computed(computed) => self.computed(&computed),
            Meaning::Named(Some(item), name) => {
                Some(format!("{}.{}", quote_identifier(&item), quote_identifier(&name)))
            }
            Meaning::Named(None, name) => Some(quote_identifier(&name)),
        }
    }

    /// Whether a column stands for a call.
    pub(super) fn is_computed(&self, id: ColumnId) -> bool {
        match &self.columns {
            ColumnNames::Query(scope) => matches!(scope.meaning(id), Some(Meaning::Computed(_))),
            ColumnNames::None | ColumnNames::Table(_) | ColumnNames::Domain => false,
        }
    }

    fn computed(&self, computed: &Computed) -> Option<String> {
        Some(match computed {
            Computed::Aggregate(call) => self.aggregate(call)?,
            Computed::Grouping(args) => format!("GROUPING({})", self.list(args)?),
            Computed::Set { function, args } => self.plain_call(function, args)?,
            Computed::Window { callee, args, filter, window } => {
                let name = match callee {
                    WindowCallee::Function(function) => function.name,
                    WindowCallee::Aggregate(aggregate) => aggregate.name,
                };
                let is_star = args.is_empty() && matches!(callee, WindowCallee::Aggregate(_));
                let args = if is_star { "*".to_string() } else { self.list(args)? };
                let filter = self.filter(filter.as_ref())?;
                let over = match &window.name {
                    Some(name) => quote_identifier(name),
                    None => self.window(window)?,
                };
                format!("{}({args}){filter} OVER {over}", quote_identifier(name))
            }
        })
    }

    fn filter(&self, filter: Option<&Expr>) -> Option<String> {
        match filter {
            Some(filter) => Some(format!(" FILTER (WHERE {})", self.expression(filter)?)),
            None => Some(String::new()),
        }
    }

    fn aggregate(&self, call: &AggregateCall) -> Option<String> {
        let name = quote_identifier(call.aggregate.name);
        let filter = self.filter(call.filter.as_ref())?;
        let mut keys = Vec::with_capacity(call.order.len());
        for key in &call.order {
            let direction = super::query_text::direction(key.descending, key.nulls_first);
            keys.push(format!("{}{direction}", self.sort_expression(&key.expr)?));
        }
        let keys = keys.join(", ");
        if call.aggregate.ordered_set.is_some() {
            return Some(format!("{name}({}) WITHIN GROUP (ORDER BY {keys}){filter}", self.list(&call.direct)?));
        }
        let args =
            if call.args.is_empty() { "*".to_string() } else { self.aggregate_arguments(call.aggregate, &call.args)? };
        let distinct = if call.distinct { "DISTINCT " } else { "" };
        let order = if keys.is_empty() { String::new() } else { format!(" ORDER BY {keys}") };
        Some(format!("{name}({distinct}{args}{order}){filter}"))
    }

    fn aggregate_arguments(&self, aggregate: &Aggregate, args: &[Expr]) -> Option<String> {
        let texts: Option<Vec<String>> =
            args.iter().enumerate().map(|(at, arg)| self.argument(aggregate.args.get(at).copied(), arg)).collect();
        Some(texts?.join(", "))
    }

    /// An argument of a function or operator: a column of a domain is shown as one of the type that is taken, as in PostgreSQL.
    fn argument(&self, declared: Option<u32>, arg: &Expr) -> Option<String> {
        let text = self.expression(arg)?;
        let ExprKind::Column(id) = arg.kind else { return Some(text) };
        // A cast to the type below its domain leaves nothing of itself but the column.
        let stored = match &self.columns {
            ColumnNames::Table(table) => table.live_columns().nth(id.0 as usize).map(|(_, column)| column.ty),
            ColumnNames::None | ColumnNames::Domain | ColumnNames::Query(_) => None,
        };
        let is_domain = stored.unwrap_or(arg.ty).domain != oid::INVALID && !self.is_computed(id);
        match declared.filter(|declared| is_domain && type_category(*declared) != Some('P')) {
            Some(declared) => {
                let name = self.cx.format.type_name(Type::new(declared));
                Some(if self.pretty { format!("{text}::{name}") } else { format!("({text})::{name}") })
            }
            None => Some(text),
        }
    }

    fn subscripts(&self, array: &Expr, subscripts: &[Subscript]) -> Option<String> {
        let mut text = self.expression(array)?;
        if !matches!(array.kind, ExprKind::Column(id) if !self.is_computed(id)) {
            text = format!("({text})");
        }
        for Subscript { lower, upper, is_slice } in subscripts {
            let bound = |bound: &Option<Expr>| match bound {
                Some(bound) => self.expression(bound),
                None => Some(String::new()),
            };
            let upper = bound(upper)?;
            text.push_str(&if *is_slice { format!("[{}:{upper}]", bound(lower)?) } else { format!("[{upper}]") });
        }
        Some(text)
    }

    fn subquery(&self, query: &Query) -> Option<String> {
        let ColumnNames::Query(scope) = &self.columns else { return None };
        let written = scope.notes.subqueries.get(&query.output.first()?.id)?;
        subquery_text(written, scope, self)
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

    fn case(&self, operand: Option<&Expr>, arms: &[(Expr, Expr)], otherwise: Option<&Expr>) -> Option<String> {
        let indent = self.indent.get();
        let mut text = line_break(indent, 0) + "CASE";
        self.indent.set(indent + ARM_INDENT);
        if let Some(operand) = operand {
            text.push_str(&format!(" {}", self.expression(operand)?));
        }
        let arm_break = line_break(indent + ARM_INDENT, 0);
        for (condition, result) in arms {
            let condition = self.expression(operand.map_or(Some(condition), |_| compared_with(condition))?)?;
            text.push_str(&format!("{arm_break}WHEN {condition} THEN {}", self.expression(result)?));
        }
        match otherwise {
            Some(otherwise) => text.push_str(&format!("{arm_break}ELSE {}", self.expression(otherwise)?)),
            None => {
                let name = self.cx.format.type_name(arms.first()?.1.ty);
                text.push_str(&format!("{arm_break}ELSE NULL::{name}"));
            }
        }
        self.indent.set(indent);
        Some(text + &line_break(indent, 0) + "END")
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
            (Some(symbol), [arg]) => {
                Some(self.enclosed(format!("{symbol} {}", self.operand_of(function, symbol, 0, arg)?)))
            }
            (Some(symbol), [left, right]) => {
                let (left, right) =
                    (self.operand_of(function, symbol, 0, left)?, self.operand_of(function, symbol, 1, right)?);
                Some(self.enclosed(format!("{left} {symbol} {right}")))
            }
            _ => self.plain_call(function, args),
        }
    }

    /// A function in FROM.
    pub(super) fn call_text(&self, function: &'static Function, args: &[Expr]) -> Option<String> {
        self.plain_call(function, args)
    }

    /// Whether an expression is a cast by a function.
    pub(super) fn is_cast_call(&self, expr: &Expr) -> bool {
        match &expr.kind {
            ExprKind::Call { function, args } => matches!(args.as_slice(), [arg] if is_cast(function, arg.ty, expr.ty)),
            _ => false,
        }
    }

    /// Whether an expression calls a function, a cast's too, and is no operator.
    pub(super) fn is_call(&self, expr: &Expr) -> bool {
        match &expr.kind {
            ExprKind::Column(id) => self.is_computed(*id),
            ExprKind::Call { function, args } => operator_symbol(function, args).is_none(),
            _ => false,
        }
    }

    /// A call by name; some names have a syntax of their own.
    fn plain_call(&self, function: &Function, args: &[Expr]) -> Option<String> {
        let text = |at: usize| args.get(at).and_then(|arg| self.argument(function.args.get(at).copied(), arg));
        Some(match (function.name, args.len()) {
            ("extract", 2) => format!("EXTRACT({} FROM {})", field_name(args.first()?)?, text(1)?),
            ("substring", 3) => format!("SUBSTRING({} FROM {} FOR {})", text(0)?, text(1)?, text(2)?),
            ("substring", 2) => format!("SUBSTRING({} FROM {})", text(0)?, text(1)?),
            ("position", 2) => format!("POSITION(({}) IN ({}))", text(1)?, text(0)?),
            ("btrim", 1) => format!("TRIM(BOTH FROM {})", text(0)?),
            ("ltrim", 1) => format!("TRIM(LEADING FROM {})", text(0)?),
            ("rtrim", 1) => format!("TRIM(TRAILING FROM {})", text(0)?),
            ("timezone", 2) => format!("({} AT TIME ZONE {})", text(1)?, text(0)?),
            (name, count) => {
                let args: Option<Vec<String>> = (0..count).map(text).collect();
                // Those of information_schema are known by their qualified names.
                let name = if name.contains('.') { name.to_string() } else { quote_identifier(name) };
                format!("{name}({})", args?.join(", "))
            }
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
            oid::INT4 if text.starts_with(|first: char| first.is_ascii_digit()) => text,
            oid::NUMERIC if text.starts_with(|first: char| first.is_ascii_digit()) && text.contains(['.', 'e']) => text,
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

/// What the operand of a CASE is compared with in one of its conditions.
fn compared_with(condition: &Expr) -> Option<&Expr> {
    match &condition.kind {
        ExprKind::Call { args, .. } => match args.as_slice() {
            [operand, value] if is_case_operand(operand) => Some(value),
            _ => None,
        },
        _ => None,
    }
}

/// Whether an expression is the operand of the CASE around it, whatever it is converted to.
fn is_case_operand(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::CaseOperand => true,
        ExprKind::Relabel(arg) => is_case_operand(arg),
        ExprKind::Call { args, .. } => matches!(args.as_slice(), [arg] if is_case_operand(arg)),
        _ => false,
    }
}

/// Whether the fields of a record have no names but those of ROW.
fn is_anonymous(shape: &nqdb_types::RecordShape) -> bool {
    shape.fields.iter().enumerate().all(|(at, field)| *field.name == format!("f{}", at + 1))
}

fn is_subquery(expr: &Expr) -> bool {
    use ExprKind::{ArraySubquery, Exists, Quantified, ScalarSubquery};
    matches!(expr.kind, ScalarSubquery(_) | ArraySubquery(_) | Exists(_) | Quantified { .. })
}

/// What NOT encloses even where parentheses are left out.
fn is_list_of_conditions(expr: &Expr) -> bool {
    use ExprKind::{And, InList, Not, Or, QuantifiedArray};
    matches!(expr.kind, And(_) | Or(_) | Not(_) | InList { .. } | QuantifiedArray { .. })
}
