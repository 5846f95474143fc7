//! For crates that build on this one: how to call what belongs to the user, which may panic or hang.

pub use crate::panics::catch;
pub use crate::store::call;
