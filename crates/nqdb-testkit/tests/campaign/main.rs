//! Power cuts under the whole server: storage, transactions, catalog, SQL and sessions on a simulated disk.
//!
//! A seeded workload of several clients runs beside a model. The power goes off at random calls of the disk, in every
//! way in which a disk may lose writes, during recovery too. What is found afterwards must be the model's state after
//! some commit, no older than the newest acknowledged one; trees, indexes, large values and the free list must agree,
//! nothing may be left over after purge, and sequences must not repeat themselves.
//!
//! `cargo run --release -p nqdb-testkit --example campaign` is the long form.

mod coverage;
mod cuts;
mod damage;
mod model;
mod run;
mod server;
mod sink;
mod statements;
mod twins;

use cuts::{Plan, campaign};
use nqdb_storage::Sabotage;
use nqdb_txn::TxnSabotage;
use server::Broken;

const PLAN: Plan =
    Plan { points: 480, first_seed: 1, points_per_run: 60, steps: 600, broken: Broken::NOTHING, trace: false };

#[test]
fn no_power_cut_loses_what_was_acknowledged() {
    let (summary, outcome) = campaign(PLAN);
    println!("{} power cuts in {} runs\n{}", summary.points, summary.runs, summary.coverage);
    assert_eq!(outcome, Ok(()));
    assert_eq!(summary.coverage.missing(), Vec::<&str>::new());
}

fn storage(rule: Sabotage) -> Broken {
    Broken { storage: rule, ..Broken::NOTHING }
}

fn transactions(rule: TxnSabotage) -> Broken {
    Broken { transactions: rule, ..Broken::NOTHING }
}

/// How many power cuts the campaign needs to notice a broken rule.
fn points_to_notice(broken: Broken) -> Option<usize> {
    // Only the last power cut of a run, the real one, shows what clients are told when the log cannot be written.
    let points_per_run = if broken.storage == Sabotage::AckBeforeSync { 5 } else { PLAN.points_per_run };
    let (summary, outcome) = campaign(Plan { points: 600, points_per_run, broken, ..PLAN });
    outcome.is_err().then_some(summary.points)
}

#[test]
fn every_broken_rule_is_noticed() {
    let rules = [
        storage(Sabotage::NoDoublewrite),
        storage(Sabotage::FlushBeforeLog),
        storage(Sabotage::NoDirSync),
        storage(Sabotage::AckBeforeSync),
        storage(Sabotage::IgnoreIncarnation),
        storage(Sabotage::NoDataSync),
        storage(Sabotage::ForgetDirtyPages),
        transactions(TxnSabotage::NoClr),
        transactions(TxnSabotage::NoAbortEnd),
        transactions(TxnSabotage::NoRecoveryUndo),
        transactions(TxnSabotage::NoFloor),
        transactions(TxnSabotage::NoSweep),
        transactions(TxnSabotage::VisibleBeforeSync),
    ];
    let quiet = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let needed: Vec<_> = rules.into_iter().map(|rule| (rule, points_to_notice(rule))).collect();
    std::panic::set_hook(quiet);
    for (rule, points) in &needed {
        println!("{rule:?}: {points:?}");
    }
    let missed: Vec<_> = needed.iter().filter(|(_, points)| points.is_none()).map(|(rule, _)| rule).collect();
    assert!(missed.is_empty(), "{missed:?}");
}
