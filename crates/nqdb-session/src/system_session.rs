//! What system relations read of a session: its catalog, its settings, and the other sessions.

use std::sync::Arc;

use nqdb_catalog::Snapshot;
use nqdb_sql::system::{SessionFacts, SettingFacts, SystemSession};

use crate::settings::{Context, DEFINITIONS, Definition, Kind, Unit};
use crate::surroundings::Surroundings;

impl SystemSession for Surroundings {
    fn catalog(&self) -> Arc<Snapshot> {
        self.catalog.borrow().clone()
    }

    fn is_superuser(&self) -> bool {
        self.is_superuser()
    }

    fn settings(&self) -> Vec<SettingFacts> {
        let settings = self.settings.borrow();
        let facts = |definition: &Definition| {
            let shown = self.show(definition.name).ok()?;
            let value = settings.plain_value(definition.name).unwrap_or(shown);
            Some(facts_of(definition, value))
        };
        DEFINITIONS.iter().filter_map(facts).collect()
    }

    fn sessions(&self) -> Vec<SessionFacts> {
        let activities = self.instance.registry.all().into_iter().map(|backend| backend.activity());
        let mut sessions: Vec<SessionFacts> = activities
            .map(|activity| SessionFacts {
                pid: activity.pid,
                user: activity.user,
                application_name: activity.application_name,
                state: activity.state,
                query: activity.query.to_string(),
                started_micros: activity.started_micros,
                statement_started_micros: activity.statement_started_micros,
            })
            .collect();
        sessions.sort_unstable_by_key(|session| session.pid);
        sessions
    }
}

fn facts_of(definition: &Definition, value: String) -> SettingFacts {
    let (kind, min, max, unit, choices): (_, _, _, _, &'static [&'static str]) = match definition.kind {
        Kind::Bool => ("bool", None, None, None, &[]),
        Kind::Integer { min, max, unit } => {
            ("integer", Some(min.to_string()), Some(max.to_string()), unit_name(unit), &[])
        }
        Kind::Real { min, max } => ("real", Some(min.to_string()), Some(max.to_string()), None, &[]),
        Kind::Choice(choices) => ("enum", None, None, None, choices),
        _ => ("string", None, None, None, &[]),
    };
    SettingFacts {
        name: definition.name,
        changed: value != definition.default,
        value,
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
        default: definition.default,
    }
}

fn unit_name(unit: Unit) -> Option<&'static str> {
    match unit {
        Unit::None => None,
        Unit::Milliseconds => Some("ms"),
        Unit::Kilobytes => Some("kB"),
        Unit::Pages => Some("8kB"),
        Unit::Seconds => Some("s"),
    }
}
