//! The memory of hash tables and sorts: DataFusion's face of the pool that all statements of the server share.

use std::fmt;
use std::sync::Arc;

use datafusion_common::{DataFusionError, Result};
use datafusion_execution::memory_pool::{MemoryPool, MemoryReservation};

/// The server's pool. What asks for more than there is spills where it can, and ends with 53200 where it cannot.
#[derive(Debug)]
pub(crate) struct StatementMemory(pub Arc<nqdb_sql::exec::MemoryPool>);

/// The part of the pool that each stream of a sort holds from its start, to merge what it has spilled.
const MERGE_PART: usize = 64;
/// No more is needed to merge, however large the pool is.
const MERGE_BYTES_MAX: usize = 8 << 20;

impl StatementMemory {
    /// What all statements may hold together.
    pub fn limit_bytes(&self) -> usize {
        self.0.limit_bytes()
    }

    /// Bytes that a stream of a sort keeps for merging.
    pub fn merge_bytes(&self) -> usize {
        (self.0.limit_bytes() / MERGE_PART).min(MERGE_BYTES_MAX)
    }
}

impl fmt::Display for StatementMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "statement memory, {} bytes held", self.0.held_bytes())
    }
}

impl MemoryPool for StatementMemory {
    fn name(&self) -> &'static str {
        "statement memory"
    }

    fn grow(&self, _: &MemoryReservation, additional: usize) {
        self.0.take_anyway(additional);
    }

    fn shrink(&self, _: &MemoryReservation, shrink: usize) {
        self.0.release(shrink);
    }

    fn try_grow(&self, _: &MemoryReservation, additional: usize) -> Result<()> {
        self.0.take(additional).map_err(|error| {
            let detail = error.detail().unwrap_or(error.message());
            DataFusionError::ResourcesExhausted(detail.to_owned())
        })
    }

    fn reserved(&self) -> usize {
        self.0.held_bytes()
    }
}
