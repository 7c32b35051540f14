//! A type together with its modifier, and the name users see.
//!
//! Modifiers have PostgreSQL's encoding, because drivers decode `atttypmod` themselves:
//!
//! ```text
//! varchar(n), char(n)            n + 4
//! numeric(p, s)                  ((p << 16) | (s & 0x7ff)) + 4        s is signed, 11 bits
//! time(p), timestamp(p), ...     p                                    0..=6
//! bit(n), bit varying(n)         n
//! interval fields (p)            (field mask << 16) | p               p 0xffff: full, mask 0x7fff: full
//! ```

use crate::{Oid, TypeKind, oid, type_info};

/// A type with its modifier; the modifier is -1 when there is none.
///
/// A domain is its base type with a mark: `oid` and `typmod` are those of the type that it is over in the end, so that nobody
/// who works with values has to know of domains, and `domain` says which one it is (of an array over a domain, the array).
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub struct Type {
    pub oid: Oid,
    pub typmod: i32,
    /// 0 when it is none.
    pub domain: Oid,
}

/// The size of PostgreSQL's length word, which its modifiers count in.
const VARLENA_HEADER_LEN: i32 = 4;

impl Type {
    pub const BOOL: Type = Type::new(oid::BOOL);
    pub const BYTEA: Type = Type::new(oid::BYTEA);
    pub const CHAR_INTERNAL: Type = Type::new(oid::CHAR_INTERNAL);
    pub const NAME: Type = Type::new(oid::NAME);
    pub const INT2: Type = Type::new(oid::INT2);
    pub const INT4: Type = Type::new(oid::INT4);
    pub const INT8: Type = Type::new(oid::INT8);
    pub const OID: Type = Type::new(oid::OID);
    pub const REGCLASS: Type = Type::new(oid::REGCLASS);
    pub const REGPROC: Type = Type::new(oid::REGPROC);
    pub const REGTYPE: Type = Type::new(oid::REGTYPE);
    pub const FLOAT4: Type = Type::new(oid::FLOAT4);
    pub const FLOAT8: Type = Type::new(oid::FLOAT8);
    pub const NUMERIC: Type = Type::new(oid::NUMERIC);
    pub const TEXT: Type = Type::new(oid::TEXT);
    pub const VARCHAR: Type = Type::new(oid::VARCHAR);
    pub const BPCHAR: Type = Type::new(oid::BPCHAR);
    pub const UNKNOWN: Type = Type::new(oid::UNKNOWN);
    pub const DATE: Type = Type::new(oid::DATE);
    pub const TIME: Type = Type::new(oid::TIME);
    pub const TIMETZ: Type = Type::new(oid::TIMETZ);
    pub const TIMESTAMP: Type = Type::new(oid::TIMESTAMP);
    pub const TIMESTAMPTZ: Type = Type::new(oid::TIMESTAMPTZ);
    pub const INTERVAL: Type = Type::new(oid::INTERVAL);
    pub const UUID: Type = Type::new(oid::UUID);
    pub const VOID: Type = Type::new(oid::VOID);
    pub const RECORD: Type = Type::new(oid::RECORD);
    pub const JSON: Type = Type::new(oid::JSON);
    pub const JSONB: Type = Type::new(oid::JSONB);
    pub const BIT: Type = Type::new(oid::BIT);
    pub const VARBIT: Type = Type::new(oid::VARBIT);
    pub const JSONPATH: Type = Type::new(oid::JSONPATH);

    /// The type without a modifier.
    pub const fn new(oid: Oid) -> Type {
        Type { oid, typmod: -1, domain: oid::INVALID }
    }

    /// The type with a modifier in PostgreSQL's encoding.
    pub const fn with_typmod(oid: Oid, typmod: i32) -> Type {
        Type { oid, typmod, domain: oid::INVALID }
    }

    /// A domain over this type.
    pub const fn as_domain(self, domain: Oid) -> Type {
        Type { domain, ..self }
    }

    /// The type that a domain is over in the end.
    pub const fn base(self) -> Type {
        Type { domain: oid::INVALID, ..self }
    }

    /// The same type without a modifier.
    pub const fn bare(self) -> Type {
        Type { typmod: -1, ..self }
    }

    /// The number under which the catalog has the type: the domain's, if it is one.
    pub const fn declared_oid(self) -> Oid {
        if self.domain == oid::INVALID { self.oid } else { self.domain }
    }

    /// `varchar(n)`.
    pub const fn varchar(characters_max: i32) -> Type {
        Type::with_typmod(oid::VARCHAR, characters_max + VARLENA_HEADER_LEN)
    }

    /// `char(n)`.
    pub const fn bpchar(characters: i32) -> Type {
        Type::with_typmod(oid::BPCHAR, characters + VARLENA_HEADER_LEN)
    }

    /// `numeric(precision, scale)`; the scale may be negative, -1000 to 1000.
    pub const fn numeric(precision: i32, scale: i32) -> Type {
        Type::with_typmod(oid::NUMERIC, ((precision << 16) | (scale & 0x7ff)) + VARLENA_HEADER_LEN)
    }

    /// The `n` of `varchar(n)` or `char(n)`, in characters.
    pub fn character_limit(&self) -> Option<usize> {
        let characters = self.typmod.checked_sub(VARLENA_HEADER_LEN)?;
        usize::try_from(characters).ok()
    }

    /// The precision and scale of `numeric(p, s)`.
    pub fn numeric_precision_scale(&self) -> Option<(i32, i32)> {
        if self.typmod < VARLENA_HEADER_LEN {
            return None;
        }
        let packed = self.typmod - VARLENA_HEADER_LEN;
        let scale = ((packed & 0x7ff) ^ 0x400) - 0x400;
        Some(((packed >> 16) & 0xffff, scale))
    }

    /// The type as `format_type` prints it: `character varying(10)`, `timestamp(3) with time zone`.
    pub fn name(&self) -> String {
        let Some(info) = type_info(self.oid) else { return "???".to_string() };
        if self.typmod < 0 {
            return info.sql_name.to_string();
        }
        if info.kind == TypeKind::Array {
            return format!("{}[]", Type::with_typmod(info.element_oid, self.typmod).name());
        }
        match self.oid {
            oid::VARCHAR | oid::BPCHAR => match self.character_limit() {
                Some(limit) if self.typmod > VARLENA_HEADER_LEN => format!("{}({limit})", info.sql_name),
                _ => info.sql_name.to_string(),
            },
            oid::NUMERIC => match self.numeric_precision_scale() {
                Some((precision, scale)) => format!("numeric({precision},{scale})"),
                None => info.sql_name.to_string(),
            },
            oid::TIME | oid::TIMESTAMP => format_with_precision(info.sql_name, " without", self.typmod),
            oid::TIMETZ | oid::TIMESTAMPTZ => format_with_precision(info.sql_name, " with", self.typmod),
            oid::BIT | oid::VARBIT => format!("{}({})", info.sql_name, self.typmod),
            oid::INTERVAL => format!("interval{}", interval_typmod::format(self.typmod)),
            _ => info.sql_name.to_string(),
        }
    }
}

/// Whether values of the type are [`crate::Datum::Oid`]: `oid`, `xid`, `cid` and the reg types.
pub(crate) fn is_oid_like(type_oid: Oid) -> bool {
    matches!(
        type_oid,
        oid::OID
            | oid::XID
            | oid::CID
            | oid::REGPROC
            | oid::REGPROCEDURE
            | oid::REGOPER
            | oid::REGOPERATOR
            | oid::REGCLASS
            | oid::REGTYPE
            | oid::REGCONFIG
            | oid::REGDICTIONARY
            | oid::REGNAMESPACE
            | oid::REGROLE
            | oid::REGCOLLATION
    )
}

/// `timestamp without time zone` and 3 give `timestamp(3) without time zone`.
fn format_with_precision(sql_name: &str, tail_start: &str, precision: i32) -> String {
    match sql_name.find(tail_start) {
        Some(at) => format!("{}({precision}){}", &sql_name[..at], &sql_name[at..]),
        None => sql_name.to_string(),
    }
}

/// Modifiers of `interval`: which fields it keeps, and how many digits of a second.
pub mod interval_typmod {
    pub const MONTH: i32 = 1 << 1;
    pub const YEAR: i32 = 1 << 2;
    pub const DAY: i32 = 1 << 3;
    pub const HOUR: i32 = 1 << 10;
    pub const MINUTE: i32 = 1 << 11;
    pub const SECOND: i32 = 1 << 12;
    /// All fields.
    pub const FULL_RANGE: i32 = 0x7fff;
    /// No limit on the digits of a second.
    pub const FULL_PRECISION: i32 = 0xffff;

    /// Makes a modifier out of a field mask and a precision.
    pub const fn pack(precision: i32, fields: i32) -> i32 {
        ((fields & FULL_RANGE) << 16) | (precision & FULL_PRECISION)
    }

    /// The field mask; everything when there is no modifier.
    pub const fn fields(typmod: i32) -> i32 {
        if typmod < 0 { FULL_RANGE } else { (typmod >> 16) & FULL_RANGE }
    }

    /// The digits after the decimal point of seconds, `None` for no limit.
    pub const fn precision(typmod: i32) -> Option<i32> {
        if typmod < 0 || typmod & FULL_PRECISION == FULL_PRECISION { None } else { Some(typmod & FULL_PRECISION) }
    }

    /// What follows `interval` in the type's name: ` day to second(3)`.
    pub fn format(typmod: i32) -> String {
        let words = match fields(typmod) {
            YEAR => " year",
            MONTH => " month",
            DAY => " day",
            HOUR => " hour",
            MINUTE => " minute",
            SECOND => " second",
            mask if mask == YEAR | MONTH => " year to month",
            mask if mask == DAY | HOUR => " day to hour",
            mask if mask == DAY | HOUR | MINUTE => " day to minute",
            mask if mask == DAY | HOUR | MINUTE | SECOND => " day to second",
            mask if mask == HOUR | MINUTE => " hour to minute",
            mask if mask == HOUR | MINUTE | SECOND => " hour to second",
            mask if mask == MINUTE | SECOND => " minute to second",
            _ => "",
        };
        match precision(typmod) {
            Some(digits) => format!("{words}({digits})"),
            None => words.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_carry_their_modifiers() {
        assert_eq!(Type::INT4.name(), "integer");
        assert_eq!(Type::varchar(10).name(), "character varying(10)");
        assert_eq!(Type::bpchar(1).name(), "character(1)");
        assert_eq!(Type::numeric(12, 2).name(), "numeric(12,2)");
        assert_eq!(Type::numeric(3, -2).name(), "numeric(3,-2)");
        assert_eq!(Type::with_typmod(oid::TIMESTAMPTZ, 3).name(), "timestamp(3) with time zone");
        assert_eq!(Type::with_typmod(oid::TIME, 0).name(), "time(0) without time zone");
        let day_to_second =
            interval_typmod::DAY | interval_typmod::HOUR | interval_typmod::MINUTE | interval_typmod::SECOND;
        let interval = Type::with_typmod(oid::INTERVAL, interval_typmod::pack(3, day_to_second));
        assert_eq!(interval.name(), "interval day to second(3)");
    }

    #[test]
    fn a_numeric_modifier_round_trips_its_negative_scale() {
        assert_eq!(Type::numeric(5, -3).numeric_precision_scale(), Some((5, -3)));
        assert_eq!(Type::numeric(1000, 1000).numeric_precision_scale(), Some((1000, 1000)));
        assert_eq!(Type::NUMERIC.numeric_precision_scale(), None);
    }
}
