//! Where the driver keeps its files, which programs it runs, and how long it waits.

use std::path::{Path, PathBuf};
use std::time::Duration;

/// What a driver is opened with.
#[derive(Debug, Clone)]
pub struct Config {
    /// Its directories.
    pub dirs: Dirs,
    /// The programs that it runs.
    pub programs: Programs,
    /// By what packets are filtered and translated.
    pub backend: Backend,
    /// How long it waits.
    pub timeouts: Timeouts,
    /// Whether a network `default` is made when the driver is opened for the first time.
    pub default_network: bool,
}

impl Config {
    /// With these directories, and all else as it usually is.
    #[must_use]
    pub fn new(dirs: Dirs) -> Self {
        Self {
            dirs,
            programs: Programs::default(),
            backend: Backend::Nftables,
            timeouts: Timeouts::default(),
            default_network: false,
        }
    }
}

/// Directories, each the driver's own and made when it is first needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dirs {
    /// Definitions, and links to those that start with the host: `/etc/virtbus/network`.
    pub config: PathBuf,
    /// What DHCP and DNS servers read, and their leases, which outlive the host's reboots: `/var/lib/virtbus/network`. The servers' user
    /// must be able to enter it.
    pub state: PathBuf,
    /// What is true until the next boot: `/run/virtbus/network`.
    pub run: PathBuf,
}

/// The programs, by absolute paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Programs {
    /// Makes bridges and gives them addresses (iproute2).
    pub ip: PathBuf,
    /// Limits bandwidth (iproute2).
    pub tc: PathBuf,
    /// Filters packets.
    pub nft: PathBuf,
    /// Filters IPv4 packets.
    pub iptables: PathBuf,
    /// Filters IPv6 packets.
    pub ip6tables: PathBuf,
    /// Serves DHCP and DNS.
    pub dnsmasq: PathBuf,
}

/// Where programs of the system are.
const PLACES: [&str; 4] = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"];

impl Default for Programs {
    /// Where the host has them; in `/usr/sbin` what it does not have.
    fn default() -> Self {
        let find = |name: &str| {
            let place = |dir: &&str| Path::new(dir).join(name);
            let found = PLACES.iter().map(&place).find(|path| path.exists());
            found.unwrap_or_else(|| place(&PLACES[0]))
        };
        Self {
            ip: find("ip"),
            tc: find("tc"),
            nft: find("nft"),
            iptables: find("iptables"),
            ip6tables: find("ip6tables"),
            dnsmasq: find("dnsmasq"),
        }
    }
}

/// By what packets are filtered and translated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    /// nftables.
    Nftables,
    /// iptables and ip6tables.
    Iptables,
}

/// How long is waited for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// For other work on the same network.
    pub job: Duration,
    /// For a program, such as `ip` or `nft`.
    pub program: Duration,
    /// For a DHCP and DNS server to end when it is told to, before it is killed.
    pub quit: Duration,
    /// For the disk.
    pub disk: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            job: Duration::from_secs(30),
            program: Duration::from_secs(20),
            quit: Duration::from_secs(5),
            disk: Duration::from_secs(30),
        }
    }
}
