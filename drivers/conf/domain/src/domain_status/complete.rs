//! What older releases of libvirt did not write, and what holds then.
//!
//! Each step fills in what is absent and changes nothing that is there, so a document of the newest release stays as it is.

use virtbus_conf_storage::storage::{
    Encryption, EncryptionEngine, EncryptionFormat, NetworkProtocol, NodeName, NodeNameKind,
    ObjectSecretKind, SourcePrivate, StorageSource,
};
use virtbus_xml::{Base16, YesNo, format_text};

use super::{AsyncJob, BlockJobs, DomainStatus, Job, JobType};
use crate::domain::Domain;
use crate::domain::devices::disk::Disk;
use crate::domain::devices::graphics::GraphicsKind;
use crate::domain::devices::hostdev::{Hostdev, HostdevMode, HostdevSubsys, ScsiHostdev};
use crate::domain::devices::sound::{Audio, AudioType};
use crate::domain::devices::status::{InDisk, SecretsPlacement};

/// Folders of the driver that has written the document, in which each guest has one of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatusFolders<'f> {
    /// Monitors and other files.
    pub lib: &'f str,
    /// Sockets of channels.
    pub channel_target: &'f str,
    /// Files that back memory.
    pub memory_backing: &'f str,
}

/// Says that the driver's own limit holds for the guest's agent.
const DEFAULT_AGENT_TIMEOUT: i32 = -2;

/// How many characters of a guest's name are in the names of its folders.
const SHORT_NAME: usize = 20;

/// The capability of programs that see SCSI devices of the host as block nodes.
const SCSI_AS_NODES: &str = "blockdev-hostdev-scsi";

impl DomainStatus {
    /// Fills in what an older release of libvirt has left out.
    pub fn complete(&mut self, folders: StatusFolders<'_>) {
        self.complete_driver(folders);
        complete_audio(&mut self.domain);
        for disk in &mut self.domain.devices.disk {
            complete_disk(disk);
        }
        let flags = self.qemu.capabilities.as_ref();
        let as_nodes = flags.is_some_and(|flags| flags.has(SCSI_AS_NODES));
        for hostdev in &mut self.domain.devices.hostdev {
            complete_hostdev(hostdev, as_nodes);
        }
    }

    fn complete_driver(&mut self, folders: StatusFolders<'_>) {
        let (name, id) = (&self.domain.name, self.domain.id.unwrap_or_default());
        let qemu = &mut *self.qemu;
        // These were named by the guest alone before its number became a part of them.
        qemu.lib_dir
            .get_or_insert_with(|| format_text!("{}/domain-{name}", folders.lib));
        qemu.channel_target_dir
            .get_or_insert_with(|| format_text!("{}/domain-{name}", folders.channel_target));
        qemu.memory_backing_dir.get_or_insert_with(|| {
            let short: String = name.chars().take(SHORT_NAME).collect();
            format_text!("{}/{id}-{short}", folders.memory_backing)
        });
        qemu.node_name_index.get_or_insert(0);
        qemu.fd_set_index.get_or_insert(0);
        qemu.agent_timeout.get_or_insert(DEFAULT_AGENT_TIMEOUT);
        let jobs = qemu.blockjobs.get_or_insert_with(|| {
            Box::new(BlockJobs {
                active: None,
                blockjob: Vec::new(),
            })
        });
        jobs.active.get_or_insert(YesNo::No);
        if let Some(job) = &mut qemu.job {
            complete_job(job);
        }
    }
}

fn complete_job(job: &mut Job) {
    job.kind.get_or_insert(JobType::None);
    let long = *job.async_job.get_or_insert(AsyncJob::None);
    if long != AsyncJob::None {
        job.flags.get_or_insert(Base16(0));
        job.async_started.get_or_insert(0);
    }
}

/// Sound went where the screen is, before it could be told.
fn complete_audio(domain: &mut Domain) {
    let devices = &mut domain.devices;
    if !devices.audio.is_empty() {
        return;
    }
    let on_spice = devices
        .graphics
        .iter()
        .any(|graphics| matches!(graphics.kind, GraphicsKind::Spice(_)));
    let kind = if on_spice {
        AudioType::Spice
    } else {
        AudioType::None
    };
    devices.audio.push(Audio::new(1, kind));
}

fn complete_disk(disk: &mut Disk) {
    let status = (disk.head.auth.is_some(), disk.encryption.is_some());
    if status != (false, false) && disk.status.secrets_placement.is_none() {
        let stands = |is_it: bool| is_it.then_some(InDisk::True);
        disk.status.secrets_placement = Some(SecretsPlacement {
            auth: stands(status.0),
            encryption: stands(status.1),
        });
    }
    if let Some(encryption) = &mut disk.encryption {
        complete_encryption(encryption);
    }
    let sources = std::iter::once(&mut disk.source);
    let layers = disk.backing.get_mut().into_iter();
    let below = layers.flat_map(|chain| chain.layers.iter_mut().map(|layer| &mut layer.source));
    for source in sources.chain(below) {
        complete_source(source);
    }
    if let Some(alias) = disk.info.alias.clone() {
        complete_secrets(disk, &alias);
    }
}

fn complete_encryption(encryption: &mut Encryption) {
    encryption.engine.get_or_insert(EncryptionEngine::Qemu);
}

fn complete_source(source: &mut StorageSource) {
    if let StorageSource::Network(network) = source {
        network.assign_ports();
    }
    if let Some(common) = source.common_mut().get_mut()
        && let Some(encryption) = &mut common.encryption
    {
        complete_encryption(encryption);
    }
}

/// Objects were named after the disk, before their names were written down.
fn complete_secrets(disk: &mut Disk, alias: &str) {
    let logs_in = match &disk.source {
        StorageSource::Network(source) => {
            matches!(
                source.protocol,
                NetworkProtocol::Iscsi | NetworkProtocol::Rbd
            ) && disk.auth().is_some()
        }
        _ => false,
    };
    let is_luks = |e: &Encryption| e.format == EncryptionFormat::Luks && !e.secret.is_empty();
    let decrypts = disk.encryption().is_some_and(is_luks);
    let uses_tls = match &disk.source {
        StorageSource::Network(source) => source.tls == Some(YesNo::Yes),
        _ => false,
    };
    if !(logs_in || decrypts || uses_tls) {
        return;
    }
    let private = disk
        .source
        .common_mut()
        .private_data
        .get_or_insert_default();
    if logs_in {
        private.add_secret(ObjectSecretKind::Auth, format_text!("{alias}-secret0"));
    }
    if decrypts {
        private.add_secret(
            ObjectSecretKind::Encryption,
            format_text!("{alias}-luks-secret0"),
        );
    }
    if uses_tls {
        let objects = private.objects.get_or_insert_default();
        objects
            .tls
            .get_or_insert_with(|| format_text!("obj{alias}_tls0"));
    }
}

fn complete_hostdev(hostdev: &mut Hostdev, as_nodes: bool) {
    let Some(alias) = hostdev.info.alias.clone() else {
        return;
    };
    let HostdevMode::Subsystem(HostdevSubsys::Scsi(scsi)) = &mut hostdev.mode else {
        return;
    };
    let (private, logs_in) = match scsi {
        ScsiHostdev::Adapter { private_data, .. } => (private_data, false),
        ScsiHostdev::Iscsi {
            private_data, auth, ..
        } => (private_data, auth.is_some()),
    };
    if as_nodes {
        add_node(private.get_or_insert_default(), &alias);
    }
    if logs_in {
        let secret = format_text!("{alias}-secret0");
        private
            .get_or_insert_default()
            .add_secret(ObjectSecretKind::Auth, secret);
    }
}

fn add_node(private: &mut SourcePrivate, alias: &str) {
    let is_storage = |node: &NodeName| node.kind == NodeNameKind::Storage;
    if !private.node_names.iter().any(is_storage) {
        private.node_names.push(NodeName {
            kind: NodeNameKind::Storage,
            name: format_text!("libvirt-{alias}-backend"),
            group: None,
        });
    }
}
