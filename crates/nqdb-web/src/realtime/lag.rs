//! How long messages take from being published at their commit to being written to a client's socket.

use std::sync::atomic::{AtomicU64, Ordering};

/// Upper bounds, milliseconds.
pub const BOUNDS_MILLIS: [u64; 10] = [1, 2, 5, 10, 25, 50, 100, 250, 1_000, 5_000];

/// Counts batches of messages by how long they took.
#[derive(Debug, Default)]
pub struct Lag {
    within: [AtomicU64; BOUNDS_MILLIS.len()],
    count: AtomicU64,
    sum_millis: AtomicU64,
}

impl Lag {
    pub fn observe(&self, millis: u64) {
        let place = BOUNDS_MILLIS.iter().position(|bound| millis <= *bound);
        if let Some(bucket) = place.and_then(|place| self.within.get(place)) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.count.fetch_add(1, Ordering::Relaxed);
        self.sum_millis.fetch_add(millis, Ordering::Relaxed);
    }

    /// A histogram in Prometheus' text form.
    pub fn render(&self, name: &str, help: &str) -> String {
        let mut text = format!("# HELP {name} {help}\n# TYPE {name} histogram\n");
        let mut sum = 0;
        for (bound, bucket) in BOUNDS_MILLIS.iter().zip(&self.within) {
            sum += bucket.load(Ordering::Relaxed);
            text.push_str(&format!("{name}_bucket{{le=\"{}\"}} {sum}\n", *bound as f64 / 1e3));
        }
        // What was counted after its bucket was read is not to be missing here.
        let count = self.count.load(Ordering::Relaxed).max(sum);
        let seconds = self.sum_millis.load(Ordering::Relaxed) as f64 / 1e3;
        text.push_str(&format!("{name}_bucket{{le=\"+Inf\"}} {count}\n{name}_sum {seconds}\n{name}_count {count}\n"));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_cumulative() {
        let lag = Lag::default();
        [0, 1, 3, 60_000].into_iter().for_each(|millis| lag.observe(millis));
        let text = lag.render("lag", "How long.");
        for line in ["lag_bucket{le=\"0.001\"} 2", "lag_bucket{le=\"0.005\"} 3", "lag_bucket{le=\"5\"} 3"] {
            assert!(text.lines().any(|found| found == line), "{line} in {text}");
        }
        assert!(text.ends_with("lag_bucket{le=\"+Inf\"} 4\nlag_sum 60.004\nlag_count 4\n"), "{text}");
    }
}
