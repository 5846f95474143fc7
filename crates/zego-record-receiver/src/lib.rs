//! The delivery guarantees for ZEGOCLOUD's recording callbacks, the same for every web framework.
//!
//! A 2xx cannot be taken back: after it ZEGOCLOUD forgets the callback, while after any other response it
//! tries again, five times within 62 seconds. So a [`Receiver`] responds with a 2xx if and only if the
//! handler's effect is done. What it promises:
//!
//! * **At least once, and never twice at the same time.** The handler runs again only where its effect
//!   could not be recorded: after a crash between the two, or in another process while the store cannot
//!   be reached. Write the recording in a transaction with a unique column for its
//!   [`DeliveryKey`](zego_record_core::DeliveryKey), the idempotency key of a callback, and its effect
//!   happens exactly once.
//! * **Deduplication** by the content of a callback, not by its stream: two files of one stream are two
//!   deliveries.
//! * **Replay protection**: a signature that comes with other content is rejected.
//! * A client that disconnects, a panic, a timeout and a shutdown lose nothing.
//!
//! Most users get all of this through `zego-record-axum`, `-actix`, `-warp` or `-tower`. An adapter of
//! your own drives the [`Pipeline`]:
//!
//! ```
//! use zego_record_core::{CallbackSecret, UnixSeconds, Verdict, Verified, Verifier, sign};
//! use zego_record_receiver::{Delivery, HandlerError, Outcome, Receiver};
//!
//! async fn on_record(delivery: Delivery) -> Result<(), HandlerError> {
//!     println!("{} is at {}", delivery.callback().stream_alias(), delivery.callback().replay_url());
//!     Ok(())
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let secret = CallbackSecret::new("0123456789abcdef0123456789abcdef")?;
//! let receiver = Receiver::builder(Verifier::builder().secret(secret.clone()).build()?).build()?;
//! let pipeline = receiver.pipeline();
//!
//! let timestamp = UnixSeconds::from(std::time::SystemTime::now()).to_string();
//! let body = format!(
//!     "event=record&appid=1&stream_alias=lesson-7&replay_url=https%3A%2F%2Fvod.example.com%2F7.mp4&begin_time=1760000000\
//!      &end_time=1760001800&timestamp={timestamp}&nonce=456789&signature={}",
//!     sign(&secret, &timestamp, "456789")
//! );
//!
//! // Accepted.
//! let Verified::Record(callback) = pipeline.verify(body.as_bytes()).await? else { panic!("another event") };
//! let run = async |delivery| Outcome::from(on_record(delivery).await);
//! let (verdict, _) = pipeline.deliver(callback, run).await;
//! assert_eq!((verdict.status(), verdict.body()), (200, "1"));
//!
//! // Rejected: other content under the same signature.
//! let forged = body.replace("lesson-7", "lesson-8");
//! let rejection = pipeline.verify(forged.as_bytes()).await.unwrap_err();
//! assert_eq!(rejection.verdict(), Verdict::SignatureReused);
//! # Ok(())
//! # }
//! ```
//!
//! # What it does not do
//!
//! * Several processes share nothing unless they share a [`DeliveryStore`] and a [`ReplayGuard`]; in
//!   memory, a restart forgets everything.
//! * A handler that blocks its thread cannot be stopped at its timeout.
//! * A forged body that arrives before the genuine one cannot be told from it. That takes a captured
//!   signature, so use HTTPS.
//!
//! # Who uses what
//!
//! Operators configure and stop a receiver: [`Receiver`], [`ReceiverBuilder`], [`Counters`] and the hooks'
//! types. Handlers see [`Delivery`] and return [`HandlerError`]. Adapters drive the [`Pipeline`] and see
//! [`Outcome`] and [`Reply`]. Stores implement [`DeliveryStore`] and [`ReplayGuard`].
//!
//! # Features
//!
//! | feature | default | what it adds |
//! |---|---|---|
//! | `tracing` | yes | a span `zego_record_callback` for every verified callback, with `event_id`, `appid`, `stream`, `attempt` and `verdict`, as a child of the caller's span; an event for every success, duplicate, failure and rejection, with the target `zego_record`. What a peer can cause is rate-limited, and its texts are cut |
//! | `metrics` | no | the figures of [`Counters`] through the `metrics` facade: `zego_record_answers_total` by `verdict`, further counters, the gauge `zego_record_handlers_in_flight` and the histogram `zego_record_handler_seconds` |
//! | `axum`, `actix` | no | [`HandlerError`] as a response of the framework, for its adapter |

mod background;
mod builder;
mod clock;
mod concurrency;
mod config;
mod delivery;
#[cfg(any(feature = "axum", feature = "actix"))]
mod framework;
mod guard;
mod hooks;
mod inbox;
mod missing_retry;
mod outcome;
mod panics;
mod pending;
mod pipeline;
mod quarantine;
mod rate_limit;
mod receiver;
mod reply;
mod skew;
mod store;
pub mod support;
mod sync;
mod telemetry;

pub use builder::{ReceiverBuilder, StoreFailure};
pub use clock::{Clock, SystemClock};
pub use delivery::{Delivery, HandlerError, HandlerErrorKind};
pub use guard::{Binding, MemoryGuard, ReplayCheck, ReplayGuard, ReplayProtection};
pub use hooks::{Abandoned, Delivered, Quarantined, Rejected};
pub use inbox::{Accept, Accepted, InboxReceiver, NewCallback};
pub use outcome::Outcome;
pub use pipeline::Pipeline;
pub use receiver::Receiver;
pub use reply::{RejectionBody, Reply};
pub use store::{
    BoxFuture, Claim, ClaimOutcome, DeliveryRecord, DeliveryState, DeliveryStore, Lease,
    MemoryStore, Owner, Settled, Settlement, StoreError, StoreErrorKind,
};
pub use telemetry::Counters;
