//! Each row of the registry is a row of PostgreSQL 15's catalog.

mod reference;

use std::collections::HashMap;

use nqdb_functions::{CastContext, Strategy, Volatility, all_aggregates, all_functions, all_operators, casts};
use reference::Reference;

type Rows = HashMap<String, Vec<Option<String>>>;

fn by_first_field(rows: Vec<Vec<Option<String>>>) -> Rows {
    rows.into_iter().map(|row| (row[0].clone().expect("a key"), row)).collect()
}

fn numbers(oids: &[u32]) -> String {
    oids.iter().map(u32::to_string).collect::<Vec<_>>().join(" ")
}

#[test]
fn every_row_is_postgresqls() {
    let reference = Reference::start("registry");
    let mut wrong = Vec::new();
    check_functions(&reference, &mut wrong);
    check_operators(&reference, &mut wrong);
    check_casts(&reference, &mut wrong);
    assert!(wrong.is_empty(), "{} rows differ:\n{}", wrong.len(), wrong.join("\n"));
}

fn check_functions(reference: &Reference, wrong: &mut Vec<String>) {
    let rows = by_first_field(reference.rows(
        "COPY (SELECT oid, proname, proargtypes, prorettype, provolatile, proisstrict, proretset, provariadic <> 0, \
         pronargdefaults, prokind FROM pg_proc) TO STDOUT;\n",
    ));
    let mut seen = std::collections::HashSet::new();
    for function in all_functions().filter(|function| !function.name.starts_with("nqdb_")) {
        assert!(seen.insert(function.oid), "OID {} appears twice", function.oid);
        let volatility = match function.volatility {
            Volatility::Immutable => "i",
            Volatility::Stable => "s",
            Volatility::Volatile => "v",
        };
        let flag = |value: bool| if value { "t" } else { "f" }.to_string();
        let ours = [
            function.oid.to_string(),
            function.name.rsplit('.').next().unwrap_or_default().to_string(),
            numbers(function.args),
            function.returns.to_string(),
            volatility.to_string(),
            flag(function.strict),
            flag(function.set_returning),
            flag(function.variadic),
            function.defaults.len().to_string(),
            "f".to_string(),
        ];
        compare(&rows, &ours, wrong);
    }
    for aggregate in all_aggregates() {
        let row = &rows[&aggregate.oid.to_string()];
        let ours =
            [aggregate.name.to_string(), numbers(aggregate.args), aggregate.returns.to_string(), "a".to_string()];
        let theirs = [1, 2, 3, 9].map(|index| row[index].clone().expect("not NULL"));
        if ours != theirs {
            wrong.push(format!("aggregate {ours:?}, PostgreSQL {theirs:?}"));
        }
    }
}

fn compare(rows: &Rows, ours: &[String], wrong: &mut Vec<String>) {
    match rows.get(&ours[0]) {
        None => wrong.push(format!("{ours:?} is not in PostgreSQL")),
        Some(theirs) => {
            let theirs: Vec<String> = theirs.iter().map(|field| field.clone().unwrap_or_default()).collect();
            if theirs != ours {
                wrong.push(format!("ours {ours:?}\n  PostgreSQL {theirs:?}"));
            }
        }
    }
}

fn check_operators(reference: &Reference, wrong: &mut Vec<String>) {
    let rows = by_first_field(reference.rows(
        "COPY (SELECT o.oid, oprname, oprleft, oprright, oprcode::oid, oprresult, \
         coalesce((SELECT c.oprname FROM pg_operator c WHERE c.oid = o.oprcom), ''), \
         coalesce((SELECT c.oprname FROM pg_operator c WHERE c.oid = o.oprnegate), ''), \
         coalesce((SELECT amopstrategy FROM pg_amop a JOIN pg_opfamily f ON f.oid = amopfamily WHERE amopopr = o.oid \
         AND amopmethod = 403 AND opfname NOT LIKE '%pattern%' AND opfname <> 'record_image_ops' LIMIT 1), 0) FROM pg_operator o) TO STDOUT;\n",
    ));
    let mut count = 0;
    for operator in all_operators() {
        count += 1;
        let strategy = match operator.strategy {
            None => 0,
            Some(Strategy::Lt) => 1,
            Some(Strategy::Le) => 2,
            Some(Strategy::Eq) => 3,
            Some(Strategy::Ge) => 4,
            Some(Strategy::Gt) => 5,
        };
        let ours = [
            operator.oid.to_string(),
            operator.name.to_string(),
            operator.left.unwrap_or(0).to_string(),
            operator.right.to_string(),
            operator.function.oid.to_string(),
            operator.returns().to_string(),
            operator.commutator.unwrap_or("").to_string(),
            operator.negator.unwrap_or("").to_string(),
            strategy.to_string(),
        ];
        compare(&rows, &ours, wrong);
    }
    assert!(count > 350, "only {count} operators");
}

fn check_casts(reference: &Reference, wrong: &mut Vec<String>) {
    let types = "'timetz','bit','varbit','bool','int2','int4','int8','float4','float8','numeric','text','varchar','bpchar','name','char',\
                 'bytea','date','time','timestamp','timestamptz','interval','uuid','oid','json','jsonb','regclass','regtype',\
                 'regproc','regprocedure','regoper','regoperator','regnamespace','regrole','regcollation','xid','xid8'";
    let mut theirs: Vec<String> = reference
        .rows(&format!(
            "COPY (SELECT castsource, casttarget, castcontext, castfunc FROM pg_cast JOIN pg_type s ON \
             s.oid = castsource JOIN pg_type t ON t.oid = casttarget WHERE s.typname IN ({types}) AND t.typname IN \
             ({types}) AND castsource <> casttarget) TO STDOUT;\n"
        ))
        .into_iter()
        .map(|row| row.into_iter().flatten().collect::<Vec<_>>().join(" "))
        .collect();
    let mut ours: Vec<String> = casts()
        .iter()
        .map(|cast| {
            let context = match cast.context {
                CastContext::Implicit => "i",
                CastContext::Assignment => "a",
                CastContext::Explicit => "e",
            };
            format!("{} {} {context} {}", cast.source, cast.target, cast.catalog_function)
        })
        .collect();
    theirs.sort();
    ours.sort();
    for row in theirs.iter().filter(|row| !ours.contains(row)) {
        wrong.push(format!("cast missing: {row}"));
    }
    for row in ours.iter().filter(|row| !theirs.contains(row)) {
        wrong.push(format!("cast too much: {row}"));
    }
}
