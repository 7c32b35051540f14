//! `pg_sequence`: what `pg_class` does not say of sequences; and the state of one, as SELECT from it shows it.

use nqdb_catalog::Relation;
use nqdb_sqlstate::SqlResult;
use nqdb_types::Datum;

use super::class::relations_wanted;
use super::context::{SystemContext, SystemRows};
use super::relation::{SystemRelation, relation};
use super::value::{boolean, oid};

pub(super) static RELATIONS: &[&SystemRelation] = &[&PG_SEQUENCE];

relation! {
    /// A sequence in FROM: not a relation of its own, so that it is not listed and its number is none.
    SEQUENCE_STATE = "sequence" 0, row_type 0, Table, keys [], rows sequence_state;
    SequenceState { last_value: INT8 not_null, log_cnt: INT8 not_null, is_called: BOOL not_null }
}

relation! {
    /// Sequences.
    PG_SEQUENCE = "pg_sequence" 2224, row_type 10105, Table, keys ["seqrelid"], rows sequences;
    SequenceRow {     seqrelid: OID not_null, seqtypid: OID not_null, seqstart: INT8 not_null, seqincrement: INT8 not_null,
    seqmax: INT8 not_null, seqmin: INT8 not_null, seqcache: INT8 not_null, seqcycle: BOOL not_null, }
}

fn sequences(cx: &SystemContext<'_>, rows: &mut SystemRows<'_>) -> SqlResult<()> {
    for relation in relations_wanted(cx, "seqrelid", None) {
        let Relation::Sequence(sequence) = relation else { continue };
        rows.push(SequenceRow {
            seqrelid: oid(sequence.oid),
            seqtypid: oid(sequence.data_type),
            seqstart: Datum::Int8(sequence.start),
            seqincrement: Datum::Int8(sequence.increment),
            seqmax: Datum::Int8(sequence.max),
            seqmin: Datum::Int8(sequence.min),
            seqcache: Datum::Int8(sequence.cache),
            seqcycle: boolean(sequence.cycle),
        })?;
    }
    Ok(())
}

/// `log_cnt` counts what PostgreSQL has logged ahead; nothing is here.
fn sequence_state(cx: &SystemContext<'_>, rows: &mut SystemRows<'_>) -> SqlResult<()> {
    let Some((last_value, is_called)) = cx.functions.sequence_state(cx.object)? else { return Ok(()) };
    rows.push(SequenceState {
        last_value: Datum::Int8(last_value),
        log_cnt: Datum::Int8(0),
        is_called: boolean(is_called),
    })
}
