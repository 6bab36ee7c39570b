//! The host, which is made up: two NUMA cells and sixteen processors, whatever machine this is.

use async_trait::async_trait;
use virtbus_api::connection::{Host, NodeInfo};
use virtbus_api::node::{BaselineCpuFlags, Node};
use virtbus_api::{Error, Result};
use virtbus_conf_host::capabilities::Capabilities;

use crate::driver::Test;
use crate::{cpus, error};

/// The most virtual CPUs of a domain.
pub(crate) const MAX_VCPUS: u32 = 32;

/// The host's capabilities.
const CAPABILITIES: &str = include_str!("default/capabilities.xml");

/// Memory of the NUMA cells, KiB; half of it is free.
const CELLS: [u64; 2] = [2_097_152, 4_194_304];

/// Processors that the map tells of, and those that are online.
pub(crate) const CPU_MAP: [bool; 8] = [true, false, true, false, true, false, false, false];

/// What the host's processors spent, nanoseconds.
const CPU_STATS: [(&str, u64); 4] = [
    ("kernel", 8_259_604_000),
    ("user", 16_804_690_000),
    ("idle", 1_673_000_000_000),
    ("iowait", 1_847_000_000),
];

#[async_trait]
impl Host for Test {
    async fn version(&self) -> Result<u64> {
        Ok(2)
    }

    async fn hostname(&self) -> Result<String> {
        let name = rustix::system::uname();
        Ok(name.nodename().to_string_lossy().into_owned())
    }

    async fn capabilities(&self) -> Result<String> {
        let capabilities = Capabilities::parse(CAPABILITIES).map_err(|error| error::xml(&error))?;
        Ok(capabilities.format())
    }

    async fn domain_capabilities(
        &self,
        emulator: Option<&str>,
        arch: Option<&str>,
        machine: Option<&str>,
        virt_type: Option<&str>,
    ) -> Result<String> {
        if let Some(other) = virt_type.filter(|kind| *kind != "test") {
            return Err(Error::invalid_argument(format!(
                "unsupported domain type '{other}' (supported: test)"
            )));
        }
        if let Some(other) = arch.filter(|arch| *arch != "i686") {
            return Err(Error::invalid_argument(format!(
                "unsupported architecture '{other}' (supported: i686)"
            )));
        }
        let path = emulator.unwrap_or("/usr/bin/test-emulator");
        let machine = machine
            .map(|machine| format!("\n  <machine>{machine}</machine>"))
            .unwrap_or_default();
        let xml = format!(
            "<domainCapabilities>\n  <path>{path}</path>\n  <domain>test</domain>{machine}\n  <arch>i686</arch>\n  \
             <vcpu max='{MAX_VCPUS}'/>\n</domainCapabilities>"
        );
        let read = virtbus_conf_host::domain_capabilities::DomainCapabilities::parse(&xml);
        Ok(read.map_err(|error| error::xml(&error))?.format())
    }

    async fn max_vcpus(&self, _virt_type: Option<&str>) -> Result<u32> {
        Ok(MAX_VCPUS)
    }

    async fn node_info(&self) -> Result<NodeInfo> {
        Ok(self.info.clone())
    }

    async fn free_memory(&self) -> Result<u64> {
        Ok(CELLS.iter().sum::<u64>() * 1024 / 2)
    }

    async fn cpu_model_names(&self, arch: &str) -> Result<Vec<String>> {
        cpus::models(arch)
    }
}

fn check_cells(start: usize, cells: usize) -> Result<()> {
    if cells == 0 || start >= CELLS.len() {
        return Err(Error::invalid_argument(format!(
            "invalid range of NUMA nodes: {cells} from {start} (the host has 0 to {})",
            CELLS.len() - 1
        )));
    }
    Ok(())
}

#[async_trait]
impl Node for Test {
    async fn sysinfo(&self) -> Result<String> {
        Ok("<sysinfo type='smbios'>\n  <bios>\n    <entry name='vendor'>LENOVO</entry>\n    \
            <entry name='version'>G4ETA1WW (2.61 )</entry>\n    <entry name='date'>05/07/2014</entry>\n    \
            <entry name='release'>2.61</entry>\n  </bios>\n</sysinfo>\n"
            .to_owned())
    }

    async fn baseline_cpu(&self, xmls: &[String], _flags: BaselineCpuFlags) -> Result<String> {
        cpus::baseline(xmls)
    }

    async fn cpu_map(&self) -> Result<Vec<bool>> {
        Ok(CPU_MAP.to_vec())
    }

    async fn cpu_stats(&self, cpu: i32) -> Result<Vec<(String, u64)>> {
        let cpus = i32::try_from(CPU_MAP.len()).unwrap_or(i32::MAX);
        if cpu < -1 || cpu >= cpus {
            return Err(Error::invalid_argument(format!(
                "invalid host CPU {cpu} (0 to {})",
                cpus - 1
            )));
        }
        Ok(CPU_STATS.map(|(name, time)| (name.to_owned(), time)).into())
    }

    async fn security_model(&self) -> Result<(String, String)> {
        Ok(("testSecurity".to_owned(), "0".to_owned()))
    }

    async fn cells_free_memory(&self, start: u32, most: u32) -> Result<Vec<u64>> {
        let start = usize::try_from(start).unwrap_or(usize::MAX);
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        check_cells(start, most)?;
        Ok(CELLS
            .iter()
            .skip(start)
            .take(most)
            .map(|memory| memory * 1024 / 2)
            .collect())
    }

    async fn free_pages(&self, sizes: &[u32], start: i32, cells: u32) -> Result<Vec<u64>> {
        let start = usize::try_from(start).unwrap_or(0);
        let cells = usize::try_from(cells).unwrap_or(usize::MAX);
        check_cells(start, cells)?;
        if let Some(size) = sizes
            .iter()
            .find(|size| ![4, 2048, 1_048_576].contains(*size))
        {
            return Err(Error::invalid_argument(format!(
                "unsupported page size {size} KiB: the host has no such pages"
            )));
        }
        let free = |memory: u64, size: u32| memory / 2 / u64::from(size);
        let cells = CELLS.iter().skip(start).take(cells);
        Ok(cells
            .flat_map(|memory| sizes.iter().map(move |size| free(*memory, *size)))
            .collect())
    }
}
