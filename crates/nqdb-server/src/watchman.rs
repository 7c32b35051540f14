//! Sees to it that one worker that computes does not keep all the others asleep.
//!
//! Sockets and timers have one watcher: the worker that went to sleep last with nothing to do. When something arrives, that
//! worker wakes and runs the session it is for, and nobody watches until it comes back, however many workers sleep: tokio
//! wakes another one only for work that is queued, not for work that has yet to be read from the system. Sessions answer
//! within microseconds and ask whether to go on when they do not, but a function may compute for seconds without a question.
//!
//! So a thread looks every [`PERIOD`] whether some worker has been at work since it last looked, without a pause, and if so
//! queues an empty task. That wakes a sleeping worker, which takes over what waits in the busy one's queue and then watches
//! in its place. While all workers sleep, or come back in time, nothing is done.

use std::sync::mpsc::{self, RecvTimeoutError, SyncSender};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::Handle;

/// How long a worker may be away before another one is woken in its place.
const PERIOD: Duration = Duration::from_millis(10);

/// The thread; it ends when this is dropped.
pub(crate) struct Watchman {
    thread: Option<JoinHandle<()>>,
    /// Nothing is sent: the other end waits for this one to go away.
    stop: Option<SyncSender<()>>,
}

impl Watchman {
    pub fn start(runtime: Handle) -> std::io::Result<Watchman> {
        let (stop, stopped) = mpsc::sync_channel::<()>(0);
        let thread = std::thread::Builder::new().name("nqdb-watchman".to_owned()).spawn(move || {
            let mut seen = vec![0; runtime.metrics().num_workers()];
            while stopped.recv_timeout(PERIOD) == Err(RecvTimeoutError::Timeout) {
                if is_one_away(&runtime, &mut seen) {
                    drop(runtime.spawn(async {}));
                }
            }
        })?;
        Ok(Watchman { thread: Some(thread), stop: Some(stop) })
    }
}

impl Drop for Watchman {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the watchman had panicked");
        }
    }
}

/// Whether a worker has neither gone to sleep nor woken since the last call, and is awake. `seen` are the counts then.
fn is_one_away(runtime: &Handle, seen: &mut [u64]) -> bool {
    let metrics = runtime.metrics();
    let mut is_one_away = false;
    for (worker, seen) in seen.iter_mut().enumerate() {
        let count = metrics.worker_park_unpark_count(worker);
        // An even count is that of a worker that is awake.
        is_one_away |= count == *seen && count.is_multiple_of(2);
        *seen = count;
    }
    is_one_away
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{SocketAddr, TcpStream};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// Longer than anything here takes, so that a test that fails ends.
    const PATIENCE: Duration = Duration::from_secs(60);

    /// A task that does `work` when a byte comes, and then answers with it.
    fn answers(runtime: &tokio::runtime::Runtime, work: impl FnOnce() + Send + 'static) -> SocketAddr {
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        runtime.spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let byte = stream.read_u8().await.unwrap();
            work();
            stream.write_u8(byte).await.unwrap();
        });
        address
    }

    #[test]
    fn a_busy_worker_does_not_keep_the_others_asleep() {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(3).enable_all().build().unwrap();
        let _watchman = Watchman::start(runtime.handle().clone()).unwrap();
        let (others_are_done, wait_for_others) = mpsc::channel::<()>();
        let busy = answers(&runtime, move || wait_for_others.recv_timeout(PATIENCE).unwrap());
        let other = answers(&runtime, || {});
        let connect = |address| {
            let stream = TcpStream::connect(address).unwrap();
            stream.set_read_timeout(Some(PATIENCE / 2)).unwrap();
            stream
        };
        let (mut busy, mut other) = (connect(busy), connect(other));
        // Time for all workers to go to sleep: then the one that wakes is the one that watched.
        std::thread::sleep(PERIOD * 5);
        busy.write_all(b"b").unwrap();
        std::thread::sleep(PERIOD * 5);
        other.write_all(b"o").unwrap();
        let mut answer = [0];
        other.read_exact(&mut answer).expect("it is answered while the other one is at work");
        others_are_done.send(()).unwrap();
        busy.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"b");
    }

    #[test]
    fn its_thread_ends_with_it() {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        drop(Watchman::start(runtime.handle().clone()).unwrap());
    }
}
