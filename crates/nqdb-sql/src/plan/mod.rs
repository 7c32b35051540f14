//! From the Bound IR to an immutable [`Plan`]: access paths, join order, compiled expressions.

/// What the planner may use; the `enable_*` settings of PostgreSQL.
#[derive(Clone, Copy, Debug)]
pub struct PlanContext {
    /// `Snapshot::version` that the statement was bound against.
    pub catalog_version: u64,
    pub enable_seqscan: bool,
    pub enable_indexscan: bool,
    pub enable_hashjoin: bool,
    pub enable_nestloop: bool,
    pub enable_sort: bool,
}

impl PlanContext {
    /// Everything allowed.
    pub fn new(catalog_version: u64) -> PlanContext {
        PlanContext {
            catalog_version,
            enable_seqscan: true,
            enable_indexscan: true,
            enable_hashjoin: true,
            enable_nestloop: true,
            enable_sort: true,
        }
    }
}
