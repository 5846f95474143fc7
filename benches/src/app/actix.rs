//! actix-web.

use actix_http::{HttpService, Protocol};
use actix_service::{IntoServiceFactory, Service, ServiceFactory, map_config};
use actix_web::dev::AppConfig;
use actix_web::error::ErrorInternalServerError;
use actix_web::http::StatusCode;
use actix_web::{App as ActixApp, HttpResponse, HttpServer, rt, web};
use tokio::io::DuplexStream;
use zego_record_actix::{Ack, Record, RecordMiddleware, record};
use zego_record_receiver::Receiver;

use super::{App, Extent, by_hand, on_record, receiver};

pub(super) async fn serve_connection(app: App, stream: DuplexStream) {
    let receiver = receiver();
    let app = ActixApp::new().configure(move |config| configure(config, app, &receiver));
    let app = map_config(app.into_factory(), |()| AppConfig::default());
    let service = HttpService::build()
        .finish(app)
        .new_service(())
        .await
        .expect("an app that can be built");
    let served = service.call((stream, Protocol::Http1, None)).await;
    served.expect("the connection is served to its end");
}

pub(super) fn serve(app: App, listener: std::net::TcpListener) {
    let receiver = receiver();
    let served = rt::System::new().block_on(async {
        HttpServer::new(move || {
            let receiver = receiver.clone();
            ActixApp::new().configure(move |config| configure(config, app, &receiver))
        })
        .workers(1)
        .listen(listener)?
        .run()
        .await
    });
    served.expect("a server that never ends");
}

fn configure(config: &mut web::ServiceConfig, app: App, receiver: &Receiver) {
    let form = app.form;
    let naive = move |body: web::Bytes| async move {
        let (status, body) = by_hand(&body, form);
        HttpResponse::build(StatusCode::from_u16(status).unwrap_or_default()).body(body)
    };
    let extractor = |Record(recording): Record| async {
        let run = on_record(recording).await;
        run.map(|()| Ack)
            .map_err(|error| ErrorInternalServerError(error.to_string()))
    };
    let resource = web::resource("/zego/record");
    match app.extent {
        // Without the body, actix would close the connection after each answer.
        Extent::Bare => {
            config.service(resource.route(web::post().to(|_: web::Bytes| async { "1" })))
        }
        Extent::Naive => config.service(resource.route(web::post().to(naive))),
        Extent::Extractor => config
            .app_data(receiver.clone())
            .service(resource.route(web::post().to(extractor))),
        Extent::Layer => config.service(
            resource
                .wrap(RecordMiddleware::new(receiver.clone()))
                .route(web::post().to(extractor)),
        ),
        Extent::Route => config.service(resource.route(record(receiver.clone(), on_record))),
    };
}
