//! Events through `tracing`.

use std::error::Error;

use tracing::{error, info, warn};
use zego_record_receiver::StoreError;
use zego_record_receiver::support::catch;

use crate::action::{Action, ActionReport};

/// What to filter by; the same for everything that this project logs.
const TARGET: &str = "zego_record";

pub(crate) fn action(report: &ActionReport<'_>) {
    let who = cut(report.who);
    let (action, filter) = (report.action.as_str(), report.filter);
    let reason = match report.action {
        Action::Discard { reason } => cut(reason),
        _ => String::new(),
    };
    let _ = catch(|| match report.changed {
        Some(changed) => {
            info!(target: TARGET, who, action, filter, reason, changed, "an operator's action");
        }
        None => warn!(
            target: TARGET,
            who,
            action,
            filter,
            reason,
            "an operator's action failed, and it is unknown whether it was done"
        ),
    });
}

pub(crate) fn wrong_token(who: &str, suppressed: u64) {
    let who = cut(who);
    let _ =
        catch(|| warn!(target: TARGET, who, suppressed, "a wrong token for the operator's page"));
}

pub(crate) fn store_failed(request: &'static str, failure: &StoreError, suppressed: u64) {
    let cause = catch(|| failure.source().map(ToString::to_string));
    let cause = cut(&cause.flatten().unwrap_or_default());
    let _ = catch(|| {
        error!(target: TARGET, request, cause, suppressed, "the operator's page cannot use the inbox: {failure}");
    });
}

/// What others have written, for one line.
fn cut(text: &str) -> String {
    text[..text.floor_char_boundary(1_024)]
        .escape_debug()
        .to_string()
}
