//! A tower layer for ZEGOCLOUD's recording callbacks.
//!
//! [`RecordLayer`] puts verification and the delivery guarantees of `zego-record-receiver` in front of
//! any service that takes `http` requests; [`record`] makes a service out of a function. Both answer by
//! themselves: `1` when the callback is handled, and one word when it is rejected.
//!
//! ```
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::{BodyExt, Full};
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//! use zego_record_core::{CallbackSecret, RecordCallback, UnixSeconds, Verifier, sign};
//! use zego_record_receiver::Receiver;
//! use zego_record_tower::RecordLayer;
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
//!         Ok::<_, &str>(Response::new(Full::<Bytes>::default()))
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
//! assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "1");
//!
//! // Rejected.
//! let request = Request::post("/zego/record").body(Full::<Bytes>::from("stream_alias=lesson-7"))?;
//! let response = service.oneshot(request).await?;
//! assert_eq!(response.status(), 401);
//! assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "unsigned");
//! # Ok(())
//! # }
//! ```
//!
//! # What is checked and what is not
//!
//! See `zego-record-core` for the verification and `zego-record-receiver` for the guarantees. This
//! crate reads bodies under the receiver's limit and deadline, whatever their framing, and looks
//! neither at the path nor at any header: put it on the one route that ZEGOCLOUD calls.
//!
//! # Features
//!
//! | feature | what it adds |
//! |---|---|
//! | `tracing` | spans and events of `zego-record-receiver` |
//! | `metrics` | counters of `zego-record-receiver` through the `metrics` facade |

mod admit;
mod future;
mod handler;
mod layer;
mod respond;
mod service;

pub use admit::admit;
pub use future::ResponseFuture;
pub use handler::{RecordHandler, record};
pub use layer::RecordLayer;
pub use respond::respond;
pub use service::{RecordService, ResponseBody};
