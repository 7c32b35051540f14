//! Kernels give what the functions give, row by row.

use std::collections::HashMap;
use std::sync::Arc;

use nqdb_functions::{Function, FunctionContext, function_by_oid};
use nqdb_sql::ir::{ColumnId, Expr, ExprKind};
use nqdb_sqlstate::SqlResult;
use nqdb_types::{Datum, FormatContext, Type};

use super::{Columns, Compiler, Constants, EvalContext, Node, Rows};
use crate::column::{ColumnBuilder, datum_at};
use crate::failure::Failure;
use crate::shape::Shape;
use crate::watch::Stop;
use nqdb_sql::NoSession;

fn constants() -> Constants {
    let cx = EvalContext {
        format: FormatContext::default(),
        transaction_time_micros: 0,
        statement_time_micros: 0,
        stop: Stop::default(),
    };
    Constants::new(Arc::from([]), Arc::new(cx), HashMap::new())
}

/// Columns of values, of declared types.
struct Table {
    columns: Columns,
    rows: Rows,
    types: Vec<Type>,
    values: Vec<Vec<Datum>>,
}

fn table(columns: Vec<(Type, Vec<Datum>)>) -> Table {
    let count = columns[0].1.len();
    let mut places = Columns::default();
    let mut arrays = Vec::new();
    for (index, (ty, values)) in columns.iter().enumerate() {
        let shape = Shape::of_column(*ty);
        let mut builder = ColumnBuilder::new(shape, count);
        values.iter().for_each(|value| builder.push(value).unwrap());
        places.insert(ColumnId(index as u32), index, shape);
        arrays.push(Some(builder.finish()));
    }
    let (types, values) = columns.into_iter().unzip();
    Table { columns: places, rows: Rows { columns: arrays, count }, types, values }
}

fn expr(kind: ExprKind, ty: Type) -> Expr {
    Expr { kind, ty, nullable: true, position: None }
}

impl Table {
    fn column(&self, index: u32) -> Expr {
        expr(ExprKind::Column(ColumnId(index)), self.types[index as usize])
    }

    /// Evaluates an expression; one value for each row, or the failure.
    fn evaluate(&self, expression: &Expr) -> Result<Vec<Datum>, Failure> {
        let constants = constants();
        let compiled = Compiler { columns: &self.columns, constants: &constants }.compile(expression)?;
        let array = compiled.evaluate_array(&self.rows, &constants.cx)?;
        (0..array.len()).map(|row| datum_at(&array, row, compiled.shape)).collect()
    }

    /// Whether the expression has a kernel.
    fn is_vectorised(&self, expression: &Expr) -> bool {
        let constants = constants();
        let compiled = Compiler { columns: &self.columns, constants: &constants }.compile(expression).unwrap();
        !matches!(compiled.node, Node::Call { .. } | Node::RowWise { .. })
    }
}

fn function(oid: u32) -> &'static Function {
    function_by_oid(oid).unwrap()
}

fn call_rows(function: &Function, rows: impl Iterator<Item = Vec<Datum>>) -> SqlResult<Vec<Datum>> {
    let format = FormatContext::default();
    let mut cx = FunctionContext::new(&format, 0, 0, &NoSession::UNBOUNDED);
    rows.map(|args| (function.eval)(&mut cx, &args)).collect()
}

/// The text of values: NULL, digits and all.
fn texts(values: &[Datum]) -> Vec<String> {
    values.iter().map(|value| format!("{value:?}")).collect()
}

/// Compares a binary function over all pairs of values with its kernel, value by value.
fn check_pairs(oid: u32, (left_type, left): (Type, &[Datum]), (right_type, right): (Type, &[Datum])) {
    let function = function(oid);
    for a in left {
        for b in right {
            let table = table(vec![(left_type, vec![a.clone(); 2]), (right_type, vec![b.clone(); 2])]);
            let args = vec![table.column(0), table.column(1)];
            let call = expr(ExprKind::Call { function, args }, Type::new(function.returns));
            assert!(table.is_vectorised(&call), "{} has a kernel", function.name);
            let expected = call_rows(function, (0..2).map(|_| vec![a.clone(), b.clone()]));
            match (table.evaluate(&call), expected) {
                (Ok(found), Ok(expected)) => {
                    assert_eq!(texts(&found), texts(&expected), "{}({a:?}, {b:?})", function.name);
                }
                (Err(Failure::Sql(found)), Err(expected)) => {
                    assert_eq!((found.code(), found.message()), (expected.code(), expected.message()));
                }
                // What has too many digits is left to the row executor.
                (Err(Failure::Declined(_)), Ok(_)) if function.returns == nqdb_types::oid::NUMERIC => {}
                (found, expected) => {
                    panic!("{}({a:?}, {b:?}): {found:?} instead of {expected:?}", function.name)
                }
            }
        }
    }
}

fn numerics(texts: &[&str]) -> Vec<Datum> {
    let numeric = |text: &&str| Datum::Numeric(text.parse().unwrap());
    texts.iter().map(numeric).chain([Datum::Null]).collect()
}

#[test]
fn integers_calculate_and_overflow_as_their_functions_do() {
    let small: Vec<Datum> = [0, 1, -1, i16::MAX, i16::MIN].map(Datum::Int2).into_iter().chain([Datum::Null]).collect();
    let plain: Vec<Datum> = [0, 7, -7, i32::MAX, i32::MIN].map(Datum::Int4).into_iter().chain([Datum::Null]).collect();
    let large: Vec<Datum> = [0, 7, -7, i64::MAX, i64::MIN].map(Datum::Int8).into_iter().chain([Datum::Null]).collect();
    for oid in [176, 180, 152] {
        check_pairs(oid, (Type::INT2, &small), (Type::INT2, &small));
    }
    for oid in [177, 181, 141] {
        check_pairs(oid, (Type::INT4, &plain), (Type::INT4, &plain));
    }
    for oid in [463, 464, 465] {
        check_pairs(oid, (Type::INT8, &large), (Type::INT8, &large));
    }
    for oid in [1278, 1279, 1280] {
        check_pairs(oid, (Type::INT4, &plain), (Type::INT8, &large));
    }
    for oid in [65, 66, 147, 149, 150, 144] {
        check_pairs(oid, (Type::INT4, &plain), (Type::INT4, &plain));
    }
    for oid in [852, 854, 855, 856, 857, 853] {
        check_pairs(oid, (Type::INT4, &plain), (Type::INT8, &large));
    }
}

#[test]
fn floats_calculate_and_compare_as_their_functions_do() {
    let values = [0.0, -0.0, 1.5, -1.5, f64::MAX, f64::MIN_POSITIVE, f64::INFINITY, f64::NEG_INFINITY, f64::NAN];
    let values: Vec<Datum> = values.map(Datum::Float8).into_iter().chain([Datum::Null]).collect();
    // Sums, differences, products; = <> < > <= >=
    for oid in [218, 219, 216, 293, 294, 295, 297, 296, 298] {
        check_pairs(oid, (Type::FLOAT8, &values), (Type::FLOAT8, &values));
    }
}

#[test]
fn decimals_keep_value_and_scale() {
    let money = numerics(&["0.00", "1.00", "-1.05", "9999999999999.99", "-9999999999999.99", "NaN"]);
    let rate = numerics(&["0.0000", "0.5000", "-3.1415", "NaN"]);
    let wide = numerics(&["99999999999999999999999999999999999.999", "-0.001", "NaN"]);
    let types = [(Type::numeric(15, 2), &money), (Type::numeric(8, 4), &rate), (Type::numeric(38, 3), &wide)];
    for oid in [1724, 1725, 1726] {
        for (left_type, left) in types {
            for (right_type, right) in types {
                check_pairs(oid, (left_type, left), (right_type, right));
            }
        }
    }
    // = <> > >= < <=
    for oid in [1718, 1719, 1720, 1721, 1722, 1723] {
        check_pairs(oid, (types[0].0, &money), (types[1].0, &rate));
    }
}

#[test]
fn texts_compare_by_bytes_and_padded_ones_without_their_blanks() {
    let texts: Vec<Datum> = ["", "a", "a ", "a\u{1}", "b", "ä", "abcdefghijklmnop"].map(Datum::text).to_vec();
    // = <> < <= > >=
    for oid in [67, 157, 740, 741, 742, 743] {
        check_pairs(oid, (Type::TEXT, &texts), (Type::TEXT, &texts));
    }
    let padded: Vec<Datum> = ["   ", "a  ", "a\u{1} ", "abc"].map(Datum::text).to_vec();
    let longer: Vec<Datum> = ["     ", "a    ", "abc  ", "abcd "].map(Datum::text).to_vec();
    for oid in [1048, 1053, 1049, 1050, 1051, 1052] {
        check_pairs(oid, (Type::bpchar(3), &padded), (Type::bpchar(3), &padded));
        check_pairs(oid, (Type::bpchar(3), &padded), (Type::bpchar(5), &longer));
    }
}

#[test]
fn parts_of_dates_are_those_of_the_function() {
    let days: Vec<i32> = vec![-2_451_545, -800_000, -730_500, -730_121, -1, 0, 59, 365, 9_000, 2_000_000];
    let dates: Vec<Datum> = days.into_iter().map(Datum::Date).chain([Datum::Null]).collect();
    for (oid, ty) in [(6199, Type::NUMERIC), (1384, Type::FLOAT8)] {
        for field in ["year", "month", "day"] {
            let table = table(vec![(Type::DATE, dates.clone())]);
            let field = Datum::text(field);
            let args = vec![expr(ExprKind::Literal(field.clone()), Type::TEXT), table.column(0)];
            let call = expr(ExprKind::Call { function: function(oid), args }, ty);
            assert!(table.is_vectorised(&call));
            let expected = call_rows(function(oid), dates.iter().map(|date| vec![field.clone(), date.clone()]));
            assert_eq!(texts(&table.evaluate(&call).unwrap()), texts(&expected.unwrap()));
        }
    }
}

#[test]
fn patterns_match_as_the_function_says() {
    let values: Vec<Datum> =
        ["", "green", "forest green", "Green", "a_b", "a%b", "grün", "line\nbreak", "special requests"]
            .map(Datum::text)
            .into_iter()
            .chain([Datum::Null])
            .collect();
    for pattern in
        ["", "%", "green", "%green", "green%", "%green%", "gr_n", "_____", "%e%e%", "line_break", "%special%requests%"]
    {
        for oid in [850, 851] {
            let table = table(vec![(Type::TEXT, values.clone())]);
            let pattern = Datum::text(pattern);
            let args = vec![table.column(0), expr(ExprKind::Literal(pattern.clone()), Type::TEXT)];
            let call = expr(ExprKind::Call { function: function(oid), args }, Type::BOOL);
            assert!(table.is_vectorised(&call));
            let expected = call_rows(function(oid), values.iter().map(|value| vec![value.clone(), pattern.clone()]));
            assert_eq!(texts(&table.evaluate(&call).unwrap()), texts(&expected.unwrap()), "{pattern:?}");
        }
    }
}

#[test]
fn a_guard_keeps_what_fails_from_its_rows() {
    let table = table(vec![(Type::INT4, [0, 1, 2].map(Datum::Int4).to_vec())]);
    let zero = || expr(ExprKind::Literal(Datum::Int4(0)), Type::INT4);
    let call = |oid, args| expr(ExprKind::Call { function: function(oid), args }, Type::new(function(oid).returns));
    let quotient = || call(154, vec![expr(ExprKind::Literal(Datum::Int4(2)), Type::INT4), table.column(0)]);
    let is_large = || call(147, vec![quotient(), expr(ExprKind::Literal(Datum::Int4(1)), Type::INT4)]);
    let is_not_zero = || call(144, vec![table.column(0), zero()]);
    let guarded = expr(ExprKind::And(vec![is_not_zero(), is_large()]), Type::BOOL);
    assert_eq!(texts(&table.evaluate(&guarded).unwrap()), ["Bool(false)", "Bool(true)", "Bool(false)"]);
    let unguarded = expr(ExprKind::And(vec![is_large(), is_not_zero()]), Type::BOOL);
    assert!(matches!(table.evaluate(&unguarded), Err(Failure::Sql(error)) if error.message() == "division by zero"));
    let case = expr(
        ExprKind::Case { operand: None, arms: vec![(is_not_zero(), quotient())], otherwise: Some(Box::new(zero())) },
        Type::INT4,
    );
    assert_eq!(texts(&table.evaluate(&case).unwrap()), ["Int4(0)", "Int4(2)", "Int4(1)"]);
    // A constant that fails does so only where it is asked for.
    let failing = call(154, vec![zero(), zero()]);
    let branch = expr(
        ExprKind::Case {
            operand: None,
            arms: vec![(is_not_zero(), table.column(0))],
            otherwise: Some(Box::new(failing)),
        },
        Type::INT4,
    );
    assert!(table.evaluate(&branch).is_err());
    let never = expr(ExprKind::Coalesce(vec![table.column(0), call(154, vec![zero(), zero()])]), Type::INT4);
    assert_eq!(texts(&table.evaluate(&never).unwrap()), ["Int4(0)", "Int4(1)", "Int4(2)"]);
}

#[test]
fn null_in_a_list_hides_that_nothing_was_found() {
    let table = table(vec![(Type::INT4, [1, 2].map(Datum::Int4).into_iter().chain([Datum::Null]).collect())]);
    let list = [Datum::Int4(1), Datum::Null].map(|item| expr(ExprKind::Literal(item), Type::INT4)).to_vec();
    for (negated, expected) in [(false, ["Bool(true)", "Null", "Null"]), (true, ["Bool(false)", "Null", "Null"])] {
        let arg = Box::new(table.column(0));
        let kind = ExprKind::InList { arg, list: list.clone(), equal: function(65), negated };
        assert_eq!(texts(&table.evaluate(&expr(kind, Type::BOOL)).unwrap()), expected);
    }
    assert_eq!(table.values.len(), 1);
}
