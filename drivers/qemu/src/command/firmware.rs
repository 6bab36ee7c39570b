//! Firmware: an image that the machine reads as it starts, or one in flash memory with a store of variables beside it.

use virtbus_api::Result;
use virtbus_api::security::Access;
use virtbus_conf_base::YesNo;
use virtbus_conf_storage::storage::ImageFormat;

use super::{Builder, Props, unsupported};
use crate::definition::firmware;

/// The flash memory with the firmware's code, and that with its variables: the names of the machine's properties.
const CODE: &str = "pflash0";
const VARIABLES: &str = "pflash1";

/// Adds the images, and gives the machine's properties that name them.
pub(super) fn add(builder: &mut Builder<'_>) -> Result<Vec<(&'static str, String)>> {
    let os = builder.os;
    let path = os.loader.as_ref().and_then(|loader| loader.path.as_ref());
    if os.firmware.is_some() && path.is_none() {
        return Err(unsupported(
            "firmware cannot be chosen automatically (<os firmware='…'>); name a <loader>",
        ));
    }
    let Some(path) = path else {
        return Ok(Vec::new());
    };
    let Some(loader) = firmware::flash(os) else {
        let name = builder.holds(path, Access::ReadOnly);
        builder.option("-bios", name);
        return Ok(Vec::new());
    };
    if loader.secure == Some(YesNo::Yes) {
        // The guest changes its variables by the firmware only.
        builder.option("-global", "driver=cfi.pflash01,property=secure,value=on");
    }
    let code = flash(builder, CODE, path, loader.format, Access::ReadOnly)?;
    let mut properties = vec![(CODE, code)];
    if let Some(nvram) = os.nvram.as_deref() {
        let path = firmware::path(nvram).ok_or_else(|| {
            unsupported("the variables of firmware (<nvram>) must be in a file of the host")
        })?;
        let variables = flash(builder, VARIABLES, path, nvram.format, Access::ReadWrite)?;
        properties.push((VARIABLES, variables));
    }
    Ok(properties)
}

/// Adds the nodes of an image in flash memory, and gives the name of the upper one.
fn flash(
    builder: &mut Builder<'_>,
    name: &str,
    path: &str,
    format: Option<ImageFormat>,
    access: Access,
) -> Result<String> {
    let format = match format.unwrap_or(ImageFormat::Raw) {
        ImageFormat::Raw => "raw",
        ImageFormat::Qcow2 => "qcow2",
        other => {
            return Err(unsupported(format!(
                "firmware images of format '{other}' are not supported"
            )));
        }
    };
    let (storage, node) = (
        format!("libvirt-{name}-storage"),
        format!("libvirt-{name}-format"),
    );
    let props = Props::device("file")
        .set("filename", builder.holds(path, access))
        .set("node-name", storage.as_str())
        .set("auto-read-only", true)
        .set("discard", "unmap");
    builder.option("-blockdev", props.json());
    let mut props = Props::new()
        .set("node-name", node.as_str())
        .set("read-only", access == Access::ReadOnly)
        .set("driver", format)
        .set("file", storage);
    if format == "qcow2" {
        // What such an image says of another must not be believed.
        props = props.set("backing", serde_json::Value::Null);
    }
    builder.option("-blockdev", props.json());
    Ok(node)
}
