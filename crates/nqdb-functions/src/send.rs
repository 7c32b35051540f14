//! The send functions of types: a value as the bytes that the binary format of the protocol has for it.

use nqdb_sqlstate::SqlResult;
use nqdb_types::oid::*;
use nqdb_types::{Datum, Oid, Type, write_binary};

use crate::Volatility::{self, Immutable, Stable};
use crate::{Function, FunctionContext};

pub(crate) static FUNCTIONS: &[&[Function]] = &[SENDERS];

/// The arguments of the send function of a type.
struct Arguments<const TYPE: Oid>;

impl<const TYPE: Oid> Arguments<TYPE> {
    const LIST: &'static [Oid] = &[TYPE];
}

const fn sender<const TYPE: Oid>(oid: Oid, name: &'static str, volatility: Volatility) -> Function {
    Function {
        oid,
        name,
        args: Arguments::<TYPE>::LIST,
        arg_names: &[],
        defaults: &[],
        variadic: false,
        returns: BYTEA,
        strict: true,
        volatility,
        set_returning: false,
        columns: &[],
        eval: send::<TYPE>,
        rows: None,
        records: None,
    }
}

fn send<const TYPE: Oid>(context: &mut FunctionContext<'_>, arguments: &[Datum]) -> SqlResult<Datum> {
    let [value] = arguments else { return Err(crate::argument::wrong_count("send")) };
    if value.is_null() {
        return Ok(Datum::Null);
    }
    let mut bytes = Vec::new();
    write_binary(&mut bytes, value, Type::new(TYPE), context.format);
    Ok(Datum::bytea(bytes))
}

#[rustfmt::skip]
static SENDERS: &[Function] = &[
    sender::<JSON>(324, "json_send", Immutable),
    sender::<INT2>(2405, "int2send", Immutable),
    sender::<INT4>(2407, "int4send", Immutable),
    sender::<INT8>(2409, "int8send", Immutable),
    sender::<INT2VECTOR>(2411, "int2vectorsend", Immutable),
    sender::<BYTEA>(2413, "byteasend", Immutable),
    sender::<TEXT>(2415, "textsend", Stable),
    sender::<OID>(2419, "oidsend", Immutable),
    sender::<OIDVECTOR>(2421, "oidvectorsend", Immutable),
    sender::<NAME>(2423, "namesend", Stable),
    sender::<FLOAT4>(2425, "float4send", Immutable),
    sender::<FLOAT8>(2427, "float8send", Immutable),
    sender::<BPCHAR>(2431, "bpcharsend", Stable),
    sender::<VARCHAR>(2433, "varcharsend", Stable),
    sender::<CHAR_INTERNAL>(2435, "charsend", Immutable),
    sender::<BOOL>(2437, "boolsend", Immutable),
    sender::<XID>(2441, "xidsend", Immutable),
    sender::<CID>(2443, "cidsend", Immutable),
    sender::<REGPROC>(2445, "regprocsend", Immutable),
    sender::<REGPROCEDURE>(2447, "regproceduresend", Immutable),
    sender::<REGOPER>(2449, "regopersend", Immutable),
    sender::<REGOPERATOR>(2451, "regoperatorsend", Immutable),
    sender::<REGCLASS>(2453, "regclasssend", Immutable),
    sender::<REGTYPE>(2455, "regtypesend", Immutable),
    sender::<BIT>(2457, "bit_send", Immutable),
    sender::<VARBIT>(2459, "varbit_send", Immutable),
    sender::<NUMERIC>(2461, "numeric_send", Immutable),
    sender::<DATE>(2469, "date_send", Immutable),
    sender::<TIME>(2471, "time_send", Immutable),
    sender::<TIMETZ>(2473, "timetz_send", Immutable),
    sender::<TIMESTAMP>(2475, "timestamp_send", Immutable),
    sender::<TIMESTAMPTZ>(2477, "timestamptz_send", Immutable),
    sender::<INTERVAL>(2479, "interval_send", Immutable),
    sender::<TXID_SNAPSHOT>(2942, "txid_snapshot_send", Immutable),
    sender::<UUID>(2962, "uuid_send", Immutable),
    sender::<PG_LSN>(3239, "pg_lsn_send", Immutable),
    sender::<REGCONFIG>(3739, "regconfigsend", Immutable),
    sender::<REGDICTIONARY>(3774, "regdictionarysend", Immutable),
    sender::<JSONB>(3803, "jsonb_send", Immutable),
    sender::<JSONPATH>(4004, "jsonpath_send", Immutable),
    sender::<REGNAMESPACE>(4088, "regnamespacesend", Immutable),
    sender::<REGROLE>(4095, "regrolesend", Immutable),
    sender::<REGCOLLATION>(4197, "regcollationsend", Immutable),
    sender::<PG_SNAPSHOT>(5058, "pg_snapshot_send", Immutable),
    sender::<XID8>(5083, "xid8send", Immutable),
];
