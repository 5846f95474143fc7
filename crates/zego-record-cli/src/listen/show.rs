//! Events for a person, or for a machine.

use serde::Serialize;
use serde_json::{Map, Value};
use zego_record_core::{RecordCallback, UnixSeconds, Verdict};
use zego_record_receiver::Counters;

use super::event::Event;
use crate::error::Error;
use crate::io::{Io, Tone, paint, printable};

pub(super) fn event(event: &Event, json: bool, io: &mut Io<'_>) -> Result<(), Error> {
    if json {
        io.print_json(event)?;
    } else {
        let line = line(event, io.out_color);
        writeln!(io.out, "{line}")?;
    }
    io.out.flush()?;
    Ok(())
}

#[derive(Serialize)]
struct Totals {
    kind: &'static str,
    answers: Map<String, Value>,
}

pub(super) fn totals(counters: &Counters, json: bool, io: &mut Io<'_>) -> Result<(), Error> {
    let given = Verdict::ALL
        .iter()
        .copied()
        .map(|verdict| (verdict, counters.answered(verdict)));
    let given: Vec<_> = given.filter(|(_, answers)| *answers > 0).collect();
    if json {
        let answers = given
            .iter()
            .map(|(verdict, answers)| (verdict.code().to_owned(), (*answers).into()));
        return io.print_json(&Totals {
            kind: "totals",
            answers: answers.collect(),
        });
    }
    let title = paint(io.out_color, Tone::Strong, "answers");
    let counted: Vec<_> = given
        .iter()
        .map(|(verdict, answers)| format!("{answers} {verdict}"))
        .collect();
    let counted = if counted.is_empty() {
        "none".to_owned()
    } else {
        counted.join(", ")
    };
    writeln!(io.out, "{title}: {counted}")?;
    Ok(())
}

fn line(event: &Event, color: bool) -> String {
    match event {
        Event::Delivery {
            at,
            attempt,
            changed,
            outcome,
            callback,
        } => {
            let tone = if *outcome == "handled" {
                Tone::Good
            } else {
                Tone::Bad
            };
            let changed = if *changed {
                ", content changed since another delivery"
            } else {
                ""
            };
            let outcome = paint(color, tone, format!("{outcome:<10}"));
            format!(
                "{} {outcome} {}, attempt {attempt}{changed}",
                time_of_day(*at),
                describe(callback)
            )
        }
        Event::Rejected {
            at,
            verdict,
            status,
            reason,
            ..
        } => {
            let verdict = paint(color, Tone::Bad, format!("{verdict} ({status})"));
            format!(
                "{} {:<10} {verdict}: {}",
                time_of_day(*at),
                "rejected",
                printable(reason)
            )
        }
        Event::Ignored { at, event } => {
            format!(
                "{} {:<10} event {:?} is answered 1 and not handled",
                time_of_day(*at),
                "ignored",
                event
            )
        }
        Event::Answered {
            at,
            verdict,
            status,
        } => {
            let verdict = paint(color, Tone::Warning, format!("{verdict} ({status})"));
            format!(
                "{} {:<10} {verdict}: the handler was not run",
                time_of_day(*at),
                "answered"
            )
        }
        Event::Omitted { at, events } => {
            format!(
                "{} {:<10} {events} events came faster than they could be printed",
                time_of_day(*at),
                "omitted"
            )
        }
    }
}

fn describe(callback: &RecordCallback) -> String {
    let params = callback.extra_params();
    let mut parts = vec![printable(callback.stream_alias())];
    parts.extend(params.vendor().map(|vendor| vendor.name().to_owned()));
    parts.push(printable(
        params.file_id().unwrap_or_else(|| callback.replay_url()),
    ));
    parts.extend(
        params
            .duration()
            .map(|duration| format!("{} s", duration.as_secs_f64())),
    );
    parts.extend(params.file_size().map(|bytes| format!("{bytes} bytes")));
    let (begin, end) = (callback.begin_time(), callback.end_time());
    parts.push(format!(
        "recorded {} to {} UTC",
        time_of_day(begin),
        time_of_day(end)
    ));
    parts.join(", ")
}

/// Hours, minutes and seconds, UTC.
fn time_of_day(time: UnixSeconds) -> String {
    let second = time.get().rem_euclid(24 * 60 * 60);
    format!(
        "{:02}:{:02}:{:02}",
        second / 3_600,
        second / 60 % 60,
        second % 60
    )
}

#[cfg(test)]
mod tests {
    use zego_record_core::Vendor;
    use zego_record_testkit::CallbackBuilder;

    use super::*;

    #[test]
    fn a_delivery_is_one_line_with_all_that_matters() {
        let callback = CallbackBuilder::new()
            .vendor(Vendor::Huawei)
            .field("stream_alias", "lesson-7")
            .field("begin_time", "1760000000")
            .field("end_time", "1760001800")
            .field(
                "extra_params",
                r#"{"Duration":1800.5,"ObsObject":"a/b.mp4","FileSize":42}"#,
            )
            .build();
        let event = Event::Delivery {
            at: UnixSeconds::new(1_760_001_893),
            attempt: 2,
            changed: true,
            outcome: "handled",
            callback,
        };
        assert_eq!(
            line(&event, false),
            "09:24:53 handled    lesson-7, huawei, a/b.mp4, 1800.5 s, 42 bytes, recorded 08:53:20 to 09:23:20 UTC, attempt 2, content changed since another delivery"
        );
    }

    #[test]
    fn a_time_before_the_epoch_is_one_as_well() {
        assert_eq!(time_of_day(UnixSeconds::new(-1)), "23:59:59");
        assert_eq!(time_of_day(UnixSeconds::new(i64::MIN)).len(), 8);
    }
}
