//! What the doctor says, for people and for machines.

use serde::Serialize;
use zego_record_core::{RecordCallback, Rejection, Verdict, Verified, WireForm};

use super::mistakes::Mistake;
use crate::error::Error;
use crate::io::{Io, Tone, paint, printable, wrap};

/// The outcome of an examination; its members are documented in [`verify`](super).
#[derive(Serialize)]
pub(super) struct Report {
    accepted: bool,
    verdict: &'static str,
    status: u16,
    pub(super) reason: Option<String>,
    wire_form: Option<&'static str>,
    event: Option<RecordCallback>,
    pub(super) mistakes: Vec<Mistake>,
    pub(super) tried: usize,
    pub(super) computed: Option<Computed>,
    pub(super) notes: Vec<String>,
}

/// What is to be said about a signature that other code has computed.
#[derive(Serialize)]
pub(super) struct Computed {
    right: bool,
    mistakes: Option<Vec<Mistake>>,
}

impl Computed {
    pub(super) fn of(mistakes: Option<Vec<Mistake>>) -> Self {
        let right = mistakes.as_ref().is_some_and(Vec::is_empty);
        Self { right, mistakes }
    }
}

impl Report {
    pub(super) fn rejected(rejection: &Rejection, wire_form: Option<WireForm>) -> Self {
        Self {
            reason: Some(rejection.to_string()),
            ..Self::new(false, rejection.verdict(), wire_form)
        }
    }

    pub(super) fn accepted(verified: &Verified, wire_form: WireForm) -> Self {
        let mut report = Self::new(true, Verdict::Handled, Some(wire_form));
        match verified {
            Verified::Record(callback) => {
                report.verdict = "accepted";
                report.event = Some(callback.clone());
            }
            Verified::Other(other) => {
                report.verdict = Verdict::Ignored.code();
                let event = printable(other.name());
                report.notes.push(format!(
                    "signed, but the event is {event:?} and not \"record\": it is answered 1 and no handler is run"
                ));
            }
        }
        report
    }

    pub(super) fn flawed_secret(mistake: Mistake, wire_form: WireForm) -> Self {
        Self {
            reason: Some("the secret as it was given does not give this signature".to_owned()),
            mistakes: vec![mistake],
            ..Self::new(false, Verdict::BadSignature, Some(wire_form))
        }
    }

    fn new(accepted: bool, verdict: Verdict, wire_form: Option<WireForm>) -> Self {
        Self {
            accepted,
            verdict: verdict.code(),
            status: verdict.status(),
            reason: None,
            wire_form: wire_form.map(form_name),
            event: None,
            mistakes: Vec::new(),
            tried: 0,
            computed: None,
            notes: Vec::new(),
        }
    }

    pub(super) fn is_fine(&self) -> bool {
        self.accepted && self.computed.as_ref().is_none_or(|computed| computed.right)
    }

    pub(super) fn print(&self, io: &mut Io<'_>) -> Result<(), Error> {
        let color = io.out_color;
        let form = self.wire_form.unwrap_or("unreadable");
        // An event that is ignored is accepted, but not what people look for.
        let headline = match (self.accepted, self.verdict) {
            (false, code) => paint(color, Tone::Bad, format!("rejected: {code}")),
            (true, "accepted") => paint(color, Tone::Good, "accepted"),
            (true, other) => paint(color, Tone::Warning, format!("accepted: {other}")),
        };
        writeln!(io.out, "{headline} ({}), {form}", self.status)?;
        if let Some(reason) = &self.reason {
            let text = format!("  {}", printable(reason));
            writeln!(io.out, "{}", wrap(&text, io.width, 4))?;
        }
        if let Some(event) = &self.event {
            print_event(event, io)?;
        }
        print_mistakes("mistake", &self.mistakes, io)?;
        match &self.computed {
            Some(Computed { right: true, .. }) => {
                let word = paint(color, Tone::Good, "right");
                writeln!(io.out, "computed signature: {word}")?;
            }
            Some(Computed { mistakes, .. }) => {
                let word = paint(color, Tone::Bad, "wrong");
                writeln!(io.out, "computed signature: {word}")?;
                match mistakes {
                    Some(mistakes) => print_mistakes("its mistake", mistakes, io)?,
                    None => writeln!(io.out, "  none of the usual mistakes explains it")?,
                }
            }
            None => {}
        }
        for note in &self.notes {
            let label = paint(color, Tone::Warning, "note");
            let text = format!("{label}: {}", printable(note));
            writeln!(io.out, "{}", wrap(&text, io.width, 2))?;
        }
        Ok(())
    }
}

pub(super) fn form_name(form: WireForm) -> &'static str {
    match form {
        WireForm::Json => "json",
        WireForm::Form => "form",
        WireForm::EncodedJson => "encoded_json",
        _ => "unknown",
    }
}

fn print_mistakes(label: &str, mistakes: &[Mistake], io: &mut Io<'_>) -> Result<(), Error> {
    for mistake in mistakes {
        let label = paint(io.out_color, Tone::Warning, label);
        let text = format!("{label}: {}", printable(&mistake.what));
        writeln!(io.out, "{}", wrap(&text, io.width, 2))?;
        let text = format!("  fix: {}", mistake.fix);
        writeln!(io.out, "{}", wrap(&text, io.width, 4))?;
    }
    Ok(())
}

fn print_event(event: &RecordCallback, io: &mut Io<'_>) -> Result<(), Error> {
    let extra = event.extra_params();
    let vendor = extra.vendor().map(|vendor| vendor.name().to_owned());
    let mut rows = vec![
        ("event id", Some(event.event_id())),
        ("appid", Some(event.appid().to_owned())),
        ("stream", Some(event.stream_alias().to_owned())),
        ("replay url", Some(event.replay_url().to_owned())),
        ("begin time", Some(event.begin_time().to_string())),
        ("end time", Some(event.end_time().to_string())),
        ("timestamp", Some(event.timestamp().to_string())),
        ("nonce", Some(event.nonce().to_owned())),
        ("vendor", vendor),
        ("task id", extra.task_id().map(str::to_owned)),
        ("file id", extra.file_id().map(str::to_owned)),
        (
            "duration",
            extra.duration_text().map(|text| format!("{text} s")),
        ),
        (
            "file size",
            extra.file_size().map(|size| format!("{size} bytes")),
        ),
    ];
    if extra.vendor().is_none() {
        rows.push(("extra params", extra.text().map(str::to_owned)));
    }
    for (name, value) in rows {
        if let Some(value) = value {
            let name = paint(io.out_color, Tone::Strong, format!("{name:<12}"));
            writeln!(io.out, "  {name}  {}", printable(&value))?;
        }
    }
    for (name, value) in event.other_fields() {
        let name = paint(
            io.out_color,
            Tone::Strong,
            format!("{:<12}", printable(name)),
        );
        writeln!(io.out, "  {name}  {}", printable(value))?;
    }
    Ok(())
}
