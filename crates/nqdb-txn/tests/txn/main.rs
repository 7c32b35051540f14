//! The transaction layer over real trees on a simulated disk.

mod bed;
mod basics;
mod model;
