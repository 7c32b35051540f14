//! The table of settings: name, type, default, who may change it, whether the client is told of changes.
//!
//! Names, types, limits and defaults are PostgreSQL 15's (`pg_settings`). A setting whose other values would
//! change what statements mean, and which nqdb does not offer, is [`Kind::Fixed`]: setting it to its one value
//! works, as dumps and drivers do, any other is 0A000. Settings that only advise a planner or a server are
//! accepted with their checks.

use std::sync::LazyLock;

use super::advice::ADVICE;

/// What values a setting takes.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    Bool,
    Integer {
        min: i64,
        max: i64,
        unit: Unit,
    },
    Real {
        min: f64,
        max: f64,
        unit: Unit,
    },
    Choice(&'static [&'static str]),
    Text,
    /// Text of printable ASCII, as long as an identifier may be.
    Name,
    /// Only the default, compared without case; others are not supported.
    Fixed,
    DateStyle,
    TimeZone,
    Encoding,
    SearchPath,
}

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    None,
    Bytes,
    Milliseconds,
    Kilobytes,
    /// Pages of 8 kB.
    Pages,
    Seconds,
}

/// Who may change a setting, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    /// Nobody: it states a fact.
    Internal,
    /// The command line and the configuration file, at start.
    Server,
    /// Superusers, at any time.
    Superuser,
    /// Everybody, at any time.
    User,
}

/// One setting.
#[derive(Clone, Copy, Debug)]
pub struct Definition {
    /// As SHOW ALL prints it; names are looked up without case.
    pub name: &'static str,
    pub kind: Kind,
    pub default: &'static str,
    pub context: Context,
    /// The client gets a ParameterStatus when it changes.
    pub report: bool,
    pub description: &'static str,
}

pub(super) const fn user(
    name: &'static str,
    kind: Kind,
    default: &'static str,
    description: &'static str,
) -> Definition {
    Definition { name, kind, default, context: Context::User, report: false, description }
}

const fn reported(definition: Definition) -> Definition {
    Definition { report: true, ..definition }
}

const fn fact(name: &'static str, default: &'static str, description: &'static str) -> Definition {
    Definition { name, kind: Kind::Text, default, context: Context::Internal, report: false, description }
}

pub(super) const fn superuser(definition: Definition) -> Definition {
    Definition { context: Context::Superuser, ..definition }
}

const fn server(name: &'static str, default: &'static str, description: &'static str) -> Definition {
    Definition { name, kind: Kind::Text, default, context: Context::Server, report: false, description }
}

pub(super) const INT_MAX: i64 = i32::MAX as i64;
pub(super) const MILLISECONDS: Kind = Kind::Integer { min: 0, max: INT_MAX, unit: Unit::Milliseconds };
const COLLAPSE: Kind = Kind::Integer { min: 1, max: INT_MAX, unit: Unit::None };
const COST: Kind = Kind::Real { min: 0.0, max: f64::MAX, unit: Unit::None };
const ISOLATION: Kind = Kind::Choice(&["serializable", "repeatable read", "read committed", "read uncommitted"]);

/// The version that clients are told: PostgreSQL's, whose behaviour they may rely on.
pub const SERVER_VERSION: &str = "15.18";
const SERVER_VERSION_NUM: &str = "150018";

/// All settings, sorted by name without case.
pub static DEFINITIONS: LazyLock<Vec<Definition>> = LazyLock::new(|| {
    let mut all: Vec<Definition> = OWN.iter().chain(ADVICE).copied().collect();
    all.sort_by(|left, right| compare_names(left.name, right.name));
    all
});

/// The settings that are obeyed, or that the planner's advice is made of.
static OWN: &[Definition] = &[
    reported(user(
        "application_name",
        Kind::Name,
        "",
        "Sets the application name to be reported in statistics and logs.",
    )),
    user("array_nulls", Kind::Fixed, "on", "Enable input of NULL elements in arrays."),
    user("backslash_quote", Kind::Fixed, "safe_encoding", "Sets whether \"\\'\" is allowed in string literals."),
    fact("block_size", "8192", "Shows the size of a disk block."),
    user("bytea_output", Kind::Choice(&["escape", "hex"]), "hex", "Sets the output format for bytea."),
    user(
        "check_function_bodies",
        Kind::Bool,
        "on",
        "Check routine bodies during CREATE FUNCTION and CREATE PROCEDURE.",
    ),
    reported(user("client_encoding", Kind::Encoding, "UTF8", "Sets the client's character set encoding.")),
    user(
        "client_min_messages",
        Kind::Choice(&["debug5", "debug4", "debug3", "debug2", "debug1", "log", "notice", "warning", "error"]),
        "notice",
        "Sets the message levels that are sent to the client.",
    ),
    superuser(user(
        "commit_delay",
        Kind::Integer { min: 0, max: 100_000, unit: Unit::None },
        "0",
        "Sets the delay in microseconds between transaction commit and flushing WAL to disk.",
    )),
    user(
        "commit_siblings",
        Kind::Integer { min: 0, max: 1_000, unit: Unit::None },
        "5",
        "Sets the minimum number of concurrent open transactions required before performing commit_delay.",
    ),
    user(
        "constraint_exclusion",
        Kind::Choice(&["partition", "on", "off"]),
        "partition",
        "Enables the planner to use constraints to optimize queries.",
    ),
    user(
        "cpu_index_tuple_cost",
        COST,
        "0.005",
        "Sets the planner's estimate of the cost of processing each index entry during an index scan.",
    ),
    user(
        "cpu_operator_cost",
        COST,
        "0.0025",
        "Sets the planner's estimate of the cost of processing each operator or function call.",
    ),
    user("cpu_tuple_cost", COST, "0.01", "Sets the planner's estimate of the cost of processing each tuple (row)."),
    user(
        "cursor_tuple_fraction",
        Kind::Real { min: 0.0, max: 1.0, unit: Unit::None },
        "0.1",
        "Sets the planner's estimate of the fraction of a cursor's rows that will be retrieved.",
    ),
    fact("data_checksums", "on", "Shows whether data checksums are turned on for this cluster."),
    server("data_directory", "", "Sets the server's data directory."),
    reported(user("DateStyle", Kind::DateStyle, "ISO, MDY", "Sets the display format for date and time values.")),
    superuser(user(
        "deadlock_timeout",
        Kind::Integer { min: 1, max: INT_MAX, unit: Unit::Milliseconds },
        "1s",
        "Sets the time to wait on a lock before checking for deadlock.",
    )),
    superuser(user(
        "debug_discard_caches",
        Kind::Integer { min: 0, max: 0, unit: Unit::None },
        "0",
        "Aggressively flush system caches for debugging purposes.",
    )),
    user(
        "default_statistics_target",
        Kind::Integer { min: 1, max: 10_000, unit: Unit::None },
        "100",
        "Sets the default statistics target.",
    ),
    user("default_table_access_method", Kind::Fixed, "heap", "Sets the default table access method for new tables."),
    user("default_tablespace", Kind::Fixed, "", "Sets the default tablespace to create tables and indexes in."),
    user("default_text_search_config", Kind::Text, "pg_catalog.simple", "Sets default text search configuration."),
    user(
        "default_toast_compression",
        Kind::Choice(&["pglz", "lz4"]),
        "lz4",
        "Sets the default compression method for compressible values.",
    ),
    user(
        "default_transaction_deferrable",
        Kind::Bool,
        "off",
        "Sets the default deferrable status of new transactions.",
    ),
    user(
        "default_transaction_isolation",
        ISOLATION,
        "read committed",
        "Sets the transaction isolation level of each new transaction.",
    ),
    reported(user(
        "default_transaction_read_only",
        Kind::Bool,
        "off",
        "Sets the default read-only status of new transactions.",
    )),
    user(
        "effective_cache_size",
        Kind::Integer { min: 1, max: INT_MAX, unit: Unit::Pages },
        "4GB",
        "Sets the planner's assumption about the total size of the data caches.",
    ),
    user(
        "effective_io_concurrency",
        Kind::Integer { min: 0, max: 1_000, unit: Unit::None },
        "1",
        "Number of simultaneous requests that can be handled efficiently by the disk subsystem.",
    ),
    user("enable_async_append", Kind::Bool, "on", "Enables the planner's use of async append plans."),
    user("enable_bitmapscan", Kind::Bool, "on", "Enables the planner's use of bitmap-scan plans."),
    user("enable_gathermerge", Kind::Bool, "on", "Enables the planner's use of gather merge plans."),
    user("enable_hashagg", Kind::Bool, "on", "Enables the planner's use of hashed aggregation plans."),
    user("enable_hashjoin", Kind::Bool, "on", "Enables the planner's use of hash join plans."),
    user("enable_incremental_sort", Kind::Bool, "on", "Enables the planner's use of incremental sort steps."),
    user("enable_indexonlyscan", Kind::Bool, "on", "Enables the planner's use of index-only-scan plans."),
    user("enable_indexscan", Kind::Bool, "on", "Enables the planner's use of index-scan plans."),
    user("enable_material", Kind::Bool, "on", "Enables the planner's use of materialization."),
    user("enable_memoize", Kind::Bool, "on", "Enables the planner's use of memoization."),
    user("enable_mergejoin", Kind::Bool, "on", "Enables the planner's use of merge join plans."),
    user("enable_nestloop", Kind::Bool, "on", "Enables the planner's use of nested-loop join plans."),
    user("enable_parallel_append", Kind::Bool, "on", "Enables the planner's use of parallel append plans."),
    user("enable_parallel_hash", Kind::Bool, "on", "Enables the planner's use of parallel hash plans."),
    user("enable_partition_pruning", Kind::Bool, "on", "Enables plan-time and execution-time partition pruning."),
    user("enable_partitionwise_aggregate", Kind::Bool, "off", "Enables partitionwise aggregation and grouping."),
    user("enable_partitionwise_join", Kind::Bool, "off", "Enables partitionwise join."),
    user("enable_seqscan", Kind::Bool, "on", "Enables the planner's use of sequential-scan plans."),
    user("enable_sort", Kind::Bool, "on", "Enables the planner's use of explicit sort steps."),
    user("enable_tidscan", Kind::Bool, "on", "Enables the planner's use of TID scan plans."),
    user("escape_string_warning", Kind::Bool, "on", "Warn about backslash escapes in ordinary string literals."),
    user(
        "extra_float_digits",
        Kind::Integer { min: -15, max: 3, unit: Unit::None },
        "1",
        "Sets the number of digits displayed for floating-point values.",
    ),
    user(
        "force_parallel_mode",
        Kind::Choice(&["off", "on", "regress"]),
        "off",
        "Forces use of parallel query facilities.",
    ),
    user("from_collapse_limit", COLLAPSE, "8", "Sets the FROM-list size beyond which subqueries are not collapsed."),
    user("geqo", Kind::Bool, "on", "Enables genetic query optimization."),
    user(
        "geqo_effort",
        Kind::Integer { min: 1, max: 10, unit: Unit::None },
        "5",
        "GEQO: effort is used to set the default for other GEQO parameters.",
    ),
    user(
        "geqo_generations",
        Kind::Integer { min: 0, max: INT_MAX, unit: Unit::None },
        "0",
        "GEQO: number of iterations of the algorithm.",
    ),
    user(
        "geqo_pool_size",
        Kind::Integer { min: 0, max: INT_MAX, unit: Unit::None },
        "0",
        "GEQO: number of individuals in the population.",
    ),
    user(
        "geqo_seed",
        Kind::Real { min: 0.0, max: 1.0, unit: Unit::None },
        "0",
        "GEQO: seed for random path selection.",
    ),
    user(
        "geqo_selection_bias",
        Kind::Real { min: 1.5, max: 2.0, unit: Unit::None },
        "2",
        "GEQO: selective pressure within the population.",
    ),
    user(
        "geqo_threshold",
        Kind::Integer { min: 2, max: INT_MAX, unit: Unit::None },
        "12",
        "Sets the threshold of FROM items beyond which GEQO is used.",
    ),
    user(
        "hash_mem_multiplier",
        Kind::Real { min: 1.0, max: 1000.0, unit: Unit::None },
        "2",
        "Multiple of work_mem to use for hash tables.",
    ),
    user(
        "idle_in_transaction_session_timeout",
        MILLISECONDS,
        "0",
        "Sets the maximum allowed idle time between queries, when in a transaction.",
    ),
    user(
        "idle_session_timeout",
        MILLISECONDS,
        "0",
        "Sets the maximum allowed idle time between queries, when not in a transaction.",
    ),
    reported(fact("in_hot_standby", "off", "Shows whether hot standby is currently active.")),
    reported(fact("integer_datetimes", "on", "Shows whether datetimes are integer based.")),
    reported(user(
        "IntervalStyle",
        Kind::Choice(&["postgres", "postgres_verbose", "sql_standard", "iso_8601"]),
        "postgres",
        "Sets the display format for interval values.",
    )),
    reported(fact("is_superuser", "off", "Shows whether the current user is a superuser.")),
    user("jit", Kind::Bool, "off", "Allow JIT compilation."),
    user(
        "jit_above_cost",
        Kind::Real { min: -1.0, max: f64::MAX, unit: Unit::None },
        "100000",
        "Perform JIT compilation if query is more expensive.",
    ),
    user("jit_expressions", Kind::Bool, "on", "Allow JIT compilation of expressions."),
    user(
        "jit_inline_above_cost",
        Kind::Real { min: -1.0, max: f64::MAX, unit: Unit::None },
        "500000",
        "Perform JIT inlining if query is more expensive.",
    ),
    user(
        "jit_optimize_above_cost",
        Kind::Real { min: -1.0, max: f64::MAX, unit: Unit::None },
        "500000",
        "Optimize JIT-compiled functions if query is more expensive.",
    ),
    user("jit_tuple_deforming", Kind::Bool, "on", "Allow JIT compilation of tuple deforming."),
    user(
        "join_collapse_limit",
        COLLAPSE,
        "8",
        "Sets the FROM-list size beyond which JOIN constructs are not flattened.",
    ),
    fact("lc_collate", "C", "Shows the collation order locale."),
    fact("lc_ctype", "C", "Shows the character classification and case conversion locale."),
    superuser(user("lc_messages", Kind::Fixed, "C", "Sets the language in which messages are displayed.")),
    user("lc_monetary", Kind::Fixed, "C", "Sets the locale for formatting monetary amounts."),
    user("lc_numeric", Kind::Fixed, "C", "Sets the locale for formatting numbers."),
    user("lc_time", Kind::Fixed, "C", "Sets the locale for formatting date and time values."),
    server("listen_addresses", "localhost", "Sets the host name or IP address(es) to listen to."),
    user("lock_timeout", MILLISECONDS, "0", "Sets the maximum allowed duration of any wait for a lock."),
    user(
        "logical_decoding_work_mem",
        Kind::Integer { min: 64, max: INT_MAX, unit: Unit::Kilobytes },
        "64MB",
        "Sets the maximum memory to be used for logical decoding.",
    ),
    user(
        "maintenance_io_concurrency",
        Kind::Integer { min: 0, max: 1_000, unit: Unit::None },
        "10",
        "A variant of effective_io_concurrency that is used for maintenance work.",
    ),
    user(
        "maintenance_work_mem",
        Kind::Integer { min: 1024, max: INT_MAX, unit: Unit::Kilobytes },
        "64MB",
        "Sets the maximum memory to be used for maintenance operations.",
    ),
    server("max_connections", "100", "Sets the maximum number of concurrent connections."),
    fact("max_identifier_length", "63", "Shows the maximum identifier length."),
    fact("max_index_keys", "32", "Shows the maximum number of index keys."),
    user(
        "max_parallel_maintenance_workers",
        Kind::Integer { min: 0, max: 1_024, unit: Unit::None },
        "2",
        "Sets the maximum number of parallel processes per maintenance operation.",
    ),
    user(
        "max_parallel_workers",
        Kind::Integer { min: 0, max: 1_024, unit: Unit::None },
        "8",
        "Sets the maximum number of parallel workers that can be active at one time.",
    ),
    user(
        "max_parallel_workers_per_gather",
        Kind::Integer { min: 0, max: 1024, unit: Unit::None },
        "2",
        "Sets the maximum number of parallel processes per executor node.",
    ),
    server("max_prepared_transactions", "0", "Sets the maximum number of simultaneously prepared transactions."),
    user(
        "min_parallel_index_scan_size",
        Kind::Integer { min: 0, max: 715_827_882, unit: Unit::Pages },
        "512kB",
        "Sets the minimum amount of index data for a parallel scan.",
    ),
    user(
        "min_parallel_table_scan_size",
        Kind::Integer { min: 0, max: 715_827_882, unit: Unit::Pages },
        "8MB",
        "Sets the minimum amount of table data for a parallel scan.",
    ),
    user(
        "nqdb.executor",
        Kind::Choice(&["auto", "row", "analytical"]),
        "auto",
        "Chooses the executor of queries: by estimated cost, row by row, or in batches wherever it can.",
    ),
    user(
        "parallel_leader_participation",
        Kind::Bool,
        "on",
        "Controls whether Gather and Gather Merge also run subplans.",
    ),
    user(
        "parallel_setup_cost",
        COST,
        "1000",
        "Sets the planner's estimate of the cost of starting up worker processes for parallel query.",
    ),
    user(
        "parallel_tuple_cost",
        COST,
        "0.1",
        "Sets the planner's estimate of the cost of passing each tuple (row) from worker to leader backend.",
    ),
    user("password_encryption", Kind::Fixed, "scram-sha-256", "Chooses the algorithm for encrypting passwords."),
    user(
        "plan_cache_mode",
        Kind::Choice(&["auto", "force_generic_plan", "force_custom_plan"]),
        "auto",
        "Controls the planner's selection of custom or generic plan.",
    ),
    server("port", "5432", "Sets the TCP port the server listens on."),
    user("quote_all_identifiers", Kind::Bool, "off", "When generating SQL fragments, quote all identifiers."),
    user(
        "random_page_cost",
        COST,
        "4",
        "Sets the planner's estimate of the cost of a nonsequentially fetched disk page.",
    ),
    user(
        "recursive_worktable_factor",
        Kind::Real { min: 0.001, max: 1000000.0, unit: Unit::None },
        "10",
        "Sets the planner's estimate of the average size of a recursive query's working table.",
    ),
    fact("role", "none", "Sets the current role."),
    user("row_security", Kind::Bool, "on", "Enable row security."),
    user(
        "search_path",
        Kind::SearchPath,
        "\"$user\", public",
        "Sets the schema search order for names that are not schema-qualified.",
    ),
    user("seq_page_cost", COST, "1", "Sets the planner's estimate of the cost of a sequentially fetched disk page."),
    fact("server_encoding", "UTF8", "Shows the server (database) character set encoding."),
    reported(fact("server_version", SERVER_VERSION, "Shows the server version.")),
    fact("server_version_num", SERVER_VERSION_NUM, "Shows the server version as an integer."),
    reported(fact("session_authorization", "", "Sets the session user name.")),
    superuser(user(
        "session_replication_role",
        Kind::Fixed,
        "origin",
        "Sets the session's behavior for triggers and rewrite rules.",
    )),
    server("ssl", "off", "Enables SSL connections."),
    reported(user(
        "standard_conforming_strings",
        Kind::Fixed,
        "on",
        "Causes '...' strings to treat backslashes literally.",
    )),
    user("statement_timeout", MILLISECONDS, "0", "Sets the maximum allowed duration of any statement."),
    user(
        "stats_fetch_consistency",
        Kind::Choice(&["none", "cache", "snapshot"]),
        "cache",
        "Sets the consistency of accesses to statistics data.",
    ),
    server("superuser_reserved_connections", "3", "Sets the number of connection slots reserved for superusers."),
    user("synchronize_seqscans", Kind::Bool, "on", "Enable synchronized sequential scans."),
    user(
        "synchronous_commit",
        Kind::Choice(&["local", "remote_write", "remote_apply", "on", "off"]),
        "on",
        "Sets the current transaction's synchronization level.",
    ),
    user(
        "temp_buffers",
        Kind::Integer { min: 100, max: 1_073_741_823, unit: Unit::Pages },
        "8MB",
        "Sets the maximum number of temporary buffers used by each session.",
    ),
    superuser(user(
        "temp_file_limit",
        Kind::Integer { min: -1, max: INT_MAX, unit: Unit::Kilobytes },
        "-1",
        "Limits the total size of all temporary files used by each process.",
    )),
    user("temp_tablespaces", Kind::Fixed, "", "Sets the tablespace(s) to use for temporary tables and sort files."),
    reported(user(
        "TimeZone",
        Kind::TimeZone,
        "UTC",
        "Sets the time zone for displaying and interpreting time stamps.",
    )),
    user("timezone_abbreviations", Kind::Fixed, "Default", "Selects a file of time zone abbreviations."),
    user(
        "transaction_deferrable",
        Kind::Bool,
        "off",
        "Whether to defer a read-only serializable transaction until it can be executed with no possible serialization failures.",
    ),
    user("transaction_isolation", ISOLATION, "read committed", "Sets the current transaction's isolation level."),
    user("transaction_read_only", Kind::Bool, "off", "Sets the current transaction's read-only status."),
    user("transform_null_equals", Kind::Fixed, "off", "Treats \"expr=NULL\" as \"expr IS NULL\"."),
    fact("wal_level", "replica", "Sets the level of information written to the WAL."),
    user(
        "work_mem",
        Kind::Integer { min: 64, max: INT_MAX, unit: Unit::Kilobytes },
        "64MB",
        "Sets the maximum memory to be used for query workspaces.",
    ),
    user("xmlbinary", Kind::Choice(&["base64", "hex"]), "base64", "Sets how binary values are to be encoded in XML."),
    user(
        "xmloption",
        Kind::Fixed,
        "content",
        "Sets whether XML data in implicit parsing and serialization operations is to be considered as documents or content fragments.",
    ),
];

/// The position of a setting in [`DEFINITIONS`].
pub fn position(name: &str) -> Option<usize> {
    // PostgreSQL's old spellings.
    let name = match name.to_ascii_lowercase().as_str() {
        "sort_mem" => "work_mem".to_owned(),
        "vacuum_mem" => "maintenance_work_mem".to_owned(),
        other => other.to_owned(),
    };
    DEFINITIONS.binary_search_by(|definition| compare_names(definition.name, &name)).ok()
}

fn compare_names(left: &str, right: &str) -> std::cmp::Ordering {
    left.bytes().map(|byte| byte.to_ascii_lowercase()).cmp(right.bytes().map(|byte| byte.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_so_that_names_are_found() {
        let names: Vec<&str> = DEFINITIONS.iter().map(|definition| definition.name).collect();
        assert!(names.windows(2).all(|pair| compare_names(pair[0], pair[1]).is_lt()), "{names:?}");
        for definition in DEFINITIONS.iter() {
            assert_eq!(position(definition.name).map(|at| DEFINITIONS[at].name), Some(definition.name));
        }
        assert_eq!(position("timezone").map(|at| DEFINITIONS[at].name), Some("TimeZone"));
        assert_eq!(position("no_such_thing"), None);
    }
}
