//! What a URL says about TLS. The driver knows less of it than `libpq`, so that it is read here.

use std::path::PathBuf;

use percent_encoding::percent_decode_str;
use tokio_postgres::Config;
use tokio_postgres::config::SslMode;
use zego_record_receiver::StoreError;

use crate::error;

/// How the connection is encrypted.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Encryption {
    /// Whether the certificate must bear the server's name.
    pub(crate) checks_name: bool,
    /// The authorities that are trusted, or those of the system.
    pub(crate) roots: Option<PathBuf>,
}

/// Reads a URL, and whether it requires TLS.
pub(crate) fn parse(url: &str) -> Result<(Config, Option<Encryption>), StoreError> {
    let mut mode = None;
    let mut roots = None;
    let mut rest = String::new();
    let (address, parameters) = split(url);
    for parameter in parameters
        .split('&')
        .filter(|parameter| !parameter.is_empty())
    {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let value = percent_decode_str(value)
            .decode_utf8()
            .map_err(|_| not_understood())?;
        match name {
            "sslmode" => mode = Some(value.into_owned()),
            "sslrootcert" => roots = Some(value.into_owned()),
            _ => {
                rest.push(if rest.is_empty() { '?' } else { '&' });
                rest.push_str(parameter);
            }
        }
    }
    // The parser's error may repeat a piece of the URL, and with it of a password.
    let mut config: Config = format!("{address}{rest}")
        .parse()
        .map_err(|_| not_understood())?;
    let checks_name = match mode.as_deref() {
        // `libpq` would encrypt here without looking at the certificate.
        Some("require" | "verify-full") => true,
        Some("verify-ca") => false,
        // Not a URL, but `host=.. sslmode=require`.
        None if config.get_ssl_mode() == SslMode::Require => true,
        None | Some("disable" | "prefer") => {
            if roots.is_some() {
                return Err(error::config(
                    "sslrootcert needs sslmode=verify-full or verify-ca",
                ));
            }
            return Ok((config, None));
        }
        Some(_) => {
            return Err(error::config(
                "sslmode must be disable, prefer, require, verify-ca or verify-full",
            ));
        }
    };
    config.ssl_mode(SslMode::Require);
    let roots = roots.filter(|roots| roots != "system").map(PathBuf::from);
    Ok((config, Some(Encryption { checks_name, roots })))
}

/// The address and the parameters. As the driver sees it, a login ends with the first `@` and may hold
/// question marks before it.
fn split(url: &str) -> (&str, &str) {
    let login = url.find('@').unwrap_or(0);
    match url[login..].split_once('?') {
        Some((address, parameters)) => (&url[..login + address.len()], parameters),
        None => (url, ""),
    }
}

fn not_understood() -> StoreError {
    error::config("the URL is not understood; write postgres://user:password@host:port/database")
}
