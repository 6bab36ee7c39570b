//! Definitions for QEMU.

mod capabilities;
mod firmware;
mod host;

use virtbus_conf_base::Flags;
use virtbus_conf_base::common::Arch;
use virtbus_conf_domain::domain::devices::tpm::TpmVersion;
use virtbus_conf_domain::domain::{CompleteFlags, Domain};
use virtbus_qemu_definition::Facts;

pub(crate) use self::firmware::firmware;
use crate::case::Case;
use crate::compare;
use crate::outcome::{Held, Problem, Refusal};
use crate::seams::Counting;

/// `qemuxml2xml`: completed, with addresses, validated; what comes out stays as it is.
pub(crate) fn xml(case: &Case) -> Held<()> {
    let xml = case.file("input")?;
    let capabilities = capabilities::of(case)?;
    let arch = case.text_req("host_arch")?;
    let host_arch = Arch::from_name(arch)
        .ok_or_else(|| Problem::failed(format!("unknown architecture '{arch}'")))?;
    let emulator = format!("/usr/bin/qemu-system-{}", case.text_req("arch")?);
    let firmware = firmware::known(case)?;
    let host = host::Devices::of(case)?;
    let facts = Facts {
        capabilities: &capabilities,
        emulator: &emulator,
        host_arch,
        host: &host,
        audio: host::audio(case),
        tpm_versions: &[TpmVersion::V1_2, TpmVersion::V2_0],
        firmware: &firmware,
        nvram_folder: "/var/lib/libvirt/qemu/nvram",
        security: "none",
    };
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
