//! HTTP and WebSockets as their clients have them, on the wire.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Server;

const PATIENCE: Duration = Duration::from_secs(20);
pub const CONNECT: &str = r#"{"id":1,"connect":{"data":{"user":"postgres","database":"postgres"}}}"#;

pub fn http_address(server: &Server) -> SocketAddr {
    server.running().http_address().expect("HTTP is on")
}

/// A request with its headers, without a body.
pub async fn ask(address: SocketAddr, path: &str, headers: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

/// Everything up to, and with, some text.
pub async fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let read = async {
        let mut bytes = Vec::new();
        while !bytes.ends_with(end.as_bytes()) {
            bytes.push(stream.read_u8().await.expect("the connection stands"));
        }
        String::from_utf8(bytes).unwrap()
    };
    timeout(PATIENCE, read).await.expect("it comes in time")
}

pub const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// The status of a request.
pub async fn status_of(address: SocketAddr, path: &str, headers: &str) -> u16 {
    let mut stream = ask(address, path, headers).await;
    read_until(&mut stream, "\r\n").await.split(' ').nth(1).unwrap().parse().unwrap()
}

/// A WebSocket, as a client has it.
pub struct Socket(pub TcpStream);

impl Socket {
    pub async fn open(address: SocketAddr, path: &str) -> Socket {
        let mut stream = ask(address, path, UPGRADE).await;
        let answer = read_until(&mut stream, "\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 101"), "{answer}");
        assert!(answer.contains("sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{answer}");
        Socket(stream)
    }

    pub async fn send_frame(&mut self, first: u8, payload: &[u8]) {
        let mut frame = vec![first];
        match payload.len() {
            length @ 0..126 => frame.push(0x80 | length as u8),
            length @ 126..0x1_0000 => {
                frame.push(0x80 | 126);
                frame.extend((length as u16).to_be_bytes());
            }
            length => {
                frame.push(0x80 | 127);
                frame.extend((length as u64).to_be_bytes());
            }
        }
        // A mask of zeros changes nothing.
        frame.extend([0; 4]);
        frame.extend(payload);
        self.0.write_all(&frame).await.unwrap();
    }

    pub async fn send(&mut self, text: &str) {
        self.send_frame(0x81, text.as_bytes()).await;
    }

    /// The next frame: a text, or the code of a close frame.
    pub async fn next(&mut self) -> Result<String, u16> {
        let read = async {
            let first = self.0.read_u8().await.expect("the connection stands");
            let length = match self.0.read_u8().await.unwrap() {
                126 => usize::from(self.0.read_u16().await.unwrap()),
                127 => self.0.read_u64().await.unwrap() as usize,
                short => usize::from(short),
            };
            let mut payload = vec![0; length];
            self.0.read_exact(&mut payload).await.unwrap();
            match first {
                0x88 => Err(u16::from_be_bytes([payload[0], payload[1]])),
                _ => Ok(String::from_utf8(payload).unwrap()),
            }
        };
        timeout(PATIENCE, read).await.expect("it comes in time")
    }

    /// The code that ends the connection, after whatever else comes.
    pub async fn close_code(&mut self) -> u16 {
        loop {
            if let Err(code) = self.next().await {
                return code;
            }
        }
    }

    pub async fn ask(&mut self, line: &str) -> String {
        self.send(line).await;
        self.next().await.expect("an answer")
    }
}

/// Reads until a message has some text.
pub async fn hear(socket: &mut Socket, wanted: &str) -> String {
    loop {
        let message = socket.next().await.unwrap();
        if message.contains(wanted) {
            return message;
        }
    }
}
