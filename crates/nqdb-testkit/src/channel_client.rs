//! A client of channels that was written from the protocol's description alone (docs/realtime.md): one WebSocket, one command at a
//! time, everything in the order in which it comes.

use std::collections::VecDeque;
use std::io;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufStream};
use tokio::net::TcpStream;

/// A connection to `/connection/websocket`.
pub struct ChannelClient {
    stream: BufStream<TcpStream>,
    next_id: u64,
    /// Pushes that came before the reply that was awaited.
    pushes: VecDeque<Value>,
}

/// Where a subscriber is in a channel's stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub epoch: String,
    pub offset: u64,
}

/// A message of a channel.
#[derive(Clone, Debug, PartialEq)]
pub struct Publication {
    pub channel: String,
    /// 0 where the channel does not count it.
    pub offset: u64,
    pub data: Value,
}

/// What a subscription was answered.
#[derive(Clone, Debug)]
pub struct Subscribed {
    pub place: Place,
    pub was_recovering: bool,
    pub recovered: bool,
    pub publications: Vec<Publication>,
}

fn broken(message: impl ToString) -> io::Error {
    io::Error::other(message.to_string())
}

impl ChannelClient {
    /// Connects as the role `postgres` to the database `postgres`.
    pub async fn connect(http_port: u16) -> io::Result<ChannelClient> {
        let stream = TcpStream::connect(("127.0.0.1", http_port)).await?;
        stream.set_nodelay(true)?;
        let mut client = ChannelClient { stream: BufStream::new(stream), next_id: 1, pushes: VecDeque::new() };
        let request = format!(
            "GET /connection/websocket HTTP/1.1\r\nHost: 127.0.0.1:{http_port}\r\nConnection: Upgrade\r\n\
             Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        client.stream.write_all(request.as_bytes()).await?;
        client.stream.flush().await?;
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            answer.push(client.stream.read_u8().await?);
        }
        if !answer.starts_with(b"HTTP/1.1 101") {
            return Err(broken(String::from_utf8_lossy(&answer)));
        }
        let credentials = json!({ "user": "postgres", "database": "postgres" });
        client.command("connect", json!({ "data": credentials })).await?;
        Ok(client)
    }

    async fn send(&mut self, text: &str) -> io::Result<()> {
        let mut frame = vec![0x81];
        match text.len() {
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
        frame.extend(text.as_bytes());
        self.stream.write_all(&frame).await?;
        self.stream.flush().await
    }

    /// The messages of the next frame. A close frame is an error that names its code.
    async fn receive(&mut self) -> io::Result<Vec<Value>> {
        let first = self.stream.read_u8().await?;
        let length = match self.stream.read_u8().await? {
            126 => usize::from(self.stream.read_u16().await?),
            127 => usize::try_from(self.stream.read_u64().await?).map_err(broken)?,
            short => usize::from(short),
        };
        let mut payload = vec![0; length];
        self.stream.read_exact(&mut payload).await?;
        if first == 0x88 {
            let code = payload.first_chunk().map_or(0, |code| u16::from_be_bytes(*code));
            return Err(broken(format!("closed with {code}")));
        }
        let text = String::from_utf8(payload).map_err(broken)?;
        let lines = text.split('\n').filter(|line| !line.is_empty());
        lines.map(|line| serde_json::from_str(line).map_err(broken)).collect()
    }

    /// Sends a command and gives the member of the reply that has its name; a refusal is an error.
    pub async fn command(&mut self, name: &str, body: Value) -> io::Result<Value> {
        let id = self.next_id;
        self.next_id += 1;
        self.send(&json!({ "id": id, name: body }).to_string()).await?;
        let mut answer = None;
        while answer.is_none() {
            for message in self.receive().await? {
                match &message["id"] {
                    Value::Null => self.keep(message).await?,
                    found if *found == id => answer = Some(message),
                    other => return Err(broken(format!("a reply to {other}"))),
                }
            }
        }
        let answer = answer.unwrap_or_default();
        if !answer["error"].is_null() {
            return Err(broken(answer));
        }
        Ok(answer[name].clone())
    }

    async fn keep(&mut self, message: Value) -> io::Result<()> {
        if message == json!({}) {
            return self.send("{}").await;
        }
        self.pushes.push_back(message["push"].clone());
        Ok(())
    }

    /// Subscribes to a channel, from a place on where one is given.
    pub async fn subscribe(&mut self, channel: &str, since: Option<&Place>) -> io::Result<Subscribed> {
        let body = match since {
            Some(Place { epoch, offset }) => {
                json!({ "channel": channel, "recover": true, "epoch": epoch, "offset": offset })
            }
            None => json!({ "channel": channel }),
        };
        let told = self.command("subscribe", body).await?;
        let publications = told["publications"].as_array().cloned().unwrap_or_default();
        Ok(Subscribed {
            place: Place {
                epoch: told["epoch"].as_str().unwrap_or_default().to_owned(),
                offset: told["offset"].as_u64().unwrap_or_default(),
            },
            was_recovering: told["was_recovering"] == true,
            recovered: told["recovered"] == true,
            publications: publications.into_iter().map(|found| publication(channel, found)).collect(),
        })
    }

    /// The next push that comes: its channel, and what it says.
    pub async fn push(&mut self) -> io::Result<Value> {
        loop {
            if let Some(push) = self.pushes.pop_front() {
                return Ok(push);
            }
            for message in self.receive().await? {
                self.keep(message).await?;
            }
        }
    }

    /// The next publication; any other push is an error.
    pub async fn publication(&mut self) -> io::Result<Publication> {
        let push = self.push().await?;
        let channel = push["channel"].as_str().unwrap_or_default();
        if push["pub"].is_null() {
            return Err(broken(&push));
        }
        Ok(publication(channel, push["pub"].clone()))
    }
}

fn publication(channel: &str, found: Value) -> Publication {
    Publication {
        channel: channel.to_owned(),
        offset: found["offset"].as_u64().unwrap_or_default(),
        data: found["data"].clone(),
    }
}
