//! COPY between a table, or a query, and the client or a file of the server.
//!
//! | file | what it does |
//! |---|---|
//! | `lines`, `tuples` | input bytes into rows of fields: text and csv, binary |
//! | `input` | COPY FROM: fields into rows of the table |
//! | `output` | COPY TO: rows into lines, or into the binary format |
//! | `target` | names of tables and columns, as COPY reports them |
//!
//! Bytes come in and go out through the session, which knows clients and files. Programs are refused before this: 0A000.

mod input;
mod lines;
mod output;
mod target;
mod tuples;

pub use input::{CopyIn, CopyInPlan, plan_copy_in};
pub use output::{CopyOut, CopyOutPlan, plan_copy_out};

pub(crate) use input::CopyTargetPlan;
