//! Receives recording callbacks with warp: `ZEGO_CALLBACK_SECRET=... cargo run --example warp`

use std::error::Error;
use std::process::ExitCode;

use tokio::net::TcpListener;
use warp::{Filter, Rejection, Reply};
use zego_record_examples::{Stop, on_record, run};
use zego_record_warp::{Receiver, record};

fn app(
    receiver: Receiver,
) -> impl Filter<Extract: Reply, Error = Rejection> + Clone + Send + Sync + 'static {
    warp::path!("zego" / "record").and(record(receiver, on_record))
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
    warp::serve(app(receiver))
        .incoming(listener)
        .graceful(stop)
        .run()
        .await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use zego_record_testkit::RequestBuilder;

    use super::*;
    use zego_record_examples::testing::{SECRET, now, receiver};

    #[tokio::test]
    async fn answers_1_to_a_signed_callback_and_rejects_another() {
        let app = app(receiver().unwrap());
        for (secret, status, body) in [(SECRET, 200, "1"), ("another", 401, "bad_signature")] {
            let signed = RequestBuilder::new(secret, now()).build();
            let request = warp::test::request()
                .method("POST")
                .path("/zego/record")
                .body(signed.body());
            let response = request.reply(&app).await;
            assert_eq!(response.status().as_u16(), status);
            assert_eq!(response.body(), body);
        }
    }
}
