//! The page of permissions: for each what it allows, how far it reaches, who has it by default, and which members ask for it.

use std::collections::BTreeMap;
use std::fmt::Write;

use virtbus_api::access::{Default as Who, Permission};

use super::interface::Interface;
use super::roff::{bold, plain, text};
use crate::policy;

/// What precedes the permissions.
const HEAD: &str = r#".\" Generated from the table of permissions in drivers/api, the texts in tests/repo/src/policy and data/dbus/interfaces
.\" by the tests in tests/repo (VIRTBUS_BLESS=1 writes it anew).
.TH VIRTBUS\-PERMISSIONS 7 "" "Virtbus" "System administration"
.SH NAME
virtbus\-permissions \- what each permission lets a local user do
.SH DESCRIPTION
On the system bus
.BR virtbusd (8)
asks polkit about each call of everybody but root, by the actions below.
This page is for administrators who write rules: it tells what a user can do who has a permission, on one object or on all, and nothing
else beyond what anybody has.
.PP
Three things hold for all of them.
Who has a permission on one object only gets at no other by it: calls about objects that a user may not see are answered as if there were none, and
signals about them are not sent to that user.
Paths that a user can change (links, directories of that user) are never followed to somebody else\(aqs file by the daemon.
A user\(aqs own calls, however many, make nobody else\(aqs wait: each user has a share of calls, descriptors, messages and questions
to polkit, and is refused beyond that.
.PP
What a user with
.B domain.write
and
.B domain.save
may define, a guest may do: these two are for administrators.
The command line of a guest, with the guest\(aqs name, is in the list of processes of the host, which
.BR hidepid= " of " proc (5)
restricts.
Control groups, units, and sockets of guests are named by numbers and a part of the UUID.
.PP
What a rule decides about one of the actions holds: it grants, refuses, or wants a password
.RB ( AUTH_ADMIN ", " AUTH_ADMIN_KEEP ", " AUTH_SELF ", " AUTH_SELF_KEEP ).
Where no rule decides, and the default is an administrator\(aqs password,
.B org.libvirt.unix.manage
stands for all actions.
The two are told apart by the file
.I zzz\-virtbus.rules
that is installed with the daemon: no file of rules may have a name that comes after it, or
.B org.libvirt.unix.manage
opens nothing.
.PP
The user as whom guests run (setting
.BR qemu.user ),
if not root, is refused everything, whatever rules say.
"#;

const TAIL: &str = r#".SH "SEE ALSO"
.BR virtbusd (8),
.BR virtbusd.toml (5),
.BR virtbus\-dbus (7),
.BR pkaction (1),
.BR polkit (8)
"#;

/// The page; `documents` are the interfaces' introspection.
pub(super) fn page(documents: &[(String, String)]) -> String {
    let mut members: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (_, xml) in documents {
        let interface = Interface::read(xml);
        for (member, action) in interface.needed() {
            let name = interface.name.trim_start_matches("org.libvirt.");
            members
                .entry(action)
                .or_default()
                .push(format!("{name}.{member}"));
        }
    }
    let mut page = HEAD.to_owned();
    let mut class = None;
    for &permission in Permission::ALL {
        if class != Some(permission.class()) {
            class = Some(permission.class());
            let _ = writeln!(page, ".SH \"{}\"", plain(permission.class().name()));
        }
        let action = permission.action();
        let default = match permission.default() {
            Who::Anybody => "anybody",
            Who::Administrator => "administrators, with their password",
        };
        let _ = writeln!(
            page,
            ".TP\n{}\n{}.\n{}\nBy default: {default}.",
            bold(&action),
            text(&policy::description(permission)),
            text(&policy::reach(permission).replace(". ", ".\n")),
        );
        let Some(asking) = members.get_mut(&action) else {
            continue;
        };
        asking.sort();
        asking.dedup();
        let _ = writeln!(page, "Asked for by: {}.", plain(&asking.join(", ")));
    }
    page.push_str(TAIL);
    page
}
