//! Asks both servers and gathers the differences.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio_postgres::{Client, NoTls};

use super::answer::{Answer, Verdict};
use super::schema::Schema;
use super::{Statement, change, query};

/// Statements over one set of tables before others are made.
const STATEMENTS_PER_ROUND: usize = 100;
const ANSWER_SECONDS_MAX: u64 = 60;

/// A statement that the servers answer differently.
#[derive(Clone, Debug)]
pub struct Difference {
    /// The seed of its round.
    pub seed: u64,
    pub sql: String,
    pub nqdb: Answer,
    pub postgres: Answer,
}

/// What a run found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    pub statements: usize,
    /// Statements that both refused with the same SQLSTATE.
    pub errors: usize,
    /// Statements about which rule 3 of the module says nothing.
    pub open: usize,
    pub differences: Vec<Difference>,
}

/// Runs that many statements, in rounds with seeds from `seed` on. `Err` tells of a broken connection.
pub async fn run(nqdb: &str, postgres: &str, seed: u64, statements: usize) -> Result<Report, String> {
    let mut report = Report::default();
    let mut round = seed;
    while report.statements < statements {
        let count = STATEMENTS_PER_ROUND.min(statements - report.statements);
        run_round(nqdb, postgres, round, count, &mut report).await?;
        round += 1;
    }
    Ok(report)
}

async fn run_round(nqdb: &str, postgres: &str, seed: u64, count: usize, report: &mut Report) -> Result<(), String> {
    let mut random = StdRng::seed_from_u64(seed);
    let (own, reference) = (connect(nqdb).await?, connect(postgres).await?);
    let (mut schema, setup) = Schema::generate(&mut random);
    for client in [&own, &reference] {
        let reset = "DROP SCHEMA IF EXISTS public CASCADE; CREATE SCHEMA public; SET TimeZone = 'UTC'";
        client.batch_execute(reset).await.map_err(|error| format!("reset: {error:?}"))?;
    }
    for sql in setup {
        for client in [&own, &reference] {
            client.batch_execute(&sql).await.map_err(|error| format!("seed {seed}: {sql}: {error:?}"))?;
        }
    }
    let mut left = count;
    while left > 0 {
        left -= 1;
        report.statements += 1;
        let writes = random.random_ratio(1, 5);
        let statement =
            if writes { change::change(&mut schema, &mut random) } else { query::query(&schema, &mut random) };
        let verdict = ask(&own, &reference, &statement, seed, report).await?;
        // After a change that only one side made, every later answer would differ.
        if writes && verdict != Verdict::Equal {
            return Ok(());
        }
    }
    Ok(())
}

async fn ask(
    own: &Client,
    reference: &Client,
    statement: &Statement,
    seed: u64,
    report: &mut Report,
) -> Result<Verdict, String> {
    let broken = |side: &str, error: String| format!("seed {seed}, {side}: {error}\n{}", statement.sql);
    let nqdb = answer(own, statement).await.map_err(|error| broken("nqdb", error))?;
    let postgres = answer(reference, statement).await.map_err(|error| broken("PostgreSQL", error))?;
    let verdict = nqdb.compare(&postgres, statement);
    match verdict {
        Verdict::Equal => report.errors += usize::from(matches!(nqdb, Answer::Error { .. })),
        Verdict::Open => report.open += 1,
        Verdict::Different => {
            report.differences.push(Difference { seed, sql: statement.sql.clone(), nqdb, postgres });
        }
    }
    Ok(verdict)
}

async fn answer(client: &Client, statement: &Statement) -> Result<Answer, String> {
    let limit = std::time::Duration::from_secs(ANSWER_SECONDS_MAX);
    match tokio::time::timeout(limit, Answer::of(client, statement)).await {
        Ok(answer) => answer,
        Err(_) => Err(format!("no answer for {ANSWER_SECONDS_MAX} s")),
    }
}

async fn connect(target: &str) -> Result<Client, String> {
    let (client, connection) = tokio_postgres::connect(target, NoTls).await.map_err(|error| error.to_string())?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            eprintln!("connection: {error}");
        }
    });
    Ok(client)
}
