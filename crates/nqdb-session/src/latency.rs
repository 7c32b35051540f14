//! How long requests take: a histogram that sessions add to without waiting for each other.
//!
//! Two buckets for each doubling, from 16 µs to a minute: bounds of 16, 24, 32, 48, 64 µs and so on. A quantile that is read
//! from it is right within a quarter.

use std::sync::atomic::{AtomicU64, Ordering};

/// The exponent of the first bound: 2^4 µs.
const FIRST_EXPONENT: u32 = 4;
/// Bounds; above the last one there is one more bucket.
const BOUND_COUNT: usize = 45;

/// Durations by their length.
#[derive(Debug)]
pub struct Latency {
    buckets: [AtomicU64; BOUND_COUNT + 1],
    sum_micros: AtomicU64,
}

impl Default for Latency {
    fn default() -> Latency {
        Latency { buckets: [const { AtomicU64::new(0) }; BOUND_COUNT + 1], sum_micros: AtomicU64::new(0) }
    }
}

/// The greatest duration of a bucket, µs.
fn bound_micros(at: usize) -> u64 {
    let base = 1u64 << (FIRST_EXPONENT as usize + at / 2);
    if at.is_multiple_of(2) { base } else { base + base / 2 }
}

/// The bucket of a duration.
fn bucket_of(micros: u64) -> usize {
    let Some(below) = micros.checked_sub(1).filter(|below| below >> FIRST_EXPONENT > 0) else { return 0 };
    let exponent = below.ilog2();
    let is_upper_half = below >> (exponent - 1) & 1 == 1;
    let at = 2 * (exponent - FIRST_EXPONENT) as usize + 1 + usize::from(is_upper_half);
    at.min(BOUND_COUNT)
}

impl Latency {
    pub fn add(&self, micros: u64) {
        if let Some(bucket) = self.buckets.get(bucket_of(micros)) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.sum_micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// The upper bound of each bucket in seconds, with how many were not longer; the last bound is infinite.
    pub fn cumulative(&self) -> Vec<(f64, u64)> {
        let mut count = 0;
        let counted = self.buckets.iter().enumerate().map(|(at, bucket)| {
            count += bucket.load(Ordering::Relaxed);
            let bound = if at < BOUND_COUNT { bound_micros(at) as f64 / 1e6 } else { f64::INFINITY };
            (bound, count)
        });
        counted.collect()
    }

    pub fn sum_seconds(&self) -> f64 {
        self.sum_micros.load(Ordering::Relaxed) as f64 / 1e6
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_duration_is_in_the_first_bucket_that_is_long_enough() {
        for micros in (0..5_000).chain([1 << 20, (1 << 20) + 1, 3 << 20, u64::MAX]) {
            let at = bucket_of(micros);
            assert!(at == BOUND_COUNT || micros <= bound_micros(at), "{micros}");
            assert!(at == 0 || micros > bound_micros(at - 1), "{micros}");
        }
    }

    #[test]
    fn counts_add_up() {
        let latency = Latency::default();
        [10, 20, 20, 5_000_000, u64::from(u32::MAX)].into_iter().for_each(|micros| latency.add(micros));
        let counts = latency.cumulative();
        assert_eq!(counts.first(), Some(&(16e-6, 1)));
        assert_eq!(counts.get(1), Some(&(24e-6, 3)));
        assert_eq!(counts.last(), Some(&(f64::INFINITY, 5)));
        assert!(counts.is_sorted_by_key(|(bound, _)| *bound) && counts.is_sorted_by_key(|(_, count)| *count));
    }
}
