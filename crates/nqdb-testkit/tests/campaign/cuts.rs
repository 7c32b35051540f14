//! Power cuts in the middle of a workload, and what has to be true of the disk afterwards.

use std::panic::{AssertUnwindSafe, catch_unwind};

use nqdb_storage::disk::{Call, CrashMode, Fault, SimDisk};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::coverage::Coverage;
use crate::model::{State, Table};
use crate::run::Run;
use crate::server::{Broken, Server};
use crate::sink::Row;
use crate::twins;

/// How much to do.
#[derive(Clone, Copy)]
pub struct Plan {
    /// Power cuts to survive.
    pub points: usize,
    pub first_seed: u64,
    /// Power cuts in one run of a workload.
    pub points_per_run: usize,
    /// Steps of a workload, at most.
    pub steps: usize,
    pub broken: Broken,
    /// Print every query and every power cut.
    pub trace: bool,
}

/// Figures of a campaign.
#[derive(Default)]
pub struct Summary {
    pub points: usize,
    pub runs: usize,
    pub coverage: Coverage,
}

/// Survives power cuts until there were enough; `Err` says what was lost, and how to see it again.
pub fn campaign(plan: Plan) -> (Summary, Result<(), String>) {
    let mut summary = Summary::default();
    let mut seed = plan.first_seed;
    while summary.points < plan.points {
        let run = catch_unwind(AssertUnwindSafe(|| one_run(seed, &plan, &mut summary)));
        let outcome = run.unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().cloned();
            Err(text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default())
        });
        if let Err(what) = outcome {
            let point = summary.points;
            return (summary, Err(format!("seed {seed}, power cut {point}: {what}")));
        }
        summary.runs += 1;
        seed += 1;
    }
    (summary, Ok(()))
}

/// A workload with power cuts at random calls. All but the last are photographs: the disk is kept as the power cut would
/// find it while the workload goes on. The last one really fails every call from there on.
fn one_run(seed: u64, plan: &Plan, summary: &mut Summary) -> Result<(), String> {
    let mut rng = StdRng::seed_from_u64(seed ^ 0x5eed);
    twins::old_groups_stay_behind(&mut StdRng::seed_from_u64(seed ^ 0x7715), plan, summary)?;
    let disk = SimDisk::new();
    let calls_apart = 2 * rng.random_range(3..12u64);
    let mut cuts = 0;
    arm(&disk, &mut rng, calls_apart, Fault::Capture);
    let server = Server::open(&disk, plan.broken)?;
    let mut run = Run::new(server, seed, State::default());
    run.trace = plan.trace;
    for image in disk.take_captured() {
        summary.coverage.hit("cuts during creation");
        check_cut(&image, vec![State::default()], &mut rng, plan, summary)?;
        cuts += 1;
    }
    arm(&disk, &mut rng, calls_apart, Fault::Capture);
    let mut steps = 0;
    while !disk.has_crashed() {
        let acknowledged = run.history.acknowledged();
        let stepped = run.step(&mut summary.coverage);
        if !disk.has_crashed() {
            stepped?;
        }
        let mut images: Vec<_> = disk.take_captured().into_iter().map(|image| (image, acknowledged)).collect();
        if disk.has_crashed() {
            // Whatever clients are told from here on has to be true of the disk all the same.
            run.hear_out();
            images.push((disk.clone(), run.history.acknowledged()));
        }
        for (image, acknowledged) in images {
            let states = run.history.possible(acknowledged);
            check_cut(&image, states, &mut rng, plan, summary).map_err(|what| format!("step {steps}: {what}"))?;
            cuts += 1;
            let is_last = cuts + 1 >= plan.points_per_run || steps >= plan.steps;
            arm(&disk, &mut rng, calls_apart, if is_last { Fault::CrashHere } else { Fault::Capture });
        }
        steps += 1;
        if steps > 20 * plan.steps {
            return Err("the power never went off".to_owned());
        }
    }
    count_work(&run, &disk, &mut summary.coverage);
    Ok(())
}

fn arm(disk: &SimDisk, rng: &mut StdRng, calls_apart: u64, fault: Fault) {
    disk.fail_at(Call::Change, disk.calls(Call::Change) + rng.random_range(1..=calls_apart), fault);
}

fn count_work(run: &Run, disk: &SimDisk, coverage: &mut Coverage) {
    let engine = run.server.system.engine().stats();
    coverage.add("page splits", engine.splits);
    coverage.add("page merges", engine.merges);
    coverage.add("page evictions", engine.evictions);
    coverage.add("page reads", engine.page_reads);
    coverage.add("page writes", engine.page_writes);
    coverage.add("checkpoints", engine.checkpoints);
    coverage.add("log segments created", engine.log_segments);
    // One rename gives the superblock its name.
    coverage.add("log segments recycled", disk.calls(Call::Rename).saturating_sub(1));
}

fn mode(rng: &mut StdRng, coverage: &mut Coverage) -> CrashMode {
    let (mode, what) = match rng.random_range(0..4) {
        0 => (CrashMode::OnlySynced, "cuts that kept only what was synced"),
        1 => (CrashMode::AllWrites, "cuts that kept all writes"),
        2 => (CrashMode::RandomSubset(rng.random()), "cuts that kept a random subset"),
        _ => (CrashMode::Torn512(rng.random()), "cuts that tore sectors"),
    };
    coverage.hit(what);
    mode
}

/// One power cut, perhaps others during recovery, and what is found then. `states` are those that may be.
fn check_cut(
    image: &SimDisk,
    states: Vec<State>,
    rng: &mut StdRng,
    plan: &Plan,
    summary: &mut Summary,
) -> Result<(), String> {
    summary.points += 1;
    let coverage = &mut summary.coverage;
    match image.crashed_at() {
        Some(Call::Write) => coverage.hit("cuts at a write"),
        Some(Call::Sync) => coverage.hit("cuts at a sync"),
        Some(Call::Rename) => coverage.hit("cuts at a rename"),
        Some(Call::SyncDir) => coverage.hit("cuts at a directory sync"),
        _ => {}
    }
    let first_mode = mode(rng, coverage);
    if plan.trace {
        println!("-- power cut at {:?}, {first_mode:?}, {} states possible", image.crashed_at(), states.len());
    }
    let mut disk = image.crash(first_mode);
    while rng.random_ratio(1, 3) {
        disk = cut_recovery(&disk, rng, plan.broken, coverage);
    }
    let server = Server::open(&disk, plan.broken).map_err(|what| format!("{first_mode:?}: {what}"))?;
    check_recovered(server, states, rng, plan, coverage).map_err(|what| format!("{first_mode:?}: {what}"))
}

/// Power goes off again while the database opens, or soon after.
fn cut_recovery(disk: &SimDisk, rng: &mut StdRng, broken: Broken, coverage: &mut Coverage) -> SimDisk {
    disk.fail_at(Call::Change, disk.calls(Call::Change) + rng.random_range(1..40), Fault::CrashHere);
    if let Ok(server) = Server::open(disk, broken) {
        for _ in 0..rng.random_range(0..20) {
            server.flush_log();
            // Whatever these run into: the power is about to go.
            let _ = server.system.purge_step();
            let _ = server.system.engine().background_step();
        }
    }
    coverage.add("cuts during recovery", u64::from(disk.has_crashed()));
    disk.crash(mode(rng, &mut Coverage::default()))
}

fn check_recovered(
    server: Server,
    mut states: Vec<State>,
    rng: &mut StdRng,
    plan: &Plan,
    coverage: &mut Coverage,
) -> Result<(), String> {
    report(nqdb_server::check_open(&server.system, &server.cluster))?;
    let found = contents(&server)?;
    let last = states.len() - 1;
    let Some(position) = states.iter().rposition(|state| state.difference(&found).is_none()) else {
        let difference = states[0].difference(&found).unwrap_or_default();
        let newest = states[last].difference(&found).unwrap_or_default();
        return Err(format!(
            "what was recovered is no state that it may be; against the acknowledged one: {difference}; against the \
             newest of {} others: {newest}",
            last
        ));
    };
    coverage.add("commits in flight that survived", position as u64);
    coverage.add("commits in flight that vanished", (last - position) as u64);
    let state = states.swap_remove(position);
    server.purge_all()?;
    nothing_is_left(&server)?;
    report(nqdb_server::check_open(&server.system, &server.cluster))?;
    let state = sequences_go_on(&server, state)?;
    if rng.random_ratio(1, 4) { goes_on(server, state, rng, plan, coverage) } else { Ok(()) }
}

fn report(problems: Vec<String>) -> Result<(), String> {
    match problems.first() {
        None => Ok(()),
        Some(first) => Err(format!("the check finds {} problems, the first: {first}", problems.len())),
    }
}

/// The tables and what is in them, as a client reads them.
fn contents(server: &Server) -> Result<State, String> {
    let mut client = server.client();
    let mut state = State::default();
    let catalog = server.catalog.committed();
    for table in catalog.tables() {
        let told = server.query(&mut client, &format!("SELECT * FROM {}", table.name))?;
        let rows = told.rows().iter().map(|row: &Row| (crate::model::id_of(row), row.clone()));
        let made_by_create_table = |name: &str| name.ends_with("_pkey") || name.ends_with("_key");
        let names = table.indexes.iter().map(|index| index.name.clone());
        let found = Table {
            columns: table.live_columns().map(|(_, column)| column.name.clone()).collect(),
            indexes: names.filter(|name| !made_by_create_table(name)).collect(),
            rows: rows.collect(),
            ..Table::default()
        };
        if found.rows.len() != told.rows().len() {
            return Err(format!("table {} has an id twice", table.name));
        }
        state.tables.insert(table.name.clone(), found);
    }
    for database in catalog.databases().filter(|database| database.oid >= nqdb_catalog::FIRST_USER_OID) {
        let (sql, expected) = crate::statements::stock_taking();
        let told = server.query(&mut server.client_of(&database.name), sql)?;
        if told.rows() != [expected] {
            return Err(format!("database {} has the stock {:?}", database.name, told.rows()));
        }
        state.databases.insert(database.name.clone());
    }
    state.sequences = catalog.sequences().map(|sequence| (sequence.name.clone(), 0)).collect();
    Ok(state)
}

/// After purge: no deleted rows, no marked entries or values, no tree without an owner.
fn nothing_is_left(server: &Server) -> Result<(), String> {
    let mut stores = vec![("the catalog".to_owned(), server.cluster.own_table().clone())];
    for catalog in server.cluster.catalogs() {
        stores.extend(catalog.committed().tables().map(|table| (table.name.clone(), table.store.clone())));
    }
    for (name, store) in stores {
        let report = nqdb_txn::check_table(&server.system, &store).map_err(|error| error.to_string())?;
        if (report.deleted_rows, report.marked_entries, report.marked_values) != (0, 0, 0) {
            return Err(format!("purge leaves something in {name}: {report:?}"));
        }
    }
    let waiting = server.system.trees().map_err(|error| error.to_string())?.into_iter().filter(|tree| tree.2);
    match waiting.count() {
        0 => Ok(()),
        trees => Err(format!("purge leaves {trees} dropped trees")),
    }
}

/// A sequence never gives a value that a commit has used.
fn sequences_go_on(server: &Server, mut state: State) -> Result<State, String> {
    let mut client = server.client();
    for (sequence, add) in [("even", 0), ("odd", 1)] {
        let Some(used) = state.sequences.get_mut(sequence) else { continue };
        let told = server.query(&mut client, &format!("SELECT nextval('{sequence}')"))?;
        let value: i64 = told.rows()[0][0].as_deref().and_then(|text| text.parse().ok()).expect("a number");
        let stored = state.tables.get("drawn").into_iter().flat_map(|table| table.rows.keys());
        let stored = stored.filter(|id| *id % 2 == add).map(|id| id / 2).max().unwrap_or(0);
        if value <= (*used).max(stored) {
            return Err(format!("sequence {sequence} gives {value} again, {used} was used"));
        }
        *used = value;
    }
    Ok(state)
}

/// The recovered database is as good as any: it works on, and then survives another power cut, or is closed and opened
/// without a change.
fn goes_on(server: Server, state: State, rng: &mut StdRng, plan: &Plan, coverage: &mut Coverage) -> Result<(), String> {
    let disk = server.disk.clone();
    let mut run = Run::new(server, rng.random(), state);
    for _ in 0..40 {
        run.step(&mut Coverage::default()).map_err(|what| format!("after recovery: {what}"))?;
    }
    if rng.random() {
        let states = run.history.possible(run.history.acknowledged());
        let disk = disk.crash(mode(rng, &mut Coverage::default()));
        drop(run);
        coverage.hit("cuts after work on a recovered database");
        let server = Server::open(&disk, plan.broken).map_err(|what| format!("after another power cut: {what}"))?;
        return check_recovered(server, states, rng, plan, coverage)
            .map_err(|what| format!("after another power cut: {what}"));
    }
    run.finish()?;
    let newest = run.history.len();
    let state = run.history.possible(newest).pop().expect("there is one");
    run.server.system.close().map_err(|error| format!("it does not close: {error}"))?;
    drop(run);
    let server = Server::open(&disk, plan.broken).map_err(|what| format!("after a clean stop: {what}"))?;
    report(nqdb_server::check_open(&server.system, &server.cluster))?;
    match state.difference(&contents(&server)?) {
        None => Ok(()),
        Some(difference) => Err(format!("after a clean stop: {difference}")),
    }
}
