#![doc = include_str!("../README.md")]
//!
//! ## What is accepted and rejected
//!
//! [`Verdict`] is the table of all responses. Two of them:
//!
//! ```
//! use actix_web::{App, test};
//! use zego_record_actix::{
//!     CallbackSecret, HandlerError, Receiver, RecordCallback, UnixSeconds, Verifier, record, sign,
//! };
//!
//! async fn on_record(recording: RecordCallback) -> Result<(), HandlerError> {
//!     println!("{} is at {}", recording.stream_alias(), recording.replay_url());
//!     Ok(()) // responds with `1`; an error responds with 500, and ZEGOCLOUD tries again
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
//! [`Receiver::from_env`] takes the secrets from the environment instead.
//!
//! ## Three ways to use it
//!
//! | | verification, replay protection | deduplication, timeout, own task, waited for by `shutdown` | responses |
//! |---|---|---|---|
//! | [`record`], a route for a function | yes | yes | by itself |
//! | [`RecordMiddleware`] around a route, with [`Record`] or `web::ReqData<RecordCallback>` inside | yes | yes | by itself; the handler returns any response, or `Result<Ack, HandlerError>` |
//! | [`Record`], an extractor alone | yes | no: a retry runs the handler again, a panic closes the connection | rejections by itself, success by [`Ack`] |
//!
//! The middleware gives the payload back, so that handlers may go on using `web::Bytes` or `web::Json`:
//!
//! ```
//! use actix_web::{HttpResponse, web};
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
//! use zego_record_actix::{Ack, HandlerError, Receiver, Record};
//!
//! async fn on_record(Record(recording): Record) -> Result<Ack, HandlerError> {
//!     if recording.stream_alias().starts_with("test-") {
//!         return Err(HandlerError::discard("a test stream")); // `1`, and never again
//!     }
//!     Ok(Ack)
//! }
//!
//! fn configure(config: &mut web::ServiceConfig, receiver: Receiver) {
//!     config.app_data(receiver).route("/zego/record", web::to(on_record));
//! }
//! ```
//!
//! With `web::to`, other methods than `POST` reach the extractor and are answered with `405` and a body;
//! with `web::post().to`, actix answers them by itself.

mod ack;
mod extract;
mod failure;
mod handler;
mod inbox;
mod middleware;
mod receive;
mod rejection;
mod respond;
mod route;

pub use ack::Ack;
pub use extract::Record;
pub use handler::{Call, RecordHandler, Running};
pub use inbox::inbox;
pub use middleware::{RecordMiddleware, RecordService};
pub use rejection::RecordRejection;
pub use route::record;
#[doc(no_inline)]
pub use zego_record_core::*;
#[doc(no_inline)]
pub use zego_record_receiver::*;
