//! The examination: what a receiver would say, and why.

use zego_record_core::{
    CallbackSecret, Rejection, UnixSeconds, Unverified, Verdict, Verified, Verifier, WireForm,
};
use zeroize::Zeroizing;

use super::BODY_LIMIT;
use super::mistakes::{Mistake, diagnose, lucky_orders};
use super::other_schemes;
use super::report::{Computed, Report};
use super::shape::{self, not_a_callback};
use super::variants::syntax_mistakes;
use crate::error::Error;
use crate::secrets::Secret;

/// What is examined.
pub(super) struct Case {
    pub(super) body: Vec<u8>,
    pub(super) content_type: Option<String>,
    pub(super) clock: Clock,
    pub(super) configured: Vec<Secret>,
    pub(super) others: Vec<Secret>,
    pub(super) computed: Option<String>,
}

/// When the body was received.
#[derive(Clone, Copy)]
pub(super) enum Clock {
    At(UnixSeconds),
    /// At whatever time the body claims.
    AnyAge,
}

pub(super) fn examine(case: &Case) -> Result<Report, Error> {
    let verifier = verifier(&case.configured)?;
    if case.body.len() > BODY_LIMIT {
        return Ok(Report::rejected(
            &Rejection::body_too_large(BODY_LIMIT),
            None,
        ));
    }
    let unverified = match Unverified::read(&case.body) {
        Ok(unverified) => unverified,
        Err(rejection) => {
            let mut report = Report::rejected(&rejection, None);
            report.mistakes.extend(not_a_callback(&case.body));
            return Ok(report);
        }
    };
    let wire_form = unverified.wire_form();
    let claim = Claim::of(&unverified);
    let now = match (case.clock, &claim) {
        (Clock::At(now), _) => now,
        (Clock::AnyAge, Some(claim)) => claim.time().unwrap_or(UnixSeconds::new(0)),
        (Clock::AnyAge, None) => UnixSeconds::new(0),
    };
    let mut report = match verifier.verify(&case.body, now) {
        Ok(verified) => judge_accepted(case, &verified, wire_form),
        Err(rejection) => {
            let mut report = Report::rejected(&rejection, Some(wire_form));
            if matches!(rejection.verdict(), Verdict::Unsigned | Verdict::Malformed) {
                report.mistakes.extend(not_a_callback(&case.body));
            }
            if let Some(claim) = &claim {
                explain(case, claim, rejection.verdict(), &mut report);
            }
            report
        }
    };
    if let Some(computed) = &case.computed {
        let (computed, notes) = match &claim {
            Some(claim) => examine_computed(case, claim, computed),
            None => (Computed::of(None), Vec::new()),
        };
        report.computed = Some(computed);
        report.notes.extend(notes);
    }
    report.notes.extend(shape::note(&case.body));
    report.notes.extend(content_type_note(case, wire_form));
    Ok(report)
}

/// Secrets as they would be without the white space around them: that is a finding, and should not
/// keep the rest from being examined.
fn verifier(configured: &[Secret]) -> Result<Verifier, Error> {
    let mut builder = Verifier::builder();
    for secret in configured {
        let trimmed = Zeroizing::new(secret.text().trim().to_owned());
        let trimmed: CallbackSecret = Secret::new(secret.name(), trimmed).to_callback_secret()?;
        builder = builder.secret(trimmed);
    }
    builder
        .build()
        .map_err(|error| Error::with_source("cannot verify anything", error))
}

/// A signature that matches only without the white space in the secret does not match for a receiver
/// that has the secret with it.
fn judge_accepted(case: &Case, verified: &Verified, wire_form: WireForm) -> Report {
    let matched = match verified {
        Verified::Record(callback) => case.configured.get(callback.secret_index()),
        _ => case.configured.first(),
    };
    let flawed = matched.filter(|secret| secret.text() != secret.text().trim());
    let Some(flawed) = flawed else {
        return Report::accepted(verified, wire_form);
    };
    let what = format!(
        "{} has white space around it; without it the signature matches",
        flawed.name()
    );
    let fix = "remove the white space around the secret, a line break is often copied along";
    let mistake = Mistake::new("secret_white_space", what, fix);
    Report::flawed_secret(mistake, wire_form)
}

fn explain(case: &Case, claim: &Claim, kind: Verdict, report: &mut Report) {
    match kind {
        Verdict::BadSignature => {
            let diagnosis = claim.diagnose(&claim.signature, case);
            report.tried = diagnosis.tried;
            let other_scheme = || claim.other_scheme(&claim.signature, case);
            let mistakes = diagnosis
                .mistakes
                .or_else(|| other_scheme().map(|found| vec![found]));
            match mistakes {
                Some(mistakes) => report.mistakes = mistakes,
                None => report.notes.push(unknown(case, claim, diagnosis.tried)),
            }
        }
        Verdict::Malformed => {
            report
                .mistakes
                .extend(syntax_mistakes(&claim.timestamp, &claim.nonce));
            let diagnosis = claim.diagnose(&claim.signature, case);
            report.tried = diagnosis.tried;
            let found = diagnosis.mistakes.into_iter().flatten();
            let known: Vec<_> = report.mistakes.iter().map(|mistake| mistake.name).collect();
            let new = found.filter(|mistake| !known.contains(&mistake.name));
            report.mistakes.extend(new);
        }
        Verdict::Stale | Verdict::Future => {
            report.reason =
                Some("the signature is right, but its time is too far from now".to_owned());
            report.notes.push(
                "a capture is as old as it is: use --any-age, or --now with the time of its arrival. If it has just arrived, compare this machine's clock".to_owned(),
            );
        }
        _ => {}
    }
}

fn unknown(case: &Case, claim: &Claim, tried: usize) -> String {
    let length = claim.signature.chars().count();
    if length != 40 || !claim.signature.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return format!(
            "the signature is not 40 hexadecimal digits but {length} characters: it was cut, or is something else"
        );
    }
    let advice = if case.others.is_empty() {
        "name other secrets that may have been used with --also"
    } else {
        "probably it was made with a secret that is none of those given"
    };
    format!("none of the usual mistakes explains the signature ({tried} tried): {advice}")
}

fn examine_computed(case: &Case, claim: &Claim, computed: &str) -> (Computed, Vec<String>) {
    let mut mistakes = claim.diagnose(computed, case).mistakes;
    let mut notes = Vec::new();
    if let Some(mistakes) = mistakes.as_mut().filter(|mistakes| mistakes.is_empty()) {
        if computed.bytes().any(|byte| byte.is_ascii_uppercase()) {
            let what = "the signature is right but in upper case, and ZEGOCLOUD's is in lower case";
            let fix = "compare in lower case, or compare the 20 bytes";
            mistakes.push(Mistake::new("signature_case", what, fix));
        } else if let Some(secret) = case.configured.first() {
            let lucky = lucky_orders(secret.text(), &claim.timestamp, &claim.nonce).join(" and ");
            notes.push(format!("right for this body, which {lucky} can give as well: try a second body, whose nonce begins with another digit or has another length"));
        }
    }
    if mistakes.is_none() {
        mistakes = claim.other_scheme(computed, case).map(|found| vec![found]);
    }
    (Computed::of(mistakes), notes)
}

/// The header decides nothing here; other receivers may go by it and read nothing.
fn content_type_note(case: &Case, wire_form: WireForm) -> Option<String> {
    let given = case.content_type.as_deref()?;
    let essence = given.split(';').next().unwrap_or_default().trim();
    let expected = match wire_form {
        WireForm::Form => "application/x-www-form-urlencoded",
        _ => "application/json",
    };
    (!essence.eq_ignore_ascii_case(expected)).then(|| {
        format!(
            "the Content-Type is {essence:?}, the body is {}: a receiver that goes by the header cannot read it, this one goes by the body",
            super::report::form_name(wire_form)
        )
    })
}

/// The three parts of the signature as they came.
struct Claim {
    timestamp: String,
    nonce: String,
    signature: String,
}

impl Claim {
    fn of(unverified: &Unverified<'_>) -> Option<Self> {
        let text = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
        Some(Self {
            timestamp: text(unverified.timestamp())?,
            nonce: text(unverified.nonce())?,
            signature: text(unverified.signature())?,
        })
    }

    fn time(&self) -> Option<UnixSeconds> {
        self.timestamp.parse().ok().map(UnixSeconds::new)
    }

    /// Many services sign pairs or the body; ZEGOCLOUD does not.
    fn other_scheme(&self, signature: &str, case: &Case) -> Option<Mistake> {
        let (time, nonce) = (&self.timestamp, &self.nonce);
        other_schemes::explain(time, nonce, signature, &case.body, &case.configured)
    }

    fn diagnose(&self, signature: &str, case: &Case) -> super::mistakes::Diagnosis {
        diagnose(
            &self.timestamp,
            &self.nonce,
            signature,
            &case.configured,
            &case.others,
        )
    }
}
