//! Generated changes, each followed by nothing: later queries see what they did.

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use super::Statement;
use super::expression::{Scope, condition, expression};
use super::schema::{Column, Schema, Table, insert_rows};

/// An INSERT, UPDATE, DELETE or MERGE.
pub(super) fn change(schema: &mut Schema, random: &mut StdRng) -> Statement {
    let other = schema.pick(random).clone();
    let table = schema.pick_mut(random);
    let sql = match random.random_range(0..7) {
        0 => format!("{} RETURNING *", insert_rows(table, random, 2)),
        1 => insert_in_conflict(table, random),
        2 => format!("DELETE FROM {} AS a WHERE a.id % 17 = {} RETURNING a.*", table.name, random.random_range(0..17)),
        3 => update_joined(table, &other, random),
        4 => merge(table, &other, random),
        5 => duplicate(table, random),
        _ => update(table, random),
    };
    Statement { sql, ordered: false, reads_tables: true, parameters: false }
}

fn changed_column<'a>(table: &'a Table, random: &mut StdRng) -> &'a Column {
    table.columns[1..].choose(random).expect("a table has columns besides its key")
}

fn update(table: &Table, random: &mut StdRng) -> String {
    let scope = Scope::of("a", &table.columns);
    let column = changed_column(table, random);
    let value = expression(column.kind, 1, &scope, random);
    let condition = condition(1, &scope, random);
    format!(
        "UPDATE {} AS a SET {} = {value} WHERE {condition} RETURNING a.id, a.{}",
        table.name, column.name, column.name
    )
}

fn update_joined(table: &Table, other: &Table, random: &mut StdRng) -> String {
    let column = changed_column(table, random);
    let value = expression(column.kind, 1, &Scope::of("b", &other.columns), random);
    format!("UPDATE {} AS a SET {} = {value} FROM {} b WHERE b.id = a.id", table.name, column.name, other.name)
}

fn insert_in_conflict(table: &Table, random: &mut StdRng) -> String {
    let column = changed_column(table, random);
    let id = random.random_range(1..table.next_id.max(2));
    let value = column.kind.stored(random, 4);
    let insert = format!("INSERT INTO {} AS a (id, {}) VALUES ({id}, {value})", table.name, column.name);
    if random.random_bool(0.3) {
        format!("{insert} ON CONFLICT DO NOTHING")
    } else {
        format!("{insert} ON CONFLICT (id) DO UPDATE SET {0} = excluded.{0} RETURNING a.*", column.name)
    }
}

/// A key that mostly exists already.
fn duplicate(table: &Table, random: &mut StdRng) -> String {
    format!("INSERT INTO {} (id) VALUES ({})", table.name, random.random_range(1..table.next_id.max(2)))
}

fn merge(table: &Table, other: &Table, random: &mut StdRng) -> String {
    let column = changed_column(table, random);
    let value = expression(column.kind, 1, &Scope::of("s", &other.columns), random);
    format!(
        "MERGE INTO {} AS a USING {} s ON a.id = s.id WHEN MATCHED AND s.id % 2 = 0 THEN UPDATE SET {} = {value} \
         WHEN MATCHED AND s.id % 7 = 0 THEN DELETE WHEN NOT MATCHED AND s.id % 5 = 0 THEN INSERT (id) VALUES (s.id)",
        table.name, other.name, column.name
    )
}
