//! The options of `serve`.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use zego_record_inbox::Schedule;

use super::database;

/// Receive callbacks for an app in any language
///
/// Each callback is verified, checked for replays, deduplicated and on disk before it is answered with 1, then
/// forwarded to your app as a signed webhook until that answers with a 2xx. Without --forward, callbacks wait
/// in the inbox: see `zego-record inbox` and the operator's page.
#[derive(Args, Debug)]
#[command(after_help = "\
Example: receive, and forward to an app on this machine
  export ZEGO_CALLBACK_SECRET=the-callback-secret-from-the-console
  export ZEGO_RECORD_FORWARD_SECRET=\"whsec_$(openssl rand -base64 32)\"
  zego-record serve --forward http://127.0.0.1:8000/recordings

Example: on a public port with TLS, and with PostgreSQL, which several servers can share
  zego-record serve --listen 0.0.0.0:443 --tls-cert chain.pem --tls-key key.pem \\
    --database postgres://zego@db/zego --forward https://app.example.com/recordings

SIGTERM and Ctrl-C end it: what is under way is finished or given back. SIGHUP reads secrets and certificates
again, which also happens by itself when their files change.")]
pub struct ServeArgs {
    /// Where callbacks are received; port 0 chooses one, which is printed on standard error
    #[arg(
        long,
        env = "ZEGO_RECORD_LISTEN",
        value_name = "ADDRESS:PORT",
        default_value = "127.0.0.1:3000"
    )]
    pub(super) listen: SocketAddr,

    /// The path that ZEGOCLOUD calls
    #[arg(
        long,
        env = "ZEGO_RECORD_PATH",
        value_name = "PATH",
        default_value = "/zego/record"
    )]
    pub(super) path: String,

    /// A file, sqlite:FILE or a postgres:// URL; a file is created if it is missing
    #[arg(long, env = database::VARIABLE, hide_env_values = true, value_name = "DATABASE", default_value = database::DEFAULT)]
    pub(super) database: String,

    #[command(flatten)]
    pub(super) origin: OriginArgs,

    #[command(flatten)]
    pub(super) forward: ForwardArgs,

    #[command(flatten)]
    pub(super) admin: AdminArgs,

    #[command(flatten)]
    pub(super) connections: ConnectionArgs,

    /// How long a callback is kept after it was forwarded or discarded; dead letters are kept
    #[arg(long, env = "ZEGO_RECORD_KEEP", value_name = "TIME", default_value = "30d", value_parser = duration)]
    pub(super) keep: Duration,

    /// What is logged on standard error
    #[arg(long, env = "ZEGO_RECORD_LOG", value_enum, value_name = "LEVEL", default_value_t = Level::Info)]
    pub(super) log: Level,

    /// Print what would be run, and end
    #[arg(long)]
    pub(super) dry_run: bool,

    /// Print what --dry-run prints as one JSON document
    #[arg(long, requires = "dry_run")]
    pub(super) json: bool,
}

/// Whose callbacks are accepted.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Callbacks")]
pub(super) struct OriginArgs {
    /// Read a callback secret from FILE; may be given several times, while one is being replaced
    ///
    /// Without it, the environment variable `ZEGO_CALLBACK_SECRET` holds one, or several separated by commas.
    #[arg(long, value_name = "FILE")]
    pub(super) secret_file: Vec<PathBuf>,

    /// Read the secret of one project from FILE: callbacks that it signs must name that AppID
    #[arg(long, value_name = "APPID=FILE")]
    pub(super) secret_file_for: Vec<String>,

    /// Accept a `replay_url` only with the host HOST, or below it (*.example.com); may be given several times
    #[arg(
        long,
        env = "ZEGO_RECORD_REPLAY_URL_HOSTS",
        value_delimiter = ',',
        value_name = "HOST"
    )]
    pub(super) replay_url_host: Vec<String>,

    /// How old a signature may be
    #[arg(long, env = "ZEGO_RECORD_TOLERANCE", value_name = "TIME", default_value = "5m", value_parser = duration)]
    pub(super) tolerance: Duration,
}

/// Where callbacks go.
#[derive(Args, Debug)]
#[command(next_help_heading = "Forwarding")]
pub(super) struct ForwardArgs {
    /// Post each callback to URL, until it answers with a 2xx
    #[arg(
        long,
        env = "ZEGO_RECORD_FORWARD",
        hide_env_values = true,
        value_name = "URL"
    )]
    pub(super) forward: Option<String>,

    /// Read the secret that forwarded callbacks are signed with from FILE: whsec_.. as Standard Webhooks define
    ///
    /// Without it, the environment variable `ZEGO_RECORD_FORWARD_SECRET` holds it. Several, separated by commas or
    /// line breaks, sign each callback several times, while one is being replaced.
    #[arg(long, value_name = "FILE")]
    pub(super) forward_secret_file: Option<PathBuf>,

    /// Trust the certificates in FILE (PEM) instead of those of the system
    #[arg(long, value_name = "FILE", requires = "forward")]
    pub(super) forward_ca: Option<PathBuf>,

    /// When a failed attempt is made again, up to 15 % earlier or later
    #[arg(long, env = "ZEGO_RECORD_RETRY", value_name = "TIMES", default_value_t = Schedule::default())]
    pub(super) retry: Schedule,

    /// How many callbacks are forwarded at once
    #[arg(
        long,
        env = "ZEGO_RECORD_CONCURRENCY",
        value_name = "N",
        default_value_t = 16
    )]
    pub(super) concurrency: usize,

    /// How long the app may take to answer
    #[arg(long, env = "ZEGO_RECORD_TIMEOUT", value_name = "TIME", default_value = "30s", value_parser = duration)]
    pub(super) timeout: Duration,
}

/// The operator's page.
#[derive(Args, Debug)]
#[command(next_help_heading = "Operator's page")]
pub(super) struct AdminArgs {
    /// Where the operator's page, /healthz, /readyz and /metrics are served
    #[arg(
        long,
        env = "ZEGO_RECORD_ADMIN",
        value_name = "ADDRESS:PORT",
        default_value = "127.0.0.1:3001"
    )]
    pub(super) admin: SocketAddr,

    /// Read the token for the page from FILE, 20 characters or more; without it, each start makes another one
    #[arg(long, value_name = "FILE")]
    pub(super) admin_token_file: Option<PathBuf>,

    /// A host name by which the page may be reached, besides those of this machine
    #[arg(long, value_name = "HOST")]
    pub(super) admin_host: Vec<String>,

    /// Allow redeliver, discard, pause and resume on the page
    #[arg(long)]
    pub(super) admin_actions: bool,
}

/// Limits of a public port.
#[derive(Args, Debug)]
#[command(next_help_heading = "Connections")]
pub(super) struct ConnectionArgs {
    /// Serve TLS with the certificate chain in FILE (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(super) tls_cert: Option<PathBuf>,

    /// The private key of --tls-cert (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(super) tls_key: Option<PathBuf>,

    /// The most connections at once
    #[arg(long, value_name = "N", default_value_t = 1_024)]
    pub(super) max_connections: usize,

    /// The most connections at once from one address
    #[arg(long, value_name = "N", default_value_t = 128)]
    pub(super) max_connections_per_address: usize,

    /// A proxy, whose X-Forwarded-For counts and whose connections are not limited by address
    #[arg(
        long,
        env = "ZEGO_RECORD_TRUSTED_PROXY",
        value_delimiter = ',',
        value_name = "ADDRESS"
    )]
    pub(super) trusted_proxy: Vec<IpAddr>,
}

impl ConnectionArgs {
    /// The trusted proxies, in the form in which a peer's address is compared.
    pub(super) fn proxies(&self) -> Vec<IpAddr> {
        let proxies = self.trusted_proxy.iter();
        proxies.map(IpAddr::to_canonical).collect()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Level {
    Error,
    Warn,
    Info,
    Debug,
}

/// A number with a unit.
fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text)
        .map_err(|error| format!("{error}: write a number with a unit, such as 30s, 5m or 30d"))
}
