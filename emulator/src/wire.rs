//! One connection: plain or TLS, with the ways to break it.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU8;
use std::sync::atomic::Ordering;
use std::task::Context;
use std::task::Poll;

use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::io::ReadBuf;
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use crate::shared::Delivery;

/// What happens to the connection once an answer is out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Afterwards {
    Keep = 0,
    Close = 1,
    ResetOnNext = 2,
}

/// What follows the last byte of an answer.
pub(crate) struct End {
    pub(crate) delivery: Option<Delivery>,
    pub(crate) afterwards: Afterwards,
    /// Writing of the last bytes has begun.
    pub(crate) begun: bool,
}

/// The side of a connection that answers can see.
pub(crate) struct Conn {
    pub(crate) peer: SocketAddr,
    pub(crate) tls: bool,
    reset: AtomicBool,
    afterwards: AtomicU8,
    outbox: Mutex<Option<End>>,
}

impl Conn {
    pub(crate) fn new(peer: SocketAddr, tls: bool) -> Self {
        Self {
            peer,
            tls,
            reset: AtomicBool::new(false),
            afterwards: AtomicU8::new(Afterwards::Keep as u8),
            outbox: Mutex::new(None),
        }
    }

    /// The connection ends with RST when it is dropped.
    pub(crate) fn reset(&self) {
        self.reset.store(true, Ordering::SeqCst);
    }

    /// The last byte of an answer was handed over; `end` applies at the next flush.
    pub(crate) fn ended(&self, end: End) {
        *self.outbox() = Some(end);
    }

    /// Bytes are about to be written, the last ones if an end was handed over.
    fn writing(&self) {
        let mut outbox = self.outbox();
        if let Some(end) = outbox.as_mut().filter(|end| !end.begun) {
            end.begun = true;
            if let Some(delivery) = &end.delivery {
                delivery.begin();
            }
        }
    }

    /// Everything handed over was written.
    fn flushed(&self) -> Afterwards {
        let Some(end) = self.outbox().take() else {
            return Afterwards::Keep;
        };
        if let Some(delivery) = end.delivery {
            delivery.complete();
        }
        self.afterwards
            .store(end.afterwards as u8, Ordering::SeqCst);
        end.afterwards
    }

    /// The connection is over, whatever was still to be written.
    fn over(&self) {
        if let Some(delivery) = self.outbox().take().and_then(|end| end.delivery) {
            delivery.fail();
        }
    }

    fn outbox(&self) -> MutexGuard<'_, Option<End>> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is(&self, afterwards: Afterwards) -> bool {
        self.afterwards.load(Ordering::SeqCst) == afterwards as u8
    }
}

/// The bytes below.
pub(crate) enum Transport {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Transport {
    fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(tcp) => tcp,
            Self::Tls(tls) => tls.get_ref().0,
        }
    }
}

/// A transport that knows its [`Conn`].
pub(crate) struct Wire {
    transport: Transport,
    conn: Arc<Conn>,
}

impl Wire {
    pub(crate) fn new(transport: Transport, conn: Arc<Conn>) -> Self {
        Self { transport, conn }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.conn.over();
        if self.conn.reset.load(Ordering::SeqCst) {
            // Closing with a zero linger time sends RST instead of FIN.
            if let Err(error) = self.transport.tcp().set_zero_linger() {
                tracing::warn!(%error, "cannot reset the connection");
            }
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.conn.is(Afterwards::Close) {
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        let result = match &mut self.transport {
            Transport::Plain(tcp) => Pin::new(tcp).poll_read(cx, buffer),
            Transport::Tls(tls) => Pin::new(tls.as_mut()).poll_read(cx, buffer),
        };
        if self.conn.is(Afterwards::ResetOnNext)
            && matches!(result, Poll::Ready(Ok(())))
            && buffer.filled().len() > before
        {
            buffer.set_filled(before);
            self.conn.reset();
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        result
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.conn.writing();
        match &mut self.transport {
            Transport::Plain(tcp) => Pin::new(tcp).poll_write(cx, bytes),
            Transport::Tls(tls) => Pin::new(tls.as_mut()).poll_write(cx, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = match &mut self.transport {
            Transport::Plain(tcp) => Pin::new(tcp).poll_flush(cx),
            Transport::Tls(tls) => Pin::new(tls.as_mut()).poll_flush(cx),
        };
        // hyper flushes the transport only after it has written all it holds.
        if matches!(result, Poll::Ready(Ok(()))) && self.conn.flushed() == Afterwards::Close {
            cx.waker().wake_by_ref();
        }
        result
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // A FIN ahead of the RST would look like an orderly end.
        if self.conn.reset.load(Ordering::SeqCst) {
            return Poll::Ready(Ok(()));
        }
        match &mut self.transport {
            Transport::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Transport::Tls(tls) => Pin::new(tls.as_mut()).poll_shutdown(cx),
        }
    }
}
