//! The flags that the driver knows, call by call. What stands here is obeyed.

use virtbus_api::flags::KnownFlags;

/// The table.
pub(crate) const FLAGS: &[KnownFlags] = virtbus_api::known_flags! {
    NetworkCreateXmlFlags, NetworkDefineXmlFlags: NetworkDefineFlags = VALIDATE;
    NetworkGetMetadata, NetworkSetMetadata, NetworkUpdate: DomainModificationImpact = LIVE | CONFIG;
    NetworkGetXmlDesc: NetworkXmlFlags = INACTIVE;
    NetworkPortCreateXml: NetworkPortCreateFlags = RECLAIM | VALIDATE;
};
