//! Files that are removed with their test, and claims.
#![allow(dead_code, clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use zego_record_core::{
    CallbackSecret, DeliveryKey, RecordCallback, UnixSeconds, Verified, Verifier, sign,
};
use zego_record_inbox::{ClaimDue, Claimed, Hold, InboxStore, Next, Note, RunEnded};
use zego_record_receiver::{Claim, NewCallback, Owner, ReplayCheck, Settled};
use zego_record_sqlite::{SqliteStore, rusqlite::Connection};

/// So long that a busy machine breaks no test.
const LOCK_TIMEOUT: Duration = Duration::from_secs(60);

/// A directory of its own for a test, removed at its end.
pub(crate) struct Directory(PathBuf);

impl Directory {
    pub(crate) fn new() -> Self {
        let name = format!("zego-record-sqlite-{:016x}", fastrand::u64(..));
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    /// With tables of the first release, delivery 1 done and signature 1 bound to content 1.
    pub(crate) fn of_version_1() -> Self {
        let directory = Self::new();
        let connection = directory.connection();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            fs::set_permissions(directory.database(), fs::Permissions::from_mode(0o600)).unwrap();
        }
        connection
            .execute_batch(include_str!("version_1.sql"))
            .unwrap();
        connection
            .execute(
                "INSERT INTO zego_delivery (key, state, epoch, changed, expires, event, event_id)
             VALUES (?1, 2, 1, 0, ?2, x'00', x'00')",
                (&key(1).as_bytes()[..], i64::MAX),
            )
            .unwrap();
        let check = check(1, 1);
        connection
            .execute(
                "INSERT INTO zego_signature (signature, content, expires) VALUES (?1, ?2, ?3)",
                (&check.signature[..], &check.content[..], i64::MAX),
            )
            .unwrap();
        directory
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.0.join("store.db")
    }

    pub(crate) fn open(&self) -> SqliteStore {
        SqliteStore::builder(self.database())
            .timeout(LOCK_TIMEOUT)
            .open()
            .unwrap()
    }

    /// A connection beside the store.
    pub(crate) fn connection(&self) -> Connection {
        Connection::open(self.database()).unwrap()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A clock in milliseconds that a test moves.
#[derive(Clone)]
pub(crate) struct TestClock(Arc<AtomicU64>);

impl TestClock {
    pub(crate) fn new() -> Self {
        Self(Arc::new(AtomicU64::new(1_760_000_000_000)))
    }

    pub(crate) fn now(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::SeqCst))
    }

    pub(crate) fn advance(&self, passed: Duration) {
        let passed = u64::try_from(passed.as_millis()).unwrap();
        self.0.fetch_add(passed, Ordering::SeqCst);
    }

    pub(crate) fn open(&self, path: &Path) -> SqliteStore {
        let clock = self.clone();
        SqliteStore::builder(path)
            .timeout(LOCK_TIMEOUT)
            .clock(move || SystemTime::UNIX_EPOCH + clock.now())
            .open()
            .unwrap()
    }
}

pub(crate) fn key(number: u32) -> DeliveryKey {
    let mut key = [7; 32];
    key[..4].copy_from_slice(&number.to_be_bytes());
    DeliveryKey::from_bytes(key)
}

/// A claim by a new owner, of a delivery that is about a file of its own.
pub(crate) fn claim(number: u32) -> Claim {
    let owner = Owner::new(fastrand::u128(..));
    Claim::new(key(number), format!("1:file:{number}"), owner)
}

pub(crate) fn check(number: u32, content: u8) -> ReplayCheck {
    let mut signature = [3; 20];
    signature[..4].copy_from_slice(&number.to_be_bytes());
    ReplayCheck::new(signature, [content; 16], Duration::from_secs(660))
}

/// The error and everything that has caused it.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// A recording, and different ones for different numbers.
pub(crate) fn recording(number: u32) -> RecordCallback {
    let secret = CallbackSecret::new("0123456789abcdef0123456789abcdef").unwrap();
    let signature = sign(&secret, "1760001893", "456789");
    let body = format!(
        "event=record&appid=1&stream_alias=lesson&replay_url=https%3A%2F%2Fvod.example.com%2F{number}.mp4\
         &begin_time=1760000000&end_time=1760001800&timestamp=1760001893&nonce=456789&signature={signature}"
    );
    let verifier = Verifier::builder().secret(secret).build().unwrap();
    let now = UnixSeconds::new(1_760_001_900);
    match verifier.verify(body.as_bytes(), now).unwrap() {
        Verified::Record(recording) => recording,
        _ => panic!("another event"),
    }
}

/// A recording on its way into an inbox.
pub(crate) fn new_callback(number: u32) -> NewCallback {
    NewCallback::new(&recording(number))
}

/// Which of them a key belongs to.
pub(crate) fn key_of(number: u32) -> DeliveryKey {
    recording(number).delivery_key()
}

/// How long the runs of [`claim_due`] last.
pub(crate) const LEASE: Duration = Duration::from_secs(60);

pub(crate) async fn claim_due(store: &SqliteStore, owner: u128, limit: u32) -> Vec<Claimed> {
    let claim = ClaimDue::new(Owner::new(owner), LEASE, limit);
    store.claim_due(&claim).await.unwrap()
}

pub(crate) async fn claim_one(store: &SqliteStore) -> Claimed {
    let mut claimed = claim_due(store, 1, 1).await;
    assert_eq!(claimed.len(), 1, "nothing is due");
    claimed.remove(0)
}

pub(crate) async fn settle(store: &SqliteStore, hold: &Hold, next: Next, text: &str) -> Settled {
    let ended = RunEnded::new(next, Note::new(text));
    store.settle(hold, &ended).await.unwrap()
}

/// A connection to a database whose store was dropped a moment ago.
pub(crate) fn reopen(path: &Path) -> Connection {
    let connection = Connection::open(path).unwrap();
    connection.busy_timeout(LOCK_TIMEOUT).unwrap();
    connection
}

/// The number from which [`recording`] has made a callback.
pub(crate) fn number_of(recording: &RecordCallback) -> u32 {
    let url = recording.replay_url();
    let name = url.rsplit('/').next().unwrap();
    name.strip_suffix(".mp4").unwrap().parse().unwrap()
}
