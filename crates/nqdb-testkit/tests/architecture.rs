//! The arrows between crates point down only. A new arrow is a decision: it is made here and in
//! `docs/ARCHITECTURE.md`, or it is refused.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// Every crate with the crates of the workspace that it may depend on (dev-dependencies are free).
const ALLOWED: &[(&str, &[&str])] = &[
    ("nqdb-sqlstate", &[]),
    ("nqdb-types", &["nqdb-sqlstate"]),
    ("nqdb-storage", &[]),
    ("nqdb-txn", &["nqdb-storage", "nqdb-types", "nqdb-sqlstate"]),
    ("nqdb-catalog", &["nqdb-txn", "nqdb-storage", "nqdb-types", "nqdb-sqlstate"]),
    ("nqdb-functions-macros", &[]),
    ("nqdb-functions", &["nqdb-functions-macros", "nqdb-types", "nqdb-sqlstate"]),
    ("nqdb-analytics", &["nqdb-sql", "nqdb-functions", "nqdb-catalog", "nqdb-txn", "nqdb-types", "nqdb-sqlstate"]),
    ("nqdb-sql", &["nqdb-functions", "nqdb-catalog", "nqdb-txn", "nqdb-storage", "nqdb-types", "nqdb-sqlstate"]),
    ("nqdb-pubsub", &[]),
    (
        "nqdb-session",
        &[
            "nqdb-pubsub",
            "nqdb-analytics",
            "nqdb-sql",
            "nqdb-functions",
            "nqdb-catalog",
            "nqdb-txn",
            "nqdb-storage",
            "nqdb-types",
            "nqdb-sqlstate",
        ],
    ),
    ("nqdb-wire", &["nqdb-session", "nqdb-pubsub", "nqdb-types", "nqdb-sqlstate"]),
    ("nqdb-web", &["nqdb-session", "nqdb-pubsub", "nqdb-types", "nqdb-sqlstate"]),
    (
        "nqdb-server",
        &[
            "nqdb-wire",
            "nqdb-web",
            "nqdb-session",
            "nqdb-pubsub",
            "nqdb-sql",
            "nqdb-catalog",
            "nqdb-txn",
            "nqdb-storage",
            "nqdb-types",
            "nqdb-sqlstate",
        ],
    ),
    ("nqdb", &["nqdb-server"]),
    ("nqdb-bench", &["nqdb-storage"]),
    // Tests may reach every layer; nothing but dev-dependencies may point at them.
    (
        "nqdb-testkit",
        &[
            "nqdb-server",
            "nqdb-session",
            "nqdb-sql",
            "nqdb-catalog",
            "nqdb-txn",
            "nqdb-storage",
            "nqdb-types",
            "nqdb-sqlstate",
        ],
    ),
    ("sqllogictest-runner", &["nqdb-testkit"]),
];

/// Packages of the workspace with their ordinary dependencies inside of it.
fn arrows() -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("cargo prints JSON");
    let packages = metadata["packages"].as_array().expect("a list of packages");
    let names: BTreeSet<&str> = packages.iter().filter_map(|package| package["name"].as_str()).collect();
    packages
        .iter()
        .map(|package| {
            let below = package["dependencies"]
                .as_array()
                .into_iter()
                .flatten()
                .filter(|dependency| dependency["kind"].is_null())
                .filter_map(|dependency| dependency["name"].as_str())
                .filter(|name| names.contains(name))
                .map(str::to_owned)
                .collect();
            (package["name"].as_str().expect("a name").to_owned(), below)
        })
        .collect()
}

#[test]
fn every_arrow_between_crates_is_allowed() {
    let allowed: BTreeMap<&str, BTreeSet<&str>> =
        ALLOWED.iter().map(|(name, below)| (*name, below.iter().copied().collect())).collect();
    for (name, below) in arrows() {
        let permitted = allowed.get(name.as_str()).unwrap_or_else(|| panic!("crate {name} is not in the table"));
        for target in below {
            assert!(permitted.contains(target.as_str()), "wrong arrow: {name} -> {target}");
        }
    }
}

#[test]
fn the_table_of_arrows_has_no_cycle_and_no_stranger() {
    let mut done: BTreeSet<&str> = BTreeSet::new();
    let mut open: Vec<(&str, &[&str])> = ALLOWED.to_vec();
    while !open.is_empty() {
        let before = open.len();
        open.retain(|(name, below)| {
            let ready = below.iter().all(|target| done.contains(target));
            if ready {
                done.insert(name);
            }
            !ready
        });
        assert!(open.len() < before, "a cycle or an unknown crate among {open:?}");
    }
}

/// `cargo run --release` and `scripts/test` name different packages; where these ask for different features of one dependency,
/// cargo builds it, and all that lies above it, twice.
#[test]
fn the_start_command_and_the_suite_build_the_same_dependencies() {
    let alone = dependencies(&["-p", "nqdb"]);
    let together = dependencies(&["-p", "nqdb", "-p", "sqllogictest-runner"]);
    assert!(alone.len() > 100, "cargo tree lists the dependencies");
    assert_eq!(alone.difference(&together).collect::<Vec<_>>(), Vec::<&String>::new());
}

/// The dependencies of some packages, one line each: name, version and features.
fn dependencies(packages: &[&str]) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--edges", "normal,build", "--prefix", "none", "--format", "{p} [{f}]"])
        .args(packages)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).lines().map(|line| line.trim_end_matches(" (*)").to_owned()).collect()
}
