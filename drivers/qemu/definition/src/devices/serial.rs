//! Serial ports: of which kind they are, and which device each is.

use virtbus_conf_domain::domain::Domain;
use virtbus_conf_domain::domain::devices::chardev::{
    Serial, SerialTargetModel as Model, SerialTargetType as Kind,
};

use crate::machine;

pub(super) fn complete(domain: &Domain, serial: &mut Serial) {
    let target = serial.target.get_or_insert_default();
    if target.kind == Some(Kind::IsaSerial) && target.model.is_none() {
        // This was written for what a machine has by itself, whatever that was.
        target.kind = None;
    }
    if target.kind.is_none() {
        target.kind = usual(domain);
    }
    if target.model.is_none() {
        target.model = target.kind.and_then(|kind| model(domain, kind));
    }
}

/// The kind that a machine has by itself.
fn usual(domain: &Domain) -> Option<Kind> {
    if machine::is_x86(domain) {
        Some(Kind::IsaSerial)
    } else if machine::is_pseries(domain) {
        Some(Kind::SpaprVioSerial)
    } else if machine::is_virt(domain) {
        Some(Kind::SystemSerial)
    } else if machine::is_s390(domain) {
        Some(Kind::SclpSerial)
    } else {
        None
    }
}

fn model(domain: &Domain, kind: Kind) -> Option<Model> {
    match kind {
        Kind::IsaSerial => Some(Model::IsaSerial),
        Kind::UsbSerial => Some(Model::UsbSerial),
        Kind::PciSerial => Some(Model::PciSerial),
        Kind::SpaprVioSerial => Some(Model::SpaprVty),
        Kind::SclpSerial => Some(Model::SclpConsole),
        Kind::IsaDebug => Some(Model::IsaDebugcon),
        Kind::SystemSerial if !machine::is_virt(domain) => None,
        Kind::SystemSerial if machine::is_arm(domain) => Some(Model::Pl011),
        Kind::SystemSerial => Some(Model::Uart16550a),
    }
}
