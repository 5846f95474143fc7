//! Several handles to one store, used in turn.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Enough for racers to meet in one handle and in different ones.
const HANDLES: usize = 4;

pub(crate) struct Handles<S: ?Sized> {
    handles: Vec<Arc<S>>,
    turn: AtomicUsize,
}

impl<S: ?Sized> Handles<S> {
    pub(crate) fn one(handle: Arc<S>) -> Self {
        Self::new(vec![handle])
    }

    pub(crate) async fn open<O: Future<Output = Arc<S>>>(open: impl Fn() -> O) -> Self {
        let mut handles = Vec::with_capacity(HANDLES);
        for _ in 0..HANDLES {
            handles.push(open().await);
        }
        Self::new(handles)
    }

    fn new(handles: Vec<Arc<S>>) -> Self {
        Self {
            handles,
            turn: AtomicUsize::new(0),
        }
    }

    /// The next one: what one handle has written, another must see.
    pub(crate) fn next(&self) -> Arc<S> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        Arc::clone(&self.handles[turn % self.handles.len()])
    }
}
