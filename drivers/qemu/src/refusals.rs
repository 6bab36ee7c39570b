//! Many refusals as one: whoever asked for something is told all that is against it at once.

use virtbus_api::{Error, Result};

/// So many refusals are told; whoever has as many is helped by no more.
const MOST_REFUSALS: usize = 20;

/// All that is against something as one error, with the kind of the first.
pub(crate) fn together(refusals: Vec<Error>) -> Result<()> {
    let mut messages: Vec<String> = Vec::new();
    let mut first = None;
    let mut more = 0;
    for refusal in refusals {
        if !messages.contains(&refusal.message) {
            if messages.len() < MOST_REFUSALS {
                messages.push(refusal.message.clone());
            } else {
                more += 1;
            }
        }
        first.get_or_insert(refusal);
    }
    if more > 0 {
        messages.push(format!("and {more} more"));
    }
    match first {
        None => Ok(()),
        Some(first) => Err(Error {
            message: messages.join("; "),
            ..first
        }),
    }
}
