//! The loop of a public port: limits of connections and of time, TLS, a graceful end.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tracing::debug;

use super::tls::Tls;

/// How long the headers of a request may take, also those of a further request on the same connection.
const HEADERS_WITHIN: Duration = Duration::from_secs(10);
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);
/// How old a connection may get before it is asked to end, and how long it has for that.
const MAX_AGE: Duration = Duration::from_secs(40);
const END_WITHIN: Duration = Duration::from_secs(10);
const MAX_HEADERS: usize = 64;
const MAX_BUFFER: usize = 64 * 1024;
/// After an error of `accept`, such as too many open files.
const PAUSE: Duration = Duration::from_millis(50);

/// How many connections there may be.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    pub(super) total: usize,
    pub(super) per_address: usize,
    /// Proxies, whose connections are others'.
    pub(super) unlimited: Vec<IpAddr>,
}

/// Serves until `stop` is ready, then ends what is under way.
pub(super) async fn serve(
    listener: TcpListener,
    app: Router,
    limits: Limits,
    tls: Option<Tls>,
    stop: impl Future<Output = ()>,
) {
    let (stopping, stopped) = watch::channel(false);
    let open = Arc::new(Open::new(limits));
    let mut connections = JoinSet::new();
    let mut stop = pin!(stop);
    loop {
        while connections.try_join_next().is_some() {}
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    debug!("cannot accept a connection: {error}");
                    sleep(PAUSE).await;
                    continue;
                }
            },
            () = &mut stop => break,
        };
        // Nothing is read from one that is too many: closing it costs the least.
        let Some(place) = Open::take(&open, peer.ip()) else {
            continue;
        };
        let (app, tls, stopped) = (app.clone(), tls.clone(), stopped.clone());
        connections.spawn(async move {
            let _place = place;
            let served = match tls {
                None => serve_connection(stream, peer, app, stopped).await,
                Some(tls) => serve_tls(stream, peer, app, &tls, stopped).await,
            };
            if let Err(error) = served {
                debug!(%peer, "a connection ended: {error}");
            }
        });
    }
    drop(listener);
    stopping.send_replace(true);
    let _ = timeout(END_WITHIN, async {
        while connections.join_next().await.is_some() {}
    })
    .await;
}

async fn serve_tls(
    stream: TcpStream,
    peer: SocketAddr,
    app: Router,
    tls: &Tls,
    stopped: watch::Receiver<bool>,
) -> io::Result<()> {
    let stream = timeout(HANDSHAKE_WITHIN, tls.accept(stream)).await??;
    serve_connection(stream, peer, app, stopped).await
}

async fn serve_connection<S>(
    stream: S,
    peer: SocketAddr,
    app: Router,
    mut stopped: watch::Receiver<bool>,
) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let app = app.layer(axum::Extension(ConnectInfo(peer)));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_WITHIN)
        .max_headers(MAX_HEADERS)
        .max_buf_size(MAX_BUFFER)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(app));
    let mut connection = pin!(connection);
    tokio::select! {
        ended = connection.as_mut() => return ended.map_err(io::Error::other),
        () = sleep(MAX_AGE) => {}
        _ = stopped.wait_for(|stopped| *stopped) => {}
    }
    connection.as_mut().graceful_shutdown();
    timeout(END_WITHIN, connection)
        .await?
        .map_err(io::Error::other)
}

/// The connections that are open.
#[derive(Debug)]
struct Open {
    limits: Limits,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    total: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// Counts as open until it is dropped.
struct Place {
    open: Arc<Open>,
    address: IpAddr,
}

impl Open {
    fn new(limits: Limits) -> Self {
        Self {
            limits,
            counts: Mutex::default(),
        }
    }

    /// `None` if there are too many.
    fn take(open: &Arc<Self>, peer: IpAddr) -> Option<Place> {
        let address = network(peer);
        let mut counts = open.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.total >= open.limits.total {
            return None;
        }
        let is_limited = !open.limits.unlimited.contains(&peer.to_canonical());
        let of_address = counts.by_address.entry(address).or_default();
        if is_limited && *of_address >= open.limits.per_address {
            return None;
        }
        *of_address += 1;
        counts.total += 1;
        Some(Place {
            open: Arc::clone(open),
            address,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self
            .open
            .counts
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        counts.total -= 1;
        if let Some(of_address) = counts.by_address.get_mut(&self.address) {
            *of_address -= 1;
            if *of_address == 0 {
                counts.by_address.remove(&self.address);
            }
        }
    }
}

/// One customer of a provider has a whole /64 of IPv6.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let mut octets = address.octets();
            octets[8..].fill(0);
            IpAddr::V6(octets.into())
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(total: usize, per_address: usize) -> Arc<Open> {
        let unlimited = vec!["10.0.0.9".parse().unwrap()];
        Arc::new(Open::new(Limits {
            total,
            per_address,
            unlimited,
        }))
    }

    fn take(open: &Arc<Open>, peer: &str) -> Option<Place> {
        Open::take(open, peer.parse().unwrap())
    }

    #[test]
    fn an_address_has_no_more_than_its_places_and_gets_them_back() {
        let open = open(10, 2);
        let first = take(&open, "192.0.2.1");
        let _second = take(&open, "::ffff:192.0.2.1");
        assert!(take(&open, "192.0.2.1").is_none());
        assert!(take(&open, "192.0.2.2").is_some());
        drop(first);
        assert!(take(&open, "192.0.2.1").is_some());
        assert_eq!(open.counts.lock().unwrap().by_address.len(), 1);
    }

    #[test]
    fn a_network_of_ipv6_counts_as_one_address_and_a_proxy_is_unlimited() {
        let open = open(5, 1);
        let _one = take(&open, "2001:db8::1");
        assert!(take(&open, "2001:db8::2").is_none());
        let proxied: Vec<_> = (0..4).map(|_| take(&open, "10.0.0.9")).collect();
        assert!(proxied.iter().all(Option::is_some));
        assert!(
            take(&open, "10.0.0.9").is_none(),
            "not even a proxy is above the total"
        );
    }
}
