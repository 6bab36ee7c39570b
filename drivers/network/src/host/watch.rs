//! What is done to the host's packet filter and interfaces, as the kernel tells it (netlink): tables that changed, interfaces that are gone.
//!
//! Only names are of interest; whose they are, and what is to be done, is not known here.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, socket,
};
use virtbus_util::readiness::{Interest, wait_until};

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    /// A table of the packet filter changed.
    Table {
        /// Its name.
        name: String,
        /// Whether it, or something in it, was taken away.
        is_loss: bool,
    },
    /// An interface of this name is gone.
    LinkGone(String),
    /// The kernel had more to tell than was taken in time: anything may have happened.
    Unknown,
}

/// Groups of messages, as bits: rules of nftables, and interfaces.
const RULES: u32 = 1 << 6;
const LINKS: u32 = 1;

/// A message may be so long, bytes; longer ones are cut, and what is looked at stands at their beginning.
const LONGEST: usize = 64 << 10;
/// So many messages are taken at a time.
const MOST: usize = 1024;

/// Bytes of the header of a message, of that of a rule, and of that of an interface.
const HEADER: usize = 16;
const RULE_HEADER: usize = 4;
const LINK_HEADER: usize = 16;

/// `NFNL_SUBSYS_NFTABLES`, with the messages that add a table, a chain, a rule.
const ADDED: [u16; 3] = [0x0a00, 0x0a03, 0x0a06];
/// With those that take one away.
const TAKEN_AWAY: [u16; 3] = [0x0a02, 0x0a05, 0x0a08];
/// The attribute with the table's name, in all of them.
const TABLE_NAME: u16 = 1;
/// `RTM_DELLINK` and the attribute with the interface's name.
const LINK_GONE: u16 = 17;
const LINK_NAME: u16 = 3;

/// What is told from now on.
#[derive(Debug)]
pub(crate) struct Watch {
    rules: OwnedFd,
    links: OwnedFd,
}

impl Watch {
    /// Begins to listen.
    ///
    /// # Errors
    /// If the kernel does not tell this, such as one without nftables, or not to this user.
    pub(crate) fn open() -> io::Result<Self> {
        Ok(Self {
            rules: listen(SockProtocol::NetlinkNetFilter, RULES)?,
            links: listen(SockProtocol::NetlinkRoute, LINKS)?,
        })
    }

    /// What happened, when something has. May be dropped at any time.
    ///
    /// # Errors
    /// If nothing will be told any more.
    pub(crate) async fn next(&self) -> io::Result<Vec<Change>> {
        tokio::select! {
            gone = told(&self.rules, tables) => gone,
            gone = told(&self.links, link_gone) => gone,
        }
    }
}

fn listen(protocol: SockProtocol, groups: u32) -> io::Result<OwnedFd> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let fd = socket(AddressFamily::Netlink, SockType::Raw, flags, protocol)?;
    bind(fd.as_raw_fd(), &NetlinkAddr::new(0, groups))?;
    Ok(fd)
}

/// What messages of a socket tell, as soon as they tell something.
async fn told(fd: &OwnedFd, read: fn(&[u8]) -> Vec<Change>) -> io::Result<Vec<Change>> {
    let mut gone = Vec::new();
    let mut buffer = vec![0; LONGEST];
    wait_until(fd.as_fd(), Interest::READABLE, || {
        for _ in 0..MOST {
            match recv(fd.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(length) => gone.extend(read(&buffer[..length])),
                Err(nix::Error::EAGAIN) => break,
                Err(nix::Error::EINTR) => {}
                Err(nix::Error::ENOBUFS) => gone.push(Change::Unknown),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(!gone.is_empty())
    })
    .await?;
    Ok(gone)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

/// The messages in what was received: kind and body of each. What is no message ends it.
fn messages(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = u32::from_ne_bytes(bytes.get(..4)?.try_into().ok()?);
        let length = usize::try_from(length).ok()?;
        let kind = u16_at(bytes, 4)?;
        let body = bytes.get(HEADER..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, body))
    })
}

/// An attribute that is a text.
fn text(mut attributes: &[u8], wanted: u16) -> Option<String> {
    loop {
        let length = usize::from(u16_at(attributes, 0)?);
        let kind = u16_at(attributes, 2)?;
        let value = attributes.get(4..length)?;
        if kind & 0x3fff == wanted {
            let text = value.split(|byte| *byte == 0).next()?;
            return String::from_utf8(text.to_vec()).ok();
        }
        attributes = attributes.get(length.next_multiple_of(4)..)?;
    }
}

fn tables(bytes: &[u8]) -> Vec<Change> {
    let of = |(kind, body): (u16, &[u8])| {
        let is_loss = TAKEN_AWAY.contains(&kind);
        if !is_loss && !ADDED.contains(&kind) {
            return None;
        }
        let name = text(body.get(RULE_HEADER..)?, TABLE_NAME)?;
        Some(Change::Table { name, is_loss })
    };
    messages(bytes).filter_map(of).collect()
}

fn link_gone(bytes: &[u8]) -> Vec<Change> {
    let gone = messages(bytes).filter(|(kind, _)| *kind == LINK_GONE);
    let names = gone.filter_map(|(_, body)| text(body.get(LINK_HEADER..)?, LINK_NAME));
    names.map(Change::LinkGone).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A message with one attribute, of a text.
    fn message(kind: u16, header: usize, attribute: u16, name: &str) -> Vec<u8> {
        let mut value = name.as_bytes().to_vec();
        value.push(0);
        let length = u16::try_from(value.len() + 4).unwrap();
        let mut body = vec![0; header];
        body.extend(length.to_ne_bytes());
        body.extend(attribute.to_ne_bytes());
        body.extend(value);
        body.resize(body.len().next_multiple_of(4), 0);
        let length = u32::try_from(body.len() + HEADER).unwrap();
        let mut all = length.to_ne_bytes().to_vec();
        all.extend(kind.to_ne_bytes());
        all.resize(HEADER, 0);
        all.extend(body);
        all
    }

    #[test]
    fn names_of_what_is_gone_are_read() {
        let table = message(0x0a02, RULE_HEADER, TABLE_NAME, "virtbus_br0");
        let rule = message(0x0a08, RULE_HEADER, TABLE_NAME, "filter");
        let new = message(0x0a00, RULE_HEADER, TABLE_NAME, "mine");
        let all = [table.clone(), new, rule].concat();
        let of = |name: &str, is_loss| Change::Table {
            name: name.into(),
            is_loss,
        };
        let expected = [
            of("virtbus_br0", true),
            of("mine", false),
            of("filter", true),
        ];
        assert_eq!(tables(&all), expected);
        let link = message(LINK_GONE, LINK_HEADER, LINK_NAME, "br0");
        assert_eq!(link_gone(&link), [Change::LinkGone("br0".into())]);
        assert!(tables(&link).is_empty());
        // Cut anywhere, and nonsense.
        for end in 0..table.len() {
            tables(&table[..end]);
            link_gone(&link[..end.min(link.len())]);
        }
        for byte in [0, 1, 0xff] {
            assert!(tables(&[byte; 64]).is_empty());
            assert!(link_gone(&[byte; 64]).is_empty());
        }
    }
}
