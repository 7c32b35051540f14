//! psql's backslash commands and pg_dump on a schema of one's own: the output must be PostgreSQL's, letter by letter.
//!
//! Left out are commands about what does not exist here (`\dF`), and those whose output tells of the cluster (`\l`).

use std::process::Command;

use nqdb_testkit::{NqdbServer, PostgresServer};

/// The schema that both servers are given.
const SCHEMA: &str = r#"
    CREATE SCHEMA app;
    CREATE TABLE app.customer (
        id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        email varchar(100) NOT NULL UNIQUE,
        name text NOT NULL DEFAULT 'nobody',
        balance numeric(12, 2) NOT NULL DEFAULT 0 CHECK (balance >= 0),
        created timestamptz DEFAULT now(),
        active boolean DEFAULT true,
        CONSTRAINT email_has_at CHECK (email LIKE '%@%')
    );
    CREATE TABLE orders (
        id bigserial PRIMARY KEY,
        customer int NOT NULL,
        placed date NOT NULL DEFAULT current_date,
        note text,
        total numeric(10, 2),
        rate double precision DEFAULT 1.5,
        CONSTRAINT orders_total_check CHECK (total > 0 AND total < 1000000)
    );
    CREATE INDEX orders_customer_idx ON orders (customer, placed DESC);
    CREATE UNIQUE INDEX orders_note_key ON orders (note);
    CREATE SEQUENCE app.ticket START 100 INCREMENT 5 MAXVALUE 10000 CYCLE;
    CREATE SEQUENCE plain_seq AS smallint;
    CREATE TABLE "Odd Name" ("Col A" int, "select" text, PRIMARY KEY ("Col A", "select"));
    CREATE ROLE reader;
    CREATE ROLE writer LOGIN;
    INSERT INTO orders (customer, placed, note, total) VALUES (1, '2024-02-29', E'a\tb', 10.5), (2, '2024-03-01', NULL, NULL);
    INSERT INTO app.customer (email, name) VALUES ('ada@example.org', 'Ada'), ('kurt@example.org', 'Kurt \ Gödel');
    SELECT nextval('app.ticket');
"#;

const COMMANDS: &[&str] = &[
    r"\d",
    r"\d orders",
    r"\d app.customer",
    r"\d+ orders",
    r"\d+ app.customer",
    r#"\d "Odd Name""#,
    r"\d orders_pkey",
    r"\d orders_customer_idx",
    r"\d app.ticket",
    r"\d plain_seq",
    r"\d orders_id_seq",
    r"\dt",
    r"\dt app.*",
    r"\di",
    r"\di app.*",
    r"\ds",
    r"\ds app.*",
    r"\dv",
    r"\dm",
    r"\dn app",
    r"\du",
    r"\du+",
    r"\dg",
    r"\df nosuch",
    r"\df abs",
    r"\df+ nosuch",
    r"\dT",
    r"\do nosuch",
    r"\dC nosuch",
    r"\dD",
    r"\dp",
    r"\z orders",
    r"\dy",
    r"\dc",
    r"\dO",
    r"\db",
    r"\dAc btree int4",
    r"\dAo btree integer_ops",
    r"\drds",
    r"\dd nosuch",
    r"\dE",
    r"\des",
    r"\dew",
    r"\deu",
    r"\det",
    r"\dP",
    r"\dRp",
    r"\dRs",
    r"\dX",
    r"\dconfig search_path",
    r"\ddp",
    r"\sf nosuch",
];

fn psql(target: &str, input: &str) -> String {
    let output = Command::new("psql")
        .args(["-X", "-v", "ON_ERROR_STOP=0", "-d", target, "-c", input])
        .output()
        .expect("psql starts");
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn backslash_commands_print_what_they_print_on_postgresql() {
    let (nqdb, postgres) = (NqdbServer::start(), PostgresServer::start());
    for target in [nqdb.target(), postgres.target()] {
        let made = psql(&target, SCHEMA);
        assert!(!made.contains("ERROR"), "{target}: {made}");
    }
    let mut different = Vec::new();
    for command in COMMANDS {
        let (found, expected) = (psql(&nqdb.target(), command), psql(&postgres.target(), command));
        if found != expected {
            different.push(format!("{command}\nexpected:\n{expected}\nfound:\n{found}"));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}
