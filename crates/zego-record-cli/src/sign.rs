//! `sign`: the signature of a request, or the whole request as a command line for `curl`.
//!
//! With `--json` it prints
//! `{"timestamp": string, "nonce": string, "signature": string, "curl": string or null}`.

use std::time::SystemTime;

use clap::Args;
use serde::Serialize;
use zego_record_core::{UnixSeconds, sign};

use crate::cli::Status;
use crate::content::ContentArgs;
use crate::error::Error;
use crate::io::Io;
use crate::secrets::SecretArgs;

/// Sign a timestamp and a nonce, or print a whole signed request for curl
///
/// Prints the three fields that a signed callback carries. With --curl it prints a command line that
/// sends a complete one, ready to paste into a shell; it is fresh for five minutes.
#[derive(Args, Debug)]
#[command(after_help = "\
Example: a signature
  zego-record sign --timestamp 1470820198 --nonce 123412

Example: a whole request, sent at once
  zego-record sign --curl http://127.0.0.1:3000/zego/record --wire form | sh

With --json: {\"timestamp\": text, \"nonce\": text, \"signature\": text, \"curl\": text or null}")]
pub struct SignArgs {
    #[command(flatten)]
    secret: SecretArgs,

    /// The timestamp to sign, Unix seconds [default: now]
    #[arg(long, value_name = "SECONDS")]
    timestamp: Option<String>,

    /// The nonce to sign [default: random]
    #[arg(long)]
    nonce: Option<String>,

    /// Print a command line that sends a signed callback to URL
    #[arg(long, value_name = "URL")]
    curl: Option<String>,

    #[command(flatten)]
    content: ContentArgs,

    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Signed<'a> {
    timestamp: &'a str,
    nonce: &'a str,
    signature: String,
    curl: Option<&'a str>,
}

pub(crate) fn run(args: &SignArgs, io: &mut Io<'_>) -> Result<Status, Error> {
    args.content.check(false)?;
    if args.curl.is_none() {
        args.content.check_without_body()?;
    }
    let secret = args.secret.for_signing(io)?;
    let now = UnixSeconds::from(SystemTime::now());
    let recording = args
        .content
        .recording(&secret, now, 1, &mut fastrand::Rng::new());
    let mut builder = args.content.apply(recording);
    if let Some(timestamp) = &args.timestamp {
        builder = builder.timestamp(timestamp.as_str());
    }
    if let Some(nonce) = &args.nonce {
        builder = builder.nonce(nonce.as_str());
    }
    let request = builder.build();
    let signature = sign(
        &secret.to_callback_secret()?,
        request.timestamp(),
        request.nonce(),
    );
    let curl = match &args.curl {
        Some(url) => Some(curl(url, request.content_type(), request.body())?),
        None => None,
    };
    let signed = Signed {
        timestamp: request.timestamp(),
        nonce: request.nonce(),
        signature: signature.to_string(),
        curl: curl.as_deref(),
    };
    if args.json {
        io.print_json(&signed)?;
    } else if let Some(curl) = &curl {
        writeln!(io.out, "{curl}")?;
    } else {
        writeln!(io.out, "timestamp={}", signed.timestamp)?;
        writeln!(io.out, "nonce={}", signed.nonce)?;
        writeln!(io.out, "signature={}", signed.signature)?;
    }
    Ok(Status::Fine)
}

fn curl(url: &str, content_type: Option<&str>, body: &[u8]) -> Result<String, Error> {
    let body = std::str::from_utf8(body)
        .map_err(|error| Error::with_source("the body cannot be put on a command line", error))?;
    let header = content_type.map(|content_type| {
        let header = format!("Content-Type: {content_type}");
        format!(" -H {}", shell_quoted(&header))
    });
    Ok(format!(
        "curl -sS -i{} --data-binary {} {}",
        header.unwrap_or_default(),
        shell_quoted(body),
        shell_quoted(url)
    ))
}

/// In single quotes a POSIX shell leaves everything as it is but a single quote itself.
fn shell_quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shell_gets_back_what_was_quoted() {
        for text in ["", "a b", "it's", "''", "$HOME `id` \\ \"x\" !! \n é"] {
            let script = format!("printf %s {}", shell_quoted(text));
            let output = std::process::Command::new("sh")
                .arg("-c")
                .arg(script)
                .output();
            assert_eq!(String::from_utf8(output.unwrap().stdout).unwrap(), text);
        }
    }
}
