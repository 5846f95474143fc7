//! One promise, or a few that belong together, for each fuzz target.

pub mod captured;
pub mod differential;
pub mod extra_params;
pub mod fixpoint;
pub mod signature;
pub mod stored;
pub mod verdict;
pub mod wire_equivalence;
