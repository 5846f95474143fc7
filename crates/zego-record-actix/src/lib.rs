//! ZEGOCLOUD's recording callbacks in actix-web.
//!
//! [`record`] makes a route out of a function, with all delivery guarantees:
//!
//! ```
//! use actix_web::{App, test};
//! use zego_record_actix::{HandlerError, Receiver, RecordCallback, record};
//! use zego_record_core::{CallbackSecret, UnixSeconds, Verifier, sign};
//!
//! async fn on_record(recording: RecordCallback) -> Result<(), HandlerError> {
//!     println!("{} is at {}", recording.stream_alias(), recording.replay_url());
//!     Ok(())
//! }
//!
//! # #[actix_web::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let secret = CallbackSecret::new("0123456789abcdef0123456789abcdef")?;
//! let receiver = Receiver::builder(Verifier::builder().secret(secret.clone()).build()?).build()?;
//! let app = App::new().route("/zego/record", record(receiver, on_record));
//! let app = test::init_service(app).await;
//!
//! // Accepted.
//! let timestamp = UnixSeconds::from(std::time::SystemTime::now()).to_string();
//! let body = format!(
//!     "event=record&appid=1&stream_alias=lesson-7&replay_url=https%3A%2F%2Fvod.example.com%2F7.mp4&begin_time=1760000000\
//!      &end_time=1760001800&timestamp={timestamp}&nonce=456789&signature={}",
//!     sign(&secret, &timestamp, "456789")
//! );
//! let request = test::TestRequest::post().uri("/zego/record").set_payload(body).to_request();
//! let response = test::call_service(&app, request).await;
//! assert_eq!(response.status(), 200);
//! assert_eq!(test::read_body(response).await, "1");
//!
//! // Rejected.
//! let request = test::TestRequest::post().uri("/zego/record").set_payload("stream_alias=lesson-7").to_request();
//! let response = test::call_service(&app, request).await;
//! assert_eq!(response.status(), 401);
//! assert_eq!(test::read_body(response).await, "unsigned");
//! # Ok(())
//! # }
//! ```
//!
//! # Three ways to use it
//!
//! | | verification, replay guard | one run for each delivery, own task, timeout | answers |
//! |---|---|---|---|
//! | [`record`], a route | yes | yes | by itself |
//! | [`RecordMiddleware`] around a route, with [`Record`] or `web::ReqData<RecordCallback>` inside | yes | yes | by itself |
//! | [`Record`], an extractor alone | yes | no: a retry runs the handler again | rejections by itself, success by [`Ack`] |
//!
//! The middleware gives the payload back, so that handlers go on to use `web::Bytes` or `web::Json`:
//!
//! ```
//! use actix_web::{HttpResponse, Resource, dev, web};
//! use zego_record_actix::{Receiver, Record, RecordMiddleware};
//!
//! async fn on_record(Record(recording): Record, body: web::Bytes) -> HttpResponse {
//!     println!("{} in {} bytes", recording.stream_alias(), body.len());
//!     HttpResponse::NoContent().finish() // becomes `1`
//! }
//!
//! fn configure(config: &mut web::ServiceConfig, receiver: Receiver) {
//!     config.service(web::resource("/zego/record").wrap(RecordMiddleware::new(receiver)).route(web::post().to(on_record)));
//! }
//! ```
//!
//! The extractor takes the receiver from the app data:
//!
//! ```
//! use actix_web::web;
//! use zego_record_actix::{Ack, Receiver, Record};
//!
//! async fn on_record(Record(recording): Record) -> Ack {
//!     println!("{} is at {}", recording.stream_alias(), recording.replay_url());
//!     Ack
//! }
//!
//! fn configure(config: &mut web::ServiceConfig, receiver: Receiver) {
//!     config.app_data(receiver).route("/zego/record", web::to(on_record));
//! }
//! ```
//!
//! With `web::to`, other methods than `POST` come to the extractor and are answered `405` with a body;
//! with `web::post().to`, actix answers them by itself.
//!
//! # Workers
//!
//! Build one receiver before `HttpServer::new` and clone it in the factory: its clones share what they
//! know, so that a retry is recognised on whichever worker it comes in. With a receiver for each worker
//! it would run the handler again.
//!
//! A handler stays on the worker that has got the request, and when that stops, it ends. actix waits
//! for open connections only, so let [`Receiver::shutdown`] end before `ServerHandle::stop`.
//!
//! # What is checked and what is not
//!
//! See `zego-record-core` for the verification and `zego-record-receiver` for the guarantees. The body
//! is read under the receiver's limit and deadline, and no `Content-Encoding` is undone. actix's
//! `PayloadConfig` and `JsonConfig` count only for extractors that read what the middleware gives back.
//!
//! # Features
//!
//! | feature | what it adds |
//! |---|---|
//! | `tracing` | spans and events of `zego-record-receiver` |
//! | `metrics` | counters of `zego-record-receiver` through the `metrics` facade |

mod ack;
mod admit;
mod extract;
mod middleware;
mod rejection;
mod respond;
mod route;

pub use ack::Ack;
pub use extract::Record;
pub use middleware::{RecordMiddleware, RecordService};
pub use rejection::RecordRejection;
pub use route::record;
pub use zego_record_core::RecordCallback;
pub use zego_record_receiver::{Delivery, HandlerError, Receiver};
