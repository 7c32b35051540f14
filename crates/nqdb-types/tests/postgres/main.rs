//! The same expression on PostgreSQL 15 and here: texts, SQLSTATEs and messages must agree.

mod dates;
mod intervals;
mod numbers;
mod oracle;
mod spellings;
