//! `nqdb check`: verifies a data directory that no server uses.

use std::fmt::Write;
use std::path::Path;

use crate::data::Data;
use crate::error::ServerError;

/// Verifies every table and index; gives the damage found, one line each, nothing when all is well.
///
/// A directory that was not closed is recovered first, as a start of the server would. Errors: what keeps the check
/// from running at all.
pub fn check(directory: &Path, memory_bytes: u64) -> Result<Vec<String>, ServerError> {
    if !directory.is_dir() {
        let source = std::io::Error::from(std::io::ErrorKind::NotFound);
        return Err(ServerError::DataDirectory { path: directory.to_path_buf(), source });
    }
    let data = Data::open(directory, memory_bytes)?;
    let mut damage = Vec::new();
    let catalog = data.catalog.committed();
    let own = data.catalog.own_tables().map(|store| ("the catalog".to_owned(), store.clone()));
    let users = catalog.tables().map(|table| (format!("{}.{}", table.schema_name, table.name), table.store.clone()));
    for (name, store) in own.into_iter().chain(users) {
        match nqdb_txn::check_table(&data.system, &store) {
            Ok(report) => damage.extend(report.problems.into_iter().map(|problem| line(&name, &problem))),
            Err(error) => damage.push(line(&name, &error.to_string())),
        }
    }
    if let Err(error) = data.close() {
        damage.push(line("closing", &error.to_string()));
    }
    Ok(damage)
}

fn line(place: &str, problem: &str) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write!(text, "{place}: {problem}");
    text
}
