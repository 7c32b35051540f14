//! The long form of the power cut campaign (`tests/campaign`): any number of power cuts from any seed.
//!
//! `cargo run --release -p nqdb-testkit --example campaign -- --points 5000 --seed 1`

#[path = "../tests/campaign/coverage.rs"]
mod coverage;
#[path = "../tests/campaign/cuts.rs"]
mod cuts;
#[path = "../tests/campaign/model.rs"]
mod model;
#[path = "../tests/campaign/run.rs"]
mod run;
#[path = "../tests/campaign/server.rs"]
mod server;
#[path = "../tests/campaign/sink.rs"]
mod sink;
#[path = "../tests/campaign/statements.rs"]
mod statements;
#[path = "../tests/campaign/twins.rs"]
mod twins;

use std::process::ExitCode;
use std::time::Instant;

use cuts::{Plan, campaign};
use server::Broken;

/// The number behind a flag.
fn number(flag: &str, default: u64) -> u64 {
    let arguments: Vec<String> = std::env::args().collect();
    let at = arguments.iter().position(|argument| argument == flag);
    let Some(value) = at.and_then(|at| arguments.get(at + 1)) else { return default };
    value.parse().unwrap_or_else(|_| panic!("{flag} needs a number"))
}

fn main() -> ExitCode {
    let started = Instant::now();
    let plan = Plan {
        points: number("--points", 5000) as usize,
        first_seed: number("--seed", 1),
        points_per_run: number("--points-per-run", 100) as usize,
        steps: number("--steps", 1500) as usize,
        broken: Broken::NOTHING,
        trace: std::env::args().any(|argument| argument == "--trace"),
    };
    let (summary, outcome) = campaign(plan);
    println!("{} power cuts in {} runs, {:?}", summary.points, summary.runs, started.elapsed());
    print!("{}", summary.coverage);
    match outcome {
        Ok(()) if summary.coverage.missing().is_empty() => ExitCode::SUCCESS,
        Ok(()) => {
            println!("never happened: {:?}", summary.coverage.missing());
            ExitCode::FAILURE
        }
        Err(what) => {
            println!("FAILED: {what}");
            ExitCode::FAILURE
        }
    }
}
