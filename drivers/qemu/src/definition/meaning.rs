//! What a definition means for an emulator: completed as `virtbus-qemu-definition` has it, from what is known here of the emulator and the host.
//!
//! Devices keep the addresses that they are given: whatever is completed once is completed already when it is looked at again.

use std::path::PathBuf;
use std::sync::Arc;

use virtbus_api::{Error, ErrorCode, ErrorDomain, Result};
use virtbus_conf_base::common::Arch;
use virtbus_conf_base::{ConfError, ConfErrorKind, Entropy};
use virtbus_conf_domain::domain::devices::DeviceRef;
use virtbus_conf_domain::domain::devices::address::Address;
use virtbus_conf_domain::domain::devices::disk::DiskBus;
use virtbus_conf_domain::domain::devices::misc::MemballoonModel;
use virtbus_conf_domain::domain::devices::tpm::TpmVersion;
use virtbus_conf_domain::domain::{CompleteFlags, Domain as Definition};
use virtbus_qemu_capabilities::{Capabilities, host_arch};
use virtbus_qemu_definition::{Facts, HostAudio, UnknownHost};

use super::check;

/// The security driver that guests are confined by unless they name one.
const SECURITY: &str = "dac";

/// The version of TPM that a guest gets which names none.
const TPM: [TpmVersion; 1] = [TpmVersion::V2_0];

/// An emulator, and what a definition depends on beside it.
#[derive(Debug, Clone)]
pub(crate) struct Emulator {
    /// The program.
    pub(crate) path: PathBuf,
    /// What it can do.
    pub(crate) capabilities: Arc<Capabilities>,
    /// The folder of files with firmware variables, for definitions that name none.
    pub(crate) nvram: PathBuf,
}

/// Completes a new definition, which gets what new guests get.
///
/// # Errors
/// What stands in the way of a default, and what the emulator does not have.
pub(super) fn complete(definition: &mut Definition, emulator: &Emulator) -> Result<()> {
    check::machine(definition, &emulator.capabilities)?;
    let flags = CompleteFlags::INACTIVE | CompleteFlags::ABI_UPDATE;
    fill_in(definition, emulator, flags)?;
    check::processors_of_machine(definition, &emulator.capabilities)
}

/// Completes a definition that was accepted by this or by an earlier release, which completed less. One that is complete stays as it is.
///
/// # Errors
/// As for a new one.
pub(crate) fn complete_stored(definition: &mut Definition, emulator: &Emulator) -> Result<()> {
    fill_in(definition, emulator, CompleteFlags::INACTIVE)
}

/// Whether all devices of a definition stand where it says. Those of guests that an earlier release started do not: the emulator placed
/// them, in the order in which it was told of them.
pub(crate) fn is_placed(definition: &Definition, emulator: &Emulator) -> bool {
    let mut completed = definition.clone();
    let added = fill_in(&mut completed, emulator, CompleteFlags::empty());
    added.is_ok() && places(definition).eq(places(&completed))
}

/// Whether a definition looks like one of an earlier release, which gave devices on a PCI bus no addresses. Some machines have no such bus;
/// completing adds none there.
pub(crate) fn lacks_places(definition: &Definition) -> bool {
    definition.devices.iter().any(|device| {
        let has_bus = match device {
            DeviceRef::Interface(_) | DeviceRef::Video(_) | DeviceRef::Rng(_) => true,
            DeviceRef::Disk(disk) => disk.target.bus == Some(DiskBus::Virtio),
            DeviceRef::Memballoon(balloon) => balloon.model != MemballoonModel::None,
            _ => false,
        };
        let info = device.info();
        has_bus && info.is_some_and(|info| info.address.is_none())
    })
}

/// Where devices are, each with its kind.
fn places(definition: &Definition) -> impl Iterator<Item = (&'static str, Option<&Address>)> {
    definition.devices.iter().map(|device| {
        let info = device.info();
        (device.name(), info.and_then(|info| info.address.as_ref()))
    })
}

fn fill_in(definition: &mut Definition, emulator: &Emulator, flags: CompleteFlags) -> Result<()> {
    let path = emulator.path.to_string_lossy();
    let nvram = emulator.nvram.to_string_lossy();
    let facts = Facts {
        capabilities: &emulator.capabilities,
        emulator: &path,
        host_arch: Arch::from_name(host_arch()).unwrap_or(Arch::X86_64),
        host: &UnknownHost,
        audio: HostAudio::default(),
        tpm_versions: &TPM,
        firmware: &[],
        nvram_folder: &nvram,
        security: SECURITY,
    };
    virtbus_qemu_definition::complete(definition, facts, &mut Random, flags)
        .map_err(|error| refusal(&error))
}

fn refusal(error: &ConfError) -> Error {
    let code = match error.kind() {
        ConfErrorKind::Invalid => ErrorCode::XmlError,
        ConfErrorKind::Unsupported => ErrorCode::ConfigUnsupported,
        ConfErrorKind::Argument => ErrorCode::InvalidArg,
        ConfErrorKind::Operation => ErrorCode::OperationInvalid,
        ConfErrorKind::Internal => ErrorCode::InternalError,
    };
    Error::new(code, ErrorDomain::Qemu, error.message())
}

/// Random bytes.
struct Random;

impl Entropy for Random {
    fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(6) {
            // The first bytes of such a UUID are random altogether.
            let random = uuid::Uuid::new_v4();
            for (byte, random) in chunk.iter_mut().zip(random.as_bytes()) {
                *byte = *random;
            }
        }
    }
}
