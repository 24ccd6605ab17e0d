//! One connection: plain or TLS, with the ways to break it.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU8;
use std::sync::atomic::Ordering;
use std::task::Context;
use std::task::Poll;

use parking_lot::Mutex;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::io::ReadBuf;
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

/// Is told what becomes of an answer.
pub(crate) trait Delivery: Send + Sync {
    /// The last bytes are about to be written.
    fn begin(&self);

    /// Everything was written.
    fn complete(self: Box<Self>);

    /// The connection ended before everything was written.
    fn fail(self: Box<Self>);
}

/// What happens to the connection once an answer is out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum AfterResponse {
    Keep = 0,
    Close = 1,
    ResetOnNext = 2,
}

/// What follows the last byte of an answer.
pub(crate) struct End {
    pub(crate) delivery: Option<Box<dyn Delivery>>,
    pub(crate) after_response: AfterResponse,
    /// Writing of the last bytes has begun.
    pub(crate) begun: bool,
}

/// The side of a connection that answers can see.
pub(crate) struct ConnectionState {
    pub(crate) peer: SocketAddr,
    pub(crate) tls: bool,
    reset: AtomicBool,
    after_response: AtomicU8,
    outbox: Mutex<Option<End>>,
}

impl ConnectionState {
    pub(crate) fn new(peer: SocketAddr, tls: bool) -> Self {
        Self {
            peer,
            tls,
            reset: AtomicBool::new(false),
            after_response: AtomicU8::new(AfterResponse::Keep as u8),
            outbox: Mutex::new(None),
        }
    }

    /// The connection ends with RST when it is dropped.
    pub(crate) fn reset(&self) {
        self.reset.store(true, Ordering::SeqCst);
    }

    /// The last byte of an answer was handed over; `end` applies at the next flush.
    pub(crate) fn ended(&self, end: End) {
        *self.outbox.lock() = Some(end);
    }

    /// Bytes are about to be written, the last ones if an end was handed over.
    pub(crate) fn writing(&self) {
        let mut outbox = self.outbox.lock();
        if let Some(end) = outbox.as_mut().filter(|end| !end.begun) {
            end.begun = true;
            if let Some(delivery) = &end.delivery {
                delivery.begin();
            }
        }
    }

    /// Everything handed over was written.
    pub(crate) fn flushed(&self) -> AfterResponse {
        let Some(end) = self.outbox.lock().take() else {
            return AfterResponse::Keep;
        };
        if let Some(delivery) = end.delivery {
            delivery.complete();
        }
        self.after_response
            .store(end.after_response as u8, Ordering::SeqCst);
        end.after_response
    }

    /// The connection is over, whatever was still to be written.
    pub(crate) fn over(&self) {
        if let Some(delivery) = self.outbox.lock().take().and_then(|end| end.delivery) {
            delivery.fail();
        }
    }

    fn is(&self, after_response: AfterResponse) -> bool {
        self.after_response.load(Ordering::SeqCst) == after_response as u8
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

/// A transport that knows its [`ConnectionState`].
pub(crate) struct FaultyStream {
    transport: Transport,
    connection: Arc<ConnectionState>,
}

impl FaultyStream {
    pub(crate) fn new(transport: Transport, connection: Arc<ConnectionState>) -> Self {
        Self {
            transport,
            connection,
        }
    }
}

impl Drop for FaultyStream {
    fn drop(&mut self) {
        self.connection.over();
        if self.connection.reset.load(Ordering::SeqCst) {
            // Closing with a zero linger time sends RST instead of FIN.
            if let Err(error) = self.transport.tcp().set_zero_linger() {
                tracing::warn!(%error, "cannot reset the connection");
            }
        }
    }
}

impl AsyncRead for FaultyStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.connection.is(AfterResponse::Close) {
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        let result = match &mut self.transport {
            Transport::Plain(tcp) => Pin::new(tcp).poll_read(cx, buffer),
            Transport::Tls(tls) => Pin::new(tls.as_mut()).poll_read(cx, buffer),
        };
        if self.connection.is(AfterResponse::ResetOnNext)
            && matches!(result, Poll::Ready(Ok(())))
            && buffer.filled().len() > before
        {
            buffer.set_filled(before);
            self.connection.reset();
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        result
    }
}

impl AsyncWrite for FaultyStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.connection.writing();
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
        if matches!(result, Poll::Ready(Ok(())))
            && self.connection.flushed() == AfterResponse::Close
        {
            cx.waker().wake_by_ref();
        }
        result
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // A FIN ahead of the RST would look like an orderly end.
        if self.connection.reset.load(Ordering::SeqCst) {
            return Poll::Ready(Ok(()));
        }
        match &mut self.transport {
            Transport::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Transport::Tls(tls) => Pin::new(tls.as_mut()).poll_shutdown(cx),
        }
    }
}
