//! Who a request came from, for the log.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{ConnectInfo, Request};
use axum::middleware::Next;
use axum::response::Response;
use http::HeaderMap;
use tracing::info;
use zego_record_core::Verdict;
use zego_record_receiver::support::RateLimit;

const HEADER: &str = "x-forwarded-for";
const LINES: u32 = 10;

/// Logs where rejected requests came from, at a bounded rate.
#[derive(Debug)]
pub(super) struct ClientLog {
    proxies: Vec<IpAddr>,
    start: Instant,
    lines: RateLimit,
}

impl ClientLog {
    pub(super) fn new(proxies: Vec<IpAddr>) -> Arc<Self> {
        Arc::new(Self {
            proxies,
            start: Instant::now(),
            lines: RateLimit::new(LINES),
        })
    }

    pub(super) async fn watch(self: Arc<Self>, request: Request, next: Next) -> Response {
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
        let client =
            peer.map(|ConnectInfo(peer)| client(peer.ip(), request.headers(), &self.proxies));
        let response = next.run(request).await;
        if let Some(verdict) = response.extensions().get::<Verdict>()
            && !verdict.is_success()
            && let Some(client) = client
            && let Some(suppressed) = self.lines.allow(self.start.elapsed())
        {
            info!(target: "zego_record", %client, %verdict, suppressed, "rejected");
        }
        response
    }
}

/// The peer or, if that is a proxy that is trusted, the last address in its header that is not.
///
/// Whatever a client has written into the header stands before what the proxies have added.
fn client(peer: IpAddr, headers: &HeaderMap, proxies: &[IpAddr]) -> IpAddr {
    let mut client = peer.to_canonical();
    let lines: Vec<_> = headers.get_all(HEADER).iter().collect();
    // Also of a line that a client has begun with what is no text.
    let hops = lines
        .into_iter()
        .rev()
        .flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
    for hop in hops {
        if !proxies.contains(&client) {
            break;
        }
        let address = str::from_utf8(hop).ok();
        let Some(address) = address.and_then(|hop| hop.trim().parse::<IpAddr>().ok()) else {
            break;
        };
        client = address.to_canonical();
    }
    client
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_line_that_is_no_text_hides_what_stands_before_it() {
        let mut headers = HeaderMap::new();
        headers.append(HEADER, HeaderValue::from_static("6.6.6.6"));
        let forged = HeaderValue::from_bytes(b"\xff, 198.51.100.7").unwrap();
        headers.append(HEADER, forged);
        let proxies = ["10.0.0.1".parse().unwrap()];
        let found = client(proxies[0], &headers, &proxies);
        assert_eq!(found.to_string(), "198.51.100.7");
    }

    #[test]
    fn only_a_trusted_proxy_says_who_the_client_is() {
        let proxies = ["10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap()];
        for (peer, header, expected) in [
            ("192.0.2.1", "198.51.100.7", "192.0.2.1"),
            ("10.0.0.1", "198.51.100.7", "198.51.100.7"),
            ("10.0.0.1", "6.6.6.6, 198.51.100.7", "198.51.100.7"),
            (
                "10.0.0.1",
                "6.6.6.6, 198.51.100.7, 10.0.0.2",
                "198.51.100.7",
            ),
            ("10.0.0.1", "<script>", "10.0.0.1"),
            ("10.0.0.1", "", "10.0.0.1"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(HEADER, HeaderValue::from_str(header).unwrap());
            let found = client(peer.parse().unwrap(), &headers, &proxies);
            assert_eq!(found.to_string(), expected, "{peer} {header}");
        }
    }
}
