//! Starting and ending a guest, against starting and ending the very same QEMU by hand.

use std::fs;
use std::time::Instant;

use virtbus_tests::client::{DOMAIN, SERVICE};
use virtbus_tests::{DomainXml, leaks, need};

use crate::bed::Bed;
use crate::by_hand::CommandLine;
use crate::figure::{Aim, Figure, Report, Samples, Unit};
use crate::served::{Body, Question};
use crate::{Effort, Outcome};

/// Rounds that are not counted.
const WARM_UP: usize = 2;

/// Measures `Create` and `Destroy`.
///
/// # Errors
/// If the guest cannot be started or ended in either way.
pub(crate) async fn measure(bed: &Bed, effort: Effort, report: &mut Report) -> Outcome<()> {
    need::qemu()?;
    let _daemon = bed.start_daemon("guests").await?;
    let guest = DomainXml::new("measured");
    let path = bed.define(&guest.xml()).await?;
    let call = |member| Question {
        destination: SERVICE,
        path: path.clone(),
        interface: DOMAIN,
        member,
        body: Body::Flags(0),
    };
    let (create, destroy) = (call("Create"), call("Destroy"));

    // How the daemon starts it is what is done by hand.
    create.ask(&bed.client).await?;
    let state = bed.path("guests");
    let needle = format!("{}/run/", state.display());
    let found = leaks::processes(&needle);
    let [process] = found.as_slice() else {
        return Err(format!("{} guests run, not one", found.len()).into());
    };
    let hand = bed.path("hand");
    fs::create_dir(&hand)?;
    let command = CommandLine::of(process.pid, &hand)?;
    destroy.ask(&bed.client).await?;

    let mut ours = (Samples::default(), Samples::default());
    let mut by_hand = (Samples::default(), Samples::default());
    for round in 0..WARM_UP + effort.starts {
        let begin = Instant::now();
        create.ask(&bed.client).await?;
        let created = begin.elapsed().as_secs_f64();
        let begin = Instant::now();
        destroy.ask(&bed.client).await?;
        let destroyed = begin.elapsed().as_secs_f64();

        let begin = Instant::now();
        let guest = tokio::task::block_in_place(|| command.start())?;
        let started = begin.elapsed().as_secs_f64();
        let begin = Instant::now();
        tokio::task::block_in_place(|| guest.end())?;
        let ended = begin.elapsed().as_secs_f64();
        if round >= WARM_UP {
            ours.0.push(created);
            ours.1.push(destroyed);
            by_hand.0.push(started);
            by_hand.1.push(ended);
        }
    }
    report.part(
        "A guest (firmware only, emulated CPU)",
        "the same QEMU command line by hand: run, greeting, qmp_capabilities, cont, reply; SIGTERM until it has ended",
    );
    for (name, ours, yardstick, most) in [
        ("Create, call to reply", ours.0, by_hand.0, 1.5),
        ("Destroy, call to reply", ours.1, by_hand.1, 2.0),
    ] {
        report.figure(&Figure {
            name: name.to_owned(),
            unit: Unit::Seconds,
            ours,
            yardstick,
            aim: Aim::Ratio(most),
        });
    }
    Ok(())
}
