//! The live queries that one client follows (`nqdb_session`, `live`).
//!
//! A client gives each query a name of its own, `live:` and what it likes, and the text in the `data` of its subscription:
//! `{"sql": "SELECT ...", "params": [...], "key": [...]}`. So it needs no other command, and a client that comes back
//! subscribes as it always does: it is given the result as it is then.

use std::collections::HashMap;
use std::sync::Arc;

use nqdb_pubsub::{ChannelName, Subscriber};
use nqdb_session::{Admission, Instance, LiveFollower, LiveRequest};
use nqdb_sqlstate::SqlError;
use serde::Deserialize;
use serde_json::Value;

use super::protocol::{self, Refusal};

/// What the names of channels begin with that are live queries.
pub const LIVE_PREFIX: &str = "live:";
/// Live queries of one client.
const QUERIES_MAX: usize = 32;

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Data {
    sql: String,
    params: Vec<Value>,
    key: Option<Vec<String>>,
}

/// What a subscription's `data` asks for.
pub fn request_of(data: Value) -> Result<LiveRequest, Refusal> {
    let data: Data = serde_json::from_value(data).map_err(|_| protocol::BAD_REQUEST)?;
    if data.sql.trim().is_empty() {
        return Err(protocol::BAD_REQUEST);
    }
    let text = |value: Value| match value {
        Value::Null => None,
        Value::String(text) => Some(text),
        other => Some(other.to_string()),
    };
    Ok(LiveRequest { sql: data.sql, parameters: data.params.into_iter().map(text).collect(), key: data.key })
}

/// By the names that the client gave them.
#[derive(Default)]
pub struct LiveSubscriptions(HashMap<Arc<str>, LiveFollower>);

impl LiveSubscriptions {
    /// Follows a query under a name; gives its result.
    pub async fn follow(
        &mut self,
        instance: &Arc<Instance>,
        who: &Admission,
        name: &Arc<str>,
        request: LiveRequest,
        subscriber: &Subscriber,
    ) -> Result<Value, Refusal> {
        if self.0.len() >= QUERIES_MAX {
            return Err(protocol::LIMIT_EXCEEDED);
        }
        let mut follower =
            instance.follow_query(who, request, subscriber).await.map_err(|error| protocol::query_failed(&error))?;
        let result = serde_json::from_str(&std::mem::take(&mut follower.result));
        self.0.insert(name.clone(), follower);
        result.map_err(|error| {
            tracing::error!(%error, "the result of a live query is no JSON");
            protocol::INTERNAL
        })
    }

    /// Follows a query no longer; `false` when there is none of that name.
    pub fn leave(&mut self, name: &str, subscriber: &Subscriber, now_millis: u64) -> bool {
        let Some(follower) = self.0.remove(name) else { return false };
        if !self.0.values().any(|other| other.channel() == follower.channel()) {
            subscriber.unsubscribe(follower.channel(), now_millis);
        }
        true
    }

    /// The names under which a query is followed, in their order.
    pub fn names_of(&self, channel: &ChannelName) -> Vec<Arc<str>> {
        let of_channel = self.0.iter().filter(|(_, follower)| follower.channel() == channel);
        let mut names: Vec<Arc<str>> = of_channel.map(|(name, _)| name.clone()).collect();
        names.sort_unstable();
        names
    }

    /// Why nothing comes of a query any more.
    pub fn failure(&self, name: &str) -> Option<SqlError> {
        self.0.get(name)?.failure()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_request_is_a_query_with_its_parameters() {
        let data = json!({ "sql": "SELECT $1, $2, $3", "params": [17, "a", null], "key": ["id"] });
        let request = request_of(data).unwrap();
        assert_eq!(request.parameters, [Some("17".to_owned()), Some("a".to_owned()), None]);
        assert_eq!(request.key, Some(vec!["id".to_owned()]));
        for broken in [Value::Null, json!({}), json!({ "sql": " " }), json!({ "sql": "x", "parameters": [] })] {
            assert_eq!(request_of(broken), Err(protocol::BAD_REQUEST));
        }
    }
}
