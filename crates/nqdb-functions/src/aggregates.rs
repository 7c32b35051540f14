//! The aggregates: their rows of `pg_aggregate` and, in the modules below, their states.
//!
//! A state takes in one row at a time and skips NULLs as PostgreSQL's does. Results have PostgreSQL's types:
//! `sum(int4)` is int8, `sum(int8)` and `avg` of integers are numeric.

mod array;
mod average;
mod bits;
mod boolean;
mod concatenation;
mod count;
mod extreme;
mod json;
mod regression;
mod sum;
mod variance;

use nqdb_sqlstate::{SqlError, SqlResult};
use nqdb_types::Datum;
use nqdb_types::oid::*;

use crate::ordered_set::OrderedSetKind;
use crate::{Accumulator, Aggregate};

/// The value of an aggregate with one argument; `None` for NULL.
fn argument(args: &[Datum]) -> SqlResult<Option<&Datum>> {
    match args.first() {
        Some(Datum::Null) => Ok(None),
        Some(value) => Ok(Some(value)),
        None => Err(SqlError::internal("an aggregate was called without its argument")),
    }
}

/// An argument of a type that the aggregate was not resolved for: a fault of the binder.
#[cold]
fn wrong_type(datum: &Datum) -> SqlError {
    SqlError::internal(format!("an aggregate cannot take {datum:?}"))
}

macro_rules! aggregates {
    ($($oid:literal $name:literal ($($arg:ident),*) $returns:ident $takes_star:literal $state:expr;)*) => {
        &[$(Aggregate {
            oid: $oid,
            name: $name,
            args: &[$($arg),*],
            returns: $returns,
            takes_star: $takes_star,
            variadic: false,
            ordered_set: None,
            state: $state,
        }),*]
    };
}

macro_rules! ordered_sets {
    ($($oid:literal $name:literal ($($arg:ident),*) $returns:ident $variadic:literal $kind:ident;)*) => {
        &[$(Aggregate {
            oid: $oid,
            name: $name,
            args: &[$($arg),*],
            returns: $returns,
            takes_star: false,
            variadic: $variadic,
            ordered_set: Some(OrderedSetKind::$kind),
            state: || Box::new(NoState),
        }),*]
    };
}

/// OID, name, arguments (the direct ones first), result, whether the last argument is repeated, kind.
#[rustfmt::skip]
pub(crate) static ORDERED_SETS: &[Aggregate] = ordered_sets! {
    3972 "percentile_disc" (FLOAT8, ANYELEMENT) ANYELEMENT false PercentileDisc;
    3974 "percentile_cont" (FLOAT8, FLOAT8) FLOAT8 false PercentileCont;
    3976 "percentile_cont" (FLOAT8, INTERVAL) INTERVAL false PercentileCont;
    3978 "percentile_disc" (FLOAT8_ARRAY, ANYELEMENT) ANYARRAY false PercentileDisc;
    3980 "percentile_cont" (FLOAT8_ARRAY, FLOAT8) FLOAT8_ARRAY false PercentileCont;
    3982 "percentile_cont" (FLOAT8_ARRAY, INTERVAL) INTERVAL_ARRAY false PercentileCont;
    3984 "mode" (ANYELEMENT) ANYELEMENT false Mode;
    3986 "rank" (ANY) INT8 true Rank;
    3988 "percent_rank" (ANY) FLOAT8 true PercentRank;
    3990 "cume_dist" (ANY) FLOAT8 true CumeDist;
    3992 "dense_rank" (ANY) INT8 true DenseRank;
};

/// What stands where an ordered-set aggregate has no state.
struct NoState;

impl Accumulator for NoState {
    fn accumulate(&mut self, _args: &[Datum]) -> SqlResult<()> {
        Err(SqlError::internal("an ordered-set aggregate takes sorted rows"))
    }

    fn finish(&mut self) -> SqlResult<Datum> {
        Err(SqlError::internal("an ordered-set aggregate takes sorted rows"))
    }

    fn size_bytes(&self) -> usize {
        0
    }
}

/// OID, name, arguments, result, whether it is the form with `*`, state.
#[rustfmt::skip]
pub(crate) static AGGREGATES: &[Aggregate] = aggregates! {
    2803 "count" () INT8 true count::rows;
    2147 "count" (ANY) INT8 false count::values;
    2109 "sum" (INT2) INT8 false sum::integers;
    2108 "sum" (INT4) INT8 false sum::integers;
    2107 "sum" (INT8) NUMERIC false sum::wide_integers;
    2114 "sum" (NUMERIC) NUMERIC false sum::numerics;
    2110 "sum" (FLOAT4) FLOAT4 false sum::floats::<f32>;
    2111 "sum" (FLOAT8) FLOAT8 false sum::floats::<f64>;
    2113 "sum" (INTERVAL) INTERVAL false sum::intervals;
    2102 "avg" (INT2) NUMERIC false average::integers;
    2101 "avg" (INT4) NUMERIC false average::integers;
    2100 "avg" (INT8) NUMERIC false average::integers;
    2103 "avg" (NUMERIC) NUMERIC false average::numerics;
    2104 "avg" (FLOAT4) FLOAT8 false average::floats;
    2105 "avg" (FLOAT8) FLOAT8 false average::floats;
    2106 "avg" (INTERVAL) INTERVAL false average::intervals;
    2117 "max" (INT2) INT2 false extreme::state::<true, { INT2 }>;
    2116 "max" (INT4) INT4 false extreme::state::<true, { INT4 }>;
    2115 "max" (INT8) INT8 false extreme::state::<true, { INT8 }>;
    2118 "max" (OID) OID false extreme::state::<true, { OID }>;
    2119 "max" (FLOAT4) FLOAT4 false extreme::state::<true, { FLOAT4 }>;
    2120 "max" (FLOAT8) FLOAT8 false extreme::state::<true, { FLOAT8 }>;
    2130 "max" (NUMERIC) NUMERIC false extreme::state::<true, { NUMERIC }>;
    2129 "max" (TEXT) TEXT false extreme::state::<true, { TEXT }>;
    2244 "max" (BPCHAR) BPCHAR false extreme::state::<true, { BPCHAR }>;
    2122 "max" (DATE) DATE false extreme::state::<true, { DATE }>;
    2123 "max" (TIME) TIME false extreme::state::<true, { TIME }>;
    2797 "max" (TID) TID false extreme::state::<true, { TID }>;
    2798 "min" (TID) TID false extreme::state::<false, { TID }>;
    2124 "max" (TIMETZ) TIMETZ false extreme::state::<true, { TIMETZ }>;
    2140 "min" (TIMETZ) TIMETZ false extreme::state::<false, { TIMETZ }>;
    2126 "max" (TIMESTAMP) TIMESTAMP false extreme::state::<true, { TIMESTAMP }>;
    2127 "max" (TIMESTAMPTZ) TIMESTAMPTZ false extreme::state::<true, { TIMESTAMPTZ }>;
    2128 "max" (INTERVAL) INTERVAL false extreme::state::<true, { INTERVAL }>;
    4189 "max" (PG_LSN) PG_LSN false extreme::state::<true, { PG_LSN }>;
    4190 "min" (PG_LSN) PG_LSN false extreme::state::<false, { PG_LSN }>;
    5099 "max" (XID8) XID8 false extreme::state::<true, { XID8 }>;
    5100 "min" (XID8) XID8 false extreme::state::<false, { XID8 }>;
    2133 "min" (INT2) INT2 false extreme::state::<false, { INT2 }>;
    2132 "min" (INT4) INT4 false extreme::state::<false, { INT4 }>;
    2131 "min" (INT8) INT8 false extreme::state::<false, { INT8 }>;
    2134 "min" (OID) OID false extreme::state::<false, { OID }>;
    2135 "min" (FLOAT4) FLOAT4 false extreme::state::<false, { FLOAT4 }>;
    2136 "min" (FLOAT8) FLOAT8 false extreme::state::<false, { FLOAT8 }>;
    2146 "min" (NUMERIC) NUMERIC false extreme::state::<false, { NUMERIC }>;
    2145 "min" (TEXT) TEXT false extreme::state::<false, { TEXT }>;
    2245 "min" (BPCHAR) BPCHAR false extreme::state::<false, { BPCHAR }>;
    2138 "min" (DATE) DATE false extreme::state::<false, { DATE }>;
    2139 "min" (TIME) TIME false extreme::state::<false, { TIME }>;
    2142 "min" (TIMESTAMP) TIMESTAMP false extreme::state::<false, { TIMESTAMP }>;
    2143 "min" (TIMESTAMPTZ) TIMESTAMPTZ false extreme::state::<false, { TIMESTAMPTZ }>;
    2050 "max" (ANYARRAY) ANYARRAY false extreme::state::<true, { ANYARRAY }>;
    2051 "min" (ANYARRAY) ANYARRAY false extreme::state::<false, { ANYARRAY }>;
    3526 "max" (ANYENUM) ANYENUM false extreme::state::<true, { ANYENUM }>;
    3527 "min" (ANYENUM) ANYENUM false extreme::state::<false, { ANYENUM }>;
    3175 "json_agg" (ANYELEMENT) JSON false json::array;
    3267 "jsonb_agg" (ANYELEMENT) JSONB false json::array_b;
    3197 "json_object_agg" (ANY, ANY) JSON false json::object;
    3270 "jsonb_object_agg" (ANY, ANY) JSONB false json::object_b;
    2335 "array_agg" (ANYNONARRAY) ANYARRAY false array::elements;
    4053 "array_agg" (ANYARRAY) ANYARRAY false array::arrays;
    2144 "min" (INTERVAL) INTERVAL false extreme::state::<false, { INTERVAL }>;
    2517 "bool_and" (BOOL) BOOL false boolean::state::<true>;
    2519 "every" (BOOL) BOOL false boolean::state::<true>;
    2518 "bool_or" (BOOL) BOOL false boolean::state::<false>;
    2236 "bit_and" (INT2) INT2 false bits::and;
    2237 "bit_or" (INT2) INT2 false bits::or;
    6164 "bit_xor" (INT2) INT2 false bits::xor;
    2238 "bit_and" (INT4) INT4 false bits::and;
    2239 "bit_or" (INT4) INT4 false bits::or;
    6165 "bit_xor" (INT4) INT4 false bits::xor;
    2242 "bit_and" (BIT) BIT false bits::and;
    2243 "bit_or" (BIT) BIT false bits::or;
    6167 "bit_xor" (BIT) BIT false bits::xor;
    2240 "bit_and" (INT8) INT8 false bits::and;
    2241 "bit_or" (INT8) INT8 false bits::or;
    6166 "bit_xor" (INT8) INT8 false bits::xor;
    3538 "string_agg" (TEXT, TEXT) TEXT false concatenation::text;
    3545 "string_agg" (BYTEA, BYTEA) BYTEA false concatenation::bytea;
    2818 "regr_count" (FLOAT8, FLOAT8) INT8 false regression::count;
    2819 "regr_sxx" (FLOAT8, FLOAT8) FLOAT8 false regression::sum_of_squares_x;
    2820 "regr_syy" (FLOAT8, FLOAT8) FLOAT8 false regression::sum_of_squares_y;
    2821 "regr_sxy" (FLOAT8, FLOAT8) FLOAT8 false regression::sum_of_products;
    2822 "regr_avgx" (FLOAT8, FLOAT8) FLOAT8 false regression::mean_x;
    2823 "regr_avgy" (FLOAT8, FLOAT8) FLOAT8 false regression::mean_y;
    2824 "regr_r2" (FLOAT8, FLOAT8) FLOAT8 false regression::determination;
    2825 "regr_slope" (FLOAT8, FLOAT8) FLOAT8 false regression::slope;
    2826 "regr_intercept" (FLOAT8, FLOAT8) FLOAT8 false regression::intercept;
    2827 "covar_pop" (FLOAT8, FLOAT8) FLOAT8 false regression::population_covariance;
    2828 "covar_samp" (FLOAT8, FLOAT8) FLOAT8 false regression::sample_covariance;
    2829 "corr" (FLOAT8, FLOAT8) FLOAT8 false regression::correlation;
    2720 "var_pop" (INT2) NUMERIC false variance::exact::<{ variance::POPULATION_VARIANCE }>;
    2719 "var_pop" (INT4) NUMERIC false variance::exact::<{ variance::POPULATION_VARIANCE }>;
    2718 "var_pop" (INT8) NUMERIC false variance::exact::<{ variance::POPULATION_VARIANCE }>;
    2723 "var_pop" (NUMERIC) NUMERIC false variance::exact::<{ variance::POPULATION_VARIANCE }>;
    2721 "var_pop" (FLOAT4) FLOAT8 false variance::floating::<{ variance::POPULATION_VARIANCE }>;
    2722 "var_pop" (FLOAT8) FLOAT8 false variance::floating::<{ variance::POPULATION_VARIANCE }>;
    2643 "var_samp" (INT2) NUMERIC false variance::exact::<{ variance::SAMPLE_VARIANCE }>;
    2642 "var_samp" (INT4) NUMERIC false variance::exact::<{ variance::SAMPLE_VARIANCE }>;
    2641 "var_samp" (INT8) NUMERIC false variance::exact::<{ variance::SAMPLE_VARIANCE }>;
    2646 "var_samp" (NUMERIC) NUMERIC false variance::exact::<{ variance::SAMPLE_VARIANCE }>;
    2644 "var_samp" (FLOAT4) FLOAT8 false variance::floating::<{ variance::SAMPLE_VARIANCE }>;
    2645 "var_samp" (FLOAT8) FLOAT8 false variance::floating::<{ variance::SAMPLE_VARIANCE }>;
    2150 "variance" (INT2) NUMERIC false variance::exact::<{ variance::SAMPLE_VARIANCE }>;
    2149 "variance" (INT4) NUMERIC false variance::exact::<{ variance::SAMPLE_VARIANCE }>;
    2148 "variance" (INT8) NUMERIC false variance::exact::<{ variance::SAMPLE_VARIANCE }>;
    2153 "variance" (NUMERIC) NUMERIC false variance::exact::<{ variance::SAMPLE_VARIANCE }>;
    2151 "variance" (FLOAT4) FLOAT8 false variance::floating::<{ variance::SAMPLE_VARIANCE }>;
    2152 "variance" (FLOAT8) FLOAT8 false variance::floating::<{ variance::SAMPLE_VARIANCE }>;
    2726 "stddev_pop" (INT2) NUMERIC false variance::exact::<{ variance::POPULATION_DEVIATION }>;
    2725 "stddev_pop" (INT4) NUMERIC false variance::exact::<{ variance::POPULATION_DEVIATION }>;
    2724 "stddev_pop" (INT8) NUMERIC false variance::exact::<{ variance::POPULATION_DEVIATION }>;
    2729 "stddev_pop" (NUMERIC) NUMERIC false variance::exact::<{ variance::POPULATION_DEVIATION }>;
    2727 "stddev_pop" (FLOAT4) FLOAT8 false variance::floating::<{ variance::POPULATION_DEVIATION }>;
    2728 "stddev_pop" (FLOAT8) FLOAT8 false variance::floating::<{ variance::POPULATION_DEVIATION }>;
    2714 "stddev_samp" (INT2) NUMERIC false variance::exact::<{ variance::SAMPLE_DEVIATION }>;
    2713 "stddev_samp" (INT4) NUMERIC false variance::exact::<{ variance::SAMPLE_DEVIATION }>;
    2712 "stddev_samp" (INT8) NUMERIC false variance::exact::<{ variance::SAMPLE_DEVIATION }>;
    2717 "stddev_samp" (NUMERIC) NUMERIC false variance::exact::<{ variance::SAMPLE_DEVIATION }>;
    2715 "stddev_samp" (FLOAT4) FLOAT8 false variance::floating::<{ variance::SAMPLE_DEVIATION }>;
    2716 "stddev_samp" (FLOAT8) FLOAT8 false variance::floating::<{ variance::SAMPLE_DEVIATION }>;
    2156 "stddev" (INT2) NUMERIC false variance::exact::<{ variance::SAMPLE_DEVIATION }>;
    2155 "stddev" (INT4) NUMERIC false variance::exact::<{ variance::SAMPLE_DEVIATION }>;
    2154 "stddev" (INT8) NUMERIC false variance::exact::<{ variance::SAMPLE_DEVIATION }>;
    2159 "stddev" (NUMERIC) NUMERIC false variance::exact::<{ variance::SAMPLE_DEVIATION }>;
    2157 "stddev" (FLOAT4) FLOAT8 false variance::floating::<{ variance::SAMPLE_DEVIATION }>;
    2158 "stddev" (FLOAT8) FLOAT8 false variance::floating::<{ variance::SAMPLE_DEVIATION }>;
};
