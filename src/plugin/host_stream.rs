//! What is written to the host: whole frames, in one write a flush, and answers to pings later.

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

/// A stream to the host whose answers to pings wait a little ([`DelayedPingAcks`]).
///
/// They are found by following the frames one by one.  So that each frame is not a TLS record and a
/// system call of its own for that, everything is kept until the flush.
pub(super) struct HostStream<S> {
    inner: BufWriter<S>,
    pings: DelayedPingAcks,
}

impl<S: AsyncWrite> HostStream<S> {
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
            pings,
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for HostStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for HostStream<S> {
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
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        while let Some(answers) = this.pings.due(cx) {
            let count = ready!(Pin::new(&mut this.inner).poll_write(cx, answers))?;
            this.pings.answered(count);
        }
        Pin::new(&mut this.inner).poll_flush(cx)
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
    async fn frames_of_one_flush_are_one_write() {
        let mut stream = HostStream::server(Writes::default());
        let frame = |payload: &[u8]| {
            let length = u8::try_from(payload.len()).unwrap();
            [&[0, 0, length, 0, 0, 0, 0, 0, 1], payload].concat()
        };
        let frames = [frame(b"headers"), frame(b"data")].concat();
        stream.write_all(&frames).await.unwrap();
        assert!(stream.inner.get_ref().0.is_empty());
        stream.flush().await.unwrap();
        stream.flush().await.unwrap();
        assert_eq!(stream.inner.get_ref().0, [frames]);
    }

    #[tokio::test]
    async fn everything_arrives_in_order_and_before_the_end() {
        let (near, mut far) = tokio::io::duplex(64);
        let mut stream = HostStream::server(near);
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
