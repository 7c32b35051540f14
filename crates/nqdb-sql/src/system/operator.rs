//! `pg_operator` and `pg_cast`.

use nqdb_catalog::{PG_CATALOG_OID, SUPERUSER_OID};
use nqdb_functions::{CastContext, Operator, Strategy, all_operators, casts, operators_named};
use nqdb_sqlstate::SqlResult;
use nqdb_types::Oid;

use super::context::{SystemContext, SystemRows};
use super::relation::{SystemRelation, relation};
use super::value::{boolean, letter, oid, text};

pub(super) static RELATIONS: &[&SystemRelation] = &[&PG_OPERATOR, &PG_CAST];

relation! {
    /// Operators.
    PG_OPERATOR = "pg_operator" 2617, row_type 10009, Table, keys ["oid", "oprname"], rows operators;
    OperatorRow {     oid: OID not_null, oprname: NAME not_null, oprnamespace: OID not_null, oprowner: OID not_null,
    oprkind: CHAR_INTERNAL not_null, oprcanmerge: BOOL not_null, oprcanhash: BOOL not_null,
    oprleft: OID not_null, oprright: OID not_null, oprresult: OID not_null, oprcom: OID not_null,
    oprnegate: OID not_null, oprcode: REGPROC not_null, oprrest: REGPROC not_null, oprjoin: REGPROC not_null, }
}

relation! {
    /// Conversions between types that need no text.
    PG_CAST = "pg_cast" 2605, row_type 10043, Table, keys [], rows all_casts;
    CastRow {     oid: OID not_null, castsource: OID not_null, casttarget: OID not_null, castfunc: OID not_null,
    castcontext: CHAR_INTERNAL not_null, castmethod: CHAR_INTERNAL not_null, }
}

fn operators(cx: &SystemContext<'_>, rows: &mut SystemRows<'_>) -> SqlResult<()> {
    let (number, name) = (cx.wanted_oid("oid"), cx.wanted_name("oprname"));
    all_operators()
        .filter(|operator| number.is_none_or(|number| operator.oid == number))
        .filter(|operator| name.is_none_or(|name| operator.name == name))
        .try_for_each(|operator| rows.push(operator_row(operator)))
}

fn operator_row(operator: &Operator) -> OperatorRow {
    let left = operator.left.unwrap_or(0);
    let is_equality = operator.strategy == Some(Strategy::Eq);
    OperatorRow {
        oid: oid(operator.oid),
        oprname: text(operator.name),
        oprnamespace: oid(PG_CATALOG_OID),
        oprowner: oid(SUPERUSER_OID),
        oprkind: letter(if operator.left.is_some() { 'b' } else { 'l' }),
        oprcanmerge: boolean(is_equality),
        oprcanhash: boolean(is_equality),
        oprleft: oid(left),
        oprright: oid(operator.right),
        oprresult: oid(operator.returns()),
        oprcom: oid(operator.commutator.map_or(0, |name| number_of(name, Some(operator.right), left))),
        oprnegate: oid(operator.negator.map_or(0, |name| number_of(name, operator.left, operator.right))),
        oprcode: oid(operator.function.oid),
        oprrest: oid(0),
        oprjoin: oid(0),
    }
}

fn number_of(name: &str, left: Option<Oid>, right: Oid) -> Oid {
    let fits = |operator: &&&Operator| operator.left == left && operator.right == right;
    operators_named(name).iter().find(fits).map_or(0, |operator| operator.oid)
}

/// PostgreSQL gives casts numbers when a cluster is made; here they follow the order of the table.
pub(super) const FIRST_CAST_OID: Oid = 10_105;

fn all_casts(_cx: &SystemContext<'_>, rows: &mut SystemRows<'_>) -> SqlResult<()> {
    (FIRST_CAST_OID..).zip(casts()).try_for_each(|(number, cast)| {
        rows.push(CastRow {
            oid: oid(number),
            castsource: oid(cast.source),
            casttarget: oid(cast.target),
            castfunc: oid(cast.catalog_function),
            castcontext: letter(match cast.context {
                CastContext::Implicit => 'i',
                CastContext::Assignment => 'a',
                CastContext::Explicit => 'e',
            }),
            castmethod: letter(if cast.catalog_function == 0 { 'b' } else { 'f' }),
        })
    })
}
