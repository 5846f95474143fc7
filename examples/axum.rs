//! Receives recording callbacks with axum: `ZEGO_CALLBACK_SECRET=... cargo run --example axum`

use std::error::Error;
use std::process::ExitCode;

use axum::Router;
use tokio::net::TcpListener;
use zego_record_axum::{Receiver, record};
use zego_record_examples::{Stop, on_record, run};

fn app(receiver: Receiver) -> Router {
    Router::new().route("/zego/record", record(receiver, on_record))
}

#[tokio::main]
async fn main() -> ExitCode {
    run(serve).await
}

async fn serve(
    listener: TcpListener,
    receiver: Receiver,
    stop: Stop,
) -> Result<(), Box<dyn Error>> {
    axum::serve(listener, app(receiver))
        .with_graceful_shutdown(stop)
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use tower::ServiceExt;
    use zego_record_testkit::RequestBuilder;

    use super::*;
    use zego_record_examples::testing::{SECRET, now, receiver};

    #[tokio::test]
    async fn answers_1_to_a_signed_callback_and_rejects_another() {
        let app = app(receiver().unwrap());
        for (secret, status, body) in [(SECRET, 200, "1"), ("another", 401, "bad_signature")] {
            let (mut parts, bytes) = RequestBuilder::new(secret, now())
                .build()
                .into_http()
                .into_parts();
            parts.uri = "/zego/record".parse().unwrap();
            let request = axum::http::Request::from_parts(parts, Body::from(bytes));
            let response = app.clone().oneshot(request).await.unwrap();
            assert_eq!(response.status(), status);
            assert_eq!(to_bytes(response.into_body(), 100).await.unwrap(), body);
        }
    }
}
