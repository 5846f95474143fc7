//! Keeps every span and event of this thread.

#![allow(dead_code)] // Each test file takes its part of it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::DefaultGuard;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

pub(crate) struct Listener {
    log: Log,
    _default: DefaultGuard,
}

/// A span or an event.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) level: Level,
    /// The span in which it is.
    pub(crate) within: Option<String>,
    name: String,
    span: Option<u64>,
    fields: BTreeMap<&'static str, String>,
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<Seen>>>);

impl Listener {
    /// Listens until it is dropped, to this thread alone; a test's runtime has no other.
    pub(crate) fn listen() -> Self {
        let log = Log::default();
        let subscriber = tracing_subscriber::registry().with(log.clone());
        Self {
            log,
            _default: tracing::subscriber::set_default(subscriber),
        }
    }

    pub(crate) fn spans(&self, name: &str) -> Vec<Seen> {
        let log = self.log.0.lock().unwrap();
        let spans = log
            .iter()
            .filter(|seen| seen.span.is_some() && seen.name == name);
        spans.cloned().collect()
    }

    /// The first event whose message begins so.
    pub(crate) fn event(&self, message: &str) -> Seen {
        let log = self.log.0.lock().unwrap();
        let event = log.iter().find(|seen| seen.begins_with(message));
        event
            .cloned()
            .unwrap_or_else(|| panic!("no event begins with {message:?}: {log:#?}"))
    }

    /// All events whose message begins so, since they were taken the last time.
    pub(crate) fn take_events(&self, message: &str) -> Vec<Seen> {
        let mut log = self.log.0.lock().unwrap();
        log.extract_if(.., |seen| seen.begins_with(message))
            .collect()
    }

    /// Every field, with its name.
    pub(crate) fn fields(&self) -> Vec<(&'static str, String)> {
        let log = self.log.0.lock().unwrap();
        let fields = log.iter().flat_map(|seen| seen.fields.clone());
        fields.collect()
    }

    /// Everything.
    pub(crate) fn text(&self) -> String {
        format!("{:#?}", self.log.0.lock().unwrap())
    }
}

impl Seen {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str)
    }

    fn begins_with(&self, message: &str) -> bool {
        self.field("message")
            .is_some_and(|text| text.starts_with(message))
    }

    fn new(metadata: &'static Metadata<'static>, span: Option<&Id>) -> Self {
        Self {
            level: *metadata.level(),
            within: None,
            name: metadata.name().to_owned(),
            span: span.map(|id| id.into_u64()),
            fields: BTreeMap::new(),
        }
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Log {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, _: Context<'_, S>) {
        let mut seen = Seen::new(attributes.metadata(), Some(id));
        attributes.record(&mut seen);
        self.0.lock().unwrap().push(seen);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, _: Context<'_, S>) {
        let mut log = self.0.lock().unwrap();
        // Numbers are used again once a span is closed, so it is the last of this number.
        let seen = log
            .iter_mut()
            .rev()
            .find(|seen| seen.span == Some(id.into_u64()));
        values.record(seen.unwrap());
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut seen = Seen::new(event.metadata(), None);
        event.record(&mut seen);
        seen.within = context.lookup_current().map(|span| span.name().to_owned());
        self.0.lock().unwrap().push(seen);
    }
}

impl Visit for Seen {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.fields.insert(field.name(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.fields.insert(field.name(), format!("{value:?}"));
    }
}
