//! The peer groups of a partition: rows that its order does not tell apart.

/// The rows of a partition by their groups.
#[derive(Default)]
pub struct Peers {
    /// The group of each row, and the first row of each group.
    group_of: Vec<usize>,
    group_starts: Vec<usize>,
}

impl Peers {
    /// Adds a row, which is a peer of the one before it or not.
    pub fn push(&mut self, is_peer: bool) {
        if !is_peer || self.group_starts.is_empty() {
            self.group_starts.push(self.group_of.len());
        }
        self.group_of.push(self.group_starts.len() - 1);
    }

    pub fn clear(&mut self) {
        self.group_of.clear();
        self.group_starts.clear();
    }

    /// How many rows the partition has.
    pub fn rows(&self) -> usize {
        self.group_of.len()
    }

    pub fn is_empty(&self) -> bool {
        self.group_of.is_empty()
    }

    /// How many groups there are.
    pub fn groups(&self) -> usize {
        self.group_starts.len()
    }

    /// The number of a row's group.
    pub fn number(&self, row: usize) -> usize {
        self.group_of.get(row).copied().unwrap_or(0)
    }

    /// The rows of a group: the first, and the one behind the last.
    pub fn group(&self, number: usize) -> (usize, usize) {
        let start = self.group_starts.get(number).copied().unwrap_or(self.rows());
        let end = self.group_starts.get(number + 1).copied().unwrap_or(self.rows());
        (start, end)
    }

    /// The row's peers: the first, and the row behind the last.
    pub fn of(&self, row: usize) -> (usize, usize) {
        self.group(self.number(row))
    }
}
