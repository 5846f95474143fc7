//! `extra_params`: which vendor, and its data.

use super::json::{self, Json};

/// What is read from the string.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExtraParams {
    /// The vendor's name in lower case.
    pub vendor: Option<&'static str>,
    /// Tencent's recording task.
    pub task_id: Option<String>,
    /// What the vendor calls the file.
    pub file_id: Option<String>,
    /// In bytes, Huawei alone.
    pub file_size: Option<u64>,
    /// In the digits that came.
    pub duration: Option<String>,
}

/// Reads the string. `None` where the rules do not define its meaning: nested very deeply, or with an
/// escape that stands for no character.
pub fn read(text: &str) -> Option<ExtraParams> {
    let nothing = ExtraParams::default();
    let Some(document) = json::read(text) else {
        return (text.matches(['[', '{']).count() <= json::MAX_DEPTH).then_some(nothing);
    };
    if document.has_lone_surrogate {
        return None;
    }
    let Json::Object(members) = document.value else {
        return Some(nothing);
    };
    let Ok(duration) = member(&members, &["Duration"]) else {
        return Some(nothing);
    };
    let (Ok(task), Ok(file), Ok(persistent), Ok(object), Ok(size)) = (
        member(&members, &["TaskId"]),
        member(&members, &["FileID", "FileId"]),
        member(&members, &["PersistentId"]),
        member(&members, &["ObsObject"]),
        member(&members, &["FileSize"]),
    ) else {
        return Some(nothing);
    };
    let is_tencent = task.is_some() || file.is_some();
    let is_wangsu = persistent.is_some();
    let is_huawei = object.is_some() || size.is_some();
    Some(match (is_tencent, is_wangsu, is_huawei) {
        (true, false, false) => ExtraParams {
            vendor: Some("tencent"),
            task_id: task,
            file_id: file,
            file_size: None,
            duration,
        },
        (false, true, false) => ExtraParams {
            vendor: Some("wangsu"),
            file_id: persistent,
            duration,
            ..nothing
        },
        (false, false, true) => ExtraParams {
            vendor: Some("huawei"),
            file_id: object,
            file_size: size.as_deref().and_then(unsigned),
            duration,
            ..nothing
        },
        _ => ExtraParams {
            duration,
            ..nothing
        },
    })
}

/// The value of a documented member that occurs at most once; null is absent.
fn member(members: &[(String, Json)], spellings: &[&str]) -> Result<Option<String>, ()> {
    let mut found = None;
    for (name, value) in members {
        if !spellings.contains(&name.as_str()) {
            continue;
        }
        let text = match value {
            Json::Null => continue,
            Json::Text(text) if !text.contains(char::is_control) => text,
            Json::Number(digits) => digits,
            _ => return Err(()),
        };
        if found.replace(text.clone()).is_some() {
            return Err(());
        }
    }
    Ok(found)
}

fn unsigned(text: &str) -> Option<u64> {
    let is_plain = text.chars().all(|digit| digit.is_ascii_digit());
    is_plain.then(|| text.parse().ok()).flatten()
}
