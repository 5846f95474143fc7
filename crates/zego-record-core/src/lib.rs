//! Reads and verifies the callbacks that ZEGOCLOUD sends when a stream was recorded on a CDN.
//!
//! Bytes go in, and either a [`RecordCallback`] or a [`Rejection`] comes out. There is no network, no
//! async runtime and no clock in here, and nothing is read from outside but environment variables, by
//! the functions that end in `from_env`. The crates for axum, tower, actix-web and warp are built on it.
//!
//! ```
//! use zego_record_core::{CallbackSecret, UnixSeconds, Verdict, Verified, Verifier, sign};
//!
//! let secret = CallbackSecret::new("0123456789abcdef0123456789abcdef")?;
//! let verifier = Verifier::builder().secret(secret.clone()).build()?;
//! let now = UnixSeconds::new(1_760_001_900);
//!
//! // Accepted: signed over timestamp and nonce, and fresh.
//! let signature = sign(&secret, "1760001893", "456789");
//! let body = format!(
//!     "event=record&appid=1234567890&stream_alias=lesson-7&replay_url=https%3A%2F%2Fvod.example.com%2F7.mp4\
//!      &begin_time=1760000000&end_time=1760001800&timestamp=1760001893&nonce=456789&signature={signature}"
//! );
//! let Verified::Record(callback) = verifier.verify(body.as_bytes(), now)? else { panic!("another event") };
//! assert_eq!(callback.replay_url(), "https://vod.example.com/7.mp4");
//!
//! // Rejected: the same request, an hour later.
//! let rejection = verifier.verify(body.as_bytes(), UnixSeconds::new(1_760_005_500)).unwrap_err();
//! assert_eq!(rejection.verdict(), Verdict::Stale);
//! assert_eq!((rejection.verdict().status(), rejection.verdict().body()), (401, "stale"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is checked
//!
//! * The body is UTF-8 and one JSON object, one form, or one JSON object percent-encoded as a whole.
//!   No documented field appears twice, holds a control character or is of a wrong type.
//! * `signature` is the SHA-1 of secret, `timestamp` and `nonce`, sorted as byte strings, by a secret
//!   that is configured for the callback's `appid`. It is compared in constant time.
//! * `timestamp` is ten digits and within the tolerance; `nonce` is short and harmless.
//! * A `record` event has all the fields that it needs.
//!
//! # What is not
//!
//! * The content. The signature does not cover the body, so a callback is *origin-checked*: whoever has
//!   captured one signed request can send another body under the same signature while it is fresh.
//!   `zego-record-receiver` rejects the second body; over plain HTTP nobody can tell which one is genuine.
//! * Playback URLs, unless a [`ReplayUrlPolicy`] is set.
//! * Replays and duplicates. Replay protection and deduplication need a memory, which
//!   `zego-record-receiver` has; [`RecordCallback::delivery_key`] is the idempotency key for your own.
//!
//! # Verdicts
//!
//! [`Verdict`] is the table of all answers, with their status and body. This crate decides the rows from
//! [`Malformed`](Verdict::Malformed) to [`ReplayUrlRefused`](Verdict::ReplayUrlRefused), except
//! [`SignatureReused`](Verdict::SignatureReused).

mod authenticated;
mod callback;
mod config;
mod extra_params;
mod field;
mod hex;
mod identity;
mod rejection;
mod replay_url;
mod secret;
mod signature;
mod stored;
mod time;
mod unverified;
mod verdict;
mod verifier;
mod wire;

pub use authenticated::Authenticated;
pub use callback::{OtherEvent, RecordCallback};
pub use config::{ConfigError, ConfigErrorKind};
pub use extra_params::{ExtraParams, Vendor, VendorParams};
pub use field::Field;
pub use identity::DeliveryKey;
pub use rejection::Rejection;
pub use replay_url::ReplayUrlPolicy;
pub use secret::CallbackSecret;
pub use signature::{Signature, sign};
pub use stored::{RestoreError, RestoreErrorKind};
pub use time::UnixSeconds;
pub use unverified::Unverified;
pub use verdict::Verdict;
pub use verifier::{Verified, Verifier, VerifierBuilder};
pub use wire::WireForm;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
