//! What input and output of values depend on besides the value: settings of the session, and users' types.

use std::sync::Arc;

use crate::{NoUserTypes, TimeZone, Type, TypeCatalog, array, oid};

/// What text input and output need of the session.
#[derive(Clone, Debug)]
pub struct FormatContext {
    /// `DateStyle`.
    pub date_style: DateStyle,
    /// `IntervalStyle`.
    pub interval_style: IntervalStyle,
    /// `TimeZone`.
    pub time_zone: TimeZone,
    /// `extra_float_digits`, -15 to 3; above 0 floats are written in their shortest exact form.
    pub extra_float_digits: i32,
    /// `bytea_output`.
    pub bytea_output: ByteaOutput,
    /// Start of the transaction, µs since 2000-01-01 UTC: what the inputs `now` and `today` mean.
    pub now_micros: i64,
    /// What the labels, fields and names of users' types are.
    pub types: Arc<dyn TypeCatalog>,
}

impl FormatContext {
    /// PostgreSQL's defaults, with the types of a catalog.
    pub fn of_types(types: Arc<dyn TypeCatalog>) -> FormatContext {
        FormatContext { types, ..FormatContext::default() }
    }

    /// The type as `format_type` prints it, also one that a user made.
    pub fn type_name(&self, ty: Type) -> String {
        if ty.domain != oid::INVALID {
            return self.type_name(Type::new(ty.domain));
        }
        if let Some(name) = self.types.type_name(ty.oid) {
            return name;
        }
        match array::element_type(ty.oid).and_then(|element| self.types.type_name(element)) {
            Some(element) => format!("{element}[]"),
            None => ty.name(),
        }
    }
}

impl Default for FormatContext {
    /// PostgreSQL's defaults, in UTC, at 2000-01-01.
    fn default() -> FormatContext {
        FormatContext {
            date_style: DateStyle::default(),
            interval_style: IntervalStyle::Postgres,
            time_zone: TimeZone::utc(),
            extra_float_digits: 1,
            bytea_output: ByteaOutput::Hex,
            now_micros: 0,
            types: Arc::new(NoUserTypes),
        }
    }
}

impl FormatContext {
    /// Whether constants mean the same under other settings, the time of reading aside.
    pub fn reads_as(&self, other: &FormatContext) -> bool {
        let settings = |cx: &FormatContext| (cx.date_style, cx.interval_style);
        settings(self) == settings(other) && self.time_zone == other.time_zone
    }
}

/// `DateStyle`: how dates are written, and which field order ambiguous input has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DateStyle {
    pub format: DateStyleFormat,
    pub order: DateOrder,
}

impl Default for DateStyle {
    fn default() -> DateStyle {
        DateStyle { format: DateStyleFormat::Iso, order: DateOrder::Mdy }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DateStyleFormat {
    Iso,
    Sql,
    Postgres,
    German,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DateOrder {
    Mdy,
    Dmy,
    Ymd,
}

impl DateStyle {
    /// Reads a setting such as `ISO, DMY`; what it does not name stays as it is here. `None` if it is not a
    /// valid setting, or names one of the two parts twice with different values.
    pub fn parse(&self, setting: &str) -> Option<DateStyle> {
        let mut format = None;
        let mut order = None;
        for word in setting.split(',').map(|word| word.trim().to_ascii_lowercase()) {
            match word.as_str() {
                "iso" => merge(&mut format, DateStyleFormat::Iso)?,
                "sql" => merge(&mut format, DateStyleFormat::Sql)?,
                _ if word.starts_with("postgres") => merge(&mut format, DateStyleFormat::Postgres)?,
                "german" => {
                    merge(&mut format, DateStyleFormat::German)?;
                    order = order.or(Some(DateOrder::Dmy));
                }
                "ymd" => merge(&mut order, DateOrder::Ymd)?,
                _ if word.starts_with("euro") || word == "dmy" => merge(&mut order, DateOrder::Dmy)?,
                _ if word.starts_with("noneuro") || word == "us" || word == "mdy" => merge(&mut order, DateOrder::Mdy)?,
                "default" => {
                    format = format.or(Some(DateStyle::default().format));
                    order = order.or(Some(DateStyle::default().order));
                }
                _ => return None,
            }
        }
        Some(DateStyle { format: format.unwrap_or(self.format), order: order.unwrap_or(self.order) })
    }

    /// The setting as `SHOW` gives it: `ISO, MDY`.
    pub fn name(&self) -> &'static str {
        match (self.format, self.order) {
            (DateStyleFormat::Iso, DateOrder::Mdy) => "ISO, MDY",
            (DateStyleFormat::Iso, DateOrder::Dmy) => "ISO, DMY",
            (DateStyleFormat::Iso, DateOrder::Ymd) => "ISO, YMD",
            (DateStyleFormat::Sql, DateOrder::Mdy) => "SQL, MDY",
            (DateStyleFormat::Sql, DateOrder::Dmy) => "SQL, DMY",
            (DateStyleFormat::Sql, DateOrder::Ymd) => "SQL, YMD",
            (DateStyleFormat::Postgres, DateOrder::Mdy) => "Postgres, MDY",
            (DateStyleFormat::Postgres, DateOrder::Dmy) => "Postgres, DMY",
            (DateStyleFormat::Postgres, DateOrder::Ymd) => "Postgres, YMD",
            (DateStyleFormat::German, DateOrder::Mdy) => "German, MDY",
            (DateStyleFormat::German, DateOrder::Dmy) => "German, DMY",
            (DateStyleFormat::German, DateOrder::Ymd) => "German, YMD",
        }
    }
}

/// Fills an empty slot; `None` when it already holds something else.
fn merge<T: PartialEq>(slot: &mut Option<T>, value: T) -> Option<()> {
    if slot.as_ref().is_some_and(|current| *current != value) {
        return None;
    }
    *slot = Some(value);
    Some(())
}

/// `IntervalStyle`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntervalStyle {
    Postgres,
    PostgresVerbose,
    SqlStandard,
    Iso8601,
}

impl IntervalStyle {
    /// Reads the setting, in any case.
    pub fn parse(setting: &str) -> Option<IntervalStyle> {
        match setting.to_ascii_lowercase().as_str() {
            "postgres" => Some(IntervalStyle::Postgres),
            "postgres_verbose" => Some(IntervalStyle::PostgresVerbose),
            "sql_standard" => Some(IntervalStyle::SqlStandard),
            "iso_8601" => Some(IntervalStyle::Iso8601),
            _ => None,
        }
    }

    /// The setting as `SHOW` gives it.
    pub fn name(self) -> &'static str {
        match self {
            IntervalStyle::Postgres => "postgres",
            IntervalStyle::PostgresVerbose => "postgres_verbose",
            IntervalStyle::SqlStandard => "sql_standard",
            IntervalStyle::Iso8601 => "iso_8601",
        }
    }
}

/// `bytea_output`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByteaOutput {
    Hex,
    Escape,
}

impl ByteaOutput {
    /// Reads the setting, in any case.
    pub fn parse(setting: &str) -> Option<ByteaOutput> {
        match setting.to_ascii_lowercase().as_str() {
            "hex" => Some(ByteaOutput::Hex),
            "escape" => Some(ByteaOutput::Escape),
            _ => None,
        }
    }

    /// The setting as `SHOW` gives it.
    pub fn name(self) -> &'static str {
        match self {
            ByteaOutput::Hex => "hex",
            ByteaOutput::Escape => "escape",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_style_names_either_part_or_both() {
        let base = DateStyle::default();
        assert_eq!(base.parse("German").map(|style| style.name()), Some("German, DMY"));
        assert_eq!(base.parse("dmy").map(|style| style.name()), Some("ISO, DMY"));
        assert_eq!(base.parse("SQL, ymd").map(|style| style.name()), Some("SQL, YMD"));
        assert_eq!(base.parse("iso, sql"), None);
        assert_eq!(base.parse("martian"), None);
    }
}
