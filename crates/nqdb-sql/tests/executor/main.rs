//! Statements from their text to their rows: binder, planner and executor over a database on a simulated disk.

mod bed;
mod concurrency;
mod copying;
mod defining;
mod explaining;
mod indexes;
mod planning;
mod reading;
mod rewriting;
mod spilling;
mod writing;
