#![doc = include_str!("../README.md")]
//!
//! ## The layer, and what it accepts and rejects
//!
//! [`Verdict`] is the table of all responses. Two of them:
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
