//! ZEGOCLOUD's recording callbacks in axum.
//!
//! [`record`] makes a route out of a function, with delivery guarantees. The function takes what else it
//! needs as any other handler does:
//!
//! ```
//! use axum::{Router, extract::State};
//! use zego_record_axum::{HandlerError, Receiver, RecordCallback, record};
//! # #[derive(Clone)] struct Pool;
//! # impl Pool { async fn insert(&self, _: &[u8; 32], _: &str) -> Result<(), std::io::Error> { Ok(()) } }
//!
//! async fn on_record(State(pool): State<Pool>, recording: RecordCallback) -> Result<(), HandlerError> {
//!     pool.insert(recording.delivery_key().as_bytes(), recording.replay_url()).await?;
//!     Ok(()) // responds with `1`; an error responds with 500, and ZEGOCLOUD tries again
//! }
//!
//! fn app(pool: Pool) -> Result<Router, zego_record_axum::ConfigError> {
//!     let receiver = Receiver::from_env()?; // the secrets in ZEGO_CALLBACK_SECRET
//!     Ok(Router::new().route("/zego/record", record(receiver, on_record)).with_state(pool))
//! }
//! ```
//!
//! What it accepts and rejects:
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
//! # Three ways to use it
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
//!
//! # Responses
//!
//! The body of a success is `1`, that of a rejection its code and nothing else. The whole table is that of
//! [`Verdict`]; in short: `401` without a right and fresh signature, `400` for what cannot be read, `422`
//! for what is signed and no recording, `409` for a retry of what is still running, `500` and `503` for
//! what ZEGOCLOUD should send again.
//!
//! # Shutdown
//!
//! Call [`Receiver::shutdown`] when the server is to stop, and wait for it, for example in the
//! future of `with_graceful_shutdown`: further callbacks are
//! answered with `503`, and handlers that are running may finish.
//!
//! # What is checked and what is not
//!
//! `zego-record-core` documents the verification, `zego-record-receiver` the guarantees. The body is
//! read under the receiver's limit and deadline, and axum's `DefaultBodyLimit` has no part in it.
//!
//! `axum::serve` waits for the headers of a request without a limit of time. In front of a public port
//! belongs a proxy that has one, or a server loop of your own with hyper's `header_read_timeout`, as in
//! `examples/tower.rs`.
//!
//! # Features
//!
//! | feature | default | what it adds |
//! |---|---|---|
//! | `tracing` | yes | spans and events: every success, duplicate, failure and rejection |
//! | `metrics` | no | counters, a gauge and a histogram through the `metrics` facade |

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
