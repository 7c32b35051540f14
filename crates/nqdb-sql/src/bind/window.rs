//! Window functions: calls with OVER, the WINDOW clause, frames.
//!
//! As in PostgreSQL a call is bound in two steps: its arguments where it stands, its window when the rest of the SELECT
//! is known. Windows of equal partition and order share one [`Rel::Window`]; those with more keys come first, so that
//! the sort of one serves the next.

use std::cmp::Ordering;

use nqdb_functions::{CastContext, coercion, equality, in_range_support, less};
use nqdb_sqlstate::{
    FEATURE_NOT_SUPPORTED, INVALID_COLUMN_REFERENCE, SqlError, SqlResult, UNDEFINED_OBJECT, WINDOWING_ERROR,
};
use nqdb_types::{Type, oid};
use sqlparser::ast::{self, NamedWindowExpr, WindowFrameBound, WindowFrameUnits, WindowType};

use super::operators::no_operator;
use super::same::same_expr;
use super::scope::Clause;
use super::{Binder, span_position, walk};
use crate::ir::{
    ColumnId, Expr, ExprKind, Frame, FrameBound, FrameExclusion, FrameOffset, FrameUnit, Rel, SortKey, WindowCall,
    WindowCallee,
};
use crate::names::name_of;
use crate::parse::{SpecPlace, Tokens};

/// A window as it was written, in a WINDOW clause or behind OVER.
#[derive(Clone, Debug)]
pub(super) struct WindowDefinition {
    name: Option<String>,
    spec: ast::WindowSpec,
    place: Option<SpecPlace>,
    position: Option<u32>,
}

/// A call whose window is still to be bound: the index of its definition, and everything else.
#[derive(Clone, Debug)]
pub(super) struct PendingCall {
    pub(super) column: ColumnId,
    definition: usize,
    callee: WindowCallee,
    args: Vec<Expr>,
    filter: Option<Expr>,
    ty: Type,
}

/// A window whose expressions are bound.
#[derive(Clone, Debug)]
pub(super) struct BoundWindow {
    name: Option<String>,
    partition: Vec<WindowKey>,
    order: Vec<WindowKey>,
    frame: Frame,
    has_frame: bool,
}

#[derive(Clone, Debug)]
struct WindowKey {
    expr: Expr,
    descending: bool,
    nulls_first: bool,
}

impl Binder<'_> {
    /// Brings the WINDOW clause into reach, before anything refers to it.
    pub(super) fn declare_windows(&mut self, named: &[ast::NamedWindowDefinition]) -> SqlResult<()> {
        for ast::NamedWindowDefinition(name, definition) in named {
            let spec = match definition {
                NamedWindowExpr::WindowSpec(spec) => spec.clone(),
                NamedWindowExpr::NamedWindow(other) => {
                    return Err(self.syntax_error_at(span_position(other.span), &other.value));
                }
            };
            let place = Tokens::index_of(name.span).map(SpecPlace::of_definition);
            let position = place.and_then(|place| place.position(&self.tokens));
            check_frame(&spec, place.as_ref(), &self.tokens)?;
            self.scope().windows.push(WindowDefinition { name: Some(name_of(name)), spec, place, position });
        }
        Ok(())
    }

    /// A call with OVER whose arguments are bound; it becomes a column.
    pub(super) fn bind_window_call(
        &mut self,
        callee: WindowCallee,
        args: Vec<Expr>,
        filter: Option<Expr>,
        ty: Type,
        over: &WindowType,
        position: Option<u32>,
    ) -> SqlResult<Expr> {
        if let Some(position) = args.iter().find_map(|arg| self.window_function_in(arg)) {
            return Err(windowing_error("window function calls cannot be nested", position));
        }
        if let Some(message) = self.scope().clause.refuses_windows() {
            return Err(windowing_error(&message, position));
        }
        let definition = match over {
            WindowType::NamedWindow(name) => {
                let wanted = name_of(name);
                let found = self.scope().windows.iter().position(|window| window.name.as_ref() == Some(&wanted));
                found.ok_or_else(|| missing_window(&wanted, span_position(name.span)))?
            }
            WindowType::WindowSpec(spec) => {
                let call = position.and_then(|position| self.tokens.at_position(position));
                let place = call.and_then(|call| SpecPlace::of_call(&self.tokens, call));
                let position = place.and_then(|place| place.position(&self.tokens));
                check_frame(spec, place.as_ref(), &self.tokens)?;
                self.define_window(WindowDefinition { name: None, spec: spec.clone(), place, position })
            }
        };
        let same = |call: &&PendingCall| {
            let same_filter = match (&call.filter, &filter) {
                (None, None) => true,
                (Some(a), Some(b)) => same_expr(a, b),
                _ => false,
            };
            call.definition == definition
                && call.callee == callee
                && same_filter
                && call.args.len() == args.len()
                && call.args.iter().zip(&args).all(|(a, b)| same_expr(a, b))
        };
        if let Some(known) = self.scope().window_calls.iter().find(same).map(|call| call.column) {
            return Ok(self.column_expr(known, position));
        }
        let nullable = match callee {
            WindowCallee::Function(function) => function.returns != oid::INT8 && function.returns != oid::FLOAT8,
            WindowCallee::Aggregate(aggregate) => aggregate.name != "count",
        };
        let column = self.new_column(ty, nullable, None);
        self.scope().window_calls.push(PendingCall { column, definition, callee, args, filter, ty });
        Ok(self.column_expr(column, position))
    }

    /// The number of a window behind OVER; one that was written before is the same window.
    fn define_window(&mut self, definition: WindowDefinition) -> usize {
        let exclusion =
            |window: &WindowDefinition, tokens: &Tokens| window.place.and_then(|place| place.exclusion(tokens));
        let own = exclusion(&definition, &self.tokens);
        let known = self.scopes.last().and_then(|scope| {
            scope.windows.iter().position(|window| {
                window.name.is_none() && window.spec == definition.spec && exclusion(window, &self.tokens) == own
            })
        });
        known.unwrap_or_else(|| {
            let windows = &mut self.scope().windows;
            windows.push(definition);
            windows.len() - 1
        })
    }

    /// Where a window function of this level stands in an expression.
    pub(super) fn window_function_in(&self, expr: &Expr) -> Option<Option<u32>> {
        let scope = self.scopes.last()?;
        let mut found = None;
        walk::any(expr, &mut |part| match part.kind {
            ExprKind::Column(id) if scope.window_calls.iter().any(|call| call.column == id) => {
                found = Some(part.position);
                true
            }
            _ => false,
        });
        found
    }

    /// Binds all windows of the level, used or not.
    pub(super) fn bind_windows(&mut self) -> SqlResult<Vec<BoundWindow>> {
        let mut bound: Vec<BoundWindow> = Vec::new();
        for definition in self.scope().windows.clone() {
            let window = self.bind_window(&definition, &bound)?;
            bound.push(window);
        }
        Ok(bound)
    }

    fn bind_window(&mut self, definition: &WindowDefinition, before: &[BoundWindow]) -> SqlResult<BoundWindow> {
        let WindowDefinition { name, spec, place, position } = definition;
        let named = |wanted: &str| before.iter().find(|window| window.name.as_deref() == Some(wanted));
        if let Some(name) = name
            && named(name).is_some()
        {
            return Err(windowing_error(&format!("window \"{name}\" is already defined"), *position));
        }
        let base_name = spec.window_name.as_ref().map(name_of);
        let base = match &base_name {
            Some(base) => Some(named(base).ok_or_else(|| missing_window(base, *position))?),
            None => None,
        };
        let mut order = self.bind_window_order(&spec.order_by)?;
        let mut partition = self.bind_partition(&spec.partition_by, &order)?;
        let has_frame = spec.window_frame.is_some();
        if let (Some(base), Some(base_name)) = (base, &base_name) {
            check_inheritance(base, base_name, definition, &order)?;
            partition.clone_from(&base.partition);
            if order.is_empty() {
                order.clone_from(&base.order);
            }
        }
        let mut frame = match &spec.window_frame {
            Some(frame) => self.bind_frame(frame, &order, *position)?,
            None => Frame::unstated(),
        };
        frame.exclusion = match place.and_then(|place| place.exclusion(&self.tokens)).as_deref() {
            Some("current row") => FrameExclusion::CurrentRow,
            Some("group") => FrameExclusion::Group,
            Some("ties") => FrameExclusion::Ties,
            _ => FrameExclusion::NoOthers,
        };
        Ok(BoundWindow { name: name.clone(), partition, order, frame, has_frame })
    }

    fn bind_window_order(&mut self, order_by: &[ast::OrderByExpr]) -> SqlResult<Vec<WindowKey>> {
        let mut keys: Vec<WindowKey> = Vec::with_capacity(order_by.len());
        for ast::OrderByExpr { expr, options, with_fill } in order_by {
            if with_fill.is_some() {
                return Err(SqlError::unsupported("WITH FILL"));
            }
            let bound = self.in_clause(Clause::WindowDefinition, |binder| binder.bind_expr(expr))?;
            let bound = self.resolve_unknown(bound)?;
            // The column is not known yet; what the key says of direction is.
            let SortKey { descending, nulls_first, .. } =
                self.sort_key(ColumnId(0), bound.ty, options, bound.position)?;
            if !keys.iter().any(|key| same_expr(&key.expr, &bound)) {
                keys.push(WindowKey { expr: bound, descending, nulls_first });
            }
        }
        Ok(keys)
    }

    /// PARTITION BY; an expression that ORDER BY has too is sorted as that says.
    fn bind_partition(&mut self, expressions: &[ast::Expr], order: &[WindowKey]) -> SqlResult<Vec<WindowKey>> {
        let mut keys: Vec<WindowKey> = Vec::with_capacity(expressions.len());
        for expression in expressions {
            let bound = self.in_clause(Clause::WindowDefinition, |binder| binder.bind_expr(expression))?;
            let bound = self.resolve_unknown(bound)?;
            if equality(bound.ty.oid).is_none() {
                return Err(no_operator("equality", bound.ty.oid, bound.position));
            }
            if less(bound.ty.oid).is_none() {
                return Err(no_operator("ordering", bound.ty.oid, bound.position));
            }
            if keys.iter().any(|key| same_expr(&key.expr, &bound)) {
                continue;
            }
            let ordered = order.iter().find(|key| same_expr(&key.expr, &bound));
            keys.push(ordered.cloned().unwrap_or(WindowKey { expr: bound, descending: false, nulls_first: false }));
        }
        Ok(keys)
    }

    fn bind_frame(&mut self, frame: &ast::WindowFrame, order: &[WindowKey], position: Option<u32>) -> SqlResult<Frame> {
        let ast::WindowFrame { units, start_bound, end_bound } = frame;
        let has_offset = [Some(start_bound), end_bound.as_ref()]
            .into_iter()
            .flatten()
            .any(|bound| matches!(bound, WindowFrameBound::Preceding(Some(_)) | WindowFrameBound::Following(Some(_))));
        let unit = match units {
            WindowFrameUnits::Rows => FrameUnit::Rows,
            WindowFrameUnits::Range => FrameUnit::Range,
            WindowFrameUnits::Groups => FrameUnit::Groups,
        };
        if unit == FrameUnit::Range && has_offset && order.len() != 1 {
            let message = "RANGE with offset PRECEDING/FOLLOWING requires exactly one ORDER BY column";
            return Err(windowing_error(message, position));
        }
        if unit == FrameUnit::Groups && order.is_empty() {
            return Err(windowing_error("GROUPS mode requires an ORDER BY clause", position));
        }
        let start = self.bind_bound(unit, start_bound, order)?;
        let end = match end_bound {
            Some(bound) => self.bind_bound(unit, bound, order)?,
            None => FrameBound::CurrentRow,
        };
        Ok(Frame { unit, start, end, exclusion: FrameExclusion::NoOthers })
    }

    fn bind_bound(&mut self, unit: FrameUnit, bound: &WindowFrameBound, order: &[WindowKey]) -> SqlResult<FrameBound> {
        Ok(match bound {
            WindowFrameBound::CurrentRow => FrameBound::CurrentRow,
            WindowFrameBound::Preceding(None) | WindowFrameBound::Following(None) => FrameBound::Unbounded,
            WindowFrameBound::Preceding(Some(offset)) => {
                FrameBound::Preceding(self.bind_frame_offset(unit, offset, order)?)
            }
            WindowFrameBound::Following(Some(offset)) => {
                FrameBound::Following(self.bind_frame_offset(unit, offset, order)?)
            }
        })
    }

    fn bind_frame_offset(
        &mut self,
        unit: FrameUnit,
        offset: &ast::Expr,
        order: &[WindowKey],
    ) -> SqlResult<FrameOffset> {
        let clause = match unit {
            FrameUnit::Rows => Clause::FrameRows,
            FrameUnit::Range => Clause::FrameRange,
            FrameUnit::Groups => Clause::FrameGroups,
        };
        let bound = self.in_clause(clause, |binder| binder.bind_expr(offset))?;
        let result = match (unit, order) {
            (FrameUnit::Range, [key]) => self.range_offset(bound, key.expr.ty)?,
            _ => FrameOffset { expr: self.coerce_to_type(bound, Type::INT8, clause.name())?, in_range: None },
        };
        let here = self.scopes.len().saturating_sub(1);
        let mut variable = None;
        walk::any(&result.expr, &mut |part| {
            let is_variable = matches!(part.kind, ExprKind::Column(id) if self.info(id).level == here);
            if is_variable {
                variable = Some(part.position);
            }
            is_variable
        });
        if let Some(position) = variable {
            let message = format!("argument of {} must not contain variables", clause.name());
            return Err(SqlError::new(INVALID_COLUMN_REFERENCE, message).or_position(position));
        }
        Ok(result)
    }

    /// Chooses among the offset types of the ORDER BY column's type, as PostgreSQL chooses its `in_range` functions.
    fn range_offset(&mut self, offset: Expr, column: Type) -> SqlResult<FrameOffset> {
        let given = offset.ty.oid;
        let column_name = self.cx.format.type_name(column.bare());
        let refuse = |what: String| {
            let message = format!("RANGE with offset PRECEDING/FOLLOWING {what}");
            Err(SqlError::new(FEATURE_NOT_SUPPORTED, message).or_position(offset.position))
        };
        let support = in_range_support(column.oid);
        if support.is_empty() {
            return refuse(format!("is not supported for column type {column_name}"));
        }
        let preferred = if given == oid::UNKNOWN { column.oid } else { given };
        let fits: Vec<_> =
            support.iter().filter(|(ty, _)| coercion(given, *ty, CastContext::Implicit).is_some()).collect();
        let given_name = self.cx.format.type_name(Type::new(given));
        let chosen = match fits.as_slice() {
            [] => {
                return refuse(format!("is not supported for column type {column_name} and offset type {given_name}"))
                    .map_err(|error| error.with_hint("Cast the offset value to an appropriate type."));
            }
            [only] => *only,
            several => match several.iter().find(|(ty, _)| *ty == preferred) {
                Some(exact) => *exact,
                None => {
                    let what = format!(
                        "has multiple interpretations for column type {column_name} and offset type {given_name}"
                    );
                    return refuse(what)
                        .map_err(|error| error.with_hint("Cast the offset value to the exact intended type."));
                }
            },
        };
        let (ty, in_range) = *chosen;
        Ok(FrameOffset { expr: self.coerce_to_type(offset, Type::new(ty), "RANGE")?, in_range: Some(in_range) })
    }

    /// Puts the windows that are used above `rel`. `sorted` are the expressions that ORDER BY, GROUP BY and DISTINCT
    /// name, which PostgreSQL numbers first.
    pub(super) fn apply_windows(
        &mut self,
        mut rel: Rel,
        mut windows: Vec<BoundWindow>,
        mut calls: Vec<PendingCall>,
        sorted: Vec<Expr>,
    ) -> SqlResult<Rel> {
        let numbers = number_keys(&windows, sorted);
        let mut computed = Vec::new();
        for key in windows.iter_mut().flat_map(|window| window.partition.iter_mut().chain(&mut window.order)) {
            key.expr = self.as_column(key.expr.clone(), &mut computed);
        }
        if !computed.is_empty() {
            rel = Rel::Extend { input: Box::new(rel), columns: computed };
        }
        let mut turn: Vec<usize> = (0..windows.len()).collect();
        turn.sort_by(|a, b| compare_windows(numbers.get(*a), numbers.get(*b)));
        while let Some(first) = turn.iter().copied().find(|at| calls.iter().any(|call| call.definition == *at)) {
            let Some(window) = windows.get(first).cloned() else { break };
            let same: Vec<usize> = turn
                .iter()
                .copied()
                .filter(|at| windows.get(*at).is_some_and(|other| same_keys(&window, other)))
                .collect();
            let (own, others): (Vec<PendingCall>, Vec<PendingCall>) =
                calls.into_iter().partition(|call| same.contains(&call.definition));
            calls = others;
            let own = own.into_iter().filter_map(|call| {
                let frame = windows.get(call.definition)?.frame.clone();
                let PendingCall { column, callee, args, filter, ty, .. } = call;
                Some((column, WindowCall { callee, args, filter, frame, ty }))
            });
            let (partition, order) = (sort_keys(&window.partition), sort_keys(&window.order));
            self.add_levels(super::levels::OF_WINDOW)?;
            rel = Rel::Window { input: Box::new(rel), partition, order, calls: own.collect() };
        }
        Ok(rel)
    }

    /// An expression as a column of the relation below the windows.
    fn as_column(&mut self, expr: Expr, computed: &mut Vec<(ColumnId, Expr)>) -> Expr {
        let here = self.scopes.len().saturating_sub(1);
        if matches!(expr.kind, ExprKind::Column(id) if self.info(id).level == here) {
            return expr;
        }
        if let Some((id, _)) = computed.iter().find(|(_, known)| same_expr(known, &expr)) {
            return self.column_expr(*id, expr.position);
        }
        let id = self.new_column(expr.ty, expr.nullable, None);
        let column = self.column_expr(id, expr.position);
        computed.push((id, expr));
        column
    }
}

impl BoundWindow {
    /// The expressions that are evaluated for each row.
    pub(super) fn expressions_mut(&mut self) -> impl Iterator<Item = &mut Expr> {
        self.partition.iter_mut().chain(&mut self.order).map(|key| &mut key.expr)
    }
}

impl PendingCall {
    pub(super) fn expressions_mut(&mut self) -> impl Iterator<Item = &mut Expr> {
        self.args.iter_mut().chain(&mut self.filter)
    }
}

fn windowing_error(message: &str, position: Option<u32>) -> SqlError {
    SqlError::new(WINDOWING_ERROR, message).or_position(position)
}

fn missing_window(name: &str, position: Option<u32>) -> SqlError {
    SqlError::new(UNDEFINED_OBJECT, format!("window \"{name}\" does not exist")).or_position(position)
}

/// What a window may add to the one that it is based on (SQL:2008, 7.11).
fn check_inheritance(
    base: &BoundWindow,
    base_name: &str,
    definition: &WindowDefinition,
    order: &[WindowKey],
) -> SqlResult<()> {
    let WindowDefinition { name, spec, position, .. } = definition;
    if !spec.partition_by.is_empty() {
        let message = format!("cannot override PARTITION BY clause of window \"{base_name}\"");
        return Err(windowing_error(&message, *position));
    }
    if !order.is_empty() && !base.order.is_empty() {
        let message = format!("cannot override ORDER BY clause of window \"{base_name}\"");
        return Err(windowing_error(&message, *position));
    }
    if base.has_frame {
        let message = format!("cannot copy window \"{base_name}\" because it has a frame clause");
        let error = windowing_error(&message, *position);
        let adds_nothing = name.is_none() && order.is_empty() && spec.window_frame.is_none();
        return Err(if adds_nothing { error.with_hint("Omit the parentheses in this OVER clause.") } else { error });
    }
    Ok(())
}

/// Refuses frames that cannot be: PostgreSQL does so in its grammar.
fn check_frame(spec: &ast::WindowSpec, place: Option<&SpecPlace>, tokens: &Tokens) -> SqlResult<()> {
    use WindowFrameBound::{CurrentRow, Following, Preceding};
    let Some(ast::WindowFrame { start_bound, end_bound, .. }) = &spec.window_frame else { return Ok(()) };
    let (message, at_end) = match (start_bound, end_bound) {
        (Following(None), _) => ("frame start cannot be UNBOUNDED FOLLOWING", false),
        (_, Some(Preceding(None))) => ("frame end cannot be UNBOUNDED PRECEDING", true),
        (Following(_), None) => ("frame starting from following row cannot end with current row", false),
        (CurrentRow, Some(Preceding(_))) => ("frame starting from current row cannot have preceding rows", true),
        (Following(_), Some(Preceding(_) | CurrentRow)) => {
            ("frame starting from following row cannot have preceding rows", true)
        }
        _ => return Ok(()),
    };
    Err(windowing_error(message, place.and_then(|place| place.bound_position(tokens, at_end))))
}

/// A key with the number of its expression in PostgreSQL's list of what is sorted or grouped by.
type NumberedKey = (usize, bool, bool);

/// The keys of each window, partition first, numbered in the order in which PostgreSQL comes across them.
fn number_keys(windows: &[BoundWindow], mut known: Vec<Expr>) -> Vec<Vec<NumberedKey>> {
    let mut number = |expr: &Expr| {
        known.iter().position(|other| same_expr(other, expr)).unwrap_or_else(|| {
            known.push(expr.clone());
            known.len() - 1
        })
    };
    for key in windows.iter().flat_map(|window| window.order.iter().chain(&window.partition)) {
        number(&key.expr);
    }
    let numbered = windows.iter().map(|window| {
        let mut keys: Vec<NumberedKey> = Vec::new();
        for key in window.partition.iter().chain(&window.order) {
            let number = number(&key.expr);
            if !keys.iter().any(|(known, ..)| *known == number) {
                keys.push((number, key.descending, key.nulls_first));
            }
        }
        keys
    });
    numbered.collect()
}

/// Windows whose keys begin with the same ones stand together, the one with the most keys first.
fn compare_windows(a: Option<&Vec<NumberedKey>>, b: Option<&Vec<NumberedKey>>) -> Ordering {
    let (Some(a), Some(b)) = (a, b) else { return Ordering::Equal };
    let differs = a.iter().zip(b).map(|(a, b)| b.cmp(a)).find(|ordering| ordering.is_ne());
    differs.unwrap_or_else(|| b.len().cmp(&a.len()))
}

fn same_keys(a: &BoundWindow, b: &BoundWindow) -> bool {
    let same = |a: &[WindowKey], b: &[WindowKey]| {
        a.len() == b.len()
            && a.iter().zip(b).all(|(a, b)| {
                a.descending == b.descending && a.nulls_first == b.nulls_first && same_expr(&a.expr, &b.expr)
            })
    };
    same(&a.partition, &b.partition) && same(&a.order, &b.order)
}

/// Keys whose expressions are columns.
fn sort_keys(keys: &[WindowKey]) -> Vec<SortKey> {
    let column = |key: &WindowKey| match key.expr.kind {
        ExprKind::Column(column) => {
            Some(SortKey { column, ty: key.expr.ty, descending: key.descending, nulls_first: key.nulls_first })
        }
        _ => None,
    };
    keys.iter().filter_map(column).collect()
}
