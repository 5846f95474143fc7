#![doc = include_str!("../README.md")]
//!
//! ## What is accepted and rejected
//!
//! [`Verdict`](zego_record_core::Verdict) is the table of all responses. Two of them:
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
mod shards;
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
