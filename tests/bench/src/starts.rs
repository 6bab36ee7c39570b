//! The daemon's own start, and the memory it takes, with no domain and with many.

use virtbus_tests::client::{CONNECT, DOMAIN, PROPERTIES, QEMU_PATH, SERVICE};

use crate::bed::{Bed, typical};
use crate::figure::{Aim, Figure, Report, Samples, Unit};
use crate::served::{Body, Program, Question, Served};
use crate::{Effort, Outcome, yardstick};

/// What was measured of one program over several starts.
#[derive(Debug, Default)]
struct Starts {
    answered: Samples,
    resident: Samples,
    share: Samples,
}

impl Starts {
    /// Starts the program once more; the first start only warms up.
    async fn once(
        &mut self,
        bed: &Bed,
        program: &Program,
        question: &Question,
        round: usize,
    ) -> Outcome<()> {
        let (served, seconds) = Served::start_and_ask(&bed.client, program, question).await?;
        let (resident, share) = served.memory()?;
        served.stop()?;
        if round > 0 {
            self.answered.push(seconds);
            self.resident.push(resident);
            self.share.push(share);
        }
        Ok(())
    }
}

/// Measures starts.
///
/// # Errors
/// If the daemon or the yardstick does not do what it should.
pub(crate) async fn measure(bed: &Bed, effort: Effort, report: &mut Report) -> Outcome<()> {
    let last = prepare(bed, effort).await?;
    let (few, many) = (bed.daemon("few"), bed.daemon("many"));
    let version = Question {
        destination: SERVICE,
        path: QEMU_PATH.to_owned(),
        interface: PROPERTIES,
        member: "Get",
        body: Body::Property(CONNECT, "LibVersion"),
    };
    let state = Question {
        destination: SERVICE,
        path: last,
        interface: DOMAIN,
        member: "GetState",
        body: Body::Flags(0),
    };
    let (bare, number) = (bed.yardstick()?, yardstick::question("Number"));
    let mut starts = [Starts::default(), Starts::default(), Starts::default()];
    for round in 0..=effort.starts {
        starts[0].once(bed, &few, &version, round).await?;
        starts[1].once(bed, &bare, &number, round).await?;
        starts[2].once(bed, &many, &state, round).await?;
    }
    let [few, bare, many] = starts;
    report.part(
        "The daemon's start, and its memory after one call",
        "a zbus service of a few lines, started and asked in the same way",
    );
    let domains = effort.domains;
    let figures = [
        (
            "Start to first answer (LibVersion)".to_owned(),
            Unit::Seconds,
            few.answered,
            bare.answered.clone(),
            Aim::AtMost(0.030),
        ),
        (
            format!("the same with {domains} domains (GetState)"),
            Unit::Seconds,
            many.answered,
            bare.answered,
            Aim::AtMost(0.100),
        ),
        (
            "Memory, resident".to_owned(),
            Unit::Bytes,
            few.resident,
            bare.resident.clone(),
            Aim::AtMost(15.0 * 1_048_576.0),
        ),
        (
            "Memory, own share of what is resident".to_owned(),
            Unit::Bytes,
            few.share.clone(),
            bare.share.clone(),
            Aim::None,
        ),
        (
            format!("Memory, resident, with {domains} domains"),
            Unit::Bytes,
            many.resident,
            bare.resident,
            Aim::None,
        ),
        (
            format!("Memory per stored domain, of {domains}"),
            Unit::Bytes,
            [per_domain(&many.share, &few.share, domains)]
                .into_iter()
                .collect(),
            Samples::default(),
            Aim::None,
        ),
    ];
    for (name, unit, ours, yardstick, aim) in figures {
        report.figure(&Figure {
            name,
            unit,
            ours,
            yardstick,
            aim,
        });
    }
    Ok(())
}

/// What one domain adds.
fn per_domain(many: &Samples, few: &Samples, domains: usize) -> f64 {
    let domains = u32::try_from(domains).expect("domains are thousands at most");
    (many.median() - few.median()) / f64::from(domains)
}

/// Stores one domain and many, each with a daemon of its own; both have asked the emulator what it can do by then. Gives
/// the path of one of the many.
async fn prepare(bed: &Bed, effort: Effort) -> Outcome<String> {
    let daemon = bed.start_daemon("few").await?;
    bed.define(&typical("web")).await?;
    daemon.stop()?;
    let daemon = bed.start_daemon("many").await?;
    let last = bed.define_many(effort.domains).await?;
    daemon.stop()?;
    Ok(last)
}
