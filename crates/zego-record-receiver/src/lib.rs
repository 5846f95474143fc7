//! The delivery guarantees for ZEGOCLOUD's recording callbacks, the same for every web framework.
//!
//! A 2xx cannot be taken back: after it ZEGOCLOUD forgets the callback, while after anything else it
//! tries again, five times within 62 seconds. So a [`Receiver`] answers 2xx if and only if the
//! handler's effect is done. What it promises:
//!
//! * Your handler runs at least once, and never twice at the same time for one delivery.
//! * It can run again only where its effect could not be recorded: after a crash between the two, or
//!   in another process while the store cannot be reached. Write the delivery in the same transaction
//!   as the effect, under a unique key, and the effect happens exactly once.
//! * A client that goes away, a panic, a timeout and a shutdown lose nothing.
//!
//! ```
//! use std::time::Duration;
//! use zego_record_core::{CallbackSecret, UnixSeconds, Verdict, Verifier, sign};
//! use zego_record_receiver::{Delivery, HandlerError, Receiver};
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
//!
//! let timestamp = UnixSeconds::from(std::time::SystemTime::now()).to_string();
//! let body = format!(
//!     "event=record&appid=1&stream_alias=lesson-7&replay_url=https%3A%2F%2Fvod.example.com%2F7.mp4&begin_time=1760000000\
//!      &end_time=1760001800&timestamp={timestamp}&nonce=456789&signature={}",
//!     sign(&secret, &timestamp, "456789")
//! );
//!
//! // Accepted.
//! let admitted = receiver.admit(body.as_bytes()).await.expect("signed and fresh");
//! let (answer, _) = receiver.deliver(admitted, on_record).await;
//! assert_eq!((answer.status(), answer.body()), (200, "1"));
//!
//! // Rejected: other content under the same signature.
//! let forged = body.replace("lesson-7", "lesson-8");
//! let answer = receiver.admit(forged.as_bytes()).await.unwrap_err();
//! assert_eq!((answer.status(), answer.kind()), (422, Verdict::SignatureReused));
//! # Ok(())
//! # }
//! ```
//!
//! # What it does not do
//!
//! * Several processes share nothing unless they are given a [`DeliveryStore`] and a [`ReplayGuard`]
//!   that they share; in memory, a restart forgets everything.
//! * A handler that blocks its thread cannot be stopped at its timeout.
//! * A forged body that arrives before the genuine one cannot be told from it. It needs a captured
//!   signature, so use HTTPS.
//!
//! # Features
//!
//! | feature | what it adds |
//! |---|---|
//! | `tracing` | a span `zego_record_callback` for every callback that was verified, with `event_id`, `appid`, `stream`, `attempt` and `verdict`; rejections (ten a second at most), failures and faults as events. The target of all is `zego_record` |
//! | `metrics` | what [`Counters`] has, through the `metrics` facade: `zego_record_answers_total` by `verdict`, `zego_record_accepted_total`, `zego_record_signatures_reused_total`, `zego_record_guard_evictions_total`, `zego_record_guard_fallbacks_total`, `zego_record_store_evictions_total`, and the gauge `zego_record_handlers_in_flight` |

mod abandoned;
mod answer;
mod body;
mod builder;
mod clock;
mod counters;
mod delivery;
mod gate;
mod guard;
mod hooks;
mod memory_store;
mod receiver;
mod report;
mod road;
mod skew;
mod state;
mod store;
mod sync;
mod unwritten;

pub use answer::Answer;
pub use builder::{ReceiverBuilder, StoreFailure};
pub use clock::{Clock, SystemClock};
pub use counters::Counters;
pub use delivery::{Delivery, HandlerError};
pub use guard::{Binding, GuardMode, MemoryGuard, ReplayCheck, ReplayGuard};
pub use hooks::{Abandoned, Quarantined};
pub use memory_store::MemoryStore;
pub use receiver::{Admitted, Receiver};
pub use road::{IntoOutcome, Outcome};
pub use state::{DeliveryRecord, DeliveryState};
pub use store::{
    BoxFuture, Claim, ClaimOutcome, DeliveryStore, Lease, Owner, Settled, Settlement, StoreError,
    StoreErrorKind,
};
