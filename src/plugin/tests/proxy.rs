//! A socket in front of another one, whose connections can be counted and cut.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UnixListener;
use tokio::net::UnixStream;
use tokio::sync::watch;

pub(super) struct Proxy {
    pub socket: PathBuf,
    open: Arc<watch::Sender<usize>>,
    total: Arc<watch::Sender<usize>>,
    cut: Arc<watch::Sender<usize>>,
}

struct Open(Arc<watch::Sender<usize>>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.send_modify(|open| *open -= 1);
    }
}

impl Proxy {
    pub(super) fn start(socket: PathBuf, target: &Path) -> Self {
        let listener = UnixListener::bind(&socket).unwrap();
        let proxy = Self {
            socket,
            open: Arc::default(),
            total: Arc::default(),
            cut: Arc::default(),
        };
        let (open, total, cut) = (
            Arc::clone(&proxy.open),
            Arc::clone(&proxy.total),
            Arc::clone(&proxy.cut),
        );
        let target = target.to_owned();
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                open.send_modify(|open| *open += 1);
                total.send_modify(|total| *total += 1);
                let counted = Open(Arc::clone(&open));
                let mut cuts = cut.subscribe();
                let target = target.clone();
                tokio::spawn(async move {
                    let _counted = counted;
                    let mut far = UnixStream::connect(target).await.unwrap();
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                        _ = cuts.changed() => {}
                    }
                });
            }
        });
        proxy
    }

    /// Breaks all connections.
    pub(super) fn cut(&self) {
        self.cut.send_modify(|cuts| *cuts += 1);
    }

    /// How many connections there have been.
    pub(super) fn total(&self) -> usize {
        *self.total.borrow()
    }

    /// Waits until `count` connections are open.
    pub(super) async fn has_open(&self, count: usize) {
        let mut open = self.open.subscribe();
        let reached = tokio::time::timeout(
            Duration::from_secs(120),
            open.wait_for(|open| *open == count),
        )
        .await;
        assert!(
            matches!(reached, Ok(Ok(_))),
            "{} connections are open",
            *self.open.borrow()
        );
    }
}
