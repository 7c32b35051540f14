//! Several clients at work on one server, step by step, with the model beside them.
//!
//! One step polls one client, or does a piece of the background's work. What a client's transaction has done becomes a
//! commit of the history at the moment at which the server appends its record, which the count of commits tells; it is
//! acknowledged when the client has its answer.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::coverage::Coverage;
use crate::model::{Effect, History, State};
use crate::server::{Client, Server};
use crate::sink::Told;
use crate::statements::{Generator, Kind, Query, setup, stock};

const CLIENTS: usize = 3;

/// A client and what its transaction has done so far.
struct Worker {
    client: Client,
    query: Option<Query>,
    effects: Vec<Effect>,
    /// Name, and how many effects came before it.
    savepoints: Vec<(String, usize)>,
    /// Number of the commit that the query at hand has made.
    committed: Option<usize>,
    has_waited: bool,
}

/// A running workload.
pub struct Run {
    pub server: Server,
    pub history: History,
    /// All commits of the log.
    live: State,
    workers: Vec<Worker>,
    rng: StdRng,
    setup: Vec<Query>,
    /// Prints each query with its answer.
    pub trace: bool,
}

impl Run {
    /// The workload of a seed on a server whose database is in `state`.
    pub fn new(server: Server, seed: u64, state: State) -> Run {
        let worker = |_| Worker {
            client: server.client(),
            query: None,
            effects: Vec::new(),
            savepoints: Vec::new(),
            committed: None,
            has_waited: false,
        };
        let workers = (0..CLIENTS).map(worker).collect();
        if state == State::default() {
            // A server that recovered to a state without tables may have kept what this made before.
            let mut template = server.client_of("template1");
            let found = server.query(&mut template, "SELECT 1 FROM pg_class WHERE relname = 'stock'");
            if found.expect("the catalog is read").rows().is_empty() {
                server.query(&mut template, &stock()).expect("a new server takes definitions");
            }
        }
        let mut setup = if state.tables.is_empty() { setup() } else { Vec::new() };
        setup.reverse();
        Run {
            workers,
            history: History::from(state.clone()),
            live: state,
            rng: StdRng::seed_from_u64(seed),
            setup,
            server,
            trace: false,
        }
    }

    /// Does something. `Err` is a fault of the server; what a power cut does to queries is none.
    pub fn step(&mut self, coverage: &mut Coverage) -> Result<(), String> {
        match self.rng.random_range(0..100) {
            0..10 => self.server.flush_log(),
            10..16 => self.background("page writing", coverage, |server| {
                server.system.engine().background_step().map_err(|error| error.to_string())
            })?,
            16..26 => {
                for _ in 0..self.rng.random_range(1..6) {
                    self.background("purge", coverage, |server| {
                        server.system.purge_step().map_err(|error| error.to_string())
                    })?;
                }
            }
            _ => {
                let at = if self.setup.is_empty() { self.rng.random_range(0..CLIENTS) } else { 0 };
                self.go_on(at, coverage)?;
                if self.workers.iter().all(|worker| worker.client.is_busy()) {
                    self.resolve(coverage)?;
                }
            }
        }
        Ok(())
    }

    /// The power is off: lets the clients have the answers that the server still gives.
    pub fn hear_out(&mut self) {
        for _ in 0..3 {
            for at in 0..CLIENTS {
                if self.workers[at].client.is_busy() {
                    // What they are told by now may be anything but an acknowledgement.
                    let _ = self.poll(at, &mut Coverage::default());
                }
            }
        }
    }

    fn background(
        &mut self,
        what: &str,
        coverage: &mut Coverage,
        step: impl FnOnce(&Server) -> Result<bool, String>,
    ) -> Result<(), String> {
        match step(&self.server) {
            Ok(worked) => coverage.add("purge steps", u64::from(worked && what == "purge")),
            Err(_) if self.server.disk.has_crashed() => {}
            Err(error) => return Err(format!("{what}: {error}")),
        }
        Ok(())
    }

    /// Everybody waits: for the log, for each other, or in a circle.
    fn resolve(&mut self, coverage: &mut Coverage) -> Result<(), String> {
        for round in 0..50 {
            self.server.flush_log();
            for at in 0..CLIENTS {
                self.go_on(at, coverage)?;
            }
            if self.workers.iter().any(|worker| !worker.client.is_busy()) || self.server.disk.has_crashed() {
                return Ok(());
            }
            if round > 1 {
                self.server.let_time_pass();
            }
        }
        let queries: Vec<_> = self.workers.iter().filter_map(|worker| Some(&worker.query.as_ref()?.sql)).collect();
        Err(format!("all clients wait for ever: {queries:.200?}"))
    }

    /// Lets one client go on: with its query, or with a new one.
    fn go_on(&mut self, at: usize, coverage: &mut Coverage) -> Result<(), String> {
        if self.workers[at].client.is_busy() {
            if !self.workers[at].has_waited && self.workers[at].committed.is_none() {
                self.workers[at].has_waited = true;
                coverage.hit("statements that waited for a lock");
            }
        } else {
            let query = match self.setup.pop() {
                Some(query) => query,
                None => self.next_query(at),
            };
            let worker = &mut self.workers[at];
            worker.client.start(query.sql.clone(), query.copy.clone());
            worker.query = Some(query);
            worker.committed = None;
            worker.has_waited = false;
        }
        self.poll(at, coverage)
    }

    fn poll(&mut self, at: usize, coverage: &mut Coverage) -> Result<(), String> {
        let commits = self.server.system.stats().commits;
        let has_ended = self.workers[at].client.poll();
        let new_commits = self.server.system.stats().commits - commits;
        let worker = &mut self.workers[at];
        let query = worker.query.as_ref().expect("a client that is polled has a query");
        match new_commits {
            0 => {}
            1 => {
                let mut effects = std::mem::take(&mut worker.effects);
                worker.client.look(|told| {
                    for (at, kind) in query.kinds.iter().enumerate() {
                        effects.extend(kind.effects(told.answers.get(at)));
                    }
                });
                self.live.apply(&effects);
                worker.committed = Some(self.history.appended(effects));
                coverage.hit("commits");
            }
            more => return Err(format!("{more} commits by one query: {}", query.sql)),
        }
        if has_ended {
            let told = self.workers[at].client.take_told();
            self.ended(at, &told, coverage)?;
        }
        Ok(())
    }

    /// A query has its answer.
    fn ended(&mut self, at: usize, told: &Told, coverage: &mut Coverage) -> Result<(), String> {
        let worker = &mut self.workers[at];
        let query = worker.query.take().expect("it was started");
        let status = worker.client.status();
        if self.trace {
            let (status, commit, tag, rows) = (char::from(status), worker.committed, told.tag(), told.rows().len());
            println!("{at} {status} {commit:?} {:.160} -> {tag} {rows} {:?}", query.sql, told.error);
        }
        if let Some((code, message)) = &told.error {
            if code == "XX000" || (code == "XX001" || code == "58030") && !self.server.disk.has_crashed() {
                return Err(format!("{:.200}: {code} {message}", query.sql));
            }
            coverage.hit("failed statements");
            coverage.add("deadlocks", u64::from(code == "40P01"));
            match worker.savepoints.last() {
                Some((_, effects)) if status != b'I' => worker.effects.truncate(*effects),
                _ => worker.forget(),
            }
            return Ok(());
        }
        query.covers.iter().for_each(|what| coverage.hit(what));
        for kind in &query.kinds {
            worker.control(kind, told, coverage);
        }
        match (status, worker.committed) {
            (b'I', Some(number)) => {
                self.history.acknowledge(number);
                worker.forget();
            }
            (b'I', None) => {
                let own = query.kinds.iter().enumerate().map(|(at, kind)| kind.effects(told.answers.get(at)));
                if !worker.effects.is_empty() || own.flatten().next().is_some() {
                    return Err(format!("answered without a commit: {:.200} {:?}", query.sql, told.tag()));
                }
                worker.forget();
            }
            _ => {
                for (at, kind) in query.kinds.iter().enumerate() {
                    worker.effects.extend(kind.effects(told.answers.get(at)));
                }
            }
        }
        Ok(())
    }

    /// Lets every client end what it has begun, and leave.
    pub fn finish(&mut self) -> Result<(), String> {
        let mut coverage = Coverage::default();
        for _ in 0..1_000 {
            let busy: Vec<usize> = (0..CLIENTS).filter(|at| self.workers[*at].client.is_busy()).collect();
            if busy.is_empty() {
                break;
            }
            self.server.flush_log();
            self.server.let_time_pass();
            for at in busy {
                // A client that is not busy may hold the lock that the others wait for.
                self.go_on(at, &mut coverage)?;
            }
            self.end_idle_transactions()?;
        }
        self.end_idle_transactions()?;
        self.workers.clear();
        Ok(())
    }

    fn end_idle_transactions(&mut self) -> Result<(), String> {
        for worker in &mut self.workers {
            if !worker.client.is_busy() && worker.client.status() != b'I' {
                self.server.query(&mut worker.client, "ROLLBACK")?;
                worker.forget();
            }
        }
        Ok(())
    }

    fn next_query(&mut self, at: usize) -> Query {
        let worker = &self.workers[at];
        let depth = worker.savepoints.len();
        let chance = self.rng.random_range(0..100);
        match (worker.client.status(), chance) {
            (b'I', 0..25) => return Query::new("BEGIN", Kind::Begin),
            (b'I', 25..30) => return Query::new("BEGIN ISOLATION LEVEL REPEATABLE READ", Kind::Begin),
            (b'I', 30..33) => {
                return Generator { rng: &mut self.rng, schema: &self.live, live: &self.live }.database();
            }
            (b'T', 0..12) => return Query::new("COMMIT", Kind::Commit),
            (b'T', 12..17) => return Query::new("ROLLBACK", Kind::Rollback),
            (b'T', 17..27) => {
                let name = format!("sp{depth}");
                return Query::new(format!("SAVEPOINT {name}"), Kind::Savepoint(name));
            }
            (b'T', 27..29) if depth > 0 => {
                let name = worker.savepoints[self.rng.random_range(0..depth)].0.clone();
                return Query::new(format!("RELEASE {name}"), Kind::Release(name));
            }
            (b'T', 29..36) | (b'E', 0..60) if depth > 0 => {
                let name = worker.savepoints[self.rng.random_range(0..depth)].0.clone();
                return Query::new(format!("ROLLBACK TO {name}"), Kind::RollbackTo(name));
            }
            (b'E', 0..90) => return Query::new("ROLLBACK", Kind::Rollback),
            (b'E', _) => return Query::new("COMMIT", Kind::Commit),
            _ => {}
        }
        let mut schema = self.live.without_rows();
        worker.effects.iter().for_each(|effect| schema.foresee(effect));
        Generator { rng: &mut self.rng, schema: &schema, live: &self.live }.statement()
    }
}

impl Worker {
    /// No transaction is left.
    fn forget(&mut self) {
        self.effects.clear();
        self.savepoints.clear();
    }

    /// What a transaction statement that has succeeded does to the transaction's effects.
    fn control(&mut self, kind: &Kind, told: &Told, coverage: &mut Coverage) {
        let find = |savepoints: &[(String, usize)], name: &str| savepoints.iter().rposition(|(known, _)| known == name);
        match kind {
            Kind::Rollback => {
                self.forget();
                coverage.hit("rollbacks");
            }
            Kind::Commit if told.tag() == "ROLLBACK" => self.forget(),
            Kind::Savepoint(name) => self.savepoints.push((name.clone(), self.effects.len())),
            Kind::RollbackTo(name) => {
                let at = find(&self.savepoints, name).expect("the server knows it, so it was made");
                self.savepoints.truncate(at + 1);
                self.effects.truncate(self.savepoints[at].1);
                coverage.hit("savepoints rolled back to");
            }
            Kind::Release(name) => {
                let at = find(&self.savepoints, name).expect("the server knows it, so it was made");
                self.savepoints.truncate(at);
            }
            _ => {}
        }
    }
}
