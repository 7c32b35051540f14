//! Benches that need other engines as dependencies, kept out of the crates they measure. Nothing here is part of the
//! program: see `benches/`.
