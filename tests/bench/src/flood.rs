//! What others wait for an answer while many connections send large documents.
//!
//! A bus hands over messages in the order in which it got them, so a read that comes behind forty documents waits for the bus to write them.
//! The yardstick gets the same documents and shows that part.

use std::io;
use std::time::Instant;

use futures_util::future::join_all;
use virtbus_tests::RawClient;
use virtbus_tests::client::{CONNECT, DOMAIN, QEMU_PATH, SERVICE};
use zbus::{Connection, Message};

use crate::bed::{Bed, typical};
use crate::figure::{Aim, Figure, Report, Samples, Unit};
use crate::served::{Body, Question, Served};
use crate::{Effort, Outcome, yardstick};

/// Connections that send at the same time, and elements of each one's document, none of which belongs there: 40 of 1 MB, 10 of 8 MB.
const FLOODS: [(usize, usize); 2] = [(40, 100_000), (10, 800_000)];

/// Measures the longest wait of each round.
///
/// # Errors
/// If the daemon or the yardstick does not do what it should.
pub(crate) async fn measure(bed: &Bed, effort: Effort, report: &mut Report) -> Outcome<()> {
    let bus = &bed.client;
    let _yardstick = Served::start(bus, &bed.yardstick()?).await?;
    let _daemon = bed.start_daemon("flood").await?;
    let path = bed.define(&typical("web")).await?;
    let ours = Flood {
        question: Question {
            destination: SERVICE,
            path,
            interface: DOMAIN,
            member: "GetState",
            body: Body::Flags(0),
        },
        path: QEMU_PATH.to_owned(),
        interface: CONNECT,
        member: "DomainDefineXML",
    };
    let number = yardstick::question("Number");
    let bare = Flood {
        path: number.path.clone(),
        interface: number.interface,
        question: number,
        member: "SetText",
    };
    report.part(
        "Documents of many clients at the same time",
        "a zbus service of a few lines that gets the same documents, and is asked for a number",
    );
    for (connections, elements) in FLOODS {
        let document = format!(
            "<domain type='qemu'><name>x</name>{}</domain>",
            "<a b='c'/>".repeat(elements)
        );
        let mut samples = (Samples::default(), Samples::default());
        for round in 0..=effort.rounds {
            let wait = async |flood: &Flood| {
                flood
                    .longest_wait(bus, bed.address(), connections, &document)
                    .await
            };
            let (one, other) = (wait(&ours).await?, wait(&bare).await?);
            // The first round warms up.
            if round > 0 {
                samples.0.push(one);
                samples.1.push(other);
            }
        }
        report.figure(&Figure {
            name: format!(
                "longest wait while {connections} connections send {:.1} MB each",
                document.len() as f64 / 1e6
            ),
            unit: Unit::Seconds,
            ours: samples.0,
            yardstick: samples.1,
            aim: Aim::AtMost(0.05),
        });
    }
    Ok(())
}

/// Where the documents go, and what is asked meanwhile.
struct Flood {
    question: Question,
    path: String,
    interface: &'static str,
    member: &'static str,
}

impl Flood {
    /// The longest time in seconds that an answer took from when the documents were sent until some while after.
    async fn longest_wait(
        &self,
        bus: &Connection,
        address: &str,
        connections: usize,
        document: &str,
    ) -> Outcome<f64> {
        let message = || {
            Message::method_call(self.path.as_str(), self.member)
                .destination(self.question.destination)
                .interface(self.interface)
                .build(&(document,))
        };
        let mut senders = Vec::new();
        for _ in 0..connections {
            let (address, message) = (address.to_owned(), message()?);
            senders.push(tokio::task::spawn_blocking(move || -> io::Result<_> {
                let mut client = RawClient::connect(&address)?;
                client.send(&message)?;
                Ok(client)
            }));
        }
        let sent = tokio::spawn(join_all(senders));
        let (mut longest, mut after) = (0.0_f64, 0);
        while after < 100 {
            let begin = Instant::now();
            self.question.ask(bus).await?;
            longest = longest.max(begin.elapsed().as_secs_f64());
            if sent.is_finished() {
                after += 1;
            }
        }
        for client in sent.await? {
            // Kept until now: the bus drops what a client sent that is gone.
            drop(client??);
        }
        Ok(longest)
    }
}
