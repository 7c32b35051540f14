//! Statements larger than memory: temporary files, their limits, and that none is left.

use std::time::Duration;

use nqdb_storage::disk::SimDisk;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

use crate::support::Server;
use crate::support::full_disk::FullDisk;

fn code(error: &tokio_postgres::Error) -> String {
    error.code().unwrap_or_else(|| panic!("not from the server: {error:?}")).code().to_owned()
}

/// The rows of a query as text.
async fn rows(client: &Client, sql: &str) -> Vec<String> {
    let messages = client.simple_query(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    let text = |row: &tokio_postgres::SimpleQueryRow| {
        (0..row.len()).map(|column| row.get(column).unwrap_or("NULL")).collect::<Vec<_>>().join("|")
    };
    let row = |message: &SimpleQueryMessage| match message {
        SimpleQueryMessage::Row(row) => Some(text(row)),
        _ => None,
    };
    messages.iter().filter_map(row).collect()
}

/// Waits until there is a temporary file, or is none.
async fn wait_for_files(server: &Server, present: bool) {
    let usage = || server.instance().temporary.usage();
    for _ in 0..2_000 {
        if (usage().open_files > 0) == present {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("temporary files: {:?}", usage());
}

/// Takes long, and writes files soon.
const LONG_SORT: &str =
    "select count(*) from (select n, md5(n::text) m from generate_series(1, 20000000) n order by 2) s";

/// Gives many rows.
const SORT: &str = "select n, md5(n::text) m from generate_series(1, 100000) n order by 2";

#[tokio::test(flavor = "multi_thread")]
async fn what_ends_early_leaves_no_file() {
    let server = Server::start().await;
    let client = server.client().await;
    client.batch_execute("set work_mem = '1MB'").await.unwrap();
    let token = client.cancel_token();
    let cancel = async {
        wait_for_files(&server, true).await;
        // A file has no name: whatever ends the process, nothing of it is left.
        let named = std::fs::read_dir(server.data_directory().join("temporary")).unwrap().count();
        assert_eq!(named, 0);
        token.cancel_query(NoTls).await.unwrap();
    };
    let (result, ()) = tokio::join!(client.simple_query(LONG_SORT), cancel);
    assert_eq!(code(&result.unwrap_err()), "57014");
    wait_for_files(&server, false).await;
    // Nobody reads its rows: the server hears of it when it sends some.
    let other = server.client().await;
    other.batch_execute("set work_mem = '1MB'").await.unwrap();
    let task = tokio::spawn(async move { other.simple_query(SORT).await.is_ok() });
    wait_for_files(&server, true).await;
    task.abort();
    wait_for_files(&server, false).await;
    assert_eq!(server.instance().temporary.usage().open_bytes, 0);
    // A cursor has its file until it is closed.
    client
        .batch_execute("begin; declare c cursor for select n from generate_series(1, 100000) n order by -n")
        .await
        .unwrap();
    assert_eq!(rows(&client, "fetch 2 from c").await, ["100000", "99999"]);
    assert_eq!(server.instance().temporary.usage().open_files, 1);
    client.batch_execute("rollback").await.unwrap();
    assert_eq!(server.instance().temporary.usage().open_files, 0);
    drop(client);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_files_of_a_session_are_limited_and_counted() {
    let server = Server::start().await;
    let client = server.client().await;
    let counted = "select temp_files, temp_bytes > 1000000 from pg_stat_database where datname = current_database()";
    assert_eq!(rows(&client, counted).await, ["0|f"]);
    client.batch_execute("set work_mem = '64kB'; set temp_file_limit = '1MB'").await.unwrap();
    let sort = "select n from generate_series(1, 50000) n order by md5(n::text)";
    let error = client.simple_query(sort).await.unwrap_err();
    assert_eq!(code(&error), "53400");
    let message = error.as_db_error().map(|error| error.message().to_owned());
    assert_eq!(message.as_deref(), Some("temporary file size exceeds temp_file_limit (1024kB)"));
    client.batch_execute("reset temp_file_limit").await.unwrap();
    assert_eq!(rows(&client, sort).await.len(), 50_000);
    assert_eq!(rows(&client, counted).await, ["2|t"]);
    client.batch_execute("create role plain; set role plain").await.unwrap();
    let error = client.batch_execute("set temp_file_limit = 7").await.unwrap_err();
    assert_eq!(code(&error), "42501");
    drop(client);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_cursor_keeps_its_rows_in_a_file() {
    let server = Server::start().await;
    let client = server.client().await;
    client.batch_execute("set work_mem = '64kB'").await.unwrap();
    client
        .batch_execute("begin; declare c scroll cursor with hold for select n, md5(n::text) from generate_series(1, 50000) n; commit")
        .await
        .unwrap();
    assert_eq!(server.instance().temporary.usage().open_files, 1);
    assert_eq!(rows(&client, "fetch absolute 40000 from c").await.len(), 1);
    assert_eq!(rows(&client, "fetch backward 39999 from c").await.len(), 39_999);
    assert_eq!(rows(&client, "fetch first from c").await, ["1|c4ca4238a0b923820dcc509a6f75849b"]);
    assert_eq!(rows(&client, "fetch all from c").await.len(), 49_999);
    client.batch_execute("close c").await.unwrap();
    assert_eq!(server.instance().temporary.usage().open_files, 0);
    drop(client);
    server.stop().await;
}

/// Tables several times larger than what the statements of a server under test may hold together.
async fn fill(client: &Client) {
    client
        .batch_execute(
            "create type mood as enum ('sad', 'ok', 'happy');
             create table fact (id int8 primary key, dim int4, price numeric(12, 2), t text, m mood);
             create table dim (id int4, name text, g int4);
             insert into fact select n, n * 7 % 60000, n / 100.0, repeat(md5(n::text), 8),
                 (array['sad', 'ok', 'happy'])[n % 3 + 1]::mood from generate_series(1, 60000) n;
             insert into dim select n, 'name ' || repeat(md5(n::text), 4), n % 1000 from generate_series(1, 50000) n;
             analyze fact; analyze dim",
        )
        .await
        .unwrap();
}

/// Each gives one row that depends on all rows of a join, a grouping or an order.
const LARGE: [&str; 10] = [
    "select count(*), sum(f.price), min(d.name), max(f.t) from fact f join dim d on f.dim = d.id",
    "select count(*), count(d.id), sum(f.price), max(d.name) from fact f left join dim d on f.dim = d.id and d.g < 500",
    "select count(*), count(f.id), max(d.name), min(f.t) from fact f full join dim d on f.dim = d.id + 30000",
    "select count(*), min(t) from fact f where exists (select 1 from fact o where o.t = f.t and o.id > 1000)",
    "select count(*), min(t) from fact f where not exists (select 1 from dim o where o.id = f.dim and o.name > f.t)",
    "select count(*), max(c), sum(s) from (select t, count(*) c, sum(price) s from fact group by t) s",
    "select count(*), sum(c) from (select dim, count(distinct t) c from fact group by dim) s",
    "select count(*) from (select distinct t, dim, m from fact) s",
    "select count(*), min(t), max(m) from (select t, m from fact order by t desc, id offset 59000) s",
    "select count(*), min(t), max(m) from (select t, m from fact order by md5(t), id limit 20000) s",
];

#[tokio::test(flavor = "multi_thread")]
async fn both_executors_go_on_with_files() {
    let server = Server::start_with(|configuration| configuration.memory_bytes = 64 << 20).await;
    let client = server.client().await;
    fill(&client).await;
    for sql in LARGE {
        let before = server.instance().temporary.usage();
        client.batch_execute("set nqdb.executor = analytical; set work_mem = '64MB'").await.unwrap();
        let analytical = rows(&client, sql).await;
        let between = server.instance().temporary.usage();
        client.batch_execute("set nqdb.executor = row; set work_mem = '1MB'").await.unwrap();
        let by_rows = rows(&client, sql).await;
        let after = server.instance().temporary.usage();
        assert_eq!(analytical, by_rows, "{sql}");
        assert!(between.files > before.files, "{sql}: the analytical executor wrote no file");
        assert!(after.files > between.files, "{sql}: the row executor wrote no file");
        assert_eq!((after.open_files, after.open_bytes), (0, 0), "{sql}");
    }
    drop(client);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_ends_the_statement_alone() {
    let server = Server::start_over(FullDisk { below: SimDisk::new(), room_bytes: 300_000 }).await;
    let client = server.client().await;
    fill(&client).await;
    for executor in ["analytical", "row"] {
        client.batch_execute(&format!("set nqdb.executor = {executor}; set work_mem = '64kB'")).await.unwrap();
        let error =
            client.simple_query("select * from fact a join fact b on a.t = b.t order by a.t, b.t").await.unwrap_err();
        assert_eq!(code(&error), "53100", "{executor}: {error:?}");
        assert_eq!(rows(&client, "select count(*) from fact where id < 10").await, ["9"]);
    }
    assert_eq!(server.instance().temporary.usage().open_files, 0);
    drop(client);
    server.stop().await;
}
