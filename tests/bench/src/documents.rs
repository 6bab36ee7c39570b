//! XML documents: from text to a definition and back, and what definitions take of memory.
//!
//! Needs no bus and no daemon: this is the library that the daemon uses, in this process.

use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use libxml::parser::{Parser, ParserOptions};
use virtbus_conf_base::common::Arch;
use virtbus_conf_base::{Entropy, Flags};
use virtbus_conf_domain::domain::{CompleteFlags, Domain, DriverFeatures, NoDefaults, Seams};

use crate::bed::typical;
use crate::figure::{Aim, Figure, Report, Samples, Unit};
use crate::{Effort, Outcome};

/// Definitions that are many.
const MANY: usize = 10_000;

/// What one of them may take beside its text.
const MEMORY: f64 = 8192.0;

/// Measures reading, writing, both, and memory.
///
/// # Errors
/// If a document is not read, or the checkout is not there.
pub(crate) fn measure(effort: Effort, report: &mut Report) -> Outcome<()> {
    let one = vec![typical("web")];
    let all = all_domains()?;
    report.part(
        "Documents, from text to a definition and back",
        "libxml2 parses the same bytes into its tree and frees it",
    );
    for (name, documents) in [("typical domain", one), ("all domains of the tests", all)] {
        trips(name, &documents, effort, report)?;
    }
    report.part(
        &format!("Memory of {MANY} typical definitions, complete"),
        "none",
    );
    report.figure(&Figure {
        name: "one definition, without its text".to_owned(),
        unit: Unit::Bytes,
        ours: std::iter::once(memory()?).collect(),
        yardstick: Samples::default(),
        aim: Aim::AtMost(MEMORY),
    });
    Ok(())
}

/// The product's own documents.
fn all_domains() -> Outcome<Vec<String>> {
    let folder =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../drivers/conf/domain/tests/data/domain");
    let mut documents = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.to_string_lossy();
        if name.ends_with(".xml") && !name.ends_with(".out.xml") {
            documents.push(fs::read_to_string(&path)?);
        }
    }
    Ok(documents)
}

fn trips(what: &str, documents: &[String], effort: Effort, report: &mut Report) -> Outcome<()> {
    let bytes: usize = documents.iter().map(String::len).sum();
    let domains = documents.iter().map(|xml| Domain::parse(xml));
    let domains = domains.collect::<Result<Vec<Domain>, _>>()?;
    // A round takes some ten milliseconds.
    let times = 1_000_000 / bytes.max(1) + 1;
    let mut samples: [Samples; 4] = Default::default();
    for _ in 0..effort.rounds {
        let taken = [
            each(times, documents, |xml| libxml2(xml)),
            each(times, documents, |xml| drop(black_box(Domain::parse(xml)))),
            each(times, &domains, |domain| {
                drop(black_box(domain.format(Flags::SECURE)));
            }),
            each(times, documents, |xml| {
                let domain = Domain::parse(xml);
                drop(black_box(domain.map(|d| d.format(Flags::SECURE))));
            }),
        ];
        for (samples, taken) in samples.iter_mut().zip(taken) {
            samples.push(taken);
        }
    }
    let [yardstick, parse, format, both] = samples;
    for (name, ours, aim) in [
        ("parse", parse, Aim::None),
        ("format", format, Aim::None),
        ("parse and format", both, Aim::Ratio(1.0)),
    ] {
        report.figure(&Figure {
            name: format!("{what} ({bytes} bytes): {name}"),
            unit: Unit::Seconds,
            ours,
            yardstick: yardstick.clone(),
            aim,
        });
    }
    Ok(())
}

/// Seconds for all of `items` once, of doing it `times`.
fn each<T>(times: usize, items: &[T], work: impl Fn(&T)) -> f64 {
    let start = Instant::now();
    for _ in 0..times {
        items.iter().for_each(&work);
    }
    #[expect(clippy::cast_precision_loss, reason = "some thousands at most")]
    let times = times as f64;
    start.elapsed().as_secs_f64() / times
}

/// The least that libxml2 does: no recovery, nothing substituted, no network.
fn libxml2(xml: &str) {
    let bare = ParserOptions {
        recover: false,
        no_def_dtd: false,
        no_error: true,
        no_warning: true,
        pedantic: false,
        no_blanks: false,
        no_net: true,
        no_implied: false,
        compact: false,
        ignore_enc: false,
        encoding: None,
    };
    let document = Parser::default().parse_string_with_options(xml, bare);
    drop(black_box(document));
}

/// Throws no dice: all definitions are alike but for their names.
struct Zeros;

impl Entropy for Zeros {
    fn fill(&mut self, bytes: &mut [u8]) {
        bytes.fill(0);
    }
}

/// Bytes of this process for each of many definitions.
fn memory() -> Outcome<f64> {
    let mut domains = Vec::with_capacity(MANY);
    let mut before = 0.0;
    for number in 0..=MANY {
        let mut domain = Box::new(Domain::parse(&typical(&format!("guest-{number}")))?);
        domain.complete(&mut Seams {
            driver: &mut NoDefaults(DriverFeatures::all()),
            entropy: &mut Zeros,
            mac_prefix: [0x52, 0x54, 0],
            host_arch: Arch::X86_64,
            flags: CompleteFlags::INACTIVE,
        })?;
        if number == 0 {
            // What the first takes is used again by all: buffers, pages that were freed.
            before = resident()?;
        } else {
            domains.push(domain);
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "a power of ten")]
    let many = black_box(&domains).len() as f64;
    Ok((resident()? - before) / many)
}

/// Bytes of this process's own memory that are in use.
fn resident() -> Outcome<f64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"));
    let kib = line.and_then(|line| line.split_whitespace().next());
    let kib: f64 = kib.ok_or("the kernel does not tell 'RssAnon'")?.parse()?;
    Ok(kib * 1024.0)
}
