//! `pg_locks`: who holds and who waits for which lock.
//!
//! Relations, advisory locks and transactions are told of, as in PostgreSQL; locks on rows are in the rows there, and in
//! a table of their own here, and show in neither as long as nobody waits for them.

use nqdb_sqlstate::SqlResult;
use nqdb_types::Datum;

use super::context::{SystemContext, SystemRows};
use super::relation::{SystemRelation, relation};
use super::value::{boolean, int4, oid, text};

pub(super) static RELATIONS: &[&SystemRelation] = &[&PG_LOCKS];

relation! {
    /// Locks.
    PG_LOCKS = "pg_locks" 12073, row_type 12075, View, keys [], rows locks;
    LockRow {     locktype: TEXT nullable, database: OID nullable, relation: OID nullable, page: INT4 nullable,
    tuple: INT2 nullable, virtualxid: TEXT nullable, transactionid: XID nullable, classid: OID nullable,
    objid: OID nullable, objsubid: INT2 nullable, virtualtransaction: TEXT nullable, pid: INT4 nullable,
    mode: TEXT nullable, granted: BOOL nullable, fastpath: BOOL nullable, waitstart: TIMESTAMPTZ nullable, }
}

/// A lock, as the server tells of it.
#[derive(Clone, Debug)]
pub struct LockedObject {
    pub object: LockObject,
    /// The session that holds the lock or waits for it; none for the server's own work.
    pub pid: Option<i32>,
    /// The number of the prepared transaction that holds the lock, if it is one.
    pub prepared: Option<u64>,
    pub mode: &'static str,
    pub granted: bool,
}

#[derive(Clone, Copy, Debug)]
pub enum LockObject {
    Relation {
        database: u32,
        relation: u32,
    },
    /// A range of the keys of an index that a serializable transaction has read.
    Range {
        database: u32,
        relation: u32,
    },
    /// What all databases share: the number of the system catalog, and of the object in it.
    Shared {
        class: u32,
        object: u32,
    },
    Advisory {
        database: u32,
        class: u32,
        object: u32,
        kind: i16,
    },
    /// The number of a transaction.
    Transaction(u64),
    /// The transaction of a session, whether it has a number or not.
    Virtual,
}

fn locks(cx: &SystemContext<'_>, rows: &mut SystemRows<'_>) -> SqlResult<()> {
    cx.session.locks().into_iter().try_for_each(|lock| {
        let transaction = match lock.prepared {
            Some(xid) => text(&format!("-1/{}", xid as u32)),
            None => text(&format!("{}/{}", lock.pid.unwrap_or(0), 1)),
        };
        let row = LockRow {
            virtualtransaction: transaction.clone(),
            pid: lock.pid.map_or(Datum::Null, int4),
            mode: text(lock.mode),
            granted: boolean(lock.granted),
            fastpath: boolean(false),
            ..LockRow::default()
        };
        rows.push(match lock.object {
            LockObject::Relation { database, relation } => {
                LockRow { locktype: text("relation"), database: oid(database), relation: oid(relation), ..row }
            }
            // PostgreSQL locks pages of the index, which have numbers there; ranges of keys have none.
            LockObject::Range { database, relation } => {
                LockRow { locktype: text("page"), database: oid(database), relation: oid(relation), ..row }
            }
            LockObject::Shared { class, object } => LockRow {
                locktype: text("object"),
                database: oid(0),
                classid: oid(class),
                objid: oid(object),
                objsubid: Datum::Int2(0),
                ..row
            },
            LockObject::Advisory { database, class, object, kind } => LockRow {
                locktype: text("advisory"),
                database: oid(database),
                classid: oid(class),
                objid: oid(object),
                objsubid: Datum::Int2(kind),
                ..row
            },
            LockObject::Transaction(xid) => {
                // Numbers of 32 bits are what the type holds: the lower half, as in PostgreSQL.
                LockRow { locktype: text("transactionid"), transactionid: oid(xid as u32), ..row }
            }
            LockObject::Virtual => LockRow { locktype: text("virtualxid"), virtualxid: transaction, ..row },
        })
    })
}
