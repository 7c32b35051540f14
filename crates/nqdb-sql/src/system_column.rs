//! The system columns of users' tables (manual, 5.5), as far as they mean something here.
//!
//! | column | value |
//! |---|---|
//! | `tableoid` | the table's number |
//! | `ctid` | the row's id, 64 ids to a block: a row keeps it for life, changes of it do not move it |
//! | `xmin` | the low 32 bits of the number of the transaction that wrote the version |
//! | `xmax`, `cmin`, `cmax` | 0: versions do not know who ended them, and commands have no numbers |
//!
//! In the lists of columns that scans and rows have, a system column stands at a position behind all others.

use nqdb_sqlstate::{PROGRAM_LIMIT_EXCEEDED, SqlError, SqlResult};
use nqdb_txn::{RowId, RowVersion};
use nqdb_types::{Datum, Oid, Tid, Type, oid};

/// Row ids that share a block number.
const ROWS_PER_BLOCK: u64 = 64;

/// The first position of a system column: a table has at most 1,600 others.
const FIRST_POSITION: usize = 1 << 17;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SystemColumn {
    Ctid,
    Xmin,
    Cmin,
    Xmax,
    Cmax,
    TableOid,
}

impl SystemColumn {
    /// In the order of their numbers, -1 first.
    pub const ALL: [SystemColumn; 6] = [
        SystemColumn::Ctid,
        SystemColumn::Xmin,
        SystemColumn::Cmin,
        SystemColumn::Xmax,
        SystemColumn::Cmax,
        SystemColumn::TableOid,
    ];

    pub fn name(self) -> &'static str {
        match self {
            SystemColumn::Ctid => "ctid",
            SystemColumn::Xmin => "xmin",
            SystemColumn::Cmin => "cmin",
            SystemColumn::Xmax => "xmax",
            SystemColumn::Cmax => "cmax",
            SystemColumn::TableOid => "tableoid",
        }
    }

    pub fn named(name: &str) -> Option<SystemColumn> {
        SystemColumn::ALL.into_iter().find(|column| column.name() == name)
    }

    pub fn ty(self) -> Type {
        Type::new(match self {
            SystemColumn::Ctid => oid::TID,
            SystemColumn::Xmin | SystemColumn::Xmax => oid::XID,
            SystemColumn::Cmin | SystemColumn::Cmax => oid::CID,
            SystemColumn::TableOid => oid::OID,
        })
    }

    /// Its number in `pg_attribute`.
    pub fn attnum(self) -> i16 {
        -1 - (self as i16)
    }

    /// Its position among the columns of a scan.
    pub fn position(self) -> usize {
        FIRST_POSITION + self as usize
    }

    /// The system column at a position; `None` for a column of the table's own.
    pub fn at(position: usize) -> Option<SystemColumn> {
        SystemColumn::ALL.get(position.checked_sub(FIRST_POSITION)?).copied()
    }

    /// The page that a row's `ctid` says it is on.
    pub(crate) fn page_of(row: RowId) -> u64 {
        row.0.saturating_sub(1) / ROWS_PER_BLOCK
    }

    /// Its value in a version of a row.
    pub(crate) fn value(self, table: Oid, row: RowId, version: RowVersion) -> SqlResult<Datum> {
        let [xid, _] = version.to_words();
        self.value_written_by(table, row, xid)
    }

    /// Its value in the version of a row that a transaction wrote.
    pub(crate) fn value_written_by(self, table: Oid, row: RowId, xid: u64) -> SqlResult<Datum> {
        Ok(match self {
            SystemColumn::Ctid => Datum::Tid(tid_of(row)?),
            SystemColumn::Xmin => Datum::Oid((xid & u64::from(u32::MAX)) as u32),
            SystemColumn::Xmax | SystemColumn::Cmin | SystemColumn::Cmax => Datum::Oid(0),
            SystemColumn::TableOid => Datum::Oid(table),
        })
    }
}

fn tid_of(row: RowId) -> SqlResult<Tid> {
    let number = row.0.saturating_sub(1);
    let block = u32::try_from(SystemColumn::page_of(row)).map_err(|_| {
        let message = "the table has had more rows than ctid can tell apart";
        SqlError::new(PROGRAM_LIMIT_EXCEEDED, message)
    })?;
    let offset = u16::try_from(number % ROWS_PER_BLOCK + 1).unwrap_or(u16::MAX);
    Ok(Tid { block, offset })
}

/// The first row id that is not below a `ctid`.
pub(crate) fn first_row_from(tid: Tid) -> RowId {
    let within = u64::from(tid.offset).saturating_sub(1).min(ROWS_PER_BLOCK);
    RowId(u64::from(tid.block) * ROWS_PER_BLOCK + within + 1)
}

/// The first row id that is above a `ctid`.
pub(crate) fn first_row_behind(tid: Tid) -> RowId {
    let within = u64::from(tid.offset).min(ROWS_PER_BLOCK);
    RowId(u64::from(tid.block) * ROWS_PER_BLOCK + within + 1)
}

#[cfg(test)]
mod tests {
    use super::{SystemColumn, first_row_behind, first_row_from, tid_of};
    use nqdb_txn::RowId;
    use nqdb_types::Tid;

    #[test]
    fn every_row_is_found_by_its_ctid_alone() {
        for id in [1, 2, 63, 64, 65, 128, 129, 1_000_000] {
            let tid = tid_of(RowId(id)).unwrap();
            assert_eq!(first_row_from(tid), RowId(id));
            assert_eq!(first_row_behind(tid), RowId(id + 1));
        }
        assert!(tid_of(RowId(u64::MAX)).is_err());
    }

    #[test]
    fn offsets_that_no_row_has_lie_between_blocks() {
        assert_eq!(first_row_from(Tid { block: 1, offset: 0 }), RowId(65));
        assert_eq!(first_row_behind(Tid { block: 1, offset: 0 }), RowId(65));
        assert_eq!(first_row_from(Tid { block: 0, offset: 65 }), RowId(65));
        assert_eq!(first_row_behind(Tid { block: 0, offset: 1000 }), RowId(65));
    }

    #[test]
    fn positions_tell_which_column_it_is() {
        for column in SystemColumn::ALL {
            assert_eq!(SystemColumn::at(column.position()), Some(column));
            assert_eq!(SystemColumn::named(column.name()), Some(column));
        }
        assert_eq!(SystemColumn::at(1_600), None);
        assert_eq!(SystemColumn::Ctid.attnum(), -1);
        assert_eq!(SystemColumn::TableOid.attnum(), -6);
    }
}
