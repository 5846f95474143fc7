//! Keeps every counter and gauge of this thread.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, Key, KeyName, Metadata, Recorder, SharedString,
    Unit,
};

/// Figures by name, with their labels in braces.
#[derive(Debug, Default)]
pub(crate) struct Recorded(Mutex<BTreeMap<String, Arc<Figure>>>);

#[derive(Debug, Default)]
struct Figure(AtomicU64);

impl Recorded {
    /// The figure; 0 if it was never touched.
    pub(crate) fn get(&self, name: &str) -> u64 {
        let figures = self.0.lock().unwrap();
        figures
            .get(name)
            .map_or(0, |figure| figure.0.load(Ordering::SeqCst))
    }

    fn figure(&self, key: &Key) -> Arc<Figure> {
        let labels: Vec<String> = key
            .labels()
            .map(|label| format!("{}={}", label.key(), label.value()))
            .collect();
        let mut name = key.name().to_owned();
        if !labels.is_empty() {
            name = format!("{name}{{{}}}", labels.join(","));
        }
        Arc::clone(self.0.lock().unwrap().entry(name).or_default())
    }
}

impl Recorder for Recorded {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.figure(key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.figure(key))
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

impl CounterFn for Figure {
    fn increment(&self, by: u64) {
        self.0.fetch_add(by, Ordering::SeqCst);
    }

    fn absolute(&self, value: u64) {
        self.0.store(value, Ordering::SeqCst);
    }
}

/// Only whole numbers are set.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
impl GaugeFn for Figure {
    fn increment(&self, by: f64) {
        self.0.fetch_add(by as u64, Ordering::SeqCst);
    }

    fn decrement(&self, by: f64) {
        self.0.fetch_sub(by as u64, Ordering::SeqCst);
    }

    fn set(&self, value: f64) {
        self.0.store(value as u64, Ordering::SeqCst);
    }
}
