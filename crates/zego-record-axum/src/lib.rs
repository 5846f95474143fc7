//! ZEGOCLOUD's recording callbacks in axum.
//!
//! [`record`] makes a route out of a function, with all delivery guarantees:
//!
//! ```
//! use axum::{Router, body::Body, http::Request};
//! use http_body_util::BodyExt;
//! use tower::ServiceExt;
//! use zego_record_axum::{HandlerError, Receiver, RecordCallback, record};
//! use zego_record_core::{CallbackSecret, UnixSeconds, Verifier, sign};
//!
//! async fn on_record(recording: RecordCallback) -> Result<(), HandlerError> {
//!     println!("{} is at {}", recording.stream_alias(), recording.replay_url());
//!     Ok(())
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
//! # Three ways to use it
//!
//! | | verification, replay guard | one run for each delivery, own task, timeout | answers |
//! |---|---|---|---|
//! | [`record`], a route | yes | yes | by itself |
//! | [`RecordLayer`] around a route, with [`Record`] or `Extension<RecordCallback>` inside | yes | yes | by itself |
//! | [`Record`], an extractor alone | yes | no: a retry runs the handler again | rejections by itself, success by [`Ack`] |
//!
//! The extractor takes the receiver from the state:
//!
//! ```
//! use axum::{Router, routing::post};
//! use zego_record_axum::{Ack, Receiver, Record};
//!
//! async fn on_record(Record(recording): Record) -> Ack {
//!     println!("{} is at {}", recording.stream_alias(), recording.replay_url());
//!     Ack
//! }
//!
//! fn app(receiver: Receiver) -> Router {
//!     Router::new().route("/zego/record", post(on_record)).with_state(receiver)
//! }
//! ```
//!
//! # What is checked and what is not
//!
//! See `zego-record-core` for the verification and `zego-record-receiver` for the guarantees. The body
//! is read under the receiver's limit and deadline, and axum's `DefaultBodyLimit` has no part in it.
//!
//! # Features
//!
//! | feature | what it adds |
//! |---|---|
//! | `tracing` | spans and events of `zego-record-receiver` |
//! | `metrics` | counters of `zego-record-receiver` through the `metrics` facade |

mod ack;
mod extract;
mod route;

pub use ack::Ack;
pub use extract::{Record, RecordRejection};
pub use route::record;
pub use zego_record_core::RecordCallback;
pub use zego_record_receiver::{Delivery, HandlerError, Receiver};
pub use zego_record_tower::{RecordLayer, RecordService};
