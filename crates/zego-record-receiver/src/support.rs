//! For crates that build on this one: how to call what belongs to the user, which may panic or hang, and
//! how to log what others can cause.

pub use crate::panics::catch;
pub use crate::rate_limit::RateLimit;
pub use crate::store::call;
