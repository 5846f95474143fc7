//! What is sent, and what must come of it.

use zego_record_core::{UnixSeconds, Vendor, Verdict, WireForm};
use zego_record_testkit::{RequestBuilder, SignedRequest, Signing};

/// One line of the demonstration.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Scene {
    /// What is sent.
    pub name: String,
    /// Who sends it.
    pub sender: Sender,
    /// The request.
    pub request: http::Request<bytes::Bytes>,
    /// The verdict expected on each attempt.
    pub expected: Vec<Verdict>,
    /// What it shows.
    pub promise: &'static str,
}

/// Who sends a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Sender {
    /// It tries again until it gets a 2xx, six times in all.
    Zegocloud,
    /// Somebody who does not have the secret, and sends once.
    Stranger,
}

impl Sender {
    /// Its name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Zegocloud => "ZEGOCLOUD",
            Self::Stranger => "stranger",
        }
    }
}

/// All scenes in their order, for a receiver with this secret whose clock shows `now`.
///
/// The handler fails twice for a stream that is called `fails-twice`, panics once for `panics-once`, and
/// discards `not-ours`.
pub fn scenario(secret: &str, now: UnixSeconds) -> Vec<Scene> {
    let mut scenes = Scenes {
        secret,
        now,
        scenes: Vec::new(),
    };
    scenes.every_vendor_in_every_form();
    scenes.retries();
    scenes.deliveries();
    scenes.strangers();
    scenes.scenes
}

struct Scenes<'a> {
    secret: &'a str,
    now: UnixSeconds,
    scenes: Vec<Scene>,
}

impl Scenes<'_> {
    fn every_vendor_in_every_form(&mut self) {
        let vendors = [
            ("Tencent", Some(Vendor::Tencent)),
            ("Wangsu", Some(Vendor::Wangsu)),
            ("Huawei", Some(Vendor::Huawei)),
            ("Aliyun", None),
        ];
        for (name, vendor) in vendors {
            let stream = |form: &str| {
                self.stream(&format!("{}-{form}", name.to_lowercase()))
                    .vendor(vendor)
            };
            let forms = [
                ("JSON", stream("json")),
                ("JSON with numbers", stream("numbers").numbers()),
                ("a form", stream("form").wire_form(WireForm::Form)),
                (
                    "JSON, percent-encoded",
                    stream("encoded").wire_form(WireForm::EncodedJson),
                ),
            ];
            for (form, builder) in forms {
                let promise = "every wire form is accepted, whatever its Content-Type";
                self.callback(
                    format!("{name} as {form}"),
                    &builder.build(),
                    &[Verdict::Handled],
                    promise,
                );
            }
        }
    }

    fn retries(&mut self) {
        let failed = Verdict::HandlerFailed;
        let request = self.stream("fails-twice").build();
        let promise = "a handler that fails is answered 500, and runs again at the retry";
        self.callback(
            "a handler that fails twice",
            &request,
            &[failed, failed, Verdict::Handled],
            promise,
        );

        let request = self.stream("panics-once").build();
        let promise = "a panic counts as a failure, and the server goes on";
        self.callback(
            "a handler that panics once",
            &request,
            &[failed, Verdict::Handled],
            promise,
        );

        let request = self.stream("not-ours").build();
        let promise = "a callback that the handler discards is answered 1";
        self.callback(
            "a handler that discards",
            &request,
            &[Verdict::Discarded],
            promise,
        );
    }

    fn deliveries(&mut self) {
        let first = self.stream("lesson-7").vendor(Vendor::Tencent);
        let request = first.build();
        let promise = "the first delivery runs the handler";
        self.callback("a recording", &request, &[Verdict::Handled], promise);
        let promise = "a duplicate does not run the handler again";
        self.callback(
            "the same, byte for byte",
            &request,
            &[Verdict::Duplicate],
            promise,
        );
        self.callback(
            "the same, signed anew",
            &request.resigned(self.now),
            &[Verdict::Duplicate],
            promise,
        );
        let form = first.clone().wire_form(WireForm::Form).build();
        self.callback("the same, as a form", &form, &[Verdict::Duplicate], promise);

        let second = first
            .field("replay_url", "https://vod.example.com/lesson-7.m3u8")
            .field(
                "extra_params",
                r#"{"TaskId":"task-7","FileID":"5285890813218549790"}"#,
            );
        let promise = "two files of one stream are two deliveries";
        self.callback(
            "another file of it",
            &second.build(),
            &[Verdict::Handled],
            promise,
        );

        let promise = "other events are answered 1 and do not run the handler";
        let compose = self.stream("lesson-7").field("event", "compose").build();
        self.callback("another event", &compose, &[Verdict::Ignored], promise);
    }

    fn strangers(&mut self) {
        let captured = self.stream("captured").build();
        let promise = "a genuine callback, which an attacker has captured";
        self.callback("a recording", &captured, &[Verdict::Handled], promise);
        let promise = "a captured request that is sent again runs nothing";
        self.stranger("the same, replayed", &captured, Verdict::Duplicate, promise);
        let forged =
            captured.tampered(|builder| builder.field("replay_url", "https://evil.example/x.mp4"));
        let promise = "a captured signature is not accepted for other content";
        self.stranger(
            "its signature, other content",
            &forged,
            Verdict::SignatureReused,
            promise,
        );

        let stream = self.stream("forged");
        let twice = stream.clone().add_field("stream_alias", "another").build();
        for (name, request, verdict, promise) in [
            (
                "a forged body",
                stream.clone().signing(Signing::OtherSecret).build(),
                Verdict::BadSignature,
                "a signature made without the secret is rejected",
            ),
            (
                "no signature",
                stream.clone().signing(Signing::Unsigned).build(),
                Verdict::Unsigned,
                "a request without a signature is rejected",
            ),
            (
                "a stale one",
                stream.clone().age(301).build(),
                Verdict::Stale,
                "a timestamp more than 300 s old is rejected",
            ),
            (
                "one from the future",
                stream.age(-310).build(),
                Verdict::Future,
                "a timestamp more than 300 s ahead is rejected",
            ),
            (
                "a field twice",
                twice,
                Verdict::Malformed,
                "a body that can be read in two ways is rejected",
            ),
        ] {
            self.stranger(name, &request, verdict, promise);
        }
        let too_long = self
            .stream("too-long")
            .field("padding", "a".repeat(70_000))
            .build();
        let promise = "a body over 64 KiB is rejected before it is read";
        self.stranger("a body of 70 kB", &too_long, Verdict::BodyTooLarge, promise);
        let promise = "any method but POST is rejected";
        self.add(
            "a GET request",
            Sender::Stranger,
            http::Request::default(),
            &[Verdict::MethodNotAllowed],
            promise,
        );
    }

    fn stream(&self, name: &str) -> RequestBuilder {
        RequestBuilder::new(self.secret, self.now)
            .field("stream_alias", name)
            .field("replay_url", format!("https://vod.example.com/{name}.mp4"))
    }

    fn callback(
        &mut self,
        name: impl Into<String>,
        request: &SignedRequest,
        expected: &[Verdict],
        promise: &'static str,
    ) {
        self.add(
            name,
            Sender::Zegocloud,
            request.clone().into_http(),
            expected,
            promise,
        );
    }

    fn stranger(
        &mut self,
        name: &str,
        request: &SignedRequest,
        expected: Verdict,
        promise: &'static str,
    ) {
        self.add(
            name,
            Sender::Stranger,
            request.clone().into_http(),
            &[expected],
            promise,
        );
    }

    fn add(
        &mut self,
        name: impl Into<String>,
        sender: Sender,
        request: http::Request<bytes::Bytes>,
        expected: &[Verdict],
        promise: &'static str,
    ) {
        self.scenes.push(Scene {
            name: name.into(),
            sender,
            request,
            expected: expected.to_vec(),
            promise,
        });
    }
}
