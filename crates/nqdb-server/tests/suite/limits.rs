//! What bounds a statement and a client: time, memory, places. Who goes beyond gets an error; others go on.

use std::time::{Duration, Instant};

use crate::support::Server;

fn code(error: &tokio_postgres::Error) -> String {
    error.code().unwrap_or_else(|| panic!("not from the server: {error:?}")).code().to_owned()
}

/// Expressions that take much longer than the tests wait, each one call of one function.
const LONG: [&str; 4] = [
    "select repeat('a', 200000) like '%' || repeat('a', 30000) || '_b%'",
    "select regexp_count(repeat('a', 300000), 'a*b|a')",
    "select length(regexp_replace(repeat('a', 300000), 'a*b|a', 'x', 'g'))",
    "select count(*) from generate_series(1, 3) o where exists (
         select 1 from generate_series(1, 100000000) i where i + o < 0)",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_long_evaluation_ends_at_its_timeout() {
    let server = Server::start().await;
    let client = server.client().await;
    client.batch_execute("set statement_timeout = '200ms'").await.unwrap();
    for sql in LONG {
        let started = Instant::now();
        let error = client.simple_query(sql).await.unwrap_err();
        assert_eq!(code(&error), "57014", "{sql}");
        assert!(started.elapsed() < Duration::from_secs(20), "{sql}: {:?}", started.elapsed());
    }
    drop(client);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_evaluations_leave_the_workers_to_others() {
    let server = Server::start().await;
    let waiting = server.client().await;
    let mut computing = Vec::new();
    for _ in 0..4 {
        let client = server.client().await;
        client.batch_execute("set statement_timeout = '15s'").await.unwrap();
        let cancel = client.cancel_token();
        let task = tokio::spawn(async move { client.simple_query(LONG[0]).await.map(drop) });
        computing.push((task, cancel));
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let started = Instant::now();
    waiting.batch_execute("select 1").await.unwrap();
    server.client().await.batch_execute("select 1").await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
    for (task, cancel) in computing {
        cancel.cancel_query(tokio_postgres::NoTls).await.unwrap();
        assert_eq!(code(&task.await.unwrap().unwrap_err()), "57014");
    }
    drop(waiting);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn values_have_a_largest_size() {
    let server = Server::start().await;
    let client = server.client().await;
    for (sql, expected) in [
        ("select repeat('a', 2000000000)", "54000"),
        ("select lpad('a', 1000000000)", "54000"),
        ("select format('%2000000000s', 'a')", "54000"),
        ("select replace(repeat('a', 100000), 'a', repeat('b', 100000))", "54000"),
        ("select length(repeat('a', 1000000000))", "53200"),
        ("select length(format('%1000000000s', 'a'))", "53200"),
    ] {
        assert_eq!(code(&client.simple_query(sql).await.unwrap_err()), expected, "{sql}");
    }
    client.batch_execute("select length(repeat('a', 5000000)), length(rpad('a', 3000001, 'xyz'))").await.unwrap();
    drop(client);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_statements_of_all_sessions_share_a_bounded_memory() {
    let server = Server::start().await;
    let (client, other) = (server.client().await, server.client().await);
    client.batch_execute("set work_mem = '1GB'").await.unwrap();
    let error = client
        .simple_query("select length(string_agg(md5(n::text), '')) from generate_series(1, 2000000) n")
        .await
        .expect_err("one value is larger than the statements may hold together");
    assert_eq!(code(&error), "53200", "{error:?}");
    let hint = error.as_db_error().and_then(|error| error.hint()).unwrap_or_default().to_owned();
    assert!(hint.contains("--memory"), "{hint}");
    assert_eq!(server.instance().statement_memory.held_bytes(), 0, "it is given back");
    // A small work_mem makes no statement fail.
    other.batch_execute("set work_mem = '64kB'").await.unwrap();
    other.simple_query("select n from generate_series(1, 100000) n order by n desc").await.unwrap();
    drop((client, other));
    server.stop().await;
}

/// Rows for the analytical executor, which is asked from here on.
async fn fill_for_analysis(client: &tokio_postgres::Client, rows: u32) {
    let sql = format!(
        "create table wide (id int8, t text, g int4); \
         insert into wide select n, md5(n::text), n % 1000 from generate_series(1, {rows}) n; \
         analyze wide; set nqdb.executor = analytical"
    );
    client.batch_execute(&sql).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_cancelled_leaves_the_analytical_executor() {
    let server = Server::start().await;
    let client = server.client().await;
    fill_for_analysis(&client, 20_000).await;
    let endless = [
        "select count(*) from wide a, wide b, wide c",
        "select count(*) from wide a join wide b on a.id < b.g and a.g <> b.id join wide c on c.id > b.id",
        "select count(*) from wide a join wide b on a.g = b.g join wide c on c.g = b.g join wide d on d.g = c.g",
    ];
    for sql in endless {
        let token = client.cancel_token();
        let cancel = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            token.cancel_query(tokio_postgres::NoTls).await.unwrap();
        };
        let (result, ()) = tokio::join!(client.simple_query(sql), cancel);
        assert_eq!(code(&result.unwrap_err()), "57014", "{sql}");
        client.batch_execute("set statement_timeout = '200ms'").await.unwrap();
        assert_eq!(code(&client.simple_query(sql).await.unwrap_err()), "57014", "{sql}");
        client.batch_execute("reset statement_timeout").await.unwrap();
    }
    // Its threads would be busy for days if any of these went on.
    client.batch_execute("set statement_timeout = '60s'; select sum(id), count(distinct t) from wide").await.unwrap();
    drop(client);
    server.stop().await;
}
