//! The same for devices: each refusal names the device.

use virtbus_api::Error;
use virtbus_conf_base::{OnOff, YesNo};
use virtbus_conf_domain::domain::devices::Devices;
use virtbus_conf_domain::domain::devices::chardev::{Chardev, ChardevProtocol, ChardevSource};
use virtbus_conf_domain::domain::devices::controller::{
    Controller, ControllerKind, PciModel, PciModelName,
};
use virtbus_conf_domain::domain::devices::disk::{Disk, DiskBus, SgIo, VirtioModel};
use virtbus_conf_domain::domain::devices::graphics::{
    Graphics, GraphicsKind, Spice, SpiceChannelMode, Vnc,
};
use virtbus_conf_domain::domain::devices::info::VirtioOptions;
use virtbus_conf_domain::domain::devices::interface::{Interface, InterfaceSource};
use virtbus_conf_domain::domain::devices::misc::{Input, Memballoon};
use virtbus_conf_domain::domain::devices::sound::{Audio, Sound};
use virtbus_conf_domain::domain::devices::tpm::{TpmBackend, TpmEmulator};
use virtbus_conf_domain::domain::devices::video::{Acceleration, Video, VideoBackend, VideoModel};
use virtbus_conf_storage::storage::{SourceCommon, StorageSource};

use super::{Unsupported, collect, says};

/// Adds what devices ask for in vain.
pub(super) fn missing(refusals: &mut Vec<Error>, devices: &Devices) {
    for disk in &devices.disk {
        let owner = format!("disk '{}': ", disk.target.dev);
        collect(refusals, &owner, disk, DISK);
        let layers = disk.backing.layers.iter().map(|layer| &layer.source);
        for source in layers.chain([&disk.source]) {
            collect(refusals, &owner, source, SOURCE);
            collect(refusals, &owner, source.common(), SOURCE_COMMON);
        }
    }
    interfaces(refusals, devices);
    for controller in &devices.controller {
        let owner = format!("controller {}: ", controller.kind.kind());
        collect(refusals, &owner, controller, CONTROLLER);
    }
    let serial = devices
        .serial
        .iter()
        .map(|one| ("<serial>: ", &one.chardev));
    let parallel = devices.parallel.iter();
    let parallel = parallel.map(|one| ("<parallel>: ", &one.chardev));
    let console = devices
        .console
        .iter()
        .map(|one| ("<console>: ", &one.chardev));
    let channel = devices
        .channel
        .iter()
        .map(|one| ("<channel>: ", &one.chardev));
    for (owner, chardev) in serial.chain(parallel).chain(console).chain(channel) {
        collect(refusals, owner, chardev, CHARDEV);
    }
    collect(refusals, "", devices, TOGETHER);
    for graphics in &devices.graphics {
        match &graphics.kind {
            GraphicsKind::Spice(spice) => {
                collect(refusals, "<graphics type='spice'>: ", &**spice, SPICE);
            }
            GraphicsKind::Vnc(vnc) => collect(refusals, "<graphics type='vnc'>: ", vnc, VNC),
            _ => {}
        }
    }
    for video in &devices.video {
        collect(refusals, "<video>: ", video, VIDEO);
    }
    for input in &devices.input {
        collect(refusals, "<input>: ", input, INPUT);
    }
    for sound in &devices.sound {
        collect(refusals, "<sound>: ", sound, SOUND);
    }
    for audio in &devices.audio {
        collect(refusals, "<audio>: ", audio, AUDIO);
    }
    if let Some(balloon) = devices.memballoon.as_deref() {
        collect(refusals, "<memballoon>: ", balloon, BALLOON);
    }
    for tpm in &devices.tpm {
        if let TpmBackend::Emulator(emulator) = &tpm.backend {
            collect(refusals, "<tpm>: ", emulator, TPM);
        }
    }
}

/// Adds what interfaces ask for in vain, be they complete or not.
pub(super) fn interfaces(refusals: &mut Vec<Error>, devices: &Devices) {
    for interface in &devices.interface {
        let owner = match &interface.mac {
            Some(mac) => format!("interface '{}': ", mac.address),
            None => "<interface>: ".to_owned(),
        };
        collect(refusals, &owner, interface, INTERFACE);
    }
}

/// How a virtio device reaches memory.
const VIRTIO: &str = "<driver> with iommu, ats, packed or page_per_vq";

fn virtio(options: Option<&VirtioOptions>) -> bool {
    options.is_some_and(VirtioOptions::has_any)
}

const TOGETHER: &[Unsupported<Devices>] = &[
    (VIRTIO, |d| {
        let rng = d.rng.iter().any(|rng| virtio(rng.driver.as_ref()));
        let vsock = d.vsock.as_ref();
        rng || vsock.is_some_and(|vsock| virtio(vsock.driver.as_ref()))
    }),
    ("a source of SPICE without <graphics type='spice'>", |d| {
        let spice = |screen: &Graphics| matches!(screen.kind, GraphicsKind::Spice(_));
        let uses = d.channel.iter().any(|channel| {
            matches!(
                channel.chardev.source,
                ChardevSource::Spicevmc | ChardevSource::Spiceport { .. }
            )
        });
        uses && !d.graphics.iter().any(spice)
    }),
];

const DISK: &[Unsupported<Disk>] = &[
    ("<transient>", |d| d.transient.is_some()),
    ("<iotune>", |d| {
        d.iotune
            .as_ref()
            .is_some_and(|tune| tune.has_any() || tune.group_name.is_some())
    }),
    ("<throttlefilters>", |d| !d.throttlefilters.is_empty()),
    ("rawio='yes'", |d| d.rawio == Some(YesNo::Yes)),
    ("sgio='unfiltered'", |d| d.sgio == Some(SgIo::Unfiltered)),
    ("<backenddomain>", |d| d.backenddomain.is_some()),
    ("<geometry>", |d| d.geometry.is_some()),
    ("<wwn>", |d| d.wwn.is_some()),
    ("<vendor>", |d| d.vendor.is_some()),
    ("<product>", |d| d.product.is_some()),
    ("<driver discard_no_unref='…'>", |d| {
        let driver = d.head.driver.as_ref();
        driver.is_some_and(|driver| driver.discard_no_unref.is_some())
    }),
    ("<metadata_cache>", |d| {
        let driver = d.head.driver.as_ref();
        let mut layers = d.backing.layers.iter().filter_map(|layer| layer.format);
        driver.is_some_and(|driver| says(driver.metadata_cache.as_deref()))
            || layers.any(|format| says(format.metadata_cache.as_ref()))
    }),
    ("<driver> with <iothreads>", |d| {
        let driver = d.head.driver.as_ref();
        driver.is_some_and(|driver| !driver.iothreads.is_empty())
    }),
    (VIRTIO, |d| {
        virtio(d.head.driver.as_ref().map(|driver| &driver.virtio))
    }),
    (
        "<driver> with iothread, queues, queue_size, ioeventfd or event_idx on a bus other than 'virtio'",
        |d| {
            let driver = d.head.driver.as_ref();
            d.target.bus != Some(DiskBus::Virtio)
                && driver.is_some_and(|driver| {
                    driver.iothread.is_some()
                        || driver.queues.is_some()
                        || driver.queue_size.is_some()
                        || driver.ioeventfd.is_some()
                        || driver.event_idx.is_some()
                })
        },
    ),
    ("a model on a bus other than 'virtio'", |d| {
        d.model.is_some() && d.target.bus != Some(DiskBus::Virtio)
    }),
];

const SOURCE: &[Unsupported<StorageSource>] = &[
    (
        "<source fdgroup='…'>",
        |source| matches!(source, StorageSource::File(file) if file.fdgroup.is_some()),
    ),
    (
        "<source tls='yes'>",
        |source| matches!(source, StorageSource::Network(network) if network.tls == Some(YesNo::Yes)),
    ),
    (
        "<reconnect>",
        |source| matches!(source, StorageSource::Network(network) if network.reconnect.is_some()),
    ),
];

const SOURCE_COMMON: &[Unsupported<SourceCommon>] = &[
    ("<slices>", |common| !common.slices.is_empty()),
    ("<source> with a <seclabel>", |common| {
        !common.seclabel.is_empty()
    }),
    ("<reservations>", |common| common.reservations.is_some()),
    ("<dataStore>", |common| common.data_store.is_some()),
];

const INTERFACE: &[Unsupported<Interface>] = &[
    ("<filterref>", |i| i.tail.filterref.is_some()),
    ("<bandwidth>", |i| {
        let bandwidth = i.connection.bandwidth.as_deref();
        says(bandwidth)
    }),
    ("<vlan>", |i| i.connection.vlan.is_some()),
    ("<virtualport>", |i| i.connection.virtualport.is_some()),
    ("<port isolated='yes'>", |i| {
        let port = i.connection.port.as_ref();
        port.is_some_and(|port| port.isolated == Some(YesNo::Yes))
    }),
    ("trustGuestRxFilters='yes'", |i| {
        i.trust_guest_rx_filters == Some(YesNo::Yes)
    }),
    ("<ip>", |i| {
        !i.options.ip.ip.is_empty() || !i.options.ip.route.is_empty()
    }),
    ("<script>", |i| i.options.script.is_some()),
    ("<downscript>", |i| i.options.downscript.is_some()),
    ("<backenddomain>", |i| i.options.backenddomain.is_some()),
    ("<guest>", |i| i.options.guest.is_some()),
    (
        "<portForward> of an interface of another type than 'user'",
        |i| !i.options.port_forward.is_empty() && !matches!(i.source, InterfaceSource::User(_)),
    ),
    ("<portForward dev='…'>", |i| {
        i.options.port_forward.iter().any(|one| one.dev.is_some())
    }),
    ("<backend> with tap, vhost or logFile", |i| {
        i.tail.backend.as_ref().is_some_and(|backend| {
            backend.tap.is_some() || backend.vhost.is_some() || backend.log_file.is_some()
        })
    }),
    ("<teaming>", |i| i.tail.teaming.is_some()),
    ("<coalesce>", |i| says(i.tail.coalesce.as_ref())),
    ("<driver> with rss or rss_hash_report", |i| {
        i.driver
            .as_ref()
            .is_some_and(|driver| driver.rss.is_some() || driver.rss_hash_report.is_some())
    }),
    (VIRTIO, |i| {
        virtio(i.driver.as_ref().map(|driver| &driver.virtio))
    }),
];

const CONTROLLER: &[Unsupported<Controller>] = &[
    (VIRTIO, |c| {
        virtio(c.driver.as_ref().map(|driver| &driver.virtio))
    }),
    ("<driver> with <iothreads>", |c| {
        let driver = c.driver.as_ref();
        driver.is_some_and(|driver| !driver.iothreads.is_empty())
    }),
    ("<target> with index", |c| match &c.kind {
        ControllerKind::Pci(pci) => pci.target.is_some_and(|target| target.index.is_some()),
        _ => false,
    }),
    ("this <model name='…'>", |c| match &c.kind {
        ControllerKind::Pci(pci) => pci.model_name.is_some_and(|name| {
            let made = match pci.model {
                Some(PciModel::PcieRootPort) if name == PciModelName::Ioh3420 => Some(name),
                Some(PciModel::PcieRootPort) => Some(PciModelName::PcieRootPort),
                Some(PciModel::PciBridge) => Some(PciModelName::PciBridge),
                Some(PciModel::DmiToPciBridge) => Some(PciModelName::I82801b11Bridge),
                Some(PciModel::PcieToPciBridge) => Some(PciModelName::PciePciBridge),
                Some(PciModel::PcieSwitchUpstreamPort) => Some(PciModelName::X3130Upstream),
                Some(PciModel::PcieSwitchDownstreamPort) => Some(PciModelName::Xio3130Downstream),
                Some(PciModel::PciExpanderBus) => Some(PciModelName::Pxb),
                Some(PciModel::PcieExpanderBus) => Some(PciModelName::PxbPcie),
                Some(PciModel::PciRoot | PciModel::PcieRoot) | None => None,
            };
            made != Some(name)
        }),
        _ => false,
    }),
];

const CHARDEV: &[Unsupported<Chardev>] = &[
    ("<source> with a <seclabel>", |c| match &c.source {
        ChardevSource::Dev(source)
        | ChardevSource::File(source)
        | ChardevSource::Pipe(source)
        | ChardevSource::Pty(source) => !source.seclabel.is_empty(),
        ChardevSource::Unix(source) => !source.seclabel.is_empty(),
        _ => false,
    }),
    ("<protocol type='telnets'> or 'tls'", |c| {
        let protocol = match &c.source {
            ChardevSource::Tcp(source) => source.protocol,
            _ => None,
        };
        matches!(
            protocol,
            Some(ChardevProtocol::Telnets | ChardevProtocol::Tls)
        )
    }),
];

const SPICE: &[Unsupported<Spice>] = &[
    ("defaultMode='secure'", |s| {
        s.default_mode == Some(SpiceChannelMode::Secure)
    }),
    ("<channel mode='secure'>", |s| {
        let secure = SpiceChannelMode::Secure;
        s.channel.iter().any(|channel| channel.mode == secure)
    }),
    ("a tlsPort", |s| s.tls_port.is_some_and(|port| port > 0)),
    ("<gl enable='yes'>", |s| {
        let gl = s.options.gl.as_ref();
        gl.is_some_and(|gl| gl.enable == Some(YesNo::Yes))
    }),
];

/// So many bytes of a password QEMU's VNC server looks at; the rest of a longer one would be left out.
const VNC_PASSWORD: usize = 8;

const VNC: &[Unsupported<Vnc>] = &[
    ("<audio>", |vnc| vnc.audio.is_some()),
    ("a password of more than 8 characters", |vnc| {
        let password = vnc.auth.passwd.as_ref();
        password.is_some_and(|password| password.len() > VNC_PASSWORD)
    }),
];

fn card(video: &Video, asked: fn(&VideoModel) -> bool) -> bool {
    video.model.as_ref().is_some_and(asked)
}

const VIDEO: &[Unsupported<Video>] = &[
    (VIRTIO, |v| {
        virtio(v.driver.as_ref().map(|driver| &driver.virtio))
    }),
    ("<driver vgaconf='…'>", |v| {
        let driver = v.driver.as_ref();
        driver.is_some_and(|driver| driver.vgaconf.is_some())
    }),
    ("<driver name='vhostuser'>", |v| {
        let name = v.driver.as_ref().and_then(|driver| driver.name);
        name == Some(VideoBackend::Vhostuser)
    }),
    ("<acceleration>", |v| {
        let accelerates = |a: &Acceleration| {
            a.accel3d == Some(YesNo::Yes) || a.accel2d == Some(YesNo::Yes) || a.rendernode.is_some()
        };
        let model = v.model.as_ref();
        let acceleration = model.and_then(|model| model.acceleration.as_deref());
        acceleration.is_some_and(accelerates)
    }),
    ("<resolution>", |v| {
        card(v, |model| model.resolution.is_some())
    }),
    ("blob='on'", |v| {
        card(v, |model| model.blob == Some(OnOff::On))
    }),
];

const INPUT: &[Unsupported<Input>] = &[
    (VIRTIO, |i| virtio(i.driver.as_ref())),
    ("a model other than 'virtio'", |i| {
        i.model.is_some_and(|model| model != VirtioModel::Virtio)
    }),
];

const SOUND: &[Unsupported<Sound>] = &[(VIRTIO, |s| virtio(s.driver.as_ref()))];

const AUDIO: &[Unsupported<Audio>] = &[("a back end with settings", |audio| {
    *audio != Audio::new(audio.id, audio.kind)
})];

const BALLOON: &[Unsupported<Memballoon>] = &[
    (VIRTIO, |b| virtio(b.driver.as_ref())),
    ("<stats period='…'>", |b| {
        b.stats_period.is_some_and(|period| period > 0)
    }),
];

const TPM: &[Unsupported<TpmEmulator>] = &[
    ("<encryption>", |t| t.encryption.is_some()),
    ("<active_pcr_banks>", |t| !t.active_pcr_banks.is_empty()),
    ("<source>", |t| t.source.is_some()),
    ("<profile>", |t| says(t.profile.as_ref())),
    ("debug", |t| t.debug.is_some_and(|level| level > 0)),
];
