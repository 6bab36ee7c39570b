//! What `<rule>` declares: an element for each protocol, with the fields of the table in [`super::protocol`].

use std::sync::LazyLock;

use virtbus_xml::{Describe, Description, Kind, Occurs, Part, Values, Way};

use super::protocol::RuleProtocol;
use super::rule::{Rule, RuleAction, RuleDirection};

impl Describe for Rule {
    fn describe() -> &'static Description {
        static DESCRIPTION: LazyLock<Description> = LazyLock::new(|| {
            let parts = vec![
                attribute(
                    "action",
                    "What happens to a matching packet: `return` goes on with the calling chain, `continue` with the next rule.",
                    Occurs::Required,
                    Values::of::<RuleAction>(),
                ),
                attribute(
                    "direction",
                    "Direction of the packets, as seen from the guest.",
                    Occurs::Required,
                    Values::of::<RuleDirection>(),
                ),
                Part {
                    absent: "500",
                    ..attribute(
                        "priority",
                        "Order of the rule among others, -1000 to 1000; the lowest is evaluated first.",
                        Occurs::Optional,
                        Values::of::<i32>(),
                    )
                },
                attribute(
                    "statematch",
                    "Whether connection tracking is used; `0` or `false` turns it off for this rule.",
                    Occurs::Optional,
                    Values::Told("'0', 'false', '1' or 'true'"),
                ),
                Part {
                    kind: Kind::Flat(protocols),
                    ..attribute(
                        "",
                        "Conditions that a packet must meet; absent means all packets.",
                        Occurs::Optional,
                        Values::Told("nothing"),
                    )
                },
            ];
            Description {
                type_name: concat!(module_path!(), "::Rule"),
                doc: "`<rule>`: what happens to packets that meet conditions.",
                alternatives: false,
                parts: parts.leak(),
            }
        });
        &DESCRIPTION
    }
}

/// The elements of all protocols, one of which is in a rule.
fn protocols() -> &'static Description {
    static DESCRIPTION: LazyLock<Description> = LazyLock::new(|| {
        let parts: Vec<Part> = RuleProtocol::ALL.into_iter().map(protocol).collect();
        Description {
            type_name: concat!(module_path!(), "::protocols"),
            doc: "Protocol that the conditions are about.",
            alternatives: true,
            parts: parts.leak(),
        }
    });
    &DESCRIPTION
}

fn protocol(protocol: RuleProtocol) -> Part {
    let mut fields: Vec<Part> = protocol
        .fields()
        .map(|(name, kind, meaning)| {
            let expected = kind.expected().replace(", nor", ", or");
            let values = Values::Told(expected.leak());
            attribute(name, meaning, Occurs::Optional, values)
        })
        .collect();
    fields.push(Part {
        absent: "yes",
        conditional: true,
        ..attribute(
            "match",
            "Whether a packet matches if it is as given (`yes`) or if it is not (`no`).",
            Occurs::Optional,
            Values::of::<virtbus_xml::YesNo>(),
        )
    });
    Part {
        kind: Kind::Inline(fields.leak()),
        ..attribute(
            protocol.as_str(),
            protocol.packets(),
            Occurs::Optional,
            Values::Told("nothing"),
        )
    }
}

fn attribute(name: &'static str, doc: &'static str, occurs: Occurs, values: Values) -> Part {
    Part {
        name,
        doc,
        occurs,
        fixed: &[],
        within: &[],
        conditional: false,
        absent: "",
        way: Way::Both,
        kind: Kind::Attribute(values),
    }
}
