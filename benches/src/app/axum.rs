//! axum.

use axum::Router;
use axum::http::StatusCode;
use axum::routing::post;
use bytes::Bytes;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::io::DuplexStream;
use tokio::net::TcpListener;
use zego_record_axum::{Ack, Record, RecordLayer, record};

use super::{App, Extent, by_hand, on_record, receiver};

pub(super) async fn serve_connection(app: App, stream: DuplexStream) {
    let service = TowerToHyperService::new(router(app));
    let served = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
    served.expect("the connection is served to its end");
}

pub(super) async fn serve(app: App, listener: TcpListener) {
    axum::serve(listener, router(app))
        .await
        .expect("a server that never ends");
}

fn router(app: App) -> Router {
    let form = app.form;
    let naive = move |body: Bytes| async move {
        let (status, body) = by_hand(&body, form);
        (StatusCode::from_u16(status).unwrap_or_default(), body)
    };
    let extractor = |Record(recording): Record| async {
        on_record(recording)
            .await
            .map(|()| Ack)
            .map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
    };
    let route = match app.extent {
        Extent::Bare => post(|| async { "1" }),
        Extent::Naive => post(naive),
        Extent::Extractor => post(extractor),
        Extent::Layer => post(extractor).layer(RecordLayer::new(receiver())),
        Extent::Route => record(receiver(), on_record),
    };
    Router::new()
        .route("/zego/record", route)
        .with_state(receiver())
}
