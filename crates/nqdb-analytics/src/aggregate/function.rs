//! The face of an aggregate that DataFusion sees.

use std::any::Any;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray};
use arrow::datatypes::{DataType, Field, FieldRef, SchemaRef};
use datafusion_common::{Result, ScalarValue};
use datafusion_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature, Volatility};
use datafusion_physical_expr::aggregate::{AggregateExprBuilder, AggregateFunctionExpr};
use datafusion_physical_expr_common::physical_expr::PhysicalExpr;
use parking_lot::Mutex;

use super::{Call, Groups};
use crate::expression::{EvalContext, lifted};
use crate::failure::Outcome;

/// The aggregate of a plan; `args` must not be empty (`count(*)` takes a constant).
pub(crate) fn aggregate_function(
    call: Call,
    cx: &Arc<EvalContext>,
    args: Vec<Arc<dyn PhysicalExpr>>,
    schema: SchemaRef,
    name: String,
) -> Outcome<Arc<AggregateFunctionExpr>> {
    let signature = Signature::any(args.len(), Volatility::Immutable);
    let function =
        SqlAggregate { name: format!("nqdb_{}", call.name), call: Arc::new(call), cx: cx.clone(), signature };
    let function = Arc::new(AggregateUDF::new_from_impl(function));
    Ok(Arc::new(AggregateExprBuilder::new(function, args).schema(schema).alias(name).build()?))
}

/// Equal only to itself.
#[derive(Debug)]
struct SqlAggregate {
    name: String,
    call: Arc<Call>,
    cx: Arc<EvalContext>,
    signature: Signature,
}

impl PartialEq for SqlAggregate {
    fn eq(&self, other: &SqlAggregate) -> bool {
        Arc::ptr_eq(&self.call, &other.call)
    }
}

impl Eq for SqlAggregate {}

impl Hash for SqlAggregate {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.call).addr().hash(state);
    }
}

impl AggregateUDFImpl for SqlAggregate {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.call.result.data_type())
    }

    fn accumulator(&self, _: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(OneGroup { groups: Mutex::new(self.new_groups()?), zeros: Vec::new() }))
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let shapes = self.call.state_shapes().into_iter().enumerate();
        let field = |(index, shape): (usize, crate::shape::Shape)| {
            Arc::new(Field::new(format!("{}[{index}]", args.name), shape.data_type(), true))
        };
        Ok(shapes.map(field).collect())
    }

    fn groups_accumulator_supported(&self, _: AccumulatorArgs<'_>) -> bool {
        true
    }

    fn create_groups_accumulator(&self, _: AccumulatorArgs<'_>) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(ManyGroups { groups: self.new_groups()?, call: self.call.clone(), cx: self.cx.clone() }))
    }
}

impl SqlAggregate {
    fn new_groups(&self) -> Result<Box<dyn Groups>> {
        lifted(self.call.groups(&self.cx))
    }
}

/// GROUP BY.
struct ManyGroups {
    groups: Box<dyn Groups>,
    call: Arc<Call>,
    cx: Arc<EvalContext>,
}

impl GroupsAccumulator for ManyGroups {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        opt_filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        self.groups.resize(total_num_groups);
        lifted(self.groups.update(values, group_indices, opt_filter))
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        lifted(self.groups.finish(emit_to))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        lifted(self.groups.state(emit_to))
    }

    fn merge_batch(&mut self, values: &[ArrayRef], group_indices: &[usize], total_num_groups: usize) -> Result<()> {
        self.groups.resize(total_num_groups);
        lifted(self.groups.merge(values, group_indices))
    }

    fn convert_to_state(&self, values: &[ArrayRef], opt_filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let rows = values.first().map_or(0, |values| values.len());
        let mut groups = lifted(self.call.groups(&self.cx))?;
        groups.resize(rows);
        let each: Vec<usize> = (0..rows).collect();
        lifted(groups.update(values, &each, opt_filter).and_then(|()| groups.state(EmitTo::All)))
    }

    fn size(&self) -> usize {
        self.groups.size_bytes()
    }
}

const _: fn(&ManyGroups) -> &dyn Any = |groups| groups;

/// No GROUP BY: one group.
struct OneGroup {
    /// Only to be `Sync`: nobody else has it.
    groups: Mutex<Box<dyn Groups>>,
    zeros: Vec<usize>,
}

impl fmt::Debug for OneGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OneGroup")
    }
}

impl OneGroup {
    /// Sees to it that there are as many zeros, which is every row's group.
    fn have_zeros(&mut self, rows: usize) {
        self.groups.get_mut().resize(1);
        if self.zeros.len() < rows {
            self.zeros.resize(rows, 0);
        }
    }
}

impl Accumulator for OneGroup {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let rows = values.first().map_or(0, |values| values.len());
        self.have_zeros(rows);
        lifted(self.groups.get_mut().update(values, &self.zeros[..rows], None))
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        self.have_zeros(0);
        let result = lifted(self.groups.get_mut().finish(EmitTo::All))?;
        ScalarValue::try_from_array(&result, 0)
    }

    fn size(&self) -> usize {
        self.groups.lock().size_bytes()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.have_zeros(0);
        let state = lifted(self.groups.get_mut().state(EmitTo::All))?;
        state.iter().map(|array| ScalarValue::try_from_array(array, 0)).collect()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let rows = states.first().map_or(0, |states| states.len());
        self.have_zeros(rows);
        lifted(self.groups.get_mut().merge(states, &self.zeros[..rows]))
    }
}
