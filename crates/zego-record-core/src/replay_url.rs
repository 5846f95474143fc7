//! An allow-list for playback URLs.

use crate::config::{ConfigError, ConfigErrorKind};

/// An allow-list of hosts for playback URLs.
///
/// A handler usually downloads `replay_url`, and the signature does not cover it: a forged one could
/// point into the receiver's own network. With a policy, a URL is allowed only if it has an allowed
/// scheme, no user info, and a host name that is on the list. IP addresses, names without a dot and
/// names of private zones are never allowed. Names are not resolved, so the policy does not protect from
/// an allowed name that points to a private address.
///
/// The syntax is narrower than that of URLs, so that no HTTP client can see another host in it: a
/// scheme, `://`, a host of ASCII letters, digits and hyphens, a port of digits, and then only
/// printable ASCII without a backslash.
///
/// ```
/// use zego_record_core::ReplayUrlPolicy;
///
/// let policy = ReplayUrlPolicy::hosts(["vod.example.com", "*.vod2.myqcloud.com"])?.https_only();
/// assert!(policy.allows("https://1251.vod2.myqcloud.com/a/b.mp4?sign=x%2Fy"));
/// assert!(!policy.allows("https://169.254.169.254/latest/meta-data"));
/// assert!(!policy.allows("https://vod.example.com@evil.example/"));
/// # Ok::<(), zego_record_core::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplayUrlPolicy {
    patterns: Vec<String>,
    https_only: bool,
}

impl ReplayUrlPolicy {
    /// Allows `http` and `https` URLs of these hosts. `*.example.com` stands for every name below
    /// `example.com`, however many labels it has, and not for `example.com` itself.
    ///
    /// # Errors
    ///
    /// If the list is empty, or if one of the patterns is malformed or could never be allowed.
    pub fn hosts<I>(patterns: I) -> Result<Self, ConfigError>
    where
        I: IntoIterator<Item: Into<String>>,
    {
        let patterns: Vec<String> = patterns
            .into_iter()
            .map(|pattern| pattern.into().to_ascii_lowercase())
            .collect();
        if patterns.is_empty() {
            return Err(ConfigError::new(
                ConfigErrorKind::ReplayUrlPolicy,
                "the policy for playback URLs has no hosts: it would reject every recording",
            ));
        }
        for pattern in &patterns {
            if let Err(why) = check_host(pattern.strip_prefix("*.").unwrap_or(pattern)) {
                return Err(ConfigError::new(
                    ConfigErrorKind::ReplayUrlPolicy,
                    format!(
                        "the host {pattern:?} in the policy for playback URLs can never match: {why}"
                    ),
                ));
            }
        }
        Ok(Self {
            patterns,
            https_only: false,
        })
    }

    /// Rejects `http` URLs too.
    #[must_use]
    pub fn https_only(mut self) -> Self {
        self.https_only = true;
        self
    }

    /// Whether the policy allows a URL.
    pub fn allows(&self, url: &str) -> bool {
        self.check(url).is_ok()
    }

    /// Says in a few words why it does not.
    pub(crate) fn check(&self, url: &str) -> Result<(), &'static str> {
        let (scheme, rest) = url.split_once("://").ok_or("it has no scheme and host")?;
        let https = scheme.eq_ignore_ascii_case("https");
        if !https && !scheme.eq_ignore_ascii_case("http") {
            return Err("its scheme is neither http nor https");
        }
        if self.https_only && !https {
            return Err("its scheme is not https");
        }
        if !rest
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'\\')
        {
            return Err("it holds characters that a URL must encode");
        }
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if authority.contains('@') {
            return Err("it holds user info");
        }
        let (host, port) = authority.split_once(':').unwrap_or((authority, "443"));
        if port.parse::<u16>().is_err() || port.starts_with('+') {
            return Err("its host is no plain name with an optional port");
        }
        let host = host.to_ascii_lowercase();
        check_host(&host)?;
        if self.patterns.iter().any(|pattern| matches(pattern, &host)) {
            Ok(())
        } else {
            Err("its host is not on the list")
        }
    }
}

fn matches(pattern: &str, host: &str) -> bool {
    match pattern.strip_prefix('*') {
        Some(suffix) => host.len() > suffix.len() && host.ends_with(suffix),
        None => host == pattern,
    }
}

/// Top-level names that never belong to a CDN: special-use names (RFC 6761, 6762, 8375) and what
/// private networks use.
const PRIVATE: [&str; 12] = [
    "alt",
    "arpa",
    "corp",
    "home",
    "internal",
    "intranet",
    "invalid",
    "lan",
    "local",
    "localdomain",
    "localhost",
    "private",
];

fn check_host(host: &str) -> Result<(), &'static str> {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    if host.len() > 253 || !host.split('.').all(label) {
        return Err("its host is no plain name with an optional port");
    }
    match host.rsplit_once('.') {
        None => Err("its host has no dot"),
        // The last label of a name begins with a letter; the forms of an IPv4 address do not.
        Some((_, last)) if last.starts_with(|first: char| first.is_ascii_digit()) => {
            Err("its host is an IP address")
        }
        Some((_, last)) if PRIVATE.contains(&last) => Err("its host is a private name"),
        Some(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_listed_public_hosts_are_allowed() {
        let policy = ReplayUrlPolicy::hosts(["vod.example.com", "*.cdn.example.net"]).unwrap();
        for url in [
            "https://vod.example.com",
            "http://VOD.example.com:8080/a.mp4?sign=a%2Fb+c#t",
            "HTTPS://vod.example.com?x",
            "https://a.cdn.example.net/x",
            "https://a.b.cdn.example.net/x",
            "https://vod.example.com/a@b",
        ] {
            assert_eq!(policy.check(url), Ok(()), "{url}");
        }
        for url in [
            "replay_url",
            "vod.example.com/a.mp4",
            "ftp://vod.example.com/",
            "file:///etc/passwd",
            "https:///vod.example.com/",
            "https://cdn.example.net/",
            "https://evilcdn.example.net/",
            "https://vod.example.com.evil.example/",
            "https://vod.example.com@evil.example/",
            "https://evil.example\\@vod.example.com/",
            "https://evil.example\\.cdn.example.net/",
            "https://vod.example.com:80:90/",
            "https://vod.example.com:+80/",
            "https://vod.example.com:/",
            "https://vod.example.com./",
            "https://vod.example.com /",
            "https://vöd.example.com/",
            "https://vod%2eexample.com/",
            "https://127.0.0.1/",
            "https://0x7f.1/",
            "https://2130706433/",
            "https://[::1]/",
            "https://localhost/",
            "https://x.localhost/",
        ] {
            assert!(policy.check(url).is_err(), "{url}");
        }
        assert!(
            !policy
                .clone()
                .https_only()
                .allows("http://vod.example.com/")
        );
    }

    #[test]
    fn patterns_that_cannot_match_are_rejected() {
        assert!(ReplayUrlPolicy::hosts(Vec::<String>::new()).is_err());
        for pattern in [
            "",
            "*",
            "*.com.",
            "a.*.com",
            "https://a.example.com",
            "10.0.0.1",
            "db.internal",
            "localhost",
            "a_b.example.com",
        ] {
            let error = ReplayUrlPolicy::hosts([pattern]).unwrap_err();
            assert_eq!(error.kind(), ConfigErrorKind::ReplayUrlPolicy, "{pattern}");
        }
    }
}
