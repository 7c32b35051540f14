//! Typed expressions, grown from templates.
//!
//! A template is the text of an operator or a call, with `#` where an argument stands, and the types of its arguments and
//! result. Nothing in them reads a clock or rolls dice.

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use super::literal::Kind;
use super::schema::Column;

/// What an expression may mention: columns under their full names.
#[derive(Clone, Debug, Default)]
pub(super) struct Scope {
    pub columns: Vec<Column>,
}

impl Scope {
    /// The columns of a relation under its alias.
    pub fn of(alias: &str, columns: &[Column]) -> Scope {
        let qualified = columns
            .iter()
            .map(|column| Column { name: format!("{alias}.{}", column.name), kind: column.kind })
            .collect();
        Scope { columns: qualified }
    }

    pub fn and(mut self, other: &Scope) -> Scope {
        self.columns.extend(other.columns.iter().cloned());
        self
    }

    pub fn column_of(&self, kind: Kind, random: &mut StdRng) -> Option<&Column> {
        let fitting: Vec<&Column> = self.columns.iter().filter(|column| column.kind == kind).collect();
        fitting.choose(random).copied()
    }

    pub fn any_column(&self, random: &mut StdRng) -> Option<&Column> {
        self.columns.choose(random)
    }
}

struct Template {
    result: Kind,
    text: &'static str,
    arguments: &'static [Kind],
}

macro_rules! templates {
    ($($result:ident: $text:literal ($($argument:ident),*);)*) => {
        &[$(Template { result: Kind::$result, text: $text, arguments: &[$(Kind::$argument),*] }),*]
    };
}

#[rustfmt::skip]
const TEMPLATES: &[Template] = templates! {
    Bool: "(# AND #)" (Bool, Bool);
    Bool: "(# OR #)" (Bool, Bool);
    Bool: "(NOT #)" (Bool);
    Bool: "(# IS NOT TRUE)" (Bool);
    Bool: "(# IS UNKNOWN)" (Bool);
    Bool: "(# BETWEEN # AND #)" (Int4, Int4, Int8);
    Bool: "(# BETWEEN SYMMETRIC # AND #)" (Numeric, Int4, Numeric);
    Bool: "(# IN (#, #, 3))" (Int4, Int4, Int4);
    Bool: "(# NOT IN (#, #))" (Text, Text, Text);
    Bool: "(# LIKE '%a%')" (Text);
    Bool: "(# ILIKE #)" (Text, Text);
    Bool: "(# ~ '^[a-z]+$')" (Text);
    Bool: "(# SIMILAR TO '(a|b)%')" (Text);
    Bool: "starts_with(#, #)" (Text, Text);
    Bool: "(# = ANY (#))" (Int4, IntArray);
    Bool: "(# <> ALL (#))" (Text, TextArray);
    Bool: "(# && #)" (IntArray, IntArray);
    Bool: "(# @> #)" (IntArray, IntArray);
    Bool: "(# @> #)" (Jsonb, Jsonb);
    Bool: "(# ? 'a')" (Jsonb);
    Bool: "((#, #) < (#, #))" (Int4, Text, Int8, Text);
    Bool: "((#, #) IS NULL)" (Int4, Text);
    Bool: "((#, #) OVERLAPS (#, #))" (Timestamp, Interval, Timestamp, Interval);
    Bool: "isfinite(#)" (Timestamp);
    Bool: "#::boolean" (Int4);
    Int2: "(# + #)" (Int2, Int2);
    Int2: "(# % #)" (Int2, Int2);
    Int2: "#::smallint" (Int4);
    Int2: "(# & #)" (Int2, Int2);
    Int4: "(# + #)" (Int4, Int4);
    Int4: "(# - #)" (Int4, Int2);
    Int4: "(# * #)" (Int4, Int4);
    Int4: "(# / #)" (Int4, Int4);
    Int4: "(# % #)" (Int4, Int4);
    Int4: "(- #)" (Int4);
    Int4: "abs(#)" (Int4);
    Int4: "(# | #)" (Int4, Int4);
    Int4: "(# # #)" (Int4, Int4);
    Int4: "(# << 3)" (Int4);
    Int4: "(# >> 2)" (Int4);
    Int4: "length(#)" (Text);
    Int4: "octet_length(#)" (Text);
    Int4: "length(#)" (Char);
    Int4: "strpos(#, #)" (Text, Text);
    Int4: "ascii(#)" (Text);
    Int4: "#::integer" (Numeric);
    Int4: "#::integer" (Float8);
    Int4: "#::integer" (Bool);
    Int4: "(# - #)" (Date, Date);
    Int4: "array_length(#, 1)" (IntArray);
    Int4: "cardinality(#)" (TextArray);
    Int4: "(#)[1]" (IntArray);
    Int4: "array_position(#, #)" (IntArray, Int4);
    Int4: "gcd(#, #)" (Int4, Int4);
    Int4: "num_nulls(#, #)" (Int4, Text);
    Int4: "length(#)" (Bytea);
    Int4: "width_bucket(#, 0, 100, 5)" (Numeric);
    Int8: "(# + #)" (Int8, Int4);
    Int8: "(# * #)" (Int8, Int8);
    Int8: "(# / #)" (Int8, Int4);
    Int8: "#::bigint" (Numeric);
    Int8: "mod(#, #)" (Int8, Int8);
    Int8: "lcm(#, #)" (Int8, Int8);
    Numeric: "(# + #)" (Numeric, Numeric);
    Numeric: "(# - #)" (Numeric, Int4);
    Numeric: "(# * #)" (Numeric, Numeric);
    Numeric: "(# / #)" (Numeric, Numeric);
    Numeric: "(# % #)" (Numeric, Numeric);
    Numeric: "round(#, 1)" (Numeric);
    Numeric: "trunc(#)" (Numeric);
    Numeric: "ceil(#)" (Numeric);
    Numeric: "abs(#)" (Numeric);
    Numeric: "sign(#)" (Numeric);
    Numeric: "#::numeric" (Int4);
    Numeric: "#::numeric(10,2)" (Numeric);
    Numeric: "#::numeric" (Float8);
    Numeric: "sqrt(abs(#))" (Numeric);
    Numeric: "power(#, 2)" (Numeric);
    Numeric: "div(#, #)" (Numeric, Numeric);
    Numeric: "extract(epoch FROM #)" (Interval);
    Numeric: "extract(dow FROM #)" (Date);
    Numeric: "extract(year FROM #)" (Timestamp);
    Numeric: "trim_scale(#)" (Numeric);
    Numeric: "(# ->> 'a')::numeric" (Jsonb);
    Float8: "(# + #)" (Float8, Float8);
    Float8: "(# * #)" (Float8, Float8);
    Float8: "(# / #)" (Float8, Float8);
    Float8: "#::float8" (Numeric);
    Float8: "floor(#)" (Float8);
    Float8: "round(#)" (Float8);
    Float8: "(# + #)" (Float8, Int4);
    Float8: "sqrt(abs(#))" (Float8);
    Text: "(# || #)" (Text, Text);
    Text: "(# || #)" (Text, Int4);
    Text: "(# || #)" (Char, Text);
    Text: "upper(#)" (Text);
    Text: "lower(#)" (Text);
    Text: "initcap(#)" (Text);
    Text: "substr(#, #)" (Text, Int2);
    Text: "substring(# FROM 2 FOR 2)" (Text);
    Text: "left(#, #)" (Text, Int2);
    Text: "right(#, -1)" (Text);
    Text: "replace(#, 'a', 'bb')" (Text);
    Text: "btrim(#)" (Text);
    Text: "ltrim(#, 'a')" (Text);
    Text: "reverse(#)" (Text);
    Text: "md5(#)" (Text);
    Text: "split_part(#, ' ', 1)" (Text);
    Text: "translate(#, 'ab', 'x')" (Text);
    Text: "lpad(#, 6, '*')" (Text);
    Text: "rpad(#, 5)" (Text);
    Text: "repeat(#, 2)" (Text);
    Text: "concat(#, #)" (Text, Int4);
    Text: "concat_ws(',', #, #)" (Text, Text);
    Text: "format('%s-%L', #, #)" (Text, Text);
    Text: "quote_literal(#)" (Text);
    Text: "regexp_replace(#, '[aeiou]', '_', 'g')" (Text);
    Text: "overlay(# PLACING 'xx' FROM 2 FOR 1)" (Text);
    Text: "#::text" (Int8);
    Text: "#::text" (Numeric);
    Text: "#::text" (Float8);
    Text: "#::text" (Bool);
    Text: "#::text" (Date);
    Text: "#::text" (Interval);
    Text: "#::text" (IntArray);
    Text: "#::text" (Jsonb);
    Text: "#::text" (Char);
    Text: "#::varchar(3)::text" (Text);
    Text: "to_char(#, 'YYYY-MM-DD HH24:MI:SS')" (Timestamp);
    Text: "to_char(#, 'FM999990.00')" (Numeric);
    Text: "to_char(#, '9999S')" (Int4);
    Text: "to_hex(#)" (Int4);
    Text: "encode(#, 'hex')" (Bytea);
    Text: "encode(#, 'base64')" (Bytea);
    Text: "array_to_string(#, ',', '-')" (TextArray);
    Text: "(# ->> 'a')" (Jsonb);
    Text: "(# #>> '{a,b}')" (Jsonb);
    Text: "jsonb_typeof(#)" (Jsonb);
    Text: "#::text" (Uuid);
    Text: "CASE # WHEN 1 THEN 'one' WHEN # THEN # END" (Int4, Int4, Text);
    Char: "#::char(4)" (Text);
    Bytea: "(# || #)" (Bytea, Bytea);
    Bytea: "substr(#, 1, 2)" (Bytea);
    Bytea: "convert_to(#, 'UTF8')" (Text);
    Date: "(# + #)" (Date, Int2);
    Date: "(# - #)" (Date, Int2);
    Date: "#::date" (Timestamp);
    Date: "make_date(2020, 1 + abs(#) % 12, 5)" (Int2);
    Time: "#::time" (Timestamp);
    Time: "(# + #)" (Time, Interval);
    Timestamp: "(# + #)" (Timestamp, Interval);
    Timestamp: "(# - #)" (Timestamp, Interval);
    Timestamp: "(# + #)" (Date, Time);
    Timestamp: "date_trunc('month', #)" (Timestamp);
    Timestamp: "date_trunc('hour', #)" (Timestamp);
    Timestamp: "#::timestamp" (Date);
    Timestamp: "(# AT TIME ZONE 'Europe/Berlin')" (TimestampTz);
    TimestampTz: "(# AT TIME ZONE 'America/New_York')" (Timestamp);
    TimestampTz: "(# + #)" (TimestampTz, Interval);
    TimestampTz: "#::timestamptz" (Timestamp);
    Interval: "(# - #)" (Timestamp, Timestamp);
    Interval: "(# + #)" (Interval, Interval);
    Interval: "(# * #)" (Interval, Int2);
    Interval: "(# / 2)" (Interval);
    Interval: "age(LEAST(GREATEST(#, '1900-01-01'), '2100-01-01'), '2000-02-29 12:00')" (Timestamp);
    Interval: "justify_interval(#)" (Interval);
    Interval: "make_interval(days => #)" (Int4);
    IntArray: "(# || #)" (IntArray, Int4);
    IntArray: "ARRAY[#, #]" (Int4, Int4);
    IntArray: "array_remove(#, #)" (IntArray, Int4);
    IntArray: "array_append(#, #)" (IntArray, Int4);
    IntArray: "(#)[1:1]" (IntArray);
    TextArray: "string_to_array(#, ' ')" (Text);
    TextArray: "ARRAY[#, #]" (Text, Text);
    TextArray: "array_cat(#, #)" (TextArray, TextArray);
    TextArray: "#::text[]" (IntArray);
    Jsonb: "(# -> 'a')" (Jsonb);
    Jsonb: "(# || #)" (Jsonb, Jsonb);
    Jsonb: "to_jsonb(#)" (Text);
    Jsonb: "to_jsonb(#)" (Numeric);
    Jsonb: "to_jsonb(#)" (IntArray);
    Jsonb: "jsonb_build_object('k', #, 'n', #)" (Int4, Text);
    Jsonb: "(# - 'a')" (Jsonb);
    Uuid: "#::uuid" (Uuid);
};

/// Every type can be compared, chosen between, and compared by distinctness.
const COMPARISONS: [&str; 8] = ["=", "<>", "<", "<=", ">", ">=", "IS DISTINCT FROM", "IS NOT DISTINCT FROM"];
const CHOICES: [&str; 5] =
    ["COALESCE(#, #)", "NULLIF(#, #)", "CASE WHEN @ THEN # ELSE # END", "GREATEST(#, #)", "LEAST(#, #)"];

/// An expression of that type; `depth` bounds its nesting.
pub(super) fn expression(kind: Kind, depth: u32, scope: &Scope, random: &mut StdRng) -> String {
    if depth == 0 || random.random_ratio(1, 6) {
        return leaf(kind, scope, random);
    }
    if kind == Kind::Bool && random.random_bool(0.5) {
        return condition(depth, scope, random);
    }
    if random.random_ratio(1, 8) {
        let choice = CHOICES.choose(random).expect("there are some");
        let with_condition = choice.replacen('@', &condition(depth - 1, scope, random), 1);
        return fill(&with_condition, &[kind, kind], depth - 1, scope, random);
    }
    let fitting: Vec<&Template> = TEMPLATES.iter().filter(|template| template.result == kind).collect();
    match fitting.choose(random) {
        Some(template) => fill_template(template, depth - 1, scope, random),
        None => leaf(kind, scope, random),
    }
}

/// A comparison or a test for NULL.
pub(super) fn condition(depth: u32, scope: &Scope, random: &mut StdRng) -> String {
    let kind = match scope.any_column(random) {
        Some(column) => column.kind,
        None => Kind::Int4,
    };
    let below = depth.saturating_sub(1);
    let left = expression(kind, below, scope, random);
    if random.random_ratio(1, 8) {
        let test = if random.random_bool(0.5) { "IS NULL" } else { "IS NOT NULL" };
        return format!("({left} {test})");
    }
    let comparison = COMPARISONS.choose(random).expect("there are some");
    format!("({left} {comparison} {})", expression(kind, below, scope, random))
}

fn leaf(kind: Kind, scope: &Scope, random: &mut StdRng) -> String {
    match scope.column_of(kind, random) {
        Some(column) if random.random_bool(0.75) => column.name.clone(),
        _ => kind.constant(random, scope.columns.is_empty()),
    }
}

/// The operator `#` of integers is XOR, spelled like the place of an argument.
fn fill_template(template: &Template, depth: u32, scope: &Scope, random: &mut StdRng) -> String {
    if template.text == "(# # #)" {
        let left = expression(template.arguments[0], depth, scope, random);
        return format!("({left} # {})", expression(template.arguments[1], depth, scope, random));
    }
    fill(template.text, template.arguments, depth, scope, random)
}

fn fill(text: &str, arguments: &[Kind], depth: u32, scope: &Scope, random: &mut StdRng) -> String {
    let mut filled = String::new();
    let mut arguments = arguments.iter();
    let mut rest = text;
    while let Some(place) = rest.find('#') {
        let (before, after) = rest.split_at(place);
        filled.push_str(before);
        rest = &after[1..];
        // `#>` and `#>>` are operators of jsonb.
        match if rest.starts_with('>') { None } else { arguments.next() } {
            Some(kind) => filled.push_str(&expression(*kind, depth, scope, random)),
            None => filled.push('#'),
        }
    }
    filled.push_str(rest);
    filled
}
