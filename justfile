# The usual chores. `just` alone lists them.

default:
    @just --list

# Start a server with its data in ./nqdb-data
run *arguments:
    cargo run --release -- {{arguments}}

# Everything: README's test command
test:
    scripts/test

# The fast part: one crate's tests
test-crate crate:
    cargo nextest run -p {{crate}}

# rustfmt and clippy, as CI runs them
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --locked -- -D warnings

# SQL files on nqdb (or: just slt postgresql)
slt engine="nqdb":
    cargo build --release -p nqdb -p sqllogictest-runner
    cargo run --release -p sqllogictest-runner -- --engine {{engine}}

# pgbench beside PostgreSQL 15, into docs/benchmarks.md
bench:
    scripts/bench-pgbench --output docs/benchmarks.md

# kill -9 under pgbench, restart, check; as often as asked
crash cycles="20":
    scripts/crash-pgbench --cycles {{cycles}}

# The bare tree beside SQLite and redb
bench-tree:
    cargo bench -p nqdb-bench --bench tree

# Power cuts of the whole server on a simulated disk; CI runs a short form of it
campaign points="5000" seed="1":
    cargo run --release -p nqdb-testkit --example campaign -- --points {{points}} --seed {{seed}}

# Fuzz one target (pages, log, codecs, sql, frames, sockets) for so many seconds; needs cargo-fuzz and a nightly compiler
fuzz target seconds="120":
    cd fuzz && cargo +nightly fuzz run {{target}} --features {{target}} -- -max_total_time={{seconds}} -max_len=65536

# Generated statements on nqdb and PostgreSQL 15; CI runs a short form of it
differential statements="100000" seed="1":
    cargo build --release -p nqdb
    cargo run --release -p nqdb-testkit --example differential -- --statements {{statements}} --seed {{seed}}

# Notifications of 32 writers with rollbacks, savepoints and killed sessions; CI runs a short form of it
notifications messages="1000000" seed="1":
    cargo build --release -p nqdb
    cargo run --release -p nqdb-testkit --example notifications -- --messages {{messages}} --seed {{seed}}
