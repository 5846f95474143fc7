#![doc = include_str!("../README.md")]
//!
//! ## What is accepted and rejected
//!
//! [`Verdict`] is the table of all responses. Two of them:
//!
//! ```
//! use axum::{Router, body::Body, http::Request};
//! use http_body_util::BodyExt;
//! use tower::ServiceExt;
//! use zego_record_axum::{
//!     CallbackSecret, HandlerError, Receiver, RecordCallback, UnixSeconds, Verifier, record, sign,
//! };
//!
//! async fn on_record(recording: RecordCallback) -> Result<(), HandlerError> {
//!     println!("{} is at {}", recording.stream_alias(), recording.replay_url());
//!     Ok(()) // responds with `1`; an error responds with 500, and ZEGOCLOUD tries again
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let secret = CallbackSecret::new("0123456789abcdef0123456789abcdef")?;
//! let receiver = Receiver::builder(Verifier::builder().secret(secret.clone()).build()?).build()?;
//! let app: Router = Router::new().route("/zego/record", record(receiver, on_record));
//!
//! // Accepted.
//! let timestamp = UnixSeconds::from(std::time::SystemTime::now()).to_string();
//! let body = format!(
//!     "event=record&appid=1&stream_alias=lesson-7&replay_url=https%3A%2F%2Fvod.example.com%2F7.mp4&begin_time=1760000000\
//!      &end_time=1760001800&timestamp={timestamp}&nonce=456789&signature={}",
//!     sign(&secret, &timestamp, "456789")
//! );
//! let request = Request::post("/zego/record").body(Body::from(body))?;
//! let response = app.clone().oneshot(request).await?;
//! assert_eq!(response.status(), 200);
//! assert_eq!(response.into_body().collect().await?.to_bytes(), "1");
//!
//! // Rejected.
//! let request = Request::post("/zego/record").body(Body::from("stream_alias=lesson-7"))?;
//! let response = app.oneshot(request).await?;
//! assert_eq!(response.status(), 401);
//! assert_eq!(response.into_body().collect().await?.to_bytes(), "unsigned");
//! # Ok(())
//! # }
//! ```
//!
//! [`Receiver::from_env`] takes the secrets from the environment instead.
//!
//! ## Three ways to use it
//!
//! | | verification, replay protection | deduplication, timeout, own task, waited for by `shutdown` | responses |
//! |---|---|---|---|
//! | [`record`], a route for a function | yes | yes | by itself |
//! | [`RecordLayer`] around a route, with [`Record`] inside | yes | yes | by itself; the handler returns any response, or `Result<Ack, HandlerError>` |
//! | [`Record`], an extractor alone | yes | no: a retry runs the handler again, a disconnect drops it, a panic closes the connection | rejections by itself, success by [`Ack`] |
//!
//! The extractor takes the receiver from the state:
//!
//! ```
//! use axum::{Router, routing::post};
//! use zego_record_axum::{Ack, HandlerError, Receiver, Record};
//!
//! async fn on_record(Record(recording): Record) -> Result<Ack, HandlerError> {
//!     if recording.stream_alias().starts_with("test-") {
//!         return Err(HandlerError::discard("a test stream")); // `1`, and never again
//!     }
//!     Ok(Ack)
//! }
//!
//! fn app(receiver: Receiver) -> Router {
//!     Router::new().route("/zego/record", post(on_record)).with_state(receiver)
//! }
//! ```

mod ack;
mod extract;
mod handler;
mod inbox;
mod route;

pub use ack::Ack;
pub use extract::{Record, RecordRejection};
pub use handler::{Call, RecordHandler, Running};
pub use inbox::inbox;
pub use route::record;
#[doc(no_inline)]
pub use zego_record_core::*;
#[doc(no_inline)]
pub use zego_record_receiver::*;
#[doc(no_inline)]
pub use zego_record_tower::{RecordLayer, RecordService, ResponseBody};
