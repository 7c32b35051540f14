//! Whether a statement may go on that is still being rewritten or planned.

use std::fmt;
use std::sync::Arc;

use nqdb_sqlstate::SqlResult;

/// Asks the session: 57014 when the statement was cancelled or its time is over.
#[derive(Clone)]
pub struct Interruption(Arc<dyn Fn() -> SqlResult<()> + Send + Sync>);

impl Interruption {
    pub fn new(check: impl Fn() -> SqlResult<()> + Send + Sync + 'static) -> Interruption {
        Interruption(Arc::new(check))
    }

    pub fn check(&self) -> SqlResult<()> {
        (self.0)()
    }
}

/// Nobody interrupts.
impl Default for Interruption {
    fn default() -> Interruption {
        Interruption::new(|| Ok(()))
    }
}

impl fmt::Debug for Interruption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Interruption")
    }
}
