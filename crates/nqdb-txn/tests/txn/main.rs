//! The transaction layer over real trees on a simulated disk.

mod bed;
mod crash;
mod basics;
mod model;
