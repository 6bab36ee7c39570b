//! `org.freedesktop.LogControl1`: what is logged and where it goes, for `systemctl service-log-level` and
//! `service-log-target`.
//!
//! The one object that is no driver's: it is at [`PATH`], in no object manager's answer, and tells the same in both
//! dialects. Which levels and targets there are, and who may change them, is known to the [`LogControl`] behind it.

use std::collections::BTreeMap;

use virtbus_api::{Error, ErrorCode, ErrorDomain};
use zbus::{Message, OwnedVariant};

use super::{Member, arguments, introspect, peer, properties};
use crate::answer::{Order, Received, unknown_object};
use crate::error::{Failure, Protocol};
use crate::invocation::reply;
use crate::tree::Place;
use crate::value::Value;

/// Where the object is (org.freedesktop.LogControl1(5)).
pub(crate) const PATH: &str = "/org/freedesktop/LogControl1";

const NAME: &str = "org.freedesktop.LogControl1";

/// The interface as introspection shows it.
pub(crate) const XML: &str = r#"  <interface name="org.freedesktop.LogControl1">
    <property name="LogLevel" type="s" access="readwrite">
      <annotation name="org.gtk.GDBus.DocString" value="The least urgent of the levels that are logged: emerg, alert, crit, err, warning, notice, info or debug."/>
      <annotation name="org.freedesktop.DBus.Property.EmitsChangedSignal" value="false"/>
      <annotation name="org.freedesktop.systemd1.Privileged" value="true"/>
    </property>
    <property name="LogTarget" type="s" access="readwrite">
      <annotation name="org.gtk.GDBus.DocString" value="Where log lines go: journal or console. Set to auto it becomes the one that suits how the daemon was started."/>
      <annotation name="org.freedesktop.DBus.Property.EmitsChangedSignal" value="false"/>
      <annotation name="org.freedesktop.systemd1.Privileged" value="true"/>
    </property>
    <property name="SyslogIdentifier" type="s" access="read">
      <annotation name="org.gtk.GDBus.DocString" value="What log lines are found by: journalctl -t."/>
      <annotation name="org.freedesktop.DBus.Property.EmitsChangedSignal" value="false"/>
    </property>
  </interface>
"#;

/// How the program logs, and changing it.
pub trait LogControl: Send + Sync {
    /// Whether this user may change anything; none is a caller whom the bus cannot tell.
    fn may_change(&self, uid: Option<u32>) -> bool;

    /// The least urgent level that is logged, by its name in syslog(3).
    fn level(&self) -> &'static str;

    /// Logs what is as urgent as this level and more.
    ///
    /// # Errors
    /// That there is no such level.
    fn set_level(&self, level: &str) -> Result<(), String>;

    /// Where log lines go.
    fn target(&self) -> &'static str;

    /// Has log lines go elsewhere.
    ///
    /// # Errors
    /// That there is no such place, or it cannot be reached.
    fn set_target(&self, target: &str) -> Result<(), String>;

    /// What log lines are found by.
    fn syslog_identifier(&self) -> &'static str;
}

/// Answers a call to the object.
pub(crate) async fn answer(
    received: Received,
    interface: Option<&str>,
    member: &str,
    order: Order,
) -> Result<Message, Failure> {
    let Some(control) = received.shared.log_control() else {
        return Err(unknown_object(PATH));
    };
    match Member::find(interface, member) {
        Some(Member::Peer(member)) => peer::answer(&received, member),
        Some(Member::Introspect) => introspect::answer(&received, Place::LogControl, PATH).await,
        Some(Member::Get) => {
            let body = received.message.body();
            let (interface, name): (&str, &str) = arguments(&received.message, &body)?;
            check_interface(interface)?;
            let value = all(control).remove(name);
            let value = value.ok_or_else(|| no_property(name))?;
            Ok(reply(&received.message, &(value,))?)
        }
        Some(Member::GetAll) => {
            let body = received.message.body();
            let (interface,): (&str,) = arguments(&received.message, &body)?;
            let values = match interface {
                NAME => all(control),
                _ if properties::is_standard(interface) => BTreeMap::new(),
                _ => return Err(no_interface(interface)),
            };
            Ok(reply(&received.message, &(values,))?)
        }
        Some(Member::Set) => set(&received, control, order).await,
        Some(Member::GetManagedObjects) => Err(no_interface(super::objects::NAME)),
        Some(Member::Unknown(interface, member)) => Err(no_method(interface, member)),
        None => match interface {
            None | Some(NAME) => Err(no_method(NAME, member)),
            Some(other) => Err(no_interface(other)),
        },
    }
}

async fn set(
    received: &Received,
    control: &dyn LogControl,
    order: Order,
) -> Result<Message, Failure> {
    let body = received.message.body();
    let (interface, name, value): (&str, &str, OwnedVariant) = arguments(&received.message, &body)?;
    check_interface(interface)?;
    let set: fn(&dyn LogControl, &str) -> Result<(), String> = match name {
        "LogLevel" => |control, level| control.set_level(level),
        "LogTarget" => |control, target| control.set_target(target),
        "SyslogIdentifier" => {
            let text = format!("{NAME}.{name} can only be read");
            return Err(Failure::protocol(Protocol::PropertyReadOnly, text));
        }
        _ => return Err(no_property(name)),
    };
    // Who calls has to be waited for; two settings of one sender must not change places meanwhile.
    let _order = order.come().await;
    if !control.may_change(received.caller().uid()) {
        let message = format!("access denied: only root and the daemon's own user may set {name}");
        let denied = Error::new(ErrorCode::AccessDenied, ErrorDomain::Access, message);
        return Err(denied.into());
    }
    let invalid = |problem| Failure::protocol(Protocol::InvalidArgs, problem);
    let value = String::try_from(value).map_err(|_| invalid(format!("{name} is a string")))?;
    set(control, &value).map_err(invalid)?;
    Ok(reply(&received.message, &())?)
}

fn all(control: &dyn LogControl) -> BTreeMap<&'static str, Value<'static>> {
    BTreeMap::from([
        ("LogLevel", control.level().into()),
        ("LogTarget", control.target().into()),
        ("SyslogIdentifier", control.syslog_identifier().into()),
    ])
}

fn check_interface(name: &str) -> Result<(), Failure> {
    if name == NAME {
        Ok(())
    } else {
        Err(no_interface(name))
    }
}

fn no_property(name: &str) -> Failure {
    let text = format!("{NAME} has no property {name}");
    Failure::protocol(Protocol::UnknownProperty, text)
}

fn no_interface(name: &str) -> Failure {
    let text = format!("{PATH} has no interface {name}");
    Failure::protocol(Protocol::UnknownInterface, text)
}

fn no_method(interface: &str, member: &str) -> Failure {
    let text = format!("{interface} has no method {member}");
    Failure::protocol(Protocol::UnknownMethod, text)
}
