//! Notifications under fire: writers with rollbacks and savepoints whose sessions are killed, and who hears them.
//!
//! ```text
//! cargo run --release -p nqdb-testkit --example notifications -- [--messages N] [--writers N] [--channels N] [--kills N] [--seed S] [--durable]
//! ```
//!
//! Prints what was said and heard, and ends with 1 if a message was lost, doubled, out of order or of an aborted part.

use std::process::ExitCode;

use nqdb_testkit::NqdbServer;
use nqdb_testkit::under_fire::{Load, run};

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |name: &str, otherwise: u64| {
        let given = arguments.iter().position(|argument| argument == name).and_then(|at| arguments.get(at + 1));
        given.map_or(otherwise, |text| text.parse().unwrap_or_else(|_| panic!("{name} takes a number, not {text}")))
    };
    let load = Load {
        messages: number("--messages", 1_000_000),
        writers: number("--writers", 32),
        channels: number("--channels", 8),
        listeners: number("--listeners", 2) as usize,
        subscribers: number("--subscribers", 2) as usize,
        kills: number("--kills", 200),
        durable: arguments.iter().any(|argument| argument == "--durable"),
        seed: number("--seed", 1),
    };
    // Who hears is not to be let go because the machine has too few cores for all of them.
    let server = NqdbServer::start_with(&["--notify-queue", "1GB"]);
    match run(&server, load).await {
        Ok(report) => {
            println!("{report}");
            report.faults.iter().for_each(|fault| println!("  {fault}"));
            if report.faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("{error}\n{}", server.log());
            ExitCode::FAILURE
        }
    }
}
