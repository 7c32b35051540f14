//! COPY's two formats in both directions, and its errors.

use crate::bed::{Bed, Session};

fn with_table(session: &mut Session<'_>) {
    session.ok("create table t (id int primary key, a int check (a > 0), b text default 'd')");
}

#[test]
fn text_goes_in_in_pieces_of_any_size() {
    let input = b"1\t10\tplain\n2\t\\N\ttab\\there\\nand \\\\ \\x41\\101\n3\t30\t\\N\n\\.\nignored";
    for piece in [1, 2, 3, 7, 1000] {
        let bed = Bed::new();
        let mut session = bed.session();
        with_table(&mut session);
        assert_eq!(session.copy_in("copy t from stdin", input, piece).expect("copies"), "COPY 3");
        let expected = ["1|10|plain", "2|<>|tab\there\nand \\ AA", "3|30|<>"];
        assert_eq!(session.rows("select * from t order by id"), expected);
    }
}

#[test]
fn text_goes_out_as_it_came_in() {
    let bed = Bed::new();
    let mut session = bed.session();
    with_table(&mut session);
    let input = "1\t10\ta\\tb\\\\c\n2\t\\N\t\\N\n3\t5\t\n";
    session.copy_in("copy t from stdin", input.as_bytes(), 5).expect("copies");
    assert_eq!(session.copy_out("copy t to stdout").expect("copies"), input);
    let query = "copy (select id, b from t where a is not null order by id desc) to stdout (delimiter ',', null 'N')";
    assert_eq!(session.copy_out(query).expect("copies"), "3,\n1,a\\tb\\\\c\n");
}

#[test]
fn csv_quotes_and_headers() {
    for piece in [1, 4, 1000] {
        let bed = Bed::new();
        let mut session = bed.session();
        with_table(&mut session);
        let input = b"id,a,b\r\n1,10,\"a \"\"b\"\", c\r\nd\"\r\n2,,\"\"\r\n3,5,\r\n";
        let tag = session.copy_in("copy t from stdin (format csv, header)", input, piece).expect("copies");
        assert_eq!(tag, "COPY 3");
        assert_eq!(session.rows("select * from t order by id"), ["1|10|a \"b\", c\r\nd", "2|<>|", "3|5|<>"]);
        let out = session.copy_out("copy t to stdout (format csv, header, force_quote (id))").expect("copies");
        assert_eq!(out, "id,a,b\n\"1\",10,\"a \"\"b\"\", c\r\nd\"\n\"2\",,\"\"\n\"3\",5,\n");
    }
}

#[test]
fn columns_defaults_and_a_condition() {
    let bed = Bed::new();
    let mut session = bed.session();
    with_table(&mut session);
    let tag =
        session.copy_in("copy t (a, id) from stdin where id <> 2", b"10\t1\n20\t2\n30\t3\n", 100).expect("copies");
    assert_eq!(tag, "COPY 2");
    assert_eq!(session.rows("select * from t order by id"), ["1|10|d", "3|30|d"]);
}

#[test]
fn errors_say_where() {
    let bed = Bed::new();
    let mut session = bed.session();
    with_table(&mut session);
    let cases: [(&str, &[u8], &str, &str, &str); 8] = [
        (
            "",
            b"1\t1\tx\nq\t1\tx\n",
            "22P02",
            "invalid input syntax for type integer: \"q\"",
            "COPY t, line 2, column id: \"q\"",
        ),
        ("", b"1\t1\n", "22P04", "missing data for column \"b\"", "COPY t, line 1: \"1\t1\""),
        ("", b"1\t1\tx\ty\n", "22P04", "extra data after last expected column", "COPY t, line 1: \"1\t1\tx\ty\""),
        (
            "",
            b"1\t-1\tx\n",
            "23514",
            "new row for relation \"t\" violates check constraint \"t_a_check\"",
            "COPY t, line 1: \"1\t-1\tx\"",
        ),
        (
            "",
            b"1\t1\tx\n1\t1\tx\n",
            "23505",
            "duplicate key value violates unique constraint \"t_pkey\"",
            "COPY t, line 2",
        ),
        ("(format csv)", b"1,1,\"x\n", "22P04", "unterminated CSV quoted field", "COPY t, line 1: \"1,1,\"x\n\""),
        (
            "(format csv, header match)",
            b"id,x,b\n",
            "22P04",
            "column name mismatch in header line field 2: got \"x\", expected \"a\"",
            "COPY t, line 1: \"id,x,b\"",
        ),
        ("", b"1\t1\tx\xff\n", "22021", "invalid byte sequence for encoding \"UTF8\": 0xff", "COPY t, line 1"),
    ];
    for (options, input, code, message, context) in cases {
        let error = session.copy_in(&format!("copy t from stdin {options}"), input, 3).expect_err(message);
        assert_eq!((error.code().as_str(), error.message()), (code, message));
        assert!(error.context().is_some_and(|found| found.starts_with(context)), "{:?} {context:?}", error.context());
    }
    assert_eq!(session.rows("select count(*) from t"), ["0"]);
    assert_eq!(session.copy_in("copy nowhere from stdin", b"", 1).expect_err("no table").code().as_str(), "42P01");
    assert_eq!(session.copy_in("copy t (nope) from stdin", b"", 1).expect_err("no column").code().as_str(), "42703");
}
