//! Wakes workers of the same process.

use tokio::sync::watch;

/// Reports that there may be something to claim, to workers of the same process.
///
/// A store has one and calls [`notify`](Self::notify) after each commit that makes a callback due. A
/// worker that is told nothing polls.
#[derive(Clone, Debug)]
pub struct Arrivals(watch::Sender<()>);

/// What a worker waits for. An arrival since it was made, or since the last wait, is not missed.
#[derive(Debug)]
pub(crate) struct Arrival(watch::Receiver<()>);

impl Arrivals {
    /// Nobody is notified yet.
    pub fn new() -> Self {
        Self(watch::Sender::new(()))
    }

    /// Wakes every worker.
    pub fn notify(&self) {
        self.0.send_replace(());
    }

    pub(crate) fn subscribe(&self) -> Arrival {
        Arrival(self.0.subscribe())
    }
}

impl Default for Arrivals {
    fn default() -> Self {
        Self::new()
    }
}

impl Arrival {
    /// Waits for the next one, for ever if the store is gone.
    pub(crate) async fn wait(&mut self) {
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Forgets what has arrived so far.
    pub(crate) fn clear(&mut self) {
        self.0.mark_unchanged();
    }
}
