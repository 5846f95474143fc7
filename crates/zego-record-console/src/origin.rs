//! Which host a request was sent to, and which site it comes from.

use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use zego_record_core::{ConfigError, ConfigErrorKind};

const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// The hosts under which the pages are served. A page of another site whose name resolves to this
/// machine (DNS rebinding) sends its own name.
#[derive(Clone, Debug)]
pub(crate) struct Hosts(Vec<String>);

impl Hosts {
    /// The names of the loopback interface, and these.
    pub(crate) fn new(others: Vec<String>) -> Result<Self, ConfigError> {
        let mut hosts: Vec<_> = LOOPBACK.map(str::to_owned).into();
        for host in others {
            let host = host.to_ascii_lowercase();
            if name(&host) != Some(&*host) {
                let message = format!(
                    "{host:?} is no allowed host of the operator's page: give a name or an address, without a scheme, a port and a path"
                );
                return Err(ConfigError::new(ConfigErrorKind::Other, message));
            }
            hosts.push(host);
        }
        Ok(Self(hosts))
    }

    /// The host and port of a request, if the host is allowed.
    pub(crate) fn check(&self, request: &Parts) -> Option<String> {
        let mut headers = request.headers.get_all(header::HOST).iter();
        let authority = match (headers.next(), headers.next()) {
            (Some(host), None) => host.to_str().ok()?,
            // HTTP/2 has it in the URI.
            (None, None) => request.uri.authority()?.as_str(),
            _ => return None,
        };
        let authority = authority.to_ascii_lowercase();
        let allowed = name(&authority).is_some_and(|name| self.0.iter().any(|host| host == name));
        allowed.then_some(authority)
    }
}

/// Whether a request that changes something may come from a page of this host. What sends neither
/// header is no browser, and has to know the form's token all the same.
pub(crate) fn is_same_origin(headers: &HeaderMap, authority: &str) -> bool {
    let site = headers.get("sec-fetch-site");
    let origin = headers.get(header::ORIGIN);
    site.is_none_or(|site| site == "same-origin")
        && origin.is_none_or(|origin| {
            let origin = origin.to_str().unwrap_or_default().to_ascii_lowercase();
            // Behind a proxy that ends TLS the scheme is unknown; the host and the port decide.
            let host = origin.strip_prefix("https://");
            host.or(origin.strip_prefix("http://")) == Some(authority)
        })
}

/// The host of an authority, without the port.
fn name(authority: &str) -> Option<&str> {
    let (name, port) = match authority.rfind(']') {
        Some(end) => authority.split_at(end + 1),
        None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    let is_name = match name
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
    {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !name.is_empty() && name.bytes().all(plain),
    };
    let is_port = port.strip_prefix(':').is_some_and(|digits| {
        digits.parse::<u16>().is_ok() && digits.bytes().all(|byte| byte.is_ascii_digit())
    });
    (is_name && (port.is_empty() || is_port)).then_some(name)
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn allowed(hosts: &[&str]) -> Option<String> {
        let configured = Hosts::new(vec!["Ops.example.com".to_owned()]).unwrap();
        let mut request = Request::get("/");
        for host in hosts {
            request = request.header(header::HOST, *host);
        }
        configured.check(&request.body(()).unwrap().into_parts().0)
    }

    #[test]
    fn only_listed_hosts_are_allowed() {
        for host in [
            "localhost",
            "LOCALHOST:3001",
            "127.0.0.1:3001",
            "[::1]:1",
            "[::1]",
            "ops.example.com:443",
        ] {
            assert_eq!(allowed(&[host]), Some(host.to_ascii_lowercase()));
        }
        for host in [
            "",
            "evil.example",
            "localhost.evil.example",
            "localhost:",
            "localhost:x",
            "localhost:+1",
            "localhost:1:2",
            "localhost@evil.example",
            "evil.example@localhost",
            "127.0.0.2",
            "0.0.0.0",
            "[::2]",
            "[::1",
            "[::1]x",
            "127.0.0.1.",
            "localhost/",
            ".example.com",
            "x.ops.example.com",
        ] {
            assert_eq!(allowed(&[host]), None, "{host:?}");
        }
        assert_eq!(allowed(&[]), None);
        assert_eq!(allowed(&["localhost", "localhost"]), None);
    }

    #[test]
    fn rejects_hosts_that_can_never_match() {
        for host in [
            "",
            "https://ops.example.com",
            "ops.example.com:443",
            "ops.example.com/",
            "a b",
        ] {
            assert!(Hosts::new(vec![host.to_owned()]).is_err(), "{host}");
        }
    }

    #[test]
    fn the_origin_is_the_host() {
        let headers = |rows: &[(&'static str, &str)]| -> HeaderMap {
            rows.iter()
                .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
                .collect()
        };
        for same in [
            &[][..],
            &[("origin", "http://localhost:3001")],
            &[("origin", "https://LOCALHOST:3001")],
            &[("sec-fetch-site", "same-origin")],
            &[
                ("origin", "http://localhost:3001"),
                ("sec-fetch-site", "same-origin"),
            ],
        ] {
            assert!(is_same_origin(&headers(same), "localhost:3001"), "{same:?}");
        }
        for foreign in [
            &[("origin", "null")][..],
            &[("origin", "")],
            &[("origin", "http://evil.example")],
            &[("origin", "http://localhost")],
            &[("origin", "http://localhost:3002")],
            &[("origin", "ftp://localhost:3001")],
            &[("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "same-site")],
            &[("sec-fetch-site", "none")],
            &[
                ("origin", "http://localhost:3001"),
                ("sec-fetch-site", "cross-site"),
            ],
            &[
                ("origin", "http://evil.example"),
                ("sec-fetch-site", "same-origin"),
            ],
        ] {
            assert!(
                !is_same_origin(&headers(foreign), "localhost:3001"),
                "{foreign:?}"
            );
        }
    }
}
