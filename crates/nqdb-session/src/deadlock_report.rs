//! What the server's log says of a deadlock: who waited for whom, and with which statements, as PostgreSQL's log does.
//!
//! What always holds: no constant of a statement gets into the log, and no comment; each is a `?`.

use nqdb_sql::parse::without_constants;
use nqdb_txn::TxnError;

use crate::surroundings::Surroundings;

/// Longer statements are cut, characters.
const STATEMENT_LENGTH_MAX: usize = 1000;

impl Surroundings {
    /// Writes a record if a wait ended because of a deadlock. To be called while the partners still wait.
    pub(crate) fn report_deadlock(&self, error: &TxnError) {
        let TxnError::Deadlock { detail, processes } = error else { return };
        let user = self.name_of_role(self.session_role());
        let waits = detail.replace('\n', " ");
        let statements: Vec<String> = processes
            .iter()
            .filter_map(|process| {
                let backend = self.instance.registry.find(*process)?;
                let statement = without_constants(&backend.activity().query);
                let shown: String = statement.chars().take(STATEMENT_LENGTH_MAX).collect();
                Some(format!("Process {process}: {shown}"))
            })
            .collect();
        tracing::info!(
            pid = self.backend.pid(),
            user,
            waits,
            statements = statements.join("; "),
            "a deadlock was resolved by an error"
        );
    }
}
