//! ANALYZE: a sample of each table's rows gives the planner's statistics. VACUUM has nothing to do but that.
//!
//! The number of distinct values is estimated from the sample as PostgreSQL does: Haas and Stokes, "Sampling-based
//! estimation of the number of distinct values of an attribute" (IBM Research Report RJ 10025, 1998), estimator Duj1.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use nqdb_catalog::{ColumnStatistics, PG_CATALOG_OID, Relation, TableDef, TableStatistics};
use nqdb_sqlstate::{DUPLICATE_COLUMN, LOCK_NOT_AVAILABLE, Notice, SqlError, SqlResult, UNDEFINED_COLUMN, WARNING};
use nqdb_txn::{Direction, RelationLock, RowId, TxnError};
use nqdb_types::{Datum, row};

use super::{DdlContext, QualifiedName, Targets};
use crate::exec::CommandTag;
use crate::statement::{MaintenanceTable, VacuumStatement};
use crate::system::SystemRelation;

/// Rows in a sample: 300 for each of PostgreSQL's default 100 statistics targets.
const SAMPLE_ROWS_MAX: usize = 30_000;

/// ANALYZE of the tables, or of all that the role owns.
pub(super) fn analyze(
    targets: Targets<'_>,
    skip_locked: bool,
    cx: &mut DdlContext<'_, '_>,
) -> Result<CommandTag, TxnError> {
    for table in tables_of(targets, Upkeep::Analyze, cx)? {
        analyze_table(&table, skip_locked, cx)?;
    }
    Ok(CommandTag::Other("ANALYZE"))
}

/// VACUUM: dead rows are purged without being asked, so only its ANALYZE is work.
pub(super) fn vacuum(vacuum: &VacuumStatement, cx: &mut DdlContext<'_, '_>) -> Result<CommandTag, TxnError> {
    for table in tables_of(&vacuum.tables, Upkeep::Vacuum, cx)? {
        if vacuum.is_parallel && table.is_temporary() {
            warn(
                cx,
                format!(
                    "disabling parallel option of vacuum on \"{}\" --- cannot vacuum temporary tables in parallel",
                    table.name
                ),
            );
        }
        if vacuum.analyze {
            analyze_table(&table, vacuum.skip_locked, cx)?;
        } else {
            lock_for_upkeep(&table, Upkeep::Vacuum, vacuum.skip_locked, cx)?;
        }
    }
    Ok(CommandTag::Other("VACUUM"))
}

/// What is done to tables.
#[derive(Clone, Copy)]
enum Upkeep {
    Analyze,
    Vacuum,
}

impl Upkeep {
    fn verb(self) -> &'static str {
        match self {
            Upkeep::Analyze => "analyze",
            Upkeep::Vacuum => "vacuum",
        }
    }
}

fn warn(cx: &mut DdlContext<'_, '_>, message: String) {
    cx.exec.notices.push(Notice::warning(WARNING, message));
}

/// The tables that are meant and the role may work on; it is warned of what it named and may not, or cannot.
fn tables_of(targets: Targets<'_>, upkeep: Upkeep, cx: &mut DdlContext<'_, '_>) -> SqlResult<Vec<Arc<TableDef>>> {
    if targets.is_empty() {
        let snapshot = cx.draft.snapshot();
        let mut tables: Vec<Arc<TableDef>> = snapshot.tables().cloned().collect();
        tables.sort_by_key(|table| table.oid);
        let own = cx.temporary_schema;
        tables.retain(|table| !table.is_temporary() || table.schema_name == own);
        tables.retain(|table| cx.expect_owner(table.owner, "table", &table.name).is_ok());
        return Ok(tables);
    }
    let verb = upkeep.verb();
    let mut tables = Vec::with_capacity(targets.len());
    for target in targets {
        let name =
            QualifiedName { schema: target.schema.clone(), name: target.name.clone(), position: Some(target.position) };
        match cx.find_relation(&name) {
            Some(Relation::Table(_)) => {}
            Some(_) => {
                let message =
                    format!("skipping \"{}\" --- cannot {verb} non-tables or special system tables", name.name);
                warn(cx, message);
                continue;
            }
            None => match system_relation(&name, cx) {
                Some(relation) => {
                    pass_over(relation, target, verb, cx)?;
                    continue;
                }
                None => return Err(cx.missing_relation(&name)),
            },
        }
        let table = cx.find_table(&name)?;
        if cx.expect_owner(table.owner, "table", &table.name).is_err() {
            warn(cx, format!("skipping \"{}\" --- only table or database owner can {verb} it", table.name));
            continue;
        }
        check_columns(target, &table.name, |column| table.column_named(column).is_some())?;
        tables.push(table);
    }
    Ok(tables)
}

/// The system relation of a name; without a schema those of `pg_catalog` only are found.
fn system_relation(name: &QualifiedName, cx: &mut DdlContext<'_, '_>) -> Option<&'static SystemRelation> {
    let schema = match &name.schema {
        Some(schema) => cx.draft.snapshot().schema(schema)?.oid,
        None => PG_CATALOG_OID,
    };
    crate::system::named(schema, &name.name)
}

/// A system relation has neither dead rows nor statistics: only the words of PostgreSQL are left.
fn pass_over(
    relation: &'static SystemRelation,
    target: &MaintenanceTable,
    verb: &str,
    cx: &mut DdlContext<'_, '_>,
) -> SqlResult<()> {
    let who = match relation.is_shared() {
        true => "superuser",
        false => "superuser or database owner",
    };
    if relation.is_view() {
        warn(cx, format!("skipping \"{}\" --- cannot {verb} non-tables or special system tables", relation.name));
    } else if !cx.is_superuser() {
        warn(cx, format!("skipping \"{}\" --- only {who} can {verb} it", relation.name));
    } else {
        check_columns(target, relation.name, |column| relation.column_named(column).is_some())?;
    }
    Ok(())
}

/// The columns that are named exist, and each is named once.
fn check_columns(target: &MaintenanceTable, relation: &str, exists: impl Fn(&str) -> bool) -> SqlResult<()> {
    for (at, column) in target.columns.iter().enumerate() {
        if !exists(&column.name) {
            let message = format!("column \"{}\" of relation \"{relation}\" does not exist", column.name);
            return Err(SqlError::new(UNDEFINED_COLUMN, message));
        }
        if target.columns.iter().take(at).any(|earlier| earlier.name == column.name) {
            let message = format!("column \"{}\" of relation \"{relation}\" appears more than once", column.name);
            return Err(SqlError::new(DUPLICATE_COLUMN, message));
        }
    }
    Ok(())
}

/// Locks a table against others who work on it; `None`, with a warning, when that would have to wait and must not.
fn lock_for_upkeep(
    table: &Arc<TableDef>,
    upkeep: Upkeep,
    skip_locked: bool,
    cx: &mut DdlContext<'_, '_>,
) -> Result<Option<Arc<TableDef>>, TxnError> {
    const LOCK: RelationLock = RelationLock::ShareUpdateExclusive;
    if skip_locked && !cx.exec.txn.try_lock_relation(table.oid, LOCK)? {
        let message = format!("skipping {} of \"{}\" --- lock not available", upkeep.verb(), table.name);
        cx.exec.notices.push(Notice::warning(LOCK_NOT_AVAILABLE, message));
        return Ok(None);
    }
    cx.writer().lock_table(table.oid, LOCK).map(Some)
}

fn analyze_table(table: &Arc<TableDef>, skip_locked: bool, cx: &mut DdlContext<'_, '_>) -> Result<(), TxnError> {
    let Some(table) = lock_for_upkeep(table, Upkeep::Analyze, skip_locked, cx)? else { return Ok(()) };
    let (rows, sample) = sample_rows(&table, cx)?;
    let columns = table
        .columns
        .iter()
        .enumerate()
        .map(|(position, column)| (!column.dropped).then(|| column_statistics(&sample, position, rows)))
        .collect();
    cx.writer().set_statistics(TableStatistics { table: table.oid, rows: rows as f64, columns })
}

/// The number of rows, and a uniform sample of them (reservoir sampling, Vitter's algorithm R).
fn sample_rows(table: &TableDef, cx: &mut DdlContext<'_, '_>) -> Result<(u64, Vec<Vec<Datum>>), TxnError> {
    let mut seen = 0u64;
    let mut sample: Vec<Vec<Datum>> = Vec::new();
    let mut failure: Option<TxnError> = None;
    let random = cx.exec.functions.session;
    let mut scan = table.store.scan(cx.exec.txn.view(), RowId(0)..RowId(u64::MAX), Direction::Forward);
    loop {
        let more = scan.next_batch(&mut |_, _, image| {
            let place = if sample.len() < SAMPLE_ROWS_MAX {
                sample.push(Vec::new());
                Some(sample.len() - 1)
            } else {
                let drawn = (random.random() * (seen + 1) as f64) as usize;
                (drawn < SAMPLE_ROWS_MAX).then_some(drawn)
            };
            seen += 1;
            if let Some(place) = place {
                match image.datums() {
                    Ok(datums) => sample[place] = datums,
                    Err(error) => {
                        failure = Some(error);
                        return ControlFlow::Break(());
                    }
                }
            }
            ControlFlow::Continue(())
        })?;
        if let Some(error) = failure {
            return Err(error);
        }
        cx.exec.check_cancel()?;
        if !more {
            return Ok((seen, sample));
        }
    }
}

fn column_statistics(sample: &[Vec<Datum>], position: usize, rows: u64) -> ColumnStatistics {
    let mut counts: HashMap<Vec<u8>, u64> = HashMap::new();
    let mut nulls = 0u64;
    let mut bytes = 0u64;
    for values in sample {
        match values.get(position) {
            None | Some(Datum::Null) => nulls += 1,
            Some(value) => {
                let mut image = Vec::new();
                row::encode_value(&mut image, value);
                bytes += image.len() as u64;
                *counts.entry(image).or_default() += 1;
            }
        }
    }
    let sampled = sample.len() as u64;
    let values = sampled - nulls;
    let null_fraction = if sampled == 0 { 0.0 } else { nulls as f64 / sampled as f64 };
    let average_width_bytes = if values == 0 { 0.0 } else { bytes as f64 / values as f64 };
    let once = counts.values().filter(|count| **count == 1).count() as u64;
    let distinct = estimate_distinct(counts.len() as u64, once, values, rows as f64 * (1.0 - null_fraction));
    ColumnStatistics { null_fraction, distinct, average_width_bytes }
}

/// `n_distinct` as PostgreSQL stores it: negative, as a fraction of the rows, where it grows with them.
fn estimate_distinct(found: u64, once: u64, sampled: u64, rows: f64) -> f64 {
    if found == 0 {
        return 0.0;
    }
    if once == found {
        return -1.0;
    }
    let (found, once, sampled) = (found as f64, once as f64, sampled as f64);
    let estimate = sampled * found / ((sampled - once) + once * sampled / rows.max(1.0));
    let estimate = estimate.clamp(found, rows.max(found)).round();
    if estimate > 0.1 * rows { -(estimate / rows) } else { estimate }
}

#[cfg(test)]
mod tests {
    use super::estimate_distinct;

    #[test]
    fn a_key_scales_with_the_table_and_a_flag_does_not() {
        assert_eq!(estimate_distinct(30_000, 30_000, 30_000, 1e6), -1.0);
        assert_eq!(estimate_distinct(2, 0, 30_000, 1e6), 2.0);
        let some = estimate_distinct(100, 10, 30_000, 1e6);
        assert!((100.0..=101.0).contains(&some), "{some}");
    }
}
