//! The table and the columns that a COPY names.

use std::sync::Arc;

use nqdb_catalog::rights::{ColumnNeeds, Rights, SecuredKind};
use nqdb_catalog::{Relation, TableDef};
use nqdb_sqlstate::{
    DUPLICATE_COLUMN, INVALID_COLUMN_REFERENCE, SqlError, SqlResult, UNDEFINED_COLUMN, UNDEFINED_TABLE,
    WRONG_OBJECT_TYPE,
};

use crate::bind::BindContext;
use crate::rights::Access;
use crate::statement::{CopyDirection, ForcedColumns, NamedAt};

/// Finds the table: 42P01, 42809, 42501 for its schema, 0A000 for a temporary one of another session.
pub(super) fn table(
    schema: Option<&str>,
    name: &str,
    direction: CopyDirection,
    cx: &BindContext<'_>,
) -> SqlResult<Arc<TableDef>> {
    let qualified = match schema {
        Some(schema) => format!("{schema}.{name}"),
        None => name.to_string(),
    };
    cx.expect_schema_usage(schema, None)?;
    match cx.catalog.resolve(cx.search_path, schema, name)? {
        Some(Relation::Table(table)) if table.materialized.is_none() => {
            cx.expect_own_if_temporary(table)?;
            Ok(table.clone())
        }
        Some(Relation::Index(..)) => Err(SqlError::new(WRONG_OBJECT_TYPE, format!("\"{name}\" is an index"))),
        Some(other) => {
            let (word, hint) = match (direction, other) {
                (CopyDirection::In, Relation::View(_)) => {
                    ("to", Some("To enable copying to a view, provide an INSTEAD OF INSERT trigger."))
                }
                (CopyDirection::In, _) => ("to", None),
                (CopyDirection::Out, Relation::Sequence(_)) => ("from", None),
                (CopyDirection::Out, _) => ("from", Some("Try the COPY (SELECT ...) TO variant.")),
            };
            let message = format!("cannot copy {word} {} \"{name}\"", other.kind_name());
            let error = SqlError::new(WRONG_OBJECT_TYPE, message);
            Err(match hint {
                Some(hint) => error.with_hint(hint),
                None => error,
            })
        }
        None => Err(SqlError::new(UNDEFINED_TABLE, format!("relation \"{qualified}\" does not exist"))),
    }
}

/// Positions of the columns in the table, all live ones when none is named: 42703, 42701.
pub(super) fn columns(table: &TableDef, names: &[NamedAt]) -> SqlResult<Vec<usize>> {
    if names.is_empty() {
        let plain = table.live_columns().filter(|(_, column)| column.generated.is_none());
        return Ok(plain.map(|(position, _)| position).collect());
    }
    let mut positions = Vec::with_capacity(names.len());
    for named in names {
        let position = position(table, &named.name)?;
        if table.columns.get(position).is_some_and(|column| column.generated.is_some()) {
            let message = format!("column \"{}\" is a generated column", named.name);
            return Err(SqlError::new(INVALID_COLUMN_REFERENCE, message)
                .with_detail("Generated columns cannot be used in COPY."));
        }
        if positions.contains(&position) {
            let message = format!("column \"{}\" specified more than once", named.name);
            return Err(SqlError::new(DUPLICATE_COLUMN, message));
        }
        positions.push(position);
    }
    Ok(positions)
}

/// What the role that copies must be allowed.
pub(super) fn access(table: &TableDef, needed: Rights, names: &[NamedAt]) -> SqlResult<Access> {
    let positions = columns(table, names)?;
    let numbers: Vec<i16> =
        positions.iter().filter_map(|at| table.columns.get(*at)).map(|column| column.attnum).collect();
    let mut columns = ColumnNeeds::default();
    if needed == Rights::INSERT {
        columns.inserted = numbers;
    } else {
        columns.selected = numbers;
    }
    Ok(Access { kind: SecuredKind::Table, object: table.oid, as_role: None, needed, columns })
}

fn position(table: &TableDef, name: &str) -> SqlResult<usize> {
    table.column_named(name).ok_or_else(|| {
        let message = format!("column \"{name}\" of relation \"{}\" does not exist", table.name);
        SqlError::new(UNDEFINED_COLUMN, message)
    })
}

/// For each copied column whether an option such as FORCE_QUOTE names it.
pub(super) fn forced(option: &str, forced: &ForcedColumns, copied: &[String]) -> SqlResult<Vec<bool>> {
    match forced {
        ForcedColumns::None => Ok(vec![false; copied.len()]),
        ForcedColumns::All => Ok(vec![true; copied.len()]),
        ForcedColumns::Named(names) => {
            for name in names {
                if !copied.contains(name) {
                    let message = format!("{option} column \"{name}\" not referenced by COPY");
                    return Err(SqlError::new(INVALID_COLUMN_REFERENCE, message));
                }
            }
            Ok(copied.iter().map(|name| names.contains(name)).collect())
        }
    }
}
