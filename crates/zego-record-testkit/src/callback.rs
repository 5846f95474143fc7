//! Callbacks for the unit tests of handlers.

use zego_record_core::{RecordCallback, UnixSeconds, Vendor, Verified};
use zego_record_receiver::Delivery;

use crate::request::RequestBuilder;
use crate::signing::verifier_with;

const SECRET: &str = "secret-of-the-test-kit";
const NOW: UnixSeconds = UnixSeconds::new(1_760_001_900);

/// Builds the [`RecordCallback`] or the [`Delivery`] that a handler gets.
///
/// Verification is the only way to a callback, so this signs a request and verifies it with a secret
/// and a clock of its own. So it cannot build a callback that no request leads to.
///
/// ```
/// use zego_record_core::Vendor;
/// use zego_record_testkit::CallbackBuilder;
///
/// let callback = CallbackBuilder::new()
///     .vendor(Vendor::Tencent)
///     .field("stream_alias", "lesson-8")
///     .build();
/// assert_eq!(callback.stream_alias(), "lesson-8");
/// assert_eq!(callback.extra_params().file_id(), Some("5285890813218549789"));
///
/// // For a handler that takes a delivery: the second attempt.
/// let delivery = CallbackBuilder::new().field("stream_alias", "lesson-8").delivery().with_attempt(2);
/// assert_eq!((delivery.attempt(), delivery.is_changed()), (2, false));
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing before build()"]
pub struct CallbackBuilder(RequestBuilder);

impl CallbackBuilder {
    /// Starts with a recording of half an hour by Tencent. Two callbacks of one builder are the same
    /// delivery; only their nonces differ.
    pub fn new() -> Self {
        Self(RequestBuilder::new(SECRET, NOW).seed(0))
    }

    /// Whose `extra_params` there are; with `None` (as from Aliyun) there are none.
    pub fn vendor(self, vendor: impl Into<Option<Vendor>>) -> Self {
        Self(self.0.vendor(vendor))
    }

    /// Sets a field, known or not, to a string.
    pub fn field(self, name: impl Into<String>, text: impl Into<String>) -> Self {
        Self(self.0.field(name, text))
    }

    /// Sets a field to a JSON value.
    pub fn field_json(self, name: impl Into<String>, json: impl Into<String>) -> Self {
        Self(self.0.field_json(name, json))
    }

    /// Leaves a field out.
    pub fn without(self, name: impl Into<String>) -> Self {
        Self(self.0.without(name))
    }

    /// Builds the callback.
    ///
    /// # Panics
    ///
    /// If no verifier would accept it: a required field is missing, a time is no integer, a field has
    /// a type that is not allowed, or the event is not `record`.
    pub fn build(&self) -> RecordCallback {
        match verifier_with(SECRET).verify(self.0.build().body(), NOW) {
            Ok(Verified::Record(callback)) => callback,
            Ok(_) => panic!("this would be no recording: its event is not `record`"),
            Err(rejection) => panic!(
                "this would be rejected as {}: {rejection}",
                rejection.verdict()
            ),
        }
    }

    /// Builds the callback as the first run of a handler gets it. [`Delivery::with_attempt`],
    /// [`with_changed`](Delivery::with_changed) and [`with_deduplicated`](Delivery::with_deduplicated)
    /// make it another one.
    ///
    /// # Panics
    ///
    /// As [`build`](Self::build).
    pub fn delivery(&self) -> Delivery {
        Delivery::new(self.build())
    }
}

impl Default for CallbackBuilder {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn builds_callbacks_of_every_vendor_with_any_field() {
        for vendor in [Vendor::Tencent, Vendor::Wangsu, Vendor::Huawei] {
            let callback = CallbackBuilder::new().vendor(vendor).build();
            assert_eq!(callback.extra_params().vendor(), Some(vendor));
            assert!(callback.extra_params().file_id().is_some());
        }
        let callback = CallbackBuilder::default()
            .vendor(None)
            .field("replay_url", "https://vod.example.com/8.mp4")
            .field_json("rtmp_url[]", r#"["r"]"#)
            .build();
        assert_eq!(callback.extra_params().text(), None);
        assert_eq!(callback.replay_url(), "https://vod.example.com/8.mp4");
        assert_eq!(
            callback.other_fields().next(),
            Some(("rtmp_url[]", r#"["r"]"#))
        );
    }

    #[test]
    fn one_builder_makes_one_delivery_under_many_signatures() {
        let builder = CallbackBuilder::new();
        let (first, second) = (builder.build(), builder.build());
        assert_eq!(first.delivery_key(), second.delivery_key());
        assert_ne!(first.nonce(), second.nonce());
        assert_eq!(
            first.nonce(),
            CallbackBuilder::new().build().nonce(),
            "seeded"
        );
    }

    #[test]
    #[should_panic(expected = "rejected as invalid: signed, but the field replay_url is absent")]
    fn building_what_no_verifier_accepts_panics() {
        let _ = CallbackBuilder::new().without("replay_url").build();
    }

    #[test]
    #[should_panic(expected = "its event is not `record`")]
    fn another_event_is_no_recording() {
        let _ = CallbackBuilder::new().field("event", "compose").build();
    }
}
