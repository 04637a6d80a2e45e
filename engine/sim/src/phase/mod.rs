//! The phases of a tick, one file each. `crate::tick` tells how they follow each other.

#![allow(
    clippy::needless_pass_by_value,
    clippy::too_many_arguments,
    clippy::type_complexity,
    reason = "bevy hands systems their parameters by value, and a query's type is the list of what it borrows"
)]

pub(crate) mod adapt;
pub(crate) mod commit;
pub(crate) mod connect;
pub(crate) mod decide;
pub(crate) mod deliver;
pub(crate) mod detect;
pub(crate) mod measure;
pub(crate) mod observe;
pub(crate) mod report;
pub(crate) mod vote;

use std::sync::{Mutex, PoisonError};

use bevy_ecs::resource::Resource;
use bumpalo::Bump;

use crate::agent::Identity;

/// Where a phase keeps the list of what it reads and writes of agents. The next phase writes its own there.
#[derive(Debug, Default, Resource)]
pub(crate) struct Room(Mutex<Bump>);

/// Puts what a query gave into the order of agent ids. Queries yield in spawn order, which is that order as long as
/// nobody respawns; then this is one linear check.
pub(crate) fn by_agent<T>(
    room: &mut Room,
    rows: impl ExactSizeIterator<Item = T>,
    id: impl Fn(&T) -> Identity,
) -> &mut [T] {
    let room = room.0.get_mut().unwrap_or_else(PoisonError::into_inner);
    room.reset();
    let rows = room.alloc_slice_fill_iter(rows);
    // Ids are unique. A stable sort would ask for as much memory again, to find the rows in order.
    rows.sort_unstable_by_key(|row| id(row).0);
    rows
}
