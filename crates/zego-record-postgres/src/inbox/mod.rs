//! The inbox: callbacks are committed first and handled later.

#[macro_use]
pub(crate) mod sql;
mod accept;
mod commit;
mod filter;
mod rows;
mod store;
