//! Who says something.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio_postgres::Client;

use super::{Load, Progress, channel, connect};

/// What becomes of what is said.
enum Part {
    Stays,
    GoesBack,
}

/// Says the next `count` numbers of a channel.
fn say(number: u64, count: u64, part: Part) -> String {
    let (channel, mark) = (channel(number), if matches!(part, Part::Stays) { "" } else { "aborted " });
    format!(
        "WITH moved AS (UPDATE counters SET said = said + {count} WHERE channel = {number} RETURNING said)
         SELECT pg_notify('{channel}', '{mark}' || i) FROM moved, generate_series(said - {count} + 1, said) AS i;"
    )
}

/// The statements of one transaction, and how many messages it commits.
fn transaction(random: &mut StdRng, load: Load) -> (Vec<String>, u64) {
    // Rows are locked in the order of the channels: nobody waits in a ring.
    let first = random.random_range(0..load.channels);
    let second = random.random_range(0..load.channels).max(first);
    let (count, more) = (random.random_range(1..20), random.random_range(1..5));
    let begin = "BEGIN".to_owned();
    let in_order = |parts: &[String]| std::iter::once(begin.clone()).chain(parts.iter().cloned()).collect();
    match random.random_range(0..10) {
        0 => (in_order(&[say(first, count, Part::GoesBack), "ROLLBACK".to_owned()]), 0),
        1 => {
            // The error ends the transaction, whatever comes after it.
            let fails = format!("{} SELECT 1 / 0", say(first, count, Part::GoesBack));
            (in_order(&[fails, "COMMIT".to_owned()]), 0)
        }
        2 | 3 => {
            let taken_back = format!("SAVEPOINT s; {} ROLLBACK TO s", say(second, more, Part::GoesBack));
            let parts =
                [say(first, count, Part::Stays), taken_back, say(second, more, Part::Stays), "COMMIT".to_owned()];
            (in_order(&parts), count + more)
        }
        4 => {
            let released = format!("SAVEPOINT s; {} RELEASE s", say(second, more, Part::Stays));
            (in_order(&[say(first, count, Part::Stays), released, "COMMIT".to_owned()]), count + more)
        }
        5 => {
            // The same message twice in a transaction goes out once.
            let twice =
                format!("SELECT pg_notify('{}', said::text) FROM counters WHERE channel = {first}", channel(first));
            (in_order(&[say(first, count, Part::Stays), twice, "COMMIT".to_owned()]), count)
        }
        _ => (vec![say(first, count, Part::Stays)], count),
    }
}

async fn session(target: &str) -> Result<Client, tokio_postgres::Error> {
    connect(&format!("{target} application_name=writer")).await
}

/// Says things until enough is said by all. Begins again with another session whenever its own is ended.
pub(super) async fn write(
    target: String,
    load: Load,
    writer: u64,
    progress: Arc<Progress>,
) -> Result<(), tokio_postgres::Error> {
    let mut random = StdRng::seed_from_u64(load.seed.wrapping_mul(1_000).wrapping_add(writer));
    let mut client = session(&target).await?;
    while progress.committed.load(Ordering::Relaxed) < load.messages {
        let (statements, count) = transaction(&mut random, load);
        let mut ended = false;
        for statement in &statements {
            match client.batch_execute(statement).await {
                Ok(()) => {}
                Err(error) if error.code().is_some_and(|code| code.code() == "22012") => {}
                Err(_) => {
                    ended = true;
                    break;
                }
            }
        }
        if ended {
            // Whether it was committed is told by the counter.
            client = session(&target).await?;
            continue;
        }
        progress.committed.fetch_add(count, Ordering::Relaxed);
        if statements.iter().any(|statement| statement.contains("aborted")) {
            progress.rolled_back.fetch_add(1, Ordering::Relaxed);
        }
    }
    Ok(())
}
