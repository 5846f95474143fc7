//! warp.

use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::io::DuplexStream;
use tokio::net::TcpListener;
use warp::filters::BoxedFilter;
use warp::http::StatusCode;
use warp::reply::{Response, with_status};
use warp::{Filter, Reply};
use zego_record_warp::{Ack, record, verified};

use super::{App, Extent, by_hand, on_record, receiver};

pub(super) async fn serve_connection(app: App, stream: DuplexStream) {
    let service = TowerToHyperService::new(warp::service(filter(app)));
    let served = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
    served.expect("the connection is served to its end");
}

pub(super) async fn serve(app: App, listener: TcpListener) {
    warp::serve(filter(app)).incoming(listener).run().await;
}

/// Boxed, since every filter has a type of its own; that costs all of them the same.
fn filter(app: App) -> BoxedFilter<(Response,)> {
    let form = app.form;
    let path = warp::path!("zego" / "record");
    let naive = move |body: bytes::Bytes| {
        let (status, body) = by_hand(&body, form);
        with_status(body, StatusCode::from_u16(status).unwrap_or_default()).into_response()
    };
    let extractor = |recording| async {
        match on_record(recording).await {
            Ok(()) => Ack.into_response(),
            Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        }
    };
    match app.extent {
        Extent::Bare => path.and(warp::post()).map(|| "1".into_response()).boxed(),
        Extent::Naive => path
            .and(warp::post())
            .and(warp::body::bytes())
            .map(naive)
            .boxed(),
        Extent::Extractor => path.and(verified(receiver(), extractor)).boxed(),
        Extent::Layer | Extent::Route => path.and(record(receiver(), on_record)).boxed(),
    }
}
