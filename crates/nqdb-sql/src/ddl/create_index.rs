//! CREATE INDEX.

use nqdb_catalog::request::{NewIndex, NewKeyColumn};
use nqdb_sqlstate::{DUPLICATE_TABLE, Notice, SqlError, SqlResult, UNDEFINED_COLUMN};
use nqdb_txn::TxnError;
use sqlparser::ast::{CreateIndex, Expr, IndexColumn, IndexType, OrderByExpr, OrderByOptions, OrderBySort};

use super::{DdlContext, storage_parameters};
use crate::exec::CommandTag;
use crate::names::name_of;

pub(super) fn create_index(create: &CreateIndex, cx: &mut DdlContext<'_, '_>) -> Result<CommandTag, TxnError> {
    let CreateIndex {
        name,
        table_name,
        using,
        columns,
        unique,
        concurrently,
        r#async,
        if_not_exists,
        include,
        nulls_distinct,
        with,
        predicate,
        index_options,
        alter_options,
    } = create;
    let refused = [
        (*concurrently, "CREATE INDEX CONCURRENTLY"),
        (*r#async, "CREATE INDEX ASYNC"),
        (!include.is_empty(), "INCLUDE"),
        (*nulls_distinct == Some(false), "NULLS NOT DISTINCT"),
        (predicate.is_some(), "a partial index"),
        (!index_options.is_empty() || !alter_options.is_empty(), "this form of CREATE INDEX"),
    ];
    if let Some((_, what)) = refused.iter().find(|(present, _)| *present) {
        return Err(SqlError::unsupported(what).into());
    }
    match using {
        None | Some(IndexType::BTree) => {}
        Some(other) => return Err(SqlError::unsupported(format!("access method {other}")).into()),
    }
    storage_parameters::check_expressions(with)?;
    let table_name = cx.name(table_name)?;
    let table = cx.find_table(&table_name)?;
    cx.expect_owner(table.owner, "table", &table.name)?;
    let name = match name {
        Some(name) => {
            let name = cx.name(name)?;
            if name.schema.as_ref().is_some_and(|schema| *schema != table.schema_name) {
                return Err(SqlError::unsupported("an index in another schema than its table").into());
            }
            Some(name.name)
        }
        None => None,
    };
    if let (true, Some(name)) = (*if_not_exists, &name)
        && cx.draft.snapshot().relation(table.schema, name).is_some()
    {
        cx.notice(Notice::new(DUPLICATE_TABLE, format!("relation \"{name}\" already exists, skipping")));
        return Ok(CommandTag::Other("CREATE INDEX"));
    }
    cx.expect_not_open(table.oid, &table.name, "CREATE INDEX")?;
    let key = columns.iter().map(key_column).collect::<SqlResult<Vec<_>>>()?;
    if let Some(missing) = key.iter().find(|column| table.column_named(&column.column).is_none()) {
        let message = format!("column \"{}\" does not exist", missing.column);
        return Err(SqlError::new(UNDEFINED_COLUMN, message).into());
    }
    cx.writer().create_index(&NewIndex { table: table.oid, name, unique: *unique, key })?;
    Ok(CommandTag::Other("CREATE INDEX"))
}

fn key_column(column: &IndexColumn) -> SqlResult<NewKeyColumn> {
    let IndexColumn { column: OrderByExpr { expr, options, with_fill }, operator_class } = column;
    let OrderByOptions { sort, nulls_first } = options;
    if with_fill.is_some() {
        return Err(SqlError::unsupported("WITH FILL"));
    }
    if let Some(class) = operator_class {
        return Err(SqlError::unsupported(format!("operator class {class}")));
    }
    let Expr::Identifier(name) = expr else {
        return Err(SqlError::unsupported("an index on an expression"));
    };
    let descending = match sort {
        None | Some(OrderBySort::Asc) => false,
        Some(OrderBySort::Desc) => true,
        Some(OrderBySort::Using(_)) => return Err(SqlError::unsupported("USING in an index")),
    };
    // PostgreSQL's default: NULLs are the largest.
    let nulls_first = nulls_first.unwrap_or(descending);
    Ok(NewKeyColumn { column: name_of(name), descending, nulls_first })
}
