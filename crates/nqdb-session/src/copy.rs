//! COPY between the client and a table.

use nqdb_sql::statement::{CopyStatement, Parsed};
use nqdb_sqlstate::{QUERY_CANCELED, SqlError};

use crate::client_sink::ClientSink;
use crate::portal::PortalEnd;
use crate::prepared::Statement;
use crate::session::{CommandEnd, Failure, Session};

/// A COPY FROM STDIN whose data is under way.
pub(crate) struct CopyInProgress {
    /// What follows in the query string, and whether there was more than one statement; none in the extended protocol.
    pub rest_of_query: Option<(std::vec::IntoIter<Statement>, bool)>,
}

impl Session {
    pub(crate) async fn copy<C: ClientSink>(
        &mut self,
        _parsed: &Parsed,
        _copy: &CopyStatement,
        _out: &mut C,
    ) -> Result<PortalEnd, Failure> {
        Err(SqlError::unsupported("COPY").into())
    }

    /// Takes data of a COPY FROM STDIN.
    pub async fn copy_data(&mut self, _data: &[u8]) -> Result<(), Failure> {
        Err(SqlError::internal("no COPY is under way").into())
    }

    /// All data has come: completes the COPY, then what follows it in its query string.
    pub async fn copy_done<C: ClientSink>(&mut self, out: &mut C) -> Result<CommandEnd, Failure> {
        let Some(copy) = self.copy_in.take() else {
            return Err(SqlError::internal("no COPY is under way").into());
        };
        self.resume_query(PortalEnd::Empty, copy.rest_of_query, out).await
    }

    /// The client gives up its COPY: the error to report.
    pub fn copy_failed(&mut self, message: &str) -> SqlError {
        self.copy_in = None;
        SqlError::new(QUERY_CANCELED, format!("COPY from stdin failed: {message}"))
    }
}
