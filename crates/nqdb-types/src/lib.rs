//! PostgreSQL's types: what a value is, how it is spelled, how it is stored and how it is ordered.
//!
//! | module | what it answers |
//! |---|---|
//! | [`oid`], [`Type`], [`TypeInfo`] | which type is it |
//! | [`Datum`], [`Interval`], [`numeric`], [`mod@array`], [`Record`] | what is the value, which of two is greater |
//! | [`parse_text`], [`write_text`] | PostgreSQL's spelling, under a [`FormatContext`] |
//! | [`read_binary`], [`write_binary`] | PostgreSQL's binary wire form |
//! | [`apply_typmod`] | length and precision coercion |
//! | [`user_type`], [`TypeCatalog`] | which type is a user's, and what its labels and fields are |
//! | [`mod@bits`], [`jsonpath`] | bit strings, SQL/JSON paths |
//! | [`calendar`], [`TimeZone`] | dates, times of day, zones |
//! | [`key`] | bytes that sort as the values do |
//! | [`row`] | the stored image of a row |
//!
//! A leaf crate: it knows neither SQL nor storage. What holds everywhere:
//!
//! 1. A [`Datum`] says itself what it is; its [`Type`] is needed only for modifiers and for the types that
//!    share a representation (text, varchar, bpchar, name; oid and the reg types).
//! 2. Input from clients and bytes from disk never panic: they give a `SqlError` or a [`row::Corrupt`].
//! 3. Nothing here reads a clock or a setting: both come in through [`FormatContext`].
//!
//! Not here: ranges. Their OIDs are known so that they are refused by name.

pub mod array;
mod binary;
pub mod bits;
pub mod calendar;
mod datetime;
mod datum;
mod format_context;
mod interval;
pub mod json;
pub mod jsonpath;
pub mod key;
pub mod numeric;
pub mod oid;
mod record;
mod record_image;
pub mod row;
mod sink;
mod sql_type;
mod text;
mod tid;
mod time_tz;
mod time_zone;
mod transaction_id;
mod type_info;
mod typmod;
mod user_type;

pub use array::{Array, Dimension};
pub use binary::{read_binary, text_of_bytes, write_binary};
pub use bits::Bits;
pub use datetime::numeric_zone;
pub use datum::Datum;
pub use format_context::{ByteaOutput, DateOrder, DateStyle, DateStyleFormat, FormatContext, IntervalStyle};
pub use interval::Interval;
pub use json::Json;
pub use jsonpath::JsonPath;
pub use numeric::Numeric;
pub use record::{Record, RecordField, RecordShape, current_value, holds_records, parse_record_with, read_record};
pub use record_image::compare_images;
pub use sink::Sink;
pub use sql_type::{Type, interval_typmod};
pub use text::{enum_label_value, parse_text, write_text};
pub use tid::Tid;
pub use time_tz::TimeTz;
pub use time_zone::{LocalTimeType, TimeZone, zone_names};
pub use transaction_id::TransactionSnapshot;
pub use type_info::{TypeInfo, TypeKind, all_types, type_by_name, type_category, type_info, type_len};
pub use typmod::apply_typmod;
pub use user_type::{
    EnumLabel, EnumType, EnumValue, NoUserTypes, TypeCatalog, USER_TYPE_NUMBER_MAX, UserTypeKind, is_composite,
    is_domain, is_enum, is_user_type, user_type, user_type_kind, user_type_object,
};

/// PostgreSQL's object number.
pub type Oid = u32;
