//! A few rows of libvirt's wire protocol over the sessions that the bus has: decode, one call of a session, encode.
//!
//! Numbers are big-endian and four bytes long, texts have their length before them and are filled up to a multiple of four (RFC 4506); procedures and their
//! arguments are those of libvirt's `remote_protocol.x`.

use std::sync::Arc;

use virtbus_api::access::{Arguments, Call, Caller};
use virtbus_api::domain::{DomainDestroyFlags, DomainId, DomainView};
use virtbus_api::object::Kind;
use virtbus_api::session::{Granted, Guarded, Key, Need, Target};
use virtbus_api::{Error, Result, Uuid};

/// What is left of a call's arguments.
struct Args<'a>(&'a [u8]);

impl<'a> Args<'a> {
    fn bytes(&mut self, count: usize) -> Result<&'a [u8]> {
        let (bytes, rest) = self
            .0
            .split_at_checked(count)
            .ok_or_else(|| Error::invalid_argument("the call is too short"))?;
        self.0 = rest;
        Ok(bytes)
    }

    fn number(&mut self) -> Result<u32> {
        let bytes = self.bytes(4)?.try_into();
        bytes
            .map(u32::from_be_bytes)
            .map_err(|_| Error::internal("four bytes are four"))
    }

    fn text(&mut self) -> Result<&'a str> {
        let count = usize::try_from(self.number()?).unwrap_or(usize::MAX);
        let text = self.bytes(count)?;
        self.bytes(count.next_multiple_of(4) - count)?;
        std::str::from_utf8(text).map_err(|_| Error::invalid_argument("a text is not UTF-8"))
    }

    fn uuid(&mut self) -> Result<Uuid> {
        let bytes = self.bytes(16)?;
        Uuid::from_slice(bytes).map_err(|_| Error::internal("sixteen bytes are a UUID"))
    }

    /// `remote_nonnull_domain`: name, UUID, number.
    fn domain(&mut self) -> Result<Uuid> {
        self.text()?;
        let uuid = self.uuid()?;
        self.number()?;
        Ok(uuid)
    }
}

fn put_domain(id: &DomainId) -> Vec<u8> {
    let name = id.name.as_bytes();
    let mut out = Vec::new();
    out.extend(u32::try_from(name.len()).unwrap_or(u32::MAX).to_be_bytes());
    out.extend(name);
    out.resize(out.len().next_multiple_of(4), 0);
    out.extend(id.uuid.as_bytes());
    out.extend(
        id.id
            .map_or(-1, |id| i32::try_from(id).unwrap_or(-1))
            .to_be_bytes(),
    );
    out
}

/// How a row finds what it is about.
enum About<'a> {
    Domain(Key<'a>),
}

/// What the rows decode: what a call is about, how much of that it looks at, and its flags.
fn decode<'a>(call: Call, args: &mut Args<'a>) -> Result<(About<'a>, Need, u32)> {
    let by_name = |name| About::Domain(Key::Name(name));
    let by_uuid = |uuid| About::Domain(Key::Uuid(uuid));
    Ok(match call {
        Call::DomainLookupByName => (by_name(args.text()?), Need::Id, 0),
        Call::DomainGetState => (by_uuid(args.domain()?), Need::View, args.number()?),
        Call::DomainDestroyFlags => (by_uuid(args.domain()?), Need::Id, args.number()?),
        other => return Err(Error::no_support(other.name())),
    })
}

/// What the rows do, and their answers.
async fn run(granted: Granted<'_>, flags: u32) -> Result<Vec<u8>> {
    match granted.call() {
        Call::DomainLookupByName => Ok(put_domain(granted.id()?)),
        Call::DomainGetState => {
            let view: &Arc<DomainView> = granted.view()?.try_into()?;
            let (state, reason) = view.state.numbers();
            Ok([state.to_be_bytes(), reason.to_be_bytes()].concat())
        }
        Call::DomainDestroyFlags => {
            let flags = DomainDestroyFlags::from_bits_retain(flags);
            granted.lifecycle()?.destroy(granted.id()?, flags).await?;
            Ok(Vec::new())
        }
        call => Err(Error::no_support(call.name())),
    }
}

/// Answers one call of a client.
///
/// # Errors
/// Those of the session and of the driver, and what is wrong with the call.
pub async fn answer(
    guarded: &Guarded,
    caller: &Caller,
    procedure: u32,
    args: &[u8],
) -> Result<Vec<u8>> {
    let mut calls = Call::ALL.iter();
    let call = *calls
        .find(|call| call.procedure() == procedure)
        .ok_or_else(|| Error::invalid_argument(format!("there is no procedure {procedure}")))?;
    let (About::Domain(key), need, flags) = decode(call, &mut Args(args))?;
    let session = guarded.session(caller);
    let connection = Target::connection();
    let target = session
        .find_from(&connection, Kind::Domain, Ok(key), need)
        .await?;
    let arguments = Arguments { flags, named: None };
    run(session.grant(call, arguments, &target).await?, flags).await
}
