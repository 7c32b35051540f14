//! A scan of a system relation: its rows are put together when it is opened.
//!
//! What the conditions say of key columns is handed to the relation, which then makes fewer rows; every row is tested all the
//! same. A scan that is opened again for the same keys keeps its rows.

use nqdb_sqlstate::{SqlError, SqlResult};
use nqdb_types::{Datum, Oid};

use super::expression::{Eval, Slot};
use super::operator::Pull;
use super::runtime::Runtime;
use crate::system::{Source, SystemContext, SystemRelation, SystemRows};

#[derive(Clone, Debug)]
pub(crate) struct SystemScan {
    pub relation: &'static SystemRelation,
    /// Positions of the columns that are read, and where they go.
    pub columns: Box<[usize]>,
    pub slots: Box<[Slot]>,
    /// Key columns and the values that they must equal.
    pub keys: Box<[(&'static str, Eval)]>,
    pub filter: Option<Eval>,
    /// What the rows are about, 0 where that is no question.
    pub object: Oid,
}

#[derive(Default)]
pub(crate) struct SystemScanState {
    rows: Option<Vec<Box<[Datum]>>>,
    /// What the rows were made for.
    keys: Vec<Datum>,
    bytes: usize,
    next: usize,
}

impl SystemScan {
    pub fn open(&self, state: &mut SystemScanState, rt: &mut Runtime<'_, '_>) -> SqlResult<()> {
        let keys = self.keys.iter().map(|(_, value)| value.eval(rt)).collect::<SqlResult<Vec<Datum>>>()?;
        state.next = 0;
        if state.rows.is_some() && state.keys == keys {
            return Ok(());
        }
        rt.release(std::mem::take(&mut state.bytes));
        state.rows = None;
        // Nothing equals NULL.
        let rows = if keys.iter().any(Datum::is_null) { Vec::new() } else { self.make(&keys, state, rt)? };
        state.rows = Some(rows);
        state.keys = keys;
        Ok(())
    }

    fn make(
        &self,
        keys: &[Datum],
        state: &mut SystemScanState,
        rt: &mut Runtime<'_, '_>,
    ) -> SqlResult<Vec<Box<[Datum]>>> {
        let Source::Rows { rows, .. } = self.relation.source else { return Ok(Vec::new()) };
        let catalog = rt.cx.system.catalog();
        let wanted: Vec<(&'static str, Datum)> =
            self.keys.iter().zip(keys).map(|((name, _), value)| (*name, value.clone())).collect();
        let cx = SystemContext {
            catalog: &catalog,
            functions: rt.cx.functions.session,
            session: rt.cx.system,
            wanted: &wanted,
            object: self.object,
        };
        let mut charge = |bytes: usize| {
            state.bytes += bytes;
            rt.charge(bytes)
        };
        let mut made = SystemRows::new(self.relation.oid, &self.columns, &mut charge);
        rows(&cx, &mut made)?;
        let made = made.into_rows();
        rt.count_work(u32::try_from(made.len()).unwrap_or(u32::MAX));
        Ok(made)
    }

    pub fn next(&self, id: usize, state: &mut SystemScanState, rt: &mut Runtime<'_, '_>) -> SqlResult<Pull> {
        let rows = state.rows.as_ref().ok_or_else(|| SqlError::internal("a system scan was not opened"))?;
        loop {
            if rt.slice_is_over()? {
                return Ok(Pull::Yield);
            }
            let Some(row) = rows.get(state.next) else { return Ok(Pull::End) };
            state.next += 1;
            for (slot, value) in self.slots.iter().zip(row) {
                rt.frame.slots[*slot].clone_from(value);
            }
            match &self.filter {
                Some(filter) if !filter.passes(rt)? => rt.count_filtered(id),
                _ => return Ok(Pull::Row),
            }
        }
    }
}
