//! Random numbers of the host.

use virtbus_api::Uuid;
use virtbus_conf_base::Entropy;
use virtbus_conf_base::common::Mac;

/// Random bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Random;

impl Entropy for Random {
    fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(6) {
            // The first bytes of such a UUID are random altogether.
            let random = Uuid::new_v4();
            for (byte, random) in chunk.iter_mut().zip(random.as_bytes()) {
                *byte = *random;
            }
        }
    }
}

/// A new Ethernet address for a bridge, in the range that QEMU and libvirt use.
pub(crate) fn mac() -> Mac {
    let mut bytes = [0x52, 0x54, 0, 0, 0, 0];
    Random.fill(&mut bytes[3..]);
    Mac(bytes)
}
