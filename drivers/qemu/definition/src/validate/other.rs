//! Smaller devices.

use virtbus_conf_base::Result;
use virtbus_conf_domain::domain::devices::address::Address;
use virtbus_conf_domain::domain::devices::misc::{
    Crypto, CryptoBackendModel, Input, InputBus, InputType, Iommu, IommuModel, Memballoon,
    MemballoonModel, Panic, PanicModel, Pstore, Rng, RngBackend, Watchdog, WatchdogModel,
};
use virtbus_conf_domain::domain::devices::tpm::{Tpm, TpmBackend, TpmModel, TpmVersion};
use virtbus_qemu_capabilities::Cap;

use super::{Context, invalid, unsupported};
use crate::machine;

/// What only shows when devices are seen beside each other.
pub(super) fn check_together(of: Context<'_>) -> Result<()> {
    let is_proxy = |tpm: &&Tpm| tpm.model == Some(TpmModel::SpaprProxy);
    let tpms = &of.domain.devices.tpm;
    let proxies = tpms.iter().filter(is_proxy).count();
    if proxies > 1 {
        return unsupported("only one <tpm> of model 'spapr-tpm-proxy' is supported");
    }
    if tpms.iter().count() - proxies > 1 {
        return unsupported("only one <tpm> is supported beside one of model 'spapr-tpm-proxy'");
    }
    let watchdogs = &of.domain.devices.watchdog;
    if let Some(first) = watchdogs.first()
        && watchdogs.iter().any(|other| other.action != first.action)
    {
        return unsupported("all <watchdog> of a guest must have the same 'action'");
    }
    Ok(())
}

pub(super) fn watchdog(of: Context<'_>, watchdog: &Watchdog) -> Result<()> {
    let Watchdog {
        model,
        action: _,
        info,
    } = watchdog;
    let address = info.address.as_ref();
    let (fits_machine, fits_address) = match model {
        WatchdogModel::I6300esb => (true, matches!(address, None | Some(Address::Pci(_)))),
        WatchdogModel::Ib700 => (
            machine::is_x86(of.domain),
            matches!(address, None | Some(Address::Isa(_))),
        ),
        WatchdogModel::Diag288 => (machine::is_s390(of.domain), address.is_none()),
        WatchdogModel::Itco => (machine::is_q35(of.domain), address.is_none()),
    };
    if !fits_machine {
        return unsupported(format!(
            "<watchdog model='{model}'> is not supported for machine type '{}'",
            machine::name(of.domain)
        ));
    }
    if !fits_address {
        return unsupported(format!(
            "<watchdog model='{model}'> has an <address> of another type"
        ));
    }
    Ok(())
}

pub(super) fn balloon(of: Context<'_>, balloon: &Memballoon) -> Result<()> {
    let Memballoon {
        model,
        autodeflate,
        free_page_reporting,
        stats_period: _,
        info: _,
        driver: _,
    } = balloon;
    if *model == MemballoonModel::Xen {
        return unsupported("<memballoon model='xen'> is not supported by QEMU");
    }
    if autodeflate.is_some() {
        of.need(
            Cap::VirtioBalloonPciDeflateOnOom,
            "'autodeflate' of <memballoon>",
        )?;
    }
    if free_page_reporting.is_some() {
        of.need(
            Cap::VirtioBalloonFreePageReporting,
            "'freePageReporting' of <memballoon>",
        )?;
    }
    Ok(())
}

pub(super) fn rng(of: Context<'_>, rng: &Rng) -> Result<()> {
    of.need(Cap::VirtioRng, "<rng>")?;
    match &rng.backend {
        RngBackend::Random { .. } => of.need(Cap::RngRandom, "<rng> with the backend 'random'"),
        RngBackend::Egd(chardev) => {
            super::chardev::source(of, chardev)?;
            of.need(Cap::RngEgd, "<rng> with the backend 'egd'")
        }
        RngBackend::Builtin => of.need(Cap::RngBuiltin, "<rng> with the backend 'builtin'"),
    }
}

pub(super) fn nvram(of: Context<'_>) -> Result<()> {
    if !machine::is_pseries(of.domain) {
        return unsupported("an <nvram> device is supported for pSeries machines only");
    }
    of.need(Cap::Nvram, "<nvram>")
}

pub(super) fn tpm(of: Context<'_>, tpm: &Tpm) -> Result<()> {
    let domain = of.domain;
    let Some(model) = tpm.model else {
        return Ok(());
    };
    let arch = machine::arch(domain);
    let (x86, virt) = (machine::is_x86(domain), machine::is_virt(domain));
    if let TpmBackend::Emulator(emulator) = &tpm.backend
        && emulator.version == Some(TpmVersion::V1_2)
    {
        if model == TpmModel::Crb {
            return unsupported("<tpm model='tpm-crb'> needs TPM 2.0, not 1.2");
        }
        if !x86 {
            return unsupported(format!("TPM 1.2 is not supported on architecture '{arch}'"));
        }
    }
    let what = format!("<tpm model='{model}'>");
    let (fits, cap) = match model {
        TpmModel::Tis => (x86 || virt, Cap::TpmTis),
        TpmModel::Crb => (x86, Cap::TpmCrb),
        TpmModel::Spapr => (machine::is_pseries(domain), Cap::TpmSpapr),
        TpmModel::SpaprProxy => (machine::is_pseries(domain), Cap::SpaprTpmProxy),
    };
    if !fits {
        return unsupported(format!(
            "{what} is not supported for arch '{arch}' with machine type '{}'",
            machine::name(domain)
        ));
    }
    // Elsewhere than on PCs the device with that interface has another name.
    if model != TpmModel::Tis || x86 {
        of.need(cap, &what)?;
    }
    if model == TpmModel::SpaprProxy && !matches!(tpm.backend, TpmBackend::Passthrough(_)) {
        return unsupported(format!("{what} needs a <backend type='passthrough'>"));
    }
    match &tpm.backend {
        TpmBackend::Passthrough(_) => of.need(Cap::TpmPassthrough, "a <tpm> of type 'passthrough'"),
        TpmBackend::Emulator(_) | TpmBackend::External(_) => {
            of.need(Cap::TpmEmulator, "a <tpm> of type 'emulator' or 'external'")
        }
    }
}

pub(super) fn panic(of: Context<'_>, panic: &Panic) -> Result<()> {
    let domain = of.domain;
    let Some(model) = panic.model else {
        return invalid("<panic> needs a model");
    };
    let address = panic.info.address.as_ref();
    let (fits_machine, fits_address, cap) = match model {
        PanicModel::Isa => (
            machine::is_x86(domain),
            matches!(address, None | Some(Address::Isa(_))),
            Some(Cap::Pvpanic),
        ),
        PanicModel::Hyperv => (machine::is_x86(domain), address.is_none(), None),
        PanicModel::Pseries => (machine::is_pseries(domain), address.is_none(), None),
        PanicModel::S390 => (machine::is_s390(domain), address.is_none(), None),
        PanicModel::Pvpanic => (
            true,
            matches!(address, None | Some(Address::Pci(_))),
            Some(Cap::PvpanicPci),
        ),
    };
    let what = format!("<panic model='{model}'>");
    if !fits_machine {
        return unsupported(format!(
            "{what} is not supported for machine type '{}'",
            machine::name(domain)
        ));
    }
    if !fits_address {
        return unsupported(format!("{what} cannot have an <address> of this type"));
    }
    cap.map_or(Ok(()), |cap| of.need(cap, &what))
}

pub(super) fn iommu(of: Context<'_>, iommu: &Iommu) -> Result<()> {
    let domain = of.domain;
    let Iommu {
        model,
        driver,
        info,
    } = iommu;
    let what = format!("<iommu model='{model}'>");
    let arm = machine::is_arm(domain) && machine::is_virt(domain);
    let q35 = machine::is_q35(domain);
    let (fits, cap) = match model {
        IommuModel::Intel => (q35, Cap::IntelIommu),
        IommuModel::Smmuv3 => (arm, Cap::MachineVirtIommu),
        IommuModel::Virtio => (q35 || arm, Cap::VirtioIommuPci),
    };
    if !fits {
        return unsupported(format!(
            "{what} is not supported for machine type '{}'",
            machine::name(domain)
        ));
    }
    of.need(cap, &what)?;
    if *model == IommuModel::Virtio {
        if q35 && !of.has_acpi() {
            return unsupported(format!("{what} requires <acpi/> in <features>"));
        }
        of.need(Cap::VirtioIommuBootBypass, &what)?;
    } else if info.address.is_some() {
        return unsupported(format!(
            "{what} is part of the machine and has no <address>"
        ));
    }
    let Some(driver) = driver else {
        return Ok(());
    };
    if *model != IommuModel::Intel {
        let is_given = [
            driver.intremap,
            driver.caching_mode,
            driver.eim,
            driver.iotlb,
            driver.dma_translation,
        ];
        if is_given.iter().any(Option::is_some) || driver.aw_bits.is_some() {
            return unsupported(format!(
                "{what} has no <driver> settings; they are for model 'intel'"
            ));
        }
        return Ok(());
    }
    let rows = [
        (
            "intremap",
            driver.intremap.is_some(),
            Cap::IntelIommuIntremap,
        ),
        (
            "caching_mode",
            driver.caching_mode.is_some(),
            Cap::IntelIommuCachingMode,
        ),
        ("eim", driver.eim.is_some(), Cap::IntelIommuEim),
        ("iotlb", driver.iotlb.is_some(), Cap::IntelIommuDeviceIotlb),
        ("aw_bits", driver.aw_bits.is_some(), Cap::IntelIommuAwBits),
        (
            "dma_translation",
            driver.dma_translation.is_some(),
            Cap::IntelIommuDmaTranslation,
        ),
    ];
    for (name, is_given, cap) in rows {
        if is_given {
            of.need(cap, &format!("'{name}' of {what}"))?;
        }
    }
    Ok(())
}

pub(super) fn input(of: Context<'_>, input: &Input) -> Result<()> {
    let Input {
        kind,
        bus,
        model: _,
        driver: _,
        source: _,
        info: _,
    } = input;
    let cap = match (kind, bus) {
        (InputType::Evdev, _) => Some(Cap::InputLinux),
        (InputType::Mouse, Some(InputBus::Virtio)) => Some(Cap::VirtioMouse),
        (InputType::Tablet, Some(InputBus::Virtio)) => Some(Cap::VirtioTablet),
        (InputType::Keyboard, Some(InputBus::Virtio)) => Some(Cap::VirtioKeyboard),
        (InputType::Passthrough, Some(InputBus::Virtio)) => Some(Cap::VirtioInputHost),
        (InputType::Keyboard, Some(InputBus::Usb)) => Some(Cap::UsbKbd),
        _ => None,
    };
    let name = bus.map_or("none", InputBus::as_str);
    cap.map_or(Ok(()), |cap| {
        of.need(cap, &format!("<input type='{kind}' bus='{name}'>"))
    })
}

pub(super) fn crypto(of: Context<'_>, crypto: &Crypto) -> Result<()> {
    of.need(Cap::VirtioCrypto, "<crypto>")?;
    match crypto.backend.model {
        CryptoBackendModel::Builtin => Ok(()),
        CryptoBackendModel::Lkcf => of.need(
            Cap::CryptodevBackendLkcf,
            "<crypto> with the backend 'lkcf'",
        ),
    }
}

pub(super) fn pstore(of: Context<'_>, pstore: &Pstore) -> Result<()> {
    let what = format!("<pstore backend='{}'>", pstore.backend);
    of.need(Cap::AcpiErst, &what)?;
    if !machine::is_x86(of.domain) || !of.has_acpi() {
        return unsupported(format!(
            "{what} needs an x86 machine with <acpi/> in <features>"
        ));
    }
    if !matches!(pstore.info.address, None | Some(Address::Pci(_))) {
        return unsupported(format!(
            "{what} has an <address> of another type than 'pci'"
        ));
    }
    Ok(())
}
