//! Who may touch what: owners and superusers, nobody else without a GRANT.

use crate::support::{Server, connect};
use tokio_postgres::Client;

/// The SQLSTATE and message that a statement fails with.
async fn refusal(client: &Client, sql: &str) -> String {
    let error = client.batch_execute(sql).await.expect_err(sql);
    let error = error.as_db_error().unwrap_or_else(|| panic!("{sql}: {error}"));
    format!("{} {}", error.code().code(), error.message())
}

#[tokio::test(flavor = "multi_thread")]
async fn only_owners_and_superusers_reach_rows_and_sequences() {
    let server = Server::start().await;
    let admin = server.client().await;
    admin
        .batch_execute(
            "create role ada login; create schema hers authorization ada;
             create table t (id int primary key, n int); insert into t values (1, 1); create sequence s",
        )
        .await
        .unwrap();
    let port = server.address().port();
    let ada = connect(&format!("host=127.0.0.1 port={port} user=ada dbname=postgres")).await.unwrap();
    for sql in [
        "select * from t",
        "select 1 where exists (select from t)",
        "with w as (select * from t) select 1 from w",
        "insert into t values (2, 2)",
        "insert into t values (1, 2) on conflict (id) do update set n = 0",
        "update t set n = 2",
        "delete from t",
        "explain select * from t",
        "explain analyze delete from t",
        "copy t to stdout",
        "copy (select * from t) to stdout",
        "copy t from stdin",
        "prepare p as select * from t; execute p",
        "create table hers.copy as select * from t",
        "select * into hers.copy from t",
        "create materialized view hers.copy as select * from t",
        "create view hers.shown as select * from t; select * from hers.shown",
    ] {
        assert_eq!(refusal(&ada, sql).await, "42501 permission denied for table t", "{sql}");
    }
    for sql in ["select nextval('s')", "select setval('s', 5)"] {
        assert_eq!(refusal(&ada, sql).await, "42501 permission denied for sequence s", "{sql}");
    }
    assert_eq!(refusal(&ada, "truncate t").await, "42501 permission denied for table t");
    for sql in ["comment on table t is 'x'", "alter table t owner to ada", "alter table t rename to u", "drop table t"]
    {
        assert_eq!(refusal(&ada, sql).await, "42501 must be owner of table t", "{sql}");
    }
    assert_eq!(refusal(&ada, "create table mine (id int)").await, "42501 permission denied for schema public");

    ada.batch_execute(
        "create table hers.t (id serial primary key); insert into hers.t default values; select * from hers.t;
         select currval('hers.t_id_seq'), lastval()",
    )
    .await
    .unwrap();
    assert_eq!(refusal(&ada, "insert into hers.t select id from t").await, "42501 permission denied for table t");
    admin.batch_execute("select * from hers.t; select nextval('hers.t_id_seq')").await.unwrap();
    let count = admin.query_one("select count(*) from t where n = 1", &[]).await.unwrap();
    assert_eq!(count.get::<_, i64>(0), 1);

    admin.batch_execute("alter role ada superuser").await.unwrap();
    ada.batch_execute("select * from t").await.unwrap();
    admin.batch_execute("alter role ada nosuperuser").await.unwrap();
    assert_eq!(
        refusal(&ada, "select * from t").await,
        "42501 permission denied for table t",
        "from the next statement on"
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_role_is_told_no_paths_and_cannot_vacuum_what_others_own() {
    let server = Server::start().await;
    let admin = server.client().await;
    admin.batch_execute("create role ada login; create table t (id int)").await.unwrap();
    let parameters = format!("host=127.0.0.1 port={} user=ada dbname=postgres", server.address().port());
    let (ada, mut connection) = tokio_postgres::connect(&parameters, tokio_postgres::NoTls).await.unwrap();
    let (send, mut notices) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Some(Ok(message)) = std::future::poll_fn(|context| connection.poll_message(context)).await {
            if let tokio_postgres::AsyncMessage::Notice(notice) = message {
                send.send(format!("{} {} {}", notice.severity(), notice.code().code(), notice.message())).unwrap();
            }
        }
    });
    let refused = "42501 must be superuser or have privileges of pg_read_all_settings to examine \"data_directory\"";
    assert_eq!(refusal(&ada, "show data_directory").await, refused);
    assert_eq!(refusal(&ada, "select current_setting('data_directory', true)").await, refused);
    for (sql, verb) in [("vacuum t", "vacuum"), ("analyze t", "analyze"), ("vacuum analyze t", "vacuum")] {
        ada.batch_execute(sql).await.unwrap();
        let expected = format!("WARNING 01000 skipping \"t\" --- only table or database owner can {verb} it");
        assert_eq!(notices.recv().await.unwrap(), expected, "{sql}");
    }
    admin.batch_execute("show data_directory").await.unwrap();
    server.stop().await;
}
