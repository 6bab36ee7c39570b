//! How much one caller may have under way: each limit once, with its reason; and the books about who has how much.
//!
//! A caller is a connection to the bus, and the user whose it is: a limit on connections alone would be none, as a user may have hundreds.
//! Root has to keep to what a connection may have, and to nothing else. What is too much is refused at once, and nothing of it is kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

use crate::error::{Failure, Protocol};

/// What one connection, one user with all connections, and all users but root may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// One connection to the bus.
    pub connection: usize,
    /// One user, whose connections count together. Not root.
    pub user: usize,
    /// All users together. Not root.
    pub all: usize,
}

/// How much may be asked at once.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Calls that wait for something. A call that is answered from memory does not count.
    pub calls: Share,
    /// Bytes of the messages of these calls. The longest document has 16 MiB, so a user may have one of that size under way. It is in
    /// memory two or three times while it is read, so all users together can take half a GiB.
    pub bytes: Share,
    /// Descriptors that came with these calls. Guests need descriptors too, and a daemon without any can do nothing, so all users
    /// together may have a quarter of what the process may open.
    pub descriptors: Share,
    /// Bytes of replies that the bus has not taken yet; while a connection or a user has more, the next calls wait. One reply may be larger.
    /// While there are more in all, nothing is read: only a bus that does not read, or some users together, let it come to this.
    pub unsent: Share,
    /// Bytes of replies that the bus has taken and the client has not read, as far as the bus tells; while a connection has more, its calls
    /// are refused. A bus stops to read from the daemon when too many of its messages are unread, so the limit is for all users' sake.
    pub unread: Share,
    /// Messages on their way out; while there are more, nothing is read. Only a bus that does not read lets it come to this: some connections
    /// that have as many bytes of small replies unsent as they may do not.
    pub queued_messages: usize,
    /// Events that wait until it is known whether a client may hear of them; those beyond are left out. Each is some hundred bytes, and an
    /// authorizer that answers at all answers as many as those of a connection in a second or two.
    pub events: Share,
    /// Streams under way: content that goes through descriptors which calls gave to clients. Each takes two or three descriptors and some buffers here, for as
    /// long as the client takes its time.
    pub streams: Share,
}

impl Limits {
    /// The limits of a process that may open `open_files`, with `calls` of one connection.
    #[must_use]
    pub fn new(calls: usize, open_files: usize) -> Self {
        const MIB: usize = 1 << 20;
        Self {
            calls: Share {
                connection: calls,
                user: calls.saturating_mul(2),
                all: calls.saturating_mul(16),
            },
            bytes: Share {
                connection: 20 * MIB,
                user: 20 * MIB,
                all: 128 * MIB,
            },
            descriptors: Share {
                connection: (open_files / 16).min(64),
                user: (open_files / 8).min(1024),
                all: open_files / 4,
            },
            unsent: Share {
                connection: MIB,
                user: 8 * MIB,
                all: 64 * MIB,
            },
            unread: Share {
                connection: 8 * MIB,
                user: 16 * MIB,
                all: 48 * MIB,
            },
            queued_messages: 65_536,
            events: Share {
                connection: 4096,
                user: 16_384,
                all: 65_536,
            },
            streams: Share {
                connection: (open_files / 32).min(16),
                user: (open_files / 16).min(64),
                all: open_files / 16,
            },
        }
    }
}

/// What a call takes up while it is under way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) bytes: usize,
    pub(crate) descriptors: usize,
}

/// How much somebody has under way.
#[derive(Debug, Default)]
pub(crate) struct Account {
    calls: AtomicUsize,
    bytes: AtomicUsize,
    descriptors: AtomicUsize,
}

/// Whose limit was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whose {
    Connection,
    User,
    All,
}

impl Whose {
    const fn of(self, share: Share) -> usize {
        match self {
            Self::Connection => share.connection,
            Self::User => share.user,
            Self::All => share.all,
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Connection => "of this connection",
            Self::User => "of this user",
            Self::All => "of all users",
        }
    }
}

impl Account {
    /// Adds a call, or says what it is too much of.
    fn add(&self, load: Load, limits: &Limits, whose: Whose) -> Result<(), Failure> {
        let exceeded = |most: usize, what: &str| {
            let text = format!(
                "too many {what} {} are under way already; the limit is {most}",
                whose.name()
            );
            Err(Failure::protocol(Protocol::LimitsExceeded, text))
        };
        let most = whose.of(limits.calls);
        if !add(&self.calls, 1, most) {
            return exceeded(most, "calls");
        }
        let most = whose.of(limits.bytes);
        if !add(&self.bytes, load.bytes, most) {
            self.calls.fetch_sub(1, Ordering::Relaxed);
            return exceeded(most, "bytes of calls");
        }
        let most = whose.of(limits.descriptors);
        if !add(&self.descriptors, load.descriptors, most) {
            self.calls.fetch_sub(1, Ordering::Relaxed);
            self.bytes.fetch_sub(load.bytes, Ordering::Relaxed);
            return exceeded(most, "file descriptors of calls");
        }
        Ok(())
    }

    fn take_off(&self, load: Load) {
        self.calls.fetch_sub(1, Ordering::Relaxed);
        self.bytes.fetch_sub(load.bytes, Ordering::Relaxed);
        self.descriptors
            .fetch_sub(load.descriptors, Ordering::Relaxed);
    }
}

fn add(count: &AtomicUsize, more: usize, most: usize) -> bool {
    let add = |count: usize| {
        count
            .checked_add(more)
            .filter(|sum| more == 0 || *sum <= most)
    };
    count
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, add)
        .is_ok()
}

/// A call on the books; off them when this is dropped.
#[derive(Debug)]
pub(crate) struct Charge {
    load: Load,
    /// Those of the connection, the user, and all users.
    accounts: [Option<Arc<Account>>; 3],
}

impl Charge {
    /// Puts a call on nobody's books yet.
    pub(crate) fn new(load: Load) -> Self {
        Self {
            load,
            accounts: [const { None }; 3],
        }
    }

    /// Puts it on these books as well.
    ///
    /// # Errors
    /// What it is too much of.
    pub(crate) fn to(
        &mut self,
        account: &Arc<Account>,
        limits: &Limits,
        whose: Whose,
    ) -> Result<(), Failure> {
        account.add(self.load, limits, whose)?;
        self.accounts[whose as usize] = Some(Arc::clone(account));
        Ok(())
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        for account in self.accounts.iter().flatten() {
            account.take_off(self.load);
        }
    }
}

/// Something that counts for several, each with a limit; no more when this is dropped.
#[derive(Debug)]
pub(crate) struct Counted(Vec<Arc<AtomicUsize>>);

impl Counted {
    /// Counts it for each of these; nothing if one of them has as many as it may.
    pub(crate) fn with<'c>(
        counts: impl IntoIterator<Item = (&'c Arc<AtomicUsize>, usize)>,
    ) -> Option<Self> {
        let mut counted = Self(Vec::with_capacity(2));
        for (count, most) in counts {
            if !add(count, 1, most) {
                return None;
            }
            counted.0.push(Arc::clone(count));
        }
        Some(counted)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        for count in &self.0 {
            count.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// Bytes of replies that the bus has not taken, and who waits until it has.
#[derive(Debug, Default)]
pub(crate) struct Unsent {
    bytes: AtomicUsize,
    /// Told when some of them were taken: one who waits, who tells the next.
    taken: Notify,
}

impl Unsent {
    /// So many bytes were put into the outbox.
    pub(crate) fn queued(&self, bytes: usize) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// The bus has taken them, or there is no bus any more.
    pub(crate) fn sent(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.taken.notify_one();
    }

    /// How many there are.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Waits until there are no more than `most`.
    pub(crate) async fn room(&self, most: usize) {
        while self.bytes() > most {
            let taken = self.taken.notified();
            tokio::pin!(taken);
            taken.as_mut().enable();
            if self.bytes() > most {
                taken.await;
            }
        }
        // Ten thousand may wait: each wakes the next, as long as there is room.
        self.taken.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(failure: &Failure) -> String {
        format!("{failure:?}")
    }

    #[test]
    fn what_is_too_much_is_named_and_leaves_nothing_on_the_books() {
        let limits = Limits::new(2, 256);
        let account = Arc::new(Account::default());
        let charge = |bytes, descriptors| {
            let mut charge = Charge::new(Load { bytes, descriptors });
            charge
                .to(&account, &limits, Whose::Connection)
                .map(|()| charge)
        };
        let first = charge(10, 16).unwrap();
        let error = charge(10, 1).unwrap_err();
        assert!(text(&error).contains("file descriptors"), "{error:?}");
        let error = charge(limits.bytes.connection, 0).unwrap_err();
        assert!(text(&error).contains("bytes"), "{error:?}");
        let second = charge(10, 0).unwrap();
        let error = charge(0, 0).unwrap_err();
        assert!(text(&error).contains("LimitsExceeded"), "{error:?}");
        assert!(
            text(&error).contains("too many calls of this connection"),
            "{error:?}"
        );
        drop((first, second));
        let whole = charge(limits.bytes.connection, limits.descriptors.connection);
        assert!(whole.is_ok());
    }

    #[test]
    fn what_counts_for_several_counts_for_none_if_it_is_too_much_of_one() {
        let (user, all) = (Arc::default(), Arc::default());
        let count = || Counted::with([(&user, 2), (&all, 1)]);
        let first = count().unwrap();
        assert!(count().is_none());
        assert_eq!(user.load(Ordering::Relaxed), 1);
        drop(first);
        assert!(count().is_some());
        assert_eq!(all.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn few_descriptors_are_shared_so_that_some_are_left() {
        for open_files in [64, 256, 1024, 65_536, 1 << 30] {
            let share = Limits::new(1024, open_files).descriptors;
            assert!(share.connection <= share.user && share.user <= share.all);
            assert!(share.all <= open_files / 4);
        }
    }
}
