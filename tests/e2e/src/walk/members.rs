//! Every member of an object, called: let in or refused, exactly as policy and documents say.

use std::collections::{BTreeMap, BTreeSet};

use zbus::OwnedVariant;

use super::introspection::{Members, Need, Way};
use super::policy::Policy;
use super::{Findings, INTROSPECTABLE, Managed, Outcome, introspect, values};
use crate::client::{CONNECT, Client, MANAGER, Object, PROPERTIES};

/// To look at anything at all.
const MONITOR: &str = "org.libvirt.unix.monitor";

/// What was asked of one object.
#[derive(Debug, Default)]
pub struct Counts {
    /// Calls.
    pub asked: usize,
    /// Those that were refused.
    pub refused: usize,
}

/// A caller on a walk.
#[derive(Debug)]
pub struct Walker<'a> {
    /// The caller's connection.
    pub client: &'a Client,
    /// What the caller is allowed.
    pub policy: &'a Policy,
    /// What the caller is shown of everything.
    pub managed: &'a Managed,
}

impl Walker<'_> {
    /// Whether an object's existence is shown.
    fn sees(&self, interface: &str) -> bool {
        self.policy.has(MONITOR) && self.policy.has(&action_of(interface, "getattr"))
    }

    /// What is expected of a call that needs this.
    fn expected(&self, interface: &str, needs: &[Need], way: &Way) -> Outcome {
        if !self.sees(interface) && interface != CONNECT && interface != MANAGER {
            Outcome::Absent
        } else if self.policy.has(MONITOR) && self.policy.allows(needs, way) {
            Outcome::LetIn
        } else {
            Outcome::Denied
        }
    }

    /// Calls every method and touches every property.
    pub async fn walk(
        &self,
        path: &str,
        interface: &str,
        members: &Members,
        findings: &mut Findings,
    ) -> Counts {
        let object = self.client.object(path, interface);
        let mut counts = Counts::default();
        self.introspection(path, interface, members, findings).await;
        for method in &members.methods {
            for way in method.ways() {
                let answer = object
                    .call_values(&method.name, method.arguments(&way))
                    .await;
                let mut expected = self.expected(interface, &method.needs, &way);
                let outcome = Outcome::of(&answer);
                // A search for nothing finds nothing, for whoever may search; nor does it where nothing of the kind can be.
                let searches = method.name.contains("Lookup") && self.policy.has(MONITOR);
                let no_such_kind =
                    matches!(&answer, Err(error) if error.name().ends_with(".NoSupport"));
                if searches && (outcome == Outcome::Absent || no_such_kind) {
                    expected = outcome;
                }
                // What is let in may then find that something is not there.
                let fits = outcome == expected
                    || (expected == Outcome::LetIn && outcome == Outcome::Absent);
                findings.expect(fits, || {
                    format!(
                        "{path} {interface}.{} {way:?}: {expected:?} is expected: {answer:?}",
                        method.name
                    )
                });
                counts.asked += 1;
                counts.refused += usize::from(outcome != Outcome::LetIn);
            }
        }
        self.properties(&object, interface, members, findings, &mut counts)
            .await;
        counts
    }

    /// What introspection shows is what the document says, to whoever sees the object.
    async fn introspection(
        &self,
        path: &str,
        interface: &str,
        members: &Members,
        findings: &mut Findings,
    ) {
        let shown = introspect(self.client, path).await;
        // That the root is there, everybody may know.
        let seen = self.sees(interface) || interface == MANAGER;
        match &shown {
            Ok(document) => findings
                .expect(seen && Members::of(document, interface) == *members, || {
                    format!("{path}: another introspection than its document, seen: {seen}")
                }),
            Err(error) => findings.expect(!seen, || format!("{path} {INTROSPECTABLE}: {error}")),
        }
    }

    async fn properties(
        &self,
        object: &Object,
        interface: &str,
        members: &Members,
        findings: &mut Findings,
        counts: &mut Counts,
    ) {
        let path = object.path();
        let mut readable = BTreeSet::new();
        for property in &members.properties {
            let name = &property.name;
            let read = object.get::<OwnedVariant>(name).await;
            let expected = self.expected(interface, &property.needs, &Way::default());
            findings.expect(Outcome::of(&read) == expected, || {
                format!("{path} Get {interface}.{name}: {expected:?} is expected: {read:?}")
            });
            if read.is_ok() {
                readable.insert(name.clone());
            }
            // Of what cannot be set the value is not looked at.
            let value = if property.writable {
                values::nothing(&property.signature)
            } else {
                true.into()
            };
            let set = object.set(name, value).await;
            if property.writable {
                let expected = self.expected(interface, &property.set_needs, &Way::default());
                findings.expect(Outcome::of(&set) == expected, || {
                    format!("{path} Set {interface}.{name}: {expected:?} is expected: {set:?}")
                });
            } else {
                // That it can only be read is told of no object that may not be seen.
                let outcome = Outcome::of(&set);
                let error = set.expect_err("no property is set that cannot be");
                let told = match expected {
                    Outcome::Absent => outcome == expected,
                    _ => error.name().ends_with(".PropertyReadOnly"),
                };
                findings.expect(told, || format!("{path} Set {interface}.{name}: {error}"));
            }
            counts.asked += 2;
            counts.refused += usize::from(read.is_err()) + 1;
        }
        let all = object.get_all().await;
        let names: BTreeSet<String> = match &all {
            Ok(all) => all.keys().cloned().collect(),
            Err(_) => BTreeSet::new(),
        };
        findings.expect(
            // Of an interface without properties everybody may read all there are.
            names == readable
                && (all.is_ok() != readable.is_empty() || members.properties.is_empty()),
            || format!("{path} GetAll: {readable:?} is expected: {all:?}"),
        );
        let shown = self.managed.get(path).and_then(|of| of.get(interface));
        let shown = shown.map(BTreeMap::keys);
        let shown: BTreeSet<String> = shown.into_iter().flatten().cloned().collect();
        findings.expect(shown == readable, || {
            format!("{path} GetManagedObjects: {readable:?} is expected: {shown:?}")
        });
    }

    /// Where there is no object, nobody is let in.
    pub async fn walk_nowhere(
        &self,
        path: &str,
        interface: &str,
        members: &Members,
        findings: &mut Findings,
    ) -> Counts {
        let object = self.client.object(path, interface);
        let mut counts = Counts::default();
        for method in &members.methods {
            let arguments = method.arguments(&Way::default());
            let answer = object.call_values(&method.name, arguments).await;
            let outcome = Outcome::of(&answer);
            findings.expect(
                outcome == Outcome::Lost || outcome == Outcome::Absent,
                || format!("{path} {interface}.{}: {answer:?}", method.name),
            );
            counts.asked += 1;
            counts.refused += 1;
        }
        for property in &members.properties {
            let read = object.get::<OwnedVariant>(&property.name).await;
            findings.expect(read.is_err(), || format!("{path} {PROPERTIES}: {read:?}"));
            counts.asked += 1;
            counts.refused += 1;
        }
        counts
    }
}

/// The action of this permission on the objects of an interface.
#[must_use]
pub fn action_of(interface: &str, permission: &str) -> String {
    let class = match interface {
        "org.libvirt.Connect" => "connect",
        "org.libvirt.Interface" => "interface",
        "org.libvirt.NWFilter" => "nwfilter",
        "org.libvirt.NWFilterBinding" => "nwfilter-binding",
        "org.libvirt.Network" => "network",
        "org.libvirt.NetworkPort" => "network-port",
        "org.libvirt.NodeDevice" => "node-device",
        "org.libvirt.Secret" => "secret",
        "org.libvirt.StoragePool" => "storage-pool",
        "org.libvirt.StorageVol" => "storage-vol",
        // Snapshots and checkpoints belong to their domains.
        _ => "domain",
    };
    format!("org.libvirt.api.{class}.{permission}")
}
