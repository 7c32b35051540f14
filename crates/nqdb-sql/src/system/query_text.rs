//! Queries of views as `pg_get_viewdef` prints them: names qualified where the search path needs it, columns with their table,
//! casts spelled out, clauses on lines of their own.
//!
//! ```text
//!  SELECT o.id,
//!     sum(o.price) AS total
//!    FROM (orders o
//!      JOIN shop.customer c ON ((c.id = o.customer)))
//!   WHERE (o.price IS NOT NULL)
//! ```
//!
//! What always holds:
//! 1. A query is printed from its notes ([`crate::bind::WrittenQuery`]), or not at all: `None` where something has no spelling here.
//! 2. Within a query, and those inside of it, each item of FROM has another name.
//! 3. Line breaks of the layout are [`BREAK`] until the text is finished, so that spaces before them go and those in
//!    constants stay.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use nqdb_catalog::StoredQuery;
use nqdb_functions::quote_identifier;
use nqdb_types::Oid;

use super::expression_text::{ColumnNames, Writer};
use super::object_name::relation_name;
use crate::bind::{
    BindContext, Computed, ItemId, KeySource, Notes, WrittenBody, WrittenDistinct, WrittenItem, WrittenKey,
    WrittenQuery, WrittenSelect, WrittenSource, WrittenWindow, written_query,
};
use crate::ir::{
    ColumnId, ExprKind, Frame, FrameBound, FrameExclusion, FrameUnit, JoinKind, SetKind, TableCall, TableFunction,
};

/// A line break of the layout. No text of SQL holds this character.
pub(super) const BREAK: char = '\0';
/// How much a clause is indented, the item of a list, and a join.
const CLAUSE_INDENT: i32 = 8;
const ITEM_INDENT: i32 = 4;
const JOIN_INDENT: i32 = 4;
/// Beyond this indentation levels grow slowly and wrap.
const INDENT_MAX: i32 = 40;
/// What PostgreSQL calls the rows of VALUES.
const VALUES_NAME: &str = "\"*VALUES*\"";

/// The items of FROM whose columns expressions may name, outermost query first.
pub(super) struct QueryScope {
    pub notes: Notes,
    levels: RefCell<Vec<Level>>,
}

/// What one query names.
#[derive(Default)]
struct Level {
    items: HashMap<ItemId, String>,
    /// The item, if it is not merged of two, and the name.
    columns: HashMap<ColumnId, (Option<ItemId>, String)>,
    computed: HashMap<ColumnId, Computed>,
}

/// What a column is.
pub(super) enum Meaning {
    /// A column of FROM: the name of its item, and its own.
    Named(Option<String>, String),
    /// A call.
    Computed(Computed),
}

impl QueryScope {
    /// What a column is in the innermost query that has it.
    pub fn meaning(&self, id: ColumnId) -> Option<Meaning> {
        self.levels.borrow().iter().rev().find_map(|level| {
            if let Some(computed) = level.computed.get(&id) {
                return Some(Meaning::Computed(computed.clone()));
            }
            let (item, name) = level.columns.get(&id)?;
            Some(Meaning::Named(item.and_then(|item| level.items.get(&item).cloned()), name.clone()))
        })
    }

    /// The name that an item goes by.
    fn item_name(&self, item: ItemId) -> Option<String> {
        self.levels.borrow().iter().rev().find_map(|level| level.items.get(&item).cloned())
    }

    /// Names the items of a query: as they are called, with a number where that name is taken.
    fn enter(&self, query: &WrittenQuery, cx: &BindContext<'_>) {
        let mut level = Level::default();
        if let WrittenBody::Select(select) = &query.body {
            level.computed.clone_from(&select.computed);
            for item in &select.from {
                self.name_item(item, &mut level, cx);
            }
        }
        self.levels.borrow_mut().push(level);
    }

    fn leave(&self) {
        self.levels.borrow_mut().pop();
    }

    fn name_item(&self, item: &WrittenItem, level: &mut Level, cx: &BindContext<'_>) {
        match item {
            WrittenItem::Named { id, source, alias, columns, .. } => {
                let wanted = match (alias, source) {
                    (Some(alias), _) => alias.clone(),
                    (None, WrittenSource::Relation(oid)) => bare_name(*oid, cx),
                    (None, WrittenSource::With(name)) => name.clone(),
                    (None, WrittenSource::Functions { functions, .. }) => function_name(functions),
                    (None, WrittenSource::Query { .. }) => "unnamed_subquery".to_string(),
                };
                let name = self.free_name(&wanted, level);
                level.items.insert(*id, name);
                level.columns.extend(columns.iter().map(|(column, name)| (*column, (Some(*id), name.clone()))));
            }
            WrittenItem::Join { left, right, merged, .. } => {
                self.name_item(left, level, cx);
                self.name_item(right, level, cx);
                level.columns.extend(merged.iter().map(|(column, name)| (*column, (None, name.clone()))));
            }
        }
    }

    /// A name that no item has: rules of views keep `old` and `new` to themselves.
    fn free_name(&self, wanted: &str, level: &Level) -> String {
        let levels = self.levels.borrow();
        let is_taken = |name: &str| {
            let mut taken = level.items.values().chain(levels.iter().flat_map(|level| level.items.values()));
            matches!(name, "old" | "new") || taken.any(|taken| taken == name)
        };
        if !is_taken(wanted) {
            return wanted.to_string();
        }
        (1..).map(|number| format!("{wanted}_{number}")).find(|name| !is_taken(name)).unwrap_or_default()
    }
}

fn function_name(functions: &[TableFunction]) -> String {
    match functions.first().map(|function| &function.call) {
        Some(TableCall::Rows { function, .. }) => function.name.to_string(),
        _ => {
            functions.first().and_then(|function| function.columns.first()).map_or_else(String::new, |c| c.name.clone())
        }
    }
}

/// The name of a relation without its schema.
fn bare_name(relation: Oid, cx: &BindContext<'_>) -> String {
    match (cx.catalog.relation_by_oid(relation), super::by_oid(relation)) {
        (Some(found), _) => found.name().to_string(),
        (None, Some(system)) => system.name.to_string(),
        (None, None) => String::new(),
    }
}

/// The text of a stored query whose columns are called `columns`, without a semicolon.
pub(super) fn query_text(
    stored: &StoredQuery,
    columns: &[String],
    pretty: bool,
    cx: &BindContext<'_>,
) -> Option<String> {
    let (query, notes) = written_query(stored, cx).ok()?;
    let scope = QueryScope { notes, levels: RefCell::default() };
    let writer = Writer { columns: ColumnNames::Query(&scope), pretty, indent: Cell::new(0), cx };
    let mut printer = Printer { writer: &writer, scope: &scope, out: String::new(), indent: 0 };
    printer.query(&query, Some(columns), true)?;
    Some(finished(&printer.out))
}

/// The text of a subquery within an expression, without parentheses.
pub(super) fn subquery_text(query: &WrittenQuery, scope: &QueryScope, writer: &Writer<'_>) -> Option<String> {
    let indent = writer.indent.get();
    let mut printer = Printer { writer, scope, out: String::new(), indent };
    printer.query(query, None, false)?;
    writer.indent.set(indent);
    Some(printer.out)
}

/// Makes line breaks of the layout's, without the spaces before them.
pub(super) fn finished(text: &str) -> String {
    let mut lines = text.split(BREAK);
    let mut finished = lines.next().unwrap_or_default().to_string();
    for line in lines {
        finished.truncate(finished.trim_end_matches(' ').len());
        finished.push('\n');
        finished.push_str(line);
    }
    finished
}

/// A line break with its indentation, for a level of nesting.
pub(super) fn line_break(indent: i32, plus: i32) -> String {
    let amount = if indent < INDENT_MAX {
        indent.max(0)
    } else {
        (INDENT_MAX + (indent - INDENT_MAX) / (CLAUSE_INDENT / 2)) % INDENT_MAX
    };
    let spaces = usize::try_from(amount + plus).unwrap_or(0);
    format!("{BREAK}{}", " ".repeat(spaces))
}

struct Printer<'p, 'a> {
    writer: &'p Writer<'a>,
    scope: &'p QueryScope,
    out: String,
    indent: i32,
}

impl Printer<'_, '_> {
    /// Begins a new line with a keyword.
    fn keyword(&mut self, word: &str, before: i32, after: i32, plus: i32) {
        self.indent += before;
        self.out.push_str(&line_break(self.indent, plus));
        self.out.push_str(word);
        self.indent = (self.indent + after).max(0);
    }

    /// Begins a clause.
    fn clause(&mut self, word: &str, plus: i32) {
        self.keyword(word, -CLAUSE_INDENT, CLAUSE_INDENT, plus);
    }

    fn expression(&self, expr: &crate::ir::Expr) -> Option<String> {
        self.writer.indent.set(self.indent);
        self.writer.expression(expr)
    }

    fn expressions(&self, exprs: &[crate::ir::Expr], separator: &str) -> Option<String> {
        let texts: Option<Vec<String>> = exprs.iter().map(|expr| self.expression(expr)).collect();
        Some(texts?.join(separator))
    }

    /// A whole query. `names`, if given, are what its columns are called; where names do not matter, those that a
    /// constant would not have anyway are shown only.
    fn query(&mut self, query: &WrittenQuery, names: Option<&[String]>, names_matter: bool) -> Option<()> {
        if query.locks {
            return None;
        }
        let indent = self.indent;
        self.scope.enter(query, self.writer.cx);
        let printed = self.query_parts(query, names, names_matter);
        self.scope.leave();
        self.indent = indent;
        printed
    }

    fn query_parts(&mut self, query: &WrittenQuery, names: Option<&[String]>, names_matter: bool) -> Option<()> {
        self.with(query)?;
        match &query.body {
            WrittenBody::Select(select) => self.select(select, names.unwrap_or(&query.names), names_matter)?,
            WrittenBody::Values(rows) => self.values_query(rows, names.unwrap_or(&query.names))?,
            WrittenBody::SetOperation { .. } => self.set_operation(query, names, names_matter, true)?,
        }
        if !query.order.is_empty() {
            self.clause(" ORDER BY ", 1);
            let keys = self.order(&query.order, matches!(query.body, WrittenBody::Values(_)))?;
            self.out.push_str(&keys);
        }
        if let Some(offset) = &query.offset {
            self.clause(" OFFSET ", 0);
            let offset = self.count(offset)?;
            self.out.push_str(&offset);
        }
        if let Some(limit) = &query.limit {
            let count = self.count(limit)?;
            if query.with_ties {
                self.clause(" FETCH FIRST ", 0);
                self.out.push_str(&format!("({count}) ROWS WITH TIES"));
            } else {
                self.clause(" LIMIT ", 0);
                self.out.push_str(if matches!(&limit.kind, ExprKind::Literal(datum) if datum.is_null()) {
                    "ALL"
                } else {
                    &count
                });
            }
        }
        Some(())
    }

    /// LIMIT and OFFSET: the conversion to their type is not shown.
    fn count(&self, expr: &crate::ir::Expr) -> Option<String> {
        match &expr.kind {
            ExprKind::Call { args, .. } if expr.ty.oid == nqdb_types::oid::INT8 => match args.as_slice() {
                [arg] if self.writer.is_cast_call(expr) => self.expression(arg),
                _ => self.expression(expr),
            },
            _ => self.expression(expr),
        }
    }

    fn with(&mut self, query: &WrittenQuery) -> Option<()> {
        if query.with.is_empty() {
            return Some(());
        }
        self.indent += CLAUSE_INDENT;
        self.out.push(' ');
        self.out.push_str(if query.recursive { "WITH RECURSIVE " } else { "WITH " });
        for (at, with) in query.with.iter().enumerate() {
            if at > 0 {
                self.out.push_str(", ");
            }
            self.out.push_str(&quote_identifier(&with.name));
            if !with.columns.is_empty() {
                self.out.push_str(&name_list(&with.columns));
            }
            self.out.push_str(match with.materialized {
                None => " AS (",
                Some(true) => " AS MATERIALIZED (",
                Some(false) => " AS NOT MATERIALIZED (",
            });
            self.keyword("", 0, 0, 0);
            self.query(&with.query, None, true)?;
            self.keyword("", 0, 0, 0);
            self.out.push(')');
        }
        self.indent -= CLAUSE_INDENT;
        self.keyword("", 0, 0, 0);
        Some(())
    }

    fn select(&mut self, select: &WrittenSelect, names: &[String], names_matter: bool) -> Option<()> {
        self.indent += CLAUSE_INDENT;
        self.out.push_str(" SELECT");
        match &select.distinct {
            WrittenDistinct::No => {}
            WrittenDistinct::All => self.out.push_str(" DISTINCT"),
            WrittenDistinct::On(keys) => {
                let keys: Option<Vec<String>> = keys.iter().map(|key| self.sort_expression(key)).collect();
                self.out.push_str(&format!(" DISTINCT ON ({})", keys?.join(", ")));
            }
        }
        self.targets(select, names, names_matter)?;
        self.from(&select.from)?;
        if let Some(filter) = &select.filter {
            self.clause(" WHERE ", 1);
            let filter = self.expression(filter)?;
            self.out.push_str(&filter);
        }
        if select.has_grouping_sets {
            return None;
        }
        if !select.group.is_empty() {
            self.clause(" GROUP BY ", 1);
            let keys: Option<Vec<String>> = select.group.iter().map(|key| self.sort_expression(key)).collect();
            self.out.push_str(&keys?.join(", "));
        }
        if let Some(having) = &select.having {
            self.clause(" HAVING ", 0);
            let having = self.expression(having)?;
            self.out.push_str(&having);
        }
        for (at, window) in select.windows.iter().enumerate() {
            if at == 0 {
                self.clause(" WINDOW ", 1);
            } else {
                self.out.push_str(", ");
            }
            let definition = self.writer.window(window)?;
            let name = window.name.as_deref().unwrap_or_default();
            self.out.push_str(&format!("{} AS {definition}", quote_identifier(name)));
        }
        Some(())
    }

    fn targets(&mut self, select: &WrittenSelect, names: &[String], names_matter: bool) -> Option<()> {
        for (at, (expr, name)) in select.targets.iter().zip(names).enumerate() {
            self.out.push_str(if at == 0 { " " } else { ", " });
            let mut text = self.expression(expr)?;
            let own_name = match expr.kind {
                ExprKind::Column(id) => match self.scope.meaning(id)? {
                    Meaning::Named(_, name) => Some(name),
                    Meaning::Computed(_) => None,
                },
                _ => None,
            };
            let own_name = own_name.or_else(|| (!names_matter).then(|| "?column?".to_string()));
            if own_name.as_ref() != Some(name) {
                text.push_str(&format!(" AS {}", quote_identifier(name)));
            }
            if at > 0 && !text.starts_with(BREAK) {
                self.clause("", ITEM_INDENT);
            }
            self.out.push_str(&text);
        }
        Some(())
    }

    fn from(&mut self, items: &[WrittenItem]) -> Option<()> {
        for (at, item) in items.iter().enumerate() {
            if at == 0 {
                self.clause(" FROM ", 2);
                self.item(item)?;
                continue;
            }
            self.out.push_str(", ");
            let before = std::mem::take(&mut self.out);
            self.item(item)?;
            let text = std::mem::replace(&mut self.out, before);
            if !text.starts_with(BREAK) {
                self.clause("", ITEM_INDENT);
            }
            self.out.push_str(&text);
        }
        Some(())
    }

    fn item(&mut self, item: &WrittenItem) -> Option<()> {
        match item {
            WrittenItem::Named { id, source, alias, columns, columns_written } => {
                self.source(source)?;
                let name = self.scope.item_name(*id)?;
                let names: Vec<String> = columns.iter().map(|(_, name)| name.clone()).collect();
                let is_function = matches!(source, WrittenSource::Functions { .. });
                let is_own = match source {
                    WrittenSource::Relation(oid) => bare_name(*oid, self.writer.cx) == name,
                    WrittenSource::With(own) => *own == name,
                    WrittenSource::Query { .. } | WrittenSource::Functions { .. } => false,
                };
                if alias.is_some() || *columns_written || !is_own {
                    self.out.push_str(&format!(" {}", quote_identifier(&name)));
                }
                match source {
                    WrittenSource::Functions { functions, .. } if wants_definitions(functions) => {
                        let list = self.definitions(functions, &names);
                        self.out.push_str(&list);
                    }
                    _ if is_function || *columns_written => self.out.push_str(&name_list(&names)),
                    _ => {}
                }
                Some(())
            }
            WrittenItem::Join { .. } => self.join(item),
        }
    }

    fn source(&mut self, source: &WrittenSource) -> Option<()> {
        match source {
            WrittenSource::Relation(oid) => {
                let cx = self.writer.cx;
                self.out.push_str(&relation_name(cx.catalog, cx.search_path, *oid)?);
            }
            WrittenSource::With(name) => self.out.push_str(&quote_identifier(name)),
            WrittenSource::Query { query, lateral } => {
                self.out.push_str(if *lateral { "LATERAL (" } else { "(" });
                self.query(query, None, true)?;
                self.out.push(')');
            }
            WrittenSource::Functions { functions, ordinality, lateral } => {
                if *lateral {
                    self.out.push_str("LATERAL ");
                }
                let calls = self.functions(functions)?;
                self.out.push_str(&calls);
                if *ordinality {
                    self.out.push_str(" WITH ORDINALITY");
                }
            }
        }
        Some(())
    }

    fn functions(&self, functions: &[TableFunction]) -> Option<String> {
        self.writer.indent.set(self.indent);
        let is_unnest = |function: &TableFunction| matches!(&function.call, TableCall::Rows { function, .. } if function.name == "unnest");
        if functions.len() > 1 && functions.iter().all(is_unnest) {
            let arrays =
                functions.iter().flat_map(TableFunction::expressions).map(|array| self.writer.expression(array));
            return Some(format!("UNNEST({})", arrays.collect::<Option<Vec<String>>>()?.join(", ")));
        }
        let call = |function: &TableFunction| match &function.call {
            TableCall::Rows { function, args } => self.writer.call_text(function, args),
            TableCall::Value(value) => self.writer.expression(value),
        };
        match functions {
            [one] => call(one),
            several if several.iter().any(|one| wants_definitions(std::slice::from_ref(one))) => None,
            several => {
                let calls = several.iter().map(call).collect::<Option<Vec<String>>>()?;
                Some(format!("ROWS FROM({})", calls.join(", ")))
            }
        }
    }

    /// The column definition list of a function that returns records of any kind.
    fn definitions(&self, functions: &[TableFunction], names: &[String]) -> String {
        let columns = functions.iter().flat_map(|function| &function.columns);
        let columns = columns
            .zip(names)
            .map(|(column, name)| format!("{} {}", quote_identifier(name), self.writer.cx.format.type_name(column.ty)));
        format!("({})", columns.collect::<Vec<String>>().join(", "))
    }

    fn join(&mut self, join: &WrittenItem) -> Option<()> {
        let WrittenItem::Join { kind, left, right, on, using, using_alias, has_alias: false, .. } = join else {
            return None;
        };
        let pretty = self.writer.pretty;
        if !pretty {
            self.out.push('(');
        }
        self.item(left)?;
        let is_bare = on.is_none() && using.is_empty();
        let word = match kind {
            JoinKind::Inner | JoinKind::Cross if is_bare => " CROSS JOIN ",
            JoinKind::Inner | JoinKind::Cross => " JOIN ",
            JoinKind::Left => " LEFT JOIN ",
            JoinKind::Right => " RIGHT JOIN ",
            JoinKind::Full => " FULL JOIN ",
            JoinKind::Semi | JoinKind::Anti => return None,
        };
        self.clause(word, JOIN_INDENT);
        let encloses_right = pretty && matches!(&**right, WrittenItem::Join { .. });
        if encloses_right {
            self.out.push('(');
        }
        self.item(right)?;
        if encloses_right {
            self.out.push(')');
        }
        if !using.is_empty() {
            self.out.push_str(&format!(" USING {}", name_list(using)));
            if let Some(name) = using_alias {
                self.out.push_str(&format!(" AS {}", quote_identifier(name)));
            }
        } else if let Some(on) = on {
            let condition = self.expression(on)?;
            self.out.push_str(&if pretty { format!(" ON {condition}") } else { format!(" ON ({condition})") });
        } else if !matches!(kind, JoinKind::Inner | JoinKind::Cross) {
            self.out.push_str(" ON TRUE");
        }
        if !pretty {
            self.out.push(')');
        }
        Some(())
    }

    /// Rows of VALUES. Under other names than their own they are read through a SELECT.
    fn values_query(&mut self, rows: &[Vec<crate::ir::Expr>], names: &[String]) -> Option<()> {
        self.indent += CLAUSE_INDENT;
        self.out.push(' ');
        let mut list = Vec::with_capacity(rows.len());
        for row in rows {
            list.push(format!("({})", self.expressions(row, ",")?));
        }
        let values = format!("VALUES {}", list.join(", "));
        if names.iter().enumerate().all(|(at, name)| *name == format!("column{}", at + 1)) {
            self.out.push_str(&values);
            return Some(());
        }
        self.out.push_str("SELECT");
        for (at, name) in names.iter().enumerate() {
            self.out.push_str(if at == 0 { " " } else { ", " });
            if at > 0 {
                self.clause("", ITEM_INDENT);
            }
            let own_name = format!("column{}", at + 1);
            self.out.push_str(&format!("{VALUES_NAME}.{own_name}"));
            if *name != own_name {
                self.out.push_str(&format!(" AS {}", quote_identifier(name)));
            }
        }
        self.clause(" FROM ", 2);
        self.out.push_str(&format!("({values}) {VALUES_NAME}"));
        Some(())
    }

    /// A set operation, or a query that is a side of one.
    fn set_operation(
        &mut self,
        query: &WrittenQuery,
        names: Option<&[String]>,
        names_matter: bool,
        is_top: bool,
    ) -> Option<()> {
        let (kind, all, left, right) = match &query.body {
            WrittenBody::SetOperation { kind, all, left, right } if is_top || !is_enclosed(query) => {
                (*kind, *all, left, right)
            }
            _ => {
                let encloses = is_enclosed(query);
                if encloses {
                    self.out.push('(');
                }
                self.query(query, names, names_matter)?;
                if encloses {
                    self.out.push(')');
                }
                return Some(());
            }
        };
        let encloses_left = match &left.body {
            WrittenBody::SetOperation { kind: inner, all: inner_all, .. } if !is_enclosed(left) => {
                *inner != kind || *inner_all != all
            }
            _ => false,
        };
        if encloses_left {
            self.out.push('(');
            self.keyword("", CLAUSE_INDENT, 0, 0);
        }
        self.set_operation(left, names, names_matter, false)?;
        if encloses_left {
            self.keyword(") ", -CLAUSE_INDENT, 0, 0);
        } else {
            self.keyword("", 0, 0, 0);
        }
        self.out.push_str(match kind {
            SetKind::Union => "UNION ",
            SetKind::Intersect => "INTERSECT ",
            SetKind::Except => "EXCEPT ",
        });
        if all {
            self.out.push_str("ALL ");
        }
        let encloses_right = matches!(right.body, WrittenBody::SetOperation { .. }) && !is_enclosed(right);
        let inner = if encloses_right { CLAUSE_INDENT } else { 0 };
        if encloses_right {
            self.out.push('(');
        }
        self.keyword("", inner, 0, 0);
        self.set_operation(right, names, false, false)?;
        self.indent -= inner;
        if encloses_right {
            self.keyword(")", 0, 0, 0);
        }
        Some(())
    }

    fn order(&self, keys: &[WrittenKey], of_values: bool) -> Option<String> {
        self.writer.indent.set(self.indent);
        self.writer.order(keys, of_values.then_some(VALUES_NAME))
    }

    fn sort_expression(&self, expr: &crate::ir::Expr) -> Option<String> {
        self.writer.indent.set(self.indent);
        self.writer.sort_expression(expr)
    }
}

/// Whether a side of a set operation stands in parentheses: it has clauses of its own.
fn is_enclosed(query: &WrittenQuery) -> bool {
    !query.with.is_empty() || !query.order.is_empty() || query.limit.is_some() || query.offset.is_some()
}

fn wants_definitions(functions: &[TableFunction]) -> bool {
    let needs = |function: &TableFunction| matches!(&function.call, TableCall::Rows { function, .. } if function.needs_column_definitions());
    matches!(functions, [one] if needs(one))
}

fn name_list(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| quote_identifier(name).to_string()).collect();
    format!("({})", names.join(", "))
}

impl Writer<'_> {
    /// Keys of ORDER BY; `values` is the name of the VALUES that they are columns of.
    pub(super) fn order(&self, keys: &[WrittenKey], values: Option<&str>) -> Option<String> {
        let mut texts = Vec::with_capacity(keys.len());
        for key in keys {
            let mut text = match (&key.source, values) {
                (KeySource::Expression(expr), _) => self.sort_expression(expr)?,
                (KeySource::Column(at), Some(values)) => format!("{values}.column{at}"),
                (KeySource::Column(at), None) => at.to_string(),
            };
            text.push_str(direction(key.descending, key.nulls_first));
            texts.push(text);
        }
        Some(texts.join(", "))
    }

    /// An expression that rows are sorted or grouped by: nothing that could be taken for a position, a name or a set.
    pub(super) fn sort_expression(&self, expr: &crate::ir::Expr) -> Option<String> {
        let text = self.expression(expr)?;
        Some(match &expr.kind {
            ExprKind::Literal(_) if text.contains("::") => text,
            ExprKind::Literal(_) => format!("{text}::{}", self.cx.format.type_name(expr.ty.bare())),
            ExprKind::Column(id) if !self.is_computed(*id) => text,
            _ if self.pretty || self.is_call(expr) => format!("({text})"),
            _ => text,
        })
    }

    /// A window definition in its parentheses.
    pub(super) fn window(&self, window: &WrittenWindow) -> Option<String> {
        if window.inherits {
            return None;
        }
        let mut parts = Vec::new();
        if !window.partition.is_empty() {
            let keys: Option<Vec<String>> = window.partition.iter().map(|key| self.sort_expression(key)).collect();
            parts.push(format!("PARTITION BY {}", keys?.join(", ")));
        }
        if !window.order.is_empty() {
            parts.push(format!("ORDER BY {}", self.order(&window.order, None)?));
        }
        if let Some((frame, between)) = &window.frame {
            parts.push(self.frame(frame, *between)?);
        }
        Some(format!("({})", parts.join(" ")))
    }

    fn frame(&self, frame: &Frame, between: bool) -> Option<String> {
        let unit = match frame.unit {
            FrameUnit::Rows => "ROWS",
            FrameUnit::Range => "RANGE",
            FrameUnit::Groups => "GROUPS",
        };
        let start = self.frame_bound(&frame.start, "UNBOUNDED PRECEDING")?;
        let mut text = match between {
            true => format!("{unit} BETWEEN {start} AND {}", self.frame_bound(&frame.end, "UNBOUNDED FOLLOWING")?),
            false => format!("{unit} {start}"),
        };
        text.push_str(match frame.exclusion {
            FrameExclusion::NoOthers => "",
            FrameExclusion::CurrentRow => " EXCLUDE CURRENT ROW",
            FrameExclusion::Group => " EXCLUDE GROUP",
            FrameExclusion::Ties => " EXCLUDE TIES",
        });
        Some(text)
    }

    fn frame_bound(&self, bound: &FrameBound, unbounded: &str) -> Option<String> {
        Some(match bound {
            FrameBound::Unbounded => unbounded.to_string(),
            FrameBound::CurrentRow => "CURRENT ROW".to_string(),
            FrameBound::Preceding(offset) => format!("{} PRECEDING", self.offset(&offset.expr)?),
            FrameBound::Following(offset) => format!("{} FOLLOWING", self.offset(&offset.expr)?),
        })
    }

    /// The conversion of an offset to its type is not shown.
    fn offset(&self, expr: &crate::ir::Expr) -> Option<String> {
        match &expr.kind {
            ExprKind::Call { args, .. } if self.is_cast_call(expr) => args.first().and_then(|arg| self.expression(arg)),
            _ => self.expression(expr),
        }
    }
}

/// What stands behind a key that is not sorted as usual.
pub(super) fn direction(descending: bool, nulls_first: bool) -> &'static str {
    match (descending, nulls_first) {
        (false, false) => "",
        (false, true) => " NULLS FIRST",
        (true, true) => " DESC",
        (true, false) => " DESC NULLS LAST",
    }
}
