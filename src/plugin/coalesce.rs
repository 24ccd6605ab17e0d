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

/// How much is kept until it is flushed; more is written at once.
const CAPACITY: usize = 16 * 1024;

/// A stream whose flush lets every other task that is ready go first.
///
/// HTTP/2 flushes after each frame: headers, data and trailers of one call would be three TLS
/// records, three system calls and three wake-ups of the host.  On the one thread that the plugin
/// runs on, the tasks which have the next frame are ready by the time the flush is asked for, so one
/// turn of the scheduler is all the delay it takes to send them together (docs/performance.md).
pub struct Coalescing<S> {
    inner: BufWriter<S>,
    state: State,
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
    /// Wraps `stream`.
    pub fn new(stream: S) -> Self {
        Self {
            inner: BufWriter::with_capacity(CAPACITY, stream),
            state: State::Clean,
        }
    }
}

impl<S: AsyncWrite + Unpin> Coalescing<S> {
    fn note_written<T>(&mut self, written: &Poll<io::Result<T>>) {
        if self.state == State::Clean && matches!(written, Poll::Ready(Ok(_))) {
            self.state = State::Written;
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
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(cx, buf);
        self.note_written(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(cx, bufs);
        self.note_written(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.state == State::Written {
            self.state = State::Yielded;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        ready!(Pin::new(&mut self.inner).poll_flush(cx))?;
        self.state = State::Clean;
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
        let mut stream = Coalescing::new(Writes::default());
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
        let mut stream = Coalescing::new(near);
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
