//! Network interfaces.

use virtbus_conf_base::Result;
use virtbus_conf_domain::domain::devices::interface::{
    Interface, InterfaceBackendType, InterfaceDriver, InterfaceOptions, InterfaceSource,
    InterfaceTail,
};
use virtbus_qemu_capabilities::Cap;

use super::{Context, unsupported};

pub(super) fn check(of: Context<'_>, interface: &Interface) -> Result<()> {
    let Interface {
        source,
        trust_guest_rx_filters: _,
        mac: _,
        connection: _,
        actual: _,
        options,
        driver,
        tail,
        info: _,
        status: _,
    } = interface;
    let InterfaceTail {
        backend,
        filterref: _,
        tune: _,
        teaming: _,
        link: _,
        mtu: _,
        coalesce: _,
    } = &**tail;
    let kind = source.kind();
    let backend = backend.as_ref().and_then(|backend| backend.kind);
    let is_passt = backend == Some(InterfaceBackendType::Passt);
    match source {
        InterfaceSource::Vdpa(_) => of.need(Cap::NetdevVhostVdpa, "<interface type='vdpa'>")?,
        InterfaceSource::Vhostuser(_) => {
            if !interface.is_virtio() {
                return unsupported("an <interface type='vhostuser'> needs <model type='virtio'/>");
            }
            if is_passt {
                super::shared::needs_shared_memory(
                    of,
                    "an <interface type='vhostuser'> with <backend type='passt'/>",
                )?;
            }
        }
        InterfaceSource::Vds(_) | InterfaceSource::Null => {
            return unsupported(format!("QEMU has no <interface type='{kind}'>"));
        }
        _ => {}
    }
    by_process(source, options, is_passt)?;
    let driver = driver.as_deref();
    driver.map_or(Ok(()), |driver| queues(of, driver))
}

/// What depends on there being a process that plays the network.
fn by_process(source: &InterfaceSource, options: &InterfaceOptions, is_passt: bool) -> Result<()> {
    let InterfaceOptions {
        ip,
        port_forward,
        script: _,
        downscript: _,
        backenddomain,
        target: _,
        guest,
        model: _,
    } = options;
    let kind = source.kind();
    let is_process = matches!(
        source,
        InterfaceSource::User(_) | InterfaceSource::Vhostuser(_)
    );
    if is_passt && !is_process {
        return unsupported(format!(
            "<backend type='passt'/> is for interfaces of type 'user' and 'vhostuser', not '{kind}'"
        ));
    }
    if !port_forward.is_empty() && !is_passt {
        return unsupported(
            "<portForward> needs <backend type='passt'/> and an interface of type 'user' or 'vhostuser'",
        );
    }
    let has_ip = !ip.ip.is_empty() || !ip.route.is_empty();
    if has_ip && !is_process {
        return unsupported(format!(
            "QEMU cannot give the guest <ip> addresses or a <route> on interfaces of type '{kind}', only on those of type 'user'"
        ));
    }
    if guest.as_ref().is_some_and(|guest| guest.dev.is_some()) {
        return unsupported("QEMU cannot name the guest's device, as <guest dev='…'/> asks for");
    }
    if backenddomain.is_some() {
        return unsupported(
            "<backenddomain> of an <interface> is for Xen: QEMU's are served by the host",
        );
    }
    Ok(())
}

fn queues(of: Context<'_>, driver: &InterfaceDriver) -> Result<()> {
    for (name, size) in [
        ("rx_queue_size", driver.rx_queue_size),
        ("tx_queue_size", driver.tx_queue_size),
    ] {
        if size.is_some_and(|size| !size.is_power_of_two()) {
            return unsupported(format!(
                "'{name}' of the <driver> of an interface must be a power of two"
            ));
        }
    }
    if driver.rss.is_some() || driver.rss_hash_report.is_some() {
        of.need(Cap::VirtioNetRss, "'rss' of the <driver> of an interface")?;
    }
    Ok(())
}
