//! Overload resolution and coercion, compared with what PostgreSQL 15 makes of the same expressions.

mod copy_text;
mod reference;

use std::fmt::Write;

use copy_text::escape;
use nqdb_functions::{
    CastContext, ResolveError, coercion, common_type, equality, less, resolve_function, resolve_operator,
};
use nqdb_types::{Oid, Type, oid};
use reference::Reference;

const TYPES: &[Oid] = &[
    oid::UNKNOWN,
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
    oid::BYTEA,
    oid::DATE,
    oid::TIME,
    oid::TIMESTAMP,
    oid::TIMESTAMPTZ,
    oid::INTERVAL,
    oid::UUID,
    oid::OID,
    oid::REGCLASS,
];

const BINARY_OPERATORS: &[&str] = &["=", "<", ">=", "<>", "+", "-", "*", "/", "%", "^", "||", "~~", "~", "&", "<<"];
const PREFIX_OPERATORS: &[&str] = &["-", "+", "@", "~", "|/", "||/"];

/// Functions with one and with two arguments whose overloads make the rules work.
const ONE_ARGUMENT: &[&str] = &[
    "abs",
    "round",
    "ceil",
    "sqrt",
    "length",
    "lower",
    "btrim",
    "sign",
    "ln",
    "trunc",
    "octet_length",
    "bit_length",
    "sum",
    "avg",
    "min",
    "max",
    "count",
    "stddev",
    "bool_and",
    "age",
    "isfinite",
    "to_timestamp",
    "quote_literal",
    "justify_days",
    "date",
    "upper",
    "md5",
    "text",
    "int4",
    "float8",
    "varchar",
    "timestamp",
    "numeric",
    "bool",
];
const TWO_ARGUMENTS: &[&str] = &[
    "mod",
    "power",
    "round",
    "trunc",
    "log",
    "substr",
    "left",
    "date_trunc",
    "date_part",
    "extract",
    "timezone",
    "age",
    "to_char",
    "position",
    "string_agg",
    "atan2",
    "div",
    "gcd",
    "repeat",
    "strpos",
    "lpad",
    "btrim",
    "concat",
    "generate_series",
    "to_timestamp",
];

fn null_of(type_oid: Oid) -> String {
    if type_oid == oid::UNKNOWN { "NULL".into() } else { format!("NULL::{}", Type::new(type_oid).name()) }
}

/// What a test case should answer: `pg_typeof`, `!` and a SQLSTATE, or a type's name for a cast.
fn outcome(result: Result<Oid, ResolveError>) -> String {
    match result {
        Ok(type_oid) => Type::new(type_oid).name(),
        Err(ResolveError::Unknown) => "!42883".into(),
        Err(ResolveError::Ambiguous) => "!42725".into(),
        Err(ResolveError::CastSyntax(target)) => Type::new(target).name(),
        Err(ResolveError::Undetermined) => "!42804".into(),
        Err(ResolveError::NoArrayType(_)) => "!42704".into(),
        Err(ResolveError::VariadicIsNoArray) => "!42804".into(),
    }
}

fn function_outcome(name: &str, args: &[Oid]) -> String {
    outcome(resolve_function(name, args).map(|resolved| resolved.returns))
}

#[test]
fn expressions_resolve_as_in_postgresql() {
    let mut cases: Vec<(String, String)> = Vec::new();
    for &left in TYPES {
        for &right in TYPES {
            for name in BINARY_OPERATORS {
                let ours = outcome(resolve_operator(name, Some(left), right).map(|resolved| resolved.returns));
                cases.push((format!("{} {name} {}", null_of(left), null_of(right)), ours));
            }
            for name in TWO_ARGUMENTS {
                let call = format!("pg_catalog.\"{name}\"({}, {})", null_of(left), null_of(right));
                cases.push((call, function_outcome(name, &[left, right])));
            }
            // ELSE counts as the first.
            let common = common_type(&[right, left]);
            let converts =
                |to| [left, right].into_iter().all(|from| coercion(from, to, CastContext::Implicit).is_some());
            let ours = match common {
                None => "!42804".into(),
                Some(to) if !converts(to) => "!42846".into(),
                Some(to) => Type::new(to).name(),
            };
            cases.push((format!("CASE WHEN true THEN {} ELSE {} END", null_of(left), null_of(right)), ours));
            if left != oid::UNKNOWN && right != oid::UNKNOWN {
                let name = Type::new(right).name();
                let allowed = coercion(left, right, CastContext::Explicit).is_some();
                let ours = if allowed { name.clone() } else { "!42846".into() };
                cases.push((format!("({})::{name}", null_of(left)), ours));
            }
        }
        for name in PREFIX_OPERATORS {
            let ours = outcome(resolve_operator(name, None, left).map(|resolved| resolved.returns));
            cases.push((format!("{name} {}", null_of(left)), ours));
        }
        for name in ONE_ARGUMENT {
            cases.push((format!("pg_catalog.\"{name}\"({})", null_of(left)), function_outcome(name, &[left])));
        }
    }
    let mut script = String::from(
        "SET client_min_messages = error;
         CREATE FUNCTION type_of(expression text) RETURNS text LANGUAGE plpgsql AS $$
         DECLARE result text;
         BEGIN
           EXECUTE 'SELECT pg_typeof(x) FROM (SELECT ' || expression || ' AS x) s RIGHT JOIN (SELECT 1) one ON true LIMIT 1'
             INTO result;
           RETURN result;
         EXCEPTION WHEN OTHERS THEN RETURN '!' || SQLSTATE;
         END $$;
         CREATE TABLE cases (number int, expression text);
         COPY cases FROM STDIN;\n",
    );
    for (number, (expression, _)) in cases.iter().enumerate() {
        writeln!(script, "{number}\t{}", escape(expression)).expect("a string grows");
    }
    script.push_str("\\.\nCOPY (SELECT number, type_of(expression) FROM cases ORDER BY number) TO STDOUT;\n");
    let theirs = Reference::start("resolution").rows(&script);
    assert_eq!(theirs.len(), cases.len());
    let wrong: Vec<String> = cases
        .iter()
        .zip(&theirs)
        .filter(|((expression, ours), row)| row[1].as_deref() != Some(ours) && !needs_a_missing_type(expression))
        .map(|((expression, ours), row)| format!("{expression}: ours {ours}, PostgreSQL {:?}", row[1]))
        .collect();
    let shown = wrong.iter().take(200).cloned().collect::<Vec<_>>().join("\n");
    assert!(wrong.is_empty(), "{} of {} expressions differ:\n{shown}", wrong.len(), cases.len());
}

/// Expressions that PostgreSQL resolves by an overload on a type that nqdb does not have: jsonb, timetz, macaddr, xid.
fn needs_a_missing_type(expression: &str) -> bool {
    expression == "pg_catalog.\"trunc\"(NULL)"
        || expression == "pg_catalog.\"age\"(NULL)"
        || expression.starts_with("NULL - NULL::")
        || (expression.starts_with("pg_catalog.\"timezone\"")
            && expression.ends_with(", NULL::time without time zone)"))
}

#[test]
fn operand_types_are_what_the_operator_declares() {
    let resolved = resolve_operator("=", Some(oid::VARCHAR), oid::UNKNOWN).expect("text = text");
    assert_eq!((resolved.operator.left, resolved.operator.right), (Some(oid::TEXT), oid::TEXT));
    assert_eq!(resolved.arg_types, [oid::TEXT, oid::TEXT]);
    let resolved = resolve_operator("||", Some(oid::INT4), oid::UNKNOWN).expect("anynonarray || text");
    assert_eq!(resolved.arg_types, [oid::INT4, oid::TEXT]);
}

#[test]
fn defaults_fill_the_missing_arguments() {
    let resolved = resolve_function("make_interval", &[oid::INT4, oid::INT4]).expect("it has defaults");
    let texts: Vec<&str> = resolved.defaults.iter().map(|(_, text)| *text).collect();
    assert_eq!(texts, ["0", "0", "0", "0", "0.0"]);
    assert_eq!(resolved.defaults.last().map(|(ty, _)| *ty), Some(oid::FLOAT8));
}

#[test]
fn every_sortable_type_has_its_comparisons() {
    for &type_oid in TYPES.iter().filter(|&&ty| ty != oid::UNKNOWN) {
        assert!(equality(type_oid).is_some(), "{type_oid} has no =");
        assert!(less(type_oid).is_some(), "{type_oid} has no <");
    }
}
