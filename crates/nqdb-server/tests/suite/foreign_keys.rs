//! Foreign keys between sessions: the same steps on nqdb and on PostgreSQL, who waits, and how each statement ends; and that
//! no row is ever seen without the one that it refers to.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::task::JoinHandle;
use tokio_postgres::{Client, SimpleQueryMessage};

use crate::support::postgres::Postgres;
use crate::support::{Server, connect};

use Step::{Ends, Runs};

/// A step of a session, by its number.
#[derive(Clone, Copy)]
enum Step {
    /// Begins a statement, which ends or waits for another session.
    Runs(usize, &'static str),
    /// What the session waited for is over.
    Ends(usize),
}

const SCHEMA: &str = "
    create table p (id int primary key, v int);
    create table c (id int primary key, p int references p);
    create table k (id int primary key, p int references p on delete cascade on update cascade);
    create table n (id int primary key, p int references p on delete set null);
    create table u (id int, v int unique deferrable initially deferred);
    create table d (id int primary key, p int references p deferrable initially deferred);
    insert into p select g, g from generate_series(1, 5) g;
    insert into k values (30, 3)";

const SCENARIOS: &[(&str, &[Step])] = &[
    (
        "a row that refers waits for who deletes its partner",
        &[
            Runs(0, "begin"),
            Runs(0, "delete from p where id = 1"),
            Runs(1, "insert into c values (1, 1)"),
            Runs(0, "commit"),
            Ends(1),
            Runs(0, "begin"),
            Runs(0, "delete from p where id = 2"),
            Runs(1, "insert into c values (2, 2)"),
            Runs(0, "rollback"),
            Ends(1),
        ],
    ),
    (
        "who deletes waits for who refers",
        &[
            Runs(0, "begin"),
            Runs(0, "insert into c values (1, 1)"),
            Runs(1, "delete from p where id = 1"),
            Runs(0, "commit"),
            Ends(1),
            Runs(0, "begin"),
            Runs(0, "insert into k values (2, 2)"),
            Runs(1, "delete from p where id = 2"),
            Runs(0, "commit"),
            Ends(1),
            Runs(1, "select * from k order by id"),
        ],
    ),
    (
        "changes of other columns and other rows that refer are in nobody's way",
        &[
            Runs(0, "begin"),
            Runs(0, "insert into c values (1, 1)"),
            Runs(1, "begin"),
            Runs(1, "insert into c values (2, 1)"),
            Runs(2, "update p set v = 7 where id = 1"),
            Runs(0, "update p set v = 8 where id = 1"),
            Runs(1, "update p set v = 9 where id = 1"),
            Runs(0, "commit"),
            Ends(1),
            Runs(1, "commit"),
            Runs(2, "select * from p where id = 1"),
        ],
    ),
    (
        "a key that changes is waited for",
        &[
            Runs(0, "begin"),
            Runs(0, "update p set id = 9 where id = 1"),
            Runs(1, "insert into c values (1, 1)"),
            Runs(0, "commit"),
            Ends(1),
            Runs(1, "insert into c values (1, 9)"),
            Runs(0, "begin"),
            Runs(0, "delete from c"),
            Runs(1, "update p set id = 10 where id = 9"),
            Runs(0, "commit"),
            Ends(1),
        ],
    ),
    (
        "locks of rows that are referred to",
        &[
            Runs(0, "begin"),
            Runs(0, "select id from p where id = 1 for no key update"),
            Runs(1, "insert into c values (1, 1)"),
            Runs(0, "select id from p where id = 2 for update"),
            Runs(1, "insert into c values (2, 2)"),
            Runs(0, "commit"),
            Ends(1),
        ],
    ),
    (
        "repeatable read refuses what it cannot see",
        &[
            Runs(0, "begin isolation level repeatable read"),
            Runs(0, "select count(*) from p"),
            Runs(1, "insert into c values (1, 1)"),
            Runs(0, "delete from p where id = 1"),
            Runs(0, "rollback"),
            Runs(0, "begin isolation level repeatable read"),
            Runs(0, "select count(*) from p"),
            Runs(1, "insert into k values (2, 2)"),
            Runs(0, "delete from p where id = 2"),
            Runs(0, "rollback"),
            Runs(0, "begin isolation level repeatable read"),
            Runs(0, "select count(*) from p"),
            Runs(1, "delete from p where id = 4"),
            Runs(0, "insert into c values (4, 4)"),
            Runs(0, "rollback"),
            Runs(0, "begin isolation level repeatable read"),
            Runs(0, "select count(*) from p"),
            Runs(1, "insert into p values (6, 6)"),
            Runs(0, "insert into c values (6, 6)"),
            Runs(0, "rollback"),
        ],
    ),
    (
        "a cascade waits for who holds a row that refers",
        &[
            Runs(0, "begin"),
            Runs(0, "update k set id = 31 where id = 30"),
            Runs(1, "delete from p where id = 3"),
            Runs(0, "commit"),
            Ends(1),
            Runs(1, "select count(*) from k"),
        ],
    ),
    (
        "a deferred key is checked at the end, against who has it by then",
        &[
            Runs(0, "begin"),
            Runs(0, "insert into u values (1, 1)"),
            Runs(1, "insert into u values (2, 1)"),
            Runs(0, "commit"),
            Ends(1),
            Runs(0, "begin"),
            Runs(0, "insert into u values (3, 3)"),
            Runs(1, "insert into u values (4, 3)"),
            Runs(0, "rollback"),
            Ends(1),
            Runs(1, "select * from u order by id"),
        ],
    ),
    (
        "a deferred reference is checked at the end",
        &[
            Runs(0, "begin"),
            Runs(0, "insert into d values (1, 1)"),
            Runs(1, "delete from p where id = 1"),
            Runs(0, "commit"),
            Runs(0, "begin"),
            Runs(0, "insert into d values (2, 2)"),
            Runs(0, "set constraints all immediate"),
            Runs(1, "delete from p where id = 2"),
            Runs(0, "commit"),
            Ends(1),
        ],
    ),
    (
        "two that wait for each other",
        &[
            Runs(0, "begin"),
            Runs(0, "insert into c values (1, 1)"),
            Runs(1, "begin"),
            Runs(1, "insert into c values (2, 2)"),
            Runs(0, "delete from p where id = 2"),
            Runs(1, "delete from p where id = 5"),
            Runs(1, "commit"),
            Ends(0),
            Runs(0, "rollback"),
        ],
    ),
];

struct Session {
    client: Arc<Client>,
    pid: i32,
    running: Option<JoinHandle<String>>,
}

/// Sessions of one server, and who looks at them.
struct Stage {
    sessions: Vec<Session>,
    observer: Client,
    pids: String,
}

impl Stage {
    async fn open(parameters: &str) -> Stage {
        let mut sessions = Vec::new();
        for _ in 0..3 {
            let client = connect(parameters).await.unwrap();
            let pid = client.query_one("select pg_backend_pid()", &[]).await.unwrap().get(0);
            sessions.push(Session { client: Arc::new(client), pid, running: None });
        }
        let pids: Vec<String> = sessions.iter().map(|session| session.pid.to_string()).collect();
        let pids = pids.join(",");
        Stage { sessions, observer: connect(parameters).await.unwrap(), pids }
    }

    /// What the steps of a scenario came to, line by line.
    async fn play(&mut self, steps: &[Step]) -> Vec<String> {
        self.observer.batch_execute("drop schema public cascade; create schema public").await.unwrap();
        self.observer.batch_execute(SCHEMA).await.unwrap();
        let mut lines = Vec::new();
        for step in steps {
            lines.push(match *step {
                Runs(number, sql) => format!("{number} {sql}: {}", self.run(number, sql).await),
                Ends(number) => format!("{number} ends: {}", self.end(number).await),
            });
        }
        lines
    }

    async fn run(&mut self, number: usize, sql: &'static str) -> String {
        let session = &mut self.sessions[number];
        assert!(session.running.is_none(), "{sql}: the session still waits");
        let client = session.client.clone();
        let running = tokio::spawn(async move { outcome(&client, sql).await });
        let question = format!("select pg_isolation_test_session_is_blocked({}, array[{}])", session.pid, self.pids);
        while !running.is_finished() {
            let is_blocked: bool = self.observer.query_one(&question, &[]).await.unwrap().get(0);
            if is_blocked && !running.is_finished() {
                self.sessions[number].running = Some(running);
                return "waits".to_owned();
            }
        }
        running.await.unwrap()
    }

    async fn end(&mut self, number: usize) -> String {
        self.sessions[number].running.take().expect("the session waits").await.unwrap()
    }
}

/// Rows, or code, message and detail of the error.
async fn outcome(client: &Client, sql: &str) -> String {
    match client.simple_query(sql).await {
        Ok(messages) => {
            let rows = messages.into_iter().filter_map(|message| match message {
                SimpleQueryMessage::Row(row) => {
                    let columns = (0..row.len()).map(|column| row.get(column).unwrap_or("NULL"));
                    Some(columns.collect::<Vec<_>>().join("|"))
                }
                SimpleQueryMessage::CommandComplete(count) => Some(format!("done {count}")),
                _ => None,
            });
            rows.collect::<Vec<_>>().join(" ")
        }
        Err(error) => {
            let error = error.as_db_error().unwrap_or_else(|| panic!("{sql}: {error}"));
            format!("{} {} {}", error.code().code(), error.message(), error.detail().unwrap_or_default())
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_wait_and_fail_as_on_postgresql() {
    let server = Server::start().await;
    let postgres = Postgres::start();
    let parameters = |port: u16| format!("host=127.0.0.1 port={port} user=postgres dbname=postgres");
    let mut here = Stage::open(&parameters(server.address().port())).await;
    let mut there = Stage::open(&parameters(postgres.address().port())).await;
    for (name, steps) in SCENARIOS {
        let (found, expected) = (here.play(steps).await, there.play(steps).await);
        assert_eq!(found, expected, "{name}");
    }
}

/// A small generator of numbers, so that a seed gives the same choices again.
struct Choices(u64);

impl Choices {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

const PARENTS: u64 = 6;
const ROUNDS: u64 = 120;
const EXPECTED_CODES: [&str; 3] = ["23503", "40001", "40P01"];

/// One transaction of a session that makes, takes and moves rows.
async fn act(client: &Client, choices: &mut Choices, isolation: &str, id: u64) -> Result<(), String> {
    let table = ["c", "k", "n", "d"][choices.below(4) as usize];
    let (parent, other) = (choices.below(PARENTS) + 1, choices.below(PARENTS) + 1);
    let change = match choices.below(6) {
        0 | 1 => format!("insert into {table} values ({id}, {parent})"),
        2 => format!("update {table} set p = {parent} where p = {other}"),
        3 => format!("delete from p where id = {parent}"),
        4 => format!("insert into p values ({parent}, 0) on conflict do nothing"),
        _ => format!("delete from {table} where p = {parent}; delete from p where id = {parent}"),
    };
    let sql = format!("begin isolation level {isolation}; {change}; commit");
    match client.batch_execute(&sql).await {
        Ok(()) => Ok(()),
        Err(error) => {
            client.batch_execute("rollback").await.unwrap();
            Err(error.code().unwrap_or_else(|| panic!("{sql}: {error}")).code().to_owned())
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_row_is_seen_without_its_partner() {
    let server = Server::start().await;
    let observer = server.client().await;
    observer.batch_execute(SCHEMA).await.unwrap();
    let mut workers = Vec::new();
    for worker in 0..6_u64 {
        let client = server.client().await;
        let isolation = if worker % 2 == 0 { "read committed" } else { "repeatable read" };
        workers.push(tokio::spawn(async move {
            let mut choices = Choices(worker + 1);
            let mut ends: HashMap<String, u64> = HashMap::new();
            for round in 0..ROUNDS {
                let id = 1000 + worker * ROUNDS + round;
                let end = act(&client, &mut choices, isolation, id).await.err().unwrap_or_else(|| "done".to_owned());
                *ends.entry(end).or_default() += 1;
            }
            ends
        }));
    }
    let orphans = ["c", "k", "n", "d"].map(|table| {
        format!("select x.id from {table} x left join p on p.id = x.p where x.p is not null and p.id is null")
    });
    let orphans = orphans.join(" union all ");
    while !workers.iter().all(|worker| worker.is_finished()) {
        assert!(observer.query(&orphans, &[]).await.unwrap().is_empty());
    }
    let mut done = 0;
    for worker in workers {
        for (end, count) in worker.await.unwrap() {
            assert!(end == "done" || EXPECTED_CODES.contains(&end.as_str()), "{end}");
            done += if end == "done" { count } else { 0 };
        }
    }
    assert!(done > ROUNDS, "too little was done: {done}");
    assert!(observer.query(&orphans, &[]).await.unwrap().is_empty());
}
