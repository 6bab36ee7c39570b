//! The leases that a DHCP server has given, as it writes them down.
//!
//! A line is `EXPIRY MAC ADDRESS NAME CLIENT`; behind the line `duid …` it is `EXPIRY IAID ADDRESS NAME DUID`, for IPv6. What is not known is
//! a `*`.

use std::net::IpAddr;

use virtbus_api::domain::IpAddressFamily;
use virtbus_api::network::DhcpLease;
use virtbus_conf_base::common::{Ip, Mac};
use virtbus_conf_host::network::{Network, NetworkIp};

/// A file of leases is not longer than this, bytes.
pub(crate) const LONGEST: u64 = 16 << 20;

/// The leases in a file, of a network whose server listens on `interface`. Lines that are none are left out: the server may be writing.
pub(crate) fn parse(text: &str, network: &Network, interface: &str) -> Vec<DhcpLease> {
    let lines = text.lines();
    let leases = lines.filter_map(|line| lease(line, network, interface));
    leases.collect()
}

fn lease(line: &str, network: &Network, interface: &str) -> Option<DhcpLease> {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let [expiry, who, address, name, client] = *words.as_slice() else {
        return None;
    };
    let expiry = expiry.parse().ok()?;
    let address = Ip(address.parse::<IpAddr>().ok()?);
    let known = |word: &str| (word != "*").then(|| word.to_owned());
    let is_ipv6 = address.0.is_ipv6();
    let (kind, mac, iaid) = if is_ipv6 {
        let mac = mac_of(client).map(|mac| mac.to_string());
        // Leases of temporary addresses are marked.
        let iaid = who.trim_start_matches('T').to_owned();
        (IpAddressFamily::Ipv6, mac.unwrap_or_default(), Some(iaid))
    } else {
        // Of what is no Ethernet, the kind stands before the address.
        let mac = who.rsplit('-').next().unwrap_or(who);
        (IpAddressFamily::Ipv4, mac.to_owned(), None)
    };
    let networks = network.ip.iter().filter_map(NetworkIp::network);
    let within = networks
        .filter(|(ip, _)| ip.family() == address.family())
        .find(|(ip, prefix)| ip.network(*prefix) == address.network(*prefix));
    Some(DhcpLease {
        interface: interface.to_owned(),
        expiry,
        kind,
        mac,
        iaid,
        address: address.to_string(),
        prefix: within.map_or(address.bits(), |(_, prefix)| prefix),
        hostname: known(name),
        client_id: known(client),
    })
}

/// The Ethernet address in an identifier that is made of one: types 1 (with a time) and 3 of RFC 8415, for Ethernet.
fn mac_of(duid: &str) -> Option<Mac> {
    let bytes: Option<Vec<u8>> = duid
        .split(':')
        .map(|byte| u8::from_str_radix(byte, 16).ok())
        .collect();
    let mac = match bytes?.as_slice() {
        [0, 1, 0, 1, _, _, _, _, mac @ ..] | [0, 3, 0, 1, mac @ ..] => mac.try_into().ok()?,
        _ => return None,
    };
    Some(Mac(mac))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leases_of_both_families_are_read_and_nonsense_is_left_out() {
        let network = Network::parse(
            "<network><name>n</name><ip address='10.0.0.1' prefix='22'/>\
             <ip family='ipv6' address='fd00::1' prefix='64'/></network>",
        )
        .unwrap();
        let text = "1700000000 52:54:00:00:00:07 10.0.3.9 desk 01:52:54:00:00:00:07\n\
                    0 06-52:54:00:00:00:08 10.0.3.10 * *\n\
                    half a line\n\
                    duid 00:01:00:01:2a:2b:2c:2d:52:54:00:00:00:01\n\
                    1700000001 T12345 fd00::9 * 00:03:00:01:52:54:00:00:00:07\n\
                    x y z a b\n1 2 3\n";
        let leases = parse(text, &network, "virbr0");
        assert_eq!(leases.len(), 3);
        assert_eq!(
            leases[0],
            DhcpLease {
                interface: "virbr0".into(),
                expiry: 1_700_000_000,
                kind: IpAddressFamily::Ipv4,
                mac: "52:54:00:00:00:07".into(),
                iaid: None,
                address: "10.0.3.9".into(),
                prefix: 22,
                hostname: Some("desk".into()),
                client_id: Some("01:52:54:00:00:00:07".into()),
            }
        );
        assert_eq!(
            (leases[1].expiry, leases[1].mac.as_str()),
            (0, "52:54:00:00:00:08")
        );
        assert_eq!(leases[1].hostname, None);
        let six = &leases[2];
        assert_eq!(
            (six.kind, six.mac.as_str()),
            (IpAddressFamily::Ipv6, "52:54:00:00:00:07")
        );
        assert_eq!((six.iaid.as_deref(), six.prefix), (Some("12345"), 64));
    }
}
