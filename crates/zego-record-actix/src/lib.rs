//! ZEGOCLOUD's recording callbacks in actix-web.
//!
//! [`record`] makes a route out of a function, with delivery guarantees. The function takes what else it
//! needs as any other handler does:
//!
//! ```
//! use actix_web::web;
//! use zego_record_actix::{HandlerError, Receiver, RecordCallback, record};
//! # #[derive(Clone)] struct Pool;
//! # impl Pool { async fn insert(&self, _: &[u8; 32], _: &str) -> Result<(), std::io::Error> { Ok(()) } }
//!
//! async fn on_record(pool: web::Data<Pool>, recording: RecordCallback) -> Result<(), HandlerError> {
//!     pool.insert(recording.delivery_key().as_bytes(), recording.replay_url()).await?;
//!     Ok(()) // responds with `1`; an error responds with 500, and ZEGOCLOUD tries again
//! }
//!
//! fn configure(config: &mut web::ServiceConfig, receiver: Receiver, pool: web::Data<Pool>) {
//!     config.app_data(pool).route("/zego/record", record(receiver, on_record));
//! }
//! ```
//!
//! What it accepts and rejects:
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
//! # Three ways to use it
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
//!
//! # Workers
//!
//! Build one receiver before `HttpServer::new` and clone it in the factory: its clones share what they
//! know, so that a retry is recognised on whichever worker it arrives. With a receiver for each worker it
//! would run the handler again.
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
//! Call [`Receiver::shutdown`] when the server is to stop, and wait for it *before*
//! `ServerHandle::stop`: further callbacks are
//! answered with `503`, and handlers that are running may finish.
//!
//! A handler stays on the worker that has received the request, and ends when that worker stops; actix
//! waits for open connections only.
//!
//! # What is checked and what is not
//!
//! `zego-record-core` documents the verification, `zego-record-receiver` the guarantees. The body is
//! read under the receiver's limit and deadline, and no `Content-Encoding` is undone. actix's
//! `PayloadConfig` and `JsonConfig` count only for extractors that read what the middleware gives back.
//!
//! # Features
//!
//! | feature | default | what it adds |
//! |---|---|---|
//! | `tracing` | yes | spans and events: every success, duplicate, failure and rejection |
//! | `metrics` | no | counters, a gauge and a histogram through the `metrics` facade |

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
