//! Which jobs may run at the same time. A pure rule over what [`super::kind`] declares.

use std::borrow::Borrow;

use super::kind::{Job, Kind, Lane, Need};

/// Whether `asked` may run beside all of `running`.
///
/// # Errors
/// The first of `running` that is in the way.
pub fn admits<'a, R: Borrow<Job> + 'a>(
    running: impl IntoIterator<Item = &'a R>,
    asked: &Job,
) -> Result<(), &'a R> {
    let mut running = running.into_iter();
    let in_the_way = running.find(|other| {
        let pairs = (*other).borrow().kinds.iter();
        let mut pairs = pairs.flat_map(|other| asked.kinds.iter().map(move |kind| (*other, *kind)));
        pairs.any(|(other, kind)| !beside(other, kind))
    });
    in_the_way.map_or(Ok(()), Err)
}

/// Whether jobs of these kinds may run at the same time. It makes no difference which of them came first.
fn beside(one: Kind, other: Kind) -> bool {
    match (one.need(), other.need()) {
        (Need::Nothing, _) | (_, Need::Nothing) => true,
        (Need::Beside(_), Need::Beside(_)) => false,
        (Need::Beside(kinds), Need::Shared(lane) | Need::Alone(lane)) => {
            lane != Lane::Guest || kinds.contains(&other)
        }
        (Need::Shared(lane) | Need::Alone(lane), Need::Beside(kinds)) => {
            lane != Lane::Guest || kinds.contains(&one)
        }
        (Need::Shared(_), Need::Shared(_)) => true,
        (Need::Alone(mine), Need::Shared(theirs) | Need::Alone(theirs))
        | (Need::Shared(mine), Need::Alone(theirs)) => mine != theirs,
    }
}

#[cfg(test)]
pub(super) mod tests;
