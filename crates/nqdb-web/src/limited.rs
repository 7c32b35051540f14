//! A listener that has so many connections and no more: the next one waits in the system's queue. A client that keeps its
//! place without asking for anything loses it. A connection that becomes
//! something of its own, with a limit of its own, gives its place back before it ends.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep};

/// A client that has a place may take so long from one answer to the end of its next request.
const REQUEST_TIME_MAX: Duration = Duration::from_secs(10);

/// Accepts a connection when there is a place for it.
pub(crate) struct LimitedListener {
    listener: TcpListener,
    places: Arc<Semaphore>,
}

impl LimitedListener {
    pub fn new(listener: TcpListener, connections_max: usize) -> LimitedListener {
        LimitedListener { listener, places: Arc::new(Semaphore::new(connections_max)) }
    }
}

impl Listener for LimitedListener {
    type Io = Placed;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Placed, SocketAddr) {
        let Ok(place) = self.places.clone().acquire_owned().await else {
            // Nobody closes the semaphore; without places there are no connections.
            return std::future::pending().await;
        };
        let (stream, address) = Listener::accept(&mut self.listener).await;
        let place = Place { peer: address, permit: Arc::new(Mutex::new(Some(place))) };
        (Placed { stream, place, patience: Box::pin(sleep(REQUEST_TIME_MAX)) }, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection with the place that it gives back at its end.
pub(crate) struct Placed {
    stream: TcpStream,
    place: Place,
    /// Over when the client has been silent for too long, or sent its request too slowly.
    patience: Pin<Box<Sleep>>,
}

/// A connection's place, as handlers see it: who is connected, and the place itself.
#[derive(Clone, Debug)]
pub struct Place {
    peer: SocketAddr,
    permit: Arc<Mutex<Option<OwnedSemaphorePermit>>>,
}

impl Place {
    /// The other end of the connection.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// Gives the place back while the connection goes on.
    pub fn release(&self) {
        self.permit.lock().take();
    }

    fn is_held(&self) -> bool {
        self.permit.lock().is_some()
    }
}

impl Connected<IncomingStream<'_, LimitedListener>> for Place {
    fn connect_info(stream: IncomingStream<'_, LimitedListener>) -> Place {
        stream.io().place.clone()
    }
}

impl Drop for Placed {
    fn drop(&mut self) {
        self.place.release();
    }
}

impl AsyncRead for Placed {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if read.is_pending() && self.place.is_held() && self.patience.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        read
    }
}

impl AsyncWrite for Placed {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        if written.is_ready() {
            self.patience.as_mut().reset(Instant::now() + REQUEST_TIME_MAX);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
