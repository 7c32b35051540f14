//! The transaction layer over real trees on a simulated disk.

mod anomalies;
mod basics;
mod bed;
mod crash;
mod histories;
mod limits;
mod model;
mod prepared;
mod serializable;
mod threads;
