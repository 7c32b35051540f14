//! Who hears it.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::Arc;

use serde_json::Value;
use tokio::sync::Barrier;
use tokio_postgres::{AsyncMessage, NoTls};

use super::{LAST, channel};
use crate::channel_client::ChannelClient;

/// Faults that one hearer tells of.
const FAULTS_MAX: usize = 10;

/// What somebody has heard.
#[derive(Debug, Default)]
pub(super) struct Heard {
    name: String,
    /// By channel: the number that came last, and whether the channel has ended.
    channels: BTreeMap<String, (u64, bool)>,
    faults: Vec<String>,
}

impl Heard {
    fn new(name: String) -> Heard {
        Heard { name, ..Heard::default() }
    }

    fn fault(&mut self, message: String) {
        if self.faults.len() < FAULTS_MAX {
            self.faults.push(format!("{}: {message}", self.name));
        }
    }

    fn hear(&mut self, channel: &str, payload: &str) {
        let (before, has_ended) = self.channels.entry(channel.to_owned()).or_default();
        if payload == LAST {
            *has_ended = true;
            return;
        }
        let before = std::mem::replace(before, payload.parse().unwrap_or(*before));
        if payload.parse() != Ok(before + 1) {
            self.fault(format!("{channel}: {payload} after {before}"));
        }
    }

    fn is_over(&self, channels: u64) -> bool {
        self.channels.values().filter(|(_, has_ended)| *has_ended).count() as u64 == channels
    }

    /// What is wrong with it, where so many messages were committed on the channels.
    pub(super) fn faults_against(mut self, committed: &[u64]) -> Vec<String> {
        for (number, committed) in (0..).zip(committed) {
            let channel = channel(number);
            let (last, _) = self.channels.get(&channel).copied().unwrap_or_default();
            if last != *committed {
                self.fault(format!("{channel}: {last} of {committed}"));
            }
        }
        self.faults
    }
}

/// A session that listens.
pub(super) async fn by_listen(name: String, target: String, channels: u64, ready: Arc<Barrier>) -> Heard {
    let mut heard = Heard::new(name);
    let (client, mut connection) = match tokio_postgres::connect(&target, NoTls).await {
        Ok(connected) => connected,
        Err(error) => {
            heard.fault(error.to_string());
            ready.wait().await;
            return heard;
        }
    };
    let listen: Vec<String> = (0..channels).map(|number| format!("LISTEN {}", channel(number))).collect();
    let begun = tokio::spawn(async move {
        let begun = client.batch_execute(&listen.join("; ")).await;
        ready.wait().await;
        // The session ends with its client.
        begun.map(|()| client)
    });
    while !heard.is_over(channels) {
        match poll_fn(|context| connection.poll_message(context)).await {
            Some(Ok(AsyncMessage::Notification(said))) => heard.hear(said.channel(), said.payload()),
            Some(Ok(_)) => {}
            Some(Err(error)) => {
                heard.fault(error.to_string());
                break;
            }
            None => {
                heard.fault("the session has ended".to_owned());
                break;
            }
        }
    }
    if let Ok(Err(error)) = begun.await {
        heard.fault(error.to_string());
    }
    heard
}

/// A client over a WebSocket.
pub(super) async fn by_web_socket(name: String, port: u16, channels: u64, ready: Arc<Barrier>) -> Heard {
    let mut heard = Heard::new(name);
    let connected = subscribed(port, channels).await;
    ready.wait().await;
    let mut client = match connected {
        Ok(client) => client,
        Err(error) => {
            heard.fault(error.to_string());
            return heard;
        }
    };
    let mut offsets: BTreeMap<String, u64> = BTreeMap::new();
    while !heard.is_over(channels) {
        match client.publication().await {
            Ok(said) => {
                let offset = offsets.entry(said.channel.clone()).or_default();
                *offset += 1;
                if *offset != said.offset {
                    heard.fault(format!("{}: offset {} in the place of {offset}", said.channel, said.offset));
                }
                match &said.data {
                    Value::String(text) => heard.hear(&said.channel, text),
                    other => heard.hear(&said.channel, &other.to_string()),
                }
            }
            Err(error) => {
                heard.fault(error.to_string());
                break;
            }
        }
    }
    heard
}

async fn subscribed(port: u16, channels: u64) -> std::io::Result<ChannelClient> {
    let mut client = ChannelClient::connect(port).await?;
    for number in 0..channels {
        client.subscribe(&channel(number), None).await?;
    }
    Ok(client)
}
