//! `pg_am`, `pg_opfamily`, `pg_opclass`, `pg_amop`, `pg_amproc`: how indexes order values.
//!
//! There is one way to keep rows (`heap`) and one sort of index (`btree`). Comparing is not done by functions of SQL, so that
//! `pg_amproc` is empty.

use nqdb_catalog::{PG_CATALOG_OID, SUPERUSER_OID};
use nqdb_functions::{Strategy, all_operators};
use nqdb_sqlstate::SqlResult;
use nqdb_types::{Datum, Oid, oid as types, type_category};

use super::class::{BTREE, HEAP};
use super::context::{SystemContext, SystemRows};
use super::relation::{SystemRelation, relation};
use super::value::{boolean, letter, oid, text};

pub(super) static RELATIONS: &[&SystemRelation] = &[&PG_AM, &PG_OPFAMILY, &PG_OPCLASS, &PG_AMOP, &PG_AMPROC];

relation! {
    /// Access methods.
    PG_AM = "pg_am" 2601, row_type 10015, Table, keys [], rows access_methods;
    AccessMethod {     oid: OID not_null, amname: NAME not_null, amhandler: REGPROC not_null, amtype: CHAR_INTERNAL not_null, }
}

relation! {
    /// Operator families.
    PG_OPFAMILY = "pg_opfamily" 2753, row_type 10011, Table, keys [], rows families;
    Family {     oid: OID not_null, opfmethod: OID not_null, opfname: NAME not_null, opfnamespace: OID not_null,
    opfowner: OID not_null, }
}

relation! {
    /// Operator classes.
    PG_OPCLASS = "pg_opclass" 2616, row_type 10013, Table, keys ["oid"], rows classes;
    OperatorClass {     oid: OID not_null, opcmethod: OID not_null, opcname: NAME not_null, opcnamespace: OID not_null,
    opcowner: OID not_null, opcfamily: OID not_null, opcintype: OID not_null, opcdefault: BOOL not_null,
    opckeytype: OID not_null, }
}

relation! {
    /// Operators of families.
    PG_AMOP = "pg_amop" 2602, row_type 10017, Table, keys [], rows family_operators;
    FamilyOperator {     oid: OID not_null, amopfamily: OID not_null, amoplefttype: OID not_null, amoprighttype: OID not_null,
    amopstrategy: INT2 not_null, amoppurpose: CHAR_INTERNAL not_null, amopopr: OID not_null,
    amopmethod: OID not_null, amopsortfamily: OID not_null, }
}

relation! {
    /// Support functions of families: none.
    PG_AMPROC = "pg_amproc" 2603, row_type 10019, Table, empty;
    {     oid: OID not_null, amprocfamily: OID not_null, amproclefttype: OID not_null, amprocrighttype: OID not_null,
    amprocnum: INT2 not_null, amproc: REGPROC not_null, }
}

/// An operator class of btree.
pub(crate) struct BtreeClass {
    pub oid: Oid,
    pub name: &'static str,
    pub family: Oid,
    pub family_name: &'static str,
    pub input: Oid,
    /// It serves the type unless another is named.
    pub is_default: bool,
}

const fn class(
    oid: Oid,
    name: &'static str,
    family: Oid,
    family_name: &'static str,
    input: Oid,
    is_default: bool,
) -> BtreeClass {
    BtreeClass { oid, name, family, family_name, input, is_default }
}

/// The classes of the types that indexes can hold.
#[rustfmt::skip]
static BTREE_CLASSES: &[BtreeClass] = &[
    class(1979, "int2_ops", 1976, "integer_ops", types::INT2, true),
    class(1978, "int4_ops", 1976, "integer_ops", types::INT4, true),
    class(1981, "oid_ops", 1989, "oid_ops", types::OID, true),
    class(3122, "date_ops", 434, "datetime_ops", types::DATE, true),
    class(3123, "float8_ops", 1970, "float_ops", types::FLOAT8, true),
    class(3124, "int8_ops", 1976, "integer_ops", types::INT8, true),
    class(3125, "numeric_ops", 1988, "numeric_ops", types::NUMERIC, true),
    class(3126, "text_ops", 1994, "text_ops", types::TEXT, true),
    class(3127, "timestamptz_ops", 434, "datetime_ops", types::TIMESTAMPTZ, true),
    class(3128, "timestamp_ops", 434, "datetime_ops", types::TIMESTAMP, true),
    class(4217, "text_pattern_ops", 2095, "text_pattern_ops", types::TEXT, false),
    class(4218, "varchar_pattern_ops", 2095, "text_pattern_ops", types::TEXT, false),
    class(4219, "bpchar_pattern_ops", 2097, "bpchar_pattern_ops", types::BPCHAR, false),
    class(10000, "array_ops", 397, "array_ops", types::ANYARRAY, true),
    class(10002, "bit_ops", 423, "bit_ops", types::BIT, true),
    class(10003, "bool_ops", 424, "bool_ops", types::BOOL, true),
    class(10004, "bpchar_ops", 426, "bpchar_ops", types::BPCHAR, true),
    class(10006, "bytea_ops", 428, "bytea_ops", types::BYTEA, true),
    class(10007, "char_ops", 429, "char_ops", types::CHAR_INTERNAL, true),
    class(10012, "float4_ops", 1970, "float_ops", types::FLOAT4, true),
    class(10022, "interval_ops", 1982, "interval_ops", types::INTERVAL, true),
    class(10028, "name_ops", 1994, "text_ops", types::NAME, true),
    class(10034, "record_ops", 2994, "record_ops", types::RECORD, true),
    class(10038, "time_ops", 1996, "time_ops", types::TIME, true),
    class(10041, "timetz_ops", 2000, "timetz_ops", types::TIMETZ, true),
    class(10043, "varbit_ops", 2002, "varbit_ops", types::VARBIT, true),
    class(10044, "varchar_ops", 1994, "text_ops", types::TEXT, false),
    class(10050, "tid_ops", 2789, "tid_ops", types::TID, true),
    class(10065, "uuid_ops", 2968, "uuid_ops", types::UUID, true),
    class(10053, "xid8_ops", 5067, "xid8_ops", types::XID8, true),
    class(10067, "pg_lsn_ops", 3253, "pg_lsn_ops", types::PG_LSN, true),
    class(10069, "enum_ops", 3522, "enum_ops", types::ANYENUM, true),
    class(10088, "jsonb_ops", 4033, "jsonb_ops", types::JSONB, true),
];

/// The class by which an index orders values of a type when none is named.
pub(crate) fn default_class(type_oid: Oid) -> Option<&'static BtreeClass> {
    let exact = BTREE_CLASSES.iter().find(|class| class.is_default && class.input == type_oid);
    exact.or_else(|| {
        let category = type_category(type_oid)?;
        let input = match type_oid {
            types::VARCHAR => types::TEXT,
            _ if category == 'A' => types::ANYARRAY,
            _ if category == 'E' => types::ANYENUM,
            _ if category == 'C' => types::RECORD,
            // The reg types compare as numbers.
            _ if category == 'N' => types::OID,
            _ => return None,
        };
        BTREE_CLASSES.iter().find(|class| class.is_default && class.input == input)
    })
}

/// The class of that name. All classes of a type order its values alike: by bytes, where they are texts.
pub(crate) fn class_named(name: &str) -> Option<&'static BtreeClass> {
    BTREE_CLASSES.iter().find(|class| class.name == name)
}

/// The class with that number.
pub(crate) fn class_by_oid(number: Oid) -> Option<&'static BtreeClass> {
    BTREE_CLASSES.iter().find(|class| class.oid == number)
}

/// Whether there is a family with that number.
pub(crate) fn family_exists(number: Oid) -> bool {
    BTREE_CLASSES.iter().any(|class| class.family == number)
}

/// `heap_tableam_handler` and `bthandler`.
const HANDLERS: [(Oid, &str, Oid, char); 2] = [(HEAP, "heap", 3, 't'), (BTREE, "btree", 330, 'i')];

fn access_methods(_cx: &SystemContext<'_>, rows: &mut SystemRows<'_>) -> SqlResult<()> {
    HANDLERS.iter().try_for_each(|(number, name, handler, kind)| {
        rows.push(AccessMethod {
            oid: oid(*number),
            amname: text(name),
            amhandler: oid(*handler),
            amtype: letter(*kind),
        })
    })
}

/// The name of an access method.
pub(super) fn name_of(number: Oid) -> Option<&'static str> {
    HANDLERS.iter().find(|(own, ..)| *own == number).map(|(_, name, ..)| *name)
}

/// The name of a family.
pub(super) fn family_name(number: Oid) -> Option<&'static str> {
    BTREE_CLASSES.iter().find(|class| class.family == number).map(|class| class.family_name)
}

/// Number and name of each family once.
fn all_families() -> Vec<(Oid, &'static str)> {
    let mut families: Vec<_> = BTREE_CLASSES.iter().map(|class| (class.family, class.family_name)).collect();
    families.sort_unstable();
    families.dedup();
    families
}

fn families(_cx: &SystemContext<'_>, rows: &mut SystemRows<'_>) -> SqlResult<()> {
    all_families().into_iter().try_for_each(|(number, name)| {
        rows.push(Family {
            oid: oid(number),
            opfmethod: oid(BTREE),
            opfname: text(name),
            opfnamespace: oid(PG_CATALOG_OID),
            opfowner: oid(SUPERUSER_OID),
        })
    })
}

fn classes(cx: &SystemContext<'_>, rows: &mut SystemRows<'_>) -> SqlResult<()> {
    let wanted = cx.wanted_oid("oid");
    BTREE_CLASSES.iter().filter(|class| wanted.is_none_or(|wanted| class.oid == wanted)).try_for_each(|class| {
        rows.push(OperatorClass {
            oid: oid(class.oid),
            opcmethod: oid(BTREE),
            opcname: text(class.name),
            opcnamespace: oid(PG_CATALOG_OID),
            opcowner: oid(SUPERUSER_OID),
            opcfamily: oid(class.family),
            opcintype: oid(class.input),
            opcdefault: boolean(class.is_default),
            opckeytype: oid(if class.input == types::NAME { types::CSTRING } else { 0 }),
        })
    })
}

/// PostgreSQL gives these rows numbers when a cluster is made; here they follow the order of the operators.
const FIRST_FAMILY_OPERATOR_OID: Oid = 11_000;

fn family_operators(_cx: &SystemContext<'_>, rows: &mut SystemRows<'_>) -> SqlResult<()> {
    let mut number = FIRST_FAMILY_OPERATOR_OID;
    for operator in all_operators() {
        let (Some(strategy), Some(left)) = (operator.strategy, operator.left) else { continue };
        let Some(class) = default_class(left) else { continue };
        rows.push(FamilyOperator {
            oid: oid(number),
            amopfamily: oid(class.family),
            amoplefttype: oid(left),
            amoprighttype: oid(operator.right),
            amopstrategy: Datum::Int2(match strategy {
                Strategy::Lt => 1,
                Strategy::Le => 2,
                Strategy::Eq => 3,
                Strategy::Ge => 4,
                Strategy::Gt => 5,
            }),
            amoppurpose: letter('s'),
            amopopr: oid(operator.oid),
            amopmethod: oid(BTREE),
            amopsortfamily: oid(0),
        })?;
        number += 1;
    }
    Ok(())
}
