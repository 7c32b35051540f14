//! How commands on this machine reach the server that has a data directory open: a Unix socket in the directory.
//!
//! ```text
//! <data directory>/control/socket       the folder has mode 0700: who may enter it is who owns the data
//!
//! request   4 fields, each length u16 (little-endian) and bytes:
//!           "backup" | absolute directory to write to | base's directory or nothing | bytes a second or nothing
//! answer    lines of text: "progress DONE TOTAL" again and again, then "done TEXT" or "failed TEXT"
//! ```
//!
//! 1. The server writes the backup, as its own user. A client that goes away ends it, and so does the server's stop.
//! 2. One backup is taken at a time; a second client is told so.
//! 3. Every connection has a thread, and there are at most [`CONNECTIONS_MAX`]: what they do blocks, for long.

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use nqdb_txn::TxnSystem;

use crate::backup;

/// The folder of the socket in a data directory.
pub(crate) const FOLDER: &str = "control";
const SOCKET: &str = "socket";
const CONNECTIONS_MAX: usize = 8;
/// How long a client may take for its request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest path of Linux and a little.
const FIELD_BYTES_MAX: usize = 4096;
/// A socket's path has room for so many bytes; longer ones are named through the folder's descriptor.
const SOCKET_PATH_BYTES_MAX: usize = 100;

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BackupOrder {
    pub(crate) to: PathBuf,
    pub(crate) base: Option<PathBuf>,
    pub(crate) bytes_per_second: Option<u64>,
}

/// What connections share.
struct Shared {
    system: Arc<TxnSystem>,
    stopping: AtomicBool,
    backup_runs: AtomicBool,
}

/// The socket of a running server.
pub(crate) struct Control {
    shared: Arc<Shared>,
    directory: PathBuf,
    thread: Option<JoinHandle<()>>,
}

impl Control {
    /// Listens in a data directory that this process has locked.
    pub(crate) fn start(directory: &Path, system: Arc<TxnSystem>) -> io::Result<Control> {
        let folder = directory.join(FOLDER);
        match std::fs::DirBuilder::new().mode(0o700).create(&folder) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            made => made?,
        }
        // Left by a server that was killed: nobody else can have the directory open.
        match std::fs::remove_file(folder.join(SOCKET)) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            removed => removed?,
        }
        let listener = with_socket_path(&folder, |path| UnixListener::bind(path))?;
        let shared = Arc::new(Shared { system, stopping: AtomicBool::new(false), backup_runs: AtomicBool::new(false) });
        let listening = Arc::clone(&shared);
        let run = move || listen(&listener, &listening);
        let thread = std::thread::Builder::new().name("nqdb-control".to_owned()).spawn(run)?;
        Ok(Control { shared, directory: directory.to_path_buf(), thread: Some(thread) })
    }
}

impl Drop for Control {
    /// Ends what is under way and waits for its end.
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        // Wakes the listener; if nobody answers it has ended already.
        drop(connect(&self.directory));
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread of the control socket had panicked");
        }
        if let Err(error) = std::fs::remove_file(self.directory.join(FOLDER).join(SOCKET)) {
            tracing::warn!(%error, "the control socket could not be removed");
        }
    }
}

/// Connects to the server that has a data directory open.
pub(crate) fn connect(directory: &Path) -> io::Result<UnixStream> {
    with_socket_path(&directory.join(FOLDER), |path| UnixStream::connect(path))
}

fn with_socket_path<T>(folder: &Path, call: impl FnOnce(&Path) -> io::Result<T>) -> io::Result<T> {
    let path = folder.join(SOCKET);
    if path.as_os_str().len() <= SOCKET_PATH_BYTES_MAX {
        return call(&path);
    }
    let opened = std::fs::File::open(folder)?;
    call(&PathBuf::from(format!("/proc/self/fd/{}", opened.as_raw_fd())).join(SOCKET))
}

fn listen(listener: &UnixListener, shared: &Arc<Shared>) {
    let mut connections: Vec<JoinHandle<()>> = Vec::new();
    loop {
        let accepted = listener.accept();
        if shared.stopping.load(Ordering::SeqCst) {
            break;
        }
        connections.retain(|thread| !thread.is_finished());
        match accepted {
            Ok((stream, _)) if connections.len() < CONNECTIONS_MAX => {
                let serving = Arc::clone(shared);
                let serve = move || serve(stream, &serving);
                match std::thread::Builder::new().name("nqdb-backup".to_owned()).spawn(serve) {
                    Ok(thread) => connections.push(thread),
                    Err(error) => tracing::warn!(%error, "no thread for a client of the control socket"),
                }
            }
            Ok(_) => tracing::warn!("too many clients of the control socket"),
            Err(error) => {
                tracing::warn!(%error, "the control socket accepts nobody");
                std::thread::sleep(Duration::from_secs(1));
            }
        }
    }
    for thread in connections {
        if thread.join().is_err() {
            tracing::error!("a client of the control socket met a fault of the server");
        }
    }
}

fn serve(mut stream: UnixStream, shared: &Shared) {
    let order = stream.set_read_timeout(Some(REQUEST_TIMEOUT)).and_then(|()| read_order(&mut stream));
    let order = match order {
        Ok(order) => order,
        Err(error) => {
            tracing::info!(%error, "a client of the control socket sent no request");
            return;
        }
    };
    let told = if shared.backup_runs.swap(true, Ordering::SeqCst) {
        Err("another backup is being taken".to_owned())
    } else {
        let outcome = take_backup(&mut stream, &order, shared);
        shared.backup_runs.store(false, Ordering::SeqCst);
        outcome
    };
    let line = match &told {
        Ok(text) => format!("done {}\n", one_line(text)),
        Err(text) => format!("failed {}\n", one_line(text)),
    };
    if let Err(error) = stream.set_nonblocking(false).and_then(|()| stream.write_all(line.as_bytes())) {
        tracing::info!(%error, "the client of a backup has gone");
    }
}

fn take_backup(stream: &mut UnixStream, order: &BackupOrder, shared: &Shared) -> Result<String, String> {
    stream.set_nonblocking(true).map_err(|error| error.to_string())?;
    let mut told = 0;
    backup::take(&shared.system, order, &mut |progress| {
        if shared.stopping.load(Ordering::SeqCst) {
            return Err("the server stops");
        }
        if has_gone(stream) {
            return Err("the client has gone");
        }
        // Once in a hundredth of the whole; what the client does not read in time it does not need.
        let percent = progress.done_bytes * 100 / progress.total_bytes.max(1);
        if percent > told {
            told = percent;
            let line = format!("progress {} {}\n", progress.done_bytes, progress.total_bytes);
            return match stream.write_all(line.as_bytes()) {
                Err(error) if error.kind() != ErrorKind::WouldBlock => Err("the client has gone"),
                _ => Ok(()),
            };
        }
        Ok(())
    })
}

/// Whether the other side has closed; it sends nothing more otherwise.
fn has_gone(stream: &mut UnixStream) -> bool {
    match stream.read(&mut [0; 1]) {
        Ok(0) => true,
        Ok(_) => false,
        Err(error) => error.kind() != ErrorKind::WouldBlock && error.kind() != ErrorKind::Interrupted,
    }
}

fn one_line(text: &str) -> String {
    text.replace('\n', " ")
}

fn read_order(stream: &mut impl Read) -> io::Result<BackupOrder> {
    let wrong = |what: &str| io::Error::new(ErrorKind::InvalidData, what.to_owned());
    let mut field = || {
        let mut len = [0; 2];
        stream.read_exact(&mut len)?;
        let len = usize::from(u16::from_le_bytes(len));
        if len > FIELD_BYTES_MAX {
            return Err(wrong("a field of the request is too long"));
        }
        let mut bytes = vec![0; len];
        stream.read_exact(&mut bytes)?;
        Ok(bytes)
    };
    if field()? != b"backup" {
        return Err(wrong("the request is unknown"));
    }
    let path = |bytes: Vec<u8>| PathBuf::from(std::ffi::OsStr::from_bytes(&bytes));
    let (to, base, rate) = (path(field()?), field()?, field()?);
    if !to.is_absolute() {
        return Err(wrong("the directory of the request is not absolute"));
    }
    let rate = match rate.is_empty() {
        true => None,
        false => {
            let number = std::str::from_utf8(&rate).ok().and_then(|text| text.parse().ok()).filter(|rate| *rate > 0);
            Some(number.ok_or_else(|| wrong("the rate of the request is no number"))?)
        }
    };
    Ok(BackupOrder { to, base: (!base.is_empty()).then(|| path(base)), bytes_per_second: rate })
}

/// Sends a request.
pub(crate) fn write_order(stream: &mut impl Write, order: &BackupOrder) -> io::Result<()> {
    let rate = order.bytes_per_second.map_or(String::new(), |rate| rate.to_string());
    let base = order.base.as_ref().map_or(&b""[..], |base| base.as_os_str().as_bytes());
    let mut request = Vec::new();
    for field in [b"backup", order.to.as_os_str().as_bytes(), base, rate.as_bytes()] {
        let len = u16::try_from(field.len()).ok().filter(|len| usize::from(*len) <= FIELD_BYTES_MAX);
        let len = len.ok_or_else(|| io::Error::new(ErrorKind::InvalidInput, "the directory's name is too long"))?;
        request.extend_from_slice(&len.to_le_bytes());
        request.extend_from_slice(field);
    }
    stream.write_all(&request)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_arrives_as_it_was_sent() {
        for order in [
            BackupOrder { to: "/a b/c".into(), base: None, bytes_per_second: None },
            BackupOrder { to: "/x\n".into(), base: Some("/y".into()), bytes_per_second: Some(7) },
        ] {
            let mut sent = Vec::new();
            write_order(&mut sent, &order).unwrap();
            assert_eq!(read_order(&mut &sent[..]).unwrap(), order);
            for len in 0..sent.len() {
                assert!(read_order(&mut &sent[..len]).is_err(), "cut at {len}");
            }
        }
    }

    #[test]
    fn what_is_no_order_is_refused() {
        for to in ["relative", "", &"x".repeat(5000)] {
            let mut sent = Vec::new();
            let order = BackupOrder { to: to.into(), base: None, bytes_per_second: None };
            assert!(write_order(&mut sent, &order).is_err() || read_order(&mut &sent[..]).is_err(), "{to}");
        }
        assert!(read_order(&mut &b"\xff\xff"[..]).is_err());
        assert!(read_order(&mut &b"\x04\x00stop"[..]).is_err());
    }
}
