//! Ways to make one opinion out of many: the arithmetic behind the rules, useful by itself.

pub mod dawid_skene;
pub mod mass;
pub mod opinion;
pub mod threat;

pub use mass::Mass;
pub use opinion::Opinion;
