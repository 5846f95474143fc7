//! What a run of a handler results in, for adapters.

use crate::delivery::HandlerError;

/// The result of a handler and, for an adapter that wraps a service, the service's response.
#[derive(Debug)]
#[non_exhaustive]
pub struct Outcome<T> {
    /// The result that the delivery is settled with.
    pub result: Result<(), HandlerError>,
    /// What [`Pipeline::deliver`](crate::Pipeline::deliver) passes on.
    pub output: T,
}

impl<T> Outcome<T> {
    /// A result with an output.
    pub fn new(result: Result<(), HandlerError>, output: T) -> Self {
        Self { result, output }
    }
}

impl<E: Into<HandlerError>> From<Result<(), E>> for Outcome<()> {
    fn from(result: Result<(), E>) -> Self {
        Self::new(result.map_err(Into::into), ())
    }
}
