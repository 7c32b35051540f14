//! `docs/functions.md`: each function and operator of PostgreSQL 15's manual, chapters 9.2 to 9.28, and whether it is
//! there. Written by this test when `NQDB_UPDATE_FUNCTION_LIST` is set, compared with by it otherwise.
//!
//! What PostgreSQL has is in `function_list/postgresql_15.tsv`: chapter, kind, name, argument types, OID. Geometric and
//! network types, text search, XML and ranges are left out.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write;
use std::path::Path;

use nqdb_functions::{all_aggregates, all_functions, all_operators, all_window_functions};

const POSTGRESQL: &str = include_str!("function_list/postgresql_15.tsv");

struct Row<'a> {
    chapter: &'a str,
    kind: &'a str,
    name: &'a str,
    arguments: &'a str,
    oid: u32,
}

/// Kind and name: the signatures that are there, and those that are missing.
type Names<'a> = BTreeMap<(&'a str, &'a str), [Vec<&'a str>; 2]>;

fn rows() -> impl Iterator<Item = Row<'static>> {
    POSTGRESQL.lines().map(|line| match line.split('\t').collect::<Vec<_>>().as_slice() {
        [chapter, kind, name, arguments, oid] => {
            Row { chapter, kind, name, arguments, oid: oid.parse().expect("an OID") }
        }
        _ => panic!("five columns: {line}"),
    })
}

fn document() -> String {
    let functions: HashSet<u32> = (all_functions().map(|function| function.oid))
        .chain(all_aggregates().map(|aggregate| aggregate.oid))
        .chain(all_window_functions().map(|function| function.oid))
        .collect();
    let operators: HashSet<u32> = all_operators().map(|operator| operator.oid).collect();
    let is_there = |row: &Row<'_>| match row.kind {
        "operator" => operators.contains(&row.oid),
        _ => functions.contains(&row.oid),
    };
    let mut chapters: Vec<(&str, Names<'_>)> = Vec::new();
    let (mut there, mut total) = (0, 0);
    for row in rows() {
        if chapters.last().is_none_or(|(chapter, _)| *chapter != row.chapter) {
            chapters.push((row.chapter, BTreeMap::new()));
        }
        let (_, names) = chapters.last_mut().expect("a chapter was pushed");
        let [present, missing] = names.entry((row.kind, row.name)).or_default();
        total += 1;
        if is_there(&row) {
            there += 1;
            present.push(row.arguments);
        } else {
            missing.push(row.arguments);
        }
    }
    let mut out = format!(
        "# Functions and operators\n\n\
         What of PostgreSQL 15's manual, chapters 9.2 to 9.28, is there: {there} of {total} signatures. Geometric and network types, text\n\
         search, XML, ranges and money are not counted. A call of what is missing is refused with 42883, \"does not exist\".\n\n\
         This file is generated and checked by `crates/nqdb-functions/tests/function_list.rs`.\n"
    );
    for (chapter, names) in chapters {
        writeln!(out, "\n## {chapter}\n\n| | name | there | missing |\n|---|---|---|---|").expect("a string grows");
        for ((kind, name), [present, missing]) in names {
            let shown = |signatures: &[&str]| match signatures.len() {
                0 => String::new(),
                1..=4 => signatures.iter().map(|types| format!("({types})")).collect::<Vec<_>>().join(" "),
                count => format!("{count} signatures"),
            };
            let missing = missing.iter().map(|types| format!("({types})")).collect::<Vec<_>>().join(" ");
            let name = name.replace('|', "\\|");
            writeln!(out, "| {kind} | `{name}` | {} | {missing} |", shown(&present)).expect("a string grows");
        }
    }
    out
}

#[test]
fn the_list_of_functions_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/functions.md");
    let document = document();
    if std::env::var_os("NQDB_UPDATE_FUNCTION_LIST").is_some() {
        std::fs::write(&path, &document).expect("docs can be written");
    }
    let written = std::fs::read_to_string(&path).expect("docs/functions.md");
    assert!(written == document, "docs/functions.md is stale: run this test with NQDB_UPDATE_FUNCTION_LIST=1");
}
