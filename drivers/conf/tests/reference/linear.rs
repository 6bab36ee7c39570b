//! Lists of every document with many elements: reading, completing, checking and writing take time for what there is, and
//! not for each pair of it.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use virtbus_conf_base::common::Arch;
use virtbus_conf_base::{Flags, Fragment, FragmentNode};
use virtbus_conf_domain::domain::{CompleteFlags, Domain, DriverFeatures, NoDefaults, Seams};
use virtbus_xml::{Description, Document, Kind, Limits, Occurs, Part};

use crate::coverage::attempt;
use crate::declared::{Way, declared};
use crate::dice::Dice;
use crate::kinds::{self, DOCUMENTS, Failure};
use crate::walk::met;

/// How many of each there are, and how long all that is done with them may take: a hundred times as long as it does on an
/// idle machine, and far less than anything takes that looks at each pair.
const MANY: usize = 5_000;
const LIMIT: Duration = Duration::from_secs(20);

/// How often something is tried to put beside a list that it needs.
const TRIES: u64 = 20;

/// The addresses of all parts that are lists.
fn lists(
    description: &'static Description,
    seen: &mut BTreeSet<&'static str>,
    found: &mut BTreeSet<usize>,
) {
    if seen.insert(description.type_name) {
        parts(description.parts, seen, found);
    }
}

fn parts(list: &'static [Part], seen: &mut BTreeSet<&'static str>, found: &mut BTreeSet<usize>) {
    for part in list {
        if part.occurs == Occurs::Many {
            found.insert(met(part, "").0);
        }
        match &part.kind {
            Kind::Element(describe) | Kind::Flat(describe) => lists(describe(), seen, found),
            Kind::Inline(inner) => parts(inner, seen, found),
            Kind::Choice(choice) => {
                for variant in choice.variants {
                    parts(variant.parts, seen, found);
                }
            }
            _ => {}
        }
    }
}

/// The elements that lead to what a way leads to.
fn names(way: &Way) -> Vec<&str> {
    let (_, path) = way.text.split_once(": ").expect("a way has a kind");
    let steps = path.split('/').skip(1);
    steps
        .filter(|step| !step.starts_with('@') && !step.contains("()") && *step != "..")
        .collect()
}

/// Stands where the others are put.
const HERE: &str = "\u{1f4cd}";

/// Finds the last element that `names` lead to, marks the place before it, and gives its text.
fn mark(element: &mut Fragment, names: &[&str]) -> Option<String> {
    let (first, rest) = names.split_first()?;
    let is_it = |node: &FragmentNode| matches!(node, FragmentNode::Element(e) if e.name == *first);
    let index = element.children.iter().rposition(is_it)?;
    let FragmentNode::Element(child) = &mut element.children[index] else {
        return None;
    };
    if !rest.is_empty() {
        return mark(child, rest);
    }
    let one = child.to_text();
    let here = FragmentNode::Text(HERE.to_owned());
    element.children.insert(index, here);
    Some(one)
}

/// The document with many of the last element that `names` lead to.
fn repeated(xml: &str, names: &[&str]) -> Option<String> {
    let mut root = Fragment::parse_document(xml).ok()?;
    let one = mark(&mut root, names)?;
    Some(root.to_text().replacen(HERE, &one.repeat(MANY), 1))
}

/// What a driver does with a definition.
fn complete(xml: &str) {
    struct Zero;
    impl virtbus_conf_base::Entropy for Zero {
        fn fill(&mut self, bytes: &mut [u8]) {
            bytes.fill(0);
        }
    }
    let Ok(mut domain) = Domain::parse(xml) else {
        return;
    };
    let mut driver = NoDefaults(DriverFeatures::all());
    // Refusals are as good.
    let _ = domain.complete(&mut Seams {
        driver: &mut driver,
        entropy: &mut Zero,
        mac_prefix: [0x52, 0x54, 0],
        host_arch: Arch::X86_64,
        flags: CompleteFlags::empty(),
    });
    let _ = domain.validate(DriverFeatures::all());
    domain.format(Flags::SECURE);
}

#[test]
fn long_lists_take_time_for_their_length() {
    let mut found = BTreeSet::new();
    for kind in DOCUMENTS.iter() {
        lists((kind.describe)(), &mut BTreeSet::new(), &mut found);
    }
    let (mut tried, mut slowest) = (BTreeSet::new(), (Duration::ZERO, String::new()));
    let limits = Limits::default();
    for (target, ways) in &declared() {
        if !found.contains(&target.0) || tried.contains(&target.0) {
            continue;
        }
        let documents = (0..TRIES).flat_map(|seed| {
            let dice = if seed == 0 {
                Dice::Plain
            } else {
                Dice::Thrown(seed)
            };
            ways.iter().map(move |way| (way, attempt(way, &dice)))
        });
        let accepted = documents.into_iter().find_map(|(way, (xml, outcome))| {
            outcome
                .is_ok()
                .then(|| repeated(&xml, &names(way)))?
                .map(|xml| (way, xml))
        });
        let Some((way, xml)) = accepted else { continue };
        if Document::parse_within(&xml, &limits).is_err() {
            continue;
        }
        tried.insert(target.0);
        let begin = Instant::now();
        let outcome = kinds::of(way.kind)(way.kind, &xml);
        if way.kind.name == "domain" {
            complete(&xml);
        }
        let took = begin.elapsed();
        assert!(!matches!(outcome, Err(Failure::Changed(_))), "{}", way.text);
        assert!(took < LIMIT, "{}: {took:?}", way.text);
        if took > slowest.0 {
            slowest = (took, way.text.clone());
        }
    }
    println!(
        "{} of {} lists; the slowest: {slowest:?}",
        tried.len(),
        found.len()
    );
    assert!(
        tried.len() * 10 > found.len() * 8,
        "only {} of {}",
        tried.len(),
        found.len()
    );
}
