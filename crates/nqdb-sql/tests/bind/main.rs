//! The binder against PostgreSQL 15: `expected.txt` holds, for each statement, what a PostgreSQL 15 server with the
//! tables of `schema.sql` answered to Parse and Describe: parameter types, columns (name, type, modifier, attribute
//! number), or the error with its code, position, message, detail and hint. `differences.txt` holds, in the same form,
//! the answers of ours that are known to be others.

mod commands;
mod fixture;

use std::fmt::Write;

use fixture::Fixture;
use nqdb_sqlstate::SqlError;

/// The answer in the form of `expected.txt`.
fn outcome(fixture: &Fixture, sql: &str) -> String {
    let (bound, params) = match fixture.bind(sql) {
        Ok(bound) => bound,
        Err(error) => return describe_error(&error),
    };
    let params: Vec<String> = params.iter().map(u32::to_string).collect();
    let mut text = format!("params ({})", params.join(" "));
    match bound.output() {
        None => text.push_str(" rows none"),
        Some(columns) => {
            let columns: Vec<String> = columns
                .iter()
                .map(|column| {
                    let attnum = column.origin.map_or(0, |(_, attnum)| attnum);
                    format!("{} {} {} {attnum}", column.name, column.ty.oid, column.ty.typmod)
                })
                .collect();
            let _ = write!(text, " rows ({})", columns.join(", "));
        }
    }
    text
}

fn describe_error(error: &SqlError) -> String {
    let position = error.position().map_or_else(|| "-".to_string(), |position| position.to_string());
    let mut text = format!("error {} at {position}: {}", error.code(), error.message());
    if let Some(detail) = error.detail() {
        let _ = write!(text, " | detail: {detail}");
    }
    if let Some(hint) = error.hint() {
        let _ = write!(text, " | hint: {hint}");
    }
    text.replace('\n', "\\n")
}

#[test]
fn statements_mean_what_postgresql_says_they_mean() {
    let fixture = Fixture::new();
    let mut known = std::collections::HashMap::new();
    let mut lines = include_str!("differences.txt").lines();
    while let (Some(sql), Some(ours)) = (lines.next(), lines.next()) {
        known.insert(sql, ours);
    }
    let mut lines = include_str!("expected.txt").lines();
    let mut differences = String::new();
    let mut count = 0;
    while let (Some(sql), Some(expected)) = (lines.next(), lines.next()) {
        count += 1;
        let found = outcome(&fixture, sql);
        let expected = known.get(sql).copied().unwrap_or(expected);
        if found != expected.trim_start() {
            let _ = write!(differences, "\n{sql}\n    expected {}\n    found    {found}\n", expected.trim_start());
        }
    }
    assert!(count > 300, "the list of statements was read");
    assert!(differences.is_empty(), "{differences}");
}

/// A small generator: the same seed gives the same texts.
struct Seed(u64);

impl Seed {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit.max(1) as u64) as usize
    }
}

/// Statements with words dropped, doubled, swapped and cut: any answer will do, as long as there is one.
#[test]
fn mangled_statements_get_an_answer() {
    let fixture = Fixture::new();
    let statements: Vec<&str> = include_str!("expected.txt").lines().step_by(2).collect();
    let mut seed = Seed(0x9e37_79b9_7f4a_7c15);
    for round in 0..4_000 {
        let source = statements[seed.below(statements.len())];
        let mut words: Vec<String> = source.split(' ').map(str::to_string).collect();
        for _ in 0..=seed.below(3) {
            let at = seed.below(words.len());
            match seed.below(5) {
                0 if words.len() > 1 => drop(words.remove(at)),
                1 => words.insert(at, words[at].clone()),
                2 => {
                    let other = seed.below(words.len());
                    words.swap(at, other);
                }
                3 => {
                    let donor: Vec<&str> = statements[seed.below(statements.len())].split(' ').collect();
                    words[at] = donor[seed.below(donor.len())].to_string();
                }
                _ => {
                    let cut = words[at].chars().count();
                    words[at] = words[at].chars().take(seed.below(cut + 1)).collect();
                }
            }
        }
        let sql = words.join(" ");
        let Ok(parsed) = nqdb_sql::parse::parse(&sql) else { continue };
        for statement in &parsed {
            if !matches!(statement.kind, nqdb_sql::statement::StatementKind::Rows(_)) {
                continue;
            }
            let mut params = nqdb_sql::params::ParamTypes::default();
            let bound = fixture.with(|cx| nqdb_sql::bind::bind(statement, cx, &mut params));
            if let Err(error) = bound {
                assert_ne!(error.code(), nqdb_sqlstate::INTERNAL_ERROR, "round {round}: {sql}: {error}");
            }
        }
    }
}

#[test]
fn depth_is_refused_before_it_hurts() {
    let fixture = Fixture::new();
    let parens = format!("SELECT {}1{}", "(".repeat(5_000), ")".repeat(5_000));
    let signs = format!("SELECT {}1", "- ".repeat(20_000));
    let chain = format!("SELECT 1{}", " + 1".repeat(3_000));
    for sql in [&parens, &signs, &chain] {
        let error = fixture.bind(sql).expect_err("too deep");
        assert_eq!(error.code(), nqdb_sqlstate::STATEMENT_TOO_COMPLEX);
        assert_eq!(error.message(), "stack depth limit exceeded");
    }
    // A long condition is not deep.
    let conditions = format!("SELECT a FROM t WHERE a = 1{}", " OR a = 2".repeat(1_500));
    fixture.bind(&conditions).expect("a chain of OR");
}
