//! `resend`: a request that `listen --save` has kept, sent again as it came.
//!
//! With `--json` it prints `{"url", "delivered": bool, "reply"}`, with the reply as in [`send`](crate::send).

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request};
use serde::Serialize;
use tokio::runtime::Builder;
use tokio::time::timeout;

use crate::cli::Status;
use crate::error::Error;
use crate::headers::end_to_end;
use crate::io::Io;
use crate::send::{HttpTransport, Outgoing, Reply, Transport, describe};
use crate::tls::TlsArgs;

/// Send a request again that `listen --save` has kept, as it came
///
/// Body, headers and signature are unchanged, except for Host and the headers of a connection. A signature is
/// too old after five minutes: use `send URL --body DIR/N.body` to send an old request signed anew.
///
/// Exit status 1 unless the answer is a 2xx.
#[derive(Args, Debug)]
#[command(after_help = "\
Example: the third request, once more
  zego-record resend captured/3 http://127.0.0.1:8000/zego/record

With --json: {\"url\", \"delivered\", \"reply\"}")]
pub struct ResendArgs {
    /// The saved request: DIR/N, or one of its two files
    saved: PathBuf,

    /// Where to send it to, http or https
    url: String,

    #[command(flatten)]
    tls: TlsArgs,

    /// How many seconds to wait for an answer
    #[arg(long, value_name = "SECONDS", default_value_t = 10.0)]
    timeout: f64,

    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report<'a> {
    url: &'a str,
    delivered: bool,
    reply: &'a Reply,
}

pub(crate) fn run(args: &ResendArgs, io: &mut Io<'_>) -> Result<Status, Error> {
    let patience = Duration::try_from_secs_f64(args.timeout)
        .map_err(|error| Error::with_source("--timeout must be a number of seconds", error))?;
    let request = read(&args.saved)?;
    let transport = HttpTransport::new(&args.url, 1, &args.tls)?;
    args.tls.warn(Some(&args.url), io)?;
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Error::with_source("cannot start the runtime", error))?;
    let reply = runtime.block_on(async {
        let sending = transport.send(Outgoing::new(request));
        timeout(patience, sending).await.unwrap_or(Reply::TimedOut)
    });
    let delivered = reply.is_success();
    if args.json {
        io.print_json(&Report {
            url: &args.url,
            delivered,
            reply: &reply,
        })?;
    } else {
        writeln!(io.out, "{}", describe(&reply))?;
    }
    Ok(Status::of_check(delivered))
}

fn read(saved: &Path) -> Result<Request<Bytes>, Error> {
    let of_pair = saved
        .extension()
        .is_some_and(|extension| extension == "body" || extension == "headers");
    let stem = if of_pair {
        saved.with_extension("")
    } else {
        saved.to_owned()
    };
    let read = |extension: &str| {
        // Not `with_extension`, which would cut a number after a full stop.
        let path = PathBuf::from(format!("{}.{extension}", stem.display()));
        fs::read(&path).map_err(|error| {
            let what = format!("cannot read the saved request {}", path.display());
            Error::with_source(what, error)
        })
    };
    let head = parse_head(&read("headers")?).ok_or_else(|| {
        Error::new(format!(
            "{}.headers is not as listen --save writes it: a request line, then a header a line",
            stem.display()
        ))
    })?;
    let mut request = Request::new(Bytes::from(read("body")?));
    (*request.method_mut(), *request.headers_mut()) = head;
    Ok(request)
}

fn parse_head(text: &[u8]) -> Option<(Method, HeaderMap)> {
    let mut lines = text
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty());
    let method = lines.next()?.split(|byte| *byte == b' ').next()?;
    let mut headers = HeaderMap::new();
    for line in lines {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let (name, value) = line.split_at(colon);
        let name = HeaderName::from_bytes(name).ok()?;
        let value = HeaderValue::from_bytes(value.get(1..)?.trim_ascii()).ok()?;
        headers.append(name, value);
    }
    Some((Method::from_bytes(method).ok()?, end_to_end(&headers)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_back_without_what_belonged_to_its_connection() {
        let (method, headers) =
            parse_head(b"POST /a?b HTTP/1.1\nhost: h\nx-a: 1: 2\nx-b: \xff\n").unwrap();
        assert_eq!(method, Method::POST);
        assert_eq!(headers.len(), 2);
        assert_eq!(headers["x-a"], "1: 2");
        assert_eq!(headers["x-b"].as_bytes(), b"\xff");
        for text in [
            &b""[..],
            b"\n",
            b"POST / HTTP/1.1\nno colon\n",
            b"a\nb c: d",
        ] {
            assert!(parse_head(text).is_none(), "{text:?}");
        }
    }
}
