//! Many domains of the test driver: what a read, a picture of everything, and a change cost.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream;
use virtbus_tests::client::{CONNECT, DOMAIN, PROPERTIES, SERVICE};
use zbus::{Connection, MessageStream, OwnedObjectPath};

use crate::bed::{Bed, typical};
use crate::figure::{Aim, Figure, Report, Samples, Unit};
use crate::rates::{AT_ONCE, Pair, at_once_only, one_by_one};
use crate::served::{Body, Question, Served};
use crate::yardstick::{self, Objects};
use crate::{Effort, Outcome};

/// The test driver's connection.
const TEST: &str = "/org/libvirt/Test";

/// An object manager's reply may be so long on a system bus; longer, and the bus cuts the sender off.
const MESSAGE_LIMIT: usize = 32 << 20;

/// What a signal gets before the run is given up.
const LIMIT: Duration = Duration::from_secs(10);

fn ours(path: &str, interface: &'static str, member: &'static str, body: Body) -> Question {
    Question {
        destination: SERVICE,
        path: path.to_owned(),
        interface,
        member,
        body,
    }
}

/// Measures the daemon with as many domains as the effort has, and with ten times as many.
///
/// # Errors
/// If the daemon or the yardstick does not do what it should.
pub(crate) async fn measure(bed: &Bed, effort: Effort, report: &mut Report) -> Outcome<()> {
    let bus = &bed.client;
    let _yardstick = Served::start(bus, &bed.yardstick()?).await?;
    let mut program = bed.daemon("scale");
    program
        .arguments
        .extend(["--drivers".to_owned(), "test".to_owned()]);
    let daemon = Served::start(bus, &program).await?;
    report.part(
        "The test driver",
        "a zbus service of a few lines that returns a number, or the same text, over the same bus",
    );
    reads(bus, effort, report).await?;
    change(bus, effort, report).await?;
    for (count, within) in [(effort.domains, 0.010), (effort.domains * 10, 0.100)] {
        define(bus, count).await?;
        lists(bus, effort, count, within, report).await?;
    }
    let (resident, share) = daemon.memory()?;
    let limit = Aim::AtMost(60.0 * 1_048_576.0);
    for (what, bytes, aim) in [
        ("resident", resident, limit),
        ("own share of what is resident", share, Aim::None),
    ] {
        report.figure(&single(format!("Memory after that, {what}"), bytes, aim));
    }
    introspection(bus, report).await
}

fn single(name: String, bytes: f64, aim: Aim) -> Figure {
    Figure {
        name,
        unit: Unit::Bytes,
        ours: [bytes].into_iter().collect(),
        yardstick: Samples::default(),
        aim,
    }
}

/// Reads of one domain.
async fn reads(bus: &Connection, effort: Effort, report: &mut Report) -> Outcome<()> {
    let path = running(bus).await?;
    let get_xml = ours(&path, DOMAIN, "GetXMLDesc", Body::Flags(0));
    let xml: String = get_xml.ask(bus).await?.body().deserialize()?;
    yardstick::prepare(bus, "SetText", &(xml.as_str(),)).await?;
    let pairs = [
        (
            "GetState",
            ours(&path, DOMAIN, "GetState", Body::Flags(0)),
            "Number",
        ),
        ("GetXMLDesc", get_xml, "Text"),
        (
            "Properties.Get of Active",
            ours(&path, PROPERTIES, "Get", Body::Property(DOMAIN, "Active")),
            "Number",
        ),
    ];
    for (name, ours, member) in pairs {
        let mut pair = Pair {
            name: name.to_owned(),
            ours,
            yardstick: yardstick::question(member),
            aim: Aim::Ratio(1.4),
        };
        one_by_one(bus, effort.rounds, effort.calls, &pair, report).await?;
        // At least 80 % of the bare service's rate.
        pair.aim = Aim::Ratio(1.25);
        at_once_only(bus, effort, &pair, report).await?;
    }
    Ok(())
}

/// The domain that the test driver begins with.
async fn running(bus: &Connection) -> Outcome<String> {
    let reply = bus
        .call_method(
            Some(SERVICE),
            TEST,
            Some(CONNECT),
            "DomainLookupByName",
            &("test",),
        )
        .await?;
    let path: OwnedObjectPath = reply.body().deserialize()?;
    Ok(path.to_string())
}

/// From the call of `Create` until its event has been received, against a method that emits a signal.
async fn change(bus: &Connection, effort: Effort, report: &mut Report) -> Outcome<()> {
    let path = running(bus).await?;
    let rule = "type='signal',member='DomainEvent'";
    let mut events = MessageStream::for_match_rule(rule, bus, None).await?;
    let rule = "type='signal',member='Emitted'";
    let mut emitted = MessageStream::for_match_rule(rule, bus, None).await?;
    let create = ours(&path, DOMAIN, "Create", Body::Flags(0));
    let destroy = ours(&path, DOMAIN, "Destroy", Body::Flags(0));
    let emit = yardstick::question("Emit");
    destroy.ask(bus).await?;
    told(&mut events).await?;
    let (mut starts, mut bare) = (Samples::default(), Samples::default());
    for round in 0..effort.rounds * 10 {
        let begin = Instant::now();
        let (reply, heard) = tokio::join!(create.ask(bus), told(&mut events));
        let took = begin.elapsed();
        reply?;
        heard?;
        let begin = Instant::now();
        let (reply, heard) = tokio::join!(emit.ask(bus), told(&mut emitted));
        let took_bare = begin.elapsed();
        reply?;
        heard?;
        destroy.ask(bus).await?;
        told(&mut events).await?;
        if round > 0 {
            starts.push(took.as_secs_f64());
            bare.push(took_bare.as_secs_f64());
        }
    }
    create.ask(bus).await?;
    report.figure(&Figure {
        name: "Create, until DomainEvent is received".to_owned(),
        unit: Unit::Seconds,
        ours: starts,
        yardstick: bare,
        aim: Aim::Ratio(2.0),
    });
    Ok(())
}

async fn told(signals: &mut MessageStream) -> Outcome<()> {
    let signal = tokio::time::timeout(LIMIT, signals.next()).await;
    signal
        .map_err(|_| "no signal came")?
        .ok_or("the bus is gone")??;
    Ok(())
}

/// Defines domains until there are `count`.
async fn define(bus: &Connection, count: usize) -> Outcome<()> {
    let list = ours(TEST, CONNECT, "ListDomains", Body::Flags(0));
    let paths: Vec<OwnedObjectPath> = list.ask(bus).await?.body().deserialize()?;
    let calls = (paths.len()..count).map(|number| {
        let xml = typical(&format!("guest-{number}")).replace("type='qemu'", "type='test'");
        async move {
            bus.call_method(
                Some(SERVICE),
                TEST,
                Some(CONNECT),
                "DomainDefineXML",
                &(xml,),
            )
            .await
        }
    });
    let mut defined = stream::iter(calls).buffer_unordered(AT_ONCE);
    while let Some(reply) = defined.next().await {
        reply?;
    }
    Ok(())
}

/// Lists of all domains, with a yardstick that returns the same.
async fn lists(
    bus: &Connection,
    effort: Effort,
    count: usize,
    within: f64,
    report: &mut Report,
) -> Outcome<()> {
    let list = ours(TEST, CONNECT, "ListDomains", Body::Flags(0));
    let paths: Vec<OwnedObjectPath> = list.ask(bus).await?.body().deserialize()?;
    let objects = ours(
        TEST,
        "org.freedesktop.DBus.ObjectManager",
        "GetManagedObjects",
        Body::Nothing,
    );
    let reply = objects.ask(bus).await?;
    let bytes = reply.data().len();
    let told: Objects = reply.body().deserialize()?;
    if paths.len() != count || told.len() < count {
        return Err(format!("{} domains are listed, not {count}", paths.len()).into());
    }
    if bytes > MESSAGE_LIMIT {
        return Err(format!("a reply of {bytes} bytes is too long for a bus").into());
    }
    yardstick::prepare(bus, "SetPaths", &(&paths,)).await?;
    yardstick::prepare(bus, "SetObjects", &(&told,)).await?;
    report.part(
        &format!("{count} domains of the test driver"),
        "a zbus service of a few lines that returns the same list from memory, over the same bus",
    );
    let calls = (effort.calls * effort.domains / 20 / count).max(1);
    for (name, ours, member, aim) in [
        ("ListDomains".to_owned(), list, "Paths", Aim::AtMost(0.005)),
        (
            format!("GetManagedObjects ({} KiB)", bytes / 1024),
            objects,
            "Objects",
            Aim::AtMost(within),
        ),
    ] {
        let pair = Pair {
            name,
            ours,
            yardstick: yardstick::question(member),
            aim,
        };
        one_by_one(bus, effort.rounds, calls, &pair, report).await?;
    }
    Ok(())
}

/// The longest introspection there is, without the names of children.
async fn introspection(bus: &Connection, report: &mut Report) -> Outcome<()> {
    let domain = running(bus).await?;
    let folder = format!("{TEST}/domain");
    let mut longest = 0;
    for path in ["/", "/org/libvirt", TEST, &folder, &domain] {
        let introspect = ours(
            path,
            "org.freedesktop.DBus.Introspectable",
            "Introspect",
            Body::Nothing,
        );
        let xml: String = introspect.ask(bus).await?.body().deserialize()?;
        let names = xml.lines().filter(|line| line.contains("<node name="));
        let names: usize = names.map(|line| line.len() + 1).sum();
        longest = longest.max(xml.len() - names);
    }
    let bytes = u32::try_from(longest).map_or(f64::INFINITY, f64::from);
    report.figure(&single(
        "The longest introspection, without names of children".to_owned(),
        bytes,
        Aim::AtMost(100.0 * 1024.0),
    ));
    Ok(())
}
