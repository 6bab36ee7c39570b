//! Descriptions of firmware.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use virtbus_conf_base::common::Arch;
use virtbus_conf_domain::domain::os::Firmware;
use virtbus_qemu_definition::firmware::{Descriptor, Feature, in_order};

use crate::case::Case;
use crate::compare;
use crate::outcome::{Held, Problem, Refusal};

/// Folders of descriptions, from the least to the most important.
const FOLDERS: [&str; 3] = [
    "usr/share/qemu/firmware",
    "etc/qemu/firmware",
    "home/user/.config/qemu/firmware",
];

/// `qemufirmware`.
pub(crate) fn firmware(case: &Case) -> Held<()> {
    match case.text_req("op")? {
        "parse-format" => parse(case),
        "precedence" => precedence(case),
        "supported" => supported(case),
        other => Err(Problem::unsupported(format!("operation '{other}'"))),
    }
}

/// Those of the fixtures, in order.
pub(super) fn known(case: &Case) -> Held<Vec<Descriptor>> {
    let mut known = Vec::new();
    for (_, path) in files(&case.fixture("qemufirmware"))? {
        let text = read(&path)?;
        // What is malformed is left out.
        known.extend(Descriptor::parse(&text).ok());
    }
    Ok(known)
}

fn read(path: &Path) -> Held<String> {
    fs::read_to_string(path)
        .map_err(|e| Problem::failed(format!("cannot read '{}': {e}", path.display())))
}

/// The files below `root` by name.
fn files(root: &Path) -> Held<Vec<(String, PathBuf)>> {
    let mut folders = Vec::new();
    for folder in FOLDERS {
        let entries = fs::read_dir(root.join(folder)).into_iter().flatten();
        let mut files = Vec::new();
        for entry in entries.flatten() {
            files.push((
                entry.file_name().to_string_lossy().into_owned(),
                entry.path(),
            ));
        }
        folders.push(files);
    }
    let mut files = in_order(folders);
    files.retain(|(_, path)| fs::metadata(path).is_ok_and(|file| file.len() > 0));
    Ok(files)
}

fn parse(case: &Case) -> Held<()> {
    let text = case.file("input")?;
    let written = Descriptor::parse(&text).map(serde_json::to_value);
    let written = match written {
        Err(error) => return case.check_refused(Err::<(), _>(Refusal::reading(error)), &text),
        Ok(written) => written.map_err(|error| Problem::failed(error.to_string()))?,
    };
    let expected = case.file("expect")?;
    let mut expected: Value =
        serde_json::from_str(&expected).map_err(|error| Problem::failed(error.to_string()))?;
    for key in case.words("ignore_keys")? {
        if let Some(map) = expected.as_object_mut() {
            map.remove(key);
        }
    }
    same(&expected, &written)
}

fn same(expected: &Value, produced: &Value) -> Held<()> {
    if expected == produced {
        return Ok(());
    }
    compare::text(&format!("{expected:#}\n"), &format!("{produced:#}\n"))
}

fn precedence(case: &Case) -> Held<()> {
    let root = case.path("descriptors")?;
    let found = files(&root)?.into_iter().map(|(_, path)| {
        let below = path.strip_prefix(&root).unwrap_or(&path);
        format!("/{}", below.display())
    });
    let found = Value::from(found.collect::<Vec<_>>());
    same(case.field("result").unwrap_or(&Value::Null), &found)
}

fn supported(case: &Case) -> Held<()> {
    let arch = case.text_req("arch")?;
    let arch = Arch::from_name(arch)
        .ok_or_else(|| Problem::failed(format!("unknown architecture '{arch}'")))?;
    let machine = case.text_req("machine")?;
    let all = known(case)?;
    let known: Vec<&Descriptor> = all
        .iter()
        .filter(|descriptor| descriptor.is_for(arch, machine))
        .collect();
    let secure = known.iter().any(|descriptor| {
        descriptor.has(Feature::SecureBoot) && descriptor.has(Feature::RequiresSmm)
    });
    let mut interfaces: Vec<&str> = known
        .iter()
        .flat_map(|descriptor| &descriptor.interface_types)
        .filter_map(|interface| interface.firmware())
        .map(Firmware::as_str)
        .collect();
    interfaces.sort_unstable();
    interfaces.dedup();
    let mut images: Vec<Value> = Vec::new();
    for descriptor in known {
        let (path, nvram) = descriptor.paths();
        let image = serde_json::json!({"path": path, "nvram": nvram});
        if !images.contains(&image) {
            images.push(image);
        }
    }
    same(
        case.field("firmwares").unwrap_or(&Value::Null),
        &images.into(),
    )?;
    same(case.field("secure").unwrap_or(&Value::Null), &secure.into())?;
    same(
        case.field("interfaces").unwrap_or(&Value::Null),
        &interfaces.into(),
    )
}
