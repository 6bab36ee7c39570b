//! A host in namespaces of its own, and guests on it.

use std::future::Future;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tempfile::TempDir;
use virtbus_api::event::{Event, EventListener};
use virtbus_api::network::{NetworkDefineFlags, NetworkEvent, NetworkId, NetworkView, Networks};
use virtbus_api::providers::Subsystem;
use virtbus_network::{Backend, Config, Dirs, NetworkDriver};
use virtbus_skip::or_skip;
use virtbus_util::cmd::Cmd;

/// Set for a test that is inside.
const INSIDE: &str = "VIRTBUS_INSIDE_NAMESPACES";
/// The whole test has so long.
const LIMIT: Duration = Duration::from_secs(300);
/// Anything that is waited for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap()
}

/// Whether namespaces can be made, and the programs are there.
async fn needs(programs: &[&str]) -> Result<(), String> {
    for program in programs {
        if !Path::new(program).exists() {
            return Err(format!("needs {program}"));
        }
    }
    let mut probe = Cmd::new("/usr/bin/unshare");
    probe.args(["-n", "-m", "-p", "-f", "/bin/true"]);
    match probe.run(PATIENCE).await {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("needs to make namespaces: {error}")),
    }
}

/// Runs `body` in namespaces of its own, in which there is a host; `name` is the name of the test.
pub(crate) fn in_namespaces<F: Future<Output = ()>>(name: &str, body: impl FnOnce(Host) -> F) {
    if std::env::var_os(INSIDE).is_some() {
        runtime().block_on(async {
            let host = Host::new().await;
            let dir = host.dir.path().to_owned();
            body(host).await;
            drop(dir);
        });
        return;
    }
    let programs = [
        "/usr/bin/unshare",
        "/usr/sbin/ip",
        "/usr/sbin/nft",
        "/usr/sbin/iptables",
        "/usr/sbin/dnsmasq",
        "/bin/busybox",
        "/usr/bin/python3",
    ];
    or_skip!(runtime().block_on(needs(&programs)));
    runtime().block_on(async {
        let this = std::env::current_exe().unwrap();
        let mut cmd = Cmd::new("/usr/bin/unshare");
        cmd.args(["-n", "-m", "-p", "-f", "--kill-child", "--mount-proc", "--"]);
        cmd.arg(this);
        cmd.args([name, "--exact", "--nocapture", "--test-threads=1"]);
        cmd.env(INSIDE, "1");
        if let Some(log) = std::env::var_os("RUST_LOG") {
            cmd.env("RUST_LOG", log);
        }
        let output = cmd.output(LIMIT).await.unwrap();
        let (said, told) = (output.stdout_text(), output.stderr_text());
        assert!(output.status.is_success(), "{said}\n{told}");
        assert!(
            said.contains("1 passed"),
            "no test is called '{name}': {said}"
        );
    });
}

/// Runs a line of shell; what it wrote.
pub(crate) async fn sh(line: &str) -> String {
    let (succeeded, said) = try_sh(line).await;
    assert!(succeeded, "{line}: {said}");
    said
}

/// Runs a line of shell; whether it succeeded, and what it wrote.
pub(crate) async fn try_sh(line: &str) -> (bool, String) {
    let mut cmd = Cmd::new("/bin/sh");
    cmd.args(["-c", line]);
    let output = cmd.output(PATIENCE).await.unwrap();
    let said = format!("{}{}", output.stdout_text(), output.stderr_text());
    (output.status.is_success(), said)
}

/// The host, which is this network namespace.
pub(crate) struct Host {
    pub(crate) dir: TempDir,
}

impl Host {
    async fn new() -> Self {
        // Of this mount namespace only.
        sh("mount -t sysfs sysfs /sys && mount -t tmpfs tmpfs /run && mount -t tmpfs tmpfs /tmp && chmod 1777 /tmp").await;
        sh("ip link set lo up").await;
        let dir = tempfile::tempdir().unwrap();
        // Servers read there as a user of their own.
        sh(&format!("chmod 0755 {}", dir.path().display())).await;
        Self { dir }
    }

    pub(crate) fn config(&self) -> Config {
        let place = |name: &str| self.dir.path().join(name);
        Config::new(Dirs {
            config: place("config"),
            state: place("state"),
            run: place("run"),
        })
    }

    pub(crate) async fn open(&self) -> Arc<NetworkDriver> {
        NetworkDriver::open(self.config()).await.unwrap()
    }

    pub(crate) async fn open_with(&self, backend: Backend) -> Arc<NetworkDriver> {
        let config = Config {
            backend,
            ..self.config()
        };
        NetworkDriver::open(config).await.unwrap()
    }

    /// A guest on a bridge, with this Ethernet address.
    pub(crate) async fn guest(&self, name: &str, bridge: &str, mac: &str) -> Guest {
        let guest = Guest {
            name: name.to_owned(),
        };
        sh(&format!(
            "ip netns add {name} && ip link add tap-{name} type veth peer name eth0 netns {name} address {mac} && \
             ip link set tap-{name} master {bridge} up && ip -n {name} link set lo up && ip -n {name} link set eth0 up"
        ))
        .await;
        let script = self.dir.path().join("udhcpc");
        let text = "#!/bin/sh\n[ \"$1\" = bound ] || exit 0\nip addr add $ip/$mask dev $interface\n\
                    [ -z \"$router\" ] || ip route add default via $router\necho bound $ip\n";
        std::fs::write(&script, text).unwrap();
        sh(&format!("chmod 0755 {}", script.display())).await;
        guest
    }

    /// A namespace that stands for the outside: it has 192.0.2.2, and the host 192.0.2.1 on `up0`.
    pub(crate) async fn outside(&self) -> Guest {
        sh("ip netns add outside && ip link add up0 type veth peer name eth0 netns outside && \
            ip addr add 192.0.2.1/24 dev up0 && ip link set up0 up && ip -n outside link set lo up && \
            ip -n outside addr add 192.0.2.2/24 dev eth0 && ip -n outside link set eth0 up")
        .await;
        Guest {
            name: "outside".to_owned(),
        }
    }
}

/// A namespace that stands for a guest.
pub(crate) struct Guest {
    name: String,
}

impl Guest {
    pub(crate) async fn run(&self, line: &str) -> (bool, String) {
        try_sh(&format!("ip netns exec {} {line}", self.name)).await
    }

    /// Asks for an address by DHCP; the address.
    pub(crate) async fn dhcp(&self, host: &Host) -> String {
        let script = host.dir.path().join("udhcpc");
        let line = format!(
            "busybox udhcpc -i eth0 -n -q -t 10 -T 1 -s {}",
            script.display()
        );
        let (succeeded, said) = self.run(&line).await;
        assert!(succeeded, "{said}");
        let bound = said.lines().find_map(|line| line.strip_prefix("bound "));
        bound.unwrap_or_else(|| panic!("{said}")).to_owned()
    }

    /// Whether an address answers.
    pub(crate) async fn reaches(&self, address: &str) -> bool {
        self.run(&format!("busybox ping -c 1 -W 2 {address}"))
            .await
            .0
    }

    /// Whether an address answers at last: neighbours and bridges need a moment.
    pub(crate) async fn comes_to_reach(&self, address: &str) {
        until(&format!("{address} is reached"), || self.reaches(address)).await;
    }
}

/// Waits until something holds.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let waited = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, waited).await;
    waited.unwrap_or_else(|_| panic!("it never came: {what}"));
}

/// Defines a network and starts it.
pub(crate) async fn start(driver: &NetworkDriver, xml: &str) -> NetworkId {
    let view = define(driver, xml).await;
    driver.create(&view.id).await.unwrap();
    view.id.clone()
}

pub(crate) async fn define(driver: &NetworkDriver, xml: &str) -> Arc<NetworkView> {
    driver
        .define_xml(xml, NetworkDefineFlags::empty())
        .await
        .unwrap()
}

/// A network with DHCP: `10.N.0.0/24` on the bridge `brN`.
pub(crate) fn network(number: u8, forward: &str, more: &str) -> String {
    format!(
        "<network><name>n{number}</name>{forward}<bridge name='br{number}' stp='off'/>\
         <ip address='10.{number}.0.1' netmask='255.255.255.0'><dhcp>\
         <range start='10.{number}.0.100' end='10.{number}.0.199'/>\
         <host mac='52:54:00:00:00:0{number}' name='host{number}' ip='10.{number}.0.50'/></dhcp></ip>{more}</network>"
    )
}

/// Everything that was told, in order.
#[derive(Default)]
pub(crate) struct Heard(Mutex<Vec<String>>);

impl Heard {
    /// Listens to a driver for as long as there is it.
    pub(crate) fn to(driver: &NetworkDriver) -> Arc<Self> {
        let heard = Arc::new(Self::default());
        driver.events().subscribe(heard.clone()).keep();
        heard
    }

    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl EventListener for Heard {
    fn event(&self, event: &Event) {
        let text = match event {
            Event::Changed { before, after } => {
                let sign = match (before, after) {
                    (None, _) => "+",
                    (_, None) => "-",
                    _ => "~",
                };
                let view = after.as_ref().or(before.as_ref()).unwrap();
                format!("{sign}{:?}", view.kind())
            }
            Event::Network(_, NetworkEvent::Lifecycle(what)) => format!("{what:?}"),
            Event::Network(_, other) => format!("{other:?}"),
            other => format!("{other:?}"),
        };
        self.0.lock().unwrap().push(text);
    }
}
