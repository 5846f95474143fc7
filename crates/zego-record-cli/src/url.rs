//! The URL of a receiver: read strictly, since a URL that is read wrongly is a request to a stranger.

use http::uri::{Scheme, Uri};

use crate::error::Error;
use crate::io::printable;

/// An `http` or `https` URL with a host and, if it names a port, a port that exists.
pub(crate) fn parse(text: &str) -> Result<Uri, Error> {
    let shown = printable(text);
    if !text.contains("://") {
        return Err(Error::new(format!(
            "{shown:?} has no scheme: write http://{shown} or https://{shown}"
        )));
    }
    let uri: Uri = text
        .parse()
        .map_err(|error| Error::with_source(format!("cannot read the URL {shown:?}"), error))?;
    let authority = uri
        .authority()
        .filter(|_| [Some(&Scheme::HTTP), Some(&Scheme::HTTPS)].contains(&uri.scheme()));
    let authority = authority.ok_or_else(|| {
        Error::new(format!(
            "{shown:?} is neither an http nor an https URL: write for example http://127.0.0.1:3000/zego/record"
        ))
    })?;
    if authority.as_str().contains('@') {
        return Err(Error::new(
            "a name and password in a URL are not sent: leave them out, and send --header 'Authorization: ..' instead",
        ));
    }
    let port = authority.as_str().strip_prefix(authority.host());
    let port = port.unwrap_or_default();
    let exists = port.is_empty() || authority.port_u16().is_some_and(|port| port > 0);
    if !exists {
        return Err(Error::new(format!(
            "{shown:?} has an impossible port: a port is a number from 1 to 65535"
        )));
    }
    Ok(uri)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_what_can_be_meant() {
        for url in [
            "http://127.0.0.1:3000/zego/record",
            "https://example.com",
            "http://localhost:65535/?a=b",
            "http://[::1]:3000/",
            "https://[::1]/x",
        ] {
            assert_eq!(parse(url).unwrap(), url.parse::<Uri>().unwrap());
        }
    }

    #[test]
    fn rejects_what_would_go_elsewhere() {
        for (url, word) in [
            ("http://127.0.0.1:99999/", "impossible port"),
            ("http://127.0.0.1:0/", "impossible port"),
            ("http://127.0.0.1:/", "impossible port"),
            ("http://[::1]:70000/", "impossible port"),
            ("localhost:3000/x", "write http://localhost:3000/x"),
            ("example.com", "no scheme"),
            ("ftp://example.com/", "neither an http"),
            ("http://user:pass@127.0.0.1:3000/", "--header"),
            ("http://127.0.0.1:30 00/", "cannot read the URL"),
            ("http://", "cannot read the URL"),
        ] {
            let error = parse(url).unwrap_err().to_string();
            assert!(error.contains(word), "{url}: {error}");
            assert!(!error.contains("pass@"), "{error}");
        }
    }
}
