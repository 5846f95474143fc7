//! A receiver behind a socket, for `listen` and `demo`.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use zego_record_axum::record;
use zego_record_receiver::{Delivery, HandlerError, Receiver};

use crate::error::Error;

/// More connections than this wait until one has ended.
const MOST_CONNECTIONS: usize = 1_024;

/// How long the head of a request may take.
const HEAD_DEADLINE: Duration = Duration::from_secs(30);

/// How long what is under way may take at the end.
const GRACE: Duration = Duration::from_secs(10);

/// Why a connection has brought no HTTP request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    /// It begins as TLS does.
    Tls,
    /// It begins as HTTP/2 does without TLS.
    Http2,
    /// It is something else, and this is the parser's word.
    NoHttp(String),
}

/// Listens on `address`, which this option names; with port 0 the system chooses one.
pub(crate) async fn bind(
    option: &str,
    address: SocketAddr,
) -> Result<(TcpListener, SocketAddr), Error> {
    let cannot = |error| {
        Error::with_source(
            format!("cannot listen on {address}, choose another {option}"),
            error,
        )
    };
    let listener = TcpListener::bind(address).await.map_err(cannot)?;
    let address = listener.local_addr().map_err(cannot)?;
    Ok((listener, address))
}

/// An app that takes callbacks on every path.
pub(crate) fn app<H, F>(receiver: Receiver, handler: H) -> Router
where
    H: Fn(Delivery) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Result<(), HandlerError>> + Send + 'static,
{
    Router::new().fallback_service(record::<(), _, _>(receiver, handler))
}

/// Serves HTTP/1 until `stop` is ready and what was under way has ended. Connections without an HTTP
/// request are reported to `on_problem`.
pub(crate) async fn serve<P>(
    listener: TcpListener,
    app: Router,
    on_problem: P,
    stop: impl Future<Output = ()>,
) where
    P: Fn(SocketAddr, Problem) + Clone + Send + 'static,
{
    let (stopping, stopped) = watch::channel(());
    let mut connections = JoinSet::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        let has_room = connections.len() < MOST_CONNECTIONS;
        tokio::select! {
            () = &mut stop => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept(), if has_room => match accepted {
                Ok((stream, peer)) => {
                    let (app, on_problem) = (app.clone(), on_problem.clone());
                    connections.spawn(connection(stream, app, stopped.clone(), move |problem| {
                        on_problem(peer, problem);
                    }));
                }
                // Too many open files, most often: those in use have to be closed first.
                Err(_) => sleep(Duration::from_millis(100)).await,
            },
        }
    }
    drop((listener, stopping));
    let ended = async { while connections.join_next().await.is_some() {} };
    // Whoever has not sent a whole request by then is cut off.
    let _ = timeout(GRACE, ended).await;
}

async fn connection(
    stream: TcpStream,
    app: Router,
    mut stopped: watch::Receiver<()>,
    on_problem: impl FnOnce(Problem),
) {
    let mut first = [0; 3];
    let peeked = tokio::select! {
        // The sender is dropped, and nothing is ever sent.
        _ = stopped.changed() => return,
        peeked = timeout(HEAD_DEADLINE, stream.peek(&mut first)) => peeked,
    };
    match (peeked, first) {
        (Ok(Ok(1..)), [0x16, ..]) => return on_problem(Problem::Tls),
        (Ok(Ok(3..)), [b'P', b'R', b'I']) => return on_problem(Problem::Http2),
        (Ok(Ok(1..)), _) => {}
        // Opened and closed again, as a health check does.
        _ => return,
    }
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_DEADLINE)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(app));
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        _ = stopped.changed() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended
        && error.is_parse()
    {
        on_problem(Problem::NoHttp(error.to_string()));
    }
}
