//! Variables in filters: `$IP`, `$IP[3]`, `$IP[@2]`, and the values given to them.

use std::collections::BTreeMap;
use std::fmt;

use virtbus_xml::{Content, Describe, ErrorKind, Node, Result, Text, Writer};

/// Which values of a variable are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VariableAccess {
    /// One after the other, together with all variables that have the same number.
    Iterator(u32),
    /// Only the value at this place, from 0.
    Element(u32),
}

/// A variable used in a rule.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Variable {
    /// Its name.
    pub name: Text,
    /// Which of its values.
    pub access: VariableAccess,
}

impl Variable {
    /// The greatest number of an iterator.
    pub const MAX_ITERATOR: u32 = 1000;

    /// Reads what follows the `$`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let end = text.find(|c: char| !is_name_char(c)).unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        if name.is_empty() {
            return None;
        }
        let access = if rest.is_empty() {
            VariableAccess::Iterator(0)
        } else {
            // Whatever stands behind the bracket means nothing.
            let (inside, _) = rest.strip_prefix('[')?.split_once(']')?;
            let inside = inside.trim_ascii();
            match inside.strip_prefix('@') {
                Some(number) => VariableAccess::Iterator(
                    decimal(number).filter(|id| *id <= Self::MAX_ITERATOR)?,
                ),
                None => VariableAccess::Element(decimal(inside)?),
            }
        };
        Some(Self {
            name: name.into(),
            access,
        })
    }
}

fn decimal(text: &str) -> Option<u32> {
    virtbus_xml::Value::from_text(text)
}

fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

impl fmt::Display for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "${}", self.name)?;
        match self.access {
            VariableAccess::Iterator(0) => Ok(()),
            VariableAccess::Iterator(id) => write!(f, "[@{id}]"),
            VariableAccess::Element(place) => write!(f, "[{place}]"),
        }
    }
}

/// `<filterref>`: a reference to another filter, with values for its variables.
#[derive(Describe, Debug, Clone, Default, PartialEq, Eq)]
#[xml(more(attr = "name", wrap = "parameter", value = Text, told = "letters, digits and '_'", doc = "Name of a variable that the rules refer to as `$NAME`."))]
#[xml(more(attr = "value", wrap = "parameter", value = Text, doc = "Value of the variable; a name that is given several times has a list of values."))]
pub struct FilterReference {
    /// Name of the other filter.
    #[xml(attr)]
    pub filter: Text,
    /// The values of each variable, in the order in which they were given.
    #[xml(skip)]
    pub parameters: BTreeMap<Text, Vec<Text>>,
}

impl Content for FilterReference {
    fn parse(node: Node<'_>) -> Result<Self> {
        let filter: Text = node.attr_req("filter")?;
        if filter.is_empty() {
            return Err(node.attr_error("filter", ErrorKind::Missing, "must not be empty"));
        }
        let mut parameters: BTreeMap<Text, Vec<Text>> = BTreeMap::new();
        for parameter in node.children("parameter") {
            let name = parse_part(parameter, "name", is_name_char, "letters, digits and '_'")?;
            let value = parse_part(
                parameter,
                "value",
                |c| is_name_char(c) || matches!(c, '.' | ':'),
                "letters, digits, '_', '.' and ':'",
            )?;
            parameters.entry(name).or_default().push(value);
        }
        Ok(Self { filter, parameters })
    }

    fn attrs(&self, w: &mut Writer) {
        w.attr("filter", &self.filter);
    }

    fn children(&self, w: &mut Writer) {
        for (name, values) in &self.parameters {
            for value in values {
                w.begin("parameter");
                w.attr("name", name);
                w.attr("value", value);
                w.end("parameter");
            }
        }
    }
}

fn parse_part(
    node: Node<'_>,
    name: &str,
    allowed: fn(char) -> bool,
    expected: &str,
) -> Result<Text> {
    let text: Text = node.attr_req(name)?;
    if text.is_empty() || !text.chars().all(allowed) {
        return Err(node.bad_attr(name, &text, &format!("made of {expected}")));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_read_loosely_and_written_tersely() {
        for (text, written) in [
            ("IP", "$IP"),
            ("IP[@0]", "$IP"),
            ("IP[ @2 ] ", "$IP[@2]"),
            ("I_9[ 0]", "$I_9[0]"),
            ("A[@1000]", "$A[@1000]"),
        ] {
            assert_eq!(Variable::parse(text).unwrap().to_string(), written);
        }
        for bad in [
            "", "[1]", "A[", "A[]", "A[@]", "A[@1001]", "A[-1]", "A ", "A-B", "A[1x]",
        ] {
            assert_eq!(Variable::parse(bad), None, "{bad}");
        }
    }
}
