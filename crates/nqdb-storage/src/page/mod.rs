//! Pages: their bytes, the layout of tree pages, and the operations that change them.

pub mod buf;
pub mod change;
pub mod check;
pub mod layout;
pub mod op;
pub mod redo;

pub use buf::{PageBuf, PageType};
pub use change::{Builder, Shape};
pub use layout::{ENTRY_LEN_MAX, Entry, KEY_LEN_MAX, LeafInfo, Node, RUN_LEN_MAX, USABLE_LEN};
pub use op::PageOp;

#[cfg(test)]
mod tests;
