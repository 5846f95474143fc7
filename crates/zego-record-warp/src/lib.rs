//! ZEGOCLOUD's recording callbacks in warp.
//!
//! [`record`] makes a filter out of a function, with delivery guarantees. A closure passes on what else
//! the function needs:
//!
//! ```
//! use warp::Filter;
//! use zego_record_warp::{HandlerError, Receiver, RecordCallback, record};
//! # #[derive(Clone)] struct Pool;
//! # impl Pool { async fn insert(&self, _: &[u8; 32], _: &str) -> Result<(), std::io::Error> { Ok(()) } }
//!
//! async fn on_record(pool: Pool, recording: RecordCallback) -> Result<(), HandlerError> {
//!     pool.insert(recording.delivery_key().as_bytes(), recording.replay_url()).await?;
//!     Ok(()) // responds with `1`; an error responds with 500, and ZEGOCLOUD tries again
//! }
//!
//! fn routes(receiver: Receiver, pool: Pool) -> warp::filters::BoxedFilter<(impl warp::Reply,)> {
//!     let on_record = move |recording: RecordCallback| on_record(pool.clone(), recording);
//!     warp::path!("zego" / "record").and(record(receiver, on_record)).boxed()
//! }
//! ```
//!
//! What it accepts and rejects:
//!
//! ```
//! use warp::Filter;
//! use zego_record_warp::{
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
//! let routes = warp::path!("zego" / "record").and(record(receiver, on_record));
//!
//! // Accepted.
//! let timestamp = UnixSeconds::from(std::time::SystemTime::now()).to_string();
//! let body = format!(
//!     "event=record&appid=1&stream_alias=lesson-7&replay_url=https%3A%2F%2Fvod.example.com%2F7.mp4&begin_time=1760000000\
//!      &end_time=1760001800&timestamp={timestamp}&nonce=456789&signature={}",
//!     sign(&secret, &timestamp, "456789")
//! );
//! let response = warp::test::request().method("POST").path("/zego/record").body(body).reply(&routes).await;
//! assert_eq!(response.status(), 200);
//! assert_eq!(response.body(), "1");
//!
//! // Rejected.
//! let body = "stream_alias=lesson-7";
//! let response = warp::test::request().method("POST").path("/zego/record").body(body).reply(&routes).await;
//! assert_eq!(response.status(), 401);
//! assert_eq!(response.body(), "unsigned");
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
//! | [`record`], a filter for a function | yes | yes | by itself |
//! | [`RecordLayer`] around `warp::service`, with [`verified`] or `warp::ext::get::<RecordCallback>()` inside | yes | yes | by itself |
//! | [`verified`], a filter for a function | yes | no: a retry runs the handler again, a disconnect drops it, a panic closes the connection | rejections by itself, success by [`Ack`] |
//!
//! The filter that only verifies:
//!
//! ```
//! use warp::{Filter, Reply};
//! use zego_record_warp::{Ack, Receiver, RecordCallback, verified};
//!
//! async fn on_record(recording: RecordCallback) -> Ack {
//!     println!("{} is at {}", recording.stream_alias(), recording.replay_url());
//!     Ack
//! }
//!
//! fn routes(receiver: Receiver) -> impl Filter<Extract = (impl Reply,), Error = warp::Rejection> + Clone {
//!     warp::path!("zego" / "record").and(verified(receiver, on_record))
//! }
//! ```
//!
//! # They respond, they never reject
//!
//! To warp a rejection is an invitation to the next route, and what no route wants warp answers in its own
//! words. A rejected callback must not get there, so both filters respond to everything that gets to them.
//! Their error type is [`Infallible`](std::convert::Infallible), with which warp does not compile a route
//! behind them that could never be reached; with a path in front they compose with `or`, `with`, `recover`
//! and `boxed` like any other filter:
//!
//! ```
//! use warp::Filter;
//! use zego_record_warp::{HandlerError, Receiver, RecordCallback, record};
//!
//! # async fn on_record(_: RecordCallback) -> Result<(), HandlerError> { Ok(()) }
//! # fn routes(receiver: Receiver) -> warp::filters::BoxedFilter<(impl warp::Reply,)> {
//! let zego = warp::path!("zego" / "record").and(record(receiver, on_record));
//! let health = warp::path!("health").map(|| "ok");
//! zego.or(health).with(warp::log("http")).boxed()
//! # }
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
//! future of `graceful`: further callbacks are
//! answered with `503`, and handlers that are running may finish.
//!
//! # What is checked and what is not
//!
//! `zego-record-core` documents the verification, `zego-record-receiver` the guarantees. The body is
//! read under the receiver's limit and deadline; `warp::body::content_length_limit` in front would
//! reject. A filter in front that takes the body, such as `warp::body::json`, leaves nothing to verify,
//! and the callback is rejected. warp waits for the headers of a request without a limit of time: put a
//! proxy in front of a public port.
//!
//! # Features
//!
//! | feature | default | what it adds |
//! |---|---|---|
//! | `tracing` | yes | spans and events: every success, duplicate, failure and rejection |
//! | `metrics` | no | counters, a gauge and a histogram through the `metrics` facade |

mod filters;
mod inbox;
mod receive;
mod reply;

pub use filters::{record, verified};
pub use inbox::inbox;
pub use reply::Ack;
#[doc(no_inline)]
pub use zego_record_core::*;
#[doc(no_inline)]
pub use zego_record_receiver::*;
#[doc(no_inline)]
pub use zego_record_tower::{RecordLayer, RecordService, ResponseBody};
