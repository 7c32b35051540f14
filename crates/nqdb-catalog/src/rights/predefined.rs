//! The roles that exist from the start (manual, 22.5): always there, never stored, under PostgreSQL's numbers.

use std::sync::Arc;

use nqdb_types::Oid;

use crate::definition::RoleDef;
use crate::snapshot::Change;

pub const PG_DATABASE_OWNER: Oid = 6171;
pub const PG_READ_ALL_DATA: Oid = 6181;
pub const PG_WRITE_ALL_DATA: Oid = 6182;
pub const PG_MONITOR: Oid = 3373;
pub const PG_READ_ALL_SETTINGS: Oid = 3374;
pub const PG_READ_ALL_STATS: Oid = 3375;
pub const PG_STAT_SCAN_TABLES: Oid = 3377;
pub const PG_READ_SERVER_FILES: Oid = 4569;
pub const PG_WRITE_SERVER_FILES: Oid = 4570;
pub const PG_SIGNAL_BACKEND: Oid = 4200;
pub const PG_CHECKPOINT: Oid = 4544;

/// What members of `pg_monitor` are members of.
pub const MONITOR_PARTS: [Oid; 3] = [PG_READ_ALL_SETTINGS, PG_READ_ALL_STATS, PG_STAT_SCAN_TABLES];

const PREDEFINED: [(Oid, &str); 12] = [
    (PG_DATABASE_OWNER, "pg_database_owner"),
    (PG_READ_ALL_DATA, "pg_read_all_data"),
    (PG_WRITE_ALL_DATA, "pg_write_all_data"),
    (PG_MONITOR, "pg_monitor"),
    (PG_READ_ALL_SETTINGS, "pg_read_all_settings"),
    (PG_READ_ALL_STATS, "pg_read_all_stats"),
    (PG_STAT_SCAN_TABLES, "pg_stat_scan_tables"),
    (PG_READ_SERVER_FILES, "pg_read_server_files"),
    (PG_WRITE_SERVER_FILES, "pg_write_server_files"),
    (4571, "pg_execute_server_program"),
    (PG_SIGNAL_BACKEND, "pg_signal_backend"),
    (PG_CHECKPOINT, "pg_checkpoint"),
];

/// The predefined roles, to be put into a snapshot.
pub(crate) fn predefined_roles() -> impl Iterator<Item = Change> {
    PREDEFINED.into_iter().map(|(oid, name)| {
        Change::PutRole(Arc::new(RoleDef {
            oid,
            name: name.to_owned(),
            superuser: false,
            inherit: true,
            create_role: false,
            create_database: false,
            can_login: false,
            replication: false,
            bypass_row_security: false,
            connection_limit: -1,
            password: None,
            valid_until: None,
        }))
    })
}
