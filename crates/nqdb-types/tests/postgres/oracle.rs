//! Asking PostgreSQL many small questions in one go.

use std::io::Write;
use std::process::{Command, Stdio};

use nqdb_sqlstate::SqlError;
use nqdb_testkit::PostgresServer;

/// What became of an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Value(String),
    Error { code: String, message: String },
}

impl From<Result<String, SqlError>> for Answer {
    fn from(result: Result<String, SqlError>) -> Answer {
        match result {
            Ok(value) => Answer::Value(value),
            Err(error) => {
                Answer::Error { code: error.code().as_str().to_string(), message: error.message().to_string() }
            }
        }
    }
}

/// A question: an SQL expression, and our own answer to it.
pub struct Case {
    pub expression: String,
    pub ours: Answer,
}

impl Case {
    pub fn new(expression: impl Into<String>, ours: Result<String, SqlError>) -> Case {
        Case { expression: expression.into(), ours: ours.into() }
    }
}

pub struct Oracle {
    server: PostgresServer,
}

impl Oracle {
    pub fn start() -> Oracle {
        Oracle { server: PostgresServer::start_with(&["fsync=off"]) }
    }

    /// Fails, with a list, unless PostgreSQL gives every answer that we gave. `settings` is SQL run before.
    pub fn expect_agreement(&self, settings: &str, cases: &[Case]) {
        let expressions: Vec<&str> = cases.iter().map(|case| case.expression.as_str()).collect();
        let answers = self.answers(settings, &expressions);
        assert_eq!(answers.len(), cases.len(), "PostgreSQL answered each question once");
        let differences: Vec<String> = cases
            .iter()
            .zip(&answers)
            .filter(|(case, answer)| case.ours != **answer)
            .map(|(case, answer)| format!("{}\n  PostgreSQL {answer:?}\n  ours       {:?}", case.expression, case.ours))
            .collect();
        let shown = differences.iter().take(60).cloned().collect::<Vec<_>>().join("\n");
        assert!(differences.is_empty(), "{} of {} differ [{settings}]:\n{shown}", differences.len(), cases.len());
    }

    fn answers(&self, settings: &str, expressions: &[&str]) -> Vec<Answer> {
        let mut script = String::from(
            "create function pg_temp.attempt(expression text) returns text language plpgsql as $attempt$
             declare answer text;
             begin
                 execute 'select (' || expression || ')::text' into answer;
                 return 'value ' || coalesce(answer, 'NULL');
             exception when others then
                 return 'error ' || sqlstate || ' ' || sqlerrm;
             end $attempt$;\n",
        );
        script.push_str(settings);
        script.push('\n');
        for expression in expressions {
            script.push_str(&format!("select pg_temp.attempt($question${expression}$question$);\n"));
        }
        let mut psql = Command::new("psql")
            .args([
                "-X",
                "-q",
                "-A",
                "-t",
                "-v",
                "ON_ERROR_STOP=1",
                "-h",
                "127.0.0.1",
                "-U",
                "postgres",
                "-d",
                "postgres",
            ])
            .args(["-p", &self.server.port().to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("psql starts");
        let mut stdin = psql.stdin.take().expect("stdin is piped");
        let writer = std::thread::spawn(move || stdin.write_all(script.as_bytes()).expect("psql reads its script"));
        let output = psql.wait_with_output().expect("psql ends");
        writer.join().expect("the script was written");
        let text = String::from_utf8(output.stdout).expect("psql writes UTF-8");
        text.lines().filter_map(parse_answer).collect()
    }
}

fn parse_answer(line: &str) -> Option<Answer> {
    if let Some(value) = line.strip_prefix("value ") {
        return Some(Answer::Value(value.to_string()));
    }
    let (code, message) = line.strip_prefix("error ")?.split_once(' ')?;
    Some(Answer::Error { code: code.to_string(), message: message.to_string() })
}

/// Numbers that look random and are the same in every run (Marsaglia's xorshift).
pub struct Sequence(u64);

impl Sequence {
    pub fn new(seed: u64) -> Sequence {
        Sequence(seed | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}
