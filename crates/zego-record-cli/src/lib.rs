//! The library behind `zego-record`, the command line for ZEGOCLOUD's recording callbacks.
//!
//! | command | what it is |
//! |---|---|
//! | `demo` | a receiver and a fake ZEGOCLOUD on loopback, and every promise in a table |
//! | `listen` | a receiver for development: shows each delivery and each rejection |
//! | `resend` | sends a request that `listen` has saved once more, as it came |
//! | `check` | tests a receiver against every promise that a good one keeps |
//! | `sign` | signs a timestamp and a nonce, or prints a whole signed request for `curl` |
//! | `verify` | the doctor: says why a captured callback is or is not accepted |
//! | `send` | the fake ZEGOCLOUD: sends callbacks, retries by the documented schedule, brings about faults |
//! | `completions`, `man` | what a shell and `man` need to know |
//!
//! Every command that signs or verifies takes its secret from `ZEGO_CALLBACK_SECRET` or `--secret-file`, writes its result to
//! standard output and everything else to standard error, and has one of three exit statuses:
//!
//! | status | meaning |
//! |---|---|
//! | 0 | all is as it should be |
//! | 1 | a check failed: the callback is not accepted, a callback was lost, a forged one was accepted |
//! | 2 | wrong usage or configuration, or the output could not be written |
//!
//! With `--json` the result is one JSON document; each command's module documents its shape. New
//! members may be added to it.
//!
//! The parts that decide something, [`send::Schedule`], [`send::Plan`] and [`send::next`], are plain
//! functions on plain data; [`send::Sender`] is generic over its transport and runs on tokio's clock,
//! which a test can stop.
//!
//! # Example
//!
//! A captured body that is accepted, and the same body with another secret, which is rejected:
//!
//! ```
//! use zego_record_cli::{Io, Status, run};
//!
//! let verify = |secret: &str, body: &str| {
//!     let (mut out, mut err) = (Vec::new(), Vec::new());
//!     let mut io = Io {
//!         input: &mut body.as_bytes(),
//!         out: &mut out,
//!         err: &mut err,
//!         out_color: false,
//!         err_color: false,
//!         progress: false,
//!         input_is_terminal: false,
//!         width: 80,
//!     };
//!     let status = run(["zego-record", "verify", "--any-age", "--secret", secret], &mut io);
//!     (status, String::from_utf8(out).unwrap())
//! };
//! let body = r#"{"event":"record","appid":"1","stream_alias":"a","replay_url":"u","begin_time":"1","end_time":"2",
//!     "timestamp":"1470820198","nonce":"123412","signature":"5bd59fd62953a8059fb7eaba95720f66d19e4517"}"#;
//!
//! let (status, said) = verify("secret", body);
//! assert_eq!(status, Status::Fine, "{said}");
//!
//! let (status, said) = verify("another", body);
//! assert_eq!(status, Status::CheckFailed);
//! assert!(said.contains("bad_signature (401)"), "{said}");
//! ```
//!
//! # What is never printed
//!
//! Secrets, and signatures, except the one that `sign` was asked for and those in the bodies that
//! `listen --show-body` shows.

mod captured;
pub mod check;
mod cli;
mod content;
pub mod demo;
mod error;
mod headers;
#[cfg(feature = "serve")]
pub mod inbox;
mod interrupt;
mod io;
pub mod listen;
#[cfg(feature = "serve")]
mod record;
pub mod resend;
mod secrets;
pub mod send;
#[cfg(feature = "serve")]
pub mod serve;
mod server;
pub mod shell;
pub mod sign;
mod tls;
mod url;
pub mod verify;

pub use cli::{Status, run};
pub use error::Error;
pub use io::Io;
