//! What kinds of machines have: which bus is at their root, which devices are built in.

use virtbus_conf_base::common::Arch;
use virtbus_conf_base::{ConfError, Result, format_text};
use virtbus_conf_domain::domain::Domain;

use crate::Facts;

/// The machine type of a definition; empty if it names none.
#[must_use]
pub fn name(domain: &Domain) -> &str {
    let machine = domain.os.as_ref().map(|os| &os.machine);
    machine
        .and_then(|machine| machine.machine.as_deref())
        .unwrap_or_default()
}

/// The architecture of a definition, which is complete.
#[must_use]
pub fn arch(domain: &Domain) -> Arch {
    domain.arch().unwrap_or(Arch::X86_64)
}

/// Whether a name is a machine's or one of its versions.
fn is(name: &str, machine: &str) -> bool {
    name.strip_prefix(machine)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

/// Intel's chipset of 2009, with PCI Express.
#[must_use]
pub fn is_q35(domain: &Domain) -> bool {
    let name = name(domain);
    is_x86(domain) && (name == "q35" || name.starts_with("pc-q35"))
}

/// Intel's chipset of 1996.
#[must_use]
pub fn is_i440fx(domain: &Domain) -> bool {
    let name = name(domain);
    is_x86(domain)
        && (name == "pc"
            || name == "xenfv"
            || name.starts_with("xenfv-")
            || name.starts_with("pc-0.")
            || name.starts_with("pc-1.")
            || name.starts_with("pc-i440")
            || name.starts_with("rhel"))
}

/// An AT compatible machine without PCI.
#[must_use]
pub fn is_isapc(domain: &Domain) -> bool {
    is_x86(domain) && name(domain) == "isapc"
}

/// A machine for short-lived guests, without PCI unless it is asked for.
#[must_use]
pub fn is_microvm(domain: &Domain) -> bool {
    is_x86(domain) && is(name(domain), "microvm")
}

/// Whether the guest's processor is one of Intel's kind.
#[must_use]
pub fn is_x86(domain: &Domain) -> bool {
    matches!(arch(domain), Arch::I686 | Arch::X86_64)
}

/// IBM's machines with a hypervisor of their own.
#[must_use]
pub fn is_pseries(domain: &Domain) -> bool {
    matches!(arch(domain), Arch::Ppc64 | Arch::Ppc64le) && is(name(domain), "pseries")
}

/// The machine that QEMU made up for Arm, RISC-V and LoongArch.
#[must_use]
pub fn is_virt(domain: &Domain) -> bool {
    let has_one = matches!(
        arch(domain),
        Arch::Armv6l
            | Arch::Armv7l
            | Arch::Armv7b
            | Arch::Aarch64
            | Arch::Riscv32
            | Arch::Riscv64
            | Arch::Loongarch64
    );
    has_one && is(name(domain), "virt")
}

/// Whether devices can be on a PCI bus.
#[must_use]
pub fn has_pci(domain: &Domain) -> bool {
    if is_arm(domain) || is_riscv(domain) || is_loongarch(domain) {
        is_virt(domain) || name(domain) == "versatilepb"
    } else {
        true
    }
}

/// Machines of Sun and others with a SCSI controller that is part of them.
#[must_use]
pub fn has_esp(domain: &Domain) -> bool {
    let name = name(domain);
    match arch(domain) {
        Arch::Sparc => {
            name.starts_with("SS-")
                || matches!(name, "LX" | "SPARCClassic" | "SPARCbook" | "Voyager")
        }
        Arch::Mips64el => matches!(name, "magnum" | "pica61"),
        Arch::M68k => name == "q800",
        _ => false,
    }
}

/// Arm's own development boards.
#[must_use]
pub fn is_vexpress(domain: &Domain) -> bool {
    is_arm(domain) && name(domain).starts_with("vexpress-")
}

/// Whether the guest's processor is one of Arm's kind.
#[must_use]
pub fn is_arm(domain: &Domain) -> bool {
    matches!(
        arch(domain),
        Arch::Armv6l | Arch::Armv7l | Arch::Armv7b | Arch::Aarch64
    )
}

/// Whether the guest's processor is one of RISC-V's kind.
#[must_use]
pub fn is_riscv(domain: &Domain) -> bool {
    matches!(arch(domain), Arch::Riscv32 | Arch::Riscv64)
}

/// Whether the guest's processor is one of IBM's POWER kind with 64 bits.
#[must_use]
pub fn is_ppc64(domain: &Domain) -> bool {
    matches!(arch(domain), Arch::Ppc64 | Arch::Ppc64le)
}

/// Whether the guest's processor is one of LoongArch's kind.
#[must_use]
pub fn is_loongarch(domain: &Domain) -> bool {
    arch(domain) == Arch::Loongarch64
}

/// Whether the processor is one of IBM's mainframes.
#[must_use]
pub fn is_s390(domain: &Domain) -> bool {
    matches!(arch(domain), Arch::S390 | Arch::S390x)
}

/// A mainframe whose devices are on channels.
#[must_use]
pub fn is_s390_ccw(domain: &Domain) -> bool {
    is_s390(domain) && is(name(domain), "s390-ccw-virtio")
}

/// The machine's full name: an alias would mean another machine after an update of QEMU.
///
/// # Errors
/// If the emulator has no such machine for these guests, or none that could be taken.
pub(crate) fn settle(domain: &mut Domain, facts: &Facts<'_>) -> Result<()> {
    domain
        .devices
        .emulator
        .get_or_insert_with(|| format_text!("{}", facts.emulator));
    let best = facts.capabilities.best();
    let Some(os) = &mut domain.os else {
        return Ok(());
    };
    match &mut os.machine.machine {
        Some(name) => {
            if let Some(machine) = facts.capabilities.machine(name)
                && machine.name != **name
            {
                *name = machine.name.as_str().into();
            }
        }
        none => {
            let machine = best.and_then(|best| best.default_machine());
            let machine = machine.ok_or_else(|| {
                ConfError::invalid("a machine type is required, as the emulator has no default")
            })?;
            *none = Some(machine.name.as_str().into());
        }
    }
    Ok(())
}
