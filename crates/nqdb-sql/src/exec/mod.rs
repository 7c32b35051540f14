//! The row executor: runs a plan one row at a time over a slot array.
//!
//! | file | what it does |
//! |---|---|
//! | `contract` | what a session gives and gets: [`ExecContext`], [`Step`], [`RowSink`] |
//! | `execution` | one execution of a plan, step by step |
//! | `memory` | what the statements of all sessions hold together |
//! | `runtime`, `operator`, `expression` | slots, operators, compiled expressions |
//! | `domain` | what values of a domain must meet |
//! | `evaluation` | what expressions run in |
//! | `array` | subscripts, constructors, element-wise work |
//! | `scan`, `index_range` | reading tables |
//! | `spill` | rows for which there is no memory |
//! | `nested_loop`, `hash_join`, `aggregate`, `sort`, ... | one operator each |
//! | `lock_rows` | FOR UPDATE |
//! | `with` | WITH queries and recursion |
//! | `insert`, `modify`, `merge`, `constraint` | writing rows |

mod aggregate;
mod array;
mod constant_set;
mod constraint;
mod contract;
mod distinct;
mod distinct_rows;
mod domain;
mod evaluation;
mod execution;
mod expression;
mod function_scan;
mod gate;
mod hash_join;
mod index_range;
mod insert;
mod insert_batch;
mod json_path;
mod key_table;
mod limit;
mod lock_rows;
mod memo;
mod memory;
mod merge;
mod modify;
mod nested_loop;
mod operator;
mod record;
mod row_access;
mod row_buffer;
mod runtime;
mod sample;
mod scan;
mod set_operation;
mod sort;
mod spill;
mod system_scan;
mod window;
mod with;

pub use contract::{CommandTag, ExecContext, RowSink, Step};
pub use execution::Execution;
pub use memory::{MemoryPool, MemoryShare};
pub use scan::row_of_address;
pub use spill::RowStore;

pub(crate) use aggregate::{Aggregation, Call, KeySet, OrderKey};
pub(crate) use array::EvalSubscript;
pub(crate) use constant_set::ConstantSet;
pub(crate) use constraint::{CheckConstraint, value_text, write_error};
pub(crate) use distinct::Distinct;
pub(crate) use domain::DomainCheck;
pub(crate) use evaluation::{Evaluation, RowEvaluation};
pub(crate) use execution::{ExplainPlan, QueryPlan, Root, WithChange};
pub(crate) use expression::{Comparison, Equality, Eval, Slot};
pub(crate) use function_scan::{FunctionScan, FunctionSource, SourceColumns};
pub(crate) use gate::Gate;
pub(crate) use hash_join::{HashJoin, JoinKey};
pub(crate) use index_range::{IndexAccess, KeyRange, KeyValue};
pub(crate) use insert::{ConflictPlan, ConflictUpdate, InsertPlan, InsertState, InsertTarget};
pub(crate) use insert_batch::{Flushed, InsertBatch};
pub(crate) use limit::{Bounds, Limit};
pub(crate) use lock_rows::{LockRows, LockedRow};
pub(crate) use merge::{MergeChange, MergePlan, MergeWhen};
pub(crate) use modify::{ModifyPlan, UpdatePlan};
pub(crate) use nested_loop::{HalfJoin, NestedLoop};
pub(crate) use operator::{
    DetailText, Extend, Filter, NodeNote, NodeStatistics, Operator, PlanNode, Values, WorkFacts,
};
pub(crate) use row_access::{RowAccess, RowList};
pub(crate) use runtime::{Frame, Runtime, Subplan};
pub(crate) use sample::Sample;
pub(crate) use scan::{Access, Scan};
pub(crate) use set_operation::SetOperation;
pub(crate) use sort::{Sort, SortColumn};
pub(crate) use system_scan::SystemScan;
pub(crate) use window::{Window, WindowCall, WindowOffset, WindowWork};
pub(crate) use with::{Recursion, With, WithPlan, WithScan};
