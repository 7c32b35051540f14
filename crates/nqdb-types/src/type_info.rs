//! What is known of each type: the static part of PostgreSQL's `pg_type`.
//!
//! The table is sorted by OID. It holds every type a client may name, because the answer to a type that
//! nqdb does not have is "not supported" (0A000) and not "does not exist" (42704); [`TypeInfo::supported`]
//! tells the two apart. Domains, enums and composite types are not here: they live in the catalog.

use crate::{Oid, UserTypeKind, is_enum, is_user_type, oid, user_type_kind};

/// One row of the built-in part of `pg_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TypeInfo {
    pub oid: Oid,
    /// `pg_type.typname`, such as `int4`.
    pub name: &'static str,
    /// The name that `format_type` and error messages use, such as `integer`.
    pub sql_name: &'static str,
    /// `typlen`: bytes, -1 for variable length, -2 for a C string.
    pub len: i16,
    /// `typcategory`, which steers operator and function resolution.
    pub category: char,
    /// `typispreferred`: the type that its category prefers.
    pub preferred: bool,
    /// `typbyval`.
    pub by_value: bool,
    /// `typalign`.
    pub alignment: char,
    /// `typstorage`.
    pub storage: char,
    pub kind: TypeKind,
    /// `typarray`, 0 if there is none.
    pub array_oid: Oid,
    /// `typelem`, 0 if there is none.
    pub element_oid: Oid,
    /// Whether nqdb has values of this type, or gives the pseudo-type a meaning.
    pub supported: bool,
}

/// What sort of type it is (`typtype`, with arrays told from other base types).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TypeKind {
    Base,
    Array,
    Range,
    Pseudo,
}

impl TypeKind {
    /// `pg_type.typtype`.
    pub fn typtype(self) -> char {
        match self {
            TypeKind::Base | TypeKind::Array => 'b',
            TypeKind::Range => 'r',
            TypeKind::Pseudo => 'p',
        }
    }
}

impl TypeInfo {
    /// `pg_type.typdelim`: what separates elements in an array's text.
    pub fn delimiter(&self) -> char {
        if self.oid == oid::BOX { ';' } else { ',' }
    }
}

/// All built-in types, by OID.
pub fn all_types() -> &'static [TypeInfo] {
    TYPES
}

/// The built-in type with that OID.
pub fn type_info(oid: Oid) -> Option<&'static TypeInfo> {
    let place = *PLACES.get(oid as usize)?;
    TYPES.get(usize::from(place))
}

const OID_MAX: usize = TYPES[TYPES.len() - 1].oid as usize;

/// Where each type stands in [`TYPES`], by OID: types are asked about with every value that is read.
static PLACES: [u16; OID_MAX + 1] = {
    let mut places = [u16::MAX; OID_MAX + 1];
    let mut place = 0;
    while place < TYPES.len() {
        places[TYPES[place].oid as usize] = place as u16;
        place += 1;
    }
    places
};

/// `pg_type.typlen` of any type that a client is told of.
pub fn type_len(oid: Oid) -> i16 {
    if is_enum(oid) { 4 } else { type_info(oid).map_or(-1, |info| info.len) }
}

/// `pg_type.typcategory` of any type, users' types included; a domain has that of its base type, which is not known here.
pub fn type_category(oid: Oid) -> Option<char> {
    match user_type_kind(oid) {
        Some(UserTypeKind::Enum) => Some('E'),
        Some(UserTypeKind::Composite) => Some('C'),
        Some(UserTypeKind::Domain) => None,
        None if is_user_type(oid) => Some('A'),
        None => type_info(oid).map(|info| info.category),
    }
}

/// The OID of a built-in type by its `pg_type` name or its SQL spelling, in lower case, without modifiers.
///
/// `char` without quotes is SQL's `character`, so it gives `bpchar`; the internal `"char"` goes by its quoted
/// spelling here, and by its bare name where a catalog looks up `pg_catalog."char"`. `serial` is no type.
pub fn type_by_name(name: &str) -> Option<Oid> {
    if let Some((_, oid)) = SQL_SPELLINGS.iter().find(|(spelling, _)| *spelling == name) {
        return Some(*oid);
    }
    TYPES.iter().find(|info| info.name == name || info.sql_name == name).map(|info| info.oid)
}

/// Spellings of SQL that are neither a `typname` nor what `format_type` prints.
const SQL_SPELLINGS: &[(&str, Oid)] = &[
    ("int", oid::INT4),
    ("dec", oid::NUMERIC),
    ("decimal", oid::NUMERIC),
    ("float", oid::FLOAT8),
    ("char", oid::BPCHAR),
    ("nchar", oid::BPCHAR),
    ("national char", oid::BPCHAR),
    ("national character", oid::BPCHAR),
    ("char varying", oid::VARCHAR),
    ("nchar varying", oid::VARCHAR),
    ("national char varying", oid::VARCHAR),
    ("national character varying", oid::VARCHAR),
];

macro_rules! type_table {
    ($($constant:ident: $name:literal, $sql_name:literal, $len:literal, $category:literal, $preferred:ident, $by_value:ident,
       $alignment:literal, $storage:literal, $kind:ident, $array:tt, $element:tt, $supported:ident;)*) => {
        &[$(TypeInfo {
            oid: oid::$constant,
            name: $name,
            sql_name: $sql_name,
            len: $len,
            category: $category,
            preferred: flag!($preferred),
            by_value: flag!($by_value),
            alignment: $alignment,
            storage: $storage,
            kind: TypeKind::$kind,
            array_oid: link!($array),
            element_oid: link!($element),
            supported: flag!($supported),
        }),*]
    };
}

macro_rules! flag {
    (preferred) => {
        true
    };
    (ordinary) => {
        false
    };
    (by_value) => {
        true
    };
    (by_reference) => {
        false
    };
    (stored) => {
        true
    };
    (refused) => {
        false
    };
}

macro_rules! link {
    (0) => {
        oid::INVALID
    };
    ($constant:ident) => {
        oid::$constant
    };
}

// constant: typname, SQL name, typlen, typcategory, preferred, by value, typalign, typstorage, kind, array, element, support
#[rustfmt::skip]
const TYPES: &[TypeInfo] = type_table! {
    BOOL: "bool", "boolean", 1, 'B', preferred, by_value, 'c', 'p', Base, BOOL_ARRAY, 0, stored;
    BYTEA: "bytea", "bytea", -1, 'U', ordinary, by_reference, 'i', 'x', Base, BYTEA_ARRAY, 0, stored;
    CHAR_INTERNAL: "char", "\"char\"", 1, 'Z', ordinary, by_value, 'c', 'p', Base, CHAR_INTERNAL_ARRAY, 0, stored;
    NAME: "name", "name", 64, 'S', ordinary, by_reference, 'c', 'p', Base, NAME_ARRAY, CHAR_INTERNAL, stored;
    INT8: "int8", "bigint", 8, 'N', ordinary, by_value, 'd', 'p', Base, INT8_ARRAY, 0, stored;
    INT2: "int2", "smallint", 2, 'N', ordinary, by_value, 's', 'p', Base, INT2_ARRAY, 0, stored;
    INT2VECTOR: "int2vector", "int2vector", -1, 'A', ordinary, by_reference, 'i', 'p', Array, INT2VECTOR_ARRAY, INT2, stored;
    INT4: "int4", "integer", 4, 'N', ordinary, by_value, 'i', 'p', Base, INT4_ARRAY, 0, stored;
    REGPROC: "regproc", "regproc", 4, 'N', ordinary, by_value, 'i', 'p', Base, REGPROC_ARRAY, 0, stored;
    TEXT: "text", "text", -1, 'S', preferred, by_reference, 'i', 'x', Base, TEXT_ARRAY, 0, stored;
    OID: "oid", "oid", 4, 'N', preferred, by_value, 'i', 'p', Base, OID_ARRAY, 0, stored;
    TID: "tid", "tid", 6, 'U', ordinary, by_reference, 's', 'p', Base, TID_ARRAY, 0, stored;
    XID: "xid", "xid", 4, 'U', ordinary, by_value, 'i', 'p', Base, XID_ARRAY, 0, stored;
    CID: "cid", "cid", 4, 'U', ordinary, by_value, 'i', 'p', Base, CID_ARRAY, 0, stored;
    OIDVECTOR: "oidvector", "oidvector", -1, 'A', ordinary, by_reference, 'i', 'p', Array, OIDVECTOR_ARRAY, OID, stored;
    JSON: "json", "json", -1, 'U', ordinary, by_reference, 'i', 'x', Base, JSON_ARRAY, 0, stored;
    XML: "xml", "xml", -1, 'U', ordinary, by_reference, 'i', 'x', Base, XML_ARRAY, 0, refused;
    XML_ARRAY: "_xml", "xml[]", -1, 'A', ordinary, by_reference, 'i', 'x', Array, 0, XML, refused;
    PG_NODE_TREE: "pg_node_tree", "pg_node_tree", -1, 'Z', ordinary, by_reference, 'i', 'x', Base, 0, 0, refused;
    JSON_ARRAY: "_json", "json[]", -1, 'A', ordinary, by_reference, 'i', 'x', Array, 0, JSON, stored;
    XID8_ARRAY: "_xid8", "xid8[]", -1, 'A', ordinary, by_reference, 'd', 'x', Array, 0, XID8, stored;
    POINT: "point", "point", 16, 'G', ordinary, by_reference, 'd', 'p', Base, POINT_ARRAY, FLOAT8, refused;
    LSEG: "lseg", "lseg", 32, 'G', ordinary, by_reference, 'd', 'p', Base, LSEG_ARRAY, POINT, refused;
    PATH: "path", "path", -1, 'G', ordinary, by_reference, 'd', 'x', Base, PATH_ARRAY, 0, refused;
    BOX: "box", "box", 32, 'G', ordinary, by_reference, 'd', 'p', Base, BOX_ARRAY, POINT, refused;
    POLYGON: "polygon", "polygon", -1, 'G', ordinary, by_reference, 'd', 'x', Base, POLYGON_ARRAY, 0, refused;
    LINE: "line", "line", 24, 'G', ordinary, by_reference, 'd', 'p', Base, LINE_ARRAY, FLOAT8, refused;
    LINE_ARRAY: "_line", "line[]", -1, 'A', ordinary, by_reference, 'd', 'x', Array, 0, LINE, refused;
    CIDR: "cidr", "cidr", -1, 'I', ordinary, by_reference, 'i', 'm', Base, CIDR_ARRAY, 0, refused;
    CIDR_ARRAY: "_cidr", "cidr[]", -1, 'A', ordinary, by_reference, 'i', 'x', Array, 0, CIDR, refused;
    FLOAT4: "float4", "real", 4, 'N', ordinary, by_value, 'i', 'p', Base, FLOAT4_ARRAY, 0, stored;
    FLOAT8: "float8", "double precision", 8, 'N', preferred, by_value, 'd', 'p', Base, FLOAT8_ARRAY, 0, stored;
    UNKNOWN: "unknown", "unknown", -2, 'X', ordinary, by_reference, 'c', 'p', Pseudo, 0, 0, stored;
    CIRCLE: "circle", "circle", 24, 'G', ordinary, by_reference, 'd', 'p', Base, CIRCLE_ARRAY, 0, refused;
    CIRCLE_ARRAY: "_circle", "circle[]", -1, 'A', ordinary, by_reference, 'd', 'x', Array, 0, CIRCLE, refused;
    MACADDR8: "macaddr8", "macaddr8", 8, 'U', ordinary, by_reference, 'i', 'p', Base, MACADDR8_ARRAY, 0, refused;
    MACADDR8_ARRAY: "_macaddr8", "macaddr8[]", -1, 'A', ordinary, by_reference, 'i', 'x', Array, 0, MACADDR8, refused;
    MONEY: "money", "money", 8, 'N', ordinary, by_value, 'd', 'p', Base, MONEY_ARRAY, 0, refused;
    MONEY_ARRAY: "_money", "money[]", -1, 'A', ordinary, by_reference, 'd', 'x', Array, 0, MONEY, refused;
    MACADDR: "macaddr", "macaddr", 6, 'U', ordinary, by_reference, 'i', 'p', Base, MACADDR_ARRAY, 0, refused;
    INET: "inet", "inet", -1, 'I', preferred, by_reference, 'i', 'm', Base, INET_ARRAY, 0, refused;
    BOOL_ARRAY: "_bool", "boolean[]", -1, 'A', ordinary, by_reference, 'i', 'x', Array, 0, BOOL, stored;
    BYTEA_ARRAY: "_bytea", "bytea[]", -1, 'A', ordinary, by_reference, 'i', 'x', Array, 0, BYTEA, stored;
    CHAR_INTERNAL_ARRAY: "_char", "\"char\"[]", -1, 'A', ordinary, by_reference, 'i', 'x', Array, 0, CHAR_INTERNAL, stored;
    NAME_ARRAY: "_name", "name[]", -1, 'A', ordinary, by_reference, 'i', 'x', Array, 0, NAME, stored;
    INT2_ARRAY: "_int2", "smallint[]", -1, 'A', ordinary, by_reference, 'i', 'x', Array, 0, INT2, stored;
    INT2VECTOR_ARRAY: "_int2vector", "int2vector[]", -1, 'A', ordinary, by_reference, 'i', 'x', Array, 0, INT2VECTOR, stored;
    INT4_ARRAY: "_int4", "integer[]", -1, 'A', ordinary, by_reference, 'i', 'x', Array, 0, INT4, stored;
    REGPROC_ARRAY: "_regproc", "regproc[]", -1, 'A', ordinary, by_reference, 'i', 'x', Array, 0, REGPROC, stored;
    TEXT_ARRAY: "_text", "text[]", -1, 'A', ordinary, by_reference, 'i', 'x', Array, 0, TEXT, stored;
    TID_ARRAY: "_tid", "tid[]", -1, 'A', ordinary, by_reference, 'i', 'x', Array, 0, TID, stored;
    XID_ARRAY: "_xid", "xid[]", -1, 'A', ordinary, by_reference, 'i', 'x', Array, 0, XID, stored;
    CID_ARRAY: "_cid", "cid[]", -1, 'A', ordinary, by_reference, 'i', 'x', Array, 0, CID, stored;
    OIDVECTOR_ARRAY: "_oidvector", "oidvector[]", -1, 'A', ordinary, by_reference, 'i', 'x', Array, 0, OIDVECTOR, stored;
    BPCHAR_ARRAY: "_bpchar", "character[]", -1, 'A', ordinary, by_reference, 'i', 'x', Array, 0, BPCHAR, stored;
    VARCHAR_ARRAY: "_varchar", "character varying[]", -1, 'A', ordinary, by_reference, 'i', 'x', Array, 0, VARCHAR, stored;
    INT8_ARRAY: "_int8", "bigint[]", -1, 'A', ordinary, by_reference, 'd', 'x', Array, 0, INT8, stored;
    POINT_ARRAY: "_point", "point[]", -1, 'A', ordinary, by_reference, 'd', 'x', Array, 0, POINT, refused;
    LSEG_ARRAY: "_lseg", "lseg[]", -1, 'A', ordinary, by_reference, 'd', 'x', Array, 0, LSEG, refused;
    PATH_ARRAY: "_path", "path[]", -1, 'A', ordinary, by_reference, 'd', 'x', Array, 0, PATH, refused;
    BOX_ARRAY: "_box", "box[]", -1, 'A', ordinary, by_reference, 'd', 'x', Array, 0, BOX, refused;
    FLOAT4_ARRAY: "_float4", "real[]", -1, 'A', ordinary, by_reference, 'i', 'x', Array, 0, FLOAT4, stored;
    FLOAT8_ARRAY: "_float8", "double precision[]", -1, 'A', ordinary, by_reference, 'd', 'x', Array, 0, FLOAT8, stored;
    POLYGON_ARRAY: "_polygon", "polygon[]", -1, 'A', ordinary, by_reference, 'd', 'x', Array, 0, POLYGON, refused;
    OID_ARRAY: "_oid", "oid[]", -1, 'A', ordinary, by_reference, 'i', 'x', Array, 0, OID, stored;
    ACLITEM: "aclitem", "aclitem", 12, 'U', ordinary, by_reference, 'i', 'p', Base, ACLITEM_ARRAY, 0, refused;
    ACLITEM_ARRAY: "_aclitem", "aclitem[]", -1, 'A', ordinary, by_reference, 'i', 'x', Array, 0, ACLITEM, refused;
    MACADDR_ARRAY: "_macaddr", "macaddr[]", -1, 'A', ordinary, by_reference, 'i', 'x', Array, 0, MACADDR, refused;
    INET_ARRAY: "_inet", "inet[]", -1, 'A', ordinary, by_reference, 'i', 'x', Array, 0, INET, refused;
    BPCHAR: "bpchar", "character", -1, 'S', ordinary, by_reference, 'i', 'x', Base, BPCHAR_ARRAY, 0, stored;
    VARCHAR: "varchar", "character varying", -1, 'S', ordinary, by_reference, 'i', 'x', Base, VARCHAR_ARRAY, 0, stored;
    DATE: "date", "date", 4, 'D', ordinary, by_value, 'i', 'p', Base, DATE_ARRAY, 0, stored;
    TIME: "time", "time without time zone", 8, 'D', ordinary, by_value, 'd', 'p', Base, TIME_ARRAY, 0, stored;
    TIMESTAMP: "timestamp", "timestamp without time zone", 8, 'D', ordinary, by_value, 'd', 'p', Base, TIMESTAMP_ARRAY, 0, stored;
    TIMESTAMP_ARRAY: "_timestamp", "timestamp without time zone[]", -1, 'A', ordinary, by_reference, 'd', 'x', Array, 0, TIMESTAMP, stored;
    DATE_ARRAY: "_date", "date[]", -1, 'A', ordinary, by_reference, 'i', 'x', Array, 0, DATE, stored;
    TIME_ARRAY: "_time", "time without time zone[]", -1, 'A', ordinary, by_reference, 'd', 'x', Array, 0, TIME, stored;
    TIMESTAMPTZ: "timestamptz", "timestamp with time zone", 8, 'D', preferred, by_value, 'd', 'p', Base, TIMESTAMPTZ_ARRAY, 0, stored;
    TIMESTAMPTZ_ARRAY: "_timestamptz", "timestamp with time zone[]", -1, 'A', ordinary, by_reference, 'd', 'x', Array, 0, TIMESTAMPTZ, stored;
    INTERVAL: "interval", "interval", 16, 'T', preferred, by_reference, 'd', 'p', Base, INTERVAL_ARRAY, 0, stored;
    INTERVAL_ARRAY: "_interval", "interval[]", -1, 'A', ordinary, by_reference, 'd', 'x', Array, 0, INTERVAL, stored;
    NUMERIC_ARRAY: "_numeric", "numeric[]", -1, 'A', ordinary, by_reference, 'i', 'x', Array, 0, NUMERIC, stored;
    CSTRING_ARRAY: "_cstring", "cstring[]", -1, 'A', ordinary, by_reference, 'i', 'x', Array, 0, CSTRING, stored;
    TIMETZ: "timetz", "time with time zone", 12, 'D', ordinary, by_reference, 'd', 'p', Base, TIMETZ_ARRAY, 0, stored;
    TIMETZ_ARRAY: "_timetz", "time with time zone[]", -1, 'A', ordinary, by_reference, 'd', 'x', Array, 0, TIMETZ, stored;
    BIT: "bit", "bit", -1, 'V', ordinary, by_reference, 'i', 'x', Base, BIT_ARRAY, 0, stored;
    BIT_ARRAY: "_bit", "bit[]", -1, 'A', ordinary, by_reference, 'i', 'x', Array, 0, BIT, stored;
    VARBIT: "varbit", "bit varying", -1, 'V', preferred, by_reference, 'i', 'x', Base, VARBIT_ARRAY, 0, stored;
    VARBIT_ARRAY: "_varbit", "bit varying[]", -1, 'A', ordinary, by_reference, 'i', 'x', Array, 0, VARBIT, stored;
    NUMERIC: "numeric", "numeric", -1, 'N', ordinary, by_reference, 'i', 'm', Base, NUMERIC_ARRAY, 0, stored;
    REFCURSOR: "refcursor", "refcursor", -1, 'U', ordinary, by_reference, 'i', 'x', Base, REFCURSOR_ARRAY, 0, refused;
    REFCURSOR_ARRAY: "_refcursor", "refcursor[]", -1, 'A', ordinary, by_reference, 'i', 'x', Array, 0, REFCURSOR, refused;
    REGPROCEDURE: "regprocedure", "regprocedure", 4, 'N', ordinary, by_value, 'i', 'p', Base, REGPROCEDURE_ARRAY, 0, stored;
    REGOPER: "regoper", "regoper", 4, 'N', ordinary, by_value, 'i', 'p', Base, REGOPER_ARRAY, 0, stored;
    REGOPERATOR: "regoperator", "regoperator", 4, 'N', ordinary, by_value, 'i', 'p', Base, REGOPERATOR_ARRAY, 0, stored;
    REGCLASS: "regclass", "regclass", 4, 'N', ordinary, by_value, 'i', 'p', Base, REGCLASS_ARRAY, 0, stored;
    REGTYPE: "regtype", "regtype", 4, 'N', ordinary, by_value, 'i', 'p', Base, REGTYPE_ARRAY, 0, stored;
    REGPROCEDURE_ARRAY: "_regprocedure", "regprocedure[]", -1, 'A', ordinary, by_reference, 'i', 'x', Array, 0, REGPROCEDURE, stored;
    REGOPER_ARRAY: "_regoper", "regoper[]", -1, 'A', ordinary, by_reference, 'i', 'x', Array, 0, REGOPER, stored;
    REGOPERATOR_ARRAY: "_regoperator", "regoperator[]", -1, 'A', ordinary, by_reference, 'i', 'x', Array, 0, REGOPERATOR, stored;
    REGCLASS_ARRAY: "_regclass", "regclass[]", -1, 'A', ordinary, by_reference, 'i', 'x', Array, 0, REGCLASS, stored;
    REGTYPE_ARRAY: "_regtype", "regtype[]", -1, 'A', ordinary, by_reference, 'i', 'x', Array, 0, REGTYPE, stored;
    RECORD: "record", "record", -1, 'P', ordinary, by_reference, 'd', 'x', Pseudo, RECORD_ARRAY, 0, stored;
    CSTRING: "cstring", "cstring", -2, 'P', ordinary, by_reference, 'c', 'p', Pseudo, CSTRING_ARRAY, 0, stored;
    ANY: "any", "\"any\"", 4, 'P', ordinary, by_value, 'i', 'p', Pseudo, 0, 0, stored;
    ANYARRAY: "anyarray", "anyarray", -1, 'P', ordinary, by_reference, 'd', 'x', Pseudo, 0, 0, stored;
    VOID: "void", "void", 4, 'P', ordinary, by_value, 'i', 'p', Pseudo, 0, 0, stored;
    TRIGGER: "trigger", "trigger", 4, 'P', ordinary, by_value, 'i', 'p', Pseudo, 0, 0, stored;
    LANGUAGE_HANDLER: "language_handler", "language_handler", 4, 'P', ordinary, by_value, 'i', 'p', Pseudo, 0, 0, refused;
    INTERNAL: "internal", "internal", 8, 'P', ordinary, by_value, 'd', 'p', Pseudo, 0, 0, stored;
    ANYELEMENT: "anyelement", "anyelement", 4, 'P', ordinary, by_value, 'i', 'p', Pseudo, 0, 0, stored;
    RECORD_ARRAY: "_record", "record[]", -1, 'P', ordinary, by_reference, 'd', 'x', Pseudo, 0, RECORD, stored;
    ANYNONARRAY: "anynonarray", "anynonarray", 4, 'P', ordinary, by_value, 'i', 'p', Pseudo, 0, 0, stored;
    TXID_SNAPSHOT_ARRAY: "_txid_snapshot", "txid_snapshot[]", -1, 'A', ordinary, by_reference, 'd', 'x', Array, 0, TXID_SNAPSHOT, stored;
    UUID: "uuid", "uuid", 16, 'U', ordinary, by_reference, 'c', 'p', Base, UUID_ARRAY, 0, stored;
    UUID_ARRAY: "_uuid", "uuid[]", -1, 'A', ordinary, by_reference, 'i', 'x', Array, 0, UUID, stored;
    TXID_SNAPSHOT: "txid_snapshot", "txid_snapshot", -1, 'U', ordinary, by_reference, 'd', 'x', Base, TXID_SNAPSHOT_ARRAY, 0, stored;
    PG_LSN: "pg_lsn", "pg_lsn", 8, 'U', ordinary, by_value, 'd', 'p', Base, PG_LSN_ARRAY, 0, stored;
    PG_LSN_ARRAY: "_pg_lsn", "pg_lsn[]", -1, 'A', ordinary, by_reference, 'd', 'x', Array, 0, PG_LSN, stored;
    ANYENUM: "anyenum", "anyenum", 4, 'P', ordinary, by_value, 'i', 'p', Pseudo, 0, 0, stored;
    TSVECTOR: "tsvector", "tsvector", -1, 'U', ordinary, by_reference, 'i', 'x', Base, TSVECTOR_ARRAY, 0, refused;
    TSQUERY: "tsquery", "tsquery", -1, 'U', ordinary, by_reference, 'i', 'p', Base, TSQUERY_ARRAY, 0, refused;
    TSVECTOR_ARRAY: "_tsvector", "tsvector[]", -1, 'A', ordinary, by_reference, 'i', 'x', Array, 0, TSVECTOR, refused;
    TSQUERY_ARRAY: "_tsquery", "tsquery[]", -1, 'A', ordinary, by_reference, 'i', 'x', Array, 0, TSQUERY, refused;
    REGCONFIG: "regconfig", "regconfig", 4, 'N', ordinary, by_value, 'i', 'p', Base, REGCONFIG_ARRAY, 0, stored;
    REGCONFIG_ARRAY: "_regconfig", "regconfig[]", -1, 'A', ordinary, by_reference, 'i', 'x', Array, 0, REGCONFIG, stored;
    REGDICTIONARY: "regdictionary", "regdictionary", 4, 'N', ordinary, by_value, 'i', 'p', Base, REGDICTIONARY_ARRAY, 0, stored;
    REGDICTIONARY_ARRAY: "_regdictionary", "regdictionary[]", -1, 'A', ordinary, by_reference, 'i', 'x', Array, 0, REGDICTIONARY, stored;
    JSONB: "jsonb", "jsonb", -1, 'U', ordinary, by_reference, 'i', 'x', Base, JSONB_ARRAY, 0, stored;
    JSONB_ARRAY: "_jsonb", "jsonb[]", -1, 'A', ordinary, by_reference, 'i', 'x', Array, 0, JSONB, stored;
    ANYRANGE: "anyrange", "anyrange", -1, 'P', ordinary, by_reference, 'd', 'x', Pseudo, 0, 0, stored;
    EVENT_TRIGGER: "event_trigger", "event_trigger", 4, 'P', ordinary, by_value, 'i', 'p', Pseudo, 0, 0, refused;
    INT4RANGE: "int4range", "int4range", -1, 'R', ordinary, by_reference, 'i', 'x', Range, INT4RANGE_ARRAY, 0, refused;
    INT4RANGE_ARRAY: "_int4range", "int4range[]", -1, 'A', ordinary, by_reference, 'i', 'x', Array, 0, INT4RANGE, refused;
    NUMRANGE: "numrange", "numrange", -1, 'R', ordinary, by_reference, 'i', 'x', Range, NUMRANGE_ARRAY, 0, refused;
    NUMRANGE_ARRAY: "_numrange", "numrange[]", -1, 'A', ordinary, by_reference, 'i', 'x', Array, 0, NUMRANGE, refused;
    TSRANGE: "tsrange", "tsrange", -1, 'R', ordinary, by_reference, 'd', 'x', Range, TSRANGE_ARRAY, 0, refused;
    TSRANGE_ARRAY: "_tsrange", "tsrange[]", -1, 'A', ordinary, by_reference, 'd', 'x', Array, 0, TSRANGE, refused;
    TSTZRANGE: "tstzrange", "tstzrange", -1, 'R', ordinary, by_reference, 'd', 'x', Range, TSTZRANGE_ARRAY, 0, refused;
    TSTZRANGE_ARRAY: "_tstzrange", "tstzrange[]", -1, 'A', ordinary, by_reference, 'd', 'x', Array, 0, TSTZRANGE, refused;
    DATERANGE: "daterange", "daterange", -1, 'R', ordinary, by_reference, 'i', 'x', Range, DATERANGE_ARRAY, 0, refused;
    DATERANGE_ARRAY: "_daterange", "daterange[]", -1, 'A', ordinary, by_reference, 'i', 'x', Array, 0, DATERANGE, refused;
    INT8RANGE: "int8range", "int8range", -1, 'R', ordinary, by_reference, 'd', 'x', Range, INT8RANGE_ARRAY, 0, refused;
    INT8RANGE_ARRAY: "_int8range", "int8range[]", -1, 'A', ordinary, by_reference, 'd', 'x', Array, 0, INT8RANGE, refused;
    JSONPATH: "jsonpath", "jsonpath", -1, 'U', ordinary, by_reference, 'i', 'x', Base, JSONPATH_ARRAY, 0, stored;
    JSONPATH_ARRAY: "_jsonpath", "jsonpath[]", -1, 'A', ordinary, by_reference, 'i', 'x', Array, 0, JSONPATH, stored;
    REGNAMESPACE: "regnamespace", "regnamespace", 4, 'N', ordinary, by_value, 'i', 'p', Base, REGNAMESPACE_ARRAY, 0, stored;
    REGNAMESPACE_ARRAY: "_regnamespace", "regnamespace[]", -1, 'A', ordinary, by_reference, 'i', 'x', Array, 0, REGNAMESPACE, stored;
    REGROLE: "regrole", "regrole", 4, 'N', ordinary, by_value, 'i', 'p', Base, REGROLE_ARRAY, 0, stored;
    REGROLE_ARRAY: "_regrole", "regrole[]", -1, 'A', ordinary, by_reference, 'i', 'x', Array, 0, REGROLE, stored;
    REGCOLLATION: "regcollation", "regcollation", 4, 'N', ordinary, by_value, 'i', 'p', Base, REGCOLLATION_ARRAY, 0, stored;
    REGCOLLATION_ARRAY: "_regcollation", "regcollation[]", -1, 'A', ordinary, by_reference, 'i', 'x', Array, 0, REGCOLLATION, stored;
    PG_SNAPSHOT: "pg_snapshot", "pg_snapshot", -1, 'U', ordinary, by_reference, 'd', 'x', Base, PG_SNAPSHOT_ARRAY, 0, stored;
    PG_SNAPSHOT_ARRAY: "_pg_snapshot", "pg_snapshot[]", -1, 'A', ordinary, by_reference, 'd', 'x', Array, 0, PG_SNAPSHOT, stored;
    XID8: "xid8", "xid8", 8, 'U', ordinary, by_value, 'd', 'p', Base, XID8_ARRAY, 0, stored;
    ANYCOMPATIBLE: "anycompatible", "anycompatible", 4, 'P', ordinary, by_value, 'i', 'p', Pseudo, 0, 0, stored;
    ANYCOMPATIBLEARRAY: "anycompatiblearray", "anycompatiblearray", -1, 'P', ordinary, by_reference, 'd', 'x', Pseudo, 0, 0, stored;
    ANYCOMPATIBLENONARRAY: "anycompatiblenonarray", "anycompatiblenonarray", 4, 'P', ordinary, by_value, 'i', 'p', Pseudo, 0, 0, stored;
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_its_links_lead_back() {
        for pair in TYPES.windows(2) {
            assert!(pair[0].oid < pair[1].oid, "{} before {}", pair[0].name, pair[1].name);
        }
        for info in TYPES.iter().filter(|info| info.array_oid != oid::INVALID) {
            let array = type_info(info.array_oid).expect("array type listed");
            assert_eq!(array.element_oid, info.oid, "{}", info.name);
        }
    }

    #[test]
    fn every_spelling_finds_its_type() {
        assert_eq!(type_by_name("int"), Some(oid::INT4));
        assert_eq!(type_by_name("integer"), Some(oid::INT4));
        assert_eq!(type_by_name("int4"), Some(oid::INT4));
        assert_eq!(type_by_name("timestamp with time zone"), Some(oid::TIMESTAMPTZ));
        assert_eq!(type_by_name("char"), Some(oid::BPCHAR));
        assert_eq!(type_by_name("\"char\""), Some(oid::CHAR_INTERNAL));
        assert_eq!(type_by_name("serial"), None);
    }
}
