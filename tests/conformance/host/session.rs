//! The session of a container plugin, from the host's side: one connection with yamux on it, and
//! listeners that take its streams as those of go-plugin do.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::path::Path;
use std::sync::Arc;
use std::task::Poll;

use parking_lot::Mutex;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::net::UnixStream;
use tokio::sync::Notify;
use tokio::sync::Semaphore;
use tokio::sync::mpsc;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tokio_util::compat::FuturesAsyncReadCompatExt;
use tokio_util::compat::TokioAsyncReadCompatExt;
use tonic::Streaming;
use vault_plugin_secrets_astra::proto::plugin::ConnInfo;
use vault_plugin_secrets_astra::proto::plugin::conn_info::Knock;

/// What TLS runs on.
pub(crate) trait Bytes: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Bytes for T {}

/// A connection of any kind.
pub(crate) type Wire = Box<dyn Bytes>;

/// What the host does with the next knocks.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) enum KnockReply {
    /// It opens the listener and says so.
    #[default]
    Open,
    /// It says that there is no such listener, this many times, and then opens.
    Refusing(usize),
    /// It opens the listener and says nothing until [`Session::answer`].
    Silent,
    /// It says that the listener is open, and nothing takes the stream.
    Deserted,
}

/// The host's end of the session.
#[derive(Clone)]
pub(crate) struct Session(Arc<State>);

struct State {
    open: mpsc::UnboundedSender<oneshot::Sender<Wire>>,
    /// Streams of the plugin that no listener has taken, oldest first.
    backlog: Mutex<VecDeque<Wire>>,
    arrived: Notify,
    driver: AbortHandle,
    knock_reply: Mutex<KnockReply>,
    /// Which ids were knocked for.
    knocks: Mutex<Vec<u32>>,
    unanswered: Mutex<Vec<u32>>,
    listeners: Mutex<Vec<(u32, Arc<Semaphore>)>>,
}

/// One listener of the host: a knock lets it take one stream.
pub(crate) struct Listener {
    session: Session,
    permits: Arc<Semaphore>,
}

impl Session {
    /// Connects as a host does: once.
    pub(crate) async fn connect(socket: &Path) -> Self {
        let socket = UnixStream::connect(socket).await.unwrap();
        let (open, mut asked) = mpsc::unbounded_channel::<oneshot::Sender<Wire>>();
        let (arriving, mut arrivals) = mpsc::unbounded_channel::<Wire>();
        let driver = tokio::spawn(async move {
            let config = yamux::Config::default();
            let mut session = yamux::Connection::new(socket.compat(), config, yamux::Mode::Client);
            let mut waiting: VecDeque<oneshot::Sender<Wire>> = VecDeque::new();
            poll_fn(|cx| {
                loop {
                    while let Poll::Ready(Some(answer)) = asked.poll_recv(cx) {
                        waiting.push_back(answer);
                    }
                    if !waiting.is_empty()
                        && let Poll::Ready(stream) = session.poll_new_outbound(cx)
                    {
                        let answer = waiting.pop_front().unwrap();
                        if let Ok(stream) = stream {
                            let _ = answer.send(Box::new(stream.compat()));
                        }
                        continue;
                    }
                    match session.poll_next_inbound(cx) {
                        Poll::Ready(Some(Ok(stream))) => {
                            let _ = arriving.send(Box::new(stream.compat()));
                        }
                        Poll::Ready(_) => return Poll::Ready(()),
                        Poll::Pending => return Poll::Pending,
                    }
                }
            })
            .await;
        });
        let session = Self(Arc::new(State {
            open,
            backlog: Mutex::default(),
            arrived: Notify::new(),
            driver: driver.abort_handle(),
            knock_reply: Mutex::default(),
            knocks: Mutex::default(),
            unanswered: Mutex::default(),
            listeners: Mutex::default(),
        }));
        let shared = session.clone();
        tokio::spawn(async move {
            while let Some(stream) = arrivals.recv().await {
                shared.0.backlog.lock().push_back(stream);
                shared.0.arrived.notify_one();
            }
        });
        session
    }

    /// A new stream towards the plugin.
    pub(crate) async fn open(&self) -> std::io::Result<Wire> {
        let (sender, receiver) = oneshot::channel();
        let _ = self.0.open.send(sender);
        receiver.await.map_err(std::io::Error::other)
    }

    /// The oldest stream of the plugin, no matter who it was opened for.
    pub(crate) async fn accept(&self) -> Wire {
        loop {
            if let Some(stream) = self.0.backlog.lock().pop_front() {
                return stream;
            }
            self.0.arrived.notified().await;
        }
    }

    /// How many streams of the plugin nothing has taken.
    pub(crate) fn backlog(&self) -> usize {
        self.0.backlog.lock().len()
    }

    pub(crate) fn set_knock_reply(&self, knock_reply: KnockReply) {
        *self.0.knock_reply.lock() = knock_reply;
    }

    /// The ids that the plugin knocked for.
    pub(crate) fn knocks(&self) -> Vec<u32> {
        self.0.knocks.lock().clone()
    }

    /// The knocks for which a listener was opened and which the plugin was not told of.
    pub(crate) fn take_unanswered(&self) -> Vec<u32> {
        std::mem::take(&mut *self.0.unanswered.lock())
    }

    /// A listener with the id `id`.
    pub(crate) fn listen(&self, id: u32) -> Listener {
        let permits = Arc::new(Semaphore::new(0));
        let mut listeners = self.0.listeners.lock();
        listeners.push((id, permits.clone()));
        Listener {
            session: self.clone(),
            permits,
        }
    }

    /// Ends the connection without a word.
    pub(crate) fn cut(&self) {
        self.0.driver.abort();
    }

    /// Answers the knocks that come on the plugin's half of the broker stream, until that ends.
    pub(crate) async fn answer_knocks(
        self,
        mut plugin: Streaming<ConnInfo>,
        host: mpsc::WeakSender<ConnInfo>,
    ) {
        while let Ok(Some(message)) = plugin.message().await {
            let id = message.service_id;
            let knock = message.knock.expect("the plugin sends knocks only");
            assert!(knock.knock && !knock.ack && knock.error.is_empty());
            assert_eq!((message.network, message.address), Default::default());
            if let Some(answer) = self.knocked(id)
                && let Some(host) = host.upgrade()
            {
                let _ = host.send(answer).await;
            }
        }
    }

    fn knocked(&self, id: u32) -> Option<ConnInfo> {
        self.0.knocks.lock().push(id);
        let mut knock_reply = self.0.knock_reply.lock();
        match &mut *knock_reply {
            KnockReply::Refusing(0) => *knock_reply = KnockReply::Open,
            KnockReply::Refusing(times) => {
                *times -= 1;
                return Some(answer(id, &format!("no listener for id {id}")));
            }
            KnockReply::Open | KnockReply::Silent | KnockReply::Deserted => {}
        }
        if *knock_reply == KnockReply::Deserted {
            return Some(answer(id, ""));
        }
        let listeners = self.0.listeners.lock();
        let Some((_, permits)) = listeners.iter().find(|(listener, _)| *listener == id) else {
            return Some(answer(id, &format!("no listener for id {id}")));
        };
        permits.add_permits(1);
        if *knock_reply == KnockReply::Silent {
            self.0.unanswered.lock().push(id);
            return None;
        }
        Some(answer(id, ""))
    }
}

/// The acknowledgement of a knock for `id`, or with an error its refusal.
pub(crate) fn answer(id: u32, error: &str) -> ConnInfo {
    ConnInfo {
        service_id: id,
        knock: Some(Knock {
            knock: true,
            ack: true,
            error: error.to_owned(),
        }),
        ..ConnInfo::default()
    }
}

impl Listener {
    /// The next stream, once a knock has come.
    pub(crate) async fn accept(&self) -> Wire {
        self.permits.acquire().await.unwrap().forget();
        self.session.accept().await
    }
}
