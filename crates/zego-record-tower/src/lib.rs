//! A tower layer for ZEGOCLOUD's recording callbacks.
//!
//! [`RecordLayer`] puts verification and the delivery guarantees of `zego-record-receiver` in front of
//! any service that takes `http` requests; [`record`] makes a service out of a function. Both respond by
//! themselves: `1` when the callback is handled, and one word when it is rejected.
//!
//! ```
//! use zego_record_tower::{HandlerError, Receiver, RecordCallback, record};
//! # #[derive(Clone)] struct Pool;
//! # impl Pool { async fn insert(&self, _: &[u8; 32], _: &str) -> Result<(), std::io::Error> { Ok(()) } }
//!
//! async fn on_record(pool: Pool, recording: RecordCallback) -> Result<(), HandlerError> {
//!     pool.insert(recording.delivery_key().as_bytes(), recording.replay_url()).await?;
//!     Ok(()) // responds with `1`; an error responds with 500, and ZEGOCLOUD tries again
//! }
//!
//! fn service<B>(receiver: Receiver, pool: Pool) -> impl tower::Service<http::Request<B>> + Clone
//! where
//!     B: http_body::Body<Data: Send> + Send + 'static,
//! {
//!     record(receiver, move |recording: RecordCallback| on_record(pool.clone(), recording))
//! }
//! ```
//!
//! The layer, and what it accepts and rejects:
//!
//! ```
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::{BodyExt, Full};
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//! use zego_record_tower::{
//!     CallbackSecret, Receiver, RecordCallback, RecordLayer, UnixSeconds, Verifier, sign,
//! };
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let secret = CallbackSecret::new("0123456789abcdef0123456789abcdef")?;
//! let receiver = Receiver::builder(Verifier::builder().secret(secret.clone()).build()?).build()?;
//! let service = ServiceBuilder::new()
//!     .layer(RecordLayer::new(receiver))
//!     .service(service_fn(|request: Request<Full<Bytes>>| async move {
//!         let callback = request.extensions().get::<RecordCallback>().ok_or("no callback")?;
//!         println!("{} is at {}", callback.stream_alias(), callback.replay_url());
//!         Ok::<_, &str>(Response::new(Full::<Bytes>::default())) // a 2xx becomes `1`
//!     }));
//!
//! // Accepted.
//! let timestamp = UnixSeconds::from(std::time::SystemTime::now()).to_string();
//! let body = format!(
//!     "event=record&appid=1&stream_alias=lesson-7&replay_url=https%3A%2F%2Fvod.example.com%2F7.mp4&begin_time=1760000000\
//!      &end_time=1760001800&timestamp={timestamp}&nonce=456789&signature={}",
//!     sign(&secret, &timestamp, "456789")
//! );
//! let request = Request::post("/zego/record").body(Full::<Bytes>::from(body))?;
//! let response = service.clone().oneshot(request).await?;
//! assert_eq!(response.status(), 200);
//! assert_eq!(response.into_body().collect().await?.to_bytes(), "1");
//!
//! // Rejected.
//! let request = Request::post("/zego/record").body(Full::<Bytes>::from("stream_alias=lesson-7"))?;
//! let response = service.oneshot(request).await?;
//! assert_eq!(response.status(), 401);
//! assert_eq!(response.into_body().collect().await?.to_bytes(), "unsigned");
//! # Ok(())
//! # }
//! ```
//!
//! An inner service that responds with an error of its own type, and not with a response, has that error
//! passed on: an outer layer that turns it into a 2xx loses the recording.
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
//! Call [`Receiver::shutdown`] when the server is to stop, and wait for it: further callbacks are
//! answered with `503`, and handlers that are running may finish.
//!
//! # What is checked and what is not
//!
//! `zego-record-core` documents the verification, `zego-record-receiver` the guarantees. This crate
//! reads bodies under the receiver's limit and deadline, whatever their framing, and looks neither at the
//! path nor at any header: put it on the one route that ZEGOCLOUD calls.
//!
//! # Features
//!
//! | feature | default | what it adds |
//! |---|---|---|
//! | `tracing` | yes | spans and events: every success, duplicate, failure and rejection |
//! | `metrics` | no | counters, a gauge and a histogram through the `metrics` facade |

mod body;
mod future;
mod handler;
mod inbox;
mod layer;
mod receive;
mod respond;
mod service;

pub use body::ResponseBody;
pub use future::ResponseFuture;
pub use handler::{RecordHandler, record};
pub use inbox::{InboxService, inbox};
pub use layer::RecordLayer;
pub use receive::{accept, receive};
pub use respond::respond;
pub use service::RecordService;
#[doc(no_inline)]
pub use zego_record_core::*;
#[doc(no_inline)]
pub use zego_record_receiver::*;
