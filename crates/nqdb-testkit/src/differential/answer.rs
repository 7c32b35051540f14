//! What a server answered, and whether two answers are one.

use tokio_postgres::{Client, SimpleQueryMessage};

use super::Statement;

/// One server's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Names of the types of the columns, and rows as text.
    Rows {
        types: Vec<String>,
        rows: Vec<Vec<Option<String>>>,
    },
    /// Rows changed.
    Changed(u64),
    /// Types of parameters and of columns of a statement that was only prepared.
    Prepared {
        parameters: Vec<String>,
        columns: Vec<String>,
    },
    Error {
        code: String,
        message: String,
    },
}

/// What two answers say of each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Equal,
    /// Both may be right: see rule 3 of the module.
    Open,
    Different,
}

impl Answer {
    /// Asks a server. `Err` means that the connection broke.
    pub async fn of(client: &Client, statement: &Statement) -> Result<Answer, String> {
        let prepared = match client.prepare(&statement.sql).await {
            Ok(prepared) => prepared,
            Err(error) => return refusal(&error),
        };
        let types = prepared.columns().iter().map(|column| column.type_().to_string()).collect();
        if statement.parameters {
            let parameters = prepared.params().iter().map(ToString::to_string).collect();
            return Ok(Answer::Prepared { parameters, columns: types });
        }
        let messages = match client.simple_query(&statement.sql).await {
            Ok(messages) => messages,
            Err(error) => return refusal(&error),
        };
        let mut rows = Vec::new();
        let mut changed = 0;
        for message in messages {
            match message {
                SimpleQueryMessage::Row(row) => {
                    rows.push((0..row.len()).map(|column| row.get(column).map(str::to_owned)).collect());
                }
                SimpleQueryMessage::CommandComplete(count) => changed = count,
                _ => {}
            }
        }
        if !statement.ordered {
            rows.sort();
        }
        Ok(if prepared.columns().is_empty() { Answer::Changed(changed) } else { Answer::Rows { types, rows } })
    }

    /// Compares with the reference's answer.
    pub fn compare(&self, reference: &Answer, statement: &Statement) -> Verdict {
        match (self, reference) {
            (Answer::Error { code, .. }, Answer::Error { code: expected, .. }) if code == expected => Verdict::Equal,
            (own, expected) if own == expected => Verdict::Equal,
            (own, expected) if statement.reads_tables && (own.is_data_error() || expected.is_data_error()) => {
                if own.is_refusal() || expected.is_refusal() { Verdict::Different } else { Verdict::Open }
            }
            _ => Verdict::Different,
        }
    }

    /// An error of class 22: a value that an expression met.
    fn is_data_error(&self) -> bool {
        matches!(self, Answer::Error { code, .. } if code.starts_with("22"))
    }

    /// An error of another class.
    fn is_refusal(&self) -> bool {
        matches!(self, Answer::Error { code, .. } if !code.starts_with("22"))
    }
}

/// An error that the server reported.
fn refusal(error: &tokio_postgres::Error) -> Result<Answer, String> {
    match error.as_db_error() {
        Some(reported) => {
            Ok(Answer::Error { code: reported.code().code().to_owned(), message: reported.message().to_owned() })
        }
        None => Err(error.to_string()),
    }
}
