//! `pg_prepared_xacts`: transactions that wait for COMMIT PREPARED or ROLLBACK PREPARED.

use nqdb_sqlstate::SqlResult;
use nqdb_types::Datum;

use super::context::{SystemContext, SystemRows};
use super::relation::{SystemRelation, relation};
use super::value::{oid, optional_text, text};

pub(super) static RELATIONS: &[&SystemRelation] = &[&PG_PREPARED_XACTS];

relation! {
    /// Prepared transactions.
    PG_PREPARED_XACTS = "pg_prepared_xacts" 12090, row_type 12092, View, keys [], rows prepared_transactions;
    PreparedRow {     transaction: XID nullable, gid: TEXT nullable, prepared: TIMESTAMPTZ nullable,
    owner: NAME nullable, database: NAME nullable, }
}

/// A prepared transaction, as the server tells it.
#[derive(Clone, Debug)]
pub struct PreparedTransactionFacts {
    pub xid: u64,
    pub gid: String,
    /// µs since 2000-01-01 UTC.
    pub prepared_micros: i64,
    /// The number of the role that prepared it.
    pub role: u32,
    /// The number of its database.
    pub database: u32,
}

fn prepared_transactions(cx: &SystemContext<'_>, rows: &mut SystemRows<'_>) -> SqlResult<()> {
    cx.session.prepared_transactions().into_iter().try_for_each(|prepared| {
        rows.push(PreparedRow {
            // Numbers of 32 bits are what the type holds: the lower half, as in PostgreSQL.
            transaction: oid(prepared.xid as u32),
            gid: text(&prepared.gid),
            prepared: Datum::TimestampTz(prepared.prepared_micros),
            owner: optional_text(cx.catalog.role_by_oid(prepared.role).map(|role| role.name.as_str())),
            database: optional_text(cx.catalog.database_by_oid(prepared.database).map(|found| found.name.as_str())),
        })
    })
}
