//! A caller to whom a rule shows one domain: that one is everywhere it should be, and nothing else is anywhere.

use std::collections::BTreeSet;

use zbus::OwnedObjectPath;

use super::introspection::{Members, Way};
use super::members::{Counts, Walker};
use super::policy::Policy;
use super::{Findings, Managed, Outcome, ROOT, children, managed};
use crate::client::{CONNECT, CallError, Client, DOMAIN, MANAGER, Object};

/// What the caller is shown, and what there is besides.
#[derive(Debug)]
pub struct Shown<'a> {
    /// The caller's connection.
    pub client: &'a Client,
    /// The path of the domain.
    pub domain: &'a str,
    /// Interface and path of everything there is, as root sees it.
    pub all: &'a [(String, String)],
}

/// Whether everybody sees the objects of an interface.
fn is_of_everybody(interface: &str) -> bool {
    interface == CONNECT || interface == MANAGER
}

impl Shown<'_> {
    /// Whether an object is the domain or a part of it; connections are seen by everybody.
    #[must_use]
    pub fn is_seen(&self, interface: &str, path: &str) -> bool {
        let last = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
        is_of_everybody(interface)
            || (self.is_of_node(path) && last(path).starts_with(&last(self.domain)))
    }

    fn is_of_node(&self, path: &str) -> bool {
        path.split('/').nth(3) == self.domain.split('/').nth(3)
    }

    /// Looks in all places where objects are shown.
    ///
    /// # Errors
    /// A refusal of what anybody may ask.
    pub async fn in_lists(&self, findings: &mut Findings) -> Result<(), CallError> {
        let expected: BTreeSet<String> = self
            .all
            .iter()
            .filter(|(interface, path)| {
                !is_of_everybody(interface) && self.is_seen(interface, path)
            })
            .map(|(_, path)| path.clone())
            .collect();
        assert!(expected.len() >= 2, "there is too little of the domain");
        let nodes = children(self.client, ROOT).await?;
        assert!(nodes.len() > 1, "there is one connection only");
        let below = |node: &str| -> BTreeSet<String> {
            let within = format!("{node}/");
            let there = expected.iter().filter(|path| path.starts_with(&within));
            there.cloned().collect()
        };

        let objects = |managed: Managed| -> BTreeSet<String> {
            let paths = managed.into_keys();
            paths.filter(|path| !nodes.contains(path)).collect()
        };
        let shown = objects(managed(self.client, ROOT).await?);
        findings.expect(shown == expected, || format!("managed objects: {shown:?}"));
        for node in &nodes {
            let expected = below(node);
            let shown = objects(managed(self.client, node).await?);
            findings.expect(shown == expected, || format!("of {node}: {shown:?}"));
            let mut shown = BTreeSet::new();
            for folder in children(self.client, node).await? {
                shown.extend(children(self.client, &folder).await?);
            }
            findings.expect(shown == expected, || format!("below {node}: {shown:?}"));
            self.listed(node, &expected, findings).await;
        }
        Ok(())
    }

    /// The lists of a connection, and its statistics.
    async fn listed(&self, node: &str, expected: &BTreeSet<String>, findings: &mut Findings) {
        let connection = self.client.object(node, CONNECT);
        let domains: BTreeSet<String> = expected
            .iter()
            .filter(|path| path.contains("/domain/"))
            .cloned()
            .collect();
        for list in [
            "ListDomains",
            "ListInterfaces",
            "ListNetworks",
            "ListNodeDevices",
            "ListNWFilterBindings",
            "ListNWFilters",
            "ListSecrets",
            "ListStoragePools",
        ] {
            let answer: Result<Vec<OwnedObjectPath>, _> = connection.call(list, &(0_u32,)).await;
            let shown = match answer {
                Ok(paths) => paths.iter().map(ToString::to_string).collect(),
                Err(error) if error.name().ends_with(".NoSupport") => BTreeSet::new(),
                Err(error) => {
                    findings.expect(false, || format!("{node} {list}: {error}"));
                    continue;
                }
            };
            let wanted = if list == "ListDomains" {
                domains.clone()
            } else {
                BTreeSet::new()
            };
            findings.expect(shown == wanted, || format!("{node} {list}: {shown:?}"));
        }
        type Statistics = Vec<(
            String,
            std::collections::HashMap<String, zbus::OwnedVariant>,
        )>;
        let statistics: Result<(Statistics,), _> =
            connection.call("GetAllDomainStats", &(0_u32, 0_u32)).await;
        let fits = statistics
            .as_ref()
            .is_ok_and(|(statistics,)| statistics.len() == domains.len());
        findings.expect(fits, || format!("{node} statistics: {statistics:?}"));
    }

    /// Every member of everything that is hidden answers as if it were not there.
    pub async fn hidden(
        &self,
        documents: &std::collections::BTreeMap<String, Members>,
        managed: &Managed,
        findings: &mut Findings,
    ) -> Counts {
        let mut policy = Policy::default();
        policy.change("+org.libvirt.unix.monitor");
        let walker = Walker {
            client: self.client,
            policy: &policy,
            managed,
        };
        let mut sum = Counts::default();
        for (interface, path) in self.all {
            if self.is_seen(interface, path) {
                continue;
            }
            let counts = walker
                .walk(path, interface, &documents[interface], findings)
                .await;
            sum.asked += counts.asked;
            sum.refused += counts.refused;
        }
        sum
    }

    /// Whatever reads of the domain and its parts is let in.
    pub async fn reads(
        &self,
        documents: &std::collections::BTreeMap<String, Members>,
        findings: &mut Findings,
    ) {
        for (interface, path) in self.all {
            if is_of_everybody(interface) || !self.is_seen(interface, path) {
                continue;
            }
            let object = self.client.object(path, interface);
            let reading = |needs: &[super::introspection::Need]| {
                let mut needed = needs.iter().filter(|need| Way::default().needs(need));
                needed
                    .all(|need| need.action.ends_with(".read") || need.action.ends_with(".getattr"))
            };
            for method in &documents[interface].methods {
                if !reading(&method.needs) {
                    continue;
                }
                let arguments = method.arguments(&Way::default());
                let answer = object.call_values(&method.name, arguments).await;
                let outcome = Outcome::of(&answer);
                let fits = matches!(outcome, Outcome::LetIn | Outcome::Absent);
                findings.expect(fits, || format!("{path} {}: {answer:?}", method.name));
            }
            let all = object.get_all().await;
            let count = documents[interface].properties.len();
            findings.expect(all.as_ref().is_ok_and(|all| all.len() == count), || {
                format!("{path} GetAll: {all:?}")
            });
        }
    }

    /// A search for what is hidden is answered with the very words of a search for what is not there.
    pub async fn searches(&self, findings: &mut Findings) {
        let node = self.domain.split("/domain/").next().unwrap_or_default();
        let connection = self.client.object(node, CONNECT);
        for (search, hidden, missing) in [
            ("DomainLookupByName", "other", "nobody"),
            ("NetworkLookupByName", "default", "nothing"),
            (
                "NetworkLookupByUUID",
                "dd8fe884-6c02-601e-7551-cca97df1c5df",
                "00000000-6c02-601e-7551-cca97df1c5df",
            ),
            ("InterfaceLookupByName", "eth1", "eth7"),
            (
                "InterfaceLookupByMAC",
                "aa:bb:cc:dd:ee:ff",
                "aa:bb:cc:dd:ee:00",
            ),
            ("NodeDeviceLookupByName", "computer", "calculator"),
            ("StoragePoolLookupByName", "default-pool", "other-pool"),
            (
                "StoragePoolLookupByUUID",
                "dfe224cb-28fb-8dd0-c4b2-64eb3f0f4566",
                "00000000-28fb-8dd0-c4b2-64eb3f0f4566",
            ),
            (
                "StoragePoolLookupByTargetPath",
                "/default-pool",
                "/other-pool",
            ),
            (
                "StorageVolLookupByPath",
                "/default-pool/disk",
                "/default-pool/none",
            ),
            (
                "StorageVolLookupByKey",
                "/default-pool/disk",
                "/default-pool/none",
            ),
        ] {
            alike(&connection, search, (hidden, missing), findings).await;
        }
        let hidden = self
            .all
            .iter()
            .find(|(interface, path)| interface == DOMAIN && !self.is_seen(interface, path));
        let (_, hidden) = hidden.expect("a domain is hidden");
        let element = hidden.rsplit('/').next().unwrap_or_default();
        let uuid = element.trim_start_matches('_').replace('_', "-");
        let node = hidden.split("/domain/").next().unwrap_or_default();
        let connection = self.client.object(node, CONNECT);
        let made_up = "00000000-1111-2222-3333-444444444444";
        alike(
            &connection,
            "DomainLookupByUUID",
            (&uuid, made_up),
            findings,
        )
        .await;

        // By paths, which hold a UUID.
        let state = async |uuid: &str| {
            let path = format!("{node}/domain/_{}", uuid.replace('-', "_"));
            let object = self.client.object(&path, DOMAIN);
            let answer: Result<(i32, i32), _> = object.call("GetState", &(0_u32,)).await;
            answer.map(drop)
        };
        same(
            "the path of a domain",
            (state(&uuid).await, &uuid),
            (state(made_up).await, made_up),
            findings,
        );
        let granted = self.client.object(self.domain, DOMAIN);
        alike(
            &granted,
            "SnapshotLookupByName",
            ("unseen", "nothing"),
            findings,
        )
        .await;
    }
}

async fn alike(
    object: &Object,
    search: &str,
    (hidden, missing): (&str, &str),
    findings: &mut Findings,
) {
    let find = async |what: &str| {
        let found: Result<OwnedObjectPath, _> = match search {
            "SnapshotLookupByName" => object.call(search, &(what, 0_u32)).await,
            _ => object.call(search, &(what,)).await,
        };
        found.map(drop)
    };
    same(
        search,
        (find(hidden).await, hidden),
        (find(missing).await, missing),
        findings,
    );
}

/// Two refusals that must tell the same but for what was looked for.
fn same(
    what: &str,
    (hidden, by): (Result<(), CallError>, &str),
    (missing, name): (Result<(), CallError>, &str),
    findings: &mut Findings,
) {
    let fits = match (&hidden, &missing) {
        (Err(hidden), Err(missing)) => {
            hidden.name() == missing.name()
                && hidden.to_string().replace(by, name) == missing.to_string()
                && Outcome::of(&Err::<(), _>(hidden.clone())) == Outcome::Absent
        }
        _ => false,
    };
    findings.expect(fits, || {
        format!("{what}: hidden: {hidden:?}; not there: {missing:?}")
    });
}
