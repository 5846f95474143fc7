//! The requests of a run: what is sent for each step of the plan.

use fastrand::Rng;
use zego_record_core::UnixSeconds;
use zego_record_testkit::{RequestBuilder, SignedRequest, Signing};

use super::plan::{Rejected, Step};
use crate::captured::Captured;
use crate::content::ContentArgs;
use crate::secrets::Secret;

/// How far from now the timestamp of a stale or future callback is.
const HOUR: i64 = 60 * 60;

/// Sixteen times what a receiver takes by default.
const OVERSIZE: usize = 1024 * 1024;

/// Makes the requests of a run.
#[derive(Debug)]
pub struct Callbacks {
    secret: Secret,
    content: ContentArgs,
    captured: Option<Captured>,
}

impl Callbacks {
    pub(crate) fn new(secret: Secret, content: ContentArgs, captured: Option<Captured>) -> Self {
        Self {
            secret,
            content,
            captured,
        }
    }

    /// The first request for a callback, signed at `now`. Everything random in it is from the step.
    pub(crate) fn request(&self, step: &Step, now: UnixSeconds) -> SignedRequest {
        let mut rng = Rng::with_seed(step.seed);
        let builder = match &self.captured {
            None => self
                .content
                .recording(&self.secret, now, step.index, &mut rng),
            Some(captured) => {
                let builder = RequestBuilder::new(self.secret.text(), now).seed(rng.u64(..));
                self.content.apply(captured.fill(builder))
            }
        };
        let builder = match step.rejected {
            None => builder,
            Some(Rejected::Stale) => builder.age(HOUR),
            Some(Rejected::Future) => builder.age(-HOUR),
            Some(Rejected::BadSignature) => builder.signing(Signing::OtherSecret),
            Some(Rejected::Unsigned) => builder.signing(Signing::Unsigned),
            Some(Rejected::Oversize) => builder.field("padding", "x".repeat(OVERSIZE)),
        };
        builder.build()
    }
}

/// What somebody sends who has seen `request` and wants another file to be fetched.
pub(crate) fn tampered(request: &SignedRequest) -> SignedRequest {
    request.tampered(|builder| {
        builder.field(
            "replay_url",
            "https://attacker.example.com/not-the-recording.mp4",
        )
    })
}
