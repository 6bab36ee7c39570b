//! The host as a node: its memory, of all of it or of one NUMA cell, as the kernel counts it; how it confines guests.

use std::fs;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use virtbus_api::node::Node;
use virtbus_api::{Error, ErrorCode, ErrorDomain, Result};

use crate::connection::Qemu;
use crate::outside::blocking;

/// All cells together, in the place of a cell's number.
const ALL_CELLS: i32 = -1;

/// Libvirt's names of what the kernel calls otherwise, for the whole host. A cell has the first two.
const NAMES: [(&str, &str); 4] = [
    ("total", "MemTotal"),
    ("free", "MemFree"),
    ("buffers", "Buffers"),
    ("cached", "Cached"),
];

#[async_trait]
impl Node for Qemu {
    async fn memory_stats(&self, cell: i32) -> Result<Vec<(String, u64)>> {
        blocking(move || memory_stats(Path::new("/"), cell)).await
    }

    async fn security_model(&self) -> Result<(String, String)> {
        let models = self.core.providers.security().models();
        // As libvirt tells that guests are not confined.
        let none = || ("none".to_owned(), "0".to_owned());
        let first = models.into_iter().next();
        Ok(first.map_or_else(none, |model| (model.model, model.doi)))
    }
}

/// Memory of a cell, KiB. `root` is where `proc` and `sys` are.
fn memory_stats(root: &Path, cell: i32) -> Result<Vec<(String, u64)>> {
    let (path, names) = if cell == ALL_CELLS {
        (root.join("proc/meminfo"), &NAMES[..])
    } else {
        (cell_path(root, cell)?, &NAMES[..2])
    };
    let text = fs::read_to_string(&path).map_err(|error| {
        let message = format!("cannot read '{}': {error}", path.display());
        Error::new(ErrorCode::SystemError, ErrorDomain::Qemu, message)
    })?;
    let stats = names.iter().map(|(name, kernel)| {
        let value = field(&text, kernel)
            .ok_or_else(|| Error::internal(format!("'{}' tells no {kernel}", path.display())))?;
        Ok(((*name).to_owned(), value))
    });
    stats.collect()
}

/// Where the kernel tells of a cell's memory.
///
/// # Errors
/// `InvalidArg` if the host has no such cell.
fn cell_path(root: &Path, cell: i32) -> Result<PathBuf> {
    let cells = root.join("sys/devices/system/node");
    let path = cells.join(format!("node{cell}")).join("meminfo");
    if cell >= 0 && path.exists() {
        return Ok(path);
    }
    let last = fs::read_dir(&cells).ok().and_then(|entries| {
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let numbers = names.filter_map(|name| name.strip_prefix("node")?.parse::<u32>().ok());
        numbers.max()
    });
    let there = last.map_or_else(
        || "its kernel reports no NUMA cells".to_owned(),
        |last| format!("the last one is {last}"),
    );
    Err(Error::invalid_argument(format!(
        "the host has no NUMA cell {cell}: {there}; use {ALL_CELLS} for all cells together"
    )))
}

/// A line `NAME: NUMBER kB`, or `Node N NAME: NUMBER kB` as it is for a cell.
fn field(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| {
        let (before, after) = line.split_once(':')?;
        if before.split_whitespace().next_back()? != name {
            return None;
        }
        after.trim().strip_suffix("kB")?.trim().parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write(
            "proc/meminfo",
            "MemTotal:       4000 kB\nMemFree:         300 kB\nMemAvailable:  900 kB\nBuffers:  20 kB\nCached:  1 kB\nSwapCached:  7 kB\n",
        );
        for cell in [0, 3] {
            write(
                &format!("sys/devices/system/node/node{cell}/meminfo"),
                &format!(
                    "Node {cell} MemTotal:     2000 kB\nNode {cell} MemFree:    10{cell} kB\nNode {cell} MemUsed:  9 kB\n"
                ),
            );
        }
        root
    }

    fn told(cell: i32) -> Vec<(String, u64)> {
        memory_stats(host().path(), cell).unwrap()
    }

    fn named(values: &[(&str, u64)]) -> Vec<(String, u64)> {
        let owned = values
            .iter()
            .map(|(name, value)| ((*name).to_owned(), *value));
        owned.collect()
    }

    #[test]
    fn the_whole_host_and_a_cell_tell_what_libvirt_does() {
        let all = [
            ("total", 4000),
            ("free", 300),
            ("buffers", 20),
            ("cached", 1),
        ];
        assert_eq!(told(ALL_CELLS), named(&all));
        assert_eq!(told(3), named(&[("total", 2000), ("free", 103)]));
    }

    #[test]
    fn a_cell_that_is_not_there_is_named() {
        for cell in [4, 1, -2, i32::MIN] {
            let error = memory_stats(host().path(), cell).unwrap_err();
            assert_eq!(error.code, ErrorCode::InvalidArg, "{cell}");
            assert!(
                error
                    .message
                    .contains(&format!("cell {cell}: the last one is 3")),
                "{error}"
            );
        }
        let empty = tempfile::tempdir().unwrap();
        let error = memory_stats(empty.path(), 0).unwrap_err();
        assert_eq!(error.code, ErrorCode::InvalidArg);
        let error = memory_stats(empty.path(), ALL_CELLS).unwrap_err();
        assert_eq!(error.code, ErrorCode::SystemError);
    }
}
