//! Commands around statements: transactions, settings, prepared statements, COPY, EXPLAIN; and several in one string.

use nqdb_sql::parse::parse;
use nqdb_sql::statement::{
    CopyFormat, CopyHeader, ExplainFormat, IsolationLevel, Overriding, SetValue, StatementKind, TransactionStatement,
};

fn only(sql: &str) -> StatementKind {
    let mut parsed = parse(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    assert_eq!(parsed.len(), 1, "{sql}");
    parsed.remove(0).kind
}

#[test]
fn a_string_splits_into_statements_that_know_their_place() {
    let parsed = parse(" SELECT 1 ; -- ä\n SELECT 'a;b' ;;").expect("two statements");
    let texts: Vec<(&str, u32)> = parsed.iter().map(|one| (&*one.text, one.offset_chars)).collect();
    assert_eq!(texts, [("SELECT 1", 1), ("SELECT 'a;b'", 18)]);
    assert!(matches!(only("  -- nothing\n"), StatementKind::Empty));
    let error = parse("SELECT 1; SELEC 2").expect_err("no such command");
    assert_eq!((error.position(), error.message()), (Some(11), "syntax error at or near \"SELEC\""));
}

#[test]
fn transactions() {
    let StatementKind::Transaction(TransactionStatement::Begin { start: false, modes }) =
        only("BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY NOT DEFERRABLE")
    else {
        panic!("BEGIN")
    };
    assert_eq!(modes.isolation, Some(IsolationLevel::RepeatableRead));
    assert_eq!((modes.read_only, modes.deferrable), (Some(true), Some(false)));
    for (sql, expected) in [
        ("COMMIT AND CHAIN", TransactionStatement::Commit { chain: true }),
        ("END WORK", TransactionStatement::Commit { chain: false }),
        ("ABORT", TransactionStatement::Rollback { chain: false }),
        ("ROLLBACK TO SAVEPOINT Foo", TransactionStatement::RollbackTo("foo".to_string())),
        ("RELEASE \"Foo\"", TransactionStatement::Release("Foo".to_string())),
    ] {
        let StatementKind::Transaction(found) = only(sql) else { panic!("{sql}") };
        assert_eq!(found, expected, "{sql}");
    }
    assert_eq!(parse("BEGIN FOO").expect_err("no mode").position(), Some(7));
}

#[test]
fn settings() {
    for (sql, setting, values, is_local) in [
        ("SET search_path TO a, \"B\", 'c d'", "search_path", vec!["a", "B", "c d"], false),
        ("SET LOCAL statement_timeout = -5", "statement_timeout", vec!["-5"], true),
        ("SET SESSION my.Var = on", "my.var", vec!["on"], false),
        ("SET TIME ZONE 'UTC'", "timezone", vec!["UTC"], false),
        ("SET NAMES 'utf8'", "client_encoding", vec!["utf8"], false),
    ] {
        let StatementKind::Set { name, value, local } = only(sql) else { panic!("{sql}") };
        let values = SetValue::Values(values.into_iter().map(str::to_string).collect());
        assert_eq!((name.as_str(), value, local), (setting, values, is_local), "{sql}");
    }
    assert!(matches!(only("RESET ALL"), StatementKind::Reset(None)));
    let StatementKind::Show(Some(name)) = only("SHOW TRANSACTION ISOLATION LEVEL") else { panic!("SHOW") };
    assert_eq!(name, "transaction_isolation");
    assert_eq!(parse("SET a").expect_err("no value").message(), "syntax error at end of input");
}

#[test]
fn prepared_statements_and_explain() {
    let StatementKind::Prepare { name, types, inner } = only("PREPARE q (int, varchar(3)) AS SELECT $1, $2") else {
        panic!("PREPARE")
    };
    assert_eq!((name.as_str(), types.len(), &*inner.text, inner.offset_chars), ("q", 2, "SELECT $1, $2", 31));
    let StatementKind::Execute { args, .. } = only("EXECUTE q (1, f(2, 3))") else { panic!("EXECUTE") };
    assert_eq!(args.len(), 2);
    let StatementKind::Explain { options, inner } = only("EXPLAIN (ANALYZE, COSTS off, FORMAT json) SELECT 1") else {
        panic!("EXPLAIN")
    };
    assert!(options.analyze && options.timing && !options.costs);
    assert_eq!((options.format, &*inner.text), (ExplainFormat::Json, "SELECT 1"));
    let StatementKind::Rows(rows) = only("INSERT INTO t (a) OVERRIDING SYSTEM VALUE VALUES (1)") else {
        panic!("INSERT")
    };
    assert_eq!(rows.overriding, Some(Overriding::System));
}

#[test]
fn copy() {
    let StatementKind::Copy(copy) = only("COPY s.t (a, b) FROM STDIN WITH (FORMAT csv, HEADER match, NULL 'x')") else {
        panic!("COPY")
    };
    assert_eq!((copy.options.format, copy.options.header), (CopyFormat::Csv, CopyHeader::Match));
    assert_eq!((copy.options.delimiter, copy.options.null.as_str()), (b',', "x"));
    let StatementKind::Copy(copy) = only("COPY (SELECT 1) TO STDOUT CSV HEADER DELIMITER ';'") else { panic!("COPY") };
    assert_eq!((copy.options.header, copy.options.delimiter), (CopyHeader::Yes, b';'));
    for (sql, message) in [
        ("COPY t FROM STDIN (FORMAT nope)", "COPY format \"nope\" not recognized"),
        ("COPY t TO STDOUT (QUOTE 'x')", "COPY quote available only in CSV mode"),
        ("COPY t TO STDOUT (FORMAT csv, FORMAT csv)", "conflicting or redundant options"),
        ("COPY t TO STDOUT WHERE a = 1", "syntax error at or near \"WHERE\""),
    ] {
        let error = match parse(sql) {
            Err(error) => error,
            Ok(mut parsed) => match parsed.remove(0).kind {
                StatementKind::Refused(error) => error,
                kind => panic!("{sql}: {kind:?}"),
            },
        };
        assert_eq!(error.message(), message, "{sql}");
    }
}
