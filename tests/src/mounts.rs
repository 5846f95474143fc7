//! The mounts: an adapter, a way to use it, and a server around it.

use std::convert::Infallible;
use std::fmt;
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc;
use std::thread::JoinHandle;

use actix_web::web;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::sync::oneshot;
use tower::{Service, ServiceBuilder, service_fn};
use warp::Reply;
use zego_record_core::RecordCallback;
use zego_record_receiver::{HandlerError, Receiver};

use crate::script::Script;

/// All mounts. One that is added here also belongs into [`every_mount!`](crate::every_mount).
pub const MOUNTS: &[Mount] = &[
    Mount::new("tower_layer", Extent::Receiver, tower_layer),
    Mount::new("tower_service", Extent::Receiver, tower_service),
    Mount::new("axum_route", Extent::Receiver, axum_route),
    Mount::new("axum_layer", Extent::Receiver, axum_layer),
    Mount::new("axum_extractor", Extent::Extractor, axum_extractor),
    Mount::new("actix_route", Extent::Receiver, actix_route),
    Mount::new("actix_middleware", Extent::Receiver, actix_middleware),
    Mount::new("actix_extractor", Extent::Extractor, actix_extractor),
    Mount::new("warp_filter", Extent::Receiver, warp_filter),
    Mount::new("warp_verified", Extent::Extractor, warp_verified),
];

/// An adapter in one of the ways to use it.
#[derive(Clone, Copy)]
pub struct Mount {
    /// Its name in reports.
    pub name: &'static str,
    /// How far it goes.
    pub extent: Extent,
    serve: Serve,
}

/// How far a mount goes with a callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// With delivery guarantees.
    Receiver,
    /// Verification and guard; the handler's end is its own business.
    Extractor,
}

/// A mount that serves.
#[derive(Debug)]
pub struct Running {
    /// Where it listens.
    pub address: SocketAddr,
    /// What it runs.
    pub script: Script,
    /// What it drives.
    pub receiver: Receiver,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// The mount with this name.
pub fn mount(name: &str) -> &'static Mount {
    let found = MOUNTS.iter().find(|mount| mount.name == name);
    found.unwrap_or_else(|| panic!("no mount has the name {name}"))
}

/// Runs a test on a mount, in a runtime of its own.
pub fn run_on<F: Future<Output = ()>>(
    mount: &'static Mount,
    test: impl FnOnce(&'static Mount) -> F,
) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(test(mount));
}

type Serve = fn(TcpListener, Receiver, Script, oneshot::Receiver<()>);

impl Mount {
    const fn new(name: &'static str, extent: Extent, serve: Serve) -> Self {
        Self {
            name,
            extent,
            serve,
        }
    }

    /// Serves on a loopback port, on a thread of its own, until the result is dropped.
    pub fn start(&self, receiver: Receiver) -> Running {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let script = Script::new();
        let (stop, stopped) = oneshot::channel();
        let (serve, name) = (self.serve, self.name);
        let (ready, served) = mpsc::channel();
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn({
            let (receiver, script) = (receiver.clone(), script.clone());
            move || {
                ready.send(()).unwrap();
                serve(listener, receiver, script, stopped);
            }
        });
        served.recv().unwrap();
        Running {
            address,
            script,
            receiver,
            stop: Some(stop),
            thread: Some(thread.unwrap()),
        }
    }
}

impl fmt::Debug for Mount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
        let thread = self.thread.take().unwrap();
        if thread.join().is_err() && !std::thread::panicking() {
            panic!("the server has panicked");
        }
    }
}

fn tower_layer(
    listener: TcpListener,
    receiver: Receiver,
    script: Script,
    stop: oneshot::Receiver<()>,
) {
    let service = ServiceBuilder::new()
        .layer(zego_record_tower::RecordLayer::new(receiver))
        .service(service_fn(move |request: Request<Full<Bytes>>| {
            let script = script.clone();
            async move {
                let callback = request
                    .extensions()
                    .get::<RecordCallback>()
                    .unwrap()
                    .clone();
                let mut response = Response::new(Full::<Bytes>::from("from inside"));
                *response.status_mut() = inner_status(script.run(callback).await);
                Ok::<_, Infallible>(response)
            }
        }));
    hyper(listener, service, stop);
}

fn tower_service(
    listener: TcpListener,
    receiver: Receiver,
    script: Script,
    stop: oneshot::Receiver<()>,
) {
    hyper(
        listener,
        zego_record_tower::record(receiver, move |callback| script.clone().run(callback)),
        stop,
    );
}

fn axum_route(
    listener: TcpListener,
    receiver: Receiver,
    script: Script,
    stop: oneshot::Receiver<()>,
) {
    let route = zego_record_axum::record(receiver, move |callback| script.clone().run(callback));
    axum(listener, axum::Router::new().route("/", route), stop);
}

fn axum_layer(
    listener: TcpListener,
    receiver: Receiver,
    script: Script,
    stop: oneshot::Receiver<()>,
) {
    let layer = zego_record_axum::RecordLayer::new(receiver.clone());
    axum(
        listener,
        axum_handler(script).layer(layer).with_state(receiver),
        stop,
    );
}

fn axum_extractor(
    listener: TcpListener,
    receiver: Receiver,
    script: Script,
    stop: oneshot::Receiver<()>,
) {
    axum(listener, axum_handler(script).with_state(receiver), stop);
}

/// A route for any method, so that the extractor sees them all.
fn axum_handler(script: Script) -> axum::Router<Receiver> {
    use zego_record_axum::{Ack, Record};
    let handler = async move |Record(callback): Record| script.run(callback).await.map(|()| Ack);
    axum::Router::new().route("/", axum::routing::any(handler))
}

fn actix_route(
    listener: TcpListener,
    receiver: Receiver,
    script: Script,
    stop: oneshot::Receiver<()>,
) {
    let configure = move |config: &mut web::ServiceConfig| {
        let script = script.clone();
        let run = move |callback: RecordCallback| script.clone().run(callback);
        config.route("/", zego_record_actix::record(receiver.clone(), run));
    };
    actix(listener, configure, stop);
}

fn actix_middleware(
    listener: TcpListener,
    receiver: Receiver,
    script: Script,
    stop: oneshot::Receiver<()>,
) {
    let configure = move |config: &mut web::ServiceConfig| {
        let middleware = zego_record_actix::RecordMiddleware::new(receiver.clone());
        let route = actix_handler(script.clone());
        config.service(web::resource("/").wrap(middleware).route(route));
    };
    actix(listener, configure, stop);
}

fn actix_extractor(
    listener: TcpListener,
    receiver: Receiver,
    script: Script,
    stop: oneshot::Receiver<()>,
) {
    let configure = move |config: &mut web::ServiceConfig| {
        config
            .app_data(receiver.clone())
            .route("/", actix_handler(script.clone()));
    };
    actix(listener, configure, stop);
}

/// A route for any method, so that the extractor sees them all.
fn actix_handler(script: Script) -> actix_web::Route {
    use zego_record_actix::{Ack, Record};
    web::to(move |Record(callback): Record| {
        let script = script.clone();
        async move { script.run(callback).await.map(|()| Ack) }
    })
}

fn warp_filter(
    listener: TcpListener,
    receiver: Receiver,
    script: Script,
    stop: oneshot::Receiver<()>,
) {
    let run = move |callback| script.clone().run(callback);
    hyper(
        listener,
        warp::service(zego_record_warp::record(receiver, run)),
        stop,
    );
}

fn warp_verified(
    listener: TcpListener,
    receiver: Receiver,
    script: Script,
    stop: oneshot::Receiver<()>,
) {
    let handler = move |callback| {
        let script = script.clone();
        async move {
            script.run(callback).await.map_or(
                warp::http::StatusCode::INTERNAL_SERVER_ERROR.into_response(),
                |()| zego_record_warp::Ack.into_response(),
            )
        }
    };
    hyper(
        listener,
        warp::service(zego_record_warp::verified(receiver, handler)),
        stop,
    );
}

fn inner_status(result: Result<(), HandlerError>) -> StatusCode {
    match result {
        Ok(()) => StatusCode::NO_CONTENT,
        // Without `HandlerError` in its response, an inner service discards by a success.
        Err(error) if error.is_discard() => StatusCode::OK,
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn tokio(serve: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    runtime.unwrap().block_on(serve);
}

fn hyper<S, B>(listener: TcpListener, service: S, mut stop: oneshot::Receiver<()>)
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send,
    B: hyper::body::Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>>
        + Send
        + 'static,
{
    tokio(async move {
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        loop {
            let (stream, _) = tokio::select! {
                accepted = listener.accept() => accepted.unwrap(),
                _ = &mut stop => return,
            };
            let connection = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(
                    TokioIo::new(stream),
                    TowerToHyperService::new(service.clone()),
                );
            tokio::spawn(connection);
        }
    });
}

fn axum(listener: TcpListener, router: axum::Router, stop: oneshot::Receiver<()>) {
    tokio(async {
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        tokio::select! {
            served = axum::serve(listener, router).into_future() => served.unwrap(),
            _ = stop => {}
        }
    });
}

fn actix<F>(listener: TcpListener, configure: F, stop: oneshot::Receiver<()>)
where
    F: Fn(&mut web::ServiceConfig) + Clone + Send + 'static,
{
    actix_web::rt::System::new().block_on(async {
        let server =
            actix_web::HttpServer::new(move || actix_web::App::new().configure(configure.clone()))
                .workers(2)
                .disable_signals()
                .listen(listener)
                .unwrap()
                .run();
        let handle = server.handle();
        let served = actix_web::rt::spawn(server);
        let _ = stop.await;
        handle.stop(false).await;
        served.await.unwrap().unwrap();
    });
}
