//! `verify`, the doctor: why a captured callback is or is not accepted.
//!
//! It reads the body with the same code as a receiver, and says what the receiver would say. On a
//! signature that does not match it tries the usual mistakes and names the one that explains it.
//!
//! With `--json` it prints one document:
//!
//! | member | content |
//! |---|---|
//! | `accepted` | boolean |
//! | `verdict` | `accepted`, `ignored` for another event than `record`, or the word that a receiver answers |
//! | `status` | the HTTP status that a receiver answers |
//! | `reason` | why it is not accepted, or null |
//! | `wire_form` | `json`, `form`, `encoded_json`, or null if it is not readable |
//! | `event` | the parsed recording, or null |
//! | `mistakes` | list of `{"name", "what", "fix"}`; empty if none is known. If several explain the body alike, the name is `one_of_several` and `candidates` lists them |
//! | `tried` | how many wrong signatures were tried |
//! | `computed` | for `--computed`: `{"right": boolean, "mistakes": list or null}`, otherwise null |
//! | `notes` | list of texts |

mod doctor;
mod mistakes;
mod other_schemes;
mod report;
#[cfg(test)]
mod seeded;
mod shape;
#[cfg(test)]
mod tests;
mod variants;

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;
use std::time::SystemTime;

use clap::Args;
use zego_record_core::UnixSeconds;

use crate::cli::Status;
use crate::error::Error;
use crate::io::Io;
use crate::secrets::{Also, Secret, SecretArgs, SecretText};
pub(crate) use mistakes::Mistake;

/// What a receiver takes unless told otherwise.
const BODY_LIMIT: usize = 64 * 1024;

/// Say why a captured callback is or is not accepted
///
/// Reads the body of one callback as a receiver does. If its signature does not match, the usual
/// mistakes are tried (white space or quotes in the secret, another secret, a wrong order, HMAC, and
/// so on) and the one that explains the signature is named. What takes a memory, replays and
/// duplicates, cannot be seen in one body.
#[derive(Args, Debug)]
#[command(after_help = "\
Example: a body that was captured an hour ago, and two secrets that may have been mixed up
  zego-record verify body.json --any-age --also server-secret=server-secret.txt \\
      --also app-sign=env:ZEGO_APP_SIGN

Example: what is wrong with the signature that my own code computes for a genuine callback
  zego-record verify body.json --any-age --computed 0f1e2d3c4b5a69788796a5b4c3d2e1f001234567

With --json: {\"accepted\", \"verdict\", \"status\", \"reason\", \"wire_form\", \"event\", \"mistakes\":
[{\"name\", \"what\", \"fix\"}], \"tried\", \"computed\", \"notes\"}")]
pub struct VerifyArgs {
    /// The file with the body; standard input if absent or `-`
    file: Option<PathBuf>,

    #[command(flatten)]
    secret: SecretArgs,

    /// Another secret that may have been used by mistake: NAME=FILE, or NAME=env:VARIABLE. Repeatable
    #[arg(long, value_name = "NAME=PLACE")]
    also: Vec<SecretText>,

    /// The Content-Type that came with the body; it decides nothing, but may mislead others
    #[arg(long, value_name = "TYPE")]
    content_type: Option<String>,

    /// The time at which the body was received, Unix seconds [default: now]
    #[arg(long, value_name = "SECONDS", conflicts_with = "any_age")]
    now: Option<i64>,

    /// Don't check the timestamp's age
    #[arg(long)]
    any_age: bool,

    /// A signature that other code has computed for this body: names the mistake in that code
    #[arg(long, value_name = "HEX")]
    computed: Option<String>,

    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &VerifyArgs, io: &mut Io<'_>) -> Result<Status, Error> {
    let configured = args.secret.given(io)?;
    let others = args.also.iter().map(|value| Also::new(value)?.read());
    let others = others.collect::<Result<Vec<_>, _>>()?;
    let case = doctor::Case {
        body: read_body(args, io)?,
        content_type: args.content_type.clone(),
        clock: match args.now {
            _ if args.any_age => doctor::Clock::AnyAge,
            Some(seconds) => doctor::Clock::At(UnixSeconds::new(seconds)),
            None => doctor::Clock::At(SystemTime::now().into()),
        },
        configured,
        others,
        computed: args.computed.clone(),
    };
    let report = doctor::examine(&case)?;
    if args.json {
        io.print_json(&report)?;
    } else {
        report.print(io)?;
    }
    Ok(Status::of_check(report.is_fine()))
}

/// Why the signature of a body does not match: the mistakes that explain it, and notes if none does.
pub(crate) fn explain(
    body: &[u8],
    configured: &[Secret],
    others: &[Secret],
) -> Result<(Vec<Mistake>, Vec<String>), Error> {
    let report = doctor::examine(&doctor::Case {
        body: body.to_vec(),
        content_type: None,
        clock: doctor::Clock::AnyAge,
        configured: configured.to_vec(),
        others: others.to_vec(),
        computed: None,
    })?;
    Ok((report.mistakes, report.notes))
}

/// One byte more than the limit is enough to know that it is exceeded.
fn read_body(args: &VerifyArgs, io: &mut Io<'_>) -> Result<Vec<u8>, Error> {
    let most = BODY_LIMIT as u64 + 1;
    let mut body = Vec::new();
    let path = args.file.as_deref().filter(|path| path.as_os_str() != "-");
    let read = match path {
        None if io.input_is_terminal => {
            writeln!(
                io.err,
                "type or paste the body, and end it with Ctrl-D on a line of its own"
            )?;
            io.input.take(most).read_to_end(&mut body)
        }
        None => io.input.take(most).read_to_end(&mut body),
        Some(path) => File::open(path).and_then(|file| file.take(most).read_to_end(&mut body)),
    };
    match read {
        Ok(_) => Ok(body),
        Err(error) => {
            let place = path.map_or("standard input".to_owned(), |path| {
                path.display().to_string()
            });
            Err(Error::with_source(
                format!("cannot read the body from {place}"),
                error,
            ))
        }
    }
}
