//! What system columns are of: order and extremes of `tid` (its comparisons are with all others, its hashes too), equality of
//! `xid` and `cid`.

use nqdb_functions_macros::sql_function;
use nqdb_types::Tid;

use crate::Function;

pub(crate) static FUNCTIONS: &[&[Function]] =
    &[&COMPARE, &LARGER, &SMALLER, &XID_EQ, &XID_NE, &XID_EQ_INT4, &XID_NE_INT4, &CID_EQ];

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

#[sql_function("xideq(xid, xid) -> bool", oid = 68)]
fn xid_eq(a: u32, b: u32) -> bool {
    a == b
}

#[sql_function("xidneq(xid, xid) -> bool", oid = 3308)]
fn xid_ne(a: u32, b: u32) -> bool {
    a != b
}

#[sql_function("xideqint4(xid, int4) -> bool", oid = 1319)]
fn xid_eq_int4(a: u32, b: i32) -> bool {
    a == b.cast_unsigned()
}

#[sql_function("xidneqint4(xid, int4) -> bool", oid = 3309)]
fn xid_ne_int4(a: u32, b: i32) -> bool {
    a != b.cast_unsigned()
}

#[sql_function("cideq(cid, cid) -> bool", oid = 69)]
fn cid_eq(a: u32, b: u32) -> bool {
    a == b
}
