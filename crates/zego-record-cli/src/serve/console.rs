//! The operator's page on the admin address.

use std::net::SocketAddr;
use std::sync::Arc;

use zego_record_console::{Console, DestinationHealth, Rejections, Token};
use zego_record_core::ReplayUrlPolicy;
use zego_record_inbox::InboxStore;

use super::args::AdminArgs;
use super::forward::Breaker;
use crate::error::Error;
use crate::secrets::read_secret;

/// What the page is made of; nothing of it is under way yet.
pub(super) struct Page {
    token: Token,
    /// Somebody has chosen the token, and need not read it on the terminal.
    is_chosen: bool,
    pub(super) rejections: Rejections,
}

impl Page {
    pub(super) fn new(args: &AdminArgs) -> Result<Self, Error> {
        let token = match &args.admin_token_file {
            Some(path) => {
                let (name, text) = read_secret(Some(path), "")?;
                Token::new(text.as_str())
                    .map_err(|error| Error::with_source(format!("{name} cannot be used"), error))?
            }
            None => {
                Token::random().map_err(|error| Error::with_source("cannot make a token", error))?
            }
        };
        let page = Self {
            token,
            is_chosen: args.admin_token_file.is_some(),
            rejections: Rejections::new(),
        };
        Ok(page)
    }

    pub(super) fn console(
        &self,
        args: &AdminArgs,
        inbox: Arc<dyn InboxStore>,
        policy: Option<&ReplayUrlPolicy>,
        breaker: Option<Arc<Breaker>>,
    ) -> Result<Console, Error> {
        let mut builder = Console::builder(inbox)
            .token(self.token.clone())
            .path("/")
            .allowed_hosts(&args.admin_host)
            .read_only(!args.admin_actions)
            .rejections(self.rejections.clone());
        if let Some(policy) = policy {
            builder = builder.replay_url_policy(policy.clone());
        }
        if let Some(breaker) = breaker {
            builder = builder.destination(move || health(&breaker));
        }
        let unusable = |error| Error::with_source("cannot set up the operator's page", error);
        builder.build().map_err(unusable)
    }

    /// Where the page is, with a token that nobody else knows yet.
    pub(super) fn url(&self, console: &Console, address: SocketAddr) -> String {
        let base = format!("http://{address}");
        let link = console.login_url(&base).filter(|_| !self.is_chosen);
        link.unwrap_or_else(|| format!("{base}/"))
    }
}

fn health(breaker: &Breaker) -> DestinationHealth {
    let seen = breaker.health();
    let mut health = match seen.down_since {
        Some(_) => DestinationHealth::down(),
        None => DestinationHealth::up(),
    };
    health.since = seen.down_since;
    health.last_error = seen.last_error;
    health
}
