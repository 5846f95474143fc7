//! A route for an inbox.

use axum::routing::{MethodRouter, any_service};
use zego_record_receiver::InboxReceiver;

/// A route that commits recording callbacks to an inbox and answers them with `1`. A worker, in this
/// process or another one, runs the handler afterwards, for as long as it takes.
///
/// ```
/// use axum::Router;
/// use zego_record_axum::{Accept, CallbackSecret, ConfigError, Receiver, Verifier, inbox};
///
/// fn app(store: impl Accept + 'static) -> Result<Router, ConfigError> {
///     let secrets = CallbackSecret::list_from_env("ZEGO_CALLBACK_SECRET")?;
///     let verifier = Verifier::builder().secrets(secrets).build()?;
///     let receiver = Receiver::builder(verifier).build_with_inbox(store)?;
///     Ok(Router::new().route("/zego/record", inbox(receiver)))
/// }
/// ```
///
/// Other methods than `POST` are answered with `405`.
pub fn inbox<S>(receiver: InboxReceiver) -> MethodRouter<S>
where
    S: Clone + Send + Sync + 'static,
{
    any_service(zego_record_tower::inbox(receiver))
}
