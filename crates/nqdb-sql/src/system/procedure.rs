//! `pg_proc` and `pg_aggregate`: the functions and aggregates that can be called, and the support functions of types.
//!
//! What PostgreSQL says of how its functions are written (source, cost, support) is not so here: the source of a function is its
//! name, and aggregates have no transition functions, because their states are not SQL values.

use nqdb_catalog::SUPERUSER_OID;
use nqdb_catalog::rights::SecuredKind;
use nqdb_functions::{OrderedSetKind, Volatility, aggregate_by_oid};
use nqdb_sqlstate::SqlResult;
use nqdb_types::{Datum, Oid, oid as types, type_info};

use super::context::{SystemContext, SystemRows};
use super::language::INTERNAL_LANGUAGE;
use super::relation::{SystemRelation, relation};
use super::routine::{self, Routine, RoutineKind};
use super::secured::stored_list_value;
use super::value::{boolean, int2, int4, letter, letter_array, oid, oid_array, oid_vector, text, text_array};

pub(super) static RELATIONS: &[&SystemRelation] = &[&PG_PROC, &PG_AGGREGATE];

relation! {
    /// Functions and aggregates.
    PG_PROC = "pg_proc" 1255, row_type 81, Table, keys ["oid", "proname"], rows procedures;
    Procedure {     oid: OID not_null, proname: NAME not_null, pronamespace: OID not_null, proowner: OID not_null,
    prolang: OID not_null, procost: FLOAT4 not_null, prorows: FLOAT4 not_null, provariadic: OID not_null,
    prosupport: REGPROC not_null, prokind: CHAR_INTERNAL not_null, prosecdef: BOOL not_null,
    proleakproof: BOOL not_null, proisstrict: BOOL not_null, proretset: BOOL not_null,
    provolatile: CHAR_INTERNAL not_null, proparallel: CHAR_INTERNAL not_null, pronargs: INT2 not_null,
    pronargdefaults: INT2 not_null, prorettype: OID not_null, proargtypes: OIDVECTOR not_null,
    proallargtypes: OID_ARRAY nullable, proargmodes: CHAR_INTERNAL_ARRAY nullable,
    proargnames: TEXT_ARRAY nullable, proargdefaults: PG_NODE_TREE nullable, protrftypes: OID_ARRAY nullable,
    prosrc: TEXT not_null, probin: TEXT nullable, prosqlbody: PG_NODE_TREE nullable,
    proconfig: TEXT_ARRAY nullable, proacl: ACLITEM_ARRAY nullable, }
}

relation! {
    /// What `pg_proc` does not say of aggregates.
    PG_AGGREGATE = "pg_aggregate" 2600, row_type 10027, Table, keys ["aggfnoid"], rows aggregates;
    AggregateRow {     aggfnoid: REGPROC not_null, aggkind: CHAR_INTERNAL not_null, aggnumdirectargs: INT2 not_null,
    aggtransfn: REGPROC not_null, aggfinalfn: REGPROC not_null, aggcombinefn: REGPROC not_null,
    aggserialfn: REGPROC not_null, aggdeserialfn: REGPROC not_null, aggmtransfn: REGPROC not_null,
    aggminvtransfn: REGPROC not_null, aggmfinalfn: REGPROC not_null, aggfinalextra: BOOL not_null,
    aggmfinalextra: BOOL not_null, aggfinalmodify: CHAR_INTERNAL not_null,
    aggmfinalmodify: CHAR_INTERNAL not_null, aggsortop: OID not_null, aggtranstype: OID not_null,
    aggtransspace: INT4 not_null, aggmtranstype: OID not_null, aggmtransspace: INT4 not_null,
    agginitval: TEXT nullable, aggminitval: TEXT nullable, }
}

fn procedures(cx: &SystemContext<'_>, rows: &mut SystemRows<'_>) -> SqlResult<()> {
    if let Some(number) = cx.wanted_oid("oid") {
        return routine::by_oid(number).map_or(Ok(()), |found| rows.push(procedure(cx, found)));
    }
    if let Some(name) = cx.wanted_name("proname") {
        let in_information_schema = format!("information_schema.{name}");
        let found = routine::named(name).chain(routine::named(&in_information_schema));
        return found.filter(|found| found.place().1 == name).try_for_each(|found| rows.push(procedure(cx, found)));
    }
    routine::all().iter().try_for_each(|found| rows.push(procedure(cx, found)))
}

/// Rows that PostgreSQL expects of a function that returns a set.
const SET_ROWS: f32 = 1000.0;

fn procedure(cx: &SystemContext<'_>, routine: &Routine) -> Procedure {
    let variadic = if routine.variadic { routine.args.last().copied() } else { None };
    // The catalog shows the array that takes the repeated arguments; "any" stands for itself.
    let args: Vec<Oid> = routine.catalog_args();
    let (schema, name) = routine.place();
    let (all_types, modes, names) = routine.all_arguments();
    let are_plain = modes.iter().all(|mode| *mode == 'i');
    Procedure {
        oid: oid(routine.oid),
        proname: text(name),
        pronamespace: oid(schema),
        proowner: oid(SUPERUSER_OID),
        prolang: oid(INTERNAL_LANGUAGE),
        procost: Datum::Float4(1.0),
        prorows: Datum::Float4(if routine.returns_set { SET_ROWS } else { 0.0 }),
        provariadic: oid(variadic.unwrap_or(types::INVALID)),
        prosupport: oid(0),
        prokind: letter(routine.kind.letter()),
        prosecdef: boolean(false),
        proleakproof: boolean(false),
        proisstrict: boolean(routine.strict),
        proretset: boolean(routine.returns_set),
        provolatile: letter(volatility_letter(routine.volatility)),
        proparallel: letter(if routine.volatility == Volatility::Volatile { 'r' } else { 's' }),
        pronargs: int2(args.len()),
        pronargdefaults: int2(routine.defaults.len()),
        prorettype: oid(routine.returns),
        proallargtypes: if are_plain { Datum::Null } else { oid_array(all_types) },
        proargmodes: if are_plain { Datum::Null } else { letter_array(modes) },
        proargtypes: oid_vector(args),
        proargnames: if names.iter().any(|name| !name.is_empty()) { text_array(names) } else { Datum::Null },
        proargdefaults: if routine.defaults.is_empty() { Datum::Null } else { text(&routine.defaults.join(", ")) },
        prosrc: text(if routine.kind == RoutineKind::Aggregate { "aggregate_dummy" } else { routine.name }),
        proacl: stored_list_value(cx.catalog, SecuredKind::Function, routine.oid),
        ..Procedure::default()
    }
}

fn volatility_letter(volatility: Volatility) -> char {
    match volatility {
        Volatility::Immutable => 'i',
        Volatility::Stable => 's',
        Volatility::Volatile => 'v',
    }
}

impl Routine {
    /// The types of the arguments as the catalog shows them: of a variadic function the last one is an array.
    pub(super) fn catalog_args(&self) -> Vec<Oid> {
        let mut args = self.args.to_vec();
        if self.variadic
            && let Some(last) = args.last_mut()
            && *last != types::ANY
        {
            *last = type_info(*last).map_or(*last, |info| info.array_oid);
        }
        args
    }
}

fn aggregates(cx: &SystemContext<'_>, rows: &mut SystemRows<'_>) -> SqlResult<()> {
    let wanted = cx.wanted_oid("aggfnoid");
    let of_kind = routine::all().iter().filter(|routine| routine.kind == RoutineKind::Aggregate);
    of_kind.filter(|routine| wanted.is_none_or(|wanted| routine.oid == wanted)).try_for_each(|routine| {
        let (kind, direct_args) = match aggregate_by_oid(routine.oid).and_then(|aggregate| aggregate.ordered_set) {
            None => ('n', 0),
            Some(OrderedSetKind::Mode) => ('o', 0),
            Some(set) if set.is_hypothetical() => ('h', 1),
            Some(_) => ('o', 1),
        };
        rows.push(AggregateRow {
            aggfnoid: oid(routine.oid),
            aggkind: letter(kind),
            aggnumdirectargs: int2(direct_args),
            aggtransfn: oid(0),
            aggfinalfn: oid(0),
            aggcombinefn: oid(0),
            aggserialfn: oid(0),
            aggdeserialfn: oid(0),
            aggmtransfn: oid(0),
            aggminvtransfn: oid(0),
            aggmfinalfn: oid(0),
            aggfinalextra: boolean(false),
            aggmfinalextra: boolean(false),
            aggfinalmodify: letter('r'),
            aggmfinalmodify: letter('r'),
            aggsortop: oid(0),
            aggtranstype: oid(types::INTERNAL),
            aggtransspace: int4(0),
            aggmtranstype: oid(0),
            aggmtransspace: int4(0),
            ..AggregateRow::default()
        })
    })
}
