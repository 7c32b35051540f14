//! Several databases in one server: what each has of its own, what they share, and who gets into which.

use crate::support::{Server, configuration, connect};
use tokio_postgres::{Client, SimpleQueryMessage};

struct Ends {
    server: Server,
}

impl Ends {
    async fn start() -> Ends {
        Ends { server: Server::start().await }
    }

    fn parameters(&self, user: &str, database: &str) -> String {
        format!("host=127.0.0.1 port={} user={user} dbname={database}", self.server.address().port())
    }

    async fn client(&self, database: &str) -> Client {
        connect(&self.parameters("postgres", database)).await.unwrap()
    }

    async fn refused(&self, user: &str, database: &str) -> String {
        let error = connect(&self.parameters(user, database)).await.expect_err("the login is refused");
        let error = error.as_db_error().expect("by the server");
        format!("{} {}", error.code().code(), error.message())
    }
}

/// The first column of a simple query's rows.
async fn column(client: &Client, sql: &str) -> Vec<String> {
    let messages = client.simple_query(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    let first = |message| match message {
        SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap_or("NULL").to_owned()),
        _ => None,
    };
    messages.into_iter().filter_map(first).collect()
}

/// Runs statements one by one: those about databases do not work beside others.
async fn one_by_one(client: &Client, statements: &str) {
    for sql in statements.split(';') {
        client.batch_execute(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }
}

/// Code, message and detail of the error that a statement ends with.
async fn error(client: &Client, sql: &str) -> String {
    let error = client.batch_execute(sql).await.expect_err(sql);
    let error = error.as_db_error().unwrap_or_else(|| panic!("{sql}: {error}"));
    let detail = error.detail().map(|detail| format!(" | {}", detail.replace('\n', ", "))).unwrap_or_default();
    format!("{} {}{detail}", error.code().code(), error.message())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_names_mean_other_things_in_another_database() {
    let ends = Ends::start().await;
    let one = ends.client("postgres").await;
    one.batch_execute("create database other").await.unwrap();
    let other = ends.client("other").await;
    for (client, name) in [(&one, "one"), (&other, "other")] {
        client
            .batch_execute(&format!(
                "create schema s; create type mood as enum ('{name}'); create table s.t (id serial primary key, m mood);
                 insert into s.t (m) values ('{name}'); create view v as select m::text as m from s.t;
                 comment on table s.t is '{name}'; create temp table mine as select '{name}' as n"
            ))
            .await
            .unwrap();
    }
    for (client, name) in [(&one, "one"), (&other, "other")] {
        // Twice and more, so that plans are kept by text and by shape.
        for _ in 0..4 {
            assert_eq!(column(client, "select m from s.t where id = 1").await, [name]);
            assert_eq!(column(client, "select m from v").await, [name]);
            let row = client.query_one("select m::text from s.t where id = $1", &[&1]).await.unwrap();
            assert_eq!(row.get::<_, &str>(0), name);
        }
        assert_eq!(column(client, "select n from mine").await, [name]);
        assert_eq!(column(client, "select obj_description('s.t'::regclass, 'pg_class')").await, [name]);
        assert_eq!(column(client, "select count(*) from pg_class where relname = 't'").await, ["1"]);
        assert_eq!(column(client, "select enumlabel from pg_enum").await, [name]);
        assert_eq!(column(client, "select currval('s.t_id_seq')").await, ["1"]);
        let current = if name == "one" { "postgres" } else { "other" };
        assert_eq!(column(client, "select current_database()").await, [current]);
        assert_eq!(
            column(client, "select catalog_name from information_schema.schemata where schema_name = 's'").await,
            [current]
        );
    }
    other.batch_execute("drop schema s cascade; drop type mood").await.unwrap();
    assert_eq!(column(&one, "select m from s.t where id = 1").await, ["one"]);
    assert_eq!(error(&other, "select m from s.t where id = 1").await, "42P01 relation \"s.t\" does not exist");
    assert!(error(&other, "select m from postgres.s.t").await.starts_with("0A000 "), "no way from one into another");
    ends.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn definitions_at_the_same_time_do_not_meet() {
    let ends = Ends::start().await;
    let admin = ends.client("postgres").await;
    let names = ["a", "b", "c"];
    for name in names {
        admin.batch_execute(&format!("create database {name}")).await.unwrap();
    }
    let mut tasks = Vec::new();
    for name in names {
        let client = ends.client(name).await;
        tasks.push(tokio::spawn(async move {
            for round in 0..12 {
                let sql = format!(
                    "create table t (id int primary key, n text); insert into t select g, '{name}{round}' from generate_series(1, 50) g;
                     alter table t add column extra int default {round}; create index on t (n)"
                );
                client.batch_execute(&sql).await.unwrap();
                assert_eq!(column(&client, "select distinct n from t").await, [format!("{name}{round}")]);
                client.batch_execute("drop table t").await.unwrap();
            }
        }));
    }
    for round in 0..6 {
        admin.batch_execute(&format!("create role r{round}; create table t (id int); drop table t")).await.unwrap();
    }
    for task in tasks {
        task.await.unwrap();
    }
    let other = ends.client("a").await;
    assert_eq!(
        column(&other, "select count(*) from pg_roles where rolname ~ '^r[0-9]'").await,
        ["6"],
        "roles are shared"
    );
    ends.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_has_everything_of_its_template() {
    let ends = Ends::start().await;
    let admin = ends.client("postgres").await;
    one_by_one(&admin, "create role ada login; create database source").await;
    let source = ends.client("source").await;
    source
        .batch_execute(
            "create schema s; create type s.size as enum ('small', 'large'); create domain s.even as int default 2 check (value % 2 = 0);
             create table s.t (id bigserial primary key, a s.size[] default array['small']::s.size[], e s.even,
                               g int generated always as (id * 2) stored, i int generated by default as identity, big text,
                               constraint positive check (id > 0));
             insert into s.t (e, big) select 2 * n, repeat('x', n * 200) from generate_series(1, 100) n;
             delete from s.t where id % 10 = 0;
             create index hashed on s.t (md5(big)) where e > 4; create unique index on s.t (e desc);
             create view s.v as select id, e, 'large'::s.size as size from s.t where nextval('s.t_id_seq') > 0;
             create materialized view s.m as select count(*) as n from s.t; create sequence q start 7; select nextval('q');
             comment on column s.t.e is 'even'; comment on constraint positive on s.t is 'no zero'; comment on type s.size is 'sizes';
             grant select on s.t to ada; grant update (big) on s.t to ada; grant usage on schema s to public;
             alter default privileges in schema s grant insert on tables to ada; analyze s.t; create temp table gone (id int)",
        )
        .await
        .unwrap();
    let questions = [
        "select count(*) || ' ' || sum(id) || ' ' || sum(e) || ' ' || sum(g) || ' ' || sum(i) || ' ' || sum(length(big)) from s.t",
        "select a::text from s.t where e = 8",
        "select id::text from s.t where md5(big) = md5(repeat('x', 600)) and e > 4",
        "select n::text from s.m",
        "select string_agg(pg_get_indexdef(indexrelid), '; ' order by indexrelid) from pg_index where indrelid = 's.t'::regclass",
        "select string_agg(pg_get_constraintdef(oid), '; ' order by conname) from pg_constraint where conrelid = 's.t'::regclass",
        "select string_agg(coalesce(pg_get_expr(adbin, adrelid), ''), '; ' order by adnum) from pg_attrdef",
        "select pg_get_viewdef('s.v'::regclass)",
        "select col_description('s.t'::regclass, 3)",
        "select obj_description(oid, 'pg_constraint') from pg_constraint where conname = 'positive'",
        "select obj_description('s.size'::regtype, 'pg_type')",
        "select relacl::text || attacl::text from pg_class c join pg_attribute a on a.attrelid = c.oid and attname = 'big' where c.oid = 's.t'::regclass",
        "select defaclacl::text from pg_default_acl",
        "select nspacl::text from pg_namespace where nspname = 's'",
        "select n_distinct::text from pg_stats where tablename = 't' and attname = 'e'",
        "select last_value::text from q",
        "select count(*)::text from pg_class where relname = 'gone'",
    ];
    let mut expected = Vec::new();
    for question in questions {
        expected.push(column(&source, question).await);
    }
    *expected.last_mut().unwrap() = vec!["0".to_owned()];
    let shared_number = column(&source, "select 's.t'::regclass::oid").await;
    drop(source);
    admin.batch_execute("create database copy template source").await.unwrap();
    for database in ["copy", "again"] {
        if database == "again" {
            // A copy is as good a template as any.
            one_by_one(&admin, "create database again template copy; drop database copy; drop database source").await;
        }
        let copy = ends.client(database).await;
        for (question, expected) in questions.iter().zip(&expected) {
            assert_eq!(column(&copy, question).await, *expected, "{database}: {question}");
        }
        assert_ne!(column(&copy, "select 's.t'::regclass::oid").await, shared_number);
        let error = error(&copy, "insert into s.t (e) values (3)").await;
        assert!(error.starts_with("23514 value for domain s.even violates"), "{error}");
        let new = column(&copy, "insert into s.t (e) values (2000) returning id || ' ' || i || ' ' || a::text").await;
        assert_eq!(new, ["101 101 {small}"], "its own sequences go on");
        copy.batch_execute("delete from s.t where e = 2000; select setval('s.t_id_seq', 100); alter table s.t alter i restart with 101")
            .await
            .unwrap();
        copy.batch_execute("select nextval('q'); select setval('q', 7)").await.unwrap();
    }
    ends.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_with_sessions_is_neither_dropped_nor_renamed_nor_copied() {
    let ends = Ends::start().await;
    let admin = ends.client("postgres").await;
    admin.batch_execute("create database busy").await.unwrap();
    let guest = ends.client("busy").await;
    for (sql, what) in [
        ("drop database busy", "database"),
        ("alter database busy rename to b", "database"),
        ("create database c template busy", "source database"),
    ] {
        let expected = format!(
            "55006 {what} \"busy\" is being accessed by other users | There is 1 other session using the database."
        );
        assert_eq!(error(&admin, sql).await, expected, "{sql}");
    }
    guest.batch_execute("create table still_here (id int)").await.unwrap();
    assert_eq!(error(&guest, "drop database busy").await, "55006 cannot drop the currently open database");
    assert_eq!(error(&guest, "alter database busy rename to b").await, "0A000 current database cannot be renamed");
    // Who is on the way out is waited for.
    let leaving = tokio::spawn(async move {
        guest.batch_execute("select pg_sleep(0.3)").await.unwrap();
        drop(guest);
    });
    admin.batch_execute("alter database busy rename to quiet").await.unwrap();
    leaving.await.unwrap();
    assert_eq!(ends.refused("postgres", "busy").await, "3D000 database \"busy\" does not exist");
    let guest = ends.client("quiet").await;
    admin.batch_execute("drop database quiet with (force)").await.unwrap();
    let ended = guest.batch_execute("select 1").await.expect_err("its session was ended");
    assert!(ended.is_closed() || ended.code().is_some_and(|code| code.code() == "57P01"), "{ended}");
    assert_eq!(ends.refused("postgres", "quiet").await, "3D000 database \"quiet\" does not exist");
    ends.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_says_why_a_database_is_closed() {
    let ends = Ends::start().await;
    let admin = ends.client("postgres").await;
    one_by_one(
        &admin,
        "create role ada login; create database shut allow_connections false; create database private;
             revoke all on database private from public; create database small connection limit 1; create database ada",
    )
    .await;
    assert_eq!(ends.refused("postgres", "none").await, "3D000 database \"none\" does not exist");
    assert_eq!(
        ends.refused("postgres", "shut").await,
        "55000 database \"shut\" is not currently accepting connections"
    );
    assert_eq!(
        ends.refused("postgres", "template0").await,
        "55000 database \"template0\" is not currently accepting connections"
    );
    assert_eq!(ends.refused("ada", "private").await, "42501 permission denied for database \"private\"");
    let _superuser = ends.client("small").await;
    assert_eq!(ends.refused("ada", "small").await, "53300 too many connections for database \"small\"");
    let port = ends.server.address().port();
    let by_user = connect(&format!("host=127.0.0.1 port={port} user=ada")).await.unwrap();
    assert_eq!(column(&by_user, "select current_database()").await, ["ada"], "the user's name is the default");
    admin.batch_execute("grant connect on database private to ada").await.unwrap();
    let ada = connect(&ends.parameters("ada", "private")).await.unwrap();
    assert_eq!(
        error(&ada, "create temp table t (id int)").await,
        "42501 permission denied to create temporary tables in database \"private\""
    );
    ends.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_are_shared_and_what_they_own_elsewhere_keeps_them() {
    let ends = Ends::start().await;
    let admin = ends.client("postgres").await;
    one_by_one(&admin, "create role ada login; create role bob; create database hers owner ada; create database his")
        .await;
    let (hers, his) = (ends.client("hers").await, ends.client("his").await);
    hers.batch_execute("set role ada; create table t (id serial); create table u (id int); reset role; create schema s; grant all on schema s to bob")
        .await
        .unwrap();
    his.batch_execute("create schema s authorization ada").await.unwrap();
    assert_eq!(
        error(&admin, "drop role ada").await,
        "2BP01 role \"ada\" cannot be dropped because some objects depend on it | owner of database hers, 3 objects in database hers, 1 object in database his"
    );
    assert_eq!(
        error(&hers, "drop role bob").await,
        "2BP01 role \"bob\" cannot be dropped because some objects depend on it | privileges for schema s"
    );
    // Only what is here, and what is shared.
    his.batch_execute("drop owned by ada").await.unwrap();
    admin.batch_execute("reassign owned by ada to bob").await.unwrap();
    assert_eq!(column(&hers, "select pg_get_userbyid(relowner) from pg_class where relname = 'u'").await, ["ada"]);
    assert_eq!(column(&hers, "select pg_get_userbyid(datdba) from pg_database where datname = 'hers'").await, ["bob"]);
    assert_eq!(
        error(&admin, "drop role ada").await,
        "2BP01 role \"ada\" cannot be dropped because some objects depend on it | 3 objects in database hers"
    );
    hers.batch_execute("drop owned by ada").await.unwrap();
    admin.batch_execute("drop role ada").await.unwrap();
    assert_eq!(
        error(&hers, "set role ada").await,
        "22023 role \"ada\" does not exist",
        "a plan of before is not used again"
    );
    ends.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_advisory_locks_and_activity_know_the_database() {
    let ends = Ends::start().await;
    let admin = ends.client("postgres").await;
    one_by_one(&admin, "create database other; alter database other set work_mem = '7MB'").await;
    admin.batch_execute("alter role postgres in database other set search_path = elsewhere").await.unwrap();
    let other = ends.client("other").await;
    assert_eq!(column(&other, "show work_mem").await, ["7MB"]);
    assert_eq!(column(&other, "show search_path").await, ["elsewhere"]);
    assert_eq!(column(&ends.client("postgres").await, "show search_path").await, ["\"$user\", public"]);
    admin.batch_execute("select pg_advisory_lock(5)").await.unwrap();
    assert_eq!(column(&other, "select pg_try_advisory_lock(5)").await, ["t"], "they are of a database");
    let holders = "select string_agg(datname, ',' order by datname) from pg_locks l join pg_database d on d.oid = l.database where locktype = 'advisory'";
    assert_eq!(column(&admin, holders).await, ["other,postgres"]);
    let here = "select count(*) from pg_stat_activity where datname = 'other'";
    assert_eq!(column(&admin, here).await, ["1"]);
    assert_eq!(column(&admin, "select numbackends from pg_stat_database where datname = 'other'").await, ["1"]);
    one_by_one(&other, "begin; create table public.t (id int)").await;
    let locked = "select d.datname from pg_locks l join pg_database d on d.oid = l.database where locktype = 'relation' and mode = 'AccessExclusiveLock'";
    assert_eq!(column(&admin, locked).await, ["other"]);
    ends.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn databases_outlive_a_restart_and_dropped_ones_give_their_space_back() {
    let directory = tempfile::tempdir().unwrap();
    let started = nqdb_server::start(&configuration(directory.path())).await.unwrap();
    let parameters = |database: &str, port: u16| format!("host=127.0.0.1 port={port} user=postgres dbname={database}");
    let port = started.postgres_address().port();
    let admin = connect(&parameters("postgres", port)).await.unwrap();
    one_by_one(&admin, "create database kept; create database dropped").await;
    let kept = connect(&parameters("kept", port)).await.unwrap();
    kept.batch_execute("create table t (id int primary key); insert into t select generate_series(1, 1000)")
        .await
        .unwrap();
    let dropped = connect(&parameters("dropped", port)).await.unwrap();
    dropped
        .batch_execute("create table t (id int primary key); insert into t select generate_series(1, 1000)")
        .await
        .unwrap();
    let trees = started.instance().system.trees().unwrap().len();
    drop(dropped);
    admin.batch_execute("drop database dropped").await.unwrap();
    while started.instance().system.trees().unwrap().len() + 3 > trees {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    drop((admin, kept));
    started.stop().await.unwrap();
    assert_eq!(nqdb_server::check(&configuration(directory.path()).data_dir, 64 << 20).unwrap(), Vec::<String>::new());
    let started = nqdb_server::start(&configuration(directory.path())).await.unwrap();
    let port = started.postgres_address().port();
    let kept = connect(&parameters("kept", port)).await.unwrap();
    assert_eq!(column(&kept, "select count(*) from t").await, ["1000"]);
    assert_eq!(
        column(&kept, "select string_agg(datname, ' ' order by oid) from pg_database").await,
        ["template1 template0 postgres kept"]
    );
    drop(kept);
    started.stop().await.unwrap();
}
