//! Bridges of networks: made, given addresses and routes, and removed.
//!
//! All that is done to one is told to `ip` in two runs, since the kernel's settings of the interface have to be made between its making and
//! its first address.

use std::fmt::Write as _;

use virtbus_api::{Error, ErrorCode, ErrorDomain, Result};
use virtbus_conf_base::OnOff;
use virtbus_conf_base::common::{Ip, Mac, MacTableManager, Route};
use virtbus_conf_host::network::{ForwardMode, Network, NetworkIp};

use super::{links, on_disk, run};
use crate::config::Config;
use crate::error::{refused, while_doing};

/// The kernel counts delays of bridges in hundredths of a second.
const DELAY_UNIT: u64 = 100;
/// The longest delay that the kernel takes, seconds.
const LONGEST_DELAY: u64 = 30;

/// A network's bridge.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bridge<'a> {
    pub(crate) name: &'a str,
    pub(crate) mac: Mac,
    pub(crate) network: &'a Network,
}

/// The length of the network that a route leads to.
pub(crate) fn route_prefix(route: &Route) -> u32 {
    let by_class = || match route.address.0 {
        address if address.is_unspecified() => 0,
        std::net::IpAddr::V6(_) => 64,
        std::net::IpAddr::V4(v4) => match v4.octets()[0] {
            0..=127 => 8,
            128..=191 => 16,
            192..=223 => 24,
            _ => 32,
        },
    };
    let mask = route.netmask.and_then(Ip::as_netmask);
    route.prefix.or(mask).unwrap_or_else(by_class)
}

impl Bridge<'_> {
    fn has_ipv6(&self) -> bool {
        self.network.ip.iter().any(NetworkIp::is_ipv6)
    }

    /// What makes it.
    fn making(&self) -> String {
        let settings = self.network.bridge.as_ref();
        let stp = settings.and_then(|settings| settings.stp) != Some(OnOff::Off);
        let delay = settings.and_then(|settings| settings.delay).unwrap_or(0);
        let delay = delay.min(LONGEST_DELAY) * DELAY_UNIT;
        let mut line = format!("link add name {} address {}", self.name, self.mac);
        let write = |line: &mut String, text: std::fmt::Arguments<'_>| {
            line.write_fmt(text)
                .expect("writing to a String cannot fail");
        };
        if let Some(mtu) = self.network.mtu {
            write(&mut line, format_args!(" mtu {mtu}"));
        }
        let stp = u8::from(stp);
        write(
            &mut line,
            format_args!(" type bridge forward_delay {delay} stp_state {stp}"),
        );
        if settings.and_then(|one| one.mac_table_manager) == Some(MacTableManager::Libvirt) {
            line.push_str(" vlan_filtering 1");
        }
        line.push('\n');
        line
    }

    /// What gives it addresses and routes and brings it up.
    fn addressing(&self) -> String {
        let mut lines = String::new();
        let name = self.name;
        let mut line = |text: String| {
            lines.push_str(&text);
            lines.push('\n');
        };
        for ip in &self.network.ip {
            let Some((address, prefix)) = ip.network() else {
                continue;
            };
            // Nobody answers on a bridge without ports, so a look for who else has the address would never end.
            let more = if ip.is_ipv6() { "nodad" } else { "broadcast +" };
            line(format!("address add {address}/{prefix} {more} dev {name}"));
        }
        line(format!("link set dev {name} up"));
        for route in &self.network.route {
            let (address, prefix) = (route.address, route_prefix(route));
            let metric = route.metric.unwrap_or(1);
            line(format!(
                "route add {address}/{prefix} via {} dev {name} proto static metric {metric}",
                route.gateway
            ));
        }
        lines
    }

    /// Makes it. Whatever has its name already stays as it is.
    pub(crate) async fn make(&self, config: &Config) -> Result<()> {
        batch(config, self.making())
            .await
            .map_err(|error| while_doing(&format!("making the bridge '{}'", self.name), error))?;
        let settings = self.settings();
        on_disk(config, move || settings.iter().try_for_each(Setting::write)).await
    }

    /// Has it be an address of the host, and the host forward packets if the network wants that.
    pub(crate) async fn bring_up(&self, config: &Config) -> Result<()> {
        let settings = self.forwarding();
        on_disk(config, move || settings.iter().try_for_each(Setting::write)).await?;
        let brought = batch(config, self.addressing()).await;
        brought.map_err(|error| {
            while_doing(
                &format!("giving the bridge '{}' its addresses and routes", self.name),
                error,
            )
        })
    }

    /// IPv6 is off where the network has none; a bridge takes no addresses from what guests announce.
    fn settings(&self) -> Vec<Setting> {
        let of = |name: &str, value| Setting {
            path: format!("/proc/sys/net/ipv6/conf/{}/{name}", self.name),
            value,
            is_optional: true,
        };
        if self.has_ipv6() {
            vec![
                of("disable_ipv6", "0"),
                of("accept_ra", "0"),
                of("autoconf", "0"),
            ]
        } else {
            vec![of("disable_ipv6", "1")]
        }
    }

    fn forwarding(&self) -> Vec<Setting> {
        let mode = self.network.forward.as_ref().map(|forward| forward.mode);
        let mut settings = Vec::new();
        if !mode.is_some_and(ForwardMode::has_own_bridge) {
            return settings;
        }
        let of = |path: &str| Setting {
            path: format!("/proc/sys/net/{path}"),
            value: "1",
            is_optional: false,
        };
        if self.network.ip.iter().any(|ip| !ip.is_ipv6()) {
            settings.push(of("ipv4/ip_forward"));
        }
        if self.has_ipv6() {
            settings.push(of("ipv6/conf/all/forwarding"));
        }
        settings
    }
}

/// A setting of the kernel.
struct Setting {
    path: String,
    value: &'static str,
    /// It may be absent: a kernel without IPv6 has none of its settings.
    is_optional: bool,
}

impl Setting {
    fn write(&self) -> Result<()> {
        let there = std::fs::read_to_string(&self.path);
        if there.is_ok_and(|there| there.trim() == self.value) {
            return Ok(());
        }
        match std::fs::write(&self.path, self.value) {
            Err(error) if self.is_optional && error.kind() == std::io::ErrorKind::NotFound => {
                Ok(())
            }
            written => written.map_err(|error| {
                Error::new(
                    ErrorCode::SystemError,
                    ErrorDomain::Network,
                    format!("'{}' cannot be set to {}: {error}", self.path, self.value),
                )
            }),
        }
    }
}

/// Whether the bridge that was made with this address is there.
pub(crate) async fn is_ours(config: &Config, name: &str, mac: &str) -> Result<bool> {
    let (name, mac) = (name.to_owned(), mac.to_owned());
    on_disk(config, move || {
        Ok(links::mac(&name)?.is_some_and(|there| there.to_string() == mac))
    })
    .await
}

/// Removes the bridge that was made with this address; another one of its name is left alone.
pub(crate) async fn remove(config: &Config, name: &str, mac: &str) -> Result<()> {
    if !is_ours(config, name, mac).await? {
        return Ok(());
    }
    let removed = batch(config, format!("link delete dev {name} type bridge\n")).await;
    removed.map_err(|error| while_doing(&format!("removing the bridge '{name}'"), error))
}

/// Refuses a name that an interface of the host has.
pub(crate) fn check_free(name: &str) -> Result<()> {
    if !links::exists(name) {
        return Ok(());
    }
    Err(refused(
        ErrorCode::OperationFailed,
        format!("the host has an interface '{name}' already, which is not the bridge of a network"),
    ))
}

async fn batch(config: &Config, lines: String) -> Result<()> {
    let program = &config.programs.ip;
    let ran = run(
        program,
        ["-batch", "-"],
        Some(lines),
        config.timeouts.program,
    )
    .await;
    ran.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(inner: &str) -> (String, String) {
        let network = Network::parse(&format!("<network><name>n</name>{inner}</network>")).unwrap();
        let bridge = Bridge {
            name: "virbr3",
            mac: Mac::parse("52:54:00:01:02:03").unwrap(),
            network: &network,
        };
        (bridge.making(), bridge.addressing())
    }

    #[test]
    fn ip_is_told_all_that_the_definition_says() {
        let (making, addressing) = told(
            "<bridge stp='off' delay='4' macTableManager='libvirt'/><mtu size='1300'/>\
             <ip address='10.1.2.3' netmask='255.255.0.0'/>\
             <ip family='ipv6' address='fd00::1' prefix='64'/>\
             <route address='10.9.0.0' prefix='16' gateway='10.1.2.9' metric='7'/>\
             <route family='ipv6' address='fd09::' prefix='48' gateway='fd00::9'/>",
        );
        assert_eq!(
            making,
            "link add name virbr3 address 52:54:00:01:02:03 mtu 1300 type bridge forward_delay 400 stp_state 0 vlan_filtering 1\n"
        );
        let expected = "address add 10.1.2.3/16 broadcast + dev virbr3\n\
                        address add fd00::1/64 nodad dev virbr3\n\
                        link set dev virbr3 up\n\
                        route add 10.9.0.0/16 via 10.1.2.9 dev virbr3 proto static metric 7\n\
                        route add fd09::/48 via fd00::9 dev virbr3 proto static metric 1\n";
        assert_eq!(addressing, expected);
        let (making, addressing) = told("");
        assert_eq!(
            making,
            "link add name virbr3 address 52:54:00:01:02:03 type bridge forward_delay 0 stp_state 1\n"
        );
        assert_eq!(addressing, "link set dev virbr3 up\n");
    }
}
