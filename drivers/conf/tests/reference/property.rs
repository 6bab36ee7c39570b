//! Documents at random: what is read is written, and what was written is read as the same.

use crate::coverage::{attempt, says_the_same};
use crate::declared::Way;
use crate::dice::Dice;
use crate::kinds::DOCUMENTS;
use crate::kinds::Failure;

/// How many documents of each kind are read, and how many are made at most to find them: parts at random do not
/// always go together.
const READ: u64 = 300;
const MADE: u64 = 3000;

/// How many of these at least, of all kinds together, have to be told in full by their text, so that their values are
/// compared.
const COMPARED: u64 = 3000;

#[test]
fn what_is_written_is_read_as_the_same() {
    let mut compared = 0;
    for kind in DOCUMENTS.iter() {
        let (mut read, mut seed) = (0, 0);
        while read < READ {
            seed += 1;
            assert!(seed < MADE, "{}: only {read} are read", kind.name);
            let (xml, outcome) = attempt(&Way::root(kind), &Dice::Thrown(seed << 16));
            match outcome {
                Ok(written) => {
                    read += 1;
                    if says_the_same(kind, &xml, &written) {
                        compared += 1;
                        let differs = written.differs.as_ref();
                        assert_eq!(differs, None, "{} {seed}: {xml}", kind.name);
                    }
                }
                Err(Failure::Changed(e)) => panic!("{} {seed}: {e}", kind.name),
                Err(Failure::Refused(..) | Failure::Unread(_)) => {}
            }
        }
    }
    assert!(compared >= COMPARED, "only {compared} are compared");
}
