//! Whose callbacks are accepted: the secrets and the policy, read again when they change.

use std::path::PathBuf;
use std::time::Duration;

use tracing::{error, info};
use zego_record_core::{CallbackSecret, ReplayUrlPolicy, Verifier};
use zego_record_receiver::InboxReceiver;

use super::args::OriginArgs;
use super::reload::{self, Again, Watch};
use crate::error::{Error, chain};
use crate::secrets::{VARIABLE, read_secret};

/// How to make a verifier, now and later.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    files: Vec<PathBuf>,
    files_by_appid: Vec<(String, PathBuf)>,
    policy: Option<ReplayUrlPolicy>,
    tolerance: Duration,
    /// From before they are read for the first time, so that no change is missed.
    watch: Watch,
}

impl Origin {
    pub(super) fn new(args: &OriginArgs) -> Result<Self, Error> {
        let by_appid = args.secret_file_for.iter().map(|text| {
            let pair = text
                .split_once('=')
                .filter(|(appid, file)| !appid.is_empty() && !file.is_empty());
            let (appid, file) =
                pair.ok_or_else(|| Error::new("--secret-file-for is APPID=FILE"))?;
            Ok((appid.to_owned(), PathBuf::from(file)))
        });
        let files_by_appid = by_appid.collect::<Result<Vec<_>, Error>>()?;
        let policy = if args.replay_url_host.is_empty() {
            None
        } else {
            let policy = ReplayUrlPolicy::hosts(args.replay_url_host.iter().cloned());
            Some(
                policy
                    .map_err(|error| Error::with_source("cannot use --replay-url-host", error))?,
            )
        };
        let files = args.secret_file.iter();
        let files = files.chain(files_by_appid.iter().map(|(_, file)| file));
        Ok(Self {
            watch: Watch::new(files.cloned()),
            files: args.secret_file.clone(),
            files_by_appid,
            policy,
            tolerance: args.tolerance,
        })
    }

    pub(super) fn policy(&self) -> Option<&ReplayUrlPolicy> {
        self.policy.as_ref()
    }

    /// Reads the secrets.
    pub(super) fn verifier(&self) -> Result<Verifier, Error> {
        let mut builder = Verifier::builder()
            .past_tolerance(self.tolerance)
            .future_tolerance(self.tolerance);
        if let Some(policy) = &self.policy {
            builder = builder.replay_urls(policy.clone());
        }
        for path in &self.files {
            builder = builder.secret(file(path)?);
        }
        for (appid, path) in &self.files_by_appid {
            builder = builder.secret_for(appid, file(path)?);
        }
        if self.files.is_empty() && self.files_by_appid.is_empty() {
            builder = builder.secrets(from_environment()?);
        }
        builder
            .build()
            .map_err(|error| Error::with_source("cannot set up the receiver", error))
    }

    /// Reads the secrets again when one of their files has changed, or somebody asks for it. Never ends.
    pub(super) async fn follow(&self, receiver: &InboxReceiver, again: Again) {
        let replace = || {
            let verifier = self.verifier()?;
            receiver
                .replace_verifier(verifier)
                .map_err(|error| Error::with_source("cannot replace the secrets", error))
        };
        reload::follow(self.watch.clone(), again, || match replace() {
            Ok(()) => info!("the callback secrets were read again"),
            Err(error) => error!("the old callback secrets stay in use: {}", chain(&error)),
        })
        .await;
    }
}

fn file(path: &PathBuf) -> Result<CallbackSecret, Error> {
    let (name, text) = read_secret(Some(path), VARIABLE)?;
    CallbackSecret::new(text.as_str())
        .map_err(|error| Error::with_source(format!("{name} cannot be used"), error))
}

fn from_environment() -> Result<Vec<CallbackSecret>, Error> {
    CallbackSecret::list_from_env(VARIABLE).map_err(|error| {
        Error::with_source(
            "no callback secret: set ZEGO_CALLBACK_SECRET or use --secret-file",
            error,
        )
    })
}
