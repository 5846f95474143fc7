//! The console and its configuration.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::request::Parts;
use zego_record_core::{ConfigError, ConfigErrorKind, ReplayUrlPolicy};
use zego_record_inbox::InboxStore;
use zego_record_receiver::support::catch;

use crate::action::{ActionLog, ActionReport, DestinationHealth};
use crate::chart::Arrivals;
use crate::guard::{Access, Login};
use crate::inbox::Inbox;
use crate::origin::Hosts;
use crate::pages;
use crate::rejections::Rejections;
use crate::session::Sessions;
use crate::token::Token;

/// The operator's page of an inbox. Clones share everything.
#[derive(Clone, Debug)]
pub struct Console(Arc<Shared>);

/// What all pages need.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) inbox: Inbox,
    pub(crate) access: Access,
    pub(crate) hosts: Hosts,
    /// Without a slash at its end; empty at the root.
    pub(crate) path: String,
    pub(crate) read_only: bool,
    pub(crate) replay_urls: Option<ReplayUrlPolicy>,
    pub(crate) actions: ActionLog,
    pub(crate) destination: Destination,
    pub(crate) rejections: Option<Rejections>,
    pub(crate) arrivals: Arrivals,
}

impl Console {
    /// Begins to configure a console. It needs a [`token`](ConsoleBuilder::token), a login of your
    /// own ([`authenticate`](ConsoleBuilder::authenticate)), or both.
    pub fn builder(inbox: impl InboxStore + 'static) -> ConsoleBuilder {
        ConsoleBuilder {
            inbox: Inbox::new(Arc::new(inbox), Duration::from_secs(10)),
            token: None,
            login: None,
            hosts: Vec::new(),
            path: "/console".to_owned(),
            secure_cookie: false,
            read_only: true,
            replay_urls: None,
            actions: ActionLog::default(),
            destination: Destination(None),
            rejections: None,
        }
    }

    /// The pages, below the console's [`path`](ConsoleBuilder::path): `merge` it into your app. To
    /// `nest` it would move the pages away from where their links lead.
    pub fn router(&self) -> Router {
        pages::router(&self.0)
    }

    /// The link that signs an operator in, for a terminal. It holds the token. `base` is where the
    /// server listens, such as `http://127.0.0.1:3001`. `None` if there is no token.
    pub fn login_url(&self, base: &str) -> Option<String> {
        let token = self.0.access.token()?.reveal();
        let (base, path) = (base.trim_end_matches('/'), &self.0.path);
        Some(format!("{base}{path}/login?token={token}"))
    }
}

/// Configures a [`Console`].
#[must_use]
pub struct ConsoleBuilder {
    inbox: Inbox,
    token: Option<Token>,
    login: Option<Login>,
    hosts: Vec<String>,
    path: String,
    secure_cookie: bool,
    read_only: bool,
    replay_urls: Option<ReplayUrlPolicy>,
    actions: ActionLog,
    destination: Destination,
    rejections: Option<Rejections>,
}

impl ConsoleBuilder {
    /// Lets in who knows this token: by a form, by the link of [`Console::login_url`], which set a
    /// cookie that is not the token, or with `Authorization: Bearer` in a script.
    pub fn token(mut self, token: Token) -> Self {
        self.token = Some(token);
        self
    }

    /// Lets in whom a login of your own lets in: `login` returns the name of whoever sends a
    /// request, or `None`. It sees the request's head, with the extensions that your middleware has
    /// put there. Names appear in the log of actions.
    ///
    /// Forms are bound to the name. If several processes serve one console, give all of them the
    /// same [`token`](Self::token) as well, or a form works in the process alone that has made it.
    pub fn authenticate(
        mut self,
        login: impl Fn(&Parts) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        self.login = Some(Login(Box::new(login)));
        self
    }

    /// Host names besides `localhost`, `127.0.0.1` and `[::1]` under which the console is reached,
    /// without a port. Requests to any other are rejected, since a page of a stranger can have its
    /// own name resolve to your machine.
    pub fn allowed_hosts<I>(mut self, hosts: I) -> Self
    where
        I: IntoIterator<Item: Into<String>>,
    {
        self.hosts.extend(hosts.into_iter().map(Into::into));
        self
    }

    /// Where the pages are: `/console` by default, or `/` for a listener of their own.
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// Whether the session's cookie is sent over HTTPS alone. Set it unless the console is reached
    /// by loopback; by default it is not set.
    pub fn secure_cookie(mut self, secure: bool) -> Self {
        self.secure_cookie = secure;
        self
    }

    /// Whether operators may only look, which is the default.
    pub fn read_only(mut self, read_only: bool) -> Self {
        self.read_only = read_only;
        self
    }

    /// Which playback URLs are shown as links: those that are https and that this policy allows.
    /// Without one, none is.
    pub fn replay_url_policy(mut self, policy: ReplayUrlPolicy) -> Self {
        self.replay_urls = Some(policy);
        self
    }

    /// Called for everything that an operator does. It is called while the request waits, so it
    /// must be quick.
    pub fn on_action(mut self, hook: impl Fn(&ActionReport<'_>) + Send + Sync + 'static) -> Self {
        self.actions.set(hook);
        self
    }

    /// How the app that callbacks are forwarded to is doing. It is called for each overview, so it
    /// must be quick.
    pub fn destination(
        mut self,
        health: impl Fn() -> DestinationHealth + Send + Sync + 'static,
    ) -> Self {
        self.destination = Destination(Some(Box::new(health)));
        self
    }

    /// What was rejected, from the receiver's hooks.
    pub fn rejections(mut self, rejections: Rejections) -> Self {
        self.rejections = Some(rejections);
        self
    }

    /// How long one request to the inbox may take: 10 seconds by default.
    pub fn store_timeout(mut self, timeout: Duration) -> Self {
        self.inbox.set_timeout(timeout);
        self
    }

    /// The console.
    ///
    /// # Errors
    ///
    /// If there is neither a token nor a login, if a host or the path is malformed, or if the
    /// operating system has no random numbers.
    pub fn build(self) -> Result<Console, ConfigError> {
        if self.token.is_none() && self.login.is_none() {
            return Err(error(
                "the operator's page has neither a token nor a login: anybody could use it",
            ));
        }
        let path = self.path.trim_end_matches('/');
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.".contains(&byte);
        let is_path = path.is_empty() || path.starts_with('/') && !path.contains("//");
        if !is_path || !path.bytes().all(is_plain) {
            return Err(error(
                "the path of the operator's page is not /, or slashes, letters, digits, hyphens, dots and underscores",
            ));
        }
        let cookie_path = if path.is_empty() { "/" } else { path };
        let sessions = Sessions::new(self.token.as_ref(), cookie_path, self.secure_cookie)?;
        Ok(Console(Arc::new(Shared {
            inbox: self.inbox,
            access: Access::new(self.token, self.login, sessions),
            hosts: Hosts::new(self.hosts)?,
            path: path.to_owned(),
            read_only: self.read_only,
            replay_urls: self.replay_urls.map(ReplayUrlPolicy::https_only),
            actions: self.actions,
            destination: self.destination,
            rejections: self.rejections,
            arrivals: Arrivals::new(Duration::from_secs(2)),
        })))
    }
}

impl fmt::Debug for ConsoleBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConsoleBuilder")
            .field("inbox", &self.inbox)
            .field("path", &self.path)
            .field("hosts", &self.hosts)
            .field("read_only", &self.read_only)
            .finish_non_exhaustive()
    }
}

type Health = Box<dyn Fn() -> DestinationHealth + Send + Sync>;

/// The user's view of the destination.
pub(crate) struct Destination(Option<Health>);

impl Destination {
    pub(crate) fn health(&self) -> Option<DestinationHealth> {
        catch(self.0.as_ref()?)
    }
}

impl fmt::Debug for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Destination")
            .field(&self.0.is_some())
            .finish()
    }
}

fn error(message: &str) -> ConfigError {
    ConfigError::new(ConfigErrorKind::Other, message)
}
