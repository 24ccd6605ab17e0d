//! Fewer, larger writes to the host.

use std::io;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;
use std::task::ready;

use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::io::BufWriter;
use tokio::io::ReadBuf;

use super::delayed_ping_ack::DelayedPingAcks;
use super::delayed_ping_ack::Part;

/// How much is kept until it is flushed; more is written at once.
const CAPACITY: usize = 16 * 1024;

/// A stream whose flush lets every other task that is ready go first.
///
/// HTTP/2 flushes after each frame: headers, data and trailers of one call would be three TLS
/// records, three system calls and three wake-ups of the host.  On the one thread that the plugin
/// runs on, the tasks which have the next frame are ready by the time the flush is asked for, so one
/// turn of the scheduler is all the delay it takes to send them together
/// (docs/internals/performance.md).
///
/// Answers to pings wait a little longer ([`DelayedPingAcks`]).
pub(super) struct Coalescing<S> {
    inner: BufWriter<S>,
    state: State,
    pings: DelayedPingAcks,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    /// Nothing awaits a flush.
    Clean,
    /// Something was written since the last flush.
    Written,
    /// A flush was asked for and has let others go first.
    Yielded,
}

impl<S: AsyncWrite> Coalescing<S> {
    /// Wraps a stream on which this side is the HTTP/2 server.
    pub(super) fn server(stream: S) -> Self {
        Self::new(stream, DelayedPingAcks::server())
    }

    /// Wraps a stream on which this side is the HTTP/2 client.
    pub(super) fn client(stream: S) -> Self {
        Self::new(stream, DelayedPingAcks::client())
    }

    fn new(stream: S, pings: DelayedPingAcks) -> Self {
        Self {
            inner: BufWriter::with_capacity(CAPACITY, stream),
            state: State::Clean,
            pings,
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Coalescing<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Coalescing<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let most = match this.pings.next(buf) {
            Part::Held(count) => return Poll::Ready(Ok(count)),
            Part::Pass(most) => most,
        };
        let part = buf.get(..most).unwrap_or(buf);
        let count = ready!(Pin::new(&mut this.inner).poll_write(cx, part))?;
        this.pings.written(count);
        if this.state == State::Clean {
            this.state = State::Written;
        }
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.state == State::Written {
            this.state = State::Yielded;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        while let Some(answers) = this.pings.due(cx) {
            let count = ready!(Pin::new(&mut this.inner).poll_write(cx, answers))?;
            this.pings.answered(count);
        }
        ready!(Pin::new(&mut this.inner).poll_flush(cx))?;
        this.state = State::Clean;
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use tokio::io::AsyncReadExt as _;
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    /// Remembers each write that reaches it.
    #[derive(Default)]
    struct Writes(Vec<Vec<u8>>);

    impl AsyncWrite for Writes {
        fn poll_write(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            buf: &[u8],
        ) -> Poll<io::Result<usize>> {
            self.0.push(buf.to_vec());
            Poll::Ready(Ok(buf.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[tokio::test]
    async fn what_is_written_while_a_flush_yields_goes_with_it() {
        let mut stream = Coalescing::server(Writes::default());
        stream.write_all(b"headers").await.unwrap();
        let mut yielded = false;
        std::future::poll_fn(|cx| {
            let flushed = Pin::new(&mut stream).poll_flush(cx);
            if flushed.is_pending() {
                assert!(!yielded, "a flush yields once");
                yielded = true;
                let written = Pin::new(&mut stream).poll_write(cx, b" and data");
                assert!(matches!(written, Poll::Ready(Ok(9))));
            }
            flushed
        })
        .await
        .unwrap();
        assert!(yielded);
        assert_eq!(stream.inner.get_ref().0, [b"headers and data".to_vec()]);
        stream.flush().await.unwrap();
        assert_eq!(
            stream.inner.get_ref().0.len(),
            1,
            "nothing new is nothing to write"
        );
    }

    #[tokio::test]
    async fn everything_arrives_in_order_and_before_the_end() {
        let (near, mut far) = tokio::io::duplex(64);
        let mut stream = Coalescing::server(near);
        let reader = tokio::spawn(async move {
            let mut all = Vec::new();
            far.read_to_end(&mut all).await.unwrap();
            all
        });
        let sent: Vec<u8> = (0..100_000_u32)
            .map(|number| (number % 251) as u8)
            .collect();
        for (number, part) in sent.chunks(777).enumerate() {
            stream.write_all(part).await.unwrap();
            if number % 3 == 0 {
                stream.flush().await.unwrap();
            }
        }
        stream.shutdown().await.unwrap();
        drop(stream);
        assert!(reader.await.unwrap() == sent);
    }
}
