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
            (own, expected) if statement.reads_tables && own.may_stand_for(expected) => Verdict::Open,
            _ => Verdict::Different,
        }
    }

    /// Whether evaluation in another order explains both: one met a value that the other did not, or another one first.
    fn may_stand_for(&self, reference: &Answer) -> bool {
        // Some functions report values that they do not take with 0A000.
        const MET_A_VALUE: [&str; 2] = ["22", "0A000"];
        let met_a_value = |answer: &Answer, codes: &[&str]| match answer {
            Answer::Error { code, .. } => codes.iter().any(|start| code.starts_with(start)),
            _ => false,
        };
        let is_error = |answer: &Answer| matches!(answer, Answer::Error { .. });
        match (is_error(self), is_error(reference)) {
            (true, true) => met_a_value(self, &MET_A_VALUE) && met_a_value(reference, &MET_A_VALUE),
            (true, false) => met_a_value(self, &MET_A_VALUE[..1]),
            (false, true) => met_a_value(reference, &MET_A_VALUE),
            (false, false) => false,
        }
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
