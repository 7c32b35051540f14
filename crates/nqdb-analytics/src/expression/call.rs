//! Calls: which function has a kernel, and which may run without a session.

use std::collections::HashMap;
use std::sync::OnceLock;

use foldhash::fast::RandomState;
use nqdb_functions::{Function, Volatility, all_operators};
use nqdb_types::calendar::MICROS_PER_DAY;
use nqdb_types::{Datum, Oid, Type, oid};

use super::compile::{Compiler, parent, session_free};
use super::{Comparison, ConstantSet, DatePart, DateUnit, Expression, Node, Operation};
use crate::failure::{Failure, Outcome};
use crate::shape::{DECIMAL_DIGITS_MAX, Key, Repr, Shape, decimal_of};

/// Stable functions that take no date or time and yet ask nothing but the format settings and the transaction's start.
const STABLE_WITHOUT_SESSION: &[&str] = &[
    "concat",
    "concat_ws",
    "format",
    "now",
    "quote_literal",
    "quote_nullable",
    "statement_timestamp",
    "textanycat",
    "anytextcat",
    "to_char",
    "to_date",
    "to_number",
    "to_timestamp",
    "transaction_timestamp",
];

/// Whether a function needs nothing but its arguments, the format settings and the start of its transaction.
pub(super) fn is_session_free(function: &Function) -> bool {
    !function.set_returning && asks_no_session(function)
}

/// As [`is_session_free`], for functions that return rows too.
pub(crate) fn asks_no_session(function: &Function) -> bool {
    let is_of_time =
        |arg: &Oid| matches!(*arg, oid::DATE | oid::TIME | oid::TIMESTAMP | oid::TIMESTAMPTZ | oid::INTERVAL);
    match function.volatility {
        Volatility::Immutable => true,
        Volatility::Stable => function.args.iter().any(is_of_time) || STABLE_WITHOUT_SESSION.contains(&function.name),
        Volatility::Volatile => false,
    }
}

/// A comparison operator and the types of its sides.
#[derive(Clone, Copy)]
struct ComparisonOperator {
    comparison: Comparison,
    left: Oid,
    right: Oid,
}

fn comparison_of(function: &Function) -> Option<ComparisonOperator> {
    static COMPARISONS: OnceLock<HashMap<Oid, ComparisonOperator, RandomState>> = OnceLock::new();
    let comparisons = COMPARISONS.get_or_init(|| {
        let found = all_operators().filter_map(|operator| {
            let comparison = match operator.name {
                "<" => Comparison::Less,
                "<=" => Comparison::LessEqual,
                "=" => Comparison::Equal,
                "<>" => Comparison::NotEqual,
                ">=" => Comparison::GreaterEqual,
                ">" => Comparison::Greater,
                _ => return None,
            };
            let entry = ComparisonOperator { comparison, left: operator.left?, right: operator.right };
            Some((operator.function.oid, entry))
        });
        found.collect()
    });
    comparisons.get(&function.oid).copied()
}

/// Whether a function is `=`, `<` and the like, and can never fail.
pub(crate) fn is_comparison(function: &Function) -> bool {
    comparison_of(function).is_some() && function.volatility == Volatility::Immutable
}

/// Whether a function is the `=` of a type with itself, or of two integer types.
pub(crate) fn is_equality(function: &Function) -> bool {
    comparison_of(function).is_some_and(|operator| {
        operator.comparison == Comparison::Equal
            && (operator.left == operator.right || (is_integer(operator.left) && is_integer(operator.right)))
    })
}

fn is_integer(type_oid: Oid) -> bool {
    matches!(type_oid, oid::INT2 | oid::INT4 | oid::INT8)
}

impl Compiler<'_> {
    /// A call, by a kernel where there is one.
    pub(super) fn call(
        &self,
        function: &'static Function,
        args: Vec<Expression>,
        types: Vec<Type>,
        ty: Type,
    ) -> Outcome<Expression> {
        let function = session_free(function)?;
        let shape = Shape::of_type(ty);
        if args.iter().all(|arg| matches!(arg.node, Node::Constant(_))) {
            return Ok(self.folded(Expression { node: Node::Call { function, args, types }, shape, can_fail: true }));
        }
        let args = match <[Expression; 2]>::try_from(args) {
            Ok(pair) => match self.binary(function, pair, ty) {
                Ok(expression) => return Ok(expression),
                Err(pair) => Vec::from(*pair),
            },
            Err(args) => args,
        };
        let args = match <[Expression; 1]>::try_from(args) {
            Ok([arg]) => match self.widening(function, arg, ty) {
                Ok(expression) => return Ok(expression),
                Err(arg) => vec![*arg],
            },
            Err(args) => args,
        };
        let can_fail = !never_fails(function) || args.iter().any(|arg| arg.can_fail);
        Ok(Expression { node: Node::Call { function, args, types }, shape, can_fail })
    }

    /// The kernels over two values; gives the arguments back where none fits.
    fn binary(
        &self,
        function: &'static Function,
        args: [Expression; 2],
        ty: Type,
    ) -> Result<Expression, Box<[Expression; 2]>> {
        if let Some(operator) = comparison_of(function) {
            return self.comparison(operator, args);
        }
        if let Some(operation) = operation_of(function) {
            return self.arithmetic(operation, function, args, ty);
        }
        match (function.oid, args[0].as_constant(), args[1].as_constant()) {
            // textlike, textnlike; bpcharlike, bpcharnlike
            (850 | 851 | 1631 | 1632, _, Some(Datum::Text(pattern))) if !pattern.contains('\\') => {
                let (pattern, negated) = (pattern.to_string(), matches!(function.oid, 851 | 1632));
                let [arg, _] = args;
                Ok(parent(Shape::BOOL, |arg| Node::Like { arg, pattern, negated }, arg))
            }
            // extract and date_part of a date, of a timestamp
            (6199 | 1384 | 6202 | 2021, Some(Datum::Text(field)), _) => {
                let is_of_timestamp = matches!(function.oid, 6202 | 2021);
                let part = match &**field {
                    "year" => DatePart::Year,
                    "month" => DatePart::Month,
                    "day" => DatePart::Day,
                    "hour" if is_of_timestamp => DatePart::Hour,
                    "minute" if is_of_timestamp => DatePart::Minute,
                    "quarter" => DatePart::Quarter,
                    "doy" => DatePart::DayOfYear,
                    "dow" => DatePart::DayOfWeek,
                    "isodow" => DatePart::IsoDayOfWeek,
                    _ => return Err(Box::new(args)),
                };
                let [_, arg] = args;
                let repr = if matches!(function.oid, 6199 | 6202) {
                    Repr::Decimal { scale: 0, digits: 10 }
                } else {
                    Repr::Float64
                };
                // An infinite date declines, which a row that SQL does not ask for must not do.
                self.constants.may_decline.set(true);
                let expression = parent(Shape { ty, repr }, |arg| Node::DatePart { part, arg }, arg);
                Ok(Expression { can_fail: true, ..expression })
            }
            // date_trunc of a timestamp
            (2020, Some(Datum::Text(field)), _) => {
                let unit = match &**field {
                    "year" => DateUnit::Year,
                    "quarter" => DateUnit::Quarter,
                    "month" => DateUnit::Month,
                    "week" => DateUnit::Week,
                    "day" => DateUnit::Day,
                    "hour" => DateUnit::Hour,
                    "minute" => DateUnit::Minute,
                    "second" => DateUnit::Second,
                    _ => return Err(Box::new(args)),
                };
                let [_, arg] = args;
                let expression = parent(Shape::of_type(ty), |arg| Node::DateTrunc { unit, arg }, arg);
                Ok(Expression { can_fail: true, ..expression })
            }
            _ => Err(Box::new(args)),
        }
    }

    /// A comparison over arrays whose order is SQL's.
    fn comparison(
        &self,
        operator: ComparisonOperator,
        args: [Expression; 2],
    ) -> Result<Expression, Box<[Expression; 2]>> {
        if let Some((comparison, args)) = of_days(operator, &args) {
            return Ok(Expression { node: Node::Compare { comparison, args }, shape: Shape::BOOL, can_fail: false });
        }
        let comparison = operator.comparison;
        let is_same = operator.left == operator.right;
        let (left, right) = (args[0].shape, args[1].shape);
        let is_equality = matches!(comparison, Comparison::Equal | Comparison::NotEqual);
        let args = match (left.repr, right.repr) {
            _ if is_integer(operator.left) && is_integer(operator.right) => {
                let shape = if left.repr == right.repr { left } else { Shape::INT8 };
                args.map(|arg| self.widened(arg, shape))
            }
            (Repr::Decimal { .. }, Repr::Decimal { .. }) => self.rescaled(args)?,
            (a, b) if is_same && a == b => match left.key() {
                Key::Itself => args,
                Key::Float => args.map(|arg| self.folded(self.key(arg))),
                Key::Trimmed if is_equality && left.ty == right.ty && left.groups_by_itself() => args,
                Key::Trimmed => self.trimmed(args, is_equality),
                Key::Encoded => return Err(Box::new(args)),
            },
            _ => return Err(Box::new(args)),
        };
        let can_fail = args.iter().any(|arg| arg.can_fail);
        Ok(Expression { node: Node::Compare { comparison, args: Box::new(args) }, shape: Shape::BOOL, can_fail })
    }

    /// Two sides of an equality in arrays that are equal where the values are, if there are such.
    pub fn equal_keys(&self, sides: [Expression; 2]) -> Option<[Expression; 2]> {
        let (left, right) = (sides[0].shape, sides[1].shape);
        let is_number =
            |shape: Shape| matches!(shape.repr, Repr::Int16 | Repr::Int32 | Repr::Int64) && is_integer(shape.ty.oid);
        match (left.repr, right.repr) {
            _ if is_number(left) && is_number(right) => {
                let shape = if left.repr == right.repr { left } else { Shape::INT8 };
                Some(sides.map(|side| self.widened(side, shape)))
            }
            (Repr::Decimal { .. }, Repr::Decimal { .. }) => self.rescaled(sides).ok(),
            (Repr::Decimal { .. } | Repr::Opaque, Repr::Decimal { .. } | Repr::Opaque)
                if left.ty.oid == oid::NUMERIC && right.ty.oid == oid::NUMERIC =>
            {
                let opaque = Shape::of_type(Type::NUMERIC);
                Some(sides.map(|side| self.key(side.reshaped(opaque))))
            }
            (a, b) if a == b && left.key() == right.key() => match left.key() {
                Key::Itself => Some(sides),
                Key::Trimmed if left.ty == right.ty && left.groups_by_itself() => Some(sides),
                Key::Encoded if left.ty.oid != right.ty.oid => None,
                _ => Some(sides.map(|side| self.key(side))),
            },
            _ => None,
        }
    }

    /// `char(n)` beside a constant: the constant is padded to `n`, or else both sides lose their blanks.
    fn trimmed(&self, args: [Expression; 2], is_equality: bool) -> [Expression; 2] {
        if is_equality
            && let Some(characters) = args[0].shape.ty.character_limit()
            && let Some(Datum::Text(text)) = args[1].as_constant()
        {
            let text = text.trim_end_matches(' ');
            let missing = characters.checked_sub(text.chars().count());
            if let Some(missing) = missing {
                let padded = format!("{text}{}", " ".repeat(missing));
                let [column, constant] = args;
                let constant = Expression::constant(Datum::text(padded), constant.shape.ty);
                return [column, constant];
            }
        }
        args.map(|arg| self.folded(self.key(arg)))
    }

    /// Two decimals at one scale.
    fn rescaled(&self, args: [Expression; 2]) -> Result<[Expression; 2], Box<[Expression; 2]>> {
        let scales = [decimal_scale(args[0].shape), decimal_scale(args[1].shape)];
        let scale = scales[0].0.max(scales[1].0);
        let digits = scales.map(|(own, digits)| digits + u16::from(scale - own));
        if digits.iter().any(|digits| *digits > DECIMAL_DIGITS_MAX) {
            return Err(Box::new(args));
        }
        let mut digits = digits.into_iter();
        Ok(args.map(|arg| {
            let repr = Repr::Decimal { scale, digits: digits.next().unwrap_or(DECIMAL_DIGITS_MAX) };
            let shape = Shape { ty: arg.shape.ty, repr };
            self.widened(arg, shape)
        }))
    }

    /// The same number in a wider array.
    fn widened(&self, arg: Expression, shape: Shape) -> Expression {
        if arg.shape.data_type() == shape.data_type() {
            return arg;
        }
        if let Some(datum) = arg.as_constant() {
            let wide = match (datum, shape.repr) {
                (_, Repr::Int64) => datum.as_integer().map(Datum::Int8),
                (Datum::Numeric(value), Repr::Decimal { scale, .. }) => {
                    value.round(i32::from(scale)).ok().map(Datum::Numeric)
                }
                _ => None,
            };
            let wide = if datum.is_null() { Some(Datum::Null) } else { wide };
            if let Some(wide) = wide {
                return Expression { node: Node::Constant(wide), shape, can_fail: false };
            }
        }
        parent(shape, Node::Widen, arg)
    }

    /// `+ - *`; the result's decimals have the scale that PostgreSQL gives them.
    fn arithmetic(
        &self,
        operation: Operation,
        fallback: &'static Function,
        args: [Expression; 2],
        ty: Type,
    ) -> Result<Expression, Box<[Expression; 2]>> {
        let is_null = |arg: &Expression| arg.as_constant().is_some_and(Datum::is_null);
        if args.iter().any(is_null) {
            return Err(Box::new(args));
        }
        let shape = if ty.oid == oid::NUMERIC {
            let (Repr::Decimal { .. }, Repr::Decimal { .. }) = (args[0].shape.repr, args[1].shape.repr) else {
                return Err(Box::new(args));
            };
            let ((a, x), (b, y)) = (decimal_scale(args[0].shape), decimal_scale(args[1].shape));
            let (scale, digits) = match operation {
                Operation::Multiply => (a + b, x + y),
                _ => {
                    let scale = a.max(b);
                    let whole = x.saturating_sub(u16::from(a)).max(y.saturating_sub(u16::from(b)));
                    (scale, whole + 1 + u16::from(scale))
                }
            };
            if u16::from(scale) > DECIMAL_DIGITS_MAX {
                return Err(Box::new(args));
            }
            if digits > DECIMAL_DIGITS_MAX {
                self.constants.may_decline.set(true);
            }
            Shape { ty, repr: Repr::Decimal { scale, digits } }
        } else {
            Shape::of_type(ty)
        };
        let node = Node::Arithmetic { operation, args: Box::new(args), fallback };
        Ok(Expression { node, shape, can_fail: true })
    }

    /// Integers as wider integers, floats or numerics.
    fn widening(&self, function: &Function, arg: Expression, ty: Type) -> Result<Expression, Box<Expression>> {
        let repr = match function.oid {
            754 | 481 => Repr::Int64,
            313 => Repr::Int32,
            235 | 316 | 311 => Repr::Float64,
            1782 => Repr::Decimal { scale: 0, digits: 5 },
            1740 => Repr::Decimal { scale: 0, digits: 10 },
            1781 => Repr::Decimal { scale: 0, digits: 19 },
            _ => return Err(Box::new(arg)),
        };
        Ok(parent(Shape { ty, repr }, Node::Widen, arg))
    }

    /// IN over a list: one look into a set where all items are constants of the argument's array.
    /// Whether a value is among many constants; declines where they make no set.
    pub(super) fn in_constants(
        &self,
        arg: Expression,
        list: Vec<Expression>,
        equal: &'static Function,
    ) -> Outcome<Expression> {
        let Some((set, has_null)) = constant_set(&arg, &list, equal) else {
            return Err(Failure::Declined("the rows of a subquery that make no set"));
        };
        Ok(parent(Shape::BOOL, |arg| Node::InSet { arg, set, has_null, negated: false }, arg))
    }

    pub(super) fn in_list(
        &self,
        arg: Expression,
        list: Vec<Expression>,
        equal: &'static Function,
        negated: bool,
    ) -> Outcome<Expression> {
        if let Some((set, has_null)) = constant_set(&arg, &list, equal) {
            return Ok(parent(Shape::BOOL, |arg| Node::InSet { arg, set, has_null, negated }, arg));
        }
        // `arg` is compiled once and compared with each item in turn: it has no side effect.
        let types = vec![arg.shape.ty, list.first().map_or(arg.shape.ty, |item| item.shape.ty)];
        let mut tests = Vec::with_capacity(list.len());
        for item in list {
            tests.push(self.call(equal, vec![duplicate(&arg)?, item], types.clone(), Type::BOOL)?);
        }
        let can_fail = tests.iter().any(|test| test.can_fail);
        let any = Expression { node: Node::Or(tests), shape: Shape::BOOL, can_fail };
        Ok(if negated { parent(Shape::BOOL, Node::Not, any) } else { any })
    }
}

/// A column of dates beside a constant timestamp, as a comparison with a date: `date < noon of a day` is `date <= that day`.
fn of_days(operator: ComparisonOperator, args: &[Expression; 2]) -> Option<(Comparison, Box<[Expression; 2]>)> {
    let (date, timestamp, comparison) = match (operator.left, operator.right) {
        (oid::DATE, oid::TIMESTAMP) => (&args[0], &args[1], operator.comparison),
        (oid::TIMESTAMP, oid::DATE) => (&args[1], &args[0], operator.comparison.exchanged()),
        _ => return None,
    };
    let (Node::Column(index), Some(Datum::Timestamp(micros))) = (&date.node, timestamp.as_constant()) else {
        return None;
    };
    let (day, is_midnight) = match *micros {
        i64::MAX => (i32::MAX, true),
        i64::MIN => (i32::MIN, true),
        micros => (i32::try_from(micros.div_euclid(MICROS_PER_DAY)).ok()?, micros.rem_euclid(MICROS_PER_DAY) == 0),
    };
    // Within a day, the date is the day's beginning: nothing is equal, and what is before or after is so of the day itself.
    let comparison = match comparison {
        same if is_midnight => same,
        Comparison::Less | Comparison::LessEqual => Comparison::LessEqual,
        Comparison::Greater | Comparison::GreaterEqual => Comparison::Greater,
        Comparison::Equal | Comparison::NotEqual => return None,
    };
    let day = Expression::constant(Datum::Date(day), Type::DATE);
    Some((comparison, Box::new([Expression::column(*index, date.shape), day])))
}

/// A second copy of a column or constant.
fn duplicate(expression: &Expression) -> Outcome<Expression> {
    let node = match &expression.node {
        Node::Column(index) => Node::Column(*index),
        Node::Constant(datum) => Node::Constant(datum.clone()),
        Node::Reshape(arg) => Node::Reshape(Box::new(duplicate(arg)?)),
        Node::Call { function, args, types } => {
            let args = args.iter().map(duplicate).collect::<Outcome<Vec<Expression>>>()?;
            Node::Call { function, args, types: types.clone() }
        }
        _ => return Err(crate::failure::Failure::Declined("IN over a computed value")),
    };
    Ok(Expression { node, shape: expression.shape, can_fail: expression.can_fail })
}

fn decimal_scale(shape: Shape) -> (u8, u16) {
    match shape.repr {
        Repr::Decimal { scale, digits } => (scale, digits),
        _ => (0, 0),
    }
}

/// The items as a set, and whether NULL is among them.
fn constant_set(arg: &Expression, list: &[Expression], equal: &Function) -> Option<(ConstantSet, bool)> {
    let operator = comparison_of(equal)?;
    let items: Vec<&Datum> = list.iter().map(Expression::as_constant).collect::<Option<_>>()?;
    let has_null = items.iter().any(|item| item.is_null());
    let values = items.into_iter().filter(|item| !item.is_null());
    let set = match arg.shape.repr {
        Repr::Int16 | Repr::Int32 | Repr::Int64 if is_integer(operator.left) && is_integer(operator.right) => {
            ConstantSet::Integers(values.map(Datum::as_integer).collect::<Option<_>>()?)
        }
        Repr::Decimal { scale, .. } => {
            let mut set = std::collections::HashSet::default();
            for value in values {
                let Datum::Numeric(value) = value else { return None };
                let rounded = value.round(i32::from(scale)).ok()?;
                // An item with more digits behind the point than the column has equals no value of it.
                if rounded == *value {
                    set.insert(decimal_of(&rounded, scale)?);
                }
            }
            ConstantSet::Decimals(set)
        }
        Repr::Text if operator.left == operator.right => match (operator.left, arg.shape.ty.character_limit()) {
            (oid::TEXT, _) => {
                ConstantSet::Texts(values.map(|value| value.as_text().map(str::to_owned)).collect::<Option<_>>()?)
            }
            (oid::BPCHAR, Some(characters)) if arg.shape.ty.oid == oid::BPCHAR => {
                let mut set = std::collections::HashSet::default();
                for value in values {
                    let text = value.as_text()?.trim_end_matches(' ');
                    if let Some(missing) = characters.checked_sub(text.chars().count()) {
                        set.insert(format!("{text}{}", " ".repeat(missing)));
                    }
                }
                ConstantSet::Texts(set)
            }
            _ => return None,
        },
        _ => return None,
    };
    Some((set, has_null))
}

fn operation_of(function: &Function) -> Option<Operation> {
    Some(match function.oid {
        // int2, int4, int8, and between them; float4, float8; numeric
        176 | 177 | 463 | 178 | 179 | 841 | 837 | 1278 | 1274 | 204 | 218 | 1724 => Operation::Add,
        180 | 181 | 464 | 182 | 183 | 942 | 838 | 1279 | 1275 | 205 | 219 | 1725 => Operation::Subtract,
        152 | 141 | 465 | 170 | 171 | 943 | 839 | 1280 | 1276 | 202 | 216 | 1726 => Operation::Multiply,
        _ => return None,
    })
}

/// Functions that raise no error whatever their arguments are.
fn never_fails(function: &Function) -> bool {
    is_comparison(function)
        || matches!(function.name, "length" | "char_length" | "lower" | "upper" | "btrim" | "ltrim" | "rtrim" | "text")
}
