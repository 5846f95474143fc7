#![doc = include_str!("../README.md")]
//!
//! ## What is accepted and rejected
//!
//! [`Verdict`] is the table of all responses. Two of them:
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
//! ## Three ways to use it
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
//! ## They respond, they never reject
//!
//! When a filter rejects, warp tries the next route, and responds by itself if no route takes the request.
//! A rejected callback must not reach another route, so both filters respond to every request.
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
