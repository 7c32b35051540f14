//! `pg_trigger`: the triggers by which PostgreSQL keeps foreign keys and deferrable keys. Here nothing is a trigger, but clients
//! look for them: whether they are enabled, and which table refers to which.

use nqdb_catalog::{Deferral, ForeignKeyDef, IndexDef, ReferentialAction, Relation, TableDef};
use nqdb_sqlstate::SqlResult;
use nqdb_types::{Datum, Oid};

use super::attribute::default_oid;
use super::class::relations_wanted;
use super::context::{SystemContext, SystemRows};
use super::relation::{SystemRelation, relation};
use super::value::{boolean, int2_vector, letter, oid, text};

pub(super) static RELATIONS: &[&SystemRelation] = &[&PG_TRIGGER];

relation! {
    PG_TRIGGER = "pg_trigger" 2620, row_type 10037, Table, keys ["tgrelid"], rows triggers;
    TriggerRow {
        oid: OID not_null, tgrelid: OID not_null, tgparentid: OID not_null, tgname: NAME not_null,
        tgfoid: OID not_null, tgtype: INT2 not_null, tgenabled: CHAR_INTERNAL not_null, tgisinternal: BOOL not_null,
        tgconstrrelid: OID not_null, tgconstrindid: OID not_null, tgconstraint: OID not_null,
        tgdeferrable: BOOL not_null, tginitdeferred: BOOL not_null, tgnargs: INT2 not_null,
        tgattr: INT2VECTOR not_null, tgargs: BYTEA not_null, tgqual: PG_NODE_TREE nullable,
        tgoldtable: NAME nullable, tgnewtable: NAME nullable,
    }
}

/// FOR EACH ROW, AFTER, and the event (`pg_trigger.h`).
const AFTER_INSERT: i16 = 1 | 4;
const AFTER_DELETE: i16 = 1 | 8;
const AFTER_UPDATE: i16 = 1 | 16;
const CHECK_INSERT: Oid = 1644;
const CHECK_UPDATE: Oid = 1645;
const RECHECK_UNIQUE: Oid = 1250;

/// Whether PostgreSQL has triggers on the table.
pub(super) fn has_triggers(table: &TableDef) -> bool {
    !table.foreign_keys.is_empty()
        || !table.referenced_by.is_empty()
        || table.indexes.iter().any(|index| index.deferral.is_deferrable())
}

fn triggers(cx: &SystemContext<'_>, rows: &mut SystemRows<'_>) -> SqlResult<()> {
    for relation in relations_wanted(cx, "tgrelid", None) {
        let Relation::Table(table) = relation else { continue };
        for index in table.indexes.iter().filter(|index| index.deferral.is_deferrable()) {
            rows.push(of_key(&table, index))?;
        }
        for key in &table.referenced_by {
            rows.push(of_referenced(key, 1, AFTER_DELETE, key.on_delete))?;
            rows.push(of_referenced(key, 2, AFTER_UPDATE, key.on_update))?;
        }
        for key in &table.foreign_keys {
            rows.push(of_referring(key, 3, AFTER_INSERT, CHECK_INSERT))?;
            rows.push(of_referring(key, 4, AFTER_UPDATE, CHECK_UPDATE))?;
        }
    }
    Ok(())
}

/// The number of a constraint's trigger: made of its place, as those of defaults are.
fn trigger_oid(constraint: Oid, place: i16) -> Oid {
    default_oid(constraint, place)
}

fn trigger(number: Oid, name: &str, constraint: Oid, deferral: Deferral) -> TriggerRow {
    TriggerRow {
        oid: oid(number),
        tgname: text(&format!("{name}_{number}")),
        tgparentid: oid(0),
        tgenabled: letter('O'),
        tgisinternal: boolean(true),
        tgconstrrelid: oid(0),
        tgconstraint: oid(constraint),
        tgdeferrable: boolean(deferral.is_deferrable()),
        tginitdeferred: boolean(deferral.is_deferred()),
        tgnargs: Datum::Int2(0),
        tgattr: int2_vector([]),
        tgargs: Datum::bytea(&[][..]),
        ..TriggerRow::default()
    }
}

fn of_key(table: &TableDef, index: &IndexDef) -> TriggerRow {
    let name = if index.primary { "PK_ConstraintTrigger" } else { "Unique_ConstraintTrigger" };
    TriggerRow {
        tgrelid: oid(table.oid),
        tgfoid: oid(RECHECK_UNIQUE),
        tgtype: Datum::Int2(AFTER_INSERT | AFTER_UPDATE),
        tgconstrindid: oid(index.oid),
        ..trigger(trigger_oid(index.oid, 1), name, index.oid, index.deferral)
    }
}

fn of_referenced(key: &ForeignKeyDef, place: i16, event: i16, action: ReferentialAction) -> TriggerRow {
    let first = match action {
        ReferentialAction::Cascade => 1646,
        ReferentialAction::Restrict => 1648,
        ReferentialAction::SetNull => 1650,
        ReferentialAction::SetDefault => 1652,
        ReferentialAction::NoAction => 1654,
    };
    // The action itself never waits.
    let deferral = if action == ReferentialAction::NoAction { key.deferral } else { Deferral::NotDeferrable };
    TriggerRow {
        tgrelid: oid(key.referenced),
        tgfoid: oid(if event == AFTER_DELETE { first } else { first + 1 }),
        tgtype: Datum::Int2(event),
        tgconstrrelid: oid(key.table),
        tgconstrindid: oid(key.index),
        ..trigger(trigger_oid(key.oid, place), "RI_ConstraintTrigger_a", key.oid, deferral)
    }
}

fn of_referring(key: &ForeignKeyDef, place: i16, event: i16, function: Oid) -> TriggerRow {
    TriggerRow {
        tgrelid: oid(key.table),
        tgfoid: oid(function),
        tgtype: Datum::Int2(event),
        tgconstrrelid: oid(key.referenced),
        tgconstrindid: oid(key.index),
        ..trigger(trigger_oid(key.oid, place), "RI_ConstraintTrigger_c", key.oid, key.deferral)
    }
}
