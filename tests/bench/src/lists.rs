//! Lists of many domains.

use virtbus_tests::client::{CONNECT, QEMU_PATH, SERVICE};
use zbus::OwnedObjectPath;

use crate::bed::Bed;
use crate::figure::{Aim, Report};
use crate::rates::{Pair, one_by_one};
use crate::served::{Body, Question, Served};
use crate::yardstick::{self, Objects};
use crate::{Effort, Outcome};

/// Measures listing.
///
/// # Errors
/// If the daemon or the yardstick does not do what it should.
pub(crate) async fn measure(bed: &Bed, effort: Effort, report: &mut Report) -> Outcome<()> {
    let bus = &bed.client;
    let _yardstick = Served::start(bus, &bed.yardstick()?).await?;
    let _daemon = bed.start_daemon("lists").await?;
    bed.define_many(effort.domains).await?;
    let ours = |interface, member, body| Question {
        destination: SERVICE,
        path: QEMU_PATH.to_owned(),
        interface,
        member,
        body,
    };
    let list = ours(CONNECT, "ListDomains", Body::Flags(0));
    let paths: Vec<OwnedObjectPath> = list.ask(bus).await?.body().deserialize()?;
    yardstick::prepare(bus, "SetPaths", &(&paths,)).await?;
    let objects = ours(
        "org.freedesktop.DBus.ObjectManager",
        "GetManagedObjects",
        Body::Nothing,
    );
    let reply = objects.ask(bus).await?;
    let bytes = reply.data().len();
    let told: Objects = reply.body().deserialize()?;
    if told.len() < effort.domains || paths.len() != effort.domains {
        return Err(format!("{} domains are listed", paths.len()).into());
    }
    yardstick::prepare(bus, "SetObjects", &(&told,)).await?;

    report.part(
        &format!("Lists of {} stored domains", effort.domains),
        "a zbus service of a few lines that returns the same list from memory, over the same bus",
    );
    let calls = effort.calls / 20;
    for (name, ours, member) in [
        ("ListDomains".to_owned(), list, "Paths"),
        (
            format!("GetManagedObjects ({} KiB)", bytes / 1024),
            objects,
            "Objects",
        ),
    ] {
        let pair = Pair {
            name,
            ours,
            yardstick: yardstick::question(member),
            aim: Aim::None,
        };
        one_by_one(bus, effort.rounds, calls, &pair, report).await?;
    }
    Ok(())
}
