//! Channels over HTTP as their clients see them on the wire: what is refused and how, server-sent events, bare payloads.

use nqdb_server::HttpListen;
use nqdb_web::realtime::ChannelRule;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::support::Server;
use crate::support::web::{CONNECT, Socket, UPGRADE, ask, hear, http_address, read_until, status_of};

async fn server_with(rules: Vec<ChannelRule>) -> Server {
    Server::start_with(|configuration| {
        configuration.http_listen = HttpListen::At("127.0.0.1:0".to_owned());
        configuration.realtime.rules = rules;
        configuration.realtime.connections_max = 5;
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_clients_must_not_do_has_its_code() {
    let server = server_with(Vec::new()).await;
    let address = http_address(&server);
    let path = "/connection/websocket";
    assert_eq!(status_of(address, path, "").await, 426, "no WebSocket");
    assert_eq!(status_of(address, path, &format!("{UPGRADE}Origin: http://evil.example\r\n")).await, 403);
    assert_eq!(status_of(address, path, &format!("{UPGRADE}Origin: null\r\n")).await, 403);
    assert_eq!(status_of(address, path, &format!("{UPGRADE}Origin: http://{address}\r\n")).await, 101);
    assert_eq!(status_of(address, path, &UPGRADE.replace("13", "8")).await, 400);
    let wrong: [(&[u8], u8, u16); 7] = [
        (b"{not json", 0x81, 3501),
        (br#"{"id":1,"subscribe":{"channel":"a"}}"#, 0x81, 3501),
        (br#"{"id":1,"connect":{}}"#, 0x81, 3501),
        (br#"{"id":1,"connect":{"token":"a.b.c"}}"#, 0x81, 3500),
        (br#"{"id":1,"connect":{"data":{"user":"nobody"}}}"#, 0x81, 3507),
        (b"\x00", 0x82, 3506),
        (b"\xff\xff", 0x81, 1007),
    ];
    for (payload, first, code) in wrong {
        let mut socket = Socket::open(address, path).await;
        socket.send_frame(first, payload).await;
        assert_eq!(socket.close_code().await, code, "{}", String::from_utf8_lossy(payload));
    }
    let mut socket = Socket::open(address, path).await;
    assert!(socket.ask(CONNECT).await.contains("\"client\""));
    socket.send_frame(0x81, &vec![b' '; 70_000]).await;
    assert_eq!(socket.close_code().await, 1009);
    // In fragments, with a ping between: one message.
    let mut socket = Socket::open(address, path).await;
    socket.send_frame(0x01, &CONNECT.as_bytes()[..20]).await;
    socket.send_frame(0x89, b"x").await;
    assert_eq!(socket.next().await, Ok("x".to_owned()), "a pong");
    socket.send_frame(0x80, &CONNECT.as_bytes()[20..]).await;
    assert!(socket.next().await.unwrap().contains("\"client\""));
    drop(socket);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_are_answered_in_order_and_refused_with_their_codes() {
    let server = server_with(vec![
        ChannelRule { channels: "open".to_owned(), read: vec!["postgres".to_owned()], write: Vec::new() },
        ChannelRule {
            channels: "clerks.*".to_owned(),
            read: vec!["clerk".to_owned()],
            write: vec!["clerk".to_owned()],
        },
    ])
    .await;
    let sql = server.client().await;
    sql.batch_execute("create role ada login; create role clerk; create role carl login in role clerk").await.unwrap();
    let mut ada = Socket::open(http_address(&server), "/connection/websocket").await;
    ada.ask(&CONNECT.replace("\"user\":\"postgres\"", "\"user\":\"ada\"")).await;
    let code = |answer: String| answer.split("\"code\":").nth(1).map(|rest| rest[..3].to_owned()).unwrap_or(answer);
    let refused = [
        (r#"{"id":2,"subscribe":{"channel":"open"}}"#, "103"),
        (r#"{"id":2,"subscribe":{"channel":"clerks.notes"}}"#, "103"),
        (r#"{"id":2,"subscribe":{"channel":"c*"}}"#, "103"),
        (r#"{"id":2,"subscribe":{"channel":""}}"#, "107"),
        (r#"{"id":2,"subscribe":{"channel":"a","tf":{}}}"#, "107"),
        (r#"{"id":2,"publish":{"channel":"clerks.notes","data":1}}"#, "103"),
        (r#"{"id":2,"presence":{"channel":"a"}}"#, "103"),
        (r#"{"id":2,"history":{"channel":"nothing"}}"#, "108"),
        (r#"{"id":2,"rpc":{"method":"x"}}"#, "104"),
        (r#"{"id":2,"nonsense":{}}"#, "107"),
    ];
    for (line, wanted) in refused {
        assert_eq!(code(ada.ask(line).await), wanted, "{line}");
    }
    let mut carl = Socket::open(http_address(&server), "/connection/websocket").await;
    carl.ask(&CONNECT.replace("\"user\":\"postgres\"", "\"user\":\"carl\"")).await;
    let two = "{\"id\":2,\"subscribe\":{\"channel\":\"clerks.notes\"}}\n{\"id\":3,\"publish\":{\"channel\":\"clerks.notes\",\"data\":{\"a\":1}}}";
    carl.send(two).await;
    let mut lines = String::new();
    while !(lines.contains("\"id\":3") && lines.contains("\"push\"")) {
        lines.push_str(&carl.next().await.unwrap());
        lines.push('\n');
    }
    assert!(lines.find("\"id\":2").unwrap() < lines.find("\"id\":3").unwrap(), "{lines}");
    assert!(lines.contains(r#""pub":{"data":{"a":1},"offset":1,"info":{"client":"#), "{lines}");
    assert_eq!(code(carl.ask(r#"{"id":4,"subscribe":{"channel":"clerks.notes"}}"#).await), "105");
    let stopped = tokio::spawn(server.stop());
    assert_eq!(carl.close_code().await, 3001);
    assert_eq!(ada.close_code().await, 3001);
    stopped.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn queries_over_sockets_take_places_of_sessions_and_end_with_the_server() {
    let server = Server::start_with(|configuration| {
        configuration.http_listen = HttpListen::At("127.0.0.1:0".to_owned());
        configuration.max_connections = 2;
    })
    .await;
    let query =
        |id: u32, sql: &str| format!(r#"{{"id":{id},"rpc":{{"method":"sql.query","data":{{"sql":"{sql}"}}}}}}"#);
    let sql = server.client().await;
    let mut first = Socket::open(http_address(&server), "/connection/websocket").await;
    first.ask(CONNECT).await;
    assert!(first.ask(&query(2, "SELECT 1")).await.contains(r#""rpc":{"data":{"query":1}}"#));
    hear(&mut first, "\"done\"").await;
    let mut second = Socket::open(http_address(&server), "/connection/websocket").await;
    second.ask(CONNECT).await;
    second.send(&query(2, "SELECT 1")).await;
    hear(&mut second, "53300").await;
    // The place comes back with the socket's end, and the query goes well then.
    drop(first);
    loop {
        second.send(&query(3, "SELECT 1")).await;
        if hear(&mut second, "\"status\"").await.contains("\"done\"") {
            break;
        }
    }
    second.send(&query(4, "SELECT pg_sleep(600)")).await;
    hear(&mut second, "\"progress\"").await;
    drop(sql);
    // A stop ends what runs.
    let stopped = tokio::spawn(server.stop());
    while second.next().await.is_ok() {}
    stopped.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn more_subscriptions_than_there_may_be_are_refused() {
    let server = server_with(Vec::new()).await;
    let mut socket = Socket::open(http_address(&server), "/connection/websocket").await;
    socket.ask(CONNECT).await;
    for number in 0..1_000 {
        let answer = socket.ask(&format!("{{\"id\":2,\"subscribe\":{{\"channel\":\"c{number}\"}}}}")).await;
        assert!(answer.contains("epoch"), "{answer}");
    }
    assert!(socket.ask(r#"{"id":2,"subscribe":{"channel":"more"}}"#).await.contains("106"));
    // Five places there are; a sixth client has to come later.
    let mut others = Vec::new();
    for _ in 0..4 {
        others.push(Socket::open(http_address(&server), "/connection/websocket").await);
    }
    assert_eq!(status_of(http_address(&server), "/connection/websocket", UPGRADE).await, 503);
    assert_eq!(status_of(http_address(&server), "/healthz", "").await, 200);
    drop(others);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_resumed_where_they_ended() {
    let server = server_with(Vec::new()).await;
    let (address, sql) = (http_address(&server), server.client().await);
    assert_eq!(status_of(address, "/sse?user=postgres", "").await, 400);
    assert_eq!(status_of(address, "/sse?channel=c&user=nobody", "").await, 401);
    assert_eq!(status_of(address, "/sse?channel=c", "").await, 401);
    let path = "/sse?channel=c%20d&user=postgres";
    let mut first = ask(address, path, "").await;
    let answer = read_until(&mut first, "\n\n\r\n").await;
    assert!(answer.contains("content-type: text/event-stream"), "{answer}");
    sql.batch_execute("notify \"c d\", E'one\\ntwo'").await.unwrap();
    let event = read_until(&mut first, "\n\n\r\n").await;
    let id = event.split("id: ").nth(1).unwrap().split('\n').next().unwrap().to_owned();
    assert!(id.ends_with(":1") && event.contains("data: one\ndata: two\n\n"), "{event}");
    drop(first);
    sql.batch_execute("notify \"c d\", 'missed'; notify \"c d\", 'too'").await.unwrap();
    let mut second = ask(address, path, &format!("Last-Event-ID: {id}\r\n")).await;
    let events = read_until(&mut second, "data: too\n\n").await;
    assert!(events.contains(":2\ndata: missed\n\n"), "{events}");
    let mut third = ask(address, path, "Last-Event-ID: other-1:1\r\n").await;
    assert!(read_until(&mut third, "\n\n\r\n").await.contains("event: gap\n"));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bare_payloads_come_as_messages() {
    let server = server_with(Vec::new()).await;
    let (address, sql) = (http_address(&server), server.client().await);
    let mut socket = Socket::open(address, "/listen/orders?user=postgres").await;
    sql.batch_execute("notify orders, 'one'; notify other; notify orders, '{\"a\": 1}'").await.unwrap();
    assert_eq!(socket.next().await, Ok("one".to_owned()));
    assert_eq!(socket.next().await, Ok("{\"a\": 1}".to_owned()));
    socket.send_frame(0x88, &[]).await;
    assert_eq!(socket.close_code().await, 1000);
    assert_eq!(status_of(address, "/listen/orders", UPGRADE).await, 401);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_holds_a_connection_without_asking_loses_it() {
    let server = server_with(Vec::new()).await;
    let address = http_address(&server);
    let mut silent = Vec::new();
    for number in 0..nqdb_web::CONNECTIONS_MAX {
        let mut stream = TcpStream::connect(address).await.unwrap();
        if number % 2 == 0 {
            stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: ").await.unwrap();
        }
        silent.push(stream);
    }
    assert_eq!(status_of(address, "/healthz", "").await, 200);
    server.stop().await;
}
