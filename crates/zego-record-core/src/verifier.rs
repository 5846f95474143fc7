//! From an unverified body to a callback: signature, time, content, in this order.

use std::time::Duration;

use crate::authenticated::Authenticated;
use crate::callback::{Origin, OtherEvent, RecordCallback};
use crate::config::{ConfigError, ConfigErrorKind};
use crate::field::Field;
use crate::rejection::{BadSignature, Invalid, Reason, Rejection};
use crate::replay_url::ReplayUrlPolicy;
use crate::secret::CallbackSecret;
use crate::signature::sign;
use crate::time::{UnixSeconds, whole_seconds};
use crate::unverified::{Claims, Unverified};

const DEFAULT_TOLERANCE: Duration = Duration::from_secs(300);
const MAX_TOLERANCE: Duration = Duration::from_secs(24 * 60 * 60);

/// Checks that a body is signed with a configured secret, is fresh, and has the fields of a recording.
///
/// ```
/// use zego_record_core::{CallbackSecret, UnixSeconds, Verdict, Verified, Verifier};
///
/// let verifier = Verifier::builder().secret(CallbackSecret::new("secret")?).build()?;
/// let now = UnixSeconds::new(1_470_820_200);
///
/// let body = br#"{"event":"record","appid":"1","stream_alias":"aaaa","replay_url":"https://vod.example.com/a.mp4",
///     "begin_time":"1470820000","end_time":"1470820190","timestamp":"1470820198","nonce":"123412",
///     "signature":"5bd59fd62953a8059fb7eaba95720f66d19e4517"}"#;
/// let Verified::Record(callback) = verifier.verify(body, now)? else { panic!("another event") };
/// assert_eq!(callback.stream_alias(), "aaaa");
///
/// let forged = br#"{"timestamp":"1470820198","nonce":"123412","signature":"0000000000000000000000000000000000000000"}"#;
/// assert_eq!(verifier.verify(forged, now).unwrap_err().verdict(), Verdict::BadSignature);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Verifier {
    secrets: Vec<Entry>,
    past_tolerance: Duration,
    future_tolerance: Duration,
    replay_urls: Option<ReplayUrlPolicy>,
}

/// A verified body.
///
/// The enum is exhaustive by decision: should other events get types of their own, they will be reached
/// through [`OtherEvent`].
#[derive(Clone, Debug)]
pub enum Verified {
    /// A stream was recorded.
    Record(RecordCallback),
    /// Another event than `record`.
    Other(OtherEvent),
}

/// Configures a [`Verifier`].
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing before build()"]
pub struct VerifierBuilder(Verifier);

#[derive(Clone, Debug)]
struct Entry {
    appid: Option<String>,
    secret: CallbackSecret,
}

impl Verifier {
    /// Creates a builder. A verifier needs at least one secret.
    pub fn builder() -> VerifierBuilder {
        VerifierBuilder(Self {
            secrets: Vec::new(),
            past_tolerance: DEFAULT_TOLERANCE,
            future_tolerance: DEFAULT_TOLERANCE,
            replay_urls: None,
        })
    }

    /// Parses and checks a body; `now` is the current time.
    ///
    /// This is [`Unverified::read`], [`authenticate`](Self::authenticate) and
    /// [`check_content`](Self::check_content) in one.
    ///
    /// # Errors
    ///
    /// The first row of the table of verdicts that applies, from
    /// [`Malformed`](crate::Verdict::Malformed) to
    /// [`ReplayUrlRefused`](crate::Verdict::ReplayUrlRefused).
    pub fn verify(&self, body: &[u8], now: UnixSeconds) -> Result<Verified, Rejection> {
        self.check_content(self.authenticate(Unverified::read(body)?, now)?)
    }

    /// Checks the signature and the timestamp of a body, and nothing else; `now` is the current time.
    ///
    /// # Errors
    ///
    /// The first row of the table of verdicts that applies, from
    /// [`Unsigned`](crate::Verdict::Unsigned) to [`Future`](crate::Verdict::Future).
    pub fn authenticate<'a>(
        &self,
        unverified: Unverified<'a>,
        now: UnixSeconds,
    ) -> Result<Authenticated<'a>, Rejection> {
        let claims = unverified.claims()?;
        let origin = self.check_signature(&claims, unverified.appid())?;
        self.check_time(claims.seconds, now)?;
        Ok(Authenticated::new(unverified.into_document(), origin))
    }

    /// Checks the content of an authenticated body.
    ///
    /// # Errors
    ///
    /// [`Invalid`](crate::Verdict::Invalid) or
    /// [`ReplayUrlRefused`](crate::Verdict::ReplayUrlRefused).
    pub fn check_content(&self, authenticated: Authenticated<'_>) -> Result<Verified, Rejection> {
        match authenticated.event() {
            None => Err(Rejection::new(Reason::Invalid(
                Field::Event,
                Invalid::Missing,
            ))),
            Some("record") => {
                let callback = authenticated.into_record()?;
                if let Some(policy) = &self.replay_urls {
                    policy
                        .check(callback.replay_url())
                        .map_err(|why| Rejection::new(Reason::ReplayUrl(why)))?;
                }
                Ok(Verified::Record(callback))
            }
            Some(_) => Ok(Verified::Other(authenticated.into_other_event())),
        }
    }

    /// How much older than the receiver's clock a timestamp may be, inclusive.
    pub fn past_tolerance(&self) -> Duration {
        self.past_tolerance
    }

    /// How far ahead of the receiver's clock a timestamp may be, inclusive.
    pub fn future_tolerance(&self) -> Duration {
        self.future_tolerance
    }

    fn check_signature(
        &self,
        claims: &Claims<'_>,
        appid: Option<&str>,
    ) -> Result<Origin, Rejection> {
        let reject = |why| Rejection::new(Reason::BadSignature(why));
        let signature = claims.signature.ok_or(reject(BadSignature::NotHex))?;
        let binds = self.secrets.iter().any(|entry| entry.appid.is_some());
        // "01" and "1.0" are 1 to many a reader, but not to this lookup: another spelling of a bound
        // appid would be checked with the secrets that are bound to none.
        if binds && appid.is_some_and(|appid| !appid.is_empty() && !is_plain_decimal(appid)) {
            return Err(reject(BadSignature::AppidSpelling));
        }
        let has_own = |entry: &Entry| entry.appid.is_some() && entry.appid.as_deref() == appid;
        // An appid with secrets of its own takes no others, so one project cannot speak for another.
        let bound = self.secrets.iter().any(has_own);
        let mut tried = 0;
        for (secret_index, entry) in self.secrets.iter().enumerate() {
            let applies = if bound {
                has_own(entry)
            } else {
                entry.appid.is_none()
            };
            if !applies {
                continue;
            }
            tried += 1;
            if sign(&entry.secret, claims.timestamp, claims.nonce) == signature {
                let nonce = claims.nonce.to_owned();
                return Ok(Origin {
                    timestamp: claims.seconds,
                    nonce,
                    signature,
                    secret_index,
                });
            }
        }
        Err(reject(match tried {
            0 => BadSignature::NoSecretForAppid,
            tried => BadSignature::NoMatch { tried },
        }))
    }

    fn check_time(&self, timestamp: UnixSeconds, now: UnixSeconds) -> Result<(), Rejection> {
        let age = now.seconds_since(timestamp);
        let (past, future) = (
            whole_seconds(self.past_tolerance),
            whole_seconds(self.future_tolerance),
        );
        if age > past {
            Err(Rejection::new(Reason::Stale {
                age,
                tolerance: past,
            }))
        } else if age < -future {
            Err(Rejection::new(Reason::Future {
                ahead: age.saturating_neg(),
                tolerance: future,
            }))
        } else {
            Ok(())
        }
    }
}

impl VerifierBuilder {
    /// Adds a secret for every AppID that has none of its own. While a secret is being replaced, add the
    /// old one and the new one: either may match.
    pub fn secret(mut self, secret: CallbackSecret) -> Self {
        self.0.secrets.push(Entry {
            appid: None,
            secret,
        });
        self
    }

    /// Adds several secrets, as [`secret`](Self::secret) adds one.
    pub fn secrets(self, secrets: impl IntoIterator<Item = CallbackSecret>) -> Self {
        secrets.into_iter().fold(self, Self::secret)
    }

    /// Adds the secrets in the environment variable `variable`, one or more, separated by commas. While a
    /// secret is being replaced it holds the old one and the new one.
    ///
    /// # Errors
    ///
    /// As [`CallbackSecret::list_from_env`].
    pub fn secrets_from_env(self, variable: &str) -> Result<Self, ConfigError> {
        Ok(self.secrets(CallbackSecret::list_from_env(variable)?))
    }

    /// Adds a secret for one AppID alone. A callback with this `appid` must be signed with one of its
    /// own secrets, and no other callback may be signed with them.
    ///
    /// As soon as one secret is bound to an AppID, a callback whose `appid` is not written as a plain
    /// decimal number is rejected as [`BadSignature`](crate::Verdict::BadSignature), since `01` or
    /// `1.0` may be the same project as `1` to whoever reads the callback.
    pub fn secret_for(mut self, appid: impl Into<String>, secret: CallbackSecret) -> Self {
        self.0.secrets.push(Entry {
            appid: Some(appid.into()),
            secret,
        });
        self
    }

    /// How old a timestamp may be, inclusive; 300 seconds unless set. A retry may carry the timestamp
    /// of the first attempt, which is 62 seconds and six timeouts older.
    pub fn past_tolerance(mut self, tolerance: Duration) -> Self {
        self.0.past_tolerance = tolerance;
        self
    }

    /// How far ahead a timestamp may be, inclusive; 300 seconds unless set.
    pub fn future_tolerance(mut self, tolerance: Duration) -> Self {
        self.0.future_tolerance = tolerance;
        self
    }

    /// Rejects callbacks whose playback URL the policy does not allow; all are allowed unless set.
    pub fn replay_urls(mut self, policy: ReplayUrlPolicy) -> Self {
        self.0.replay_urls = Some(policy);
        self
    }

    /// Builds the verifier.
    ///
    /// # Errors
    ///
    /// If there is no secret, if a secret is bound to something other than a plain decimal AppID, or
    /// if a tolerance is over 24 hours.
    pub fn build(self) -> Result<Verifier, ConfigError> {
        let verifier = self.0;
        if verifier.secrets.is_empty() {
            return Err(ConfigError::new(
                ConfigErrorKind::Secret,
                "no callback secret is configured: add the project's CallbackSecret from the ZEGOCLOUD console",
            ));
        }
        let mut appids = verifier
            .secrets
            .iter()
            .filter_map(|entry| entry.appid.as_deref());
        // Not shown: whoever mixed up the two has bound a secret to a secret.
        if !appids.all(is_plain_decimal) {
            return Err(ConfigError::new(
                ConfigErrorKind::Secret,
                "a callback secret is bound to an appid that is not a plain decimal number: write the project's AppID as the ZEGOCLOUD console shows it",
            ));
        }
        if verifier.past_tolerance.max(verifier.future_tolerance) > MAX_TOLERANCE {
            return Err(ConfigError::new(
                ConfigErrorKind::Limit,
                "a tolerance for timestamps is over 24 hours: choose a shorter one, 300 s are enough for every retry",
            ));
        }
        Ok(verifier)
    }
}

/// `0` or digits without a leading zero.
fn is_plain_decimal(appid: &str) -> bool {
    let is_digits = appid.bytes().all(|byte| byte.is_ascii_digit());
    is_digits && !appid.is_empty() && (appid == "0" || !appid.starts_with('0'))
}
