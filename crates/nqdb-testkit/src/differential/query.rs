//! Generated queries: joins, groups, windows, subqueries, set operations, WITH.

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use super::Statement;
use super::expression::{Scope, condition, expression};
use super::literal::{KINDS, Kind};
use super::schema::{Column, Schema};
use super::window::{aggregate, window_call};

const DEPTH: u32 = 3;

/// A query of one of the forms.
pub(super) fn query(schema: &Schema, random: &mut StdRng) -> Statement {
    match random.random_range(0..12) {
        0 | 1 => expressions_only(random),
        2 | 3 => plain(schema, random),
        4 | 5 => joined(schema, random),
        6 | 7 => grouped(schema, random),
        8 => windowed(schema, random),
        9 => set_operation(schema, random),
        10 => with_subqueries(schema, random),
        _ => with_parameters(schema, random),
    }
}

fn of_tables(sql: String, ordered: bool) -> Statement {
    Statement { sql, ordered, reads_tables: true, parameters: false }
}

fn pick_kind(random: &mut StdRng) -> Kind {
    *KINDS.choose(random).expect("there are types")
}

/// Expressions of constants, at the ends of ranges too.
fn expressions_only(random: &mut StdRng) -> Statement {
    let scope = Scope::default();
    let kind = pick_kind(random);
    let sql = format!("SELECT {}", expression(kind, DEPTH, &scope, random));
    Statement { sql, ordered: true, reads_tables: false, parameters: false }
}

fn select_list(scope: &Scope, random: &mut StdRng) -> Vec<String> {
    (0..random.random_range(1..=4)).map(|_| expression(pick_kind(random), 2, scope, random)).collect()
}

fn where_clause(schema: &Schema, scope: &Scope, random: &mut StdRng) -> String {
    match random.random_range(0..6) {
        0 => String::new(),
        1 => format!(" WHERE {}", subquery_condition(schema, scope, random)),
        2 => format!(" WHERE {} AND {}", condition(2, scope, random), condition(1, scope, random)),
        _ => format!(" WHERE {}", condition(2, scope, random)),
    }
}

fn plain(schema: &Schema, random: &mut StdRng) -> Statement {
    let table = schema.pick(random);
    let scope = Scope::of("a", &table.columns);
    let list = select_list(&scope, random).join(", ");
    let condition = where_clause(schema, &scope, random);
    match random.random_range(0..4) {
        0 => of_tables(format!("SELECT DISTINCT {list} FROM {} a{condition}", table.name), false),
        1 => {
            let column = scope.any_column(random).expect("a table has columns").name.clone();
            let order = ["", " DESC", " NULLS FIRST", " DESC NULLS LAST"].choose(random).expect("there are some");
            let limit = random.random_range(0..8);
            let offset = random.random_range(0..4);
            let from = &table.name;
            let sql = format!(
                "SELECT {list} FROM {from} a{condition} ORDER BY {column}{order}, a.id LIMIT {limit} OFFSET {offset}"
            );
            of_tables(sql, true)
        }
        _ => of_tables(format!("SELECT {list} FROM {} a{condition}", table.name), false),
    }
}

/// FROM with two or three tables, and what can be said of them.
fn from_clause(schema: &Schema, random: &mut StdRng) -> (String, Scope) {
    let first = schema.pick(random);
    let mut scope = Scope::of("a", &first.columns);
    let mut from = format!("{} a", first.name);
    for alias in ["b", "c"].iter().take(random.random_range(1..=2)) {
        let table = schema.pick(random);
        let own = Scope::of(alias, &table.columns);
        let join =
            ["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "CROSS JOIN"].choose(random).expect("there are some");
        from = match *join {
            "CROSS JOIN" => format!("{from} CROSS JOIN (SELECT * FROM {} ORDER BY id LIMIT 7) {alias}", table.name),
            "FULL JOIN" => format!("{from} FULL JOIN {} {alias} ON a.c1 = {alias}.c1", table.name),
            _ => {
                let extra = if random.random_bool(0.4) {
                    let both = scope.clone().and(&own);
                    format!(" AND {}", condition(1, &both, random))
                } else {
                    String::new()
                };
                let column = if random.random_bool(0.5) { "id" } else { "c1" };
                format!("{from} {join} {} {alias} ON a.{column} = {alias}.c1{extra}", table.name)
            }
        };
        scope = scope.and(&own);
    }
    (from, scope)
}

fn joined(schema: &Schema, random: &mut StdRng) -> Statement {
    let (from, scope) = from_clause(schema, random);
    let list = select_list(&scope, random).join(", ");
    let condition = where_clause(schema, &scope, random);
    of_tables(format!("SELECT {list} FROM {from}{condition}"), false)
}

fn grouped(schema: &Schema, random: &mut StdRng) -> Statement {
    let (from, scope) = if random.random_bool(0.5) {
        from_clause(schema, random)
    } else {
        let table = schema.pick(random);
        (format!("{} a", table.name), Scope::of("a", &table.columns))
    };
    let condition_text = where_clause(schema, &scope, random);
    let aggregates: Vec<String> = (0..random.random_range(1..=3)).map(|_| aggregate(&scope, random)).collect();
    let keys: Vec<String> = (0..random.random_range(0..=2))
        .filter_map(|_| scope.any_column(random).map(|column| column.name.clone()))
        .collect();
    if keys.is_empty() {
        return of_tables(format!("SELECT {} FROM {from}{condition_text}", aggregates.join(", ")), false);
    }
    let having = if random.random_bool(0.3) { " HAVING count(*) > 1" } else { "" };
    let by = match random.random_range(0..5) {
        0 => format!("ROLLUP ({})", keys.join(", ")),
        1 => format!("CUBE ({})", keys.join(", ")),
        2 => format!("GROUPING SETS (({}), ())", keys.join(", ")),
        _ => keys.join(", "),
    };
    let list = [keys, aggregates].concat().join(", ");
    of_tables(format!("SELECT {list} FROM {from}{condition_text} GROUP BY {by}{having}"), false)
}

fn windowed(schema: &Schema, random: &mut StdRng) -> Statement {
    let table = schema.pick(random);
    let scope = Scope::of("a", &table.columns);
    let calls: Vec<String> = (0..random.random_range(1..=2)).map(|_| window_call(&scope, "a.id", random)).collect();
    let condition = where_clause(schema, &scope, random);
    of_tables(format!("SELECT a.id, {} FROM {} a{condition}", calls.join(", "), table.name), false)
}

fn set_operation(schema: &Schema, random: &mut StdRng) -> Statement {
    let kinds: Vec<Kind> = (0..random.random_range(1..=3)).map(|_| pick_kind(random)).collect();
    let side = |random: &mut StdRng| {
        let table = schema.pick(random);
        let scope = Scope::of("a", &table.columns);
        let list: Vec<String> = kinds.iter().map(|kind| expression(*kind, 1, &scope, random)).collect();
        format!("SELECT {} FROM {} a{}", list.join(", "), table.name, where_clause(schema, &scope, random))
    };
    let operators = ["UNION", "UNION ALL", "INTERSECT", "INTERSECT ALL", "EXCEPT", "EXCEPT ALL"];
    let operator = operators.choose(random).expect("there are some");
    let (left, right) = (side(random), side(random));
    of_tables(format!("({left}) {operator} ({right})"), false)
}

/// A condition with a subquery, correlated half of the time.
fn subquery_condition(schema: &Schema, outer: &Scope, random: &mut StdRng) -> String {
    let table = schema.pick(random);
    let own = Scope::of("s", &table.columns);
    let scope = if random.random_bool(0.5) { own.clone().and(outer) } else { own };
    let inner = format!("FROM {} s WHERE {}", table.name, condition(1, &scope, random));
    let mine = match outer.column_of(Kind::Int4, random) {
        Some(column) => column.name.clone(),
        None => "1".to_owned(),
    };
    match random.random_range(0..6) {
        0 => format!("EXISTS (SELECT 1 {inner})"),
        1 => format!("NOT EXISTS (SELECT 1 {inner})"),
        2 => format!("{mine} IN (SELECT s.c1 {inner})"),
        3 => format!("{mine} NOT IN (SELECT s.c1 {inner})"),
        4 => format!("{mine} >= ALL (SELECT s.id {inner})"),
        _ => format!("{mine} < (SELECT max(s.id) {inner})"),
    }
}

/// WITH, subqueries in FROM and in the list, LATERAL.
fn with_subqueries(schema: &Schema, random: &mut StdRng) -> Statement {
    let inner = schema.pick(random);
    let scope = Scope::of("i", &inner.columns);
    let kinds = [Kind::Int4, pick_kind(random), pick_kind(random)];
    let columns: Vec<Column> =
        kinds.iter().enumerate().map(|(at, kind)| Column { name: format!("x{at}"), kind: *kind }).collect();
    let list: Vec<String> = columns
        .iter()
        .map(|column| format!("{} AS {}", expression(column.kind, 1, &scope, random), column.name))
        .collect();
    let body = format!("SELECT {} FROM {} i{}", list.join(", "), inner.name, where_clause(schema, &scope, random));
    let named = Scope::of("w", &columns);
    let outer_list = select_list(&named, random).join(", ");
    let table = schema.pick(random);
    let condition_text = condition(1, &named, random);
    let sql = match random.random_range(0..5) {
        0 => format!("WITH w AS MATERIALIZED ({body}) SELECT {outer_list} FROM w WHERE {condition_text}"),
        1 => format!("WITH w AS ({body}) SELECT {outer_list} FROM w, w AS v WHERE w.x0 = v.x0"),
        2 => format!("SELECT {outer_list} FROM ({body}) w WHERE {condition_text}"),
        3 => format!(
            "SELECT a.id, w.n FROM {} a, LATERAL (SELECT count(*) AS n FROM ({body}) v WHERE v.x0 = a.c1) w",
            table.name
        ),
        _ => format!("SELECT a.id, (SELECT count(*) FROM ({body}) w WHERE w.x0 = a.c1) FROM {} a", table.name),
    };
    of_tables(sql, false)
}

/// A statement with parameters, to compare what types both sides infer.
fn with_parameters(schema: &Schema, random: &mut StdRng) -> Statement {
    let table = schema.pick(random);
    let scope = Scope::of("a", &table.columns);
    let kind = pick_kind(random);
    let other = expression(kind, 1, &scope, random);
    let sql = match random.random_range(0..5) {
        0 => format!("SELECT {other} = $1 FROM {} a", table.name),
        1 => format!("SELECT COALESCE($1, {other}), $2::int FROM {} a", table.name),
        2 => format!("SELECT CASE WHEN $1 THEN {other} ELSE $2 END FROM {} a LIMIT $3", table.name),
        3 => format!("SELECT {other} FROM {} a WHERE a.id IN ($1, $2) AND a.c1 > $3", table.name),
        _ => format!("UPDATE {} AS a SET c1 = $1 WHERE a.id = $2 RETURNING {other}", table.name),
    };
    Statement { sql, ordered: true, reads_tables: true, parameters: true }
}
