//! What the declarations allow, out of their own mouth: a wrong value is refused with a list of the right ones.

use std::collections::{BTreeSet, HashSet};

use virtbus_xml::Fragment;

use crate::targets::Target;
use crate::tree::{count, set_text, text, with_element};
use crate::trip::Outcome;

const WRONG: &str = "?!";

/// The words that `target` names when it refuses a wrong value in one of the places in `seeds`.
pub(crate) fn words(target: &Target, seeds: &[Fragment]) -> BTreeSet<String> {
    let mut asked = HashSet::new();
    let mut found = BTreeSet::new();
    for seed in seeds {
        let mut document = seed.clone();
        for at in 0..count(seed) {
            let places = with_element(&mut document, at, |e| {
                let attributes = 0..e.attributes.len();
                let names = attributes.map(|i| (Some(i), e.attributes[i].0.clone()));
                let text = text(e).map(|_| (None, String::new()));
                let new = |(_, name): &(_, String)| asked.insert((e.name.clone(), name.clone()));
                names.chain(text).filter(new).collect::<Vec<_>>()
            });
            for (place, _) in places.unwrap_or_default() {
                let mut wrong = document.clone();
                with_element(&mut wrong, at, |e| match place {
                    Some(i) => e.attributes[i].1 = WRONG.to_owned(),
                    None => set_text(e, WRONG),
                });
                if let Outcome::Refused(message) = (target.run)(&wrong.to_text()) {
                    found.extend(quoted(&message));
                }
            }
        }
    }
    found
}

/// What stands in single quotes.
fn quoted(message: &str) -> impl Iterator<Item = String> {
    let parts = message.split('\'').skip(1).step_by(2);
    parts.filter(|part| *part != WRONG).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::targets::Place;

    #[test]
    fn words_are_those_of_the_refusal() {
        let target = Target {
            name: "probed",
            place: Place::Any,
            run: |text| match text.contains("b=\"?!\"") {
                true => Outcome::Refused("'?!' is not one of 'x', 'y'".to_owned()),
                false => Outcome::Held,
            },
        };
        let seed = Fragment::parse_document("<a c='1'><a b='x'/></a>").unwrap();
        let words = words(&target, &[seed]);
        assert_eq!(words, ["x", "y"].map(str::to_owned).into());
    }
}
