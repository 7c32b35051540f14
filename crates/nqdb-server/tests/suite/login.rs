//! Who gets in, and how: trust, SCRAM-SHA-256, TLS with channel binding, Unix sockets.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::support::{Server, configuration, connect};
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_postgres::NoTls;

/// The SQLSTATE that a login fails with.
async fn refusal(parameters: &str) -> String {
    connect(parameters).await.expect_err("the login is refused").code().expect("by the server").code().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_with_a_password_proves_it() {
    let server = Server::start().await;
    let admin = server.client().await;
    admin.batch_execute("create role ada login password 'lovelace'; create role silent").await.unwrap();
    let port = server.address().port();
    let with = |user: &str, rest: &str| format!("host=127.0.0.1 port={port} dbname=postgres user={user} {rest}");
    let client = connect(&with("ada", "password=lovelace")).await.unwrap();
    let row = client.query_one("select current_user", &[]).await.unwrap();
    assert_eq!(row.get::<_, &str>(0), "ada");
    assert_eq!(refusal(&with("ada", "password=wrong")).await, "28P01");
    assert_eq!(refusal(&with("nobody", "")).await, "28000");
    assert_eq!(refusal(&with("silent", "")).await, "28000");
    let elsewhere = format!("host=127.0.0.1 port={port} user=postgres dbname=elsewhere");
    assert_eq!(refusal(&elsewhere).await, "3D000");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_sockets_keep_nobody_out_and_are_closed() {
    let server = Server::start_with(|configuration| configuration.max_connections = 2).await;
    let port = server.address().port();
    let first = server.client().await;
    first.batch_execute("create role ada login password 'lovelace'").await.unwrap();
    let mut silent = Vec::new();
    for number in 0..8 {
        let mut stream = TcpStream::connect(server.address()).await.unwrap();
        if number % 2 == 0 {
            // Asks for a login that needs a password, and then says nothing.
            stream.write_all(b"\0\0\0\x12\0\x03\0\0user\0ada\0\0").await.unwrap();
            assert_eq!(stream.read_u8().await.unwrap(), b'R', "is asked for a password");
        }
        silent.push(stream);
    }
    let second = server.client().await;
    second.batch_execute("select 1").await.unwrap();
    assert_eq!(refusal(&format!("host=127.0.0.1 port={port} user=postgres")).await, "53300");
    // Two sessions and 16: as many may be logging in, and no more.
    for _ in silent.len()..18 {
        silent.push(TcpStream::connect(server.address()).await.unwrap());
    }
    let mut excess = TcpStream::connect(server.address()).await.unwrap();
    let closed = tokio::time::timeout(Duration::from_secs(5), excess.read_to_end(&mut Vec::new())).await;
    assert!(closed.is_ok(), "one more is closed at once");
    first.batch_execute("select 1").await.unwrap();
    let all_closed = async {
        for stream in &mut silent {
            let _ = stream.read_to_end(&mut Vec::new()).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), all_closed).await.expect("all are closed in time");
    drop((first, second));
    while connect(&format!("host=127.0.0.1 port={port} user=ada password=lovelace dbname=postgres")).await.is_err() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unix_socket_serves_and_disappears() {
    let sockets = tempfile::tempdir().unwrap();
    let directory = sockets.path().to_path_buf();
    let server = Server::start_with(|configuration| configuration.unix_socket_dir = Some(directory.clone())).await;
    let port = server.address().port();
    let client = connect(&format!("host={} port={port} user=postgres", directory.display())).await.unwrap();
    client.simple_query("select 1").await.unwrap();
    drop(client);
    server.stop().await;
    assert!(!directory.join(format!(".s.PGSQL.{port}")).exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_beyond_this_machine_needs_passwords() {
    let directory = tempfile::tempdir().unwrap();
    let mut wanted = configuration(directory.path());
    wanted.listen = "0.0.0.0:0".to_owned();
    let refused = nqdb_server::start(&wanted).await.err().expect("the role postgres has no password");
    assert!(refused.to_string().contains("no password: postgres"), "{refused}");
    wanted.allow_passwordless_roles = true;
    nqdb_server::start(&wanted).await.unwrap().stop().await.unwrap();
}

/// A certificate for `localhost` and its key, as files.
fn certificate(directory: &std::path::Path) -> (PathBuf, PathBuf, CertificateDer<'static>) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (certificate, key) = (directory.join("cert.pem"), directory.join("key.pem"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    (certificate, key, made.cert.der().clone())
}

/// Asks for TLS; gives the server's answer byte.
async fn request_tls(stream: &mut TcpStream, behind: &[u8]) -> u8 {
    let mut request = 8u32.to_be_bytes().to_vec();
    request.extend_from_slice(&80_877_103u32.to_be_bytes());
    request.extend_from_slice(behind);
    stream.write_all(&request).await.unwrap();
    stream.read_u8().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_carries_scram_and_refuses_what_came_before_it() {
    let files = tempfile::tempdir().unwrap();
    let (certificate_file, key_file, root) = certificate(files.path());
    let tls = Some((certificate_file.clone(), key_file));
    let server = Server::start_with(|configuration| configuration.tls = tls).await;
    server.client().await.batch_execute("create role ada login password 'lovelace'").await.unwrap();

    let mut roots = rustls::RootCertStore::empty();
    roots.add(root).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));

    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    assert_eq!(request_tls(&mut stream, b"").await, b'S');
    let stream = connector.connect(ServerName::try_from("localhost").unwrap(), stream).await.unwrap();
    let mut parameters = tokio_postgres::Config::new();
    parameters.user("ada").password("lovelace").dbname("postgres").ssl_mode(tokio_postgres::config::SslMode::Disable);
    let (client, connection) = parameters.connect_raw(stream, NoTls).await.unwrap();
    tokio::spawn(connection);
    assert_eq!(client.query_one("show ssl", &[]).await.unwrap().get::<_, &str>(0), "on");
    drop(client);

    let mut smuggler = TcpStream::connect(server.address()).await.unwrap();
    assert_eq!(request_tls(&mut smuggler, b"anything").await, b'E');
    let mut answer = Vec::new();
    smuggler.read_to_end(&mut answer).await.unwrap();
    assert!(String::from_utf8_lossy(&answer).contains("received unencrypted data after SSL request"));
    server.stop().await;

    let directory = tempfile::tempdir().unwrap();
    let mut wanted = configuration(directory.path());
    wanted.tls = Some((certificate_file.clone(), certificate_file));
    assert!(nqdb_server::start(&wanted).await.is_err(), "a certificate is no key");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_certificate_tls_is_declined() {
    let server = Server::start().await;
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    assert_eq!(request_tls(&mut stream, b"").await, b'N');
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_places_are_for_superusers() {
    let server = Server::start_with(|configuration| configuration.max_connections = 5).await;
    let admin = server.client().await;
    admin.batch_execute("create role ada login").await.unwrap();
    let ada = format!("host=127.0.0.1 port={} user=ada dbname=postgres", server.address().port());
    let _first = connect(&ada).await.unwrap();
    let error = connect(&ada).await.expect_err("three of five places are reserved");
    let error = error.as_db_error().unwrap();
    assert_eq!(
        (error.code().code(), error.message()),
        ("53300", "remaining connection slots are reserved for non-replication superuser connections")
    );
    let more = [server.client().await, server.client().await, server.client().await];
    let reserved = admin.query_one("show superuser_reserved_connections", &[]).await.unwrap();
    assert_eq!(reserved.get::<_, &str>(0), "3");
    drop(more);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn passwords_are_taken_as_postgres_takes_them() {
    let server = Server::start().await;
    let admin = server.client().await;
    admin
        .batch_execute(
            "create role ada login encrypted password 'one'; create user bob with encrypted password 'two' nosuperuser;
             alter user ada with encrypted password 'three'",
        )
        .await
        .unwrap();
    let port = server.address().port();
    let with = |user: &str, password: &str| {
        format!("host=127.0.0.1 port={port} dbname=postgres user={user} password={password}")
    };
    drop((connect(&with("ada", "three")).await.unwrap(), connect(&with("bob", "two")).await.unwrap()));
    assert_eq!(refusal(&with("ada", "one")).await, "28P01");
    let code = async |sql: &str| admin.batch_execute(sql).await.unwrap_err().code().unwrap().code().to_owned();
    assert_eq!(code("alter role ada password 'md5d41d8cd98f00b204e9800998ecf8427e'").await, "0A000");
    assert_eq!(code("alter role ada unencrypted password 'x'").await, "0A000");
    assert_eq!(code("alter role ada encrypted password null").await, "42601");
    // The password is cleared: from this machine the role needs none now.
    admin.batch_execute("alter role ada password ''").await.unwrap();
    connect(&format!("host=127.0.0.1 port={port} dbname=postgres user=ada")).await.unwrap();
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_unix_socket_is_for_everybody_and_the_data_for_nobody_else() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let start = |path: &str| {
        let mut configuration = configuration(directory.path());
        configuration.data_dir = directory.path().join(path);
        configuration.unix_socket_dir = Some(directory.path().to_path_buf());
        async move { nqdb_server::start(&configuration).await }
    };
    // An empty directory is taken and made private.
    let data = directory.path().join("data");
    std::fs::create_dir(&data).unwrap();
    std::fs::set_permissions(&data, std::fs::Permissions::from_mode(0o755)).unwrap();
    let running = start("data").await.unwrap();
    let socket = directory.path().join(format!(".s.PGSQL.{}", running.postgres_address().port()));
    assert_eq!((mode(&socket), mode(&data)), (0o777, 0o700));
    let mut files = 0;
    for entry in std::fs::read_dir(&data).unwrap().chain(std::fs::read_dir(data.join("wal")).unwrap()) {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), if path.is_dir() { 0o700 } else { 0o600 }, "{}", path.display());
        files += 1;
    }
    assert!(files > 4);
    running.stop().await.unwrap();

    // One that others can read is refused, as is one that holds something else.
    std::fs::set_permissions(&data, std::fs::Permissions::from_mode(0o755)).unwrap();
    let error = start("data").await.err().expect("is refused").to_string();
    assert!(error.contains("invalid permissions"), "{error}");
    std::fs::set_permissions(&data, std::fs::Permissions::from_mode(0o750)).unwrap();
    start("data").await.unwrap().stop().await.unwrap();
    let other = directory.path().join("other");
    std::fs::create_dir(&other).unwrap();
    std::fs::write(other.join("letter.txt"), "dear").unwrap();
    let error = start("other").await.err().expect("is refused").to_string();
    assert!(error.contains("not empty") && error.contains("letter.txt"), "{error}");
}
