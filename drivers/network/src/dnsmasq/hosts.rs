//! Hosts with fixed addresses, and names that the server answers with: the two files that it reads again when it is told to.

use std::fmt::Write as _;

use virtbus_conf_base::Text;
use virtbus_conf_host::network::{Dhcp, DhcpHost, Dns, Lease, LeaseUnit};

/// The lines of the hosts that the DHCP server knows.
pub(super) fn dhcp(dhcp: &Dhcp, ipv6: bool, out: &mut String) {
    for host in &dhcp.host {
        let Some(address) = host.ip else { continue };
        let name = host.name.as_deref().map(str::to_owned);
        let fields = if ipv6 {
            let id = host.id.as_deref().map(|id| format!("id:{id}"));
            [id, name, Some(format!("[{address}]"))]
        } else {
            [macs(host), Some(address.to_string()), name]
        };
        let fields = fields.into_iter().chain([host.lease.map(time)]);
        let fields: Vec<String> = fields.flatten().collect();
        out.push_str(&fields.join(","));
        out.push('\n');
    }
}

/// The Ethernet addresses of one host, without blanks in between.
fn macs(host: &DhcpHost) -> Option<String> {
    let macs: Vec<&str> = host.mac.as_deref()?.split(',').map(str::trim).collect();
    Some(macs.join(","))
}

/// How long an address is kept.
pub(super) fn time(lease: Lease) -> String {
    let unit = match lease.unit {
        _ if lease.expiry == 0 => return "infinite".to_owned(),
        LeaseUnit::Seconds => 's',
        LeaseUnit::Minutes => 'm',
        LeaseUnit::Hours => 'h',
    };
    format!("{}{unit}", lease.expiry)
}

/// The lines of names and addresses for the DNS server, as in `/etc/hosts`.
pub(super) fn dns(dns: &Dns) -> String {
    let mut out = String::new();
    for host in &dns.host {
        let Some(address) = host.ip else { continue };
        let names: Vec<&str> = host.hostname.iter().map(Text::as_str).collect();
        writeln!(out, "{address}\t{}", names.join("\t")).expect("writing to a String cannot fail");
    }
    out
}
