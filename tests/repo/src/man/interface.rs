//! The page of an interface, from its introspection: a synopsis with every signature, then what each member does and what
//! its caller needs.

use std::fmt::Write;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use virtbus_dbus::Explanation;

use super::numbers;
use super::roff::{bold, italic, plain, text};

/// An interface as introspection tells it.
#[derive(Debug, Default)]
pub(super) struct Interface {
    pub(super) name: String,
    doc: String,
    members: Vec<Member>,
}

/// A method, property or signal.
#[derive(Debug, Default)]
struct Member {
    kind: String,
    name: String,
    doc: String,
    permissions: String,
    setting: String,
    /// Of a property: its type, whether it is read or written, and whether it says that it changed.
    signature: String,
    access: String,
    emits: String,
    args: Vec<Arg>,
}

/// An argument: its name, its type, and where it goes, which is nothing for a signal's.
#[derive(Debug)]
struct Arg {
    name: String,
    signature: String,
    direction: String,
}

/// Lines of the synopsis are no longer than this, if an argument lets them.
const WIDTH: usize = 76;

impl Interface {
    /// Reads a document with one interface.
    pub(super) fn read(xml: &str) -> Self {
        let mut reader = Reader::from_str(xml);
        let mut interface = Self::default();
        let mut open: Option<Member> = None;
        let mut in_arg = false;
        loop {
            let element = match reader.read_event().expect("it is well-formed") {
                Event::Eof => return interface,
                Event::Start(element) => {
                    in_arg |= element.name().as_ref() == "arg";
                    element
                }
                Event::Empty(element) => element,
                Event::End(end) => {
                    in_arg &= end.name().as_ref() != "arg";
                    if ["method", "signal", "property"].contains(&end.name().as_ref()) {
                        interface.members.extend(open.take());
                    }
                    continue;
                }
                _ => continue,
            };
            let get = |name| attribute(&element, name);
            match element.name().as_ref() {
                "interface" => interface.name = get("name"),
                kind @ ("method" | "signal" | "property") => {
                    open = Some(Member {
                        kind: kind.to_owned(),
                        name: get("name"),
                        signature: get("type"),
                        access: get("access"),
                        ..Member::default()
                    });
                }
                "arg" => {
                    if let Some(member) = &mut open {
                        member.args.push(Arg {
                            name: get("name"),
                            signature: get("type"),
                            direction: get("direction"),
                        });
                    }
                }
                // What arguments are is told by numbers.
                "annotation" if in_arg => {}
                "annotation" => {
                    let value = get("value");
                    match (get("name").as_str(), &mut open) {
                        ("org.gtk.GDBus.DocString", Some(member)) => member.doc = value,
                        ("org.gtk.GDBus.DocString", None) => interface.doc = value,
                        ("org.virtbus.Permissions", Some(member)) => member.permissions = value,
                        ("org.virtbus.Permissions.Set", Some(member)) => member.setting = value,
                        ("org.freedesktop.DBus.Property.EmitsChangedSignal", Some(member)) => {
                            member.emits = value;
                        }
                        _ => {}
                    }
                }
                _ => {}
            }
        }
    }

    /// Which member asks for which action.
    pub(super) fn needed(&self) -> impl Iterator<Item = (&str, String)> {
        self.members.iter().flat_map(|member| {
            let lists = [&member.permissions, &member.setting];
            let words = lists.into_iter().flat_map(|list| list.split_whitespace());
            words.map(|word| {
                let action = word.split(':').next().unwrap_or(word);
                (member.name.as_str(), action.to_owned())
            })
        })
    }

    /// The manual page; `others` are the interfaces that have one too, `numbers` what the numbers of members are.
    pub(super) fn page(&self, others: &[String], numbers: &[Explanation]) -> String {
        let mut page = format!(
            ".\\\" Generated from data/dbus/interfaces by the tests in tests/repo (VIRTBUS_BLESS=1 writes it anew).\n\
             .TH {} 5 \"\" \"Virtbus\" \"D\\-Bus interfaces\"\n.ad l\n.SH NAME\n{} \\- {}\n",
            plain(&self.name.to_uppercase()),
            plain(&self.name),
            text(&headline(&self.doc)),
        );
        self.write_synopsis(&mut page);
        let _ = write!(
            page,
            ".SH DESCRIPTION\n{}\n.PP\n\
             Where such objects are, how errors look and who may call is told in\n.BR virtbus\\-dbus (7).\n\
             Flags that a member does not know are refused.\n\
             Numbers and their names are those of libvirt\\(aqs API; states, reasons and events are told in full in\n\
             .BR virtbus\\-numbers (7).\n",
            text(&self.doc)
        );
        for (kind, heading) in KINDS {
            self.write_members(&mut page, kind, heading, numbers);
        }
        page.push_str(".SH \"SEE ALSO\"\n.BR virtbus\\-dbus (7),\n.BR virtbus\\-numbers (7),\n.BR virtbusd (8)");
        for other in others.iter().filter(|other| **other != self.name) {
            let _ = write!(page, ",\n.BR {} (5)", plain(other));
        }
        page.push('\n');
        page
    }

    fn of_kind(&self, kind: &str) -> Vec<&Member> {
        let members = self.members.iter();
        members.filter(|member| member.kind == kind).collect()
    }

    fn write_synopsis(&self, page: &mut String) {
        let _ = write!(
            page,
            ".SH SYNOPSIS\n.nf\ninterface {} {{\n",
            bold(&self.name)
        );
        for (kind, heading) in KINDS {
            let members = self.of_kind(kind);
            if members.is_empty() {
                continue;
            }
            let _ = writeln!(page, "  {}:", heading.to_lowercase());
            for member in members {
                member.write_synopsis(page);
            }
        }
        page.push_str("};\n.fi\n");
    }

    fn write_members(&self, page: &mut String, kind: &str, heading: &str, numbers: &[Explanation]) {
        let members = self.of_kind(kind);
        if members.is_empty() {
            return;
        }
        let _ = writeln!(page, ".SH {heading}");
        for member in members {
            let _ = write!(page, ".TP\n{}\n{}\n", bold(&member.name), text(&member.doc));
            match (kind, member.emits.as_str()) {
                ("property", "const") => page.push_str("It never changes.\n"),
                ("property", "false") => page.push_str("That it changed is not announced.\n"),
                _ => {}
            }
            let of_member = numbers.iter().filter(|one| {
                one.interface == self.name && one.kind == kind && one.member == member.name
            });
            let of_member: Vec<&Explanation> = of_member.collect();
            numbers::write_member(page, &of_member);
            if !member.permissions.is_empty() {
                let what = match (kind, member.access.as_str()) {
                    ("property", "readwrite") => "Reading needs",
                    _ => "Needs",
                };
                write_needs(page, what, &member.permissions, &of_member);
            }
            if !member.setting.is_empty() {
                write_needs(page, "Setting needs", &member.setting, &[]);
            }
        }
    }
}

fn write_needs(page: &mut String, what: &str, permissions: &str, numbers: &[&Explanation]) {
    let rules = permissions.split(' ');
    let needs: Vec<String> = rules.map(|rule| needed(rule, numbers)).collect();
    let _ = write!(page, ".br\n{what}\n{}.\n", needs.join(",\n"));
}

/// Kinds of members, and what stands above them.
const KINDS: [(&str, &str); 3] = [
    ("method", "METHODS"),
    ("property", "PROPERTIES"),
    ("signal", "SIGNALS"),
];

impl Member {
    fn write_synopsis(&self, page: &mut String) {
        if self.kind == "property" {
            let access = match self.access.as_str() {
                "readwrite" => "readwrite",
                _ => "readonly",
            };
            let _ = writeln!(
                page,
                "    {access} {} {};",
                plain(&self.signature),
                bold(&self.name)
            );
            return;
        }
        let args: Vec<(String, String)> = self.args.iter().map(Arg::plain_and_roff).collect();
        let indent = 4 + self.name.len() + 1;
        let mut line = format!("    {}(", bold(&self.name));
        let mut column = indent;
        for (at, (words, roff)) in args.iter().enumerate() {
            if at > 0 {
                line.push(',');
                if column + words.len() + 3 > WIDTH {
                    let _ = write!(line, "\n{:indent$}", "");
                    column = indent;
                } else {
                    line.push(' ');
                }
            }
            line.push_str(roff);
            column += words.len() + 2;
        }
        let _ = writeln!(page, "{line});");
    }
}

impl Arg {
    /// As it is read, and as it is written for roff.
    fn plain_and_roff(&self) -> (String, String) {
        let direction = match self.direction.as_str() {
            "" => String::new(),
            direction => format!("{direction} "),
        };
        (
            format!("{direction}{} {}", self.signature, self.name),
            format!(
                "{direction}{} {}",
                plain(&self.signature),
                italic(&self.name)
            ),
        )
    }
}

/// A permission with its condition: an action, and behind `:` the flags or the argument that it depends on, with their names if it is known
/// what these numbers are.
fn needed(rule: &str, numbers: &[&Explanation]) -> String {
    let (action, condition) = rule.split_once(':').unwrap_or((rule, ""));
    let action = bold(action);
    match condition {
        "" => action,
        flags if flags.starts_with("!0x") => {
            let flags = numbers::named_flags(&flags["!0x".len()..], numbers);
            match flags.as_slice() {
                [one] => format!("{action} unless {one} is set"),
                several => format!("{action} if none of {} is set", several.join(", ")),
            }
        }
        flags if flags.starts_with("0x") => {
            let flags = numbers::named_flags(&flags["0x".len()..], numbers);
            match flags.as_slice() {
                [one] => format!("{action} if {one} is set"),
                several => format!("{action} if one of {} is set", several.join(", ")),
            }
        }
        argument => {
            let (name, value) = argument.split_once('=').unwrap_or((argument, ""));
            let value = numbers::named_value(name, value, numbers);
            format!("{action} if {} is {value}", italic(name))
        }
    }
}

/// A sentence as what follows a page's name: without its end, on one line.
fn headline(doc: &str) -> String {
    let first = doc.split(". ").next().unwrap_or_default();
    let line = first.trim_end_matches('.').replace('\n', " ");
    let mut letters = line.chars();
    let small = letters.next().map(|letter| letter.to_ascii_lowercase());
    small.into_iter().chain(letters).collect()
}

fn attribute(element: &BytesStart<'_>, name: &str) -> String {
    element
        .attributes()
        .map(|attribute| attribute.expect("attributes are well-formed"))
        .find(|attribute| attribute.key.as_ref() == name)
        .map(|attribute| {
            let value = attribute.value.into_owned();
            quick_xml::escape::unescape(&value)
                .expect("entities are XML's own")
                .into_owned()
        })
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const XML: &str = r#"<node><interface name="org.example.Cup">
  <annotation name="org.gtk.GDBus.DocString" value="A cup: it&#10;holds tea."/>
  <property name="Full" type="b" access="readwrite">
    <annotation name="org.gtk.GDBus.DocString" value="Whether there is tea &amp; milk."/>
    <annotation name="org.virtbus.Permissions" value="org.example.cup.read"/>
    <annotation name="org.virtbus.Permissions.Set" value="org.example.cup.write"/>
    <annotation name="org.freedesktop.DBus.Property.EmitsChangedSignal" value="false"/>
  </property>
  <method name="Fill">
    <annotation name="org.gtk.GDBus.DocString" value="Fills it up to `level`."/>
    <annotation name="org.virtbus.Permissions" value="org.example.cup.write org.example.cup.save:!0x3 org.example.cup.save:0x2 org.example.cup.tip:way=3"/>
    <arg name="level" type="u" direction="in"/>
    <arg name="left" type="a{sv}" direction="out"/>
  </method>
  <signal name="Spilt"><arg name="where" type="s"/></signal>
</interface></node>"#;

    #[test]
    fn a_page_tells_signatures_meanings_and_permissions() {
        let interface = Interface::read(XML);
        let others = ["org.example.Cup", "org.example.Pot"].map(ToOwned::to_owned);
        let page = interface.page(&others, &[]);
        for part in [
            ".TH ORG.EXAMPLE.CUP 5 ",
            "org.example.Cup \\- a cup: it holds tea\n",
            "    \\fBFill\\fR(in u \\fIlevel\\fR, out a{sv} \\fIleft\\fR);\n",
            "    readwrite b \\fBFull\\fR;\n",
            "    \\fBSpilt\\fR(s \\fIwhere\\fR);\n",
            ".TP\n\\fBFull\\fR\nWhether there is tea & milk.\nThat it changed is not announced.\n.br\nReading needs\n\\fBorg.example.cup.read\\fR.\n.br\nSetting needs\n\\fBorg.example.cup.write\\fR.\n",
            "Fills it up to \\fBlevel\\fR.\n.br\nNeeds\n\\fBorg.example.cup.write\\fR,\n",
            "\\fBorg.example.cup.save\\fR if none of 0x1, 0x2 is set,\n",
            "\\fBorg.example.cup.save\\fR if 0x2 is set,\n",
            "\\fBorg.example.cup.tip\\fR if \\fIway\\fR is 3.\n",
            ".BR virtbusd (8),\n.BR org.example.Pot (5)\n",
        ] {
            assert!(page.contains(part), "no {part:?} in {page}");
        }
    }

    #[test]
    fn long_signatures_are_broken_between_arguments() {
        let arg = |name: &str| Arg {
            name: name.to_owned(),
            signature: "s".to_owned(),
            direction: "in".to_owned(),
        };
        let member = Member {
            kind: "method".to_owned(),
            name: "Carry".to_owned(),
            args: vec![arg(&"a".repeat(40)), arg(&"b".repeat(40))],
            ..Member::default()
        };
        let mut page = String::new();
        member.write_synopsis(&mut page);
        assert_eq!(page.lines().count(), 2, "{page}");
        assert!(page.lines().last().unwrap().starts_with("          in s "));
    }
}
