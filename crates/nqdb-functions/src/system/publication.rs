//! Tables whose changes are sent to a channel (docs/realtime.md). PostgreSQL has no such functions; their numbers are of the
//! range that its sources leave to extensions in development.

use nqdb_functions_macros::sql_function;
use nqdb_sqlstate::{NULL_VALUE_NOT_ALLOWED, SqlError, SqlResult};
use nqdb_types::{Array, Datum, Oid};

use crate::context::PublicationChange;
use crate::{Function, FunctionContext};

pub(crate) static FUNCTIONS: &[&[Function]] = &[&PUBLISH_TABLE, &UNPUBLISH_TABLE];

/// Gives the channel. Without columns, or with an empty list, all are sent, without a filter all rows.
#[sql_function(
    "nqdb_publish_table(tbl regclass, columns text_array = '{}', filter text = '') -> text",
    oid = 9801,
    volatile,
    called_on_null
)]
fn publish_table(
    context: &mut FunctionContext<'_>,
    table: Option<Oid>,
    columns: Option<&Array>,
    filter: Option<&str>,
) -> SqlResult<String> {
    let table = table.ok_or_else(|| SqlError::new(NULL_VALUE_NOT_ALLOWED, "the table to publish must not be null"))?;
    let mut names = Vec::new();
    for element in columns.iter().flat_map(|columns| columns.elements()) {
        let Datum::Text(name) = element else {
            return Err(SqlError::new(NULL_VALUE_NOT_ALLOWED, "names of columns must not be null"));
        };
        names.push(name.to_string());
    }
    let columns = (!names.is_empty()).then_some(names);
    let filter = filter.filter(|filter| !filter.trim().is_empty()).map(str::to_owned);
    let channel = context.session.change_channel(table)?;
    context.session.change_publication(PublicationChange::Publish { table, columns, filter })?;
    Ok(channel)
}

/// Gives the channel that nothing is sent to any more.
#[sql_function("nqdb_unpublish_table(tbl regclass) -> text", oid = 9802, volatile)]
fn unpublish_table(context: &mut FunctionContext<'_>, table: Oid) -> SqlResult<String> {
    let channel = context.session.change_channel(table)?;
    context.session.change_publication(PublicationChange::Unpublish { table })?;
    Ok(channel)
}
