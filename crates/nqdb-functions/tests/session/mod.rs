//! A session for functions under test: fixed answers, no sequences.

use nqdb_functions::{CatalogFunctions, SessionFunctions};
use nqdb_sqlstate::SqlResult;

/// 2024-03-10 12:00 UTC in µs since 2000-01-01.
pub const NOW_MICROS: i64 = 763_387_200_000_000;

pub struct FixedSession;

impl CatalogFunctions for FixedSession {}

impl SessionFunctions for FixedSession {
    fn clock_micros(&self) -> i64 {
        NOW_MICROS
    }
    fn random(&self) -> f64 {
        0.5
    }
    fn random_bytes(&self) -> [u8; 16] {
        [0xff; 16]
    }
    fn set_seed(&self, _seed: f64) {}
    fn current_user(&self) -> String {
        "postgres".into()
    }
    fn session_user(&self) -> String {
        "postgres".into()
    }
    fn current_database(&self) -> String {
        "postgres".into()
    }
    fn current_schema(&self) -> Option<String> {
        Some("public".into())
    }
    fn setting(&self, _name: &str, _missing_ok: bool) -> SqlResult<Option<String>> {
        Ok(None)
    }
    fn set_setting(&self, _name: &str, value: Option<&str>, _is_local: bool) -> SqlResult<String> {
        Ok(value.unwrap_or("").into())
    }
    fn nextval(&self, _sequence: u32) -> SqlResult<i64> {
        Ok(1)
    }
    fn currval(&self, _sequence: u32) -> SqlResult<i64> {
        Ok(1)
    }
    fn lastval(&self) -> SqlResult<i64> {
        Ok(1)
    }
    fn setval(&self, _sequence: u32, value: i64, _is_called: bool) -> SqlResult<i64> {
        Ok(value)
    }
    fn role_name(&self, _role: u32) -> Option<String> {
        None
    }
    fn relation_size(&self, _relation: u32, _with_indexes: bool) -> SqlResult<Option<i64>> {
        Ok(None)
    }
    fn backend_pid(&self) -> i32 {
        1
    }
    fn transaction_id(&self) -> SqlResult<i64> {
        Ok(1)
    }
    fn sleep(&self, _micros: i64) -> SqlResult<()> {
        Ok(())
    }
    fn version(&self) -> String {
        "test".into()
    }
    fn postmaster_start_micros(&self) -> i64 {
        0
    }
    fn cancel_backend(&self, _pid: i32) -> SqlResult<bool> {
        Ok(false)
    }
    fn terminate_backend(&self, _pid: i32) -> SqlResult<bool> {
        Ok(false)
    }
}
