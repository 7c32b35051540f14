//! Old groups behind the log's end: what a torn end leaves of one start must not become part of the log of the next.
//!
//! ```text
//! first start   .. | a1 a2 a3 a4 a5      one sync, cut off: of a2 a sector is missing, a3 to a5 are whole
//! second start  .. | a1 b2 | a3 a4 a5    b2 is as long as a2 was: right behind it stands a3, whole and in its place
//! ```
//!
//! The transactions are twins: single rows of one length, so that their groups take the same room whatever they say.

use nqdb_storage::disk::{Call, CrashMode, Fault, SimDisk};
use rand::Rng;
use rand::rngs::StdRng;

use crate::coverage::Coverage;
use crate::cuts::{Plan, Summary};
use crate::server::Server;

const TWINS: usize = 6;
/// Cuts of one run.
const TRIES: usize = 6;

/// Rows by id: the letter that their texts consist of.
type Letters = Vec<(usize, char)>;

fn insert(id: usize, letter: char) -> String {
    format!("INSERT INTO twins VALUES ({id}, '{}')", letter.to_string().repeat(700))
}

fn letters(server: &Server) -> Result<Letters, String> {
    let mut client = server.client();
    let told = server.query(&mut client, "SELECT id, left(v, 1) FROM twins ORDER BY id")?;
    let read = |row: &crate::sink::Row| {
        let [Some(id), Some(letter)] = &row[..] else { return None };
        Some((id.parse().ok()?, letter.chars().next()?))
    };
    told.rows().iter().map(|row| read(row).ok_or_else(|| format!("a strange row: {row:?}"))).collect()
}

/// A disk whose power went while the commits of all first twins were synced.
fn cut_off(rng: &mut StdRng, plan: &Plan) -> Result<SimDisk, String> {
    let disk = SimDisk::new();
    let server = Server::open(&disk, plan.broken)?;
    let mut clients: Vec<_> = (0..TWINS).map(|_| server.client()).collect();
    server.query(&mut clients[0], "CREATE TABLE twins (id bigint PRIMARY KEY, v text)")?;
    server.flush_log();
    for (id, client) in clients.iter_mut().enumerate() {
        client.start(insert(id, 'a'), None);
        client.poll();
    }
    disk.fail_at(Call::Sync, disk.calls(Call::Sync) + 1, Fault::CrashHere);
    server.flush_log();
    Ok(disk.crash(CrashMode::Torn512(rng.random())))
}

/// Cuts off commits, makes others in their place, and looks after each what a further power cut leaves.
pub fn old_groups_stay_behind(rng: &mut StdRng, plan: &Plan, summary: &mut Summary) -> Result<(), String> {
    for _ in 0..TRIES {
        let disk = cut_off(rng, plan)?;
        let server = Server::open(&disk, plan.broken)?;
        let mut expected = letters(&server)?;
        if !expected.iter().enumerate().all(|(id, row)| *row == (id, 'a')) {
            return Err(format!("what was recovered is no beginning of the commits: {expected:?}"));
        }
        summary.points += 1;
        note(&mut summary.coverage, expected.len());
        let mut client = server.client();
        for id in expected.len()..TWINS {
            server.query(&mut client, &insert(id, 'b'))?;
            expected.push((id, 'b'));
            let cut = Server::open(&disk.crash(CrashMode::OnlySynced), plan.broken)?;
            let found = letters(&cut)?;
            summary.points += 1;
            if found != expected {
                return Err(format!("behind another start's commits {found:?} instead of {expected:?}"));
            }
        }
    }
    Ok(())
}

fn note(coverage: &mut Coverage, survived: usize) {
    coverage.add("commits in flight that survived", survived as u64);
    coverage.add("commits in flight that vanished", (TWINS - survived) as u64);
    coverage.hit("cuts that tore sectors");
}
