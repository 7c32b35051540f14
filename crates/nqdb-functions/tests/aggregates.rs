//! Aggregates and `generate_series` over lists of values, compared with PostgreSQL 15.

mod copy_text;
mod reference;
mod session;
mod values;

use std::fmt::Write;

use copy_text::escape;
use nqdb_functions::{Aggregate, FunctionContext, all_aggregates, resolve_function};
use nqdb_sqlstate::SqlResult;
use nqdb_types::{Datum, FormatContext, Type, oid, parse_text, type_info, write_text};
use reference::Reference;
use session::{FixedSession, NOW_MICROS};
use values::values;

fn text_of(datum: &Datum, type_oid: u32, format: &FormatContext) -> String {
    let mut bytes = Vec::new();
    write_text(&mut bytes, datum, Type::new(type_oid), format);
    String::from_utf8(bytes).expect("UTF-8")
}

/// Lists of values: none, NULLs only, each alone, all, the finite ones, and pairs.
fn lists(type_oid: u32) -> Vec<Vec<Option<&'static str>>> {
    let all: Vec<Option<&str>> = values(type_oid).iter().map(|value| Some(*value)).collect();
    let is_extreme = |text: &str| {
        text.contains("nfinity")
            || text.contains("NaN")
            || text.contains("e30")
            || text.contains("2147")
            || text.len() > 18
    };
    let finite: Vec<_> = all.iter().copied().filter(|value| !value.is_some_and(is_extreme)).collect();
    let mut lists = vec![vec![], vec![None, None], all.clone(), finite.clone()];
    lists.push(finite.iter().flat_map(|value| [*value, None, *value]).collect());
    lists.extend(all.iter().map(|value| vec![*value]));
    lists.extend(all.windows(2).map(<[_]>::to_vec));
    lists.extend(finite.windows(3).map(<[_]>::to_vec));
    lists
}

fn evaluate(aggregate: &Aggregate, list: &[Option<&str>], format: &FormatContext) -> SqlResult<Datum> {
    let mut state = (aggregate.state)();
    for value in list {
        let mut row = Vec::new();
        for (index, &type_oid) in aggregate.args.iter().enumerate() {
            let text = if index == 0 { *value } else { Some(second_argument(type_oid)) };
            let ty = Type::new(if type_oid == oid::ANY { oid::INT4 } else { type_oid });
            row.push(text.map_or(Ok(Datum::Null), |text| parse_text(text, ty, format))?);
        }
        state.accumulate(&row)?;
    }
    state.finish()
}

/// What every row has as its second argument: a separator, or an X.
fn second_argument(type_oid: u32) -> &'static str {
    if type_oid == oid::FLOAT8 { "2.5" } else { ", " }
}

fn sql(aggregate: &Aggregate, list: &[Option<&str>]) -> String {
    let type_name = |type_oid: u32| {
        let type_oid = if type_oid == oid::ANY { oid::INT4 } else { type_oid };
        format!("\"{}\"", type_info(type_oid).expect("a type").name)
    };
    let Some(&first) = aggregate.args.first() else {
        return format!("(SELECT count(*) FROM generate_series(1, {}))", list.len());
    };
    let rows: Vec<String> = list
        .iter()
        .map(|value| match value {
            Some(value) => format!("('{}'::{})", value.replace('\'', "''"), type_name(first)),
            None => format!("(NULL::{})", type_name(first)),
        })
        .collect();
    let separator = aggregate
        .args
        .get(1)
        .map_or(String::new(), |&second| format!(", '{}'::{}", second_argument(second), type_name(second)));
    let from = if rows.is_empty() {
        format!("(SELECT NULL::{} WHERE false) v(x)", type_name(first))
    } else {
        format!("(VALUES {}) v(x)", rows.join(", "))
    };
    format!("(SELECT {}(x{separator}) FROM {from})", aggregate.name)
}

const SERIES: &[(&str, &[(u32, &str)])] = &[
    ("generate_series", &[(oid::INT4, "1"), (oid::INT4, "5")]),
    ("generate_series", &[(oid::INT4, "5"), (oid::INT4, "1")]),
    ("generate_series", &[(oid::INT4, "2147483645"), (oid::INT4, "2147483647")]),
    ("generate_series", &[(oid::INT4, "5"), (oid::INT4, "1"), (oid::INT4, "-2")]),
    ("generate_series", &[(oid::INT4, "5"), (oid::INT4, "1"), (oid::INT4, "0")]),
    ("generate_series", &[(oid::INT8, "9223372036854775806"), (oid::INT8, "9223372036854775807"), (oid::INT8, "7")]),
    ("generate_series", &[(oid::NUMERIC, "1.5"), (oid::NUMERIC, "3"), (oid::NUMERIC, "0.25")]),
    ("generate_series", &[(oid::NUMERIC, "1"), (oid::NUMERIC, "NaN")]),
    ("generate_series", &[(oid::TIMESTAMP, "2024-01-31"), (oid::TIMESTAMP, "2024-05-31"), (oid::INTERVAL, "1 mon")]),
    ("generate_series", &[(oid::TIMESTAMP, "2024-01-31"), (oid::TIMESTAMP, "2024-01-01"), (oid::INTERVAL, "-1 week")]),
    (
        "generate_series",
        &[(oid::TIMESTAMPTZ, "2024-03-30"), (oid::TIMESTAMPTZ, "2024-04-02"), (oid::INTERVAL, "1 day")],
    ),
    ("generate_series", &[(oid::TIMESTAMP, "2024-03-30"), (oid::TIMESTAMP, "2024-04-02"), (oid::INTERVAL, "0")]),
];

fn series(name: &str, args: &[(u32, &str)], format: &FormatContext) -> SqlResult<String> {
    let types: Vec<u32> = args.iter().map(|(type_oid, _)| *type_oid).collect();
    let resolved = resolve_function(name, &types).expect("it exists");
    let nqdb_functions::Callee::Function(function) = resolved.callee else { panic!("{name} is no function") };
    let arguments: Vec<Datum> =
        args.iter().map(|(type_oid, text)| parse_text(text, Type::new(*type_oid), format)).collect::<SqlResult<_>>()?;
    let mut context = FunctionContext::new(format, NOW_MICROS, NOW_MICROS, &FixedSession);
    let rows = function.rows.expect("it returns a set")(&mut context, &arguments)?;
    let texts: Vec<String> =
        rows.map(|row| row.map(|datum| text_of(&datum, function.returns, format))).collect::<SqlResult<_>>()?;
    Ok(texts.join(","))
}

#[test]
fn aggregates_and_series_answer_as_postgresql_does() {
    let format = FormatContext::default();
    let mut cases: Vec<(String, Option<String>)> = Vec::new();
    // Those of json need a session, those of enums a type; they are tested with the SQL suite.
    let polymorphic = |aggregate: &&Aggregate| {
        let is_polymorphic =
            |arg: &u32| matches!(*arg, oid::ANYARRAY | oid::ANYNONARRAY | oid::ANYELEMENT | oid::ANYENUM);
        aggregate.args.iter().any(is_polymorphic) || aggregate.name.contains("json")
    };
    for aggregate in all_aggregates().filter(|aggregate| aggregate.ordered_set.is_none() && !polymorphic(aggregate)) {
        let type_oid =
            aggregate.args.first().map_or(oid::INT4, |&first| if first == oid::ANY { oid::INT4 } else { first });
        for list in lists(type_oid) {
            let ours = match evaluate(aggregate, &list, &format) {
                Ok(Datum::Null) => None,
                Ok(datum) => Some(text_of(&datum, aggregate.returns, &format)),
                Err(error) => Some(format!("!{}", error.code())),
            };
            cases.push((sql(aggregate, &list), ours));
        }
    }
    for (name, args) in SERIES {
        let ours = series(name, args, &format).unwrap_or_else(|error| format!("!{}", error.code()));
        let arguments: Vec<String> = args
            .iter()
            .map(|(type_oid, text)| format!("'{text}'::{}", type_info(*type_oid).expect("a type").name))
            .collect();
        let call =
            format!("(SELECT coalesce(string_agg(format('%s', x), ','), '') FROM {name}({}) x)", arguments.join(", "));
        cases.push((call, Some(ours)));
    }
    let mut script = String::from(
        "SET TimeZone = 'UTC'; SET client_min_messages = error;
         CREATE FUNCTION attempt(expression text) RETURNS text LANGUAGE plpgsql AS $$
         DECLARE is_null boolean; result text;
         BEGIN
           EXECUTE 'SELECT x IS NULL, format(''%s'', x) FROM (SELECT ' || expression || ' AS x OFFSET 0) s'
             INTO is_null, result;
           RETURN CASE WHEN is_null THEN NULL ELSE result END;
         EXCEPTION WHEN OTHERS THEN RETURN '!' || SQLSTATE;
         END $$;
         CREATE TABLE cases (number int, expression text);
         COPY cases FROM STDIN;\n",
    );
    for (number, (expression, _)) in cases.iter().enumerate() {
        writeln!(script, "{number}\t{}", escape(expression)).expect("a string grows");
    }
    script.push_str("\\.\nCOPY (SELECT number, attempt(expression) FROM cases ORDER BY number) TO STDOUT;\n");
    let theirs = Reference::start("aggregates").rows(&script);
    assert_eq!(theirs.len(), cases.len());
    let wrong: Vec<String> = cases
        .iter()
        .zip(&theirs)
        .filter(|((_, ours), row)| *ours != row[1])
        .map(|((expression, ours), row)| format!("{expression}: ours {ours:?}, PostgreSQL {:?}", row[1]))
        .collect();
    let shown = wrong.iter().take(100).cloned().collect::<Vec<_>>().join("\n");
    assert!(wrong.is_empty(), "{} of {} answers differ:\n{shown}", wrong.len(), cases.len());
}
