//! Where secrets come from: the environment, a file or, with a warning, the command line.

use std::env;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::Args;
use zego_record_core::CallbackSecret;
use zeroize::Zeroizing;

use crate::error::Error;
use crate::io::{Io, Tone, paint};

pub(crate) const VARIABLE: &str = "ZEGO_CALLBACK_SECRET";

/// The options that name the callback secret.
#[derive(Args, Debug)]
pub(crate) struct SecretArgs {
    /// Read the callback secret from FILE; a line break at its end does not count
    ///
    /// Without this option it is read from the environment variable `ZEGO_CALLBACK_SECRET`, which may
    /// hold several, separated by commas, while one is being replaced: `verify` tries them all, the
    /// other commands sign with the first.
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,

    /// The callback secret itself; every user of this machine can see it, prefer the other ways
    #[arg(long, value_name = "SECRET", conflicts_with = "secret_file")]
    secret: Option<SecretText>,
}

impl SecretArgs {
    /// All secrets, as they were given: white space and quotes around them are kept, since they may be
    /// the very mistake that is looked for.
    pub(crate) fn given(&self, io: &mut Io<'_>) -> Result<Vec<Secret>, Error> {
        if let Some(secret) = &self.secret {
            let warning = paint(io.err_color, Tone::Warning, "warning:");
            writeln!(
                io.err,
                "{warning} every user of this machine can see a secret on the command line: use {VARIABLE} or --secret-file"
            )?;
            return Ok(vec![Secret::new("--secret", secret.0.clone())]);
        }
        if let Some(path) = &self.secret_file {
            return Ok(vec![read_file("the secret file", path)?]);
        }
        let value = read_variable(VARIABLE).map_err(|problem| {
            Error::new(format!(
                "{problem}: put the project's CallbackSecret from the ZEGOCLOUD console in it, or use --secret-file"
            ))
        })?;
        let parts = value.split(',');
        Ok(parts
            .map(|part| Secret::new(VARIABLE, Zeroizing::new(part.to_owned())))
            .collect())
    }

    /// The secret to sign with: one that can be used as it is.
    pub(crate) fn for_signing(&self, io: &mut Io<'_>) -> Result<Secret, Error> {
        let mut given = self.given(io)?.into_iter();
        let first = given
            .next()
            .ok_or_else(|| Error::new(format!("{VARIABLE} holds no secret")))?;
        first.to_callback_secret().map(|_| first)
    }
}

/// A secret as it was given, with the name by which it may be mentioned.
#[derive(Clone)]
pub(crate) struct Secret {
    name: String,
    text: Zeroizing<String>,
}

impl Secret {
    pub(crate) fn new(name: impl Into<String>, text: Zeroizing<String>) -> Self {
        Self {
            name: name.into(),
            text,
        }
    }

    /// What it is called; never the secret.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn to_callback_secret(&self) -> Result<CallbackSecret, Error> {
        CallbackSecret::new(self.text.as_str())
            .map_err(|error| Error::with_source(format!("{} cannot be used", self.name), error))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({}, ..)", self.name)
    }
}

/// Another secret, named `NAME=FILE` or `NAME=env:VARIABLE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Also {
    name: String,
    place: Place,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    File(PathBuf),
    Variable(String),
}

impl Also {
    /// Takes the value of the option. It is not clap that reads it, since clap repeats what it cannot
    /// read, and that may be a secret that was pasted.
    pub(crate) fn new(value: &SecretText) -> Result<Self, Error> {
        value
            .0
            .parse()
            .map_err(|problem| Error::with_source("cannot understand --also", problem))
    }

    pub(crate) fn read(&self) -> Result<Secret, Error> {
        match &self.place {
            Place::File(path) => {
                let what = format!("the file of --also {}", self.name);
                read_file(&what, path).map(|secret| Secret::new(self.name.clone(), secret.text))
            }
            Place::Variable(variable) => match read_variable(variable) {
                Ok(text) => Ok(Secret::new(self.name.clone(), text)),
                Err(problem) => Err(Error::new(format!(
                    "{problem}: set it, or leave out --also {}",
                    self.name
                ))),
            },
        }
    }
}

impl FromStr for Also {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, place) = text
            .split_once('=')
            .filter(|(name, place)| !name.is_empty() && !place.is_empty())
            .ok_or("expected NAME=FILE or NAME=env:VARIABLE")?;
        let place = match place.strip_prefix("env:") {
            Some(variable) => Place::Variable(variable.to_owned()),
            None => Place::File(place.into()),
        };
        Ok(Self {
            name: name.to_owned(),
            place,
        })
    }
}

/// Keeps a secret out of `Debug` output.
#[derive(Clone)]
pub(crate) struct SecretText(Zeroizing<String>);

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(..)")
    }
}

impl From<String> for SecretText {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

/// A text from a file or, without one, from the environment, with the name by which it may be mentioned.
#[cfg(feature = "serve")]
pub(crate) fn read_secret(
    file: Option<&PathBuf>,
    variable: &str,
) -> Result<(String, Zeroizing<String>), Error> {
    match file {
        Some(path) => read_file("the secret file", path).map(|secret| (secret.name, secret.text)),
        None => read_variable(variable)
            .map(|text| (variable.to_owned(), text))
            .map_err(Error::new),
    }
}

/// Files end with a line break by convention, so one is not part of the secret; a second one is.
fn read_file(what: &str, path: &Path) -> Result<Secret, Error> {
    let text = fs::read_to_string(path).map(Zeroizing::new);
    let text = text.map_err(|error| {
        Error::with_source(format!("cannot read {what} {}", path.display()), error)
    })?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    let name = format!("{what} {}", path.display());
    Ok(Secret::new(name, Zeroizing::new(line.to_owned())))
}

fn read_variable(variable: &str) -> Result<Zeroizing<String>, String> {
    match env::var(variable) {
        Ok(value) => Ok(Zeroizing::new(value)),
        Err(env::VarError::NotPresent) => {
            Err(format!("the environment variable {variable} is not set"))
        }
        Err(env::VarError::NotUnicode(_)) => Err(format!(
            "the environment variable {variable} is not valid Unicode"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_secret_is_named_by_its_place() {
        let file: Also = "server-secret=/run/secrets/a=b".parse().unwrap();
        assert_eq!(file.place, Place::File("/run/secrets/a=b".into()));
        let variable: Also = "app-sign=env:ZEGO_APP_SIGN".parse().unwrap();
        assert_eq!(variable.place, Place::Variable("ZEGO_APP_SIGN".to_owned()));
        for text in ["", "hunter2", "=file", "name="] {
            let error = text.parse::<Also>().unwrap_err();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn debug_output_holds_no_secret() {
        let args = SecretArgs {
            secret_file: None,
            secret: Some("hunter2".to_owned().into()),
        };
        let secret = Secret::new("x", Zeroizing::new("hunter2".to_owned()));
        assert!(!format!("{args:?} {secret:?}").contains("hunter2"));
    }
}
