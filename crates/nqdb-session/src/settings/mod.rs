//! One session's settings: current values, SET LOCAL, and what a rollback takes back.
//!
//! What always holds:
//! 1. Each setting has three values: the one in force, the one that stays after COMMIT (they differ after SET LOCAL),
//!    and the one that RESET goes back to (the default, or what the client asked for at start).
//! 2. Every change inside a transaction is noted with the values before it; ROLLBACK and ROLLBACK TO undo the notes
//!    from the end, COMMIT makes the staying value the one in force again.
//! 3. [`Settings::effective`] holds the values that the server itself reads, already decoded; it is never stale.
//!
//! `transaction_isolation` and its like are described here and obeyed by the transaction block.

mod advice;
mod definition;
mod search_path;
mod value;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use nqdb_catalog::Snapshot;
use nqdb_sql::interruption::Interruption;
use nqdb_sql::plan::{ExecutorChoice, PlanContext};
use nqdb_sqlstate::{
    CANT_CHANGE_RUNTIME_PARAM, FEATURE_NOT_SUPPORTED, INSUFFICIENT_PRIVILEGE, INVALID_NAME, INVALID_PARAMETER_VALUE,
    NoticeSeverity, SqlError, SqlResult, UNDEFINED_OBJECT,
};
use nqdb_types::{ByteaOutput, DateStyle, FormatContext, IntervalStyle, NoUserTypes, TimeZone, TypeCatalog};

use definition::position;
pub use definition::{Context, DEFINITIONS, Definition, Kind, SERVER_VERSION, Unit};
pub use search_path::{quote as quote_identifier, split as split_search_path};
use value::Value;
pub use value::{parse_bool, short_real};

/// Which setting: a position in the table, or the lower-case name of a custom one (`my.setting`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Known(usize),
    Custom(String),
}

/// The three values of one setting; `None` where a custom one does not exist.
#[derive(Clone, Debug, Default, PartialEq)]
struct Values {
    current: Option<Value>,
    staying: Option<Value>,
    reset: Option<Value>,
}

/// Who asks for a change: it decides what [`Context`] allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authority {
    /// The server's own configuration, before the session exists.
    Server,
    Superuser,
    User,
}

/// What a statement may hold however small `work_mem` is: a small one makes statements slow, and lets none fail.
pub const STATEMENT_MEMORY_MIN_BYTES: usize = 128 << 20;
/// What a statement may hold for each byte of `work_mem`: that is what each of its operators may.
const OPERATORS_AT_ONCE: usize = 4;

/// A place in the notes of the transaction, taken with a savepoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SettingsMark(usize);

/// The settings of one session.
#[derive(Clone, Debug)]
pub struct Settings {
    values: BTreeMap<Key, Values>,
    notes: Vec<(Key, Option<Value>, Option<Value>)>,
    effective: Effective,
    /// Reported settings whose value may have changed since [`Settings::take_reports`].
    unreported: Vec<usize>,
    /// What the client was told last.
    reported: BTreeMap<usize, String>,
    generation: u64,
}

/// Decoded values.
#[derive(Clone, Debug)]
pub struct Effective {
    /// Formats, with the time of the transaction left at 0.
    pub format: FormatContext,
    pub search_path: Vec<String>,
    pub statement_timeout: Option<Duration>,
    pub lock_timeout: Option<Duration>,
    pub deadlock_timeout: Duration,
    pub idle_in_transaction_timeout: Option<Duration>,
    pub idle_session_timeout: Option<Duration>,
    /// What a sort, a hash table or kept rows may hold before they go on with files: `work_mem`.
    pub work_memory_bytes: usize,
    /// What the temporary files of the session may hold: `temp_file_limit`.
    pub temporary_limit_bytes: Option<u64>,
    pub client_min_messages: NoticeSeverity,
    /// `client_min_messages = error`: no notice at all.
    pub notices_off: bool,
    pub default_isolation: String,
    pub default_read_only: bool,
    pub default_deferrable: bool,
    pub planner: PlannerSettings,
}

impl Effective {
    /// What a statement may hold in all.
    pub fn statement_memory_bytes(&self) -> usize {
        self.work_memory_bytes.saturating_mul(OPERATORS_AT_ONCE).max(STATEMENT_MEMORY_MIN_BYTES)
    }
}

/// The `enable_*` settings that the planner obeys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlannerSettings {
    pub seqscan: bool,
    pub indexscan: bool,
    pub hashjoin: bool,
    pub nestloop: bool,
    pub sort: bool,
    pub executor: ExecutorChoice,
}

impl PlannerSettings {
    /// For a statement bound against one version of the catalog.
    pub fn context(
        self,
        catalog: &Arc<Snapshot>,
        types: Arc<dyn TypeCatalog>,
        interruption: Interruption,
    ) -> PlanContext {
        PlanContext {
            catalog_version: catalog.version,
            catalog: Some(catalog.clone()),
            enable_seqscan: self.seqscan,
            enable_indexscan: self.indexscan,
            enable_hashjoin: self.hashjoin,
            enable_nestloop: self.nestloop,
            enable_sort: self.sort,
            executor: self.executor,
            types,
            interruption,
        }
    }
}

impl Settings {
    /// PostgreSQL's defaults.
    pub fn new() -> Settings {
        let mut values = BTreeMap::new();
        for (at, definition) in DEFINITIONS.iter().enumerate() {
            let value = Value::parse(definition, definition.default, definition.default)
                .expect("a test reads every default of the table");
            values.insert(
                Key::Known(at),
                Values { current: Some(value.clone()), staying: Some(value.clone()), reset: Some(value) },
            );
        }
        let mut settings = Settings {
            values,
            notes: Vec::new(),
            effective: Effective::default(),
            unreported: Vec::new(),
            reported: BTreeMap::new(),
            generation: 0,
        };
        settings.refresh();
        settings
    }

    /// States a fact or a server-wide value: nobody's SET, and what RESET goes back to.
    pub fn state(&mut self, name: &str, text: &str) -> SqlResult<()> {
        self.preset(name, text, Authority::Server)
    }

    /// Sets a value before the first transaction (start-up packet, configuration); RESET goes back to it.
    pub fn preset(&mut self, name: &str, text: &str, authority: Authority) -> SqlResult<()> {
        let key = self.key(name, true)?;
        let value = self.check(&key, text, authority)?;
        self.values.insert(
            key.clone(),
            Values { current: Some(value.clone()), staying: Some(value.clone()), reset: Some(value) },
        );
        self.changed(&key);
        Ok(())
    }

    /// SET: several words are for settings that hold lists.
    pub fn set(&mut self, name: &str, words: &[String], local: bool, authority: Authority) -> SqlResult<()> {
        let text = self.join(name, words)?;
        self.set_text(name, &text, local, authority)
    }

    /// `set_config`: the value as one text.
    pub fn set_text(&mut self, name: &str, text: &str, local: bool, authority: Authority) -> SqlResult<()> {
        let key = self.key(name, true)?;
        let value = self.check(&key, text, authority)?;
        self.put(key, Some(value), local);
        Ok(())
    }

    /// What ALTER ROLE ... SET stores: the setting's own name, and the text of its words; without words the name alone.
    /// The errors are those of SET.
    pub fn stored_form(
        &self,
        name: &str,
        words: Option<&[String]>,
        authority: Authority,
    ) -> SqlResult<(String, String)> {
        let key = self.key(name, true)?;
        let Some(words) = words else { return Ok((Settings::canonical_name(name)?, String::new())) };
        let text = self.join(name, words)?;
        self.check(&key, &text, authority)?;
        Ok((Settings::canonical_name(name)?, text))
    }

    /// RESET and SET ... TO DEFAULT.
    pub fn reset(&mut self, name: &str, local: bool, authority: Authority) -> SqlResult<()> {
        let key = self.key(name, false)?;
        if let Key::Known(at) = key {
            allow(&DEFINITIONS[at], authority)?;
        }
        let value = self.values.get(&key).and_then(|values| values.reset.clone());
        // What a client has made up stays known, and empty.
        let empty = matches!(key, Key::Custom(_)).then(|| Value::Text(String::new()));
        self.put(key, value.or(empty), local);
        Ok(())
    }

    /// RESET ALL: every setting that its user may change.
    pub fn reset_all(&mut self, authority: Authority) {
        let keys: Vec<Key> = self.values.keys().cloned().collect();
        for key in keys {
            let allowed = match &key {
                Key::Known(at) => {
                    allow(&DEFINITIONS[*at], authority).is_ok() && !is_of_the_transaction(DEFINITIONS[*at].name)
                }
                Key::Custom(_) => true,
            };
            let values = &self.values[&key];
            if allowed && values.current != values.reset {
                let value = values.reset.clone();
                self.put(key, value, false);
            }
        }
    }

    /// The value as SHOW prints it, 42704 when there is no such setting.
    pub fn show(&self, name: &str) -> SqlResult<String> {
        let key = self.key(name, false)?;
        let shown = match (&key, self.values.get(&key).and_then(|values| values.current.as_ref())) {
            (Key::Known(at), Some(value)) => value.show(&DEFINITIONS[*at]),
            (Key::Custom(_), Some(Value::Text(text))) => text.clone(),
            _ => return Err(unrecognized(name)),
        };
        Ok(shown)
    }

    /// The values of a setting as `pg_settings` shows them, numbers without their unit: now, and after RESET.
    pub fn plain_values(&self, definition: &Definition) -> Option<(String, String)> {
        let values = self.values.get(&self.key(definition.name, false).ok()?)?;
        Some((plain(definition, values.current.as_ref()?), plain(definition, values.reset.as_ref()?)))
    }

    /// The default of a setting, in the same form.
    pub fn plain_default(definition: &Definition) -> String {
        let parsed = Value::parse(definition, definition.default, definition.default);
        parsed.map_or_else(|_| definition.default.to_owned(), |value| plain(definition, &value))
    }

    /// The setting's name as the table spells it; also the column name of SHOW.
    pub fn canonical_name(name: &str) -> SqlResult<String> {
        match position(name) {
            Some(at) => Ok(DEFINITIONS[at].name.to_owned()),
            None if name.contains('.') => Ok(name.to_owned()),
            None => Err(unrecognized(name)),
        }
    }

    pub fn effective(&self) -> &Effective {
        &self.effective
    }

    /// Grows whenever a value changes.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Whether the transaction has set anything.
    pub fn has_changes(&self) -> bool {
        !self.notes.is_empty()
    }

    /// COMMIT: what SET LOCAL changed goes back to what stays.
    pub fn commit(&mut self) {
        for (key, ..) in std::mem::take(&mut self.notes) {
            let values = self.values.entry(key.clone()).or_default();
            if values.current != values.staying {
                values.current = values.staying.clone();
                self.changed(&key);
            }
        }
    }

    /// ROLLBACK: everything that the transaction set goes back.
    pub fn rollback(&mut self) {
        self.rollback_to(SettingsMark(0));
    }

    /// Where ROLLBACK TO would come back to.
    pub fn mark(&self) -> SettingsMark {
        SettingsMark(self.notes.len())
    }

    /// ROLLBACK TO: everything that was set after the mark goes back.
    pub fn rollback_to(&mut self, mark: SettingsMark) {
        for (key, current, staying) in self.notes.split_off(mark.0.min(self.notes.len())).into_iter().rev() {
            let values = self.values.entry(key.clone()).or_default();
            values.current = current;
            values.staying = staying;
            self.changed(&key);
        }
    }

    /// The reported settings with their values, for the start of a session.
    pub fn all_reports(&mut self) -> Vec<(&'static str, String)> {
        self.reported.clear();
        self.unreported = (0..DEFINITIONS.len()).filter(|at| DEFINITIONS[*at].report).collect();
        self.take_reports()
    }

    /// The reported settings that changed since the last call.
    pub fn take_reports(&mut self) -> Vec<(&'static str, String)> {
        if self.unreported.is_empty() {
            return Vec::new();
        }
        let mut changed = std::mem::take(&mut self.unreported);
        changed.sort_unstable();
        changed.dedup();
        changed.retain(|at| self.reported.get(at) != Some(&self.text(DEFINITIONS[*at].name)));
        let mut reports = Vec::with_capacity(changed.len());
        for at in changed {
            let value = self.text(DEFINITIONS[at].name);
            self.reported.insert(at, value.clone());
            reports.push((DEFINITIONS[at].name, value));
        }
        reports
    }

    fn key(&self, name: &str, create: bool) -> SqlResult<Key> {
        if let Some(at) = position(name) {
            return Ok(Key::Known(at));
        }
        let custom = Key::Custom(name.to_ascii_lowercase());
        match name.contains('.') {
            true if self.values.contains_key(&custom) => Ok(custom),
            true if create => check_custom_name(name).map(|()| custom),
            _ => Err(unrecognized(name)),
        }
    }

    fn check(&self, key: &Key, text: &str, authority: Authority) -> SqlResult<Value> {
        match key {
            Key::Custom(_) => Ok(Value::Text(text.to_owned())),
            Key::Known(at) => {
                let definition = &DEFINITIONS[*at];
                allow(definition, authority)?;
                if definition.name == "default_with_oids" && parse_bool(text) == Some(true) {
                    return Err(SqlError::new(FEATURE_NOT_SUPPORTED, "tables declared WITH OIDS are not supported"));
                }
                let current = self.show(definition.name).unwrap_or_default();
                Value::parse(definition, text, &current)
            }
        }
    }

    /// The words of SET as one text.
    fn join(&self, name: &str, words: &[String]) -> SqlResult<String> {
        let kind = position(name).map(|at| DEFINITIONS[at].kind);
        match (kind, words) {
            (Some(Kind::SearchPath), words) => Ok(search_path::join(words)),
            (Some(Kind::DateStyle), words) => Ok(words.join(", ")),
            (_, [word]) => Ok(word.clone()),
            _ => Err(SqlError::new(INVALID_PARAMETER_VALUE, format!("SET {name} takes only one argument"))),
        }
    }

    fn put(&mut self, key: Key, value: Option<Value>, local: bool) {
        let values = self.values.entry(key.clone()).or_default();
        self.notes.push((key.clone(), values.current.clone(), values.staying.clone()));
        values.current = value.clone();
        if !local {
            values.staying = value;
        }
        self.changed(&key);
    }

    fn changed(&mut self, key: &Key) {
        if let Key::Known(at) = key {
            if DEFINITIONS[*at].report {
                self.unreported.push(*at);
            }
            self.refresh();
        }
    }

    fn text(&self, name: &str) -> String {
        self.show(name).unwrap_or_default()
    }

    fn is_on(&self, name: &str) -> bool {
        self.text(name) == "on"
    }

    fn integer(&self, name: &str) -> i64 {
        let value =
            position(name).and_then(|at| self.values.get(&Key::Known(at))).and_then(|values| values.current.as_ref());
        match value {
            Some(Value::Integer(value)) => *value,
            _ => 0,
        }
    }

    fn timeout(&self, name: &str) -> Option<Duration> {
        match u64::try_from(self.integer(name)) {
            Ok(0) | Err(_) => None,
            Ok(milliseconds) => Some(Duration::from_millis(milliseconds)),
        }
    }

    /// Decodes the values again that the server reads.
    fn refresh(&mut self) {
        self.generation += 1;
        let messages = self.text("client_min_messages");
        self.effective = Effective {
            format: FormatContext {
                date_style: DateStyle::default().parse(&self.text("DateStyle")).unwrap_or_default(),
                interval_style: IntervalStyle::parse(&self.text("IntervalStyle")).unwrap_or(IntervalStyle::Postgres),
                time_zone: TimeZone::from_setting(&self.text("TimeZone")).unwrap_or_else(TimeZone::utc),
                extra_float_digits: i32::try_from(self.integer("extra_float_digits")).unwrap_or(1),
                bytea_output: ByteaOutput::parse(&self.text("bytea_output")).unwrap_or(ByteaOutput::Hex),
                now_micros: 0,
                types: Arc::new(NoUserTypes),
            },
            search_path: search_path::split(&self.text("search_path")).unwrap_or_default(),
            statement_timeout: self.timeout("statement_timeout"),
            lock_timeout: self.timeout("lock_timeout"),
            deadlock_timeout: self.timeout("deadlock_timeout").unwrap_or(Duration::from_secs(1)),
            idle_in_transaction_timeout: self.timeout("idle_in_transaction_session_timeout"),
            idle_session_timeout: self.timeout("idle_session_timeout"),
            work_memory_bytes: usize::try_from(self.integer("work_mem")).unwrap_or(0).saturating_mul(1024),
            temporary_limit_bytes: u64::try_from(self.integer("temp_file_limit")).ok().map(|limit| limit * 1024),
            client_min_messages: severity(&messages),
            notices_off: messages == "error",
            default_isolation: self.text("default_transaction_isolation"),
            default_read_only: self.is_on("default_transaction_read_only"),
            default_deferrable: self.is_on("default_transaction_deferrable"),
            planner: PlannerSettings {
                seqscan: self.is_on("enable_seqscan"),
                indexscan: self.is_on("enable_indexscan"),
                hashjoin: self.is_on("enable_hashjoin"),
                nestloop: self.is_on("enable_nestloop"),
                sort: self.is_on("enable_sort"),
                executor: executor(&self.text("nqdb.executor")),
            },
        };
    }
}

impl Default for Settings {
    fn default() -> Settings {
        Settings::new()
    }
}

impl Default for Effective {
    fn default() -> Effective {
        Effective {
            format: FormatContext::default(),
            search_path: Vec::new(),
            statement_timeout: None,
            lock_timeout: None,
            deadlock_timeout: Duration::from_secs(1),
            idle_in_transaction_timeout: None,
            idle_session_timeout: None,
            work_memory_bytes: 0,
            temporary_limit_bytes: None,
            client_min_messages: NoticeSeverity::Notice,
            notices_off: false,
            default_isolation: String::new(),
            default_read_only: false,
            default_deferrable: false,
            planner: PlannerSettings {
                seqscan: true,
                indexscan: true,
                hashjoin: true,
                nestloop: true,
                sort: true,
                executor: ExecutorChoice::Auto,
            },
        }
    }
}

/// Settings that can be set and shown by name, but are on no list.
pub fn is_hidden(name: &str) -> bool {
    name == "default_with_oids"
}

/// Settings that describe the transaction at hand; they are set through it.
pub fn is_of_the_transaction(name: &str) -> bool {
    ["transaction_isolation", "transaction_read_only", "transaction_deferrable"]
        .iter()
        .any(|own| own.eq_ignore_ascii_case(name))
}

fn executor(name: &str) -> ExecutorChoice {
    match name {
        "row" => ExecutorChoice::Row,
        "analytical" => ExecutorChoice::Analytical,
        _ => ExecutorChoice::Auto,
    }
}

fn severity(name: &str) -> NoticeSeverity {
    match name {
        "notice" => NoticeSeverity::Notice,
        "warning" | "error" => NoticeSeverity::Warning,
        "log" => NoticeSeverity::Log,
        _ => NoticeSeverity::Debug,
    }
}

fn allow(definition: &Definition, authority: Authority) -> SqlResult<()> {
    let name = definition.name;
    match (definition.context, authority) {
        (_, Authority::Server) | (Context::User, _) | (Context::Superuser, Authority::Superuser) => Ok(()),
        (Context::Internal, _) => {
            Err(SqlError::new(CANT_CHANGE_RUNTIME_PARAM, format!("parameter \"{name}\" cannot be changed")))
        }
        (Context::Server, _) => Err(SqlError::new(
            CANT_CHANGE_RUNTIME_PARAM,
            format!("parameter \"{name}\" cannot be changed without restarting the server"),
        )),
        (Context::Superuser, Authority::User) => {
            Err(SqlError::new(INSUFFICIENT_PRIVILEGE, format!("permission denied to set parameter \"{name}\"")))
        }
    }
}

fn unrecognized(name: &str) -> SqlError {
    SqlError::new(UNDEFINED_OBJECT, format!("unrecognized configuration parameter \"{name}\""))
}

/// Custom names are two or more identifiers, joined by dots.
fn check_custom_name(name: &str) -> SqlResult<()> {
    let is_identifier = |part: &str| {
        part.chars().next().is_some_and(|first| first.is_alphabetic() || first == '_')
            && part.chars().all(|letter| letter.is_alphanumeric() || letter == '_' || letter == '$')
    };
    if name.split('.').all(is_identifier) {
        return Ok(());
    }
    Err(SqlError::new(INVALID_NAME, format!("invalid configuration parameter name \"{name}\""))
        .with_detail("Custom parameter names must be two or more simple identifiers separated by dots."))
}

/// A number without its unit; anything else as SHOW has it.
fn plain(definition: &Definition, value: &Value) -> String {
    match value {
        Value::Integer(number) => number.to_string(),
        Value::Real(number) => short_real(*number),
        Value::Bool(_) | Value::Text(_) => value.show(definition),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(settings: &mut Settings, name: &str, value: &str, local: bool) {
        settings.set(name, &[value.to_owned()], local, Authority::Superuser).unwrap();
    }

    #[test]
    fn set_local_ends_with_its_transaction_and_set_stays() {
        let mut settings = Settings::new();
        set(&mut settings, "statement_timeout", "5s", false);
        set(&mut settings, "statement_timeout", "1s", true);
        assert_eq!(settings.effective().statement_timeout, Some(Duration::from_secs(1)));
        settings.commit();
        assert_eq!(settings.show("statement_timeout").unwrap(), "5s");
        set(&mut settings, "statement_timeout", "9s", false);
        settings.rollback();
        assert_eq!(settings.show("statement_timeout").unwrap(), "5s");
    }

    #[test]
    fn a_savepoint_takes_back_what_came_after_it() {
        let mut settings = Settings::new();
        set(&mut settings, "application_name", "first", false);
        let mark = settings.mark();
        set(&mut settings, "application_name", "second", false);
        set(&mut settings, "my.own", "x", true);
        settings.rollback_to(mark);
        assert_eq!(settings.show("application_name").unwrap(), "first");
        assert_eq!(settings.show("my.own").unwrap_err().code(), UNDEFINED_OBJECT);
        settings.commit();
        assert_eq!(settings.show("application_name").unwrap(), "first");
    }

    #[test]
    fn reset_goes_back_to_what_the_client_asked_for_at_start() {
        let mut settings = Settings::new();
        settings.preset("TimeZone", "Europe/Berlin", Authority::User).unwrap();
        set(&mut settings, "timezone", "UTC", false);
        settings.reset("timezone", false, Authority::User).unwrap();
        assert_eq!(settings.show("TimeZone").unwrap(), "Europe/Berlin");
        set(&mut settings, "TimeZone", "UTC", false);
        settings.reset_all(Authority::User);
        assert_eq!(settings.show("TimeZone").unwrap(), "Europe/Berlin");
    }

    #[test]
    fn changes_are_reported_once() {
        let mut settings = Settings::new();
        assert!(settings.all_reports().iter().any(|(name, value)| *name == "client_encoding" && value == "UTF8"));
        set(&mut settings, "datestyle", "German", false);
        set(&mut settings, "work_mem", "1MB", false);
        assert_eq!(settings.take_reports(), [("DateStyle", "German, DMY".to_owned())]);
        assert_eq!(settings.take_reports(), []);
        settings.rollback();
        assert_eq!(settings.take_reports(), [("DateStyle", "ISO, MDY".to_owned())]);
    }

    #[test]
    fn errors_have_postgresql_s_codes() {
        let mut settings = Settings::new();
        let mut code = |name: &str, authority| {
            settings.set(name, &["1".to_owned()], false, authority).map_err(|error| error.code().to_string())
        };
        assert_eq!(code("no_such", Authority::User), Err("42704".into()));
        assert_eq!(code("server_version", Authority::Superuser), Err("55P02".into()));
        assert_eq!(code("port", Authority::Superuser), Err("55P02".into()));
        assert_eq!(code("deadlock_timeout", Authority::User), Err("42501".into()));
        assert_eq!(code("deadlock_timeout", Authority::Superuser), Ok(()));
        assert_eq!(code("a.b-c", Authority::User), Err("42602".into()));
        let two = settings.set("jit", &["on".to_owned(), "off".to_owned()], false, Authority::User).unwrap_err();
        assert_eq!(two.message(), "SET jit takes only one argument");
    }

    #[test]
    fn the_search_path_is_quoted_when_set_word_by_word() {
        let mut settings = Settings::new();
        let words = ["Mixed".to_owned(), "public".to_owned()];
        settings.set("search_path", &words, false, Authority::User).unwrap();
        assert_eq!(settings.show("search_path").unwrap(), "\"Mixed\", public");
        assert_eq!(settings.effective().search_path, ["Mixed", "public"]);
    }
}
