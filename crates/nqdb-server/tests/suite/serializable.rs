//! SERIALIZABLE as clients see it: how it is asked for, what fails, how a deferrable transaction waits.

use std::time::Duration;

use tokio_postgres::Client;
use tokio_postgres::error::{DbError, SqlState};

use crate::statements::compare;
use crate::support::raw::Send;
use crate::support::{Server, connect};

use Send::Query;

/// A server with a table of two rows that add up to 0.
async fn with_two_rows() -> (Server, Client, Client) {
    let server = Server::start().await;
    let (one, other) = (server.client().await, server.client().await);
    one.batch_execute("create table t (id int primary key, a int); insert into t values (1, 0), (2, 0)").await.unwrap();
    (server, one, other)
}

async fn pid(client: &Client) -> i32 {
    client.query_one("select pg_backend_pid()", &[]).await.unwrap().get(0)
}

fn db_error(result: Result<(), tokio_postgres::Error>) -> DbError {
    result.expect_err("a serialization failure").as_db_error().expect("an answer of the server").clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_asked_for_as_in_postgresql() {
    let scripts = vec![
        (
            "where it can be asked for",
            vec![
                Query("set default_transaction_isolation = serializable"),
                Query("show transaction_isolation"),
                Query("set default_transaction_isolation = 'Serializable'"),
                Query("show default_transaction_isolation"),
                Query("reset default_transaction_isolation"),
                Query("set session characteristics as transaction isolation level serializable, read only, deferrable"),
                Query("show transaction_isolation"),
                Query("show transaction_deferrable"),
                Query("begin"),
                Query("insert into t values (5)"),
                Query("rollback"),
                Query("begin isolation level read committed, read write, not deferrable"),
                Query("show transaction_isolation"),
                Query("show transaction_deferrable"),
                Query("commit"),
            ],
        ),
        (
            "how late it can be asked for",
            vec![
                Query("begin"),
                Query("set transaction isolation level serializable"),
                Query("select count(*) from t"),
                Query("set transaction isolation level serializable"),
                Query("set transaction isolation level repeatable read"),
                Query("rollback"),
                Query("begin isolation level serializable"),
                Query("select count(*) from t"),
                Query("set transaction deferrable"),
                Query("rollback"),
                Query("begin isolation level serializable"),
                Query("savepoint a"),
                Query("set transaction not deferrable"),
                Query("rollback"),
                Query("begin"),
                Query("select count(*) from t"),
                Query("set transaction_deferrable = on"),
                Query("rollback"),
            ],
        ),
        (
            "alone, it is like the others",
            vec![
                Query("begin isolation level serializable"),
                Query("insert into t values (6), (7)"),
                Query("savepoint a"),
                Query("insert into t values (6)"),
                Query("rollback to a"),
                Query("select * from t order by id"),
                Query("commit and chain"),
                Query("show transaction_isolation"),
                Query("commit"),
                Query("begin isolation level serializable, read only, deferrable"),
                Query("select count(*) from t"),
                Query("delete from t"),
                Query("commit"),
            ],
        ),
    ];
    compare(&[Query("drop table if exists t"), Query("create table t (id int primary key)")], &scripts).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_can_be_asked_for_at_the_start() {
    let server = Server::start().await;
    let parameters = format!(
        "host=127.0.0.1 port={} user=postgres options='-c default_transaction_isolation=serializable'",
        server.address().port()
    );
    let row = connect(&parameters).await.unwrap().query_one("show transaction_isolation", &[]).await.unwrap();
    assert_eq!(row.get::<_, String>(0), "serializable");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn write_skew_fails_through_every_way_to_read() {
    let (server, one, other) = with_two_rows().await;
    let ways = [
        "select sum(a) from t",
        "set local nqdb.executor = analytical; select sum(a) from t",
        "set local nqdb.executor = row; select sum(a) from t",
        "select a from t where id = 1; select a from t where id = 2",
        "declare c cursor for select * from t; fetch all from c",
        "select * from t where ctid >= '(0,0)'",
        "create temporary table u on commit drop as select * from t",
    ];
    for way in ways {
        one.batch_execute("update t set a = 0").await.unwrap();
        let read = format!("begin isolation level serializable; {way}");
        one.batch_execute(&read).await.unwrap();
        other.batch_execute(&read).await.unwrap();
        one.batch_execute("update t set a = -1 where id = 1").await.unwrap();
        let done = other.batch_execute("update t set a = -1 where id = 2").await;
        one.batch_execute("commit").await.unwrap();
        let done = match done {
            Ok(()) => other.batch_execute("commit").await,
            Err(error) => Err(error),
        };
        let error = db_error(done);
        assert_eq!(*error.code(), SqlState::T_R_SERIALIZATION_FAILURE, "{way}");
        assert_eq!(error.message(), "could not serialize access due to read/write dependencies among transactions");
        assert!(error.detail().unwrap().starts_with("Reason code: Canceled on "), "{error:?}");
        assert_eq!(error.hint(), Some("The transaction might succeed if retried."));
        other.batch_execute("rollback").await.unwrap();
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn truncating_conflicts_with_who_has_read() {
    let (server, one, other) = with_two_rows().await;
    one.batch_execute("create table u (id int); insert into u values (1)").await.unwrap();
    // It has read t and committed; the other one, which is concurrent, empties t and has not seen what was put into u.
    other.batch_execute("begin isolation level serializable; select * from u").await.unwrap();
    one.batch_execute("begin isolation level serializable; select * from t; insert into u values (2); commit")
        .await
        .unwrap();
    let done = other.batch_execute("truncate t; commit").await;
    assert_eq!(*db_error(done).code(), SqlState::T_R_SERIALIZATION_FAILURE);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_read_shows_in_pg_locks() {
    let (server, one, other) = with_two_rows().await;
    let locks = "select l.locktype, c.relname::text from pg_locks l join pg_class c on c.oid = l.relation \
                 where mode = 'SIReadLock' and pid = $1 order by 1, 2";
    let reader = pid(&one).await;
    let locks = async || {
        let rows = other.query(locks, &[&reader]).await.unwrap();
        rows.iter().map(|row| format!("{} {}", row.get::<_, String>(0), row.get::<_, String>(1))).collect::<Vec<_>>()
    };
    one.batch_execute("begin isolation level serializable").await.unwrap();
    one.batch_execute("set local enable_seqscan = off; select * from t where id = 1").await.unwrap();
    assert_eq!(locks().await, ["page t_pkey"]);
    one.batch_execute("set local enable_seqscan = on; set local enable_indexscan = off; select * from t")
        .await
        .unwrap();
    assert_eq!(locks().await, ["relation t"]);
    one.batch_execute("commit").await.unwrap();
    assert_eq!(locks().await, [""; 0]);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deferrable_transaction_waits_for_a_safe_snapshot() {
    let (server, writer, reader) = with_two_rows().await;
    let watcher = server.client().await;
    let (writer_pid, reader_pid) = (pid(&writer).await, pid(&reader).await);
    let waits_for = async || {
        loop {
            let row = watcher.query_one("select pg_safe_snapshot_blocking_pids($1)", &[&reader_pid]).await.unwrap();
            let blockers: Vec<i32> = row.get(0);
            if !blockers.is_empty() {
                return blockers;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    writer.batch_execute("begin isolation level serializable; update t set a = 1 where id = 1").await.unwrap();
    let read =
        "begin isolation level serializable read only deferrable; set local lock_timeout = 1; select sum(a) from t";
    let (waiting, blockers) = tokio::join!(reader.batch_execute(read), async {
        let blockers = waits_for().await;
        let row = watcher
            .query_one(
                "select wait_event_type || ' ' || wait_event, pg_blocking_pids(pid), \
                 pg_isolation_test_session_is_blocked(pid, $2) from pg_stat_activity where pid = $1",
                &[&reader_pid, &vec![writer_pid]],
            )
            .await
            .unwrap();
        assert_eq!(row.get::<_, String>(0), "IPC SafeSnapshot");
        assert_eq!(row.get::<_, Vec<i32>>(1), Vec::<i32>::new(), "it waits for no lock");
        assert!(row.get::<_, bool>(2));
        writer.batch_execute("commit").await.unwrap();
        blockers
    });
    waiting.unwrap();
    assert_eq!(blockers, [writer_pid]);
    reader.batch_execute("commit").await.unwrap();
    // The wait can be cancelled.
    writer.batch_execute("begin isolation level serializable; update t set a = 2 where id = 1").await.unwrap();
    let (waiting, ()) = tokio::join!(reader.batch_execute(read), async {
        waits_for().await;
        watcher.execute("select pg_cancel_backend($1)", &[&reader_pid]).await.unwrap();
    });
    assert_eq!(*db_error(waiting).code(), SqlState::QUERY_CANCELED);
    reader.batch_execute("rollback").await.unwrap();
    writer.batch_execute("commit").await.unwrap();
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cascade_meets_rows_that_its_snapshot_hides_with_an_error() {
    let (server, one, other) = with_two_rows().await;
    one.batch_execute("create table child (id int references t on delete cascade)").await.unwrap();
    for level in ["repeatable read", "serializable"] {
        other.batch_execute(&format!("begin isolation level {level}; select * from t, child")).await.unwrap();
        one.batch_execute("insert into child values (1)").await.unwrap();
        let error = db_error(other.batch_execute("delete from t where id = 1").await);
        assert_eq!(*error.code(), SqlState::T_R_SERIALIZATION_FAILURE, "{level}");
        other.batch_execute("rollback").await.unwrap();
    }
    server.stop().await;
}
