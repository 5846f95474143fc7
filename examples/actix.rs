//! Receives recording callbacks with actix-web: `ZEGO_CALLBACK_SECRET=... cargo run --example actix`

use std::error::Error;
use std::process::ExitCode;

use actix_web::{App, HttpServer, web::ServiceConfig};
use tokio::net::TcpListener;
use zego_record_actix::{Receiver, record};
use zego_record_examples::{Stop, on_record, run};

fn app(receiver: Receiver) -> impl FnOnce(&mut ServiceConfig) {
    move |config| {
        config.route("/zego/record", record(receiver, on_record));
    }
}

#[actix_web::main]
async fn main() -> ExitCode {
    run(serve).await
}

async fn serve(
    listener: TcpListener,
    receiver: Receiver,
    stop: Stop,
) -> Result<(), Box<dyn Error>> {
    // Every worker gets a clone of the one receiver.
    let server = HttpServer::new(move || App::new().configure(app(receiver.clone())))
        .disable_signals()
        .listen(listener.into_std()?)?
        .run();
    let handle = server.handle();
    actix_web::rt::spawn(async move {
        stop.await;
        handle.stop(true).await;
    });
    Ok(server.await?)
}

#[cfg(test)]
mod tests {
    use actix_web::test::{TestRequest, call_service, init_service, read_body};
    use zego_record_testkit::RequestBuilder;

    use super::*;
    use zego_record_examples::testing::{SECRET, now, receiver};

    #[actix_web::test]
    async fn answers_1_to_a_signed_callback_and_rejects_another() {
        let app = init_service(App::new().configure(app(receiver().unwrap()))).await;
        for (secret, status, body) in [(SECRET, 200, "1"), ("another", 401, "bad_signature")] {
            let signed = RequestBuilder::new(secret, now()).build();
            let request = TestRequest::post()
                .uri("/zego/record")
                .set_payload(signed.body().to_vec());
            let response = call_service(&app, request.to_request()).await;
            assert_eq!(response.status().as_u16(), status);
            assert_eq!(read_body(response).await, body);
        }
    }
}
