//! The history that people look at.

use std::time::Duration;

use zego_record_inbox::{Attempt, AttemptOutcome, Details, EntryState, InboxStore, Next, Note};
use zego_record_receiver::Settled;

use super::suite::{LONG, Suite};

impl<S, F, P> Suite<S, F>
where
    S: InboxStore + ?Sized + 'static,
    F: Fn(Duration) -> P,
    P: Future<Output = ()>,
{
    pub(super) async fn history_tells_each_end(&self) {
        self.clear().await;
        let rule = "the history tells how each run has ended";
        let key = self.waiting("history").await.key;
        let ends = [
            (Next::Retry(Duration::ZERO), AttemptOutcome::Failed),
            (Next::Release(Duration::ZERO), AttemptOutcome::Released),
            (Next::Discarded, AttemptOutcome::Discarded),
            (Next::Dead, AttemptOutcome::Dead),
            (Next::Done, AttemptOutcome::Done),
        ];
        for (number, (next, _)) in ends.iter().enumerate() {
            let claimed = self.claim_one(rule, &key, LONG).await;
            let running = self.details(&key).await.attempts.pop();
            let running = running.map(|attempt| (attempt.outcome, attempt.ended_at));
            assert_eq!(
                running,
                Some((AttemptOutcome::Running, None)),
                "a run is in the history"
            );
            let note = Note::new(format!("note of {next:?}"));
            let note = if number == 0 {
                note.with_status(503)
            } else {
                note
            };
            self.settle_with(rule, &claimed.hold, *next, note, Settled::Applied)
                .await;
            if matches!(next, Next::Discarded | Next::Dead) {
                let filter = zego_record_inbox::Filter::key(&key);
                assert_eq!(
                    self.redeliver(&filter, 1).await,
                    1,
                    "what is over can be redelivered"
                );
            }
        }
        let Details { attempts, .. } = self.details(&key).await;
        let found: Vec<_> = attempts.iter().map(|attempt| attempt.outcome).collect();
        let expected: Vec<_> = ends.iter().map(|(_, outcome)| *outcome).collect();
        assert_eq!(found, expected, "{rule}, the oldest first");
        let epochs: Vec<_> = attempts.iter().map(|attempt| attempt.epoch).collect();
        assert_eq!(
            epochs,
            [1, 2, 3, 4, 5],
            "each run in the history has its epoch"
        );
        for (attempt, (next, _)) in attempts.iter().zip(ends) {
            let text = format!("note of {next:?}");
            assert_eq!(
                attempt.note.text, text,
                "the history has the note of each run"
            );
            assert_in_order(attempt);
        }
        let statuses: Vec<_> = attempts.iter().map(|attempt| attempt.note.status).collect();
        assert_eq!(
            statuses,
            [Some(503), None, None, None, None],
            "the history has the status of each run that has one"
        );
    }

    pub(super) async fn history_tells_what_was_lost(&self) {
        self.clear().await;
        let rule = "a run that was taken over is lost, without an end";
        let (late, heir) = self.taken_over("lost").await;
        let key = late.callback.key;
        let before = self.outcomes(rule, &key).await;
        let (lost, running) = (AttemptOutcome::Lost, AttemptOutcome::Running);
        assert_eq!(before, [(lost, false), (running, false)], "{rule}");
        self.settle(rule, &heir.hold, Next::Retry(LONG), Settled::Applied)
            .await;
        let after = self.outcomes(rule, &key).await;
        assert_eq!(
            after,
            [(lost, false), (AttemptOutcome::Failed, true)],
            "{rule}"
        );
        let rule = "a late success is in the history of its own run";
        self.settle(rule, &late.hold, Next::Done, Settled::Applied)
            .await;
        let after = self.outcomes(rule, &key).await;
        let done = (AttemptOutcome::Done, true);
        assert_eq!(after, [done, (AttemptOutcome::Failed, true)], "{rule}");
    }

    pub(super) async fn history_is_bounded(&self) {
        self.clear().await;
        let key = self.waiting("many runs").await.key;
        let rule = "a callback can run often";
        let runs = u32::try_from(Details::MAX_ATTEMPTS).unwrap_or(u32::MAX) + 3;
        for _ in 0..runs {
            let claimed = self.claim_one(rule, &key, LONG).await;
            let at_once = Next::Retry(Duration::ZERO);
            self.settle(rule, &claimed.hold, at_once, Settled::Applied)
                .await;
        }
        let details = self.details(&key).await;
        let epochs: Vec<_> = details
            .attempts
            .iter()
            .map(|attempt| attempt.epoch)
            .collect();
        let expected: Vec<_> = (4..=runs).collect();
        assert_eq!(
            epochs, expected,
            "the history shows the last 100 runs, the oldest first"
        );
        assert_eq!(details.entry.attempts, runs, "all attempts count");
    }

    pub(super) async fn notes_are_cut(&self) {
        self.clear().await;
        let rule = "a note of the greatest length is kept as it is";
        // Two bytes for each character.
        let longest = "\u{e9}".repeat(Note::MAX_TEXT / 2);
        let kept = self.noted(rule, longest.clone()).await;
        assert_eq!(kept, longest, "{rule}");
        let rule = "a note that is too long is cut between two characters";
        let kept = self
            .noted(rule, format!("a{}", "\u{e9}".repeat(50_000)))
            .await;
        assert!(
            kept.len() <= Note::MAX_TEXT && kept.len() >= Note::MAX_TEXT / 2,
            "{rule}, at {} bytes, but it has {}",
            Note::MAX_TEXT,
            kept.len()
        );
        let rest = kept.strip_prefix('a').unwrap_or("-");
        assert!(
            rest.chars().all(|char| char == '\u{e9}'),
            "{rule}: {kept:?}"
        );
    }

    /// What the history has of a note.
    pub(super) async fn noted(&self, rule: &str, text: String) -> String {
        let name = format!("noted {}", fastrand::u64(..));
        let claimed = self.running(&name).await;
        let mut note = Note::default();
        note.text = text;
        self.settle_with(rule, &claimed.hold, Next::Dead, note, Settled::Applied)
            .await;
        let entry = self
            .expect(rule, &claimed.callback.key, EntryState::Dead)
            .await;
        let Details { attempts, .. } = self.details(&claimed.callback.key).await;
        let noted = attempts.into_iter().next().map(|attempt| attempt.note.text);
        assert_eq!(
            noted, entry.last_error,
            "the last error is the note of the last run"
        );
        noted.unwrap_or_default()
    }

    /// How each run has ended, and whether its end is known.
    async fn outcomes(
        &self,
        rule: &str,
        key: &zego_record_core::DeliveryKey,
    ) -> Vec<(AttemptOutcome, bool)> {
        let Some(details) = self.get(key).await else {
            panic!("{rule} (it is gone)");
        };
        let attempts = details.attempts.iter();
        attempts
            .map(|attempt| (attempt.outcome, attempt.ended_at.is_some()))
            .collect()
    }
}

fn assert_in_order(attempt: &Attempt) {
    assert!(
        attempt
            .ended_at
            .is_some_and(|ended_at| ended_at >= attempt.started_at),
        "a run that was settled has an end, after its begin: {attempt:?}"
    );
}
