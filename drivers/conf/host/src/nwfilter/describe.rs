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
                    "What happens.",
                    Occurs::Required,
                    Values::of::<RuleAction>(),
                ),
                attribute(
                    "direction",
                    "To packets that go which way.",
                    Occurs::Required,
                    Values::of::<RuleDirection>(),
                ),
                Part {
                    absent: "500",
                    ..attribute(
                        "priority",
                        "From -1000, which comes first, to 1000.",
                        Occurs::Optional,
                        Values::of::<i32>(),
                    )
                },
                attribute(
                    "statematch",
                    "Whether the state of the connection matters.",
                    Occurs::Optional,
                    Values::Told("'0', 'false', '1' or 'true'"),
                ),
                Part {
                    kind: Kind::Flat(protocols),
                    ..attribute(
                        "",
                        "Which packets.",
                        Occurs::Optional,
                        Values::Told("nothing"),
                    )
                },
            ];
            Description {
                type_name: concat!(module_path!(), "::Rule"),
                doc: "`<rule>`.",
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
            doc: "Protocols.",
            alternatives: true,
            parts: parts.leak(),
        }
    });
    &DESCRIPTION
}

fn protocol(protocol: RuleProtocol) -> Part {
    let mut fields: Vec<Part> = protocol
        .fields()
        .map(|(name, kind)| {
            let expected = kind.expected().replace(", nor", ", or");
            let values = Values::Told(expected.leak());
            attribute(name, "A field of the packet.", Occurs::Optional, values)
        })
        .collect();
    fields.push(Part {
        absent: "yes",
        conditional: true,
        ..attribute(
            "match",
            "Whether the fields must be as given, or different.",
            Occurs::Optional,
            Values::of::<virtbus_xml::YesNo>(),
        )
    });
    Part {
        kind: Kind::Inline(fields.leak()),
        ..attribute(
            protocol.as_str(),
            "Which packets of this protocol.",
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
