//! Dependencies between transactions, and cycles in them.

use std::collections::{BTreeSet, HashMap, VecDeque};

/// What one transaction owes to another that comes after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dependency {
    /// The second wrote upon what the first had written.
    Write,
    /// The second read what the first had written.
    Read,
    /// The second overwrote what the first had read.
    Anti,
}

/// Transactions by number, and what each owes to the others.
#[derive(Debug, Default)]
pub struct Graph {
    edges: BTreeSet<(usize, usize, Dependency)>,
}

impl Graph {
    /// `second` depends on `first`.
    pub fn add(&mut self, first: usize, second: usize, dependency: Dependency) {
        if first != second {
            self.edges.insert((first, second, dependency));
        }
    }

    /// A shortest cycle of dependencies that are not anti-dependencies, if there is one.
    pub fn cycle_without_anti(&self) -> Option<Vec<usize>> {
        let next = self.neighbours(false);
        self.edges
            .iter()
            .filter(|(_, _, dependency)| *dependency != Dependency::Anti)
            .find_map(|(first, second, _)| closed(*first, path(&next, *second, *first)?))
    }

    /// A cycle in which a single dependency is an anti-dependency.
    pub fn cycle_with_one_anti(&self) -> Option<Vec<usize>> {
        self.anti_cycle(&self.neighbours(false))
    }

    /// A cycle with any number of anti-dependencies, one at least.
    pub fn cycle_with_anti(&self) -> Option<Vec<usize>> {
        self.anti_cycle(&self.neighbours(true))
    }

    fn anti_cycle(&self, next: &HashMap<usize, Vec<usize>>) -> Option<Vec<usize>> {
        self.edges
            .iter()
            .filter(|(_, _, dependency)| *dependency == Dependency::Anti)
            .find_map(|(first, second, _)| closed(*first, path(next, *second, *first)?))
    }

    fn neighbours(&self, with_anti: bool) -> HashMap<usize, Vec<usize>> {
        let mut next: HashMap<usize, Vec<usize>> = HashMap::new();
        for (first, second, dependency) in &self.edges {
            if with_anti || *dependency != Dependency::Anti {
                next.entry(*first).or_default().push(*second);
            }
        }
        next
    }
}

/// The cycle that a dependency of `first` makes with a path back to it.
fn closed(first: usize, mut path: Vec<usize>) -> Option<Vec<usize>> {
    path.insert(0, first);
    Some(path)
}

/// The nodes of a shortest path, both ends included.
fn path(next: &HashMap<usize, Vec<usize>>, from: usize, to: usize) -> Option<Vec<usize>> {
    let mut came_from: HashMap<usize, usize> = HashMap::new();
    let mut waiting = VecDeque::from([from]);
    while let Some(node) = waiting.pop_front() {
        if node == to {
            let mut nodes = vec![to];
            let mut at = to;
            while at != from {
                at = came_from[&at];
                nodes.insert(0, at);
            }
            return Some(nodes);
        }
        for &neighbour in next.get(&node).into_iter().flatten() {
            if neighbour != from && !came_from.contains_key(&neighbour) {
                came_from.insert(neighbour, node);
                waiting.push_back(neighbour);
            }
        }
    }
    None
}
