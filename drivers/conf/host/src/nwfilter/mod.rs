//! The network filter document: `<filter>`, rules for the packets of guests.
//!
//! What the rules become for a firewall is the driver's business; so are the values of variables.

mod describe;
mod fields;
mod protocol;
mod rule;
mod value;
mod variable;

use virtbus_conf_base::Entropy;
use virtbus_conf_base::common::Uuid;
use virtbus_xml::{
    Content, Describe, Document, ErrorKind, Flags, Node, Result, Text, Writer, XmlError,
};

pub use protocol::RuleProtocol;
pub use rule::{Match, Matches, Rule, RuleAction, RuleDirection};
pub use value::{FieldValue, IpSetSide, States, TcpFlags};
pub use variable::{FilterReference, Variable, VariableAccess};

/// One entry of a filter: a rule or a reference to another filter.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
pub enum FilterEntry {
    /// Rule that packets are checked against.
    #[xml(child = "rule", many)]
    Rule(Rule),
    /// Reference to another filter, all of whose rules apply.
    #[xml(child = "filterref", many)]
    Include(FilterReference),
}

/// The chains that rules may stand in, and the priority of each.
///
/// A chain's name begins with one of these, except for `root`, which is a whole name.
const CHAINS: [(&str, i32); 8] = [
    ("root", 0),
    ("mac", -800),
    ("vlan", -750),
    ("stp", 0),
    ("arp", -500),
    ("rarp", -400),
    ("ipv4", -700),
    ("ipv6", -600),
];

/// Most characters of a chain's name.
const MAX_CHAIN: usize = 12;

/// `<filter>`: a named list of firewall rules for guest interfaces.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
pub struct NwFilter {
    /// Name of the filter, unique on the host.
    #[xml(attr)]
    pub name: Text,
    /// Name of the chain that the rules are put in: `root`, or one that begins with a protocol's name, such as `ipv4`.
    #[xml(
        attr,
        absent = "root",
        told = "up to 12 letters, digits, '_', '.', ':' and '-'"
    )]
    pub chain: Option<Text>,
    /// Order of the chain among others, -1000 to 1000; the lowest is evaluated first.
    #[xml(attr, absent = "the protocol's default")]
    pub priority: Option<i32>,
    /// UUID of the filter; generated if absent.
    #[xml(text_child)]
    pub uuid: Option<Uuid>,
    /// Rules and references to other filters, in the order of the document.
    #[xml(flat, value = FilterEntry, required)]
    pub entries: Vec<FilterEntry>,
}

impl Content for NwFilter {
    fn parse(node: Node<'_>) -> Result<Self> {
        let name: Text = node.attr_req("name")?;
        if name.is_empty() {
            return Err(node.attr_error("name", ErrorKind::Missing, "must not be empty"));
        }
        let mut entries = Vec::new();
        for child in node.elements() {
            let entry = match child.qualified_name() {
                "rule" => FilterEntry::Rule(Rule::parse(child)?),
                "filterref" => FilterEntry::Include(FilterReference::parse(child)?),
                _ => continue,
            };
            child.take();
            entries.push(entry);
        }
        Ok(Self {
            name,
            chain: parse_chain(node)?,
            priority: parse_priority(node)?,
            uuid: node.text_child_opt("uuid")?,
            entries,
        })
    }

    fn attrs(&self, w: &mut Writer) {
        w.attr("name", &self.name);
        w.attr_opt("chain", &self.chain);
        let default = self.chain.as_deref().and_then(chain_priority).unwrap_or(0);
        if let Some(priority) = self.priority.filter(|p| *p != 0 || default != 0) {
            w.attr("priority", &priority);
        }
    }

    fn children(&self, w: &mut Writer) {
        if let Some(uuid) = &self.uuid {
            w.text_element("uuid", uuid);
        }
        for entry in &self.entries {
            match entry {
                FilterEntry::Rule(rule) => w.element("rule", rule),
                FilterEntry::Include(reference) => w.element("filterref", reference),
            }
        }
    }
}

fn parse_chain(node: Node<'_>) -> Result<Option<Text>> {
    let Some(chain) = node.attr("chain").filter(|chain| !chain.is_empty()) else {
        return Ok(None);
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | ':' | '-');
    if chain.len() > MAX_CHAIN || !chain.chars().all(plain) {
        let expected = format!("up to {MAX_CHAIN} letters, digits, '_', '.', ':' and '-'");
        return Err(node.bad_attr("chain", chain, &expected));
    }
    if chain_priority(chain).is_none() {
        let [_, prefixes @ ..] = CHAINS.map(|(name, _)| name);
        let known = virtbus_xml::one_of(&prefixes);
        let expected = format!("'root', and does not begin with {known}");
        return Err(node.bad_attr("chain", chain, &expected));
    }
    Ok(Some(chain.into()))
}

/// The priority of a chain, if there can be such a chain.
fn chain_priority(chain: &str) -> Option<i32> {
    CHAINS
        .iter()
        .find(|(name, _)| match *name {
            "root" => chain == "root",
            prefix => chain.starts_with(prefix),
        })
        .map(|(_, priority)| *priority)
}

fn parse_priority(node: Node<'_>) -> Result<Option<i32>> {
    let priority: Option<i32> = node.attr_opt("priority")?;
    match priority.filter(|p| !(-1000..=1000).contains(p)) {
        None => Ok(priority),
        Some(p) => Err(node.bad_attr("priority", &p.to_string(), "a number from -1000 to 1000")),
    }
}

impl NwFilter {
    /// Reads a document. What is not known is ignored.
    ///
    /// # Errors
    /// Malformed XML, values out of range, required parts that are missing.
    pub fn parse(xml: &str) -> Result<Self, XmlError> {
        Document::parse(xml)?.read("filter")
    }

    /// Reads a document. What is not known is an error.
    ///
    /// # Errors
    /// Those of [`NwFilter::parse`], and anything unknown.
    pub fn parse_strict(xml: &str) -> Result<Self, XmlError> {
        let doc = Document::parse(xml)?;
        let filter = doc.read("filter")?;
        doc.check_no_leftovers()?;
        Ok(filter)
    }

    /// Fills in UUID, chain and priority, and settles which conditions are negated together.
    pub fn complete(&mut self, entropy: &mut dyn Entropy) {
        self.uuid.get_or_insert_with(|| {
            let mut bytes = [0; 16];
            entropy.fill(&mut bytes);
            Uuid::from_random(bytes)
        });
        match &self.chain {
            Some(chain) => {
                let default = chain_priority(chain).unwrap_or(0);
                self.priority.get_or_insert(default);
            }
            None => {
                // Without a chain there is nothing to have a priority.
                self.chain = Some("root".into());
                self.priority = Some(0);
            }
        }
        for entry in &mut self.entries {
            if let FilterEntry::Rule(rule) = entry {
                rule.complete();
            }
        }
    }

    /// The filters whose rules are taken over.
    pub fn includes(&self) -> impl Iterator<Item = &FilterReference> {
        self.entries.iter().filter_map(|entry| match entry {
            FilterEntry::Include(reference) => Some(reference),
            FilterEntry::Rule(_) => None,
        })
    }

    /// Writes the document.
    pub fn format(&self, flags: Flags) -> String {
        let mut w = Writer::new(flags);
        w.element_open("filter", self);
        w.finish()
    }
}
