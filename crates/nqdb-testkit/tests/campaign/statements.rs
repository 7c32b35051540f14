//! Random statements, each with what it does to the model when it succeeds.
//!
//! Rows that a statement changes come back through RETURNING, so the model never has to guess what a WHERE clause met
//! or which version a statement went on with after it had waited for a lock.

use rand::Rng;
use rand::rngs::StdRng;

use crate::model::{Effect, State, Table, id_of};
use crate::sink::{Answer, Row};

/// What a statement does, once it has succeeded.
#[derive(Clone, Debug)]
pub enum Kind {
    /// Nothing that the model keeps.
    Nothing,
    /// Each returned row is in the table now.
    Put {
        table: String,
    },
    /// The row `old` has become the returned one.
    Move {
        table: String,
        old: i64,
    },
    /// Each returned id is gone.
    Remove {
        table: String,
    },
    /// The returned row has twice a value of the sequence (and one more, for an odd sequence) as its id.
    Draw {
        sequence: String,
    },
    /// This, whatever came back.
    Fixed(Vec<Effect>),
    Begin,
    Commit,
    Rollback,
    Savepoint(String),
    RollbackTo(String),
    Release(String),
}

impl Kind {
    /// The effects, given the answer.
    pub fn effects(&self, answer: Option<&Answer>) -> Vec<Effect> {
        let rows = answer.map_or(&[][..], |answer| &answer.rows);
        let put = |table: &str| -> Vec<Effect> {
            rows.iter().map(|row| Effect::Put { table: table.to_owned(), row: row.clone() }).collect()
        };
        match self {
            Kind::Put { table } => put(table),
            Kind::Move { table, old } if !rows.is_empty() => {
                let remove = Effect::Remove { table: table.clone(), id: *old };
                std::iter::once(remove).chain(put(table)).collect()
            }
            Kind::Remove { table } => {
                rows.iter().map(|row| Effect::Remove { table: table.clone(), id: id_of(row) }).collect()
            }
            Kind::Draw { sequence } => {
                let drawn = rows.iter().map(|row| Effect::Drawn { sequence: sequence.clone(), value: id_of(row) / 2 });
                drawn.chain(put("drawn")).collect()
            }
            Kind::Fixed(effects) => effects.clone(),
            _ => Vec::new(),
        }
    }
}

/// One query string.
#[derive(Clone, Debug)]
pub struct Query {
    pub sql: String,
    /// One for each statement.
    pub kinds: Vec<Kind>,
    /// What follows a COPY FROM STDIN.
    pub copy: Option<String>,
    /// What it counts as.
    pub covers: Vec<&'static str>,
}

impl Query {
    pub fn new(sql: impl Into<String>, kind: Kind) -> Query {
        Query { sql: sql.into(), kinds: vec![kind], copy: None, covers: Vec::new() }
    }

    fn covering(mut self, what: &'static str) -> Query {
        self.covers.push(what);
        self
    }
}

/// The statements that every run begins with.
pub fn setup() -> Vec<Query> {
    let sequence = |name: &str| {
        let effect = Effect::CreateSequence { sequence: name.to_owned() };
        Query::new(format!("CREATE SEQUENCE {name}"), Kind::Fixed(vec![effect]))
    };
    let drawn = Effect::CreateTable { table: "drawn".into(), columns: vec!["id".into()] };
    vec![
        Query::new("CREATE TABLE drawn (id bigint PRIMARY KEY)", Kind::Fixed(vec![drawn])),
        sequence("even"),
        sequence("odd"),
        create_table("t0"),
        create_table("t1"),
    ]
}

fn create_table(table: &str) -> Query {
    let columns = ["id", "k", "u", "v"].map(str::to_owned).to_vec();
    let sql = format!("CREATE TABLE {table} (id bigint PRIMARY KEY, k int, u bigint UNIQUE, v text)");
    Query::new(sql, Kind::Fixed(vec![Effect::CreateTable { table: table.to_owned(), columns }]))
        .covering("tables created")
}

/// Rows of the table in `template1`, and so in every new database.
pub const STOCK_ROWS: i64 = 60;

/// Fills `template1`, in one transaction.
pub fn stock() -> String {
    format!(
        "CREATE TYPE size AS ENUM ('small', 'large'); CREATE TABLE stock (id bigserial PRIMARY KEY, s size, v text); \
         INSERT INTO stock (s, v) SELECT CASE WHEN g % 2 = 0 THEN 'large' ELSE 'small' END::size, repeat('v' || g, 40) \
         FROM generate_series(1, {STOCK_ROWS}) g; CREATE INDEX stock_by_size ON stock (s, id)"
    )
}

/// What a copy of `template1` is asked for, and its answer.
pub fn stock_taking() -> (&'static str, Vec<Option<String>>) {
    let sql = "SELECT count(*), sum(id), sum(length(v)), count(*) FILTER (WHERE s = 'large'), pg_get_serial_sequence('stock', 'id') \
               FROM stock";
    let lengths: usize = (1..=STOCK_ROWS).map(|id| 40 * format!("v{id}").len()).sum();
    let sum = STOCK_ROWS * (STOCK_ROWS + 1) / 2;
    let numbers = [STOCK_ROWS, sum, lengths as i64, STOCK_ROWS / 2].map(|number| Some(number.to_string()));
    (sql, numbers.into_iter().chain([Some("public.stock_id_seq".to_owned())]).collect())
}

const TABLES: [&str; 4] = ["t0", "t1", "t2", "t3"];
const IDS: i64 = 900;

/// Makes statements that fit a state, mostly.
pub struct Generator<'a> {
    pub rng: &'a mut StdRng,
    /// The tables as the session should see them.
    pub schema: &'a State,
    /// The rows as they are, more or less.
    pub live: &'a State,
}

impl Generator<'_> {
    /// A statement that works with tables.
    pub fn statement(&mut self) -> Query {
        if self.rng.random_ratio(1, 12) {
            return self.several();
        }
        match self.rng.random_range(0..100) {
            0..72 => self.change(),
            72..76 => self.copy(),
            76..80 => self.draw(),
            80..98 => self.definition(),
            _ => self.likely_failure(),
        }
    }

    /// Makes or drops a database; only outside of a block.
    pub fn database(&mut self) -> Query {
        let database = format!("db{}", self.rng.random_range(0..3));
        let effects = |effect: Effect| Kind::Fixed(vec![effect]);
        if self.live.databases.contains(&database) {
            let sql = format!("DROP DATABASE {database}");
            return Query::new(sql, effects(Effect::DropDatabase { database })).covering("databases dropped");
        }
        let copied = self.live.databases.iter().next().filter(|_| self.rng.random_ratio(1, 3));
        let (template, covers) = match copied {
            Some(other) => (other.as_str(), "databases copied from a copy"),
            None => ("template1", "databases created"),
        };
        let sql = format!("CREATE DATABASE {database} TEMPLATE {template}");
        Query::new(sql, effects(Effect::CreateDatabase { database })).covering(covers)
    }

    /// A query string of several statements, which are one transaction.
    fn several(&mut self) -> Query {
        let parts: Vec<Query> = (0..self.rng.random_range(2..4)).map(|_| self.change()).collect();
        Query {
            sql: parts.iter().map(|part| part.sql.as_str()).collect::<Vec<_>>().join("; "),
            kinds: parts.iter().flat_map(|part| part.kinds.clone()).collect(),
            copy: None,
            covers: parts.iter().flat_map(|part| part.covers.clone()).collect(),
        }
    }

    fn table(&mut self) -> (String, Table) {
        let tables: Vec<_> = self.schema.tables.iter().filter(|(name, _)| name.as_str() != "drawn").collect();
        match tables.is_empty() {
            true => ("t0".to_owned(), Table::default()),
            false => {
                let (name, table) = tables[self.rng.random_range(0..tables.len())];
                (name.clone(), table.clone())
            }
        }
    }

    fn id(&mut self, table: &str) -> i64 {
        let any = self.rng.random_range(0..IDS);
        let rows = self.live.tables.get(table).map(|table| &table.rows);
        let existing = rows.and_then(|rows| rows.range(any..).next().or(rows.iter().next())).map(|(id, _)| *id);
        if self.rng.random_ratio(9, 10) { existing.unwrap_or(any) } else { any }
    }

    fn text(&mut self, covers: &mut Vec<&'static str>) -> String {
        let len = match self.rng.random_range(0..20) {
            0 => {
                covers.push("large values written");
                self.rng.random_range(5_000..20_000)
            }
            1..6 => self.rng.random_range(500..2_500),
            _ => self.rng.random_range(1..300),
        };
        const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 ";
        (0..len).map(|_| char::from(LETTERS[self.rng.random_range(0..LETTERS.len())])).collect()
    }

    /// A value for a column, as text.
    fn value(&mut self, column: &str, covers: &mut Vec<&'static str>) -> Option<String> {
        match column {
            "id" => Some(self.rng.random_range(0..IDS).to_string()),
            "k" => self.rng.random_ratio(9, 10).then(|| self.rng.random_range(0..40).to_string()),
            "u" => self.rng.random_ratio(9, 10).then(|| self.rng.random_range(0..100_000).to_string()),
            _ => self.rng.random_ratio(19, 20).then(|| self.text(covers)),
        }
    }

    fn row(&mut self, columns: &[String], covers: &mut Vec<&'static str>) -> Row {
        columns.iter().map(|column| self.value(column, covers)).collect()
    }

    /// A column other than the id.
    fn column(&mut self, table: &Table) -> String {
        let others: Vec<&String> = table.columns.iter().filter(|name| *name != "id").collect();
        match others.is_empty() {
            true => "id".to_owned(),
            false => others[self.rng.random_range(0..others.len())].clone(),
        }
    }

    fn change(&mut self) -> Query {
        let (name, table) = self.table();
        let mut covers = Vec::new();
        let put = Kind::Put { table: name.clone() };
        let mut query = match self.rng.random_range(0..100) {
            0..22 => {
                let rows = self.rng.random_range(1..4);
                let rows: Vec<Row> = (0..rows).map(|_| self.row(&table.columns, &mut covers)).collect();
                let values: Vec<String> = rows.iter().map(literals).collect();
                Query::new(format!("INSERT INTO {name} VALUES {} RETURNING *", values.join(", ")), put)
                    .covering("inserts")
            }
            22..34 => {
                let (from, count) = (self.rng.random_range(0..IDS), self.rng.random_range(5..120));
                let text = self.text(&mut covers);
                let text: String = text.chars().take(900).collect();
                let columns: Vec<String> =
                    table.columns.iter().filter(|name| ["id", "k", "v"].contains(&name.as_str())).cloned().collect();
                let values = columns.iter().map(|column| match column.as_str() {
                    "id" => "g".to_owned(),
                    "k" => "(g % 37)::int".to_owned(),
                    _ => format!("'{text}' || g"),
                });
                let sql = format!(
                    "INSERT INTO {name} ({}) SELECT {} FROM generate_series({from}, {}) g ON CONFLICT DO NOTHING \
                     RETURNING *",
                    columns.join(", "),
                    values.collect::<Vec<_>>().join(", "),
                    from + count
                );
                Query::new(sql, put).covering("inserts of many rows")
            }
            34..40 => {
                let row = self.row(&table.columns, &mut covers);
                let column = self.column(&table);
                let values = literals(&row);
                let sql = format!(
                    "INSERT INTO {name} VALUES {values} ON CONFLICT (id) DO UPDATE SET {column} = excluded.{column} \
                     RETURNING *"
                );
                Query::new(sql, put).covering("upserts")
            }
            40..58 => {
                let (id, column) = (self.id(&name), self.column(&table));
                let value = literal(&self.value(&column, &mut covers));
                Query::new(format!("UPDATE {name} SET {column} = {value} WHERE id = {id} RETURNING *"), put)
                    .covering("updates")
            }
            58..66 => {
                let (from, column) = (self.rng.random_range(0..IDS), self.column(&table));
                let to = from + self.rng.random_range(1..30);
                let value = if column == "u" { "u + 1".to_owned() } else { literal(&self.value(&column, &mut covers)) };
                let sql = format!("UPDATE {name} SET {column} = {value} WHERE id BETWEEN {from} AND {to} RETURNING *");
                Query::new(sql, put).covering("updates")
            }
            66..72 => {
                let (old, new) = (self.id(&name), self.rng.random_range(0..IDS));
                let sql = format!("UPDATE {name} SET id = {new} WHERE id = {old} RETURNING *");
                Query::new(sql, Kind::Move { table: name.clone(), old }).covering("key updates")
            }
            72..84 => {
                let id = self.id(&name);
                let sql = format!("DELETE FROM {name} WHERE id = {id} RETURNING id");
                Query::new(sql, Kind::Remove { table: name.clone() }).covering("deletes")
            }
            84..92 => {
                let from = self.rng.random_range(0..IDS);
                let to = from + self.rng.random_range(1..120);
                let sql = format!("DELETE FROM {name} WHERE id BETWEEN {from} AND {to} RETURNING id");
                Query::new(sql, Kind::Remove { table: name.clone() }).covering("deletes")
            }
            92..96 => {
                let k = self.rng.random_range(0..40);
                let sql = format!("DELETE FROM {name} WHERE k = {k} RETURNING id");
                Query::new(sql, Kind::Remove { table: name.clone() }).covering("deletes")
            }
            _ => Query::new(format!("SELECT * FROM {name} ORDER BY id LIMIT 20"), Kind::Nothing),
        };
        query.covers.extend(covers);
        query
    }

    fn copy(&mut self) -> Query {
        let (name, table) = self.table();
        let mut covers = vec!["copies"];
        let rows: Vec<Row> = (0..self.rng.random_range(1..20)).map(|_| self.row(&table.columns, &mut covers)).collect();
        let field = |field: &Option<String>| field.clone().unwrap_or_else(|| "\\N".to_owned());
        let line = |row: &Row| row.iter().map(field).collect::<Vec<_>>().join("\t") + "\n";
        let effect =
            |row: &Row| Effect::PutNamed { table: name.clone(), columns: table.columns.clone(), row: row.clone() };
        let effects = rows.iter().map(effect).collect();
        let sql = format!("COPY {name} ({}) FROM STDIN", table.columns.join(", "));
        Query { copy: Some(rows.iter().map(line).collect()), covers, ..Query::new(sql, Kind::Fixed(effects)) }
    }

    fn draw(&mut self) -> Query {
        let (sequence, add) = if self.rng.random() { ("even", 0) } else { ("odd", 1) };
        let sql = format!("INSERT INTO drawn VALUES (2 * nextval('{sequence}') + {add}) RETURNING *");
        Query::new(sql, Kind::Draw { sequence: sequence.to_owned() }).covering("sequence values drawn")
    }

    fn definition(&mut self) -> Query {
        let (name, table) = self.table();
        match self.rng.random_range(0..100) {
            0..14 => create_table(TABLES[self.rng.random_range(0..TABLES.len())]),
            14..22 => {
                let effect = Effect::DropTable { table: name.clone() };
                Query::new(format!("DROP TABLE {name}"), Kind::Fixed(vec![effect])).covering("tables dropped")
            }
            22..40 => {
                let column = self.column(&table);
                let index = format!("{name}_{column}_{}", self.rng.random_range(0..2));
                // An entry of a text column would be too long for a key.
                let column = if column.starts_with(['v', 'x']) { "k, id".to_owned() } else { column };
                let effect = Effect::CreateIndex { table: name.clone(), index: index.clone() };
                Query::new(format!("CREATE INDEX {index} ON {name} ({column})"), Kind::Fixed(vec![effect]))
                    .covering("indexes created")
            }
            40..52 => {
                let index = table.indexes.iter().next().cloned().unwrap_or_else(|| "none".to_owned());
                let effect = Effect::DropIndex { table: name.clone(), index: index.clone() };
                Query::new(format!("DROP INDEX {index}"), Kind::Fixed(vec![effect])).covering("indexes dropped")
            }
            52..66 => {
                let column = format!("x{}", self.rng.random_range(0..3));
                let value = self.rng.random_ratio(1, 2).then(|| "given".to_owned());
                let default = value.as_ref().map_or(String::new(), |value| format!(" DEFAULT '{value}'"));
                let effect = Effect::AddColumn { table: name.clone(), column: column.clone(), value };
                let sql = format!("ALTER TABLE {name} ADD COLUMN {column} text{default}");
                Query::new(sql, Kind::Fixed(vec![effect])).covering("columns added")
            }
            66..78 => {
                let added: Vec<&String> = table.columns.iter().filter(|name| name.starts_with('x')).collect();
                let column = added.first().map_or("x0", |name| name.as_str());
                let effect = Effect::DropColumn { table: name.clone(), column: column.to_owned() };
                let sql = format!("ALTER TABLE {name} DROP COLUMN {column}");
                Query::new(sql, Kind::Fixed(vec![effect])).covering("columns dropped")
            }
            78..82 => {
                let effect = Effect::Truncate { table: name.clone() };
                Query::new(format!("TRUNCATE {name}"), Kind::Fixed(vec![effect])).covering("truncates")
            }
            82..90 => {
                let sequence = format!("s{}", self.rng.random_range(0..3));
                let effect = Effect::CreateSequence { sequence: sequence.clone() };
                Query::new(format!("CREATE SEQUENCE {sequence}"), Kind::Fixed(vec![effect]))
                    .covering("sequences created")
            }
            _ => {
                let sequence = format!("s{}", self.rng.random_range(0..3));
                let effect = Effect::DropSequence { sequence: sequence.clone() };
                Query::new(format!("DROP SEQUENCE {sequence}"), Kind::Fixed(vec![effect])).covering("sequences dropped")
            }
        }
    }

    /// A statement that changes rows before it fails, unless another session took the row away.
    fn likely_failure(&mut self) -> Query {
        let (name, _) = self.table();
        let sql = format!("UPDATE {name} SET k = 1 / (id - {}) WHERE id IS NOT NULL RETURNING *", self.id(&name));
        Query::new(sql, Kind::Put { table: name }).covering("updates")
    }
}

fn literal(value: &Option<String>) -> String {
    value.as_ref().map_or("NULL".to_owned(), |value| format!("'{value}'"))
}

fn literals(row: &Row) -> String {
    format!("({})", row.iter().map(literal).collect::<Vec<_>>().join(", "))
}
