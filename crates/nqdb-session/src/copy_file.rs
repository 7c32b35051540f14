//! COPY with a file of the server: for superusers, as PostgreSQL's `pg_read_server_files` and `pg_write_server_files`
//! are for them.
//!
//! Files are read and written on the session's worker, whose other work goes to another thread meanwhile.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::path::Path;

use nqdb_sql::statement::CopyDirection;
use nqdb_sqlstate::{
    DISK_FULL, INSUFFICIENT_PRIVILEGE, INVALID_NAME, IO_ERROR, SqlError, SqlResult, UNDEFINED_FILE, WRONG_OBJECT_TYPE,
};

/// Bytes that are read or written at once.
const PIECE_BYTES: usize = 64 * 1024;

/// 42501 for who is no superuser.
pub(crate) fn check_file_privilege(superuser: bool, direction: CopyDirection) -> SqlResult<()> {
    if superuser {
        return Ok(());
    }
    let (role, what) = match direction {
        CopyDirection::In => ("pg_read_server_files", "from"),
        CopyDirection::Out => ("pg_write_server_files", "to"),
    };
    let message = format!("must be superuser or have privileges of the {role} role to COPY {what} a file");
    Err(SqlError::new(INSUFFICIENT_PRIVILEGE, message)
        .with_hint("Anyone can COPY to stdout or from stdin. psql's \\copy command also works for anyone."))
}

/// The error of a call on a file, in PostgreSQL's words.
fn file_error(what: &str, error: &std::io::Error) -> SqlError {
    let (code, reason) = match error.kind() {
        ErrorKind::NotFound => (UNDEFINED_FILE, "No such file or directory"),
        ErrorKind::PermissionDenied => (INSUFFICIENT_PRIVILEGE, "Permission denied"),
        ErrorKind::IsADirectory => (WRONG_OBJECT_TYPE, "Is a directory"),
        ErrorKind::NotADirectory => (UNDEFINED_FILE, "Not a directory"),
        ErrorKind::StorageFull => (DISK_FULL, "No space left on device"),
        _ => return SqlError::new(IO_ERROR, format!("could not {what}: {error}")),
    };
    SqlError::new(code, format!("could not {what}: {reason}"))
}

/// As [`file_error`], with a hint for who takes the server's files for the client's.
fn open_error(what: &str, command: &str, verb: &str, error: &std::io::Error) -> SqlError {
    let told = file_error(what, error);
    if !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::PermissionDenied) {
        return told;
    }
    told.with_hint(format!(
        "{command} instructs the PostgreSQL server process to {verb} a file. \
         You may want a client-side facility such as psql's \\copy."
    ))
}

/// A file that COPY FROM reads.
pub(crate) struct SourceFile {
    name: String,
    file: File,
    piece: Vec<u8>,
}

impl SourceFile {
    /// Opens a file. A relative name is looked for in the data directory.
    pub fn open(name: &str, data_directory: &str) -> SqlResult<SourceFile> {
        let path = Path::new(data_directory).join(name);
        let failed = |error: &std::io::Error| {
            open_error(&format!("open file \"{name}\" for reading"), "COPY FROM", "read", error)
        };
        let (file, is_directory) = tokio::task::block_in_place(|| {
            let file = File::open(&path)?;
            let is_directory = file.metadata()?.is_dir();
            Ok((file, is_directory))
        })
        .map_err(|error| failed(&error))?;
        if is_directory {
            return Err(SqlError::new(WRONG_OBJECT_TYPE, format!("\"{name}\" is a directory")));
        }
        Ok(SourceFile { name: name.to_owned(), file, piece: vec![0; PIECE_BYTES] })
    }

    /// The next bytes; none at the end.
    pub fn read(&mut self) -> SqlResult<&[u8]> {
        let length = tokio::task::block_in_place(|| self.file.read(&mut self.piece))
            .map_err(|error| file_error("read from COPY file", &error))?;
        let (name, read) = (&self.name, self.piece.get(..length));
        read.ok_or_else(|| SqlError::internal(format!("more was read of \"{name}\" than asked for")))
    }
}

/// A file that COPY TO writes.
pub(crate) struct TargetFile {
    file: File,
    pending: Vec<u8>,
}

impl TargetFile {
    /// Makes a file, or empties it. Its name must be absolute.
    pub fn create(name: &str) -> SqlResult<TargetFile> {
        if !Path::new(name).is_absolute() {
            return Err(SqlError::new(INVALID_NAME, "relative path not allowed for COPY to file"));
        }
        let file = tokio::task::block_in_place(|| File::create(name))
            .map_err(|error| open_error(&format!("open file \"{name}\" for writing"), "COPY TO", "write", &error))?;
        Ok(TargetFile { file, pending: Vec::with_capacity(PIECE_BYTES) })
    }

    /// Appends bytes; they reach the file with [`TargetFile::flush`].
    pub fn append(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
    }

    /// Writes what was appended, if it is enough, or all of it.
    pub fn flush(&mut self, all: bool) -> SqlResult<()> {
        if !all && self.pending.len() < PIECE_BYTES {
            return Ok(());
        }
        tokio::task::block_in_place(|| self.file.write_all(&self.pending))
            .map_err(|error| file_error("write to COPY file", &error))?;
        self.pending.clear();
        Ok(())
    }
}
