//! A client that writes messages as bytes and renders every answer as a line of text.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// One message of the frontend.
#[derive(Clone, Debug)]
pub enum Send {
    Query(&'static str),
    Parse(&'static str, &'static str),
    /// Portal, statement, text parameters.
    Bind(&'static str, &'static str, &'static [&'static str]),
    DescribeStatement(&'static str),
    DescribePortal(&'static str),
    Execute(&'static str, i32),
    CloseStatement(&'static str),
    ClosePortal(&'static str),
    CopyData(&'static str),
    CopyDone,
    CopyFail(&'static str),
    Flush,
    Sync,
}

/// A message with its length filled in.
pub fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag];
    bytes.extend_from_slice(&(body.len() as u32 + 4).to_be_bytes());
    bytes.extend_from_slice(body);
    bytes
}

fn text(body: &mut Vec<u8>, text: &str) {
    body.extend_from_slice(text.as_bytes());
    body.push(0);
}

impl Send {
    pub fn encode(&self) -> Vec<u8> {
        let mut body = Vec::new();
        let tag = match self {
            Send::Query(sql) => {
                text(&mut body, sql);
                b'Q'
            }
            Send::Parse(name, sql) => {
                text(&mut body, name);
                text(&mut body, sql);
                body.extend_from_slice(&[0, 0]);
                b'P'
            }
            Send::Bind(portal, statement, parameters) => {
                text(&mut body, portal);
                text(&mut body, statement);
                body.extend_from_slice(&[0, 0]);
                body.extend_from_slice(&(parameters.len() as u16).to_be_bytes());
                for parameter in *parameters {
                    body.extend_from_slice(&(parameter.len() as u32).to_be_bytes());
                    body.extend_from_slice(parameter.as_bytes());
                }
                body.extend_from_slice(&[0, 0]);
                b'B'
            }
            Send::DescribeStatement(name) => {
                body.push(b'S');
                text(&mut body, name);
                b'D'
            }
            Send::DescribePortal(name) => {
                body.push(b'P');
                text(&mut body, name);
                b'D'
            }
            Send::Execute(portal, rows) => {
                text(&mut body, portal);
                body.extend_from_slice(&rows.to_be_bytes());
                b'E'
            }
            Send::CloseStatement(name) => {
                body.push(b'S');
                text(&mut body, name);
                b'C'
            }
            Send::ClosePortal(name) => {
                body.push(b'P');
                text(&mut body, name);
                b'C'
            }
            Send::CopyData(data) => {
                body.extend_from_slice(data.as_bytes());
                b'd'
            }
            Send::CopyDone => b'c',
            Send::CopyFail(reason) => {
                text(&mut body, reason);
                b'f'
            }
            Send::Flush => b'H',
            Send::Sync => b'S',
        };
        message(tag, &body)
    }

    /// Whether the server answers with ReadyForQuery, unless it waits for COPY data.
    fn awaits_ready(&self) -> bool {
        matches!(self, Send::Query(_) | Send::Sync)
    }
}

/// A connection that is logged in.
pub struct Raw {
    pub stream: TcpStream,
    pub pid: i32,
    pub secret: i32,
}

const PATIENCE: Duration = Duration::from_secs(20);

impl Raw {
    /// Connects without TLS as `postgres`.
    pub async fn connect(address: SocketAddr) -> Raw {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let mut body = 196_608u32.to_be_bytes().to_vec();
        for word in ["user", "postgres", "database", "postgres", "client_min_messages", "notice"] {
            text(&mut body, word);
        }
        body.push(0);
        let mut packet = (body.len() as u32 + 4).to_be_bytes().to_vec();
        packet.extend_from_slice(&body);
        stream.write_all(&packet).await.unwrap();
        let mut raw = Raw { stream, pid: 0, secret: 0 };
        loop {
            let (tag, body) = raw.read().await.expect("the login is answered");
            match tag {
                b'K' => {
                    raw.pid = i32::from_be_bytes(body[..4].try_into().unwrap());
                    raw.secret = i32::from_be_bytes(body[4..8].try_into().unwrap());
                }
                b'Z' => return raw,
                b'E' => panic!("refused: {}", render(tag, &body)),
                _ => {}
            }
        }
    }

    pub async fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    /// The next message; `None` when the server has closed the connection.
    pub async fn read(&mut self) -> Option<(u8, Vec<u8>)> {
        let read = async {
            let tag = self.stream.read_u8().await.ok()?;
            let length = self.stream.read_u32().await.ok()?;
            let mut body = vec![0; length as usize - 4];
            self.stream.read_exact(&mut body).await.ok()?;
            Some((tag, body))
        };
        tokio::time::timeout(PATIENCE, read).await.expect("the server answers in time")
    }

    /// Everything up to ReadyForQuery or the end of the connection, as lines.
    pub async fn answers(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        while let Some((tag, body)) = self.read().await {
            lines.push(render(tag, &body));
            if tag == b'Z' || tag == b'G' {
                return lines;
            }
        }
        lines.push("closed".to_owned());
        lines
    }

    /// Sends messages and gives all answers as lines.
    pub async fn replay(&mut self, messages: &[Send]) -> Vec<String> {
        let mut lines = Vec::new();
        let mut copying = false;
        for message in messages {
            self.write(&message.encode()).await;
            let ends_copy = copying && matches!(message, Send::CopyDone | Send::CopyFail(_));
            if message.awaits_ready() || ends_copy {
                let new = self.answers().await;
                copying = new.last().is_some_and(|line| line.starts_with('G'));
                lines.extend(new);
            }
        }
        lines
    }
}

/// A message as a line: what users and drivers see of it, without numbers that differ between servers.
pub fn render(tag: u8, body: &[u8]) -> String {
    let mut line = String::from(tag as char);
    match tag {
        b'E' | b'N' => {
            let mut fields = body.split(|byte| *byte == 0);
            while let Some(field) = fields.next().filter(|field| !field.is_empty()) {
                let (kind, value) = (field[0], String::from_utf8_lossy(&field[1..]));
                if matches!(kind, b'S' | b'C' | b'M' | b'D' | b'H' | b'P' | b'W') {
                    write!(line, " {}={value}", kind as char).unwrap();
                }
            }
        }
        b'T' => {
            let mut at = 2;
            while at < body.len() {
                let end = at + body[at..].iter().position(|byte| *byte == 0).unwrap();
                let name = String::from_utf8_lossy(&body[at..end]);
                let oid = u32::from_be_bytes(body[end + 7..end + 11].try_into().unwrap());
                let length = i16::from_be_bytes(body[end + 11..end + 13].try_into().unwrap());
                let typmod = i32::from_be_bytes(body[end + 13..end + 17].try_into().unwrap());
                write!(line, " {name}:{oid}/{length}/{typmod}").unwrap();
                at = end + 19;
            }
        }
        b'D' => {
            let mut at = 2;
            while at < body.len() {
                let length = i32::from_be_bytes(body[at..at + 4].try_into().unwrap());
                at += 4;
                match usize::try_from(length) {
                    Ok(length) => {
                        write!(line, " [{}]", String::from_utf8_lossy(&body[at..at + length])).unwrap();
                        at += length;
                    }
                    Err(_) => line.push_str(" NULL"),
                }
            }
        }
        b'C' => write!(line, " {}", String::from_utf8_lossy(&body[..body.len() - 1])).unwrap(),
        b'Z' => write!(line, " {}", body[0] as char).unwrap(),
        b't' => {
            for oid in body[2..].chunks_exact(4) {
                write!(line, " {}", u32::from_be_bytes(oid.try_into().unwrap())).unwrap();
            }
        }
        b'S' => write!(line, " {}", String::from_utf8_lossy(body).replace('\0', " ").trim_end()).unwrap(),
        b'd' => write!(line, " {}", String::from_utf8_lossy(body).trim_end()).unwrap(),
        _ => {}
    }
    line
}
