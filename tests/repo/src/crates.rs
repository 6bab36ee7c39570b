//! The workspace's crates and the edges between them, as `cargo metadata` tells them.

use std::collections::BTreeMap;
use std::process::Command;

use serde::Deserialize;

use crate::tracked;

/// A crate of the workspace.
#[derive(Debug, Clone)]
pub struct Crate {
    /// Its name.
    pub name: String,
    /// Its folder below the top, such as `drivers/api`.
    pub folder: String,
    /// What it names as dependencies, ours and others'.
    pub dependencies: Vec<Dependency>,
    /// Its features, each with what it turns on.
    pub features: BTreeMap<String, Vec<String>>,
}

/// A dependency that a crate names.
#[derive(Debug, Clone, Deserialize)]
pub struct Dependency {
    /// The crate that is depended on.
    pub name: String,
    /// `None` for the crate itself, else `dev` or `build`.
    pub kind: Option<String>,
    /// Whether a feature has to turn it on.
    pub optional: bool,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    manifest_path: String,
    dependencies: Vec<Dependency>,
    features: BTreeMap<String, Vec<String>>,
}

/// The workspace's crates, by folder.
///
/// # Errors
/// What cargo said.
pub fn crates() -> Result<Vec<Crate>, String> {
    let root = tracked::root();
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let told = Command::new(cargo)
        .args(["metadata", "--no-deps", "--format-version=1", "--offline"])
        .current_dir(&root)
        .output()
        .map_err(|error| format!("cannot run cargo: {error}"))?;
    if !told.status.success() {
        return Err(String::from_utf8_lossy(&told.stderr).into_owned());
    }
    let metadata: Metadata = serde_json::from_slice(&told.stdout)
        .map_err(|error| format!("cargo metadata tells something else: {error}"))?;
    let top = format!("{}/", root.display());
    let mut crates = Vec::new();
    for package in metadata.packages {
        let folder = package
            .manifest_path
            .strip_prefix(&top)
            .and_then(|path| path.strip_suffix("/Cargo.toml"))
            .ok_or_else(|| format!("{} is outside of {top}", package.manifest_path))?;
        crates.push(Crate {
            folder: folder.to_owned(),
            name: package.name,
            dependencies: package.dependencies,
            features: package.features,
        });
    }
    crates.sort_by(|one, other| one.folder.cmp(&other.folder));
    Ok(crates)
}
