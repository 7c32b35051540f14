//! The session that functions find where there is none: on the analytical executor's threads, and where the keys of an
//! index are computed.
//!
//! Functions that ask a session anything are not compiled there (`expression/call.rs` of the analytical executor; an index
//! takes immutable functions only), so every answer here is a fault of ours.

use nqdb_functions::{CatalogFunctions, SessionFunctions};
use nqdb_sqlstate::{OUT_OF_MEMORY, SqlError, SqlResult};

/// Nobody.
#[derive(Clone, Copy, Debug)]
pub struct NoSession {
    /// The largest value that a function may make: 53200 above it.
    pub value_bytes_max: usize,
}

impl NoSession {
    /// For callers that bound their memory in another way.
    pub const UNBOUNDED: NoSession = NoSession { value_bytes_max: usize::MAX };
}

fn none<T>() -> SqlResult<T> {
    Err(SqlError::internal("a function asked for its session on a thread that has none"))
}

impl CatalogFunctions for NoSession {}

impl SessionFunctions for NoSession {
    fn clock_micros(&self) -> i64 {
        0
    }
    fn random(&self) -> f64 {
        0.0
    }
    fn random_bytes(&self) -> [u8; 16] {
        [0; 16]
    }
    fn set_seed(&self, _: f64) {}
    fn current_user(&self) -> String {
        String::new()
    }
    fn session_user(&self) -> String {
        String::new()
    }
    fn current_database(&self) -> String {
        String::new()
    }
    fn current_schema(&self) -> Option<String> {
        None
    }
    fn setting(&self, _: &str, _: bool) -> SqlResult<Option<String>> {
        none()
    }
    fn set_setting(&self, _: &str, _: Option<&str>, _: bool) -> SqlResult<String> {
        none()
    }
    fn nextval(&self, _: u32) -> SqlResult<i64> {
        none()
    }
    fn currval(&self, _: u32) -> SqlResult<i64> {
        none()
    }
    fn lastval(&self) -> SqlResult<i64> {
        none()
    }
    fn setval(&self, _: u32, _: i64, _: bool) -> SqlResult<i64> {
        none()
    }
    fn role_name(&self, _: u32) -> Option<String> {
        None
    }
    fn relation_size(&self, _: u32, _: bool) -> SqlResult<Option<i64>> {
        none()
    }
    fn backend_pid(&self) -> i32 {
        0
    }
    fn transaction_id(&self) -> SqlResult<i64> {
        none()
    }
    fn admit_bytes(&self, bytes: usize) -> SqlResult<()> {
        if bytes > self.value_bytes_max {
            let detail =
                format!("A value of {bytes} bytes was to be made, and {} are allowed here.", self.value_bytes_max);
            return Err(SqlError::new(OUT_OF_MEMORY, "out of memory").with_detail(detail));
        }
        Ok(())
    }
    fn sleep(&self, _: i64) -> SqlResult<()> {
        none()
    }
    fn version(&self) -> String {
        String::new()
    }
    fn postmaster_start_micros(&self) -> i64 {
        0
    }
    fn cancel_backend(&self, _: i32) -> SqlResult<bool> {
        none()
    }
    fn terminate_backend(&self, _: i32) -> SqlResult<bool> {
        none()
    }
}
