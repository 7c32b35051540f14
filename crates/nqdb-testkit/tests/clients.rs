//! Drivers that were not written for nqdb: psycopg 3, asyncpg and node `pg` (scripts in `sql-tests/clients`), over
//! plain connections with and without a password, and over TLS; npm `centrifuge`; and the dashboard in a browser.

use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use futures::{SinkExt, StreamExt, pin_mut};
use nqdb_testkit::NqdbServer;
use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{NoTls, SimpleQueryMessage};

/// Runs the drivers' scripts; panics with their output when one fails.
fn run_scripts(target: &str) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sql-tests/clients/run");
    let output = Command::new(&script).arg(target).output().expect("the drivers' script starts");
    assert!(
        output.status.success(),
        "{target}\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

async fn connect(target: &str) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(target, NoTls).await.expect("the server takes the connection");
    tokio::spawn(connection);
    client
}

#[test]
fn drivers_work_over_plain_connections() {
    let server = NqdbServer::start();
    run_scripts(&server.target());
}

#[tokio::test]
async fn drivers_log_in_with_a_password() {
    let server = NqdbServer::start();
    let client = connect(&server.target()).await;
    client
        .batch_execute("CREATE ROLE guarded LOGIN SUPERUSER PASSWORD 'sécret \"1\"'")
        .await
        .expect("the role is made");
    let target = format!("host=127.0.0.1 port={} user=guarded dbname=postgres", server.postgres_port());
    let wrong = format!("{target} password=wrong");
    let refused = tokio_postgres::connect(&wrong, NoTls).await.err().expect("a wrong password is refused");
    assert_eq!(refused.code().map(|code| code.code()), Some("28P01"), "{refused}");
    client.batch_execute("ALTER ROLE guarded PASSWORD 'simple'").await.expect("the password is changed");
    tokio::task::spawn_blocking(move || run_scripts(&format!("{target} password=simple"))).await.expect("no panic");
}

#[test]
fn drivers_work_over_tls() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (certificate, key) = (directory.path().join("server.crt"), directory.path().join("server.key"));
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    std::fs::write(&certificate, made.cert.pem()).expect("the certificate is written");
    std::fs::write(&key, made.signing_key.serialize_pem()).expect("the key is written");
    let path = |path: &Path| path.to_str().expect("a UTF-8 path").to_owned();
    let server = NqdbServer::start_with(&["--tls-cert", &path(&certificate), "--tls-key", &path(&key)]);
    run_scripts(&format!("{} sslmode=require", server.target()));
}

/// What one of PostgreSQL's programs prints; panics when it fails.
fn program(name: &str, port: u16, arguments: &[&str]) -> String {
    let output = Command::new(name)
        .args(["-h", "127.0.0.1", "-p", &port.to_string(), "-U", "postgres"])
        .args(arguments)
        .output()
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{name} {arguments:?}: {printed}{}", String::from_utf8_lossy(&output.stderr));
    printed
}

#[test]
fn postgresql_programs_work_in_several_databases() {
    let server = NqdbServer::start();
    let port = server.postgres_port();
    program("createdb", port, &["bench"]);
    program("createdb", port, &["-O", "postgres", "-T", "template0", "-E", "UTF8", "-l", "C", "second", "a comment"]);
    program("pgbench", port, &["-i", "-q", "bench"]);
    program("pgbench", port, &["-n", "-c", "2", "-t", "20", "bench"]);
    let psql = |database: &str, script: &[&str]| {
        let mut arguments = vec!["-X", "-A", "-t", database];
        script.iter().for_each(|command| arguments.extend(["-c", command]));
        program("psql", port, &arguments)
    };
    assert_eq!(psql("bench", &["select count(*) from pgbench_history"]), "40\n");
    assert_eq!(psql("second", &["select count(*) from pg_class where relname like 'pgbench%'"]), "0\n");
    let moved = psql("second", &["create table t as select 1 as n", "\\c bench", "select current_database()"]);
    assert!(moved.ends_with("bench\n"), "{moved}");
    let listed = psql("postgres", &["\\l"]);
    // The second line of a list of rights stands alone.
    let names: Vec<&str> = listed.lines().filter_map(|line| Some(line.split_once("|postgres|UTF8|")?.0)).collect();
    assert_eq!(names, ["bench", "postgres", "second", "template0", "template1"], "{listed}");
    let described = psql("postgres", &["\\l+ second"]);
    assert!(described.contains("|a comment"), "{described}");
    program("dropdb", port, &["bench"]);
    program("dropdb", port, &["--if-exists", "-f", "bench"]);
    let missing =
        Command::new("dropdb").args(["-h", "127.0.0.1", "-p", &port.to_string(), "-U", "postgres", "bench"]).output();
    let missing = missing.expect("dropdb starts");
    assert!(!missing.status.success());
    assert!(String::from_utf8_lossy(&missing.stderr).contains("database \"bench\" does not exist"));
}

/// A value as the wire carries it, of whatever type: what was read can be sent back.
#[derive(Debug, PartialEq)]
struct Raw(Vec<u8>);

impl<'a> FromSql<'a> for Raw {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Raw, Box<dyn Error + Sync + Send>> {
        Ok(Raw(raw.to_vec()))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

impl ToSql for Raw {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.extend_from_slice(&self.0);
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// The only value of a simple query: text format.
async fn text_of(client: &tokio_postgres::Client, sql: &str) -> String {
    let messages = client.simple_query(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    let row = messages.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row.get(0).expect("a value").to_owned()),
        _ => None,
    });
    row.unwrap_or_else(|| panic!("{sql}: no row"))
}

#[tokio::test]
async fn tokio_postgres_reads_every_type_back_in_text_and_in_binary() {
    let server = NqdbServer::start();
    let client = connect(&server.target()).await;
    let values = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sql-tests/clients/values.json");
    let values = std::fs::read_to_string(values).expect("the values are there");
    let values: Vec<(String, String)> = serde_json::from_str(&values).expect("pairs of strings");
    for (type_name, text) in values {
        client
            .batch_execute(&format!("DROP TABLE IF EXISTS one_value; CREATE TABLE one_value (v {type_name})"))
            .await
            .expect("the table is made");
        let read: Raw = client
            .query_one(&format!("SELECT $1::text::{type_name}"), &[&text])
            .await
            .unwrap_or_else(|error| panic!("{type_name} {text:?}: {error:?}"))
            .get(0);
        client.execute("INSERT INTO one_value VALUES ($1)", &[&read]).await.expect("the value is stored");
        let back: Raw = client.query_one("SELECT v FROM one_value", &[]).await.expect("the value is there").get(0);
        assert_eq!(back, read, "{type_name} {text:?}");
        let quoted = text.replace('\'', "''");
        let expected = text_of(&client, &format!("SELECT '{quoted}'::{type_name}")).await;
        assert_eq!(text_of(&client, "SELECT v FROM one_value").await, expected, "{type_name} {text:?}");
    }
}

#[tokio::test]
async fn tokio_postgres_copies_both_ways_and_sees_a_duplicate_key() {
    let server = NqdbServer::start();
    let client = connect(&server.target()).await;
    client.batch_execute("CREATE TABLE t (id int PRIMARY KEY, v text)").await.expect("the table is made");
    let sink = client.copy_in("COPY t FROM STDIN").await.expect("COPY begins");
    pin_mut!(sink);
    let lines: String = (0..1000).map(|number| format!("{number}\tline {number}\n")).collect();
    sink.send(bytes::Bytes::from(lines.clone())).await.expect("data is taken");
    assert_eq!(sink.finish().await.expect("COPY ends"), 1000);
    let stream = client.copy_out("COPY t TO STDOUT").await.expect("COPY begins");
    pin_mut!(stream);
    let mut copied = Vec::new();
    while let Some(chunk) = stream.next().await {
        copied.extend_from_slice(&chunk.expect("a chunk"));
    }
    assert_eq!(String::from_utf8(copied).expect("text"), lines);
    let error = client.execute("INSERT INTO t VALUES ($1, $2)", &[&7, &"again"]).await.expect_err("a duplicate key");
    let reported = error.as_db_error().expect("the server's error");
    assert_eq!(reported.code(), &tokio_postgres::error::SqlState::UNIQUE_VIOLATION);
    assert_eq!(reported.constraint(), Some("t_pkey"));
    assert_eq!(reported.detail(), Some("Key (id)=(7) already exists."));
}

#[tokio::test]
async fn tokio_postgres_and_psql_hear_notifications() {
    let server = NqdbServer::start();
    let (client, mut connection) = tokio_postgres::connect(&server.target(), NoTls).await.expect("a connection");
    let (send, mut heard) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Some(message) = std::future::poll_fn(|context| connection.poll_message(context)).await {
            if let Ok(tokio_postgres::AsyncMessage::Notification(notification)) = message {
                let told = (notification.channel().to_owned(), notification.payload().to_owned());
                send.send(told).expect("the test waits");
            }
        }
    });
    client.batch_execute("LISTEN orders").await.expect("LISTEN");
    let notifier = connect(&server.target()).await;
    notifier.execute("SELECT pg_notify('orders', $1)", &[&"from a driver"]).await.expect("it notifies");
    let port = server.postgres_port();
    let script = ["-X", "-c", "LISTEN orders", "-c", "NOTIFY orders, 'from psql'", "postgres"];
    let printed = tokio::task::spawn_blocking(move || program("psql", port, &script)).await.expect("no panic");
    let wanted =
        "Asynchronous notification \"orders\" with payload \"from psql\" received from server process with PID";
    assert!(printed.contains(wanted), "{printed}");
    for payload in ["from a driver", "from psql"] {
        assert_eq!(heard.recv().await, Some(("orders".to_owned(), payload.to_owned())));
    }
}

#[test]
fn centrifuge_works_as_it_is() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (file, secret) = (directory.path().join("secret"), "a secret of at least thirty-two bytes");
    std::fs::write(&file, secret).expect("the secret is written");
    let server = NqdbServer::start_with(&["--realtime-secret-file", file.to_str().expect("a UTF-8 path")]);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sql-tests/clients/run-realtime");
    let address = format!("127.0.0.1:{}", server.http_port());
    let output = Command::new(&script).args([&server.target(), &address, secret]).output().expect("the script starts");
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn centrifuge_has_everything_once_though_the_server_is_killed() {
    let mut server = NqdbServer::start();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sql-tests/clients/run-durable");
    let ports = |server: &NqdbServer| [server.postgres_port().to_string(), server.http_port().to_string()];
    let mut child = Command::new(&script)
        .args(ports(&server))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the script starts");
    let mut told = child.stdin.take().expect("standard input is piped");
    let said = BufReader::new(child.stdout.take().expect("standard output is piped"));
    for line in said.lines() {
        if line.expect("the script says something") == "kill" {
            server.kill();
            server.launch().expect("the server starts again");
            writeln!(told, "{}", ports(&server).join(" ")).expect("the script listens");
        }
    }
    assert!(child.wait().expect("the script ends").success());
}

#[test]
fn the_dashboard_works_in_a_browser() {
    let server = NqdbServer::start();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sql-tests/clients/run-dashboard");
    let address = format!("127.0.0.1:{}", server.http_port());
    let output = Command::new(&script).args([&server.target(), &address]).output().expect("the script starts");
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
