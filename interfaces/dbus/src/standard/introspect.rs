//! `org.freedesktop.DBus.Introspectable`: one object at a time, its children by name only.
//!
//! The XML comes from the interface tables, documentation included, and so cannot differ from what is served.

use std::fmt::Write;

use virtbus_api::access::{Call, When};
use virtbus_api::object::{self, Kind};
use virtbus_api::session::Need;
use zbus::Message;

use crate::answer::{Received, find_object, interface_at, unknown_object};
use crate::declare::{Arg, Emits, Interface};
use crate::error::Failure;
use crate::interfaces;
use crate::invocation::reply;
use crate::numbers::Told;
use crate::standard::{log_control, objects, properties};
use crate::tree::{self, Place};

pub(crate) const NAME: &str = "org.freedesktop.DBus.Introspectable";

const HEAD: &str = "<!DOCTYPE node PUBLIC \"-//freedesktop//DTD D-BUS Object Introspection 1.0//EN\"\n\
                    \"http://www.freedesktop.org/standards/dbus/1.0/introspect.dtd\">\n";

pub(crate) async fn answer(
    received: &Received,
    place: Place<'_>,
    path: &str,
) -> Result<Message, Failure> {
    let children = children(received, place, path).await?;
    // That the root is there, everybody may know.
    if interface_at(place).is_some() && place != Place::Root {
        let caller = received.caller();
        let found = find_object(&received.shared, &caller, place, path, Need::Id);
        let (node, target) = found.await?;
        if !node.guarded.session(&caller).sees(&target).await? {
            return Err(target
                .not_found()
                .map_or_else(|| unknown_object(path), Failure::Api));
        }
    }
    let mut xml = String::from(HEAD);
    xml.push_str("<node>\n");
    if let Some(interface) = interface_at(place) {
        xml.push_str(introspected(interface));
    }
    if place == Place::LogControl {
        xml.push_str(log_control::XML);
    }
    write_standard(&mut xml, place);
    for child in children {
        let _ = writeln!(xml, "  <node name=\"{}\"/>", escape(&child));
    }
    xml.push_str("</node>\n");
    Ok(reply(&received.message, &(xml,))?)
}

async fn children(
    received: &Received,
    place: Place<'_>,
    path: &str,
) -> Result<Vec<String>, Failure> {
    match place {
        Place::Above { children } => Ok(children.iter().map(|child| (*child).to_owned()).collect()),
        Place::Root => Ok(received
            .shared
            .nodes
            .all()
            .iter()
            .map(|node| node.name().to_owned())
            .collect()),
        Place::Connection(name) => {
            received
                .shared
                .nodes
                .get(name)
                .ok_or_else(|| unknown_object(path))?;
            Ok(Kind::ALL
                .iter()
                .map(|kind| tree::segment(*kind).to_owned())
                .collect())
        }
        Place::Folder(name, kind) => {
            let node = received
                .shared
                .nodes
                .get(name)
                .ok_or_else(|| unknown_object(path))?;
            let caller = received.caller();
            let shown = node.guarded.session(&caller).shown(kind).await?;
            let ids = shown.views().iter().map(object::View::borrowed_id);
            let nameable = ids.filter(|id| id.can_be_named());
            Ok(nameable.map(tree::element).collect())
        }
        Place::LogControl | Place::Object(..) => Ok(Vec::new()),
    }
}

/// Every interface of ours.
pub(crate) fn interfaces() -> impl Iterator<Item = &'static Interface> {
    let objects = Kind::ALL.iter().map(|kind| tree::interface(*kind));
    [&interfaces::manager::MANAGER, tree::connect_interface()]
        .into_iter()
        .chain(objects)
}

/// Every interface of ours as a document of its own: file name and XML.
pub(crate) fn documents() -> Vec<(String, String)> {
    interfaces()
        .map(|interface| {
            let mut xml = String::from(HEAD);
            xml.push_str("<node>\n");
            xml.push_str(introspected(interface));
            xml.push_str("</node>\n");
            (format!("{}.xml", interface.name), xml)
        })
        .collect()
}

/// An interface. It says the same to everybody, and is asked for each object that a client looks at.
fn introspected(interface: &'static Interface) -> &'static str {
    interface.introspected.get_or_init(|| {
        let mut xml = String::new();
        write_interface(&mut xml, interface);
        xml.shrink_to_fit();
        xml
    })
}

fn write_interface(xml: &mut String, interface: &Interface) {
    let _ = writeln!(xml, "  <interface name=\"{}\">", interface.name);
    write_doc(xml, 4, interface.doc);
    for property in interface.properties {
        let access = if property.set.is_some() {
            "readwrite"
        } else {
            "read"
        };
        let _ = writeln!(
            xml,
            "    <property name=\"{}\" type=\"{}\" access=\"{access}\">",
            property.name, property.signature
        );
        write_doc(xml, 6, property.doc);
        write_permissions(xml, "", property.call);
        if let Some(setter) = &property.set {
            write_permissions(xml, ".Set", setter.call);
        }
        if let Some(brief) = brief(property.told) {
            let _ = writeln!(
                xml,
                "      <annotation name=\"org.virtbus.Numbers\" value=\"{}\"/>",
                escape(&brief)
            );
        }
        if property.emits != Emits::Value {
            let _ = writeln!(
                xml,
                "      <annotation name=\"org.freedesktop.DBus.Property.EmitsChangedSignal\" value=\"{}\"/>",
                property.emits.annotation()
            );
        }
        xml.push_str("    </property>\n");
    }
    for method in interface.methods {
        let _ = writeln!(xml, "    <method name=\"{}\">", method.name);
        write_doc(xml, 6, method.doc);
        write_permissions(xml, "", method.call);
        write_args(xml, method.ins, Some("in"));
        write_args(xml, method.outs, Some("out"));
        xml.push_str("    </method>\n");
    }
    for signal in interface.signals {
        let _ = writeln!(xml, "    <signal name=\"{}\">", signal.name);
        write_doc(xml, 6, signal.doc);
        write_args(xml, signal.args, None);
        xml.push_str("    </signal>\n");
    }
    xml.push_str("  </interface>\n");
}

fn write_doc(xml: &mut String, indent: usize, doc: &[&str]) {
    if doc.is_empty() {
        return;
    }
    let text = doc
        .iter()
        .map(|line| line.trim())
        .collect::<Vec<_>>()
        .join("\n");
    let _ = writeln!(
        xml,
        "{:indent$}<annotation name=\"org.gtk.GDBus.DocString\" value=\"{}\"/>",
        "",
        escape(text.trim())
    );
}

/// What the caller needs, to set the property if it is `of` that, as polkit's actions; behind `:` when it does, in the form that libvirt's protocol has: with
/// one of the flags set, with none of them (`!`), or with an argument of that value.
fn write_permissions(xml: &mut String, of: &str, call: Call) {
    let rules = call.rules().iter().map(|rule| {
        let action = rule.permission.action();
        match rule.when {
            When::Always => action,
            When::AnyFlag(mask) => format!("{action}:{mask:#x}"),
            When::NoFlag(mask) => format!("{action}:!{mask:#x}"),
            When::Argument(name, value) => format!("{action}:{name}={value}"),
        }
    });
    let rules = rules.collect::<Vec<_>>().join(" ");
    if !rules.is_empty() {
        let _ = writeln!(
            xml,
            "      <annotation name=\"org.virtbus.Permissions{of}\" value=\"{rules}\"/>"
        );
    }
}

fn write_args(xml: &mut String, args: &[Arg], direction: Option<&str>) {
    for arg in args {
        let direction = direction
            .map(|direction| format!(" direction=\"{direction}\""))
            .unwrap_or_default();
        let (name, signature) = (arg.name(), arg.signature);
        let _ = write!(
            xml,
            "      <arg name=\"{name}\" type=\"{signature}\"{direction}"
        );
        match brief(arg.told) {
            None => xml.push_str("/>\n"),
            Some(brief) => {
                xml.push_str(">\n");
                write_doc(xml, 8, &[&brief]);
                xml.push_str("      </arg>\n");
            }
        }
    }
}

/// What the numbers of an argument or property are, in a few words.
fn brief(told: fn() -> Vec<Told>) -> Option<String> {
    let told = told();
    let lines: Vec<String> = told.iter().filter_map(Told::brief).collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// The standard interfaces of an object, which clients such as `busctl` read from here.
fn write_standard(xml: &mut String, place: Place<'_>) {
    xml.push_str(
        "  <interface name=\"org.freedesktop.DBus.Introspectable\">\n    \
           <method name=\"Introspect\">\n      <arg name=\"xml_data\" type=\"s\" direction=\"out\"/>\n    </method>\n  \
         </interface>\n  \
         <interface name=\"org.freedesktop.DBus.Peer\">\n    <method name=\"Ping\"/>\n    \
           <method name=\"GetMachineId\">\n      <arg name=\"machine_uuid\" type=\"s\" direction=\"out\"/>\n    </method>\n  \
         </interface>\n",
    );
    if interface_at(place).is_some() || place == Place::LogControl {
        let _ = write!(
            xml,
            "  <interface name=\"{}\">\n    <method name=\"Get\">\n      <arg name=\"interface_name\" type=\"s\" direction=\"in\"/>\n      \
             <arg name=\"property_name\" type=\"s\" direction=\"in\"/>\n      <arg name=\"value\" type=\"v\" direction=\"out\"/>\n    </method>\n    \
             <method name=\"GetAll\">\n      <arg name=\"interface_name\" type=\"s\" direction=\"in\"/>\n      \
             <arg name=\"properties\" type=\"a{{sv}}\" direction=\"out\"/>\n    </method>\n    \
             <method name=\"Set\">\n      <arg name=\"interface_name\" type=\"s\" direction=\"in\"/>\n      \
             <arg name=\"property_name\" type=\"s\" direction=\"in\"/>\n      <arg name=\"value\" type=\"v\" direction=\"in\"/>\n    </method>\n    \
             <signal name=\"PropertiesChanged\">\n      <arg name=\"interface_name\" type=\"s\"/>\n      \
             <arg name=\"changed_properties\" type=\"a{{sv}}\"/>\n      <arg name=\"invalidated_properties\" type=\"as\"/>\n    </signal>\n  \
             </interface>\n",
            properties::NAME
        );
    }
    if objects::is_at(place) {
        let _ = write!(
            xml,
            "  <interface name=\"{}\">\n    <method name=\"GetManagedObjects\">\n      \
             <arg name=\"objects\" type=\"a{{oa{{sa{{sv}}}}}}\" direction=\"out\"/>\n    </method>\n    \
             <signal name=\"InterfacesAdded\">\n      <arg name=\"object\" type=\"o\"/>\n      \
             <arg name=\"interfaces\" type=\"a{{sa{{sv}}}}\"/>\n    </signal>\n    \
             <signal name=\"InterfacesRemoved\">\n      <arg name=\"object\" type=\"o\"/>\n      \
             <arg name=\"interfaces\" type=\"as\"/>\n    </signal>\n  </interface>\n",
            objects::NAME
        );
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\n', "&#10;")
}
