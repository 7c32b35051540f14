//! What system relations read of a session: its catalog, its settings, and the other sessions.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use nqdb_catalog::Snapshot;
use nqdb_pubsub::ChannelName;
use nqdb_sql::system::{
    ChannelFacts, ConnectionFacts, CursorFacts, LockObject, LockedObject, PreparedFacts, PreparedTransactionFacts,
    SessionFacts, SessionObjects, SettingFacts, SystemSession,
};
use nqdb_sql::temporary_files::TemporaryUse;
use nqdb_txn::{LockTarget, OwnerId, RelationLock};

use crate::connections::Connection;
use crate::portal::{Hold, Portal};
use crate::prepared::Prepared;
use crate::session::Session;
use crate::settings::{
    Context, DEFINITIONS, Definition, Kind, Settings, Unit, is_hidden, is_of_the_transaction, short_real,
};
use crate::surroundings::Surroundings;

/// The system catalogs of shared objects, by PostgreSQL's numbers.
const PG_AUTHID: u32 = 1260;
const PG_DATABASE: u32 = 1262;

impl SystemSession for Surroundings {
    fn catalog(&self) -> Arc<Snapshot> {
        self.catalog.borrow().clone()
    }

    fn is_superuser(&self) -> bool {
        self.is_superuser()
    }

    fn temporary_use(&self, database: u32) -> TemporaryUse {
        self.instance.temporary.usage_of(database)
    }

    fn settings(&self) -> Vec<SettingFacts> {
        let settings = self.settings.borrow();
        let facts = |definition: &Definition| {
            let shown = self.show(definition.name).ok()?;
            let plain = settings.plain_values(definition);
            // Those of the transaction are not among the settings' own values.
            let (value, reset) = match plain {
                Some(plain) if !is_of_the_transaction(definition.name) => plain,
                _ => (shown.clone(), shown),
            };
            Some(facts_of(definition, value, reset))
        };
        DEFINITIONS.iter().filter(|definition| !is_hidden(definition.name)).filter_map(facts).collect()
    }

    fn locks(&self) -> Vec<LockedObject> {
        let sessions = self.instance.registry.all();
        let owners: HashMap<OwnerId, (i32, u32)> =
            sessions.iter().map(|backend| (backend.owner(), (backend.pid(), backend.activity().database))).collect();
        let prepared = self.instance.system.prepared_transactions();
        let prepared_by = |owner: OwnerId| prepared.iter().find(|facts| facts.owner == owner);
        let here = self.catalog.borrow().clone();
        let object = |target: LockTarget, owner: OwnerId| match target {
            LockTarget::Relation(relation) => {
                let of_session = owners.get(&owner).map(|(_, database)| *database);
                let of_prepared = || prepared_by(owner).map(|facts| facts.label.database);
                let database = of_session.or_else(of_prepared).unwrap_or(here.database());
                locked_object(&here, database, relation)
            }
            LockTarget::Advisory(key) => {
                LockObject::Advisory { database: key.database, class: key.high, object: key.low, kind: key.kind() }
            }
        };
        let of_table = self.instance.system.locks().into_iter().map(|lock| LockedObject {
            object: object(lock.target, lock.owner),
            pid: owners.get(&lock.owner).map(|(pid, _)| *pid),
            prepared: prepared_by(lock.owner).map(|facts| facts.xid.0),
            mode: lock.mode.name(),
            granted: lock.granted,
        });
        let of_reads = self.instance.system.recorded_reads().into_iter().map(|read| {
            let session = read.process_id.and_then(|pid| owners.values().find(|(session, _)| *session == pid));
            let database = session.map_or(here.database(), |(_, database)| *database);
            let object = match read.range_of {
                Some(relation) => LockObject::Range { database, relation },
                None => LockObject::Relation { database, relation: read.table },
            };
            LockedObject { object, pid: read.process_id, prepared: None, mode: "SIReadLock", granted: true }
        });
        let transaction = |object: LockObject, pid: i32, granted: bool| {
            let mode = if granted { RelationLock::Exclusive } else { RelationLock::Share };
            LockedObject { object, pid: Some(pid), prepared: None, mode: mode.name(), granted }
        };
        let mut locks: Vec<LockedObject> = of_table.chain(of_reads).collect();
        for activity in sessions.iter().map(|backend| backend.activity()) {
            if activity.transaction_started_micros.is_some() {
                locks.push(transaction(LockObject::Virtual, activity.pid, true));
            }
            locks.extend(activity.transaction.map(|xid| transaction(LockObject::Transaction(xid), activity.pid, true)));
        }
        locks.extend(prepared.iter().map(|facts| LockedObject {
            object: LockObject::Transaction(facts.xid.0),
            pid: None,
            prepared: Some(facts.xid.0),
            mode: RelationLock::Exclusive.name(),
            granted: true,
        }));
        for (pid, others) in self.instance.system.transaction_waits() {
            locks.extend(others.iter().map(|xid| transaction(LockObject::Transaction(xid.0), pid, false)));
        }
        locks
    }

    fn prepared_transactions(&self) -> Vec<PreparedTransactionFacts> {
        let prepared = self.instance.system.prepared_transactions().into_iter();
        let facts = prepared.map(|facts| PreparedTransactionFacts {
            xid: facts.xid.0,
            gid: facts.label.gid,
            prepared_micros: facts.label.prepared_micros,
            role: facts.label.role,
            database: facts.label.database,
        });
        facts.collect()
    }

    fn channels(&self) -> Vec<ChannelFacts> {
        let here = self.database.database();
        let channels = self.instance.hub.channels().into_iter().filter(|channel| channel.name.database == here);
        let mut channels: Vec<ChannelFacts> = channels
            .map(|channel| ChannelFacts {
                name: channel.name.name.to_string(),
                subscribers: channel.subscribers,
                messages: channel.counts.messages,
                bytes: channel.counts.bytes,
                history: channel.history.as_ref().map_or(0, |(_, kept)| *kept),
                gaps: channel.counts.gaps,
                position: channel.history.map(|(position, _)| (position.epoch.to_string(), position.offset)),
                limits: None,
            })
            .collect();
        self.add_kept_channels(&mut channels);
        channels.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        channels
    }

    fn connections(&self) -> Vec<ConnectionFacts> {
        let facts = |connection: Arc<Connection>| {
            let identity = connection.identity();
            ConnectionFacts {
                kind: connection.kind,
                user: identity.as_ref().map(|(user, _)| user.to_string()),
                database: identity.map(|(_, database)| database),
                address: connection.address,
                connected_micros: connection.connected_micros,
                subscriptions: connection.subscriptions.load(Ordering::Relaxed),
                messages_in: connection.messages_in.load(Ordering::Relaxed),
                messages_out: connection.messages_out.load(Ordering::Relaxed),
                queue_bytes: connection.queue_bytes(),
            }
        };
        self.instance.connections.all().into_iter().map(facts).collect()
    }

    fn objects(&self) -> SessionObjects {
        self.objects.borrow().clone()
    }

    fn sessions(&self) -> Vec<SessionFacts> {
        let activities = self.instance.registry.all().into_iter().map(|backend| backend.activity());
        let mut sessions: Vec<SessionFacts> = activities
            .map(|activity| SessionFacts {
                pid: activity.pid,
                database: activity.database,
                user: activity.user,
                application_name: activity.application_name,
                state: activity.state,
                query: activity.query.to_string(),
                started_micros: activity.started_micros,
                statement_started_micros: activity.statement_started_micros,
                transaction_started_micros: activity.transaction_started_micros,
                state_changed_micros: activity.state_changed_micros,
                transaction: activity.transaction,
                wait: activity.wait,
            })
            .collect();
        sessions.sort_unstable_by_key(|session| session.pid);
        sessions
    }
}

impl Surroundings {
    /// What is known of channels whose messages are kept, whether somebody is there or not.
    fn add_kept_channels(&self, channels: &mut Vec<ChannelFacts>) {
        for table in self.catalog.borrow().channels() {
            let Some(kept) = &table.channel else { continue };
            let name = ChannelName { database: self.database.database(), name: table.name.as_str().into() };
            let (newest, history) = self.instance.kept_facts(&name).unwrap_or_else(|error| {
                tracing::warn!(channel = table.name, %error, "the messages of a channel could not be counted");
                (0, 0)
            });
            let position = Some((kept.epoch.clone(), newest));
            let limits = Some(kept.limits);
            match channels.iter_mut().find(|channel| channel.name == table.name) {
                Some(channel) => (channel.history, channel.position, channel.limits) = (history, position, limits),
                None => {
                    let name = table.name.clone();
                    let (subscribers, messages, bytes, gaps) = (0, 0, 0, 0);
                    channels.push(ChannelFacts { name, subscribers, messages, bytes, history, gaps, position, limits });
                }
            }
        }
    }
}

/// What a number in the table of locks stands for: something that all databases share, or an object of the database whose
/// session holds the lock.
fn locked_object(catalog: &Snapshot, database: u32, number: u32) -> LockObject {
    if catalog.role_by_oid(number).is_some() {
        return LockObject::Shared { class: PG_AUTHID, object: number };
    }
    if catalog.database_by_oid(number).is_some() {
        return LockObject::Shared { class: PG_DATABASE, object: number };
    }
    LockObject::Relation { database, relation: number }
}

impl Session {
    /// Describes cursors and prepared statements for a statement that reads of them.
    pub(crate) fn describe_objects(&mut self) {
        let cursor = |(name, portal): (&String, &Portal)| CursorFacts {
            name: name.clone(),
            statement: portal.statement.parsed.tokens.text().to_owned(),
            is_holdable: portal.scroll.hold != Hold::No,
            is_binary: portal.scroll.is_binary,
            is_scrollable: portal.scroll.is_scrollable,
            created_micros: portal.created_micros,
        };
        let named = self.prepared.iter().filter(|(name, _)| !name.is_empty());
        let prepared = |(name, prepared): (&String, &Prepared)| PreparedFacts {
            name: name.clone(),
            statement: prepared.statement.parsed.tokens.text().to_owned(),
            prepared_micros: prepared.prepared_micros,
            parameter_types: prepared.statement.parameters.to_vec(),
            from_sql: prepared.from_sql,
            executions: prepared.executions,
        };
        let mut objects = SessionObjects {
            cursors: self.portals.iter().map(cursor).collect(),
            prepared: named.map(prepared).collect(),
        };
        objects.cursors.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        objects.prepared.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        self.surroundings.objects.replace(objects);
    }
}

fn facts_of(definition: &Definition, value: String, reset: String) -> SettingFacts {
    let (kind, min, max, unit, choices): (_, _, _, _, &'static [&'static str]) = match definition.kind {
        Kind::Bool => ("bool", None, None, None, &[]),
        Kind::Integer { min, max, unit } => {
            ("integer", Some(min.to_string()), Some(max.to_string()), unit_name(unit), &[])
        }
        Kind::Real { min, max, unit } => ("real", Some(short_real(min)), Some(short_real(max)), unit_name(unit), &[]),
        Kind::Choice(choices) => ("enum", None, None, None, choices),
        _ => ("string", None, None, None, &[]),
    };
    let default = Settings::plain_default(definition);
    SettingFacts {
        name: definition.name,
        source: match (value == reset, reset == default) {
            (false, _) => "session",
            (true, true) => "default",
            // The start-up packet, or the server's own options.
            (true, false) => "client",
        },
        value,
        reset,
        default,
        unit,
        description: definition.description,
        context: match definition.context {
            Context::Internal => "internal",
            Context::Server => "postmaster",
            Context::Superuser => "superuser",
            Context::User => "user",
        },
        kind,
        min,
        max,
        choices,
    }
}

fn unit_name(unit: Unit) -> Option<&'static str> {
    match unit {
        Unit::None => None,
        Unit::Bytes => Some("B"),
        Unit::Milliseconds => Some("ms"),
        Unit::Kilobytes => Some("kB"),
        Unit::Pages => Some("8kB"),
        Unit::Seconds => Some("s"),
    }
}
