//! One connection to the server under test: every statement goes as a simple query, so that rows come back in the
//! server's own spelling.

use async_trait::async_trait;
use sqllogictest::{AsyncDB, DBOutput, DefaultColumnType};
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

/// A failed statement with the fields that tests compare.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct StatementError {
    code: Option<String>,
    message: String,
}

impl From<tokio_postgres::Error> for StatementError {
    fn from(error: tokio_postgres::Error) -> StatementError {
        match error.as_db_error() {
            Some(reported) => {
                StatementError { code: Some(reported.code().code().to_owned()), message: reported.message().to_owned() }
            }
            None => StatementError { code: None, message: error.to_string() },
        }
    }
}

/// A client and its settings: `engine` answers to `onlyif` and `skipif`.
pub struct Connection {
    client: Client,
    engine: &'static str,
}

impl Connection {
    /// Connects with a libpq-style string.
    pub async fn open(target: &str, engine: &'static str) -> Result<Connection, StatementError> {
        let (client, connection) = tokio_postgres::connect(target, NoTls).await?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                eprintln!("connection: {error}");
            }
        });
        Ok(Connection { client, engine })
    }
}

#[async_trait]
impl AsyncDB for Connection {
    type Error = StatementError;
    type ColumnType = DefaultColumnType;

    async fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, StatementError> {
        let mut types = Vec::new();
        let mut rows = Vec::new();
        let mut returned_rows = false;
        let mut affected = 0;
        for message in self.client.simple_query(sql).await? {
            match message {
                SimpleQueryMessage::RowDescription(columns) => {
                    returned_rows = true;
                    types = vec![DefaultColumnType::Any; columns.len()];
                }
                SimpleQueryMessage::Row(row) => {
                    rows.push((0..row.len()).map(|column| spelled(row.get(column))).collect());
                }
                SimpleQueryMessage::CommandComplete(count) => affected = count,
                _ => {}
            }
        }
        Ok(if returned_rows { DBOutput::Rows { types, rows } } else { DBOutput::StatementComplete(affected) })
    }

    async fn shutdown(&mut self) {}

    fn engine_name(&self) -> &str {
        self.engine
    }

    fn error_sql_state(error: &StatementError) -> Option<String> {
        error.code.clone()
    }
}

/// NULL and the empty string must differ from each other and from nothing.
fn spelled(value: Option<&str>) -> String {
    match value {
        None => "NULL".to_owned(),
        Some("") => "(empty)".to_owned(),
        Some(text) => text.replace('\n', "\\n"),
    }
}
