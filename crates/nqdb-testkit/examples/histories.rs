//! Long histories of concurrent transactions with kills, at every isolation level.
//!
//! ```text
//! cargo run --release -p nqdb-testkit --example histories -- [--rounds N] [--transactions N] [--kills N] [--sessions N] [--seed S]
//! ```
//!
//! Prints what each round was and what it found, and ends with 1 if a level forbids any of it.

use std::process::ExitCode;

use nqdb_testkit::NqdbServer;
use nqdb_testkit::history::{End, Level, Load, check, run};

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |name: &str, otherwise: u64| {
        let given = arguments.iter().position(|argument| argument == name).and_then(|at| arguments.get(at + 1));
        given.map_or(otherwise, |text| text.parse().unwrap_or_else(|_| panic!("{name} takes a number, not {text}")))
    };
    let mut forbidden = 0;
    for round in 0..number("--rounds", 10) {
        for level in Level::ALL {
            let load = Load {
                level,
                sessions: number("--sessions", 16) as usize,
                transactions: number("--transactions", 10_000) as usize,
                kills: number("--kills", 5) as usize,
                seed: number("--seed", 1) + round * 1000,
            };
            let mut server = NqdbServer::start();
            let history = match run(&mut server, load).await {
                Ok(history) => history,
                Err(error) => {
                    eprintln!("{}: {error}", level.name());
                    return ExitCode::FAILURE;
                }
            };
            let count = |end| history.transactions.iter().filter(|transaction| transaction.end == end).count();
            let (committed, aborted, unknown) = (count(End::Committed), count(End::Aborted), count(End::Unknown));
            println!(
                "{} seed {}: {committed} committed, {aborted} aborted, {unknown} unknown, {} kills",
                level.name(),
                load.seed,
                history.kills
            );
            for anomaly in check(&history) {
                let is_forbidden = level.forbids(&anomaly);
                forbidden += usize::from(is_forbidden);
                println!("  {}: {anomaly}", if is_forbidden { "FORBIDDEN" } else { "allowed" });
            }
        }
    }
    if forbidden == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
