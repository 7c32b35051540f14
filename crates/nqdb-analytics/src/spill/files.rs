//! The session's temporary files as DataFusion writes and reads them.

use std::io;
use std::pin::Pin;
use std::sync::Arc;

use datafusion_common::Result;
use datafusion_execution::spill_file::{SpillFile, SpillWriter, TempFileFactory};
use futures::Stream;
use nqdb_sql::temporary_files::{Bytes, TemporaryFile, TemporarySpace};
use parking_lot::Mutex;

use crate::failure::Failure;

/// What is gathered before it is written, and read at once.
const CHUNK_BYTES: usize = 128 << 10;

/// Makes the files of one statement.
pub(crate) struct StatementFiles(pub Arc<TemporarySpace>);

impl TempFileFactory for StatementFiles {
    fn create_temp_file(&self, _: &str) -> Result<Arc<dyn SpillFile>> {
        let file = self.0.create().map_err(Failure::Sql)?;
        Ok(Arc::new(BatchFile(Arc::new(Mutex::new(file)))))
    }
}

/// A file of batches.
struct BatchFile(Arc<Mutex<TemporaryFile>>);

impl SpillFile for BatchFile {
    fn size(&self) -> Option<u64> {
        Some(self.0.lock().bytes())
    }

    fn read_stream(&self) -> Result<Pin<Box<dyn Stream<Item = Result<Bytes>> + Send>>> {
        let file = self.0.clone();
        let chunks = futures::stream::unfold(0, move |at| {
            let chunk = read_chunk(&file.lock(), at).transpose();
            std::future::ready(chunk.map(|chunk| {
                let next = chunk.as_ref().map_or(u64::MAX, |chunk| at + chunk.len() as u64);
                (chunk, next)
            }))
        });
        Ok(Box::pin(chunks))
    }

    fn open_writer(&self) -> Result<Box<dyn SpillWriter>> {
        Ok(Box::new(ChunkWriter { file: self.0.clone(), chunk: Vec::new() }))
    }
}

/// What comes from there on; none at the end.
fn read_chunk(file: &TemporaryFile, at: u64) -> Result<Option<Bytes>> {
    let Some(left) = file.bytes().checked_sub(at).filter(|left| *left > 0) else { return Ok(None) };
    let mut chunk = vec![0; usize::try_from(left).unwrap_or(CHUNK_BYTES).min(CHUNK_BYTES)];
    file.read(&mut chunk, at).map_err(Failure::Sql)?;
    Ok(Some(Bytes::from(chunk)))
}

/// Writes whole chunks: what comes is mostly small.
struct ChunkWriter {
    file: Arc<Mutex<TemporaryFile>>,
    chunk: Vec<u8>,
}

impl io::Write for ChunkWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.chunk.extend_from_slice(bytes);
        if self.chunk.len() >= CHUNK_BYTES {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.chunk.is_empty() {
            self.file.lock().append(&self.chunk).map_err(|error| io::Error::other(Failure::Sql(error)))?;
            self.chunk.clear();
        }
        Ok(())
    }
}

impl SpillWriter for ChunkWriter {
    fn finish(&mut self) -> Result<()> {
        io::Write::flush(self)?;
        Ok(())
    }
}
