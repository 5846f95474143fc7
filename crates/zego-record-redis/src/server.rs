//! Whether a server fits, and what makes it less safe than it should be.

use redis::{RedisResult, ServerErrorKind, Value};
use zego_record_receiver::StoreError;

use crate::error;

/// Scripts of older servers neither replicate their effects by themselves nor name their errors.
const OLDEST: u32 = 7;

/// Reads the answer to `INFO`, of one server or of all nodes of a cluster. Returns warnings.
pub(crate) fn check(info: RedisResult<Value>, is_cluster: bool) -> Result<Vec<String>, StoreError> {
    let info = match info {
        Err(error) if error.kind() == ServerErrorKind::NoPerm.into() => {
            return Ok(vec![
                "the user lacks +info, so that nothing is known of the server: it should be a primary \
                 with maxmemory-policy noeviction and appendonly yes"
                    .to_owned(),
            ]);
        }
        info => info.map_err(error::of_driver)?,
    };
    let mut nodes = Vec::new();
    collect(&info, &mut nodes);
    let mut warnings = Vec::new();
    for node in &nodes {
        let field = |name: &str| {
            let mut lines = node.lines().filter_map(|line| line.split_once(':'));
            lines.find_map(|(key, value)| (key == name).then(|| value.trim()))
        };
        let version = field("redis_version").unwrap_or_default();
        let major = version.split('.').next().unwrap_or_default().parse();
        if major.is_ok_and(|major: u32| major < OLDEST) {
            return Err(error::config(format!(
                "the server has version {version}; Redis {OLDEST} or later is needed, or Valkey"
            )));
        }
        // Valkey has renamed it.
        let mode = field("redis_mode").or_else(|| field("server_mode"));
        let is_node = mode == Some("cluster");
        if is_node && !is_cluster {
            return Err(error::config(
                "the server is part of a cluster; connect with `connect_cluster`, feature `cluster`",
            ));
        }
        if field("role") == Some("slave") {
            if is_node {
                continue;
            }
            return Err(error::config(
                "the server is a replica; connect to the primary",
            ));
        }
        warnings.extend(
            field("maxmemory_policy")
                .filter(|policy| *policy != "noeviction")
                .map(|policy| {
                    format!(
                        "maxmemory-policy is {policy}: when memory is full, Redis forgets deliveries, and \
                         their handlers may run a second time; set it to noeviction"
                    )
                }),
        );
        if field("aof_enabled") == Some("0") {
            warnings.push(
                "appendonly is off: a restart of Redis forgets what came after its last snapshot, and \
                 handlers may run a second time"
                    .to_owned(),
            );
        }
    }
    warnings.sort();
    warnings.dedup();
    warnings.iter().for_each(|warning| log(warning));
    Ok(warnings)
}

/// The texts in an answer: one, or one for each node.
fn collect(value: &Value, texts: &mut Vec<String>) {
    match value {
        Value::BulkString(bytes) => texts.push(String::from_utf8_lossy(bytes).into_owned()),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => texts.push(text.clone()),
        Value::Array(values) => values.iter().for_each(|value| collect(value, texts)),
        Value::Map(pairs) => pairs.iter().for_each(|(_, value)| collect(value, texts)),
        _ => {}
    }
}

#[cfg(feature = "tracing")]
fn log(warning: &str) {
    tracing::warn!(target: "zego_record", "{warning}");
}

#[cfg(not(feature = "tracing"))]
fn log(_: &str) {}

#[cfg(test)]
mod tests {
    use super::*;

    /// Servers that the tests of this crate do not run.
    #[test]
    fn judges_other_servers_by_their_own_words() {
        for (info, is_accepted) in [
            (
                "redis_version:6.2.14\r\nredis_mode:standalone\r\nrole:master\r\n",
                false,
            ),
            ("redis_version:5.0.0\r\n", false),
            ("redis_version:7.0.0\r\nrole:master\r\n", true),
            ("redis_version:10.2.0\r\nrole:master\r\n", true),
            (
                "redis_version:7.2.4\r\nserver_name:valkey\r\nserver_mode:cluster\r\n",
                false,
            ),
            (
                "redis_version:7.2.4\r\nserver_name:valkey\r\nserver_mode:standalone\r\n",
                true,
            ),
            ("", true),
        ] {
            let answer = Ok(Value::BulkString(info.into()));
            assert_eq!(check(answer, false).is_ok(), is_accepted, "{info:?}");
        }
    }
}
