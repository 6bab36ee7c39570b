//! What an object offers, from its introspection: members, what goes into them, and which permissions each needs.
//!
//! Reads the documents as the daemon writes them; it is no parser for others.

use zbus::Variant;

use super::values;

/// When a permission is needed, in the words of the annotation `org.virtbus.Permissions`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum When {
    /// In any case.
    Always,
    /// With one of these flags.
    AnyFlag(u32),
    /// With none of these flags.
    NoFlag(u32),
    /// With an argument of this value.
    Argument(String, u32),
}

/// A permission, and when it is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// polkit's action.
    pub action: String,
    /// When.
    pub when: When,
}

/// An argument that goes in: name and type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Argument {
    /// Its name.
    pub name: String,
    /// Its signature.
    pub signature: String,
}

/// A method.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Method {
    /// Its name.
    pub name: String,
    /// What goes in.
    pub ins: Vec<Argument>,
    /// What the caller needs.
    pub needs: Vec<Need>,
}

/// A property.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Property {
    /// Its name.
    pub name: String,
    /// Its signature.
    pub signature: String,
    /// Whether it can be set.
    pub writable: bool,
    /// What the caller needs to read it.
    pub needs: Vec<Need>,
    /// What the caller needs to set it.
    pub set_needs: Vec<Need>,
}

/// The members of one interface.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Members {
    /// Its methods.
    pub methods: Vec<Method>,
    /// Its properties.
    pub properties: Vec<Property>,
}

/// One way to call a method, of those that need different permissions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Way {
    /// The flags.
    pub flags: u32,
    /// Another argument that counts, and its value.
    pub named: Option<(String, u32)>,
}

impl Members {
    /// The members of `interface` in an introspection document.
    #[must_use]
    pub fn of(document: &str, interface: &str) -> Members {
        let mut members = Members::default();
        let mut inside = false;
        let mut property = false;
        for tag in document.split('<').skip(1) {
            let tag = tag.split('>').next().unwrap_or_default();
            let word = tag.split([' ', '/']).next().unwrap_or_default();
            let name = || attribute(tag, "name").unwrap_or_default();
            match word {
                "interface" => inside = name() == interface,
                _ if !inside => {}
                "method" => {
                    property = false;
                    members.methods.push(Method {
                        name: name(),
                        ..Method::default()
                    });
                }
                "property" => {
                    property = true;
                    members.properties.push(Property {
                        name: name(),
                        signature: attribute(tag, "type").unwrap_or_default(),
                        writable: attribute(tag, "access").is_some_and(|to| to.contains("write")),
                        ..Property::default()
                    });
                }
                // Those of signals come behind all methods.
                "signal" => break_off(&mut inside),
                "annotation" if name() == "org.virtbus.Permissions" => {
                    let needs = needs(&attribute(tag, "value").unwrap_or_default());
                    match (property, members.properties.last_mut()) {
                        (true, Some(last)) => last.needs = needs,
                        _ => {
                            if let Some(last) = members.methods.last_mut() {
                                last.needs = needs;
                            }
                        }
                    }
                }
                "annotation" if name() == "org.virtbus.Permissions.Set" => {
                    if let Some(last) = members.properties.last_mut() {
                        last.set_needs = needs(&attribute(tag, "value").unwrap_or_default());
                    }
                }
                "arg" if attribute(tag, "direction").as_deref() == Some("in") => {
                    if let Some(last) = members.methods.last_mut() {
                        last.ins.push(Argument {
                            name: name(),
                            signature: attribute(tag, "type").unwrap_or_default(),
                        });
                    }
                }
                _ => {}
            }
        }
        members
    }
}

fn break_off(inside: &mut bool) {
    *inside = false;
}

impl Method {
    /// All ways to call it that need different permissions.
    #[must_use]
    pub fn ways(&self) -> Vec<Way> {
        let mut ways = vec![Way::default()];
        for need in &self.needs {
            let way = match &need.when {
                When::Always => continue,
                When::AnyFlag(mask) | When::NoFlag(mask) => Way {
                    flags: 1 << mask.trailing_zeros(),
                    named: None,
                },
                When::Argument(name, value) => Way {
                    flags: 0,
                    named: Some((name.clone(), *value)),
                },
            };
            if !ways.contains(&way) {
                ways.push(way);
            }
        }
        ways
    }

    /// Arguments that are refused wherever they mean something: each at the end of its type, but for the flags if `flags` tells them.
    #[must_use]
    pub fn extremes(&self, flags: Option<u32>) -> Vec<Variant<'static>> {
        let value = |argument: &Argument| match flags {
            Some(flags) if argument.name == "flags" => values::number(flags),
            _ => values::extreme(&argument.signature),
        };
        self.ins.iter().map(value).collect()
    }

    /// Arguments of no consequence, but for those that count.
    #[must_use]
    pub fn arguments(&self, way: &Way) -> Vec<Variant<'static>> {
        let value = |argument: &Argument| match &way.named {
            Some((name, value)) if *name == argument.name => values::number(*value),
            _ if argument.name == "flags" => values::number(way.flags),
            _ => values::nothing(&argument.signature),
        };
        self.ins.iter().map(value).collect()
    }
}

impl Way {
    /// Whether a permission is needed on this way.
    #[must_use]
    pub fn needs(&self, need: &Need) -> bool {
        match &need.when {
            When::Always => true,
            When::AnyFlag(mask) => self.flags & mask != 0,
            When::NoFlag(mask) => self.flags & mask == 0,
            When::Argument(name, value) => self
                .named
                .as_ref()
                .is_some_and(|(named, given)| named == name && given == value),
        }
    }
}

/// The value of an attribute of a tag.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let from = tag.find(&format!(" {name}=\""))? + name.len() + 3;
    let value = &tag[from..];
    Some(value[..value.find('"')?].to_owned())
}

fn needs(annotation: &str) -> Vec<Need> {
    annotation.split(' ').map(need).collect()
}

fn need(word: &str) -> Need {
    let (action, condition) = word.split_once(':').unwrap_or((word, ""));
    let mask = |text: &str| {
        let digits = text.strip_prefix("0x").expect("a mask is hexadecimal");
        u32::from_str_radix(digits, 16).expect("a mask is a number")
    };
    let when = match condition {
        "" => When::Always,
        text if text.starts_with('!') => When::NoFlag(mask(&text[1..])),
        text => match text.split_once('=') {
            Some((name, value)) => {
                When::Argument(name.to_owned(), value.parse().expect("a value is a number"))
            }
            None => When::AnyFlag(mask(text)),
        },
    };
    Need {
        action: action.to_owned(),
        when,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = r#"<node>
  <interface name="other"><method name="Not"/></interface>
  <interface name="mine">
    <annotation name="org.gtk.GDBus.DocString" value="Mine."/>
    <property name="On" type="b" access="readwrite">
      <annotation name="org.virtbus.Permissions" value="a.read"/>
    </property>
    <method name="Do">
      <annotation name="org.virtbus.Permissions" value="a.write a.save:!0x3 a.save:0x2 a.look:source=1"/>
      <arg name="source" type="u" direction="in"/>
      <arg name="flags" type="u" direction="in"/>
      <arg name="answer" type="s" direction="out"/>
    </method>
    <signal name="Done"><arg name="what" type="s"/></signal>
  </interface>
</node>"#;

    #[test]
    fn members_have_their_arguments_and_permissions() {
        let members = Members::of(DOCUMENT, "mine");
        assert_eq!(members.properties.len(), 1);
        assert!(members.properties[0].writable);
        assert_eq!(members.properties[0].needs[0].action, "a.read");
        assert_eq!(members.methods.len(), 1);
        let method = &members.methods[0];
        assert_eq!(method.ins.len(), 2);
        let actions = |way: &Way| -> Vec<&str> {
            let needed = method.needs.iter().filter(|need| way.needs(need));
            needed.map(|need| need.action.as_str()).collect()
        };
        let ways = method.ways();
        let needed: Vec<_> = ways.iter().map(actions).collect();
        assert_eq!(
            needed,
            [
                vec!["a.write", "a.save"],
                vec!["a.write"],
                vec!["a.write", "a.save"],
                vec!["a.write", "a.save", "a.look"],
            ]
        );
        assert_eq!(method.arguments(&ways[3])[0], values::number(1));
    }
}
