//! How long calls take: one after the other, and several at once.

use std::time::Instant;

use futures_util::stream::{self, StreamExt};
use zbus::Connection;

use crate::figure::{Aim, Figure, Report, Samples, Unit};
use crate::served::Question;
use crate::{Effort, Outcome};

/// Calls that are under way at once where they are not made one after the other.
pub(crate) const AT_ONCE: usize = 16;

/// Two calls to compare.
#[derive(Debug, Clone)]
pub(crate) struct Pair {
    pub(crate) name: String,
    pub(crate) ours: Question,
    pub(crate) yardstick: Question,
    pub(crate) aim: Aim,
}

/// Measures a pair one call after the other, and with [`AT_ONCE`] calls at once.
///
/// # Errors
/// If a call is answered with an error.
pub(crate) async fn both_ways(
    bus: &Connection,
    effort: Effort,
    pair: &Pair,
    report: &mut Report,
) -> Outcome<()> {
    one_by_one(bus, effort.rounds, effort.calls, pair, report).await?;
    at_once_only(bus, effort, pair, report).await
}

/// Measures a pair with [`AT_ONCE`] calls at once.
///
/// # Errors
/// If a call is answered with an error.
pub(crate) async fn at_once_only(
    bus: &Connection,
    effort: Effort,
    pair: &Pair,
    report: &mut Report,
) -> Outcome<()> {
    let mut samples = (Samples::default(), Samples::default());
    for round in 0..=effort.rounds {
        let ours = at_once(bus, effort.calls, &pair.ours).await?;
        let yardstick = at_once(bus, effort.calls, &pair.yardstick).await?;
        keep(&mut samples, round, ours, yardstick);
    }
    report.figure(&figure(
        pair,
        &format!(", {AT_ONCE} at once, per call"),
        samples,
    ));
    Ok(())
}

/// Measures a pair one call after the other.
///
/// # Errors
/// If a call is answered with an error.
pub(crate) async fn one_by_one(
    bus: &Connection,
    rounds: usize,
    calls: usize,
    pair: &Pair,
    report: &mut Report,
) -> Outcome<()> {
    let mut samples = (Samples::default(), Samples::default());
    for round in 0..=rounds {
        let ours = in_turn(bus, calls, &pair.ours).await?;
        let yardstick = in_turn(bus, calls, &pair.yardstick).await?;
        keep(&mut samples, round, ours, yardstick);
    }
    report.figure(&figure(pair, "", samples));
    Ok(())
}

/// Keeps a round's values; the first round warms up.
fn keep(samples: &mut (Samples, Samples), round: usize, ours: f64, yardstick: f64) {
    if round > 0 {
        samples.0.push(ours);
        samples.1.push(yardstick);
    }
}

fn figure(pair: &Pair, how: &str, (ours, yardstick): (Samples, Samples)) -> Figure {
    Figure {
        name: format!("{}{how}", pair.name),
        unit: Unit::Seconds,
        ours,
        yardstick,
        aim: pair.aim,
    }
}

async fn in_turn(bus: &Connection, calls: usize, question: &Question) -> zbus::Result<f64> {
    let begin = Instant::now();
    for _ in 0..calls {
        question.ask(bus).await?;
    }
    Ok(per_call(begin, calls))
}

async fn at_once(bus: &Connection, calls: usize, question: &Question) -> zbus::Result<f64> {
    let begin = Instant::now();
    let mut replies = stream::iter(0..calls)
        .map(|_| question.ask(bus))
        .buffer_unordered(AT_ONCE);
    while let Some(reply) = replies.next().await {
        reply?;
    }
    Ok(per_call(begin, calls))
}

fn per_call(begin: Instant, calls: usize) -> f64 {
    let calls = u32::try_from(calls).expect("a round's calls are few");
    begin.elapsed().as_secs_f64() / f64::from(calls)
}
