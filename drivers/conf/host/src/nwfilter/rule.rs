//! One rule: what to do with packets that match.

use virtbus_xml::{Content, ErrorKind, Node, Result, Value, Writer, xml_names};

use super::protocol::{RuleProtocol, WITH_PORTS};
use super::value::{FieldValue, IpSetSide};

xml_names! {
    /// What happens to a packet.
    pub enum RuleAction {
        Drop = "drop",
        Accept = "accept",
        Reject = "reject",
        Return = "return",
        Continue = "continue",
    }
}

xml_names! {
    /// Which way a packet goes, as seen from the guest.
    pub enum RuleDirection {
        In = "in",
        Out = "out",
        InOut = "inout",
    }
}

/// One condition of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    /// Name of the attribute, which says what field of the packet is meant.
    pub name: &'static str,
    /// What the field is compared with.
    pub value: FieldValue,
    /// Whether the field must be different.
    pub negated: bool,
}

/// The conditions of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matches {
    /// The protocol.
    pub protocol: RuleProtocol,
    /// The fields, in the order in which they are written; each once at most.
    fields: Vec<Match>,
}

impl Matches {
    /// Every packet of this protocol.
    pub fn new(protocol: RuleProtocol) -> Self {
        Self {
            protocol,
            fields: Vec::new(),
        }
    }

    /// The conditions, in the order in which they are written.
    pub fn iter(&self) -> impl Iterator<Item = &Match> {
        self.fields.iter()
    }

    /// The condition on the field `name`.
    pub fn get(&self, name: &str) -> Option<&Match> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// Adds a condition, or replaces that on the same field.
    ///
    /// Nothing happens, and `false` comes back, if the protocol has no such field.
    pub fn set(&mut self, name: &str, value: FieldValue, negated: bool) -> bool {
        let order = |name: &str| self.protocol.fields().position(|(n, ..)| *n == name);
        let Some(place) = order(name) else {
            return false;
        };
        let before = |field: &Match| order(field.name).is_some_and(|other| other < place);
        let at = self.fields.iter().take_while(|f| before(f)).count();
        let name = self.protocol.fields().nth(place).map_or("", |(n, ..)| n);
        let new = Match {
            name,
            value,
            negated,
        };
        match self.fields.get_mut(at).filter(|field| field.name == name) {
            Some(field) => *field = new,
            None => self.fields.insert(at, new),
        }
        true
    }

    /// Takes the conditions of one more element of the same protocol.
    fn read(&mut self, node: Node<'_>) -> Result<()> {
        let negated = node.attr("match") == Some("no");
        for (name, kind, _) in self.protocol.fields() {
            let Some(text) = node.attr(name) else {
                continue;
            };
            let value = kind
                .parse(text)
                .ok_or_else(|| node.bad_attr(name, text, &kind.expected()))?;
            self.set(name, value, negated);
        }
        self.check_ports(node)
    }

    /// Ports can only be compared where there are any.
    fn check_ports(&self, node: Node<'_>) -> Result<()> {
        if !matches!(self.protocol, RuleProtocol::Ip | RuleProtocol::Ipv6) {
            return Ok(());
        }
        let ports = ["srcportstart", "srcportend", "dstportstart", "dstportend"];
        let Some(port) = ports.into_iter().find(|name| self.get(name).is_some()) else {
            return Ok(());
        };
        match self.get("protocol").map(|field| &field.value) {
            Some(FieldValue::Number { value, .. }) if WITH_PORTS.contains(value) => Ok(()),
            _ => Err(node.attr_error(
                port,
                ErrorKind::Invalid,
                "needs 'protocol' to be one of tcp (6), udp (17), dccp (33), sctp (132)",
            )),
        }
    }

    /// Settles which conditions are negated together, and what is looked up in an ipset.
    fn complete(&mut self) {
        for (name, other) in self.protocol.signs() {
            // Where the other one is not given, what was said about this one counts.
            let Some(negated) = self.get(other).map(|field| field.negated) else {
                continue;
            };
            if let Some(field) = self.fields.iter_mut().find(|field| field.name == *name) {
                field.negated = negated;
            }
        }
        // Rules for all protocols have always been left as they are.
        let all = matches!(self.protocol, RuleProtocol::All | RuleProtocol::AllIpv6);
        if let Some(set) = self.get("ipset").filter(|_| !all)
            && self.get("ipsetflags").is_none()
        {
            let negated = set.negated;
            let source = FieldValue::IpSetFlags(vec![IpSetSide::Src]);
            self.set("ipsetflags", source, negated);
        }
    }

    fn write(&self, w: &mut Writer) {
        for negated in [false, true] {
            let written = || self.fields.iter().filter(move |f| f.negated == negated);
            let wanted = !negated && self.fields.is_empty();
            if written().next().is_none() && !wanted {
                continue;
            }
            w.begin(self.protocol.as_str());
            if negated {
                w.attr_str("match", "no");
            }
            for field in written() {
                let kind = self.protocol.fields().find(|(n, ..)| *n == field.name);
                let text = kind.map(|(_, kind, _)| kind.format(&field.value));
                w.attr_str(field.name, &text.unwrap_or_else(|| field.value.to_string()));
            }
            w.end(self.protocol.as_str());
        }
    }
}

/// `<rule>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// What happens.
    pub action: RuleAction,
    /// To packets that go which way.
    pub direction: RuleDirection,
    /// From -1000, which comes first, to 1000.
    pub priority: i32,
    /// Whether the state of the connection matters.
    pub statematch: bool,
    /// Which packets; absent for all.
    pub matches: Option<Matches>,
}

impl Rule {
    /// The priority that rules have by default.
    pub const DEFAULT_PRIORITY: i32 = 500;

    pub(super) fn complete(&mut self) {
        if let Some(matches) = &mut self.matches {
            matches.complete();
        }
    }
}

impl Content for Rule {
    fn parse(node: Node<'_>) -> Result<Self> {
        // What is no priority has always meant the default one.
        let priority = node
            .attr("priority")
            .and_then(i32::from_text)
            .filter(|p| (-1000..=1000).contains(p))
            .unwrap_or(Self::DEFAULT_PRIORITY);
        let stateless = node
            .attr("statematch")
            .is_some_and(|text| text == "0" || text.eq_ignore_ascii_case("false"));
        let mut rule = Self {
            action: node.attr_req("action")?,
            direction: node.attr_req("direction")?,
            priority,
            statematch: !stateless,
            matches: None,
        };
        for child in node.elements() {
            let Some(protocol) = RuleProtocol::from_name(child.qualified_name()) else {
                continue;
            };
            // The first one says which protocol the rule is about. More of them are read, but are
            // not what a document should have.
            if rule.matches.is_none() {
                child.take();
            }
            let matches = rule.matches.get_or_insert_with(|| Matches::new(protocol));
            if matches.protocol == protocol {
                matches.read(child)?;
            }
        }
        Ok(rule)
    }

    fn attrs(&self, w: &mut Writer) {
        w.attr("action", &self.action);
        w.attr("direction", &self.direction);
        w.attr("priority", &self.priority);
        if !self.statematch {
            w.attr_str("statematch", "false");
        }
    }

    fn children(&self, w: &mut Writer) {
        if let Some(matches) = &self.matches {
            matches.write(w);
        }
    }
}
