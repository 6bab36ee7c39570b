//! What this QEMU can do: machines, types, commands, options, schema.

use serde_json::value::RawValue;

use crate::command::commands;

use super::qom::ObjectProperty;
use super::replies;

commands! {
    /// The architecture that is emulated.
    QueryTarget = "query-target" -> Target;
    /// The machine types.
    QueryMachines = "query-machines" -> Vec<Machine>;
    /// The commands.
    QueryCommands = "query-commands" -> Vec<Named>;
    /// The options of the command line, as far as QEMU keeps them in tables.
    QueryCommandLineOptions = "query-command-line-options" -> Vec<CommandLineOption>;
    /// The whole protocol, as `SchemaInfo` objects.
    QueryQmpSchema = "query-qmp-schema" -> Box<RawValue>;
    /// The properties of a device type.
    DeviceListProperties(
        /// The type.
        typename: String,
    ) = "device-list-properties" -> Vec<ObjectProperty>;
    /// Front ends for trusted platform modules.
    QueryTpmModels = "query-tpm-models" -> Vec<String>;
    /// Back ends for trusted platform modules.
    QueryTpmTypes = "query-tpm-types" -> Vec<String>;
    /// What migration can do.
    QueryMigrateCapabilities = "query-migrate-capabilities" -> Vec<MigrateCapability>;
    /// Interrupt controllers (Arm).
    QueryGicCapabilities = "query-gic-capabilities" -> Vec<GicCapability>;
    /// AMD's encrypted guests; fails where there are none.
    QuerySevCapabilities = "query-sev-capabilities" -> SevCapability;
    /// Intel's enclaves; fails where there are none.
    QuerySgxCapabilities = "query-sgx-capabilities" -> SgxCapability;
    /// Hardware and software that can speed up emulation. QEMU 10.1 on.
    QueryAccelerators = "query-accelerators" -> Accelerators;
}

replies! {
    /// The architecture.
    Target {
        /// QEMU's name for it.
        arch: String,
    }
    /// A machine type.
    Machine {
        /// Its name.
        name: String,
        /// Another name for it.
        alias: Option<String>,
        /// Whether it is what comes without `-machine`.
        #[serde(default)]
        is_default: bool,
        /// How many virtual CPUs it can have.
        #[serde(default)]
        cpu_max: u32,
        /// Whether virtual CPUs can be plugged in.
        #[serde(default)]
        hotpluggable_cpus: bool,
        /// Whether NUMA nodes may have memory without a backend.
        #[serde(default)]
        numa_mem_supported: bool,
        /// Whether QEMU is going to drop it.
        #[serde(default)]
        deprecated: bool,
        /// CPU type that comes without `-cpu`.
        default_cpu_type: Option<String>,
        /// Id of the memory backend for the machine's main memory.
        default_ram_id: Option<String>,
        /// Whether it can have ACPI.
        acpi: Option<bool>,
    }
    /// Something with a name.
    Named {
        /// The name.
        name: String,
    }
    /// An option of the command line.
    CommandLineOption {
        /// Its name without the dash.
        option: String,
        /// Its parameters.
        #[serde(default)]
        parameters: Vec<Named>,
    }
    /// Something that migration can do.
    MigrateCapability {
        /// Its name.
        capability: String,
        /// Whether it is on.
        #[serde(default)]
        state: bool,
    }
    /// An interrupt controller.
    GicCapability {
        /// 2 or 3.
        version: u32,
        /// Whether QEMU emulates it.
        emulated: bool,
        /// Whether the kernel provides it.
        kernel: bool,
    }
    /// AMD's encrypted guests.
    SevCapability {
        /// Platform Diffie-Hellman key, base64.
        pdh: String,
        /// Certificate chain, base64.
        cert_chain: String,
        /// Identity of the first processor, base64.
        cpu0_id: Option<String>,
        /// Bit of an address that says that it is encrypted.
        cbitpos: u32,
        /// Physical address bits lost.
        reduced_phys_bits: u32,
    }
    /// Intel's enclaves.
    SgxCapability {
        /// Whether there are any.
        sgx: bool,
        /// Version 1.
        #[serde(default)]
        sgx1: bool,
        /// Version 2.
        #[serde(default)]
        sgx2: bool,
        /// Flexible launch control.
        #[serde(default)]
        flc: bool,
        /// Enclave memory altogether, in bytes; gone in QEMU 8.0.
        section_size: Option<u64>,
        /// Enclave memory by NUMA node.
        #[serde(default)]
        sections: Vec<SgxSection>,
    }
    /// Enclave memory of a NUMA node.
    SgxSection {
        /// The node.
        node: i64,
        /// Bytes.
        size: u64,
    }
    /// What can speed up emulation.
    Accelerators {
        /// The one in use.
        enabled: String,
        /// All.
        present: Vec<String>,
    }
}
