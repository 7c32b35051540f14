//! The face of an expression that DataFusion sees.

use std::any::Any;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::datatypes::{DataType, Schema};
use arrow::record_batch::RecordBatch;
use datafusion_common::Result;
use datafusion_expr::ColumnarValue;
use datafusion_physical_expr::expressions::Column;
use datafusion_physical_expr_common::physical_expr::PhysicalExpr;

use super::evaluate::{Rows, lifted};
use super::{EvalContext, Expression, Node};

/// An expression with its surroundings; equal only to itself.
#[derive(Debug)]
struct SqlExpression {
    expression: Expression,
    cx: Arc<EvalContext>,
}

/// The expression as DataFusion takes it; a plain column is DataFusion's own.
pub(crate) fn physical(expression: Expression, cx: &Arc<EvalContext>, schema: &Schema) -> Arc<dyn PhysicalExpr> {
    match &expression.node {
        Node::Column(index) if *index < schema.fields().len() => {
            Arc::new(Column::new(schema.field(*index).name(), *index))
        }
        _ => Arc::new(SqlExpression { expression, cx: cx.clone() }),
    }
}

impl PartialEq for SqlExpression {
    fn eq(&self, other: &SqlExpression) -> bool {
        std::ptr::eq(self, other)
    }
}

impl Eq for SqlExpression {}

impl Hash for SqlExpression {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::ptr::from_ref(self).addr().hash(state);
    }
}

impl fmt::Display for SqlExpression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expression")
    }
}

impl PhysicalExpr for SqlExpression {
    fn data_type(&self, _: &Schema) -> Result<DataType> {
        Ok(self.expression.shape.data_type())
    }

    fn nullable(&self, _: &Schema) -> Result<bool> {
        Ok(true)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        lifted(self.cx.stop.check())?;
        let rows = Rows::of(batch);
        lifted(self.expression.evaluate_array(&rows, &self.cx)).map(ColumnarValue::Array)
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        Vec::new()
    }

    fn with_new_children(self: Arc<Self>, _: Vec<Arc<dyn PhysicalExpr>>) -> Result<Arc<dyn PhysicalExpr>> {
        Ok(self)
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

const _: fn(&SqlExpression) -> &dyn Any = |expression| expression;
