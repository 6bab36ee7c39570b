//! What QEMU finds by its path: sockets, pipes, devices, screens.
//!
//! All guests have one user, so whoever can change a directory on the way to such a thing could lead QEMU to another guest's: to the socket
//! of its agent, say. Disks and files are handed to QEMU as descriptors, or compared when it has them; for what is named here neither
//! is possible, so the way to it has to be closed to everybody but root and that user, who makes the sockets that QEMU listens on.

use std::path::{Path, PathBuf};

use virtbus_api::{Error, ErrorCode, ErrorDomain, Result};
use virtbus_conf_domain::domain::Domain as Definition;
use virtbus_conf_domain::domain::devices::chardev::ChardevSource;
use virtbus_conf_domain::domain::devices::graphics::Listen;
use virtbus_conf_domain::domain::devices::interface::InterfaceSource;
use virtbus_conf_domain::domain::devices::misc::RngBackend;
use virtbus_conf_domain::domain::devices::tpm::TpmBackend;
use virtbus_conf_storage::storage::StorageSource;
use virtbus_util::file;

/// A path with the element that names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Way {
    element: &'static str,
    path: PathBuf,
}

/// The paths that QEMU is to find for a guest, but for those in the folder of the run.
///
/// # Errors
/// `ConfigUnsupported` for a folder as a disk: QEMU goes through it, follows links in it, and opens its files whenever the guest reads them.
pub(crate) fn ways(definition: &Definition, dir: &Path) -> Result<Vec<Way>> {
    let devices = &definition.devices;
    let mut ways = Vec::new();
    let mut add = |element, path: Option<&str>| {
        let path = path
            .map(PathBuf::from)
            .filter(|path| !path.starts_with(dir));
        ways.extend(path.map(|path| Way { element, path }));
    };
    for disk in &devices.disk {
        let layers = disk.backing.layers.iter().map(|layer| &layer.source);
        for source in std::iter::once(&disk.source).chain(layers) {
            match source {
                StorageSource::Dir(_) => {
                    return Err(Error::new(
                        ErrorCode::ConfigUnsupported,
                        ErrorDomain::Qemu,
                        "a folder as a disk is supported only for guests that run as the daemon's own user (session), since QEMU follows what links are in it",
                    ));
                }
                StorageSource::Network(network) => {
                    for host in &network.host {
                        add("disk", host.socket.as_deref());
                    }
                }
                // Files and devices are handed to QEMU; the others are refused with its arguments.
                StorageSource::File(_)
                | StorageSource::Block(_)
                | StorageSource::Volume(_)
                | StorageSource::Nvme(_)
                | StorageSource::VhostUser(_)
                | StorageSource::VhostVdpa(_) => {}
            }
        }
    }
    let chardevs = (devices.serial.iter())
        .map(|device| ("serial", &device.chardev))
        .chain(
            devices
                .parallel
                .iter()
                .map(|device| ("parallel", &device.chardev)),
        )
        .chain(
            devices
                .console
                .iter()
                .map(|device| ("console", &device.chardev)),
        )
        .chain(
            devices
                .channel
                .iter()
                .map(|device| ("channel", &device.chardev)),
        );
    for (element, chardev) in chardevs {
        add(element, in_chardev(&chardev.source));
    }
    for rng in &devices.rng {
        match &rng.backend {
            RngBackend::Random { path } => add("rng", path.as_deref()),
            RngBackend::Egd(chardev) => add("rng", in_chardev(&chardev.source)),
            RngBackend::Builtin => {}
        }
    }
    for tpm in devices.tpm.iter() {
        match &tpm.backend {
            TpmBackend::Passthrough(backend) => add("tpm", backend.device.as_deref()),
            TpmBackend::External(backend) => add("tpm", Some(&backend.path)),
            TpmBackend::Emulator(_) => {}
        }
    }
    for input in &devices.input {
        let source = input.source.as_deref();
        add("input", source.and_then(|source| source.evdev.as_deref()));
        add("input", source.and_then(|source| source.dev.as_deref()));
    }
    for interface in &devices.interface {
        if let InterfaceSource::Vhostuser(source) = &interface.source {
            add("interface", source.path.as_deref());
        }
    }
    for graphics in &devices.graphics {
        for listen in &graphics.listen {
            if let Listen::Socket(listen) = listen {
                add("graphics", listen.socket.as_deref());
            }
        }
    }
    Ok(ways)
}

/// What of a character device QEMU finds by a path. Files it is handed.
fn in_chardev(source: &ChardevSource) -> Option<&str> {
    match source {
        ChardevSource::Dev(source) | ChardevSource::Pipe(source) => source.path.as_deref(),
        ChardevSource::Unix(source) => source.path.as_deref(),
        ChardevSource::File(_)
        | ChardevSource::Null
        | ChardevSource::Vc
        | ChardevSource::Pty(_)
        | ChardevSource::Stdio
        | ChardevSource::Udp(_)
        | ChardevSource::Tcp(_)
        | ChardevSource::Spicevmc
        | ChardevSource::Spiceport { .. }
        | ChardevSource::Nmdm { .. }
        | ChardevSource::QemuVdagent { .. }
        | ChardevSource::Dbus { .. } => None,
    }
}

/// Looks whether the ways are closed to all but root and the guests' user. Blocks.
///
/// # Errors
/// `OperationDenied`, naming the element, the path, and what would help.
pub(crate) fn check(ways: &[Way], guests: u32) -> Result<()> {
    for Way { element, path } in ways {
        let shown = path.display();
        let denied = |why: String| {
            let message = format!("<{element}> names '{shown}', {why}");
            Error::new(ErrorCode::OperationDenied, ErrorDomain::Qemu, message)
        };
        let place = file::walk_to_place(path).map_err(|error| {
            let error = Error::chain(ErrorCode::SystemError, ErrorDomain::Qemu, &error);
            denied(format!("which cannot be reached: {}", error.message))
        })?;
        // What is there may be a link of root's, which leads on.
        let is_end_closed = match std::fs::symlink_metadata(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => true,
            _ => file::walk(path).is_ok_and(|end| end.is_closed_but_to(guests)),
        };
        if !place.is_closed_but_to(guests) || !is_end_closed {
            return Err(denied(format!(
                "where others than root can put something else (in '{}' or above); use a directory that only root and the guests' user (for sockets that QEMU makes) can change",
                place.dir.path.display()
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(devices: &str) -> Result<Vec<Way>> {
        let xml = format!(
            "<domain type='qemu'><name>web</name><uuid>12345678-1234-1234-1234-123456789abc</uuid><memory>65536</memory><vcpu>1</vcpu><os><type>hvm</type></os><devices>{devices}</devices></domain>"
        );
        let definition = crate::definition::parse_stored(&xml).unwrap();
        ways(&definition, Path::new("/run/virtbus/qemu/domain-1-web"))
    }

    #[test]
    fn what_qemu_finds_by_a_path_is_named() {
        for (devices, path) in [
            (
                "<serial type='unix'><source mode='connect' path='/srv/a/sock'/></serial>",
                "/srv/a/sock",
            ),
            (
                "<channel type='unix'><source mode='bind' path='/srv/a/sock'/><target type='virtio' name='x'/></channel>",
                "/srv/a/sock",
            ),
            (
                "<serial type='pipe'><source path='/srv/a/pipe'/></serial>",
                "/srv/a/pipe",
            ),
            (
                "<serial type='dev'><source path='/srv/a/tty'/></serial>",
                "/srv/a/tty",
            ),
            (
                "<rng model='virtio'><backend model='random'>/srv/a/rng</backend></rng>",
                "/srv/a/rng",
            ),
            (
                "<graphics type='vnc'><listen type='socket' socket='/srv/a/vnc'/></graphics>",
                "/srv/a/vnc",
            ),
            (
                "<disk type='network'><source protocol='nbd'><host transport='unix' socket='/srv/a/nbd'/></source><target dev='vda' bus='virtio'/></disk>",
                "/srv/a/nbd",
            ),
            (
                "<disk type='file'><driver name='qemu' type='qcow2'/><source file='/srv/a/top'/><backingStore type='network'><format type='raw'/><source protocol='nbd'><host transport='unix' socket='/srv/a/nbd'/></source><backingStore/></backingStore><target dev='vda' bus='virtio'/></disk>",
                "/srv/a/nbd",
            ),
        ] {
            let found = of(devices).unwrap();
            assert!(
                found.iter().any(|way| way.path == Path::new(path)),
                "{devices}"
            );
        }
        let own = "<channel type='unix'><source mode='bind' path='/run/virtbus/qemu/domain-1-web/channel/x'/><target type='virtio' name='x'/></channel>";
        assert_eq!(of(own).unwrap(), []);
        for folder in [
            "<disk type='dir'><source dir='/srv/a'/><target dev='vda' bus='virtio'/></disk>",
            "<disk type='file'><driver name='qemu' type='qcow2'/><source file='/srv/a/top'/><backingStore type='dir'><format type='raw'/><source dir='/srv/a'/><backingStore/></backingStore><target dev='vda' bus='virtio'/></disk>",
        ] {
            assert_eq!(of(folder).unwrap_err().code, ErrorCode::ConfigUnsupported);
        }
    }

    #[test]
    fn a_way_that_others_can_change_is_refused() {
        let way = |path: &str| Way {
            element: "serial",
            path: PathBuf::from(path),
        };
        assert!(check(&[way("/dev/ttyS0"), way("/proc/sock")], 64055).is_ok());
        let error = check(&[way("/tmp/sock")], 64055).unwrap_err();
        assert!(
            error.message.contains("<serial> names '/tmp/sock'"),
            "{error}"
        );
    }
}
