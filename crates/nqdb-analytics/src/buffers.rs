//! What arrays hold in memory, each buffer once: batches that were cut or taken from one another share theirs.

use std::collections::HashSet;

use arrow::array::{Array, ArrayRef};
use foldhash::fast::RandomState;

/// Buffers that are counted already.
#[derive(Debug, Default)]
pub(crate) struct Buffers(HashSet<usize, RandomState>);

impl Buffers {
    /// The bytes of an array's buffers that were not counted before.
    pub fn added_bytes(&mut self, array: &ArrayRef) -> usize {
        let data = array.to_data();
        let nulls = data.nulls().map(|nulls| nulls.buffer());
        let added =
            data.buffers().iter().chain(nulls).filter(|buffer| self.0.insert(buffer.data_ptr().as_ptr().addr()));
        added.map(|buffer| buffer.capacity()).sum()
    }

    /// As [`Buffers::added_bytes`], for several arrays.
    pub fn added_bytes_of(&mut self, arrays: &[ArrayRef]) -> usize {
        arrays.iter().map(|array| self.added_bytes(array)).sum()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Int64Array, StringViewArray};

    use super::*;

    #[test]
    fn shared_buffers_count_once() {
        let mut buffers = Buffers::default();
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..1000));
        assert!(buffers.added_bytes(&numbers) >= 8000);
        assert_eq!(buffers.added_bytes(&numbers.slice(10, 500)), 0);
        let texts: ArrayRef =
            Arc::new(StringViewArray::from_iter_values((0..100).map(|n| format!("a text of its own {n}"))));
        let first = buffers.added_bytes_of(&[texts.clone(), numbers]);
        assert!(first > 100 * 16);
        let taken = arrow::compute::take(&texts, &arrow::array::UInt64Array::from(vec![5, 7]), None).unwrap();
        assert!(buffers.added_bytes(&taken) < first / 2);
    }
}
