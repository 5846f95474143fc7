//! Accepting: once, also in a race, and never past the replay check.

use std::time::Duration;

use zego_record_inbox::{EntryState, Filter, InboxStore, Next};
use zego_record_receiver::{Accepted, Binding, NewCallback, ReplayCheck};

use super::suite::{LONG, Suite};
use crate::stores::{RACERS, RACES, race, succeeded};

impl<S, F, P> Suite<S, F>
where
    S: InboxStore + ?Sized + 'static,
    F: Fn(Duration) -> P,
    P: Future<Output = ()>,
{
    pub(super) async fn accepted_once(&self) {
        self.clear().await;
        let rule = "a callback that is known is not stored again";
        let callback = self.waiting("accepted").await;
        for _ in 0..4 {
            assert_eq!(self.accept(&callback).await, Accepted::Known, "{rule}");
        }
        let entries = self.list(&Filter::all()).await;
        assert_eq!(entries.len(), 1, "{rule}");
        let rule = "what is accepted is kept as it came";
        let details = self.details(&callback.key).await;
        let stored = &details.callback;
        assert_eq!(
            (stored.key, &stored.bytes),
            (callback.key, &callback.stored),
            "{rule}"
        );
        if let Err(error) = stored.restore() {
            panic!("{rule} (it cannot be restored: {error})");
        }
        let rule = "what is accepted waits, without an attempt";
        let entry = self.expect(rule, &callback.key, EntryState::Waiting).await;
        assert_eq!((entry.attempts, &entry.last_error), (0, &None), "{rule}");
        assert_eq!(details.attempts, [], "{rule}");
        let rule = "an entry shows what was accepted";
        let fields = (
            entry.key,
            &entry.event_id,
            &entry.appid,
            &entry.stream_alias,
        );
        let NewCallback {
            key,
            event_id,
            appid,
            stream_alias,
            ..
        } = &callback;
        assert_eq!(fields, (*key, event_id, appid, stream_alias), "{rule}");
        assert_eq!(entry.received_at, stored.received_at, "{rule}");
        assert_eq!(
            details.entry, entry,
            "a list and a look at one show the same"
        );
        assert_eq!(entries, [entry], "a list and a look at one show the same");
    }

    pub(super) async fn known_in_every_state(&self) {
        self.clear().await;
        let rule = "what has come once is known in every state, and is left as it is";
        for (next, state) in [
            (Some(Next::Done), EntryState::Done),
            (Some(Next::Discarded), EntryState::Discarded),
            (Some(Next::Dead), EntryState::Dead),
            (Some(Next::Retry(LONG)), EntryState::Waiting),
            (None, EntryState::Running),
        ] {
            let callback = self.waiting(&format!("known as {state}")).await;
            let claimed = self.claim_one(rule, &callback.key, LONG).await;
            if let Some(next) = next {
                let settled = zego_record_receiver::Settled::Applied;
                self.settle(rule, &claimed.hold, next, settled).await;
            }
            let before = self.details(&callback.key).await;
            assert_eq!(
                self.accept(&callback).await,
                Accepted::Known,
                "{rule} ({state})"
            );
            self.expect(rule, &callback.key, state).await;
            let after = self.details(&callback.key).await;
            assert_eq!(after.attempts, before.attempts, "{rule} ({state})");
            assert_eq!(after.entry.id, before.entry.id, "{rule} ({state})");
            self.nothing_is_due(rule).await;
        }
    }

    pub(super) async fn conflicts_store_nothing(&self) {
        self.clear().await;
        let (genuine, forged) = (self.callback("genuine"), self.callback("forged"));
        let check = check(&genuine);
        let genuine = genuine.with_replay_check(check);
        let forged = forged.clone().with_replay_check(of_content(check, &forged));
        assert_eq!(
            self.accept(&genuine).await,
            Accepted::New,
            "a new signature is no conflict"
        );
        let rule = "other content under a bound signature is a conflict";
        for _ in 0..4 {
            assert_eq!(self.accept(&forged).await, Accepted::Conflict, "{rule}");
        }
        let rule = "a conflict stores nothing";
        assert_eq!(self.get(&forged.key).await, None, "{rule}");
        assert_eq!(self.list(&Filter::all()).await.len(), 1, "{rule}");
        let rule = "a conflict binds nothing: the first content may come again";
        assert_eq!(self.accept(&genuine).await, Accepted::Known, "{rule}");

        let rule = "a conflict is one, also if the callback is known";
        let known = self.waiting("known").await;
        let known_under_it = known.clone().with_replay_check(of_content(check, &known));
        assert_eq!(
            self.accept(&known_under_it).await,
            Accepted::Conflict,
            "{rule}"
        );
    }

    pub(super) async fn guard_and_inbox_share_bindings(&self) {
        self.clear().await;
        let rule = "what accept has bound, the guard knows";
        let callback = self.callback("bound by accept");
        let check_of_new = check(&callback);
        let callback = callback.with_replay_check(check_of_new);
        assert_eq!(self.accept(&callback).await, Accepted::New, "{rule}");
        self.bind(rule, check_of_new, Binding::Same).await;
        let other = self.callback("other content");
        self.bind(rule, of_content(check_of_new, &other), Binding::Conflict)
            .await;

        let rule = "a signature is bound, also if the callback is known";
        let check_of_known = check(&callback);
        let known = callback.clone().with_replay_check(check_of_known);
        assert_eq!(self.accept(&known).await, Accepted::Known, "{rule}");
        self.bind(rule, of_content(check_of_known, &other), Binding::Conflict)
            .await;

        let rule = "what the guard has bound, accept knows";
        let bound_alone = check(&callback);
        self.bind(rule, bound_alone, Binding::First).await;
        let other = other
            .clone()
            .with_replay_check(of_content(bound_alone, &other));
        assert_eq!(self.accept(&other).await, Accepted::Conflict, "{rule}");
        assert_eq!(
            self.get(&other.key).await,
            None,
            "a conflict stores nothing"
        );
    }

    pub(super) async fn accepts_in_a_race_have_one_new(&self) {
        self.clear().await;
        for round in 0..RACES {
            let callback = self.callback(&format!("race {round}"));
            let check = check(&callback);
            let callback = callback.with_replay_check(check);
            let accepted = self
                .accept_in_a_race((0..RACERS).map(|_| callback.clone()))
                .await;
            assert_one_new(
                &accepted,
                Accepted::Known,
                "whoever loses it finds it known",
            );
        }
        let stored = self.list(&Filter::all()).await.len();
        assert_eq!(stored, RACES, "a race for a callback stores it once");
    }

    pub(super) async fn conflicts_in_a_race_have_one_new(&self) {
        self.clear().await;
        for round in 0..RACES {
            let check = check(&self.callback("contested"));
            let contents = (0..RACERS).map(|racer| {
                let callback = self.callback(&format!("signature {round} content {racer}"));
                let check = of_content(check, &callback);
                callback.with_replay_check(check)
            });
            let accepted = self.accept_in_a_race(contents).await;
            assert_one_new(
                &accepted,
                Accepted::Conflict,
                "all other contents are conflicts",
            );
        }
        let stored = self.list(&Filter::all()).await.len();
        assert_eq!(
            stored, RACES,
            "a race of contents under one signature stores one"
        );
    }

    async fn accept_in_a_race(&self, racers: impl Iterator<Item = NewCallback>) -> Vec<Accepted> {
        race(racers.map(|callback| {
            let inbox = self.next();
            async move { succeeded("accept", inbox.accept(&callback).await) }
        }))
        .await
    }

    async fn bind(&self, rule: &str, check: ReplayCheck, expected: Binding) {
        let binding = succeeded("bind", self.next().bind(&check).await);
        assert_eq!(binding, expected, "{rule}");
    }
}

fn assert_one_new(accepted: &[Accepted], others: Accepted, rule: &str) {
    let count = |result| accepted.iter().filter(|other| **other == result).count();
    assert_eq!(
        count(Accepted::New),
        1,
        "a race of accepts has one that is new, but: {accepted:?}"
    );
    assert_eq!(count(others), RACERS - 1, "{rule}, but: {accepted:?}");
}

/// A signature that nobody has seen, with this content.
fn check(callback: &NewCallback) -> ReplayCheck {
    let mut signature = [0; 20];
    fastrand::Rng::new().fill(&mut signature);
    ReplayCheck::new(signature, callback.key.content_digest(), LONG)
}

/// The same signature with other content.
fn of_content(check: ReplayCheck, callback: &NewCallback) -> ReplayCheck {
    ReplayCheck::new(
        check.signature,
        callback.key.content_digest(),
        check.keep_for,
    )
}
