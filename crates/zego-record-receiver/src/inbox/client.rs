//! The inbox as the pipeline uses it: with timeouts and tries, and panics contained.

use std::sync::Arc;
use std::time::Duration;

use super::contract::{Accept, Accepted, NewCallback};
use crate::guard::{Binding, ReplayCheck};
use crate::store::{StoreError, try_again};

#[derive(Debug)]
pub(crate) struct InboxClient {
    inbox: Arc<dyn Accept>,
    timeout: Duration,
}

impl InboxClient {
    pub(crate) fn new(inbox: Arc<dyn Accept>, timeout: Duration) -> Self {
        Self { inbox, timeout }
    }

    /// Trying again is safe: what an unknown commit has stored is known the next time.
    pub(crate) async fn accept(&self, callback: &NewCallback) -> Result<Accepted, StoreError> {
        try_again(self.timeout, || self.inbox.accept(callback)).await
    }

    pub(crate) async fn bind(&self, check: &ReplayCheck) -> Result<Binding, StoreError> {
        try_again(self.timeout, || self.inbox.bind(check)).await
    }
}
