//! Frames that no client should send, and limits: every one is answered, and the server goes on.

use std::time::{Duration, Instant};

use crate::support::Server;
use crate::support::raw::{Raw, Send, message};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use Send::{Bind, DescribePortal, DescribeStatement, Execute, Parse, Query, Sync};

/// A generator that a seed repeats.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn truncated_bodies_are_protocol_violations_and_the_session_goes_on() {
    let server = Server::start().await;
    let whole = [
        Parse("s", "select $1::int"),
        Bind("p", "s", &["1"]),
        DescribeStatement("s"),
        DescribePortal("p"),
        Execute("p", 0),
        Send::CloseStatement("s"),
        Query("select 1"),
    ];
    let mut raw = Raw::connect(server.address()).await;
    for frame in whole {
        let bytes = frame.encode();
        let (tag, body) = (bytes[0], &bytes[5..]);
        for kept in 0..body.len() {
            raw.write(&message(tag, &body[..kept])).await;
            if tag != b'Q' {
                raw.write(&Sync.encode()).await;
            }
            let lines = raw.answers().await;
            assert!(lines[0].contains("C=08P01"), "{frame:?} cut to {kept} bytes: {lines:?}");
            assert_eq!(lines.last().map(String::as_str), Some("Z I"), "{frame:?} cut to {kept} bytes");
        }
        raw.write(&message(tag, &[body, b"x"].concat())).await;
        raw.write(&Sync.encode()).await;
        assert!(raw.answers().await[0].contains("C=08P01"), "{frame:?} with a byte too many");
        if tag == b'Q' {
            raw.answers().await;
        }
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mutated_frames_never_panic() {
    let server = Server::start().await;
    let frames: Vec<Vec<u8>> = [
        Parse("", "select $1::int, 'x'"),
        Bind("", "", &["7"]),
        DescribePortal(""),
        Execute("", 1),
        Sync,
        Query("select 1; select 2"),
        Send::CopyData("x"),
        Send::CopyDone,
    ]
    .iter()
    .map(Send::encode)
    .collect();
    let mut dice = Dice(20);
    for _ in 0..150 {
        let mut raw = Raw::connect(server.address()).await;
        let mut bytes = Vec::new();
        for _ in 0..6 {
            let mut frame = frames[dice.roll(frames.len())].clone();
            for _ in 0..dice.roll(4) {
                let at = dice.roll(frame.len());
                frame[at] = dice.roll(256) as u8;
            }
            bytes.extend_from_slice(&frame);
        }
        // The server may have closed the connection in the middle of this.
        let _ = raw.stream.write_all(&bytes).await;
        let _ = raw.stream.shutdown().await;
        let mut answer = Vec::new();
        let _ = tokio::time::timeout(Duration::from_secs(10), raw.stream.read_to_end(&mut answer)).await.expect("ends");
    }
    assert_eq!(server.instance().metrics.panics.get(), 0);
    let mut raw = Raw::connect(server.address()).await;
    assert_eq!(raw.replay(&[Query("select 1")]).await.last().map(String::as_str), Some("Z I"));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_header_ends_the_connection_with_08p01() {
    let server = Server::start().await;
    for header in [&b"z\0\0\0\x04"[..], b"Q\0\0\0\x03", b"S\x7f\xff\xff\xff", b"Q\xff\xff\xff\xff", b"p\0\0\0\x05x"] {
        let mut raw = Raw::connect(server.address()).await;
        raw.write(header).await;
        let lines = raw.answers().await;
        assert!(lines[0].contains("S=FATAL C=08P01"), "{header:?}: {lines:?}");
        assert_eq!(lines.last().map(String::as_str), Some("closed"));
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_before_the_login_is_refused() {
    let server = Server::start().await;
    let oversized = 20_000u32.to_be_bytes();
    let old_protocol = [&9u32.to_be_bytes()[..], &(2u32 << 16).to_be_bytes(), b"\0"].concat();
    let mut dice = Dice(7);
    let mut openings = vec![oversized.to_vec(), old_protocol, b"GET / HTTP/1.1\r\n\r\n".to_vec()];
    openings.extend((0..100).map(|_| (0..dice.roll(60)).map(|_| dice.roll(256) as u8).collect()));
    for opening in openings {
        let mut stream = TcpStream::connect(server.address()).await.unwrap();
        let _ = stream.write_all(&opening).await;
        let _ = stream.shutdown().await;
        let mut answer = Vec::new();
        let _ = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut answer)).await.expect("ends");
        assert!(answer.is_empty() || matches!(answer[0], b'E' | b'N'), "{opening:?}");
    }
    assert_eq!(server.instance().metrics.panics.get(), 0);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn text_that_is_not_utf8_is_22021() {
    let server = Server::start().await;
    let mut raw = Raw::connect(server.address()).await;
    raw.write(&message(b'Q', b"select '\xff'\0")).await;
    assert!(raw.answers().await[0].contains("C=22021 M=invalid byte sequence for encoding \"UTF8\": 0xff"));
    raw.write(&Parse("", "select $1::text").encode()).await;
    raw.write(&message(b'B', b"\0\0\0\0\0\x01\0\0\0\x02a\0\0\0")).await;
    raw.write(&Sync.encode()).await;
    assert!(raw.answers().await[1].contains("C=22021 M=invalid byte sequence for encoding \"UTF8\": 0x00"));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_five_thousand_parameters_are_taken_and_one_more_is_not() {
    let server = Server::start().await;
    let client = server.client().await;
    let list = |count: usize| {
        let names: Vec<String> = (1..=count).map(|number| format!("${number}")).collect();
        format!("select 70000 in ({})", names.join(","))
    };
    let values: Vec<i32> = (0..65_535).collect();
    let parameters: Vec<&(dyn tokio_postgres::types::ToSql + std::marker::Sync)> =
        values.iter().map(|value| value as _).collect();
    let row = client.query_one(&list(65_535), &parameters).await.unwrap();
    assert!(!row.get::<_, bool>(0));
    let refused = client.prepare(&list(65_536)).await.unwrap_err();
    assert_eq!(refused.code().map(|code| code.code().to_owned()), Some("42P02".to_owned()));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_request_ends_a_statement_and_nothing_else() {
    let server = Server::start().await;
    let client = server.client().await;
    let token = client.cancel_token();
    // Idle: forgotten.
    token.cancel_query(tokio_postgres::NoTls).await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    client.simple_query("select 1").await.unwrap();
    let started = Instant::now();
    let cancel = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        token.cancel_query(tokio_postgres::NoTls).await.unwrap();
    };
    let (result, ()) = tokio::join!(client.simple_query("select pg_sleep(30)"), cancel);
    assert_eq!(result.unwrap_err().code().unwrap().code(), "57014");
    assert!(started.elapsed() < Duration::from_secs(10));
    client.simple_query("select 1").await.unwrap();
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn statement_timeout_ends_a_statement() {
    let server = Server::start().await;
    let client = server.client().await;
    client.simple_query("set statement_timeout = '150ms'").await.unwrap();
    for long in ["select pg_sleep(30)", "select count(*) from generate_series(1, 1000000000)"] {
        let started = Instant::now();
        let error = client.simple_query(long).await.unwrap_err();
        let error = error.as_db_error().unwrap();
        assert_eq!((error.code().code(), error.message()), ("57014", "canceling statement due to statement timeout"));
        assert!(started.elapsed() < Duration::from_secs(10), "{long}");
    }
    client.simple_query("reset statement_timeout; select pg_sleep(0.2)").await.unwrap();
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_session_too_many_is_53300_and_stopping_is_57p01() {
    let server = Server::start_with(|configuration| configuration.max_connections = 2).await;
    let mut first = Raw::connect(server.address()).await;
    let second = server.client().await;
    let parameters = format!("host=127.0.0.1 port={} user=postgres", server.address().port());
    let refused = crate::support::connect(&parameters).await.expect_err("a third session is refused");
    assert_eq!(refused.code().unwrap().code(), "53300");
    drop(second);
    server.stop().await;
    assert!(first.answers().await[0].contains("S=FATAL C=57P01"));
}
