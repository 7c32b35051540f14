//! Real threads, real waits: transfers between accounts, deadlocks, locks.

use crate::bed::*;
use nqdb_storage::Options;
use nqdb_storage::disk::SimDisk;
use nqdb_txn::*;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

const ACCOUNTS: i64 = 8;
const DEADLOCK_TIMEOUT: Duration = Duration::from_millis(20);

fn threaded_bed() -> Bed {
    let options = Options { background_threads: true, frames: 512, ..engine_options() };
    Bed::on(Arc::new(SimDisk::new()), options, txn_options())
}

/// Changes a row by adding to `a`, waiting and re-reading as READ COMMITTED does.
fn add(bed: &Bed, txn: &mut Transaction, id: i64, amount: i32) -> Result<()> {
    while let Err(error) = txn.begin_statement() {
        error.into_wait()?.block(txn, DEADLOCK_TIMEOUT, None)?;
    }
    let (row_id, mut version) = bed.find(&txn.view(), id).expect("accounts stay");
    let mut old = bed.table.fetch(&txn.view(), row_id, |image, _| row_of(&image))?.expect("accounts stay");
    loop {
        let new = row(id, old.1.expect("not null") + amount, &old.2);
        match bed.table.update(txn, row_id, version, &datums(&new)) {
            Ok(Modified::Done) => return Ok(()),
            Ok(Modified::Changed) => match bed.table.read_newest(txn, row_id, |image, v| (row_of(&image), v))? {
                Newest::Row((row, newest)) => (old, version) = (row, newest),
                Newest::InFlight(wait) => wait.block(txn, DEADLOCK_TIMEOUT, None)?,
                Newest::Gone => panic!("accounts stay"),
            },
            Ok(other) => panic!("{other:?}"),
            Err(error) => error.into_wait()?.block(txn, DEADLOCK_TIMEOUT, None)?,
        }
    }
}

#[test]
fn money_moves_between_accounts_and_none_is_made() {
    let bed = threaded_bed();
    let mut setup = bed.begin();
    for id in 0..ACCOUNTS {
        bed.insert(&mut setup, &row(id, 1000, "account")).expect("insert");
    }
    bed.commit(setup);
    let (stop, moved, deadlocks) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (bed, stop, moved, deadlocks) = (&bed, &stop, &moved, &deadlocks);
            scope.spawn(move || {
                let mut rng = StdRng::seed_from_u64(thread);
                while moved.load(Ordering::Relaxed) < 600 {
                    let (from, to) = (rng.random_range(0..ACCOUNTS), rng.random_range(0..ACCOUNTS));
                    let mut txn = bed.system.begin(Isolation::ReadCommitted, false);
                    let done = add(bed, &mut txn, from, -7).and_then(|()| add(bed, &mut txn, to, 7));
                    match done {
                        Ok(()) if rng.random_bool(0.1) => txn.rollback().expect("rollback"),
                        Ok(()) => {
                            bed.commit(txn);
                            moved.fetch_add(1, Ordering::Relaxed);
                        }
                        Err(TxnError::Deadlock { .. }) => {
                            deadlocks.fetch_add(1, Ordering::Relaxed);
                            txn.rollback().expect("rollback");
                        }
                        Err(error) => panic!("{error}"),
                    }
                }
                stop.store(true, Ordering::Relaxed);
            });
        }
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let rows = bed.rows(&bed.system.latest_view());
                let sum: i32 = rows.iter().map(|row| row.1.expect("not null")).sum();
                assert_eq!((rows.len() as i64, sum), (ACCOUNTS, 1000 * ACCOUNTS as i32));
                while bed.system.purge_step().expect("purge") {}
            }
        });
    });
    assert_eq!(bed.system.stats().deadlocks as usize, deadlocks.load(Ordering::Relaxed));
    assert_eq!(bed.check_nothing_leaked().rows, ACCOUNTS as u64);
}

#[test]
fn one_of_two_that_wait_for_each_other_is_told() {
    let bed = threaded_bed();
    let mut setup = bed.begin();
    bed.insert(&mut setup, &row(1, 10, "a")).expect("insert");
    bed.insert(&mut setup, &row(2, 20, "b")).expect("insert");
    bed.commit(setup);
    let (mut first, mut second) = (bed.begin(), bed.begin());
    first.set_process_id(101);
    second.set_process_id(102);
    bed.update(&mut first, 1, &row(1, 11, "a")).expect("update");
    bed.update(&mut second, 2, &row(2, 21, "b")).expect("update");
    let (first_xid, second_xid) = (first.xid().expect("wrote"), second.xid().expect("wrote"));
    let wait = is_wait(bed.update(&mut first, 2, &row(2, 22, "b")));
    std::thread::scope(|scope| {
        let first = &mut first;
        let waiting = scope.spawn(move || wait.block(first, Duration::from_secs(60), None));
        let detail = loop {
            let wait = is_wait(bed.update(&mut second, 1, &row(1, 12, "a")));
            match wait.block(&mut second, Duration::from_millis(50), None) {
                Err(TxnError::Deadlock { detail, .. }) => break detail,
                Ok(()) => {}
                Err(error) => panic!("{error}"),
            }
        };
        assert_eq!(
            detail,
            format!(
                "Process 102 waits for ShareLock on transaction {first_xid}; blocked by process 101.\n\
                 Process 101 waits for ShareLock on transaction {second_xid}; blocked by process 102."
            )
        );
        second.rollback().expect("rollback");
        waiting.join().expect("no panic").expect("the other gave way");
    });
    assert_eq!(bed.update(&mut first, 2, &row(2, 22, "b")).expect("free"), Modified::Done);
    bed.commit(first);
    assert_eq!(bed.committed(), vec![row(1, 11, "a"), row(2, 22, "b")]);
}

#[test]
fn a_relation_lock_is_waited_for_and_times_out() {
    let bed = threaded_bed();
    let (mut reader, mut other) = (bed.begin(), bed.begin());
    reader.lock_relation(TABLE, RelationLock::AccessShare).expect("free");
    let mark = other.savepoint();
    let wait = is_wait(other.lock_relation(TABLE, RelationLock::AccessExclusive));
    let timeout = Some(Duration::from_millis(30));
    assert!(matches!(wait.block(&mut other, Duration::from_secs(1), timeout), Err(TxnError::LockTimeout)));
    assert!(!other.try_lock_relation(TABLE, RelationLock::AccessExclusive).expect("an answer"));
    let wait = is_wait(other.lock_relation(TABLE, RelationLock::AccessExclusive));
    bed.commit(reader);
    wait.block(&mut other, Duration::from_secs(1), None).expect("given");
    other.lock_relation(TABLE, RelationLock::AccessExclusive).expect("granted");
    let mut third = bed.begin();
    let wait = is_wait(third.lock_relation(TABLE, RelationLock::AccessShare));
    other.rollback_to(mark).expect("rollback to");
    wait.block(&mut third, Duration::from_secs(1), None).expect("given");
    third.lock_relation(TABLE, RelationLock::AccessShare).expect("free since the savepoint was rolled back to");
}

#[tokio::test(flavor = "multi_thread")]
async fn waits_work_on_a_runtime_and_can_be_cancelled() {
    let bed = threaded_bed();
    let mut setup = bed.begin();
    bed.insert(&mut setup, &row(1, 10, "a")).expect("insert");
    let commit = setup.commit().expect("commit");
    bed.system.durable(commit.durable_lsn.expect("written")).await.expect("synced");
    assert_eq!(bed.committed(), vec![row(1, 10, "a")]);
    let (mut first, mut second) = (bed.begin(), bed.begin());
    bed.update(&mut first, 1, &row(1, 11, "a")).expect("update");
    let wait = is_wait(bed.update(&mut second, 1, &row(1, 12, "a")));
    let cancelled =
        tokio::time::timeout(Duration::from_millis(30), wait.wait(&mut second, Duration::from_secs(1), None));
    assert!(cancelled.await.is_err(), "nobody ended");
    let wait = is_wait(bed.update(&mut second, 1, &row(1, 12, "a")));
    let waiting = tokio::spawn(async move {
        wait.wait(&mut second, Duration::from_millis(10), Some(Duration::from_secs(60))).await.map(|()| second)
    });
    tokio::time::sleep(Duration::from_millis(30)).await;
    first.rollback().expect("rollback");
    let mut second = waiting.await.expect("no panic").expect("woken");
    assert_eq!(bed.update(&mut second, 1, &row(1, 12, "a")).expect("update"), Modified::Done);
    bed.commit(second);
    assert_eq!(bed.committed(), vec![row(1, 12, "a")]);
}

#[test]
fn row_locks_hold_writers_back_as_far_as_their_mode_says() {
    let bed = threaded_bed();
    let mut setup = bed.begin();
    let row_id = bed.insert(&mut setup, &row(1, 10, "a")).expect("insert");
    bed.commit(setup);
    let lock = |txn: &mut Transaction, mode| {
        bed.statement(txn);
        let version = bed.find(&txn.view(), 1).expect("there").1;
        bed.table.lock_row(txn, row_id, version, mode)
    };
    let (mut keeper, mut writer) = (bed.begin(), bed.begin());
    assert_eq!(lock(&mut keeper, RowLock::KeyShare).expect("free"), Modified::Done);
    assert_eq!(bed.update(&mut writer, 1, &row(1, 11, "not the key")).expect("no conflict"), Modified::Done);
    writer.rollback().expect("rollback");
    let mut writer = bed.begin();
    let _wait = is_wait(bed.update(&mut writer, 1, &row(2, 11, "the key")));
    let _wait = is_wait(bed.delete(&mut writer, 1));
    let mut sharer = bed.begin();
    assert_eq!(lock(&mut sharer, RowLock::Share).expect("compatible"), Modified::Done);
    let wait = is_wait(bed.update(&mut writer, 1, &row(1, 11, "not the key")));
    bed.commit(sharer);
    wait.block(&mut writer, Duration::from_secs(1), None).expect("the sharer has ended");
    assert_eq!(bed.update(&mut writer, 1, &row(1, 11, "not the key")).expect("free"), Modified::Done);
    assert_eq!(lock(&mut keeper, RowLock::KeyShare).expect("held already"), Modified::Done);
    let _wait = is_wait(lock(&mut keeper, RowLock::Share));
    bed.commit(writer);
    bed.commit(keeper);
    assert_eq!(bed.check_nothing_leaked().rows, 1);
}

/// Waits until as many transactions as that wait for others.
fn until_waiting(bed: &Bed, count: usize) {
    let deadline = std::time::Instant::now() + Duration::from_secs(60);
    while bed.system.transaction_waits().len() < count {
        assert!(std::time::Instant::now() < deadline, "nobody queues up");
        std::thread::yield_now();
    }
}

/// Appends a letter to the row's text, again and again until it is done.
fn append(bed: &Bed, txn: &mut Transaction, letter: char) -> Result<()> {
    let (row_id, mut version) = bed.find(&txn.view(), 1).expect("the row stays");
    let mut old = bed.table.fetch(&txn.view(), row_id, |image, _| row_of(&image))?.expect("the row stays");
    loop {
        let text = format!("{}{letter}", old.2);
        match bed.table.update(txn, row_id, version, &datums(&row(1, 0, &text))) {
            Ok(Modified::Done) => return Ok(()),
            Ok(Modified::Changed) => match bed.table.read_newest(txn, row_id, |image, v| (row_of(&image), v))? {
                Newest::Row((row, newest)) => (old, version) = (row, newest),
                Newest::InFlight(wait) => wait.block(txn, DEADLOCK_TIMEOUT, None)?,
                Newest::Gone => panic!("the row stays"),
            },
            Ok(other) => panic!("{other:?}"),
            Err(error) => error.into_wait()?.block(txn, DEADLOCK_TIMEOUT, None)?,
        }
    }
}

/// How the holder of a row lets it go.
#[derive(Clone, Copy, Debug)]
enum LetGo {
    Unlock,
    Commit,
    RollBack,
}

#[test]
fn who_waits_for_a_row_gets_it_first_come_first_served() {
    for (round, let_go) in [LetGo::Unlock, LetGo::Commit, LetGo::RollBack].into_iter().cycle().take(30).enumerate() {
        let bed = threaded_bed();
        let mut setup = bed.begin();
        bed.insert(&mut setup, &row(1, 0, "")).expect("insert");
        bed.commit(setup);
        let mut holder = bed.begin();
        let (row_id, version) = bed.find(&holder.view(), 1).expect("it is there");
        match let_go {
            LetGo::Unlock => bed.table.lock_row(&mut holder, row_id, version, RowLock::Update).map(|_| ()),
            LetGo::Commit | LetGo::RollBack => append(&bed, &mut holder, '-'),
        }
        .expect("nobody is there");
        std::thread::scope(|scope| {
            for (number, letter) in ('a'..='f').enumerate() {
                let bed = &bed;
                scope.spawn(move || {
                    let mut txn = bed.begin();
                    append(bed, &mut txn, letter).expect("it gets its turn");
                    bed.commit(txn);
                });
                until_waiting(bed, number + 1);
            }
            match let_go {
                LetGo::RollBack => holder.rollback().expect("rollback"),
                LetGo::Unlock | LetGo::Commit => bed.commit(holder),
            }
        });
        let first = if matches!(let_go, LetGo::Commit) { "-" } else { "" };
        assert_eq!(bed.committed(), vec![row(1, 0, &format!("{first}abcdef"))], "round {round}, {let_go:?}");
    }
}

#[test]
fn who_has_a_lock_on_the_row_does_not_wait_for_those_who_queue_for_it() {
    let bed = threaded_bed();
    let mut setup = bed.begin();
    bed.insert(&mut setup, &row(1, 0, "")).expect("insert");
    bed.commit(setup);
    let (mut first, mut second) = (bed.begin(), bed.begin());
    let (row_id, version) = bed.find(&first.view(), 1).expect("it is there");
    for sharer in [&mut first, &mut second] {
        assert_eq!(bed.table.lock_row(sharer, row_id, version, RowLock::Share).expect("shared"), Modified::Done);
    }
    std::thread::scope(|scope| {
        let bed = &bed;
        scope.spawn(move || {
            let mut txn = bed.begin();
            append(bed, &mut txn, 'b').expect("it gets its turn");
            bed.commit(txn);
        });
        until_waiting(bed, 1);
        let upgrade = scope.spawn(move || {
            append(bed, &mut first, 'a').expect("only the other sharer is in the way");
            bed.commit(first);
        });
        until_waiting(bed, 2);
        bed.commit(second);
        upgrade.join().expect("no panic");
    });
    assert_eq!(bed.committed(), vec![row(1, 0, "ab")]);
}

#[test]
fn who_gives_up_waiting_is_passed_over() {
    let bed = threaded_bed();
    let mut setup = bed.begin();
    bed.insert(&mut setup, &row(1, 0, "")).expect("insert");
    bed.commit(setup);
    let mut holder = bed.begin();
    append(&bed, &mut holder, '-').expect("nobody is there");
    std::thread::scope(|scope| {
        let bed = &bed;
        let impatient = scope.spawn(move || {
            let mut txn = bed.begin();
            let (row_id, version) = bed.find(&txn.view(), 1).expect("it is there");
            let wait = is_wait(bed.table.update(&mut txn, row_id, version, &datums(&row(1, 0, "never"))));
            let waited = wait.block(&mut txn, Duration::from_secs(60), Some(Duration::from_millis(100)));
            assert!(matches!(waited, Err(TxnError::LockTimeout)), "{waited:?}");
            txn.rollback().expect("rollback");
        });
        until_waiting(bed, 1);
        scope.spawn(move || {
            let mut txn = bed.begin();
            append(bed, &mut txn, 'a').expect("it gets its turn");
            bed.commit(txn);
        });
        impatient.join().expect("no panic");
        until_waiting(bed, 1);
        bed.commit(holder);
    });
    assert_eq!(bed.committed(), vec![row(1, 0, "-a")]);
}
