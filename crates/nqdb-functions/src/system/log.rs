//! The write-ahead log: how far it is, and which files it is in (manual 9.27.3).
//!
//! Files have this server's names, 16 hexadecimal digits. Backups are taken by `nqdb backup`: what PostgreSQL's two functions
//! promise, that files copied between them are one, is not true of files that are copied here.

use nqdb_functions_macros::sql_function;
use nqdb_sqlstate::{SqlError, SqlResult};
use nqdb_types::Datum;

use crate::{Function, FunctionContext};

pub(crate) static FUNCTIONS: &[&[Function]] =
    &[&WRITTEN, &INSERTED, &FLUSHED, &FILE_NAME, &SWITCH, &BACKUP_START, &BACKUP_STOP];

/// Writing and syncing are one step here.
#[sql_function("pg_current_wal_lsn() -> pg_lsn", oid = 2849, volatile)]
fn written(context: &mut FunctionContext<'_>) -> SqlResult<u64> {
    Ok(context.session.log_positions()?.durable)
}

#[sql_function("pg_current_wal_insert_lsn() -> pg_lsn", oid = 2852, volatile)]
fn inserted(context: &mut FunctionContext<'_>) -> SqlResult<u64> {
    Ok(context.session.log_positions()?.end)
}

#[sql_function("pg_current_wal_flush_lsn() -> pg_lsn", oid = 3330, volatile)]
fn flushed(context: &mut FunctionContext<'_>) -> SqlResult<u64> {
    Ok(context.session.log_positions()?.durable)
}

/// The file of the last byte before a position.
#[sql_function("pg_walfile_name(pg_lsn) -> text", oid = 2851)]
fn file_name(context: &mut FunctionContext<'_>, position: u64) -> SqlResult<String> {
    context.session.log_file_name(position.saturating_sub(1))
}

#[sql_function("pg_switch_wal() -> pg_lsn", oid = 2848, volatile)]
fn switch(context: &mut FunctionContext<'_>) -> SqlResult<u64> {
    context.session.switch_log()
}

#[sql_function("pg_backup_start(label text, fast bool = 'false') -> pg_lsn", oid = 2172, volatile)]
fn backup_start(_label: &str, _is_fast: bool) -> SqlResult<u64> {
    Err(no_copied_files("pg_backup_start"))
}

#[sql_function("pg_backup_stop(wait_for_archive bool = 'true') -> record", oid = 2739, volatile)]
fn backup_stop(_waits: bool) -> SqlResult<Vec<Datum>> {
    Err(no_copied_files("pg_backup_stop"))
}

fn no_copied_files(name: &str) -> SqlError {
    SqlError::unsupported(name).with_hint("Take backups with the command \"nqdb backup\".")
}
