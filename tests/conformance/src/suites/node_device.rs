//! Node devices.

use virtbus_conf_base::Flags;
use virtbus_conf_host::node_device::{Capability, Media, NodeDevice, Purpose};

use crate::case::Case;
use crate::outcome::{Held, Refusal};

/// Bytes of a block of a medium that can be taken out, and of one that cannot.
const BLOCKS: (u64, u64) = (2048, 512);

/// `nodedevxml2xml`.
pub(crate) fn node_device(case: &Case) -> Held<()> {
    let xml = case.file("input")?;
    let device = read(&xml);
    let flags = if case.is("inactive")? {
        Flags::INACTIVE
    } else {
        Flags::empty()
    };
    case.check(device.map(|d| d.format(flags)), &xml)
}

fn read(xml: &str) -> Result<NodeDevice, Refusal> {
    let mut device = NodeDevice::parse(xml).map_err(Refusal::reading)?;
    device
        .validate(Purpose::Existing)
        .map_err(Refusal::reading)?;
    for capability in &mut device.capabilities {
        if let Capability::Storage(storage) = capability {
            divide(&mut storage.media);
        }
    }
    Ok(device)
}

/// Divides a medium into blocks, as the host's driver would.
fn divide(media: &mut Media) {
    let (blocks, size, block) = match media {
        Media::Removable(medium) if medium.media_available => {
            (&mut medium.blocks, medium.media_size, BLOCKS.0)
        }
        Media::Removable(_) => return,
        Media::Fixed { size, blocks } => (blocks, *size, BLOCKS.1),
    };
    blocks.logical_block_size = Some(block);
    blocks.num_blocks = Some(size / block);
}
