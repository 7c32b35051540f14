//! Generated tables: definitions, indexes, rows.

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use super::literal::{KINDS, Kind};

/// A column of a generated table or of a subquery.
#[derive(Clone, Debug)]
pub(super) struct Column {
    pub name: String,
    pub kind: Kind,
}

/// A generated table.
#[derive(Clone, Debug)]
pub(super) struct Table {
    pub name: String,
    /// The first one, `id`, is the primary key.
    pub columns: Vec<Column>,
    /// The first free key.
    pub next_id: i32,
}

/// The tables of one round.
#[derive(Clone, Debug)]
pub(super) struct Schema {
    pub tables: Vec<Table>,
}

const ROWS_PER_INSERT: i32 = 20;

impl Schema {
    /// Makes tables up; also gives the statements that make and fill them.
    pub fn generate(random: &mut StdRng) -> (Schema, Vec<String>) {
        let mut statements = Vec::new();
        let count = random.random_range(2..=4);
        let tables = (0..count).map(|number| generate_table(random, number, &mut statements)).collect();
        statements.push("ANALYZE".to_owned());
        (Schema { tables }, statements)
    }

    pub fn pick<'a>(&'a self, random: &mut StdRng) -> &'a Table {
        self.tables.choose(random).expect("a schema has tables")
    }

    pub fn pick_mut<'a>(&'a mut self, random: &mut StdRng) -> &'a mut Table {
        let number = random.random_range(0..self.tables.len());
        &mut self.tables[number]
    }
}

fn generate_table(random: &mut StdRng, number: usize, statements: &mut Vec<String>) -> Table {
    let name = format!("t{number}");
    let mut columns = vec![Column { name: "id".to_owned(), kind: Kind::Int4 }];
    for position in 1..=random.random_range(3..=7) {
        let kind = if position == 1 { Kind::Int4 } else { *KINDS.choose(random).expect("there are types") };
        columns.push(Column { name: format!("c{position}"), kind });
    }
    let listed: Vec<String> = columns
        .iter()
        .enumerate()
        .map(|(position, column)| {
            let key = if position == 0 { " PRIMARY KEY" } else { "" };
            format!("{} {}{key}", column.name, column.kind.sql_name())
        })
        .collect();
    statements.push(format!("CREATE TABLE {name} ({})", listed.join(", ")));
    for index in 0..random.random_range(0..=2) {
        let column = &columns[random.random_range(1..columns.len())];
        if !matches!(column.kind, Kind::Jsonb | Kind::IntArray | Kind::TextArray) {
            let order = if random.random_bool(0.3) { " DESC" } else { "" };
            statements.push(format!("CREATE INDEX {name}_{index} ON {name} ({}{order})", column.name));
        }
    }
    let mut table = Table { name, columns, next_id: 1 };
    for _ in 0..random.random_range(0..=4) {
        statements.push(insert_rows(&mut table, random, ROWS_PER_INSERT));
    }
    table
}

/// An INSERT of that many rows under new keys.
pub(super) fn insert_rows(table: &mut Table, random: &mut StdRng, rows: i32) -> String {
    let values: Vec<String> = (0..rows)
        .map(|row| {
            let rest = table.columns.iter().skip(1).map(|column| column.kind.stored(random, 6));
            let values: Vec<String> = std::iter::once((table.next_id + row).to_string()).chain(rest).collect();
            format!("({})", values.join(", "))
        })
        .collect();
    table.next_id += rows;
    format!("INSERT INTO {} VALUES {}", table.name, values.join(", "))
}
