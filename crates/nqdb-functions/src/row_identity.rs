//! What system columns are of: order and extremes of `tid` (its comparisons are with all others, its hashes too), equality of
//! `cid`.

use nqdb_functions_macros::sql_function;
use nqdb_types::Tid;

use crate::Function;

pub(crate) static FUNCTIONS: &[&[Function]] = &[&COMPARE, &LARGER, &SMALLER, &CID_EQ];

#[sql_function("bttidcmp(tid, tid) -> int4", oid = 2794)]
fn compare(a: Tid, b: Tid) -> i32 {
    a.cmp(&b) as i32
}

#[sql_function("tidlarger(tid, tid) -> tid", oid = 2795)]
fn larger(a: Tid, b: Tid) -> Tid {
    a.max(b)
}

#[sql_function("tidsmaller(tid, tid) -> tid", oid = 2796)]
fn smaller(a: Tid, b: Tid) -> Tid {
    a.min(b)
}

#[sql_function("cideq(cid, cid) -> bool", oid = 69)]
fn cid_eq(a: u32, b: u32) -> bool {
    a == b
}
