//! Compares nqdb with PostgreSQL 15 on generated statements.
//!
//! ```text
//! cargo run --release -p nqdb-testkit --example differential -- [--statements N] [--seed S] [--nqdb TARGET --postgres TARGET]
//! ```
//!
//! Without targets (libpq-style strings) both servers are started here. Prints each difference and ends with 1 if there was one.

use std::process::ExitCode;

use nqdb_testkit::differential::{Difference, run};
use nqdb_testkit::{NqdbServer, PostgresServer};

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let value = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1).cloned()
    };
    let number = |name: &str, otherwise: u64| match value(name) {
        Some(text) => text.parse().unwrap_or_else(|_| panic!("{name} takes a number, not {text}")),
        None => otherwise,
    };
    let (statements, seed) = (number("--statements", 100_000) as usize, number("--seed", 1));
    let started = value("--nqdb").is_none().then(|| (NqdbServer::start(), PostgresServer::start_with(&["fsync=off"])));
    let (nqdb, postgres) = match &started {
        Some((nqdb, postgres)) => (nqdb.target(), postgres.target()),
        None => {
            (value("--nqdb").expect("this branch has it"), value("--postgres").expect("--nqdb goes with --postgres"))
        }
    };
    let report = match run(&nqdb, &postgres, seed, statements).await {
        Ok(report) => report,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    report.differences.iter().for_each(print);
    println!(
        "{} statements from seed {seed}: {} errors alike, {} left open, {} differences",
        report.statements,
        report.errors,
        report.open,
        report.differences.len()
    );
    if report.differences.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn print(difference: &Difference) {
    println!("-- seed {}\n{};", difference.seed, difference.sql);
    println!("--   nqdb:       {:?}", difference.nqdb);
    println!("--   PostgreSQL: {:?}\n", difference.postgres);
}
