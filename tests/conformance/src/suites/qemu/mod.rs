//! Definitions for QEMU.

mod capabilities;
mod firmware;
mod host;

use virtbus_conf_base::Flags;
use virtbus_conf_base::common::Arch;
use virtbus_conf_domain::domain::devices::tpm::TpmVersion;
use virtbus_conf_domain::domain::{CompleteFlags, Domain};
use virtbus_qemu_capabilities::Capabilities;
use virtbus_qemu_definition::firmware::Descriptor;
use virtbus_qemu_definition::memory_lock::{self, MemoryLock};
use virtbus_qemu_definition::{Facts, HostAudio};

pub(crate) use self::firmware::firmware;
use crate::case::Case;
use crate::compare;
use crate::outcome::{Held, Problem, Refusal};
use crate::seams::Counting;

/// What a case gives of the emulator and the host.
struct Surroundings {
    capabilities: Capabilities,
    host_arch: Arch,
    emulator: String,
    firmware: Vec<Descriptor>,
    host: host::Devices,
    audio: HostAudio,
}

impl Surroundings {
    fn of(case: &Case) -> Held<Self> {
        // Where a case does not say, the host is like the guest.
        let arch = case.text("host_arch")?;
        let arch = arch.map_or_else(|| case.text_req("arch"), Ok)?;
        Ok(Self {
            capabilities: capabilities::of(case)?,
            host_arch: Arch::from_name(arch)
                .ok_or_else(|| Problem::failed(format!("unknown architecture '{arch}'")))?,
            emulator: format!("/usr/bin/qemu-system-{}", case.text_req("arch")?),
            firmware: firmware::known(case)?,
            host: host::Devices::of(case)?,
            audio: host::audio(case),
        })
    }

    fn facts(&self) -> Facts<'_> {
        Facts {
            capabilities: &self.capabilities,
            emulator: &self.emulator,
            host_arch: self.host_arch,
            host: &self.host,
            audio: self.audio,
            tpm_versions: &[TpmVersion::V1_2, TpmVersion::V2_0],
            firmware: &self.firmware,
            nvram_folder: "/var/lib/libvirt/qemu/nvram",
            security: "none",
        }
    }
}

/// `qemuxml2xml`: completed, with addresses, validated; what comes out stays as it is.
pub(crate) fn xml(case: &Case) -> Held<()> {
    let xml = case.file("input")?;
    let surroundings = Surroundings::of(case)?;
    let facts = surroundings.facts();
    let mut flags = CompleteFlags::INACTIVE;
    if case.has("parse_flags", "abi-update")? {
        flags |= CompleteFlags::ABI_UPDATE;
    }
    let read = |xml: &str| {
        let mut domain = Domain::parse(xml).map_err(Refusal::reading)?;
        virtbus_qemu_definition::complete(&mut domain, facts, &mut Counting, flags)
            .map_err(Refusal::reading)?;
        virtbus_qemu_definition::validate(&domain, &facts).map_err(Refusal::reading)?;
        Ok(domain.format(Flags::SECURE))
    };
    case.check(read(&xml), &xml)?;
    if case.field("expect").is_some() {
        let expected = case.expected()?;
        let again = read(&expected);
        let again = again
            .map_err(|refusal| Problem::failed(format!("its result is refused: {refusal}")))?;
        compare::text(&expected, &again)?;
    }
    Ok(())
}

/// The number of a guest that has none.
const ID: u32 = 1337;

/// `qemuxmlactive2xml`: the definition of a running guest, as it is or for its next start.
pub(crate) fn active(case: &Case) -> Held<()> {
    let xml = case.file("input")?;
    let surroundings = Surroundings::of(case)?;
    let facts = surroundings.facts();
    let form = match case.text_req("form")? {
        "active" => Flags::SECURE,
        "inactive" => Flags::SECURE | Flags::INACTIVE,
        other => return Err(Problem::unsupported(format!("form '{other}'"))),
    };
    let read = || {
        let mut domain = Domain::parse(&xml).map_err(Refusal::reading)?;
        domain.id.get_or_insert(ID);
        virtbus_qemu_definition::complete(
            &mut domain,
            facts,
            &mut Counting,
            CompleteFlags::empty(),
        )
        .map_err(Refusal::reading)?;
        virtbus_qemu_definition::validate(&domain, &facts).map_err(Refusal::reading)?;
        Ok(domain.format(form))
    };
    case.check(read(), &xml)
}

/// `qemumemlock`: how much memory may be locked, in bytes.
pub(crate) fn memory_lock(case: &Case) -> Held<()> {
    let xml = case.file("input")?;
    let surroundings = Surroundings::of(case)?;
    let mut domain = Domain::parse(&xml).map_err(|e| Problem::failed(e.to_string()))?;
    virtbus_qemu_definition::complete(
        &mut domain,
        surroundings.facts(),
        &mut Counting,
        CompleteFlags::empty(),
    )
    .map_err(|e| Problem::failed(e.to_string()))?;
    let found = match memory_lock::of(&domain) {
        MemoryLock::Usual => "0".to_owned(),
        MemoryLock::Kib(count) => (u128::from(count) * 1024).to_string(),
        MemoryLock::Unlimited => "unlimited".to_owned(),
    };
    compare::text(case.text_req("result")?, &found)
}
