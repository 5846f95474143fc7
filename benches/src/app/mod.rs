//! The servers that are compared: three frameworks, and how much each does for a callback.

mod actix;
mod axum;
mod warp;

use tokio::io::DuplexStream;
use tokio::net::TcpListener;
use zego_record_core::{RecordCallback, UnixSeconds, WireForm};
use zego_record_receiver::{HandlerError, Receiver};

use crate::contest::verifier;
use crate::naive;

/// A web framework.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framework {
    /// axum
    Axum,
    /// actix-web
    Actix,
    /// warp
    Warp,
}

/// How much is done for a callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Nothing: `1` is answered, and the body is not looked at.
    Bare,
    /// What a hand-written receiver does.
    Naive,
    /// Verification and guard, by the extractor (warp: by the filter `verified`).
    Extractor,
    /// With delivery guarantees, by the layer or middleware.
    Layer,
    /// With delivery guarantees, by the ready route (warp: by the filter `record`).
    Route,
}

/// A server to be: framework, extent, and the wire form that a hand-written receiver expects.
#[derive(Clone, Copy, Debug)]
pub struct App {
    framework: Framework,
    extent: Extent,
    form: WireForm,
}

impl Framework {
    /// Every framework.
    pub const ALL: [Self; 3] = [Self::Axum, Self::Actix, Self::Warp];

    /// Its name in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Axum => "axum",
            Self::Actix => "actix",
            Self::Warp => "warp",
        }
    }
}

impl Extent {
    /// Every extent, the cheapest first.
    pub const ALL: [Self; 5] = [
        Self::Bare,
        Self::Naive,
        Self::Extractor,
        Self::Layer,
        Self::Route,
    ];

    /// Its name in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::Naive => "naive",
            Self::Extractor => "extractor",
            Self::Layer => "layer",
            Self::Route => "route",
        }
    }

    /// Whether it is this project's code that does it.
    pub const fn is_ours(self) -> bool {
        !matches!(self, Self::Bare | Self::Naive)
    }
}

impl App {
    /// `None` if the framework has nothing like that: in warp, layers go around a whole service.
    pub fn new(framework: Framework, extent: Extent, form: WireForm) -> Option<Self> {
        let exists = framework != Framework::Warp || extent != Extent::Layer;
        exists.then_some(Self {
            framework,
            extent,
            form,
        })
    }

    /// Serves one connection; inside of a `LocalSet`.
    pub async fn serve_connection(self, stream: DuplexStream) {
        match self.framework {
            Framework::Axum => axum::serve_connection(self, stream).await,
            Framework::Actix => actix::serve_connection(self, stream).await,
            Framework::Warp => warp::serve_connection(self, stream).await,
        }
    }

    /// Serves a listener with one worker, as the framework does it by itself, until the process ends.
    pub fn serve(self, listener: std::net::TcpListener) {
        if self.framework == Framework::Actix {
            return actix::serve(self, listener);
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let listener = TcpListener::from_std(listener).expect("a listener");
            match self.framework {
                Framework::Axum => axum::serve(self, listener).await,
                _ => warp::serve(self, listener).await,
            }
        });
    }
}

fn receiver() -> Receiver {
    Receiver::builder(verifier())
        .build()
        .expect("the defaults are valid")
}

/// The handler of all ready routes. It does nothing: what is measured is the way to it.
async fn on_record(recording: RecordCallback) -> Result<(), HandlerError> {
    std::hint::black_box(recording);
    Ok(())
}

/// The handler that is written by hand: a status and a body.
fn by_hand(body: &[u8], form: WireForm) -> (u16, &'static str) {
    let now = UnixSeconds::from(std::time::SystemTime::now());
    match naive::receive(body, form, now) {
        Ok(event) => {
            std::hint::black_box(event);
            (200, "1")
        }
        Err(reason) => (401, reason),
    }
}
