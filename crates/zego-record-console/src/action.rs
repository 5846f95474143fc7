//! What an operator can do, and how it is reported.

use std::fmt;
use std::time::SystemTime;

use zego_record_receiver::support::catch;

use crate::log;

/// Something that an operator has done, for [`on_action`](crate::ConsoleBuilder::on_action).
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ActionReport<'a> {
    /// Who: the name that [`authenticate`](crate::ConsoleBuilder::authenticate) has returned, else
    /// the address of the connection if the server provides it as `ConnectInfo<SocketAddr>`, else
    /// `operator`.
    pub who: &'a str,
    /// What.
    pub action: Action<'a>,
    /// Which callbacks are meant, as the query of the page's address; empty if all are.
    pub filter: &'a str,
    /// How many callbacks were changed; `None` if the inbox failed, and it is unknown whether it
    /// was done.
    pub changed: Option<u64>,
}

/// What an operator can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action<'a> {
    /// Make callbacks due at once, with all their attempts before them.
    Redeliver,
    /// Mark callbacks as discarded.
    Discard {
        /// Why.
        reason: &'a str,
    },
    /// Stop working on the inbox.
    Pause,
    /// Go on.
    Resume,
    /// Download callbacks.
    Export,
}

impl Action<'_> {
    /// The action in one lower-case word.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Redeliver => "redeliver",
            Self::Discard { .. } => "discard",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Export => "export",
        }
    }
}

/// How the app that callbacks are forwarded to is doing, for
/// [`destination`](crate::ConsoleBuilder::destination).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DestinationHealth {
    /// Whether callbacks are sent to it.
    pub up: bool,
    /// Since when it is so.
    pub since: Option<SystemTime>,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
}

impl DestinationHealth {
    /// It is up.
    pub const fn up() -> Self {
        Self {
            up: true,
            since: None,
            last_error: None,
        }
    }

    /// It is down; the fields are public.
    pub const fn down() -> Self {
        Self {
            up: false,
            since: None,
            last_error: None,
        }
    }
}

type ActionHook = Box<dyn Fn(&ActionReport<'_>) + Send + Sync>;

/// The user's hook.
#[derive(Default)]
pub(crate) struct ActionLog(Option<ActionHook>);

impl ActionLog {
    pub(crate) fn set(&mut self, hook: impl Fn(&ActionReport<'_>) + Send + Sync + 'static) {
        self.0 = Some(Box::new(hook));
    }

    pub(crate) fn report(&self, report: &ActionReport<'_>) {
        log::action(report);
        if let Some(hook) = &self.0 {
            let _ = catch(|| hook(report));
        }
    }
}

impl fmt::Debug for ActionLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ActionLog").field(&self.0.is_some()).finish()
    }
}
