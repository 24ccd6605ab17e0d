//! Listening sockets.

use std::net::SocketAddr;
use std::task::Context;
use std::task::Poll;
use std::task::Waker;

use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::error::Error;

/// A listening socket that can be taken away and put back at once, from any thread.
pub(crate) struct Listener {
    pub(crate) address: SocketAddr,
    state: Mutex<ListenerState>,
    /// Grows when every open connection is to be cut.
    pub(crate) cut: watch::Sender<u64>,
}

struct ListenerState {
    listener: Option<TcpListener>,
    waker: Option<Waker>,
}

impl Listener {
    pub(crate) fn open(address: SocketAddr) -> Result<Self, Error> {
        let listener = listen(address)?;
        let address = listener
            .local_addr()
            .map_err(|source| Error::Listen { address, source })?;
        Ok(Self {
            address,
            state: Mutex::new(ListenerState {
                listener: Some(listener),
                waker: None,
            }),
            cut: watch::Sender::new(0),
        })
    }

    /// Stops listening and cuts what is connected, or listens again on the same port.
    pub(crate) fn set_open(&self, open: bool) -> Result<(), Error> {
        let mut state = self.state.lock();
        match (open, state.listener.is_some()) {
            (true, false) => state.listener = Some(listen(self.address)?),
            (false, true) => {
                state.listener = None;
                self.cut.send_modify(|generation| *generation += 1);
            }
            _ => {}
        }
        if let Some(waker) = state.waker.take() {
            waker.wake();
        }
        Ok(())
    }

    /// The next connection; waits while the socket is away.
    pub(crate) async fn accept(&self) -> std::io::Result<(TcpStream, SocketAddr)> {
        std::future::poll_fn(|cx| self.poll_accept(cx)).await
    }

    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<std::io::Result<(TcpStream, SocketAddr)>> {
        let mut state = self.state.lock();
        state.waker = Some(cx.waker().clone());
        match &state.listener {
            Some(listener) => listener.poll_accept(cx),
            None => Poll::Pending,
        }
    }
}

fn listen(address: SocketAddr) -> Result<TcpListener, Error> {
    if !address.ip().is_loopback() {
        return Err(Error::NotLoopback(address));
    }
    let bind = || {
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        TcpListener::from_std(listener)
    };
    bind().map_err(|source| Error::Listen { address, source })
}
