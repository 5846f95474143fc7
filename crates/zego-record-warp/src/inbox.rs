//! A filter for an inbox.

use std::convert::Infallible;

use warp::Filter;
use warp::reply::Response;
use zego_record_receiver::InboxReceiver;

use crate::receive::accept;
use crate::reply::respond;

/// A filter that commits recording callbacks to an inbox and answers them with `1`. A worker, in this
/// process or another one, runs the handler afterwards, for as long as it takes.
///
/// ```
/// use warp::Filter;
/// use zego_record_warp::{InboxReceiver, inbox};
///
/// fn routes(receiver: InboxReceiver) -> warp::filters::BoxedFilter<(impl warp::Reply,)> {
///     warp::path!("zego" / "record").and(inbox(receiver)).boxed()
/// }
/// ```
///
/// [`ReceiverBuilder::build_with_inbox`](crate::ReceiverBuilder::build_with_inbox) builds the receiver. As
/// [`record`](crate::record()), the filter looks at no path and never rejects.
pub fn inbox(
    receiver: InboxReceiver,
) -> impl Filter<Extract = (Response,), Error = Infallible> + Clone + Send + Sync + 'static {
    accept(receiver.clone()).map(move |verdict| respond(&receiver.reply(verdict)))
}
