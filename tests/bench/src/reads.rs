//! Reads of one domain: what the daemon adds to the cost of a message.

use virtbus_tests::client::{DOMAIN, PROPERTIES, SERVICE};

use crate::bed::{Bed, typical};
use crate::figure::{Aim, Report};
use crate::rates::{Pair, both_ways};
use crate::served::{Body, Question, Served};
use crate::{Effort, Outcome, yardstick};

/// Measures reading.
///
/// # Errors
/// If the daemon or the yardstick does not do what it should.
pub(crate) async fn measure(bed: &Bed, effort: Effort, report: &mut Report) -> Outcome<()> {
    let bus = &bed.client;
    let _yardstick = Served::start(bus, &bed.yardstick()?).await?;
    let _daemon = bed.start_daemon("reads").await?;
    let path = bed.define(&typical("web")).await?;
    let ours = |interface, member, body| Question {
        destination: SERVICE,
        path: path.clone(),
        interface,
        member,
        body,
    };
    let get_xml = ours(DOMAIN, "GetXMLDesc", Body::Flags(0));
    let xml: String = get_xml.ask(bus).await?.body().deserialize()?;
    yardstick::prepare(bus, "SetText", &(xml.as_str(),)).await?;

    report.part(
        &format!("Reads of a stored domain ({} bytes of XML)", xml.len()),
        "a zbus service of a few lines that returns a number, or the same text, over the same bus",
    );
    let pairs = [
        (
            "GetState",
            ours(DOMAIN, "GetState", Body::Flags(0)),
            "Number",
        ),
        ("GetXMLDesc", get_xml, "Text"),
        (
            "Properties.Get of Active",
            ours(PROPERTIES, "Get", Body::Property(DOMAIN, "Active")),
            "Number",
        ),
    ];
    for (name, ours, member) in pairs {
        let pair = Pair {
            name: name.to_owned(),
            ours,
            yardstick: yardstick::question(member),
            aim: Aim::Ratio(1.5),
        };
        both_ways(bus, effort, &pair, report).await?;
    }
    Ok(())
}
