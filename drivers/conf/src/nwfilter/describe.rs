//! What `<rule>` declares: an element for each protocol, with the fields of the table in [`super::protocol`].

use std::sync::LazyLock;

use virtbus_xml::{Describe, Description, Kind, Occurs, Part, Values};

use super::protocol::RuleProtocol;
use super::rule::{Rule, RuleAction, RuleDirection};

impl Describe for Rule {
    fn describe() -> &'static Description {
        static DESCRIPTION: LazyLock<Description> = LazyLock::new(|| {
            let mut parts = vec![
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
                attribute(
                    "priority",
                    "From -1000, which comes first, to 1000; 500 if absent.",
                    Occurs::Optional,
                    Values::of::<i32>(),
                ),
                attribute(
                    "statematch",
                    "Whether the state of the connection matters.",
                    Occurs::Optional,
                    Values::Told("one of '0', 'false', '1', 'true'"),
                ),
            ];
            for protocol in RuleProtocol::ALL {
                parts.push(Part {
                    kind: Kind::Inline(
                        protocol
                            .fields()
                            .map(|(name, kind)| {
                                let expected = kind.expected().replace(", nor", ", or");
                                let values = Values::Told(expected.leak());
                                attribute(name, "A field of the packet.", Occurs::Optional, values)
                            })
                            .chain([attribute(
                                "match",
                                "Whether the fields must be as given, or different.",
                                Occurs::Optional,
                                Values::of::<virtbus_xml::YesNo>(),
                            )])
                            .collect::<Vec<_>>()
                            .leak(),
                    ),
                    ..attribute(
                        protocol.as_str(),
                        "Which packets of this protocol.",
                        Occurs::Optional,
                        Values::Told(""),
                    )
                });
            }
            Description {
                type_name: concat!(module_path!(), "::Rule"),
                doc: "`<rule>`.",
                parts: parts.leak(),
            }
        });
        &DESCRIPTION
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
        kind: Kind::Attribute(values),
    }
}
