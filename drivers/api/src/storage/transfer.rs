//! Content that goes through a descriptor: a volume that is read or written, a picture of a screen.
//!
//! A descriptor alone tells nobody whether all of it came through. So whoever has one also has its [`Completion`]: a download that broke off is told
//! from a whole one, and a writer learns when what was written is safe. Consoles and channels of guests are no transfers: they have no end that
//! would be right or wrong.

use std::fmt;
use std::os::fd::OwnedFd;

use futures_util::future::BoxFuture;

use crate::Result;

/// Does the transfer, and answers how many bytes went through, with holes. An error says what broke it off; what came before may have arrived.
/// Whoever drops it breaks the transfer off, and the other end of the descriptor learns that.
pub type Completion = BoxFuture<'static, Result<u64>>;

/// A transfer that is about to begin.
#[must_use = "nothing goes through the descriptor unless the completion runs"]
pub struct Transfer {
    /// The end of whoever asked for it: to read from, or to write to. A socket (or a pipe), whose inode number no other open one has.
    pub descriptor: OwnedFd,
    /// To be run until it is done.
    pub completion: Completion,
}

impl fmt::Debug for Transfer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transfer")
            .field("descriptor", &self.descriptor)
            .finish_non_exhaustive()
    }
}

impl Transfer {
    /// A transfer that is done by `completion`.
    pub fn new(
        descriptor: OwnedFd,
        completion: impl Future<Output = Result<u64>> + Send + 'static,
    ) -> Self {
        Self {
            descriptor,
            completion: Box::pin(completion),
        }
    }
}
