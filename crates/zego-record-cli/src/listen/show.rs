//! Events for a person, or for a machine.

use serde::Serialize;
use serde_json::{Map, Value};
use zego_record_core::{RecordCallback, UnixSeconds, Verdict};
use zego_record_receiver::Counters;

use super::event::{Event, Seen};
use crate::error::Error;
use crate::io::{Io, Tone, paint, printable, wrap};
use crate::send::describe as reply_in_words;

const INDENT: &str = "    ";

pub(super) fn event(event: &Event, json: bool, io: &mut Io<'_>) -> Result<(), Error> {
    if json {
        io.print_json(event)?;
    } else {
        for (number, line) in lines(event, io.out_color).iter().enumerate() {
            let indent = if number == 0 { "" } else { INDENT };
            let line = format!("{indent}{line}");
            writeln!(io.out, "{}", wrap(&line, io.width, INDENT.len()))?;
        }
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
    let text = format!("{title}: {counted}");
    writeln!(io.out, "{}", wrap(&text, io.width, INDENT.len()))?;
    Ok(())
}

/// What happened, and indented below it what came.
fn lines(event: &Event, color: bool) -> Vec<String> {
    match event {
        Event::Delivery {
            at,
            request,
            attempt,
            changed,
            outcome,
            status,
            forwarded,
            callback,
        } => {
            let is_handled = *outcome == "handled";
            let tone = if is_handled { Tone::Good } else { Tone::Bad };
            let changed = if *changed {
                ", content changed since another delivery"
            } else {
                ""
            };
            let outcome = paint(color, tone, format!("{outcome:<10}"));
            let begin = start(*at, request);
            let mut lines = vec![format!(
                "{begin} {outcome} {}, attempt {attempt}{changed}",
                describe(callback)
            )];
            if let Some(reply) = forwarded {
                lines.push(format!(
                    "the app answered {}, ZEGOCLOUD was answered {status}",
                    reply_in_words(reply)
                ));
            } else if !is_handled {
                lines.push(format!("answered {status}"));
            }
            lines.extend(details(request));
            lines
        }
        Event::Rejected {
            at,
            request,
            verdict,
            status,
            reason,
            ..
        } => {
            let verdict = paint(color, Tone::Bad, format!("{verdict} ({status})"));
            let begin = start(*at, request);
            let mut lines = vec![format!(
                "{begin} {:<10} {verdict}: {}",
                "rejected",
                printable(reason)
            )];
            lines.extend(details(request));
            lines
        }
        Event::Diagnosis {
            at,
            number,
            mistakes,
            notes,
            skipped,
        } => {
            let begin = format!("{} UTC #{number} {:<10}", time_of_day(*at), "diagnosis");
            let found = mistakes.iter().map(|mistake| {
                let label = paint(color, Tone::Warning, "mistake");
                format!("{label}: {}; {}", printable(&mistake.what), mistake.fix)
            });
            let notes = notes.iter().map(|note| printable(note));
            let mut lines: Vec<_> = found.chain(notes).collect();
            if *skipped > 0 {
                lines.push(format!("{skipped} before it came too fast to be examined"));
            }
            if let Some(first) = lines.first_mut() {
                *first = format!("{begin} {first}");
            }
            lines
        }
        Event::Ignored { at, request, event } => {
            let begin = start(*at, request);
            let mut lines = vec![format!(
                "{begin} {:<10} event \"{}\" is answered 1 and not handled",
                "ignored",
                printable(event)
            )];
            lines.extend(details(request));
            lines
        }
        Event::Answered {
            at,
            request,
            verdict,
            status,
        } => {
            let verdict = paint(color, Tone::Warning, format!("{verdict} ({status})"));
            let begin = start(*at, request);
            let mut lines = vec![format!(
                "{begin} {:<10} {verdict}: the handler was not run",
                "answered"
            )];
            lines.extend(details(request));
            lines
        }
        Event::Connection { at, peer, problem } => vec![format!(
            "{} UTC {:<10} from {peer}: {}",
            time_of_day(*at),
            "connection",
            printable(problem)
        )],
        Event::Omitted { at, events } => vec![format!(
            "{} UTC {:<10} {events} events came faster than they could be printed",
            time_of_day(*at),
            "omitted"
        )],
    }
}

fn start(at: UnixSeconds, request: &Seen) -> String {
    format!("{} UTC #{}", time_of_day(at), request.number)
}

fn details(request: &Seen) -> Vec<String> {
    let content_type = request.content_type.as_deref();
    let mut line = format!(
        "{} {}, {}",
        printable(&request.method),
        printable(&request.path),
        content_type.map_or("no Content-Type".to_owned(), printable)
    );
    if let Some(bytes) = request.bytes {
        line.push_str(&format!(", {bytes} bytes"));
    }
    if let Some(path) = &request.saved {
        line.push_str(&format!(", saved as {}", printable(path)));
    }
    if let Some(problem) = &request.not_saved {
        line.push_str(&format!(", not saved: {}", printable(problem)));
    }
    let body = request.body.iter().flat_map(|body| body.lines());
    std::iter::once(line).chain(body.map(printable)).collect()
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
    use crate::send::Reply;

    #[test]
    fn a_delivery_has_all_that_matters_and_nothing_that_a_terminal_obeys() {
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
            request: Seen {
                number: 7,
                method: "POST".to_owned(),
                path: "/zego\u{202e}record".to_owned(),
                content_type: None,
                bytes: Some(42),
                body: Some("{\n\u{200b}}".to_owned()),
                saved: Some("dir/7".to_owned()),
                not_saved: None,
            },
            attempt: 2,
            changed: true,
            outcome: "handled",
            status: 200,
            forwarded: Some(Reply::answer(204, "")),
            callback,
        };
        assert_eq!(
            lines(&event, false),
            [
                "09:24:53 UTC #7 handled    lesson-7, huawei, a/b.mp4, 1800.5 s, 42 bytes, recorded 08:53:20 to 09:23:20 UTC, attempt 2, content changed since another delivery",
                "the app answered 204, ZEGOCLOUD was answered 200",
                "POST /zego\\u{202e}record, no Content-Type, 42 bytes, saved as dir/7",
                "{",
                "\\u{200b}}",
            ]
        );
    }

    #[test]
    fn a_time_before_the_epoch_is_one_as_well() {
        assert_eq!(time_of_day(UnixSeconds::new(-1)), "23:59:59");
        assert_eq!(time_of_day(UnixSeconds::new(i64::MIN)).len(), 8);
    }
}
