//! TRUNCATE.

use std::sync::Arc;

use nqdb_catalog::rights::{Rights, SecuredKind};
use nqdb_catalog::{ForeignKeyDef, TableDef};
use nqdb_txn::{RelationLock, TxnError};
use nqdb_types::Oid;
use sqlparser::ast::{CascadeOption, Truncate, TruncateIdentityOption};

use super::DdlContext;
use crate::exec::CommandTag;
use nqdb_sqlstate::{FEATURE_NOT_SUPPORTED, Notice, SUCCESSFUL_COMPLETION, SqlError};

pub(super) fn truncate(truncate: &Truncate, cx: &mut DdlContext<'_, '_>) -> Result<CommandTag, TxnError> {
    let Truncate { table_names, partitions, table: _, if_exists, identity, cascade, on_cluster } = truncate;
    if partitions.is_some() || *if_exists || on_cluster.is_some() {
        return Err(SqlError::unsupported("this form of TRUNCATE").into());
    }
    let cascades = matches!(cascade, Some(CascadeOption::Cascade));
    let restart = matches!(identity, Some(TruncateIdentityOption::Restart));
    let mut tables: Vec<Oid> = Vec::new();
    for target in table_names {
        // ONLY changes nothing: tables have no children. `t *` says the same from the other side.
        let name = cx.name(&target.name)?;
        let table = cx.find_table(&name)?;
        if !tables.contains(&table.oid) {
            expect_truncatable(&table, cx)?;
            tables.push(table.oid);
        }
    }
    if cascades {
        add_referring(&mut tables, cx)?;
    }
    expect_none_referring(&tables, cx)?;
    for table in tables {
        cx.writer().truncate(table, restart)?;
    }
    Ok(CommandTag::Other("TRUNCATE TABLE"))
}

fn expect_truncatable(table: &TableDef, cx: &mut DdlContext<'_, '_>) -> Result<(), TxnError> {
    cx.writer().lock_table(table.oid, RelationLock::AccessExclusive)?;
    if let Some(secured) = crate::system::secured(&cx.draft.snapshot(), SecuredKind::Table, table.oid) {
        cx.expect_rights(&secured, Rights::TRUNCATE)?;
    }
    Ok(cx.expect_not_open(table.oid, &table.name, "TRUNCATE")?)
}

/// Adds the tables with rows that refer to others which are truncated, and so on.
fn add_referring(tables: &mut Vec<Oid>, cx: &mut DdlContext<'_, '_>) -> Result<(), TxnError> {
    let mut next = 0;
    while let Some(table) = tables.get(next).copied() {
        next += 1;
        for key in referring(table, tables, cx) {
            let Some(found) = cx.draft.snapshot().table_by_oid(key.table).cloned() else { continue };
            if tables.contains(&found.oid) {
                continue;
            }
            let message = format!("truncate cascades to table \"{}\"", found.name);
            cx.notice(Notice::new(SUCCESSFUL_COMPLETION, message));
            expect_truncatable(&found, cx)?;
            tables.push(found.oid);
        }
    }
    Ok(())
}

/// 0A000 when rows of another table may refer to rows that go.
fn expect_none_referring(tables: &[Oid], cx: &mut DdlContext<'_, '_>) -> Result<(), TxnError> {
    for table in tables {
        let Some(key) = referring(*table, tables, cx).into_iter().next() else { continue };
        let snapshot = cx.draft.snapshot();
        let name = |oid: Oid| snapshot.table_by_oid(oid).map_or("", |table| table.name.as_str());
        let (from, to) = (name(key.table), name(key.referenced));
        let message = "cannot truncate a table referenced in a foreign key constraint";
        let hint = format!("Truncate table \"{from}\" at the same time, or use TRUNCATE ... CASCADE.");
        return Err(SqlError::new(FEATURE_NOT_SUPPORTED, message)
            .with_detail(format!("Table \"{from}\" references \"{to}\"."))
            .with_hint(hint)
            .into());
    }
    Ok(())
}

/// The foreign keys of other tables that refer to a table.
fn referring(table: Oid, tables: &[Oid], cx: &mut DdlContext<'_, '_>) -> Vec<Arc<ForeignKeyDef>> {
    let snapshot = cx.draft.snapshot();
    let keys = snapshot.table_by_oid(table).into_iter().flat_map(|table| table.referenced_by.iter());
    keys.filter(|key| !tables.contains(&key.table)).cloned().collect()
}
