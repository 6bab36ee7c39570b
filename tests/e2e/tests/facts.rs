//! What is asked of host and guest beside a guest's life: the host's memory, and where a guest can be reached.

use std::collections::HashMap;
use std::process::Command;

use virtbus_tests::client::CallError;
use virtbus_tests::domain::XML_INACTIVE;
use virtbus_tests::wait::{LIMIT, wait_for_async};
use virtbus_tests::{Domain, DomainXml, GuestImage, Testbed, need, or_skip};

const LEASE: u32 = 0;
const AGENT: u32 = 1;
const ARP: u32 = 2;

/// Name, hardware address, and addresses by family and prefix.
type Interfaces = Vec<(String, String, Vec<(i32, String, u32)>)>;

async fn addresses(domain: &Domain, source: u32) -> Result<Interfaces, CallError> {
    let arguments = (source, 0_u32);
    domain.0.call("InterfaceAddresses", &arguments).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hosts_memory_is_told_as_the_kernel_counts_it() {
    let testbed = or_skip!(Testbed::start(&[]).await);
    let qemu = testbed.client.qemu();
    let stats = async |cell: i32| -> Result<HashMap<String, u64>, CallError> {
        qemu.call("NodeGetMemoryStats", &(cell, 0_u32)).await
    };
    let all = stats(-1).await.unwrap();
    let meminfo = std::fs::read_to_string("/proc/meminfo").unwrap();
    let total = meminfo.lines().find_map(|line| {
        let rest = line.strip_prefix("MemTotal:")?.trim();
        rest.strip_suffix(" kB")?.parse::<u64>().ok()
    });
    assert_eq!(all.get("total").copied(), total);
    let mut names: Vec<_> = all.keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["buffers", "cached", "free", "total"]);

    for cell in [-2, 4095] {
        let refused = stats(cell).await.unwrap_err();
        assert!(refused.is_refusal(), "{refused}");
        assert!(
            refused.to_string().contains(&format!("cell {cell}")),
            "{refused}"
        );
    }
    testbed.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guests_addresses_are_those_that_its_agent_tells() {
    let testbed = or_skip!(Testbed::with_qemu().await);
    let image = or_skip!(GuestImage::with_agent());
    let console = testbed.console("told");
    let channel =
        "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>";
    let guest = DomainXml::new("told")
        .boot(&image, "")
        .serial_file(console.path())
        .device(channel);
    let domain = testbed.define(&guest).await;
    let off = addresses(&domain, AGENT).await.unwrap_err();
    assert!(off.to_string().contains("is not running"), "{off}");

    domain.act("Create", 0).await.unwrap();
    console.wait_for("TINY-GUEST AGENT").await;
    let told = wait_for_async("the agent to answer", LIMIT, async || {
        addresses(&domain, AGENT).await.ok()
    })
    .await;
    let lo = told.iter().find(|(name, ..)| name == "lo");
    assert!(lo.is_some(), "{told:?}");
    for source in [LEASE, ARP] {
        assert_eq!(addresses(&domain, source).await.unwrap(), []);
    }
    testbed.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_channel_there_is_no_agent_to_ask() {
    let testbed = or_skip!(Testbed::with_qemu().await);
    let domain = testbed.run(&DomainXml::small("silent")).await;
    let refused = addresses(&domain, AGENT).await.unwrap_err();
    assert!(refused.to_string().contains("guest agent"), "{refused}");
    testbed.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_without_a_processor_gets_its_machines_and_boots_from_disk() {
    let testbed = or_skip!(Testbed::with_qemu().await);
    let domain = testbed.run(&DomainXml::small("plain")).await;
    for flags in [0, XML_INACTIVE] {
        let xml = domain.xml(flags).await.unwrap();
        let words = xml.split_whitespace().collect::<Vec<_>>().join(" ");
        let cpu = "<cpu mode='custom' match='exact' check='none'> <model fallback='forbid'>qemu64</model> </cpu>";
        assert!(words.contains(cpu), "{xml}");
        assert!(words.contains("<boot dev='hd'/>"), "{xml}");
    }
    testbed.end().await;
}

/// A bridge of the host's, for as long as a test needs it.
struct Bridge(String);

impl Bridge {
    fn new() -> Result<Self, String> {
        need::root()?;
        need::program("ip")?;
        let bridge = Self(format!("vbt{}", std::process::id()));
        bridge.ip(&["link", "add", &bridge.0, "type", "bridge"])?;
        Ok(bridge)
    }

    fn ip(&self, arguments: &[&str]) -> Result<(), String> {
        let output = Command::new("ip").args(arguments).output();
        let output = output.map_err(|error| format!("needs to run ip: {error}"))?;
        let said = String::from_utf8_lossy(&output.stderr);
        let done = output.status.success();
        done.then_some(())
            .ok_or_else(|| format!("needs a bridge: {}", said.trim()))
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        // What is left of a failed test is in nobody's way.
        let _ = self.ip(&["link", "delete", &self.0]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn root_a_guests_addresses_are_those_that_its_neighbours_know() {
    let bridge = or_skip!(Bridge::new());
    let testbed = or_skip!(Testbed::with_qemu().await);
    let mac = "52:54:00:5e:00:07";
    let guest = DomainXml::small("neighbour").device(&format!(
        "<interface type='bridge'><mac address='{mac}'/><source bridge='{}'/></interface>",
        bridge.0
    ));
    let domain = testbed.run(&guest).await;
    assert_eq!(addresses(&domain, ARP).await.unwrap(), Interfaces::new());
    bridge.ip(&["link", "set", &bridge.0, "up"]).unwrap();
    for (address, state) in [("192.0.2.77", "stale"), ("192.0.2.78", "failed")] {
        let device = ["dev", &bridge.0, "nud", state];
        let add = ["neighbour", "add", address, "lladdr", mac];
        let words: Vec<&str> = add.into_iter().chain(device).collect();
        bridge.ip(&words).unwrap();
    }
    let found = addresses(&domain, ARP).await.unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
    let (name, address, of) = &found[0];
    assert!(name.starts_with("vnet"), "{name}");
    assert_eq!(address, mac);
    assert_eq!(*of, [(0, "192.0.2.77".to_owned(), 0)]);
    testbed.end().await;
}
