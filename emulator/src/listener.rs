//! Listening sockets.

use std::net::SocketAddr;
use std::task::Context;
use std::task::Poll;
use std::task::Waker;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::error::Error;

/// A listening socket that can be taken away and put back at once, from any thread.
pub(crate) struct Listener {
    pub(crate) address: SocketAddr,
    /// Whether there is a socket; a service in this process has none.
    has_socket: bool,
    state: Mutex<ListenerState>,
    /// Grows when every open connection is to be cut.
    pub(crate) cut: watch::Sender<u64>,
}

struct ListenerState {
    is_open: bool,
    listener: Option<TcpListener>,
    waker: Option<Waker>,
}

impl Listener {
    pub(crate) fn open(address: SocketAddr) -> Result<Self, Error> {
        let listener = listen(address)?;
        let address = listener
            .local_addr()
            .map_err(|source| Error::Listen { address, source })?;
        Ok(Self::new(address, Some(listener)))
    }

    /// A listener without a socket, which nothing connects to, at an address that is only a name.
    pub(crate) fn in_process(address: SocketAddr) -> Self {
        Self::new(address, None)
    }

    fn new(address: SocketAddr, listener: Option<TcpListener>) -> Self {
        Self {
            address,
            has_socket: listener.is_some(),
            state: Mutex::new(ListenerState {
                is_open: true,
                listener,
                waker: None,
            }),
            cut: watch::Sender::new(0),
        }
    }

    /// Whether connections are accepted.
    pub(crate) fn is_open(&self) -> bool {
        self.state.lock().is_open
    }

    /// Stops listening and cuts what is connected, or listens again on the same port.
    pub(crate) fn set_open(&self, open: bool) -> Result<(), Error> {
        let mut state = self.state.lock();
        match (open, state.is_open) {
            (true, false) if self.has_socket => state.listener = Some(listen(self.address)?),
            (false, true) => {
                state.listener = None;
                self.cut.send_modify(|generation| *generation += 1);
            }
            _ => {}
        }
        state.is_open = open;
        if let Some(waker) = state.waker.take() {
            waker.wake();
        }
        Ok(())
    }

    /// Lets `serve` serve each connection in a task of its own, until `stop` is true or its sender is gone;
    /// then what is being served ends as well.
    pub(crate) async fn serve_each<Served>(
        &self,
        mut stop: watch::Receiver<bool>,
        serve: impl Fn(TcpStream, SocketAddr) -> Served,
    ) where
        Served: Future<Output = ()> + Send + 'static,
    {
        loop {
            let (tcp, peer) = tokio::select! {
                accepted = self.accept() => accepted,
                _ = stop.wait_for(|stop| *stop) => return,
            };
            let mut stop = stop.clone();
            let served = serve(tcp, peer);
            tokio::spawn(async move {
                tokio::select! {
                    () = served => {}
                    _ = stop.wait_for(|stop| *stop) => {}
                }
            });
        }
    }

    /// The next connection; waits while the socket is away.
    pub(crate) async fn accept(&self) -> (TcpStream, SocketAddr) {
        loop {
            match std::future::poll_fn(|cx| self.poll_accept(cx)).await {
                Ok(accepted) => return accepted,
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    // Most likely out of file descriptors: wait for others to be closed.
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
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
