//! Sequences. The session does the work; a text argument in SQL is a regclass literal.

use nqdb_functions_macros::sql_function;
use nqdb_sqlstate::SqlResult;

use crate::{Function, FunctionContext};

pub(crate) static FUNCTIONS: &[&[Function]] = &[&NEXTVAL, &CURRVAL, &LASTVAL, &SETVAL, &SETVAL_CALLED];

#[sql_function("nextval(regclass) -> int8", oid = 1574, volatile)]
fn nextval(context: &mut FunctionContext<'_>, sequence: u32) -> SqlResult<i64> {
    context.session.nextval(sequence)
}

#[sql_function("currval(regclass) -> int8", oid = 1575, volatile)]
fn currval(context: &mut FunctionContext<'_>, sequence: u32) -> SqlResult<i64> {
    context.session.currval(sequence)
}

#[sql_function("lastval() -> int8", oid = 2559, volatile)]
fn lastval(context: &mut FunctionContext<'_>) -> SqlResult<i64> {
    context.session.lastval()
}

#[sql_function("setval(regclass, int8) -> int8", oid = 1576, volatile)]
fn setval(context: &mut FunctionContext<'_>, sequence: u32, value: i64) -> SqlResult<i64> {
    context.session.setval(sequence, value, true)
}

#[sql_function("setval(regclass, int8, bool) -> int8", oid = 1765, volatile)]
fn setval_called(context: &mut FunctionContext<'_>, sequence: u32, value: i64, is_called: bool) -> SqlResult<i64> {
    context.session.setval(sequence, value, is_called)
}
