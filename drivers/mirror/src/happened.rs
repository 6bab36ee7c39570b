//! Events that go with what became of an object.

use virtbus_api::event::Event;

/// Events that go with a change of an object.
#[derive(Debug, Default)]
pub struct Happened {
    /// Before it is told what is known now: of an object that goes, while it is still named.
    pub earlier: Vec<Event>,
    /// After that.
    pub later: Vec<Event>,
}

impl Happened {
    /// Events of an object that goes, or of one that stays.
    pub(crate) fn to<V>(after: Option<&V>, events: Vec<Event>) -> Self {
        let mut happened = Self::default();
        match after {
            None => happened.earlier = events,
            Some(_) => happened.later = events,
        }
        happened
    }
}
