//! Every explicit cast between the types that nqdb has, on interesting values, compared with PostgreSQL 15.

mod copy_text;
mod reference;
mod session;
mod values;

use std::fmt::Write;

use copy_text::escape;
use nqdb_functions::{FunctionContext, cast_value};
use nqdb_types::{Datum, FormatContext, Oid, TimeZone, Type, oid, parse_text, type_info, write_text};
use reference::Reference;
use session::{FixedSession, NOW_MICROS};
use values::values;

const TYPES: &[Oid] = &[
    oid::BOOL,
    oid::INT2,
    oid::INT4,
    oid::INT8,
    oid::FLOAT4,
    oid::FLOAT8,
    oid::NUMERIC,
    oid::TEXT,
    oid::VARCHAR,
    oid::BPCHAR,
    oid::NAME,
    oid::CHAR_INTERNAL,
    oid::BYTEA,
    oid::DATE,
    oid::TIME,
    oid::TIMESTAMP,
    oid::TIMESTAMPTZ,
    oid::INTERVAL,
    oid::UUID,
    oid::OID,
];

#[test]
fn casts_give_what_postgresql_gives() {
    let zone = TimeZone::from_name("Europe/Berlin").expect("a known zone");
    let format = FormatContext { time_zone: zone, now_micros: NOW_MICROS, ..FormatContext::default() };
    let mut script = String::from(
        "SET TimeZone = 'Europe/Berlin'; SET client_min_messages = error;
         CREATE FUNCTION attempt(expression text) RETURNS text LANGUAGE plpgsql AS $$
         DECLARE result text;
         BEGIN
           EXECUTE 'SELECT format(''%s'', ' || expression || ')' INTO result;
           RETURN result;
         EXCEPTION WHEN OTHERS THEN RETURN '!' || SQLSTATE;
         END $$;
         CREATE TABLE cases (number int, expression text);
         COPY cases FROM STDIN;\n",
    );
    let targets = TYPES.iter().map(|&type_oid| Type::new(type_oid)).chain([
        Type::varchar(3),
        Type::bpchar(4),
        Type::numeric(6, 2),
        Type::with_typmod(oid::TIMESTAMP, 1),
    ]);
    let targets: Vec<Type> = targets.collect();
    let mut cases = Vec::new();
    for &from in TYPES {
        for value in values(from) {
            for &to in &targets {
                let mut context = FunctionContext::new(&format, NOW_MICROS, NOW_MICROS, &FixedSession);
                let ours = parse_text(value, Type::new(from), &format)
                    .and_then(|datum| cast_value(&datum, Type::new(from), to, &mut context));
                let ours = match ours {
                    Ok(Datum::Null) => String::new(),
                    Ok(datum) => {
                        let mut bytes = Vec::new();
                        write_text(&mut bytes, &datum, to, &format);
                        String::from_utf8(bytes).expect("UTF-8")
                    }
                    Err(error) => format!("!{}", error.code()),
                };
                let target = if to == Type::new(oid::CHAR_INTERNAL) {
                    "\"char\"".to_string()
                } else if to.typmod < 0 {
                    type_info(to.oid).expect("a type").name.to_string()
                } else {
                    to.name()
                };
                let source = type_info(from).expect("a type").name;
                let expression = format!("'{}'::\"{source}\"::{target}", value.replace('\'', "''"));
                writeln!(script, "{}\t{}", cases.len(), escape(&expression)).expect("a string grows");
                cases.push((expression, ours));
            }
        }
    }
    script.push_str("\\.\nCOPY (SELECT number, attempt(expression) FROM cases ORDER BY number) TO STDOUT;\n");
    let theirs = Reference::start("casts").rows(&script);
    assert_eq!(theirs.len(), cases.len());
    let wrong: Vec<String> = cases
        .iter()
        .zip(&theirs)
        // An empty "char" is a NUL byte, which PostgreSQL's character(n) keeps and its output drops.
        .filter(|((expression, ours), row)| {
            row[1].as_ref() != Some(ours) && ours != "!0A000" && !expression.starts_with("''::\"char\"::character(")
        })
        .map(|((expression, ours), row)| format!("{expression}: ours {ours:?}, PostgreSQL {:?}", row[1]))
        .collect();
    let shown = wrong.iter().take(100).cloned().collect::<Vec<_>>().join("\n");
    assert!(wrong.is_empty(), "{} of {} casts differ:\n{shown}", wrong.len(), cases.len());
}
