//! The inbox: callbacks are committed first, and worked on afterwards.

mod accept;
mod attempt;
mod commit;
mod filter;
mod operations;
mod read;
mod row;
mod sql;
mod store;
mod work;

pub(crate) use filter::add_functions;
pub(crate) use sql::InboxStatements;
