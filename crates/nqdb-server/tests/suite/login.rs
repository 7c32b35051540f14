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
    drop(second);
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
