//! COPY between a table, or a query, and the client.
//!
//! | file | what it does |
//! |---|---|
//! | `lines` | input bytes into rows of fields: text and csv |
//! | `input` | COPY FROM STDIN: fields into rows of the table |
//! | `output` | COPY TO STDOUT: rows into lines |
//! | `target` | names of tables and columns, as COPY reports them |
//!
//! Format text and csv with all their options. Binary, files and programs are refused before this: 0A000.

mod input;
mod lines;
mod output;
mod target;

pub use input::{CopyIn, CopyInPlan, plan_copy_in};
pub use output::{CopyOut, CopyOutPlan, plan_copy_out};

pub(crate) use input::CopyTargetPlan;

use nqdb_sqlstate::{SqlError, SqlResult};

use crate::statement::{CopyFormat, CopyOptions};

/// 0A000 for the format that is not there.
fn refuse_binary(options: &CopyOptions) -> SqlResult<()> {
    match options.format {
        CopyFormat::Binary => Err(SqlError::unsupported("COPY in binary format")),
        CopyFormat::Text | CopyFormat::Csv => Ok(()),
    }
}
