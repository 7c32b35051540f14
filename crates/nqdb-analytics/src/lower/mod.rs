//! From a query of the Bound IR to a DataFusion physical plan.
//!
//! | file | what it does |
//! |---|---|
//! | `relation` | scans, filters, computed columns, limits |
//! | `join` | which conditions are keys, which side is built |
//! | `aggregate` | groups, in one phase or two |
//! | `grouping_sets` | GROUPING SETS |
//! | `set_operation` | UNION, INTERSECT, EXCEPT |
//! | `sort` | orders, and the first rows of one |
//! | `unfold` | functions that return rows |
//! | `window` | window functions over sorted partitions |
//!
//! What always holds:
//!
//! 1. A plan gives the rows that the IR says, or lowering declines. Nothing is approximated.
//! 2. Partitioning is decided here: an operator that needs all rows in one stream, or equal keys in one, gets them so.
//! 3. A relation gives the columns that are asked of it, and may give others.
//!
//! Left out: join order and what moves through what, which `nqdb_sql::rewrite` has decided.

mod aggregate;
mod grouping_sets;
mod join;
mod relation;
mod set_operation;
mod sort;
mod unfold;
mod window;

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use datafusion_physical_expr_common::physical_expr::PhysicalExpr;
use datafusion_physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion_physical_plan::projection::{ProjectionExec, ProjectionExpr};
use datafusion_physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use foldhash::fast::RandomState;
use nqdb_sql::ir::{ColumnId, Expr, Query};
use nqdb_sql::plan::Columns as ColumnSet;
use nqdb_txn::ReadView;

use crate::cache::ColumnCache;
use crate::expression::{Columns, Compiler, Constants, Expression, physical};
use crate::failure::{Failure, Outcome};
use crate::memory::StatementMemory;
use crate::scan::ScanColumn;
use crate::shape::Shape;
use crate::subquery::WithRows;
use crate::watch::Stop;

/// A query as a plan of one stream, and the shapes of its output columns.
pub(crate) struct LoweredQuery {
    pub plan: Arc<dyn ExecutionPlan>,
    pub shapes: Vec<Shape>,
}

/// A relation as a plan, and where its columns are.
pub(crate) struct Lowered {
    pub plan: Arc<dyn ExecutionPlan>,
    pub columns: Columns,
    /// The columns that come from scans as they are, whose scan may leave out rows by their value as well as who reads the
    /// relation may.
    pub sources: Sources,
}

/// Where columns come from.
pub(crate) type Sources = HashMap<ColumnId, ScanColumn, RandomState>;

/// What lowering goes by.
pub(crate) struct Lowering<'a> {
    pub constants: &'a Constants,
    /// The rows of WITH queries.
    pub with: &'a WithRows,
    pub view: &'a ReadView,
    pub cache: &'a Arc<ColumnCache>,
    pub memory: &'a Arc<StatementMemory>,
    /// Streams that a large table is read in.
    pub partitions: usize,
    /// Set when nobody wants the rows any more.
    pub stop: &'a Stop,
}

impl Lowering<'_> {
    /// A query, its output columns in their order.
    pub fn query(&self, query: &Query) -> Outcome<LoweredQuery> {
        let lowered = self.query_columns(query)?;
        let shapes = query.output.iter().map(|column| lowered.shape(column.id)).collect::<Outcome<Vec<Shape>>>()?;
        Ok(LoweredQuery { plan: in_one_stream(lowered.plan), shapes })
    }

    /// A query as a relation whose columns are its output columns.
    fn query_columns(&self, query: &Query) -> Outcome<Lowered> {
        let needed: ColumnSet = query.output.iter().map(|column| column.id).collect();
        let lowered = self.relation(&query.rel, &needed)?;
        let kept = query.output.iter().map(|column| {
            let (index, shape) = lowered.columns.get(column.id).ok_or(OUTER_COLUMN)?;
            Ok((column.id, Expression::column(index, shape)))
        });
        self.project(&lowered, kept.collect::<Outcome<Vec<_>>>()?)
    }

    fn compiler<'b>(&'b self, columns: &'b Columns) -> Compiler<'b> {
        Compiler { columns, constants: self.constants }
    }

    fn compile(&self, expr: &Expr, columns: &Columns) -> Outcome<Expression> {
        self.compiler(columns).compile(expr)
    }

    fn physical(&self, expression: Expression, schema: &Schema) -> Arc<dyn PhysicalExpr> {
        physical(expression, &self.constants.cx, schema)
    }

    /// A relation of exactly these columns.
    fn project(&self, input: &Lowered, columns: Vec<(ColumnId, Expression)>) -> Outcome<Lowered> {
        let schema = input.plan.schema();
        let mut places = Columns::default();
        let mut expressions = Vec::with_capacity(columns.len());
        for (index, (id, expression)) in columns.into_iter().enumerate() {
            places.insert(id, index, expression.shape);
            expressions.push(ProjectionExpr { expr: self.physical(expression, &schema), alias: format!("c{index}") });
        }
        let plan = Arc::new(ProjectionExec::try_new(expressions, input.plan.clone())?);
        Ok(Lowered { plan, columns: places, sources: input.sources.clone() })
    }
}

const NO_COLUMNS: Failure = Failure::Declined("DISTINCT without columns");

const OUTER_COLUMN: Failure = Failure::Declined("a column of an outer query");

impl Lowered {
    fn schema(&self) -> SchemaRef {
        self.plan.schema()
    }

    fn width(&self) -> usize {
        self.plan.schema().fields().len()
    }

    fn shape(&self, id: ColumnId) -> Outcome<Shape> {
        self.columns.get(id).map(|(_, shape)| shape).ok_or(OUTER_COLUMN)
    }
}

/// All rows in one stream.
fn in_one_stream(plan: Arc<dyn ExecutionPlan>) -> Arc<dyn ExecutionPlan> {
    if plan.output_partitioning().partition_count() > 1 { Arc::new(CoalescePartitionsExec::new(plan)) } else { plan }
}
