//! TRUNCATE.

use nqdb_catalog::rights::{Rights, SecuredKind};
use nqdb_txn::TxnError;
use sqlparser::ast::{CascadeOption, Truncate, TruncateIdentityOption};

use super::DdlContext;
use crate::exec::CommandTag;
use nqdb_sqlstate::SqlError;

pub(super) fn truncate(truncate: &Truncate, cx: &mut DdlContext<'_, '_>) -> Result<CommandTag, TxnError> {
    let Truncate { table_names, partitions, table: _, if_exists, identity, cascade, on_cluster } = truncate;
    if partitions.is_some() || *if_exists || on_cluster.is_some() {
        return Err(SqlError::unsupported("this form of TRUNCATE").into());
    }
    // No table refers to another one yet, so CASCADE and RESTRICT do the same.
    let (Some(CascadeOption::Cascade | CascadeOption::Restrict) | None) = cascade;
    let restart = matches!(identity, Some(TruncateIdentityOption::Restart));
    let mut tables = Vec::new();
    for target in table_names {
        // ONLY changes nothing: tables have no children. `t *` says the same from the other side.
        let name = cx.name(&target.name)?;
        let table = cx.find_table(&name)?;
        if let Some(secured) = crate::system::secured(&cx.draft.snapshot(), SecuredKind::Table, table.oid) {
            cx.expect_rights(&secured, Rights::TRUNCATE)?;
        }
        cx.expect_not_open(table.oid, &table.name, "TRUNCATE")?;
        if !tables.contains(&table.oid) {
            tables.push(table.oid);
        }
    }
    for table in tables {
        cx.writer().truncate(table, restart)?;
    }
    Ok(CommandTag::Other("TRUNCATE TABLE"))
}
