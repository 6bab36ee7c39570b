//! What documents of this crate are about, found without reading the rest of them.

use virtbus_conf_base::{Identity, NamePlace, XmlError, identified};

use crate::storage_pool::StoragePool;
use crate::storage_volume::StorageVolume;

impl StoragePool {
    /// What a document is about. One without a name is called after its source, for which all of it is read.
    ///
    /// # Errors
    /// Malformed XML before name and UUID were found, or that they are missing or none.
    pub fn identify(xml: &str) -> Result<Identity, XmlError> {
        let found = Identity::find(xml, "pool", NamePlace::Optional, true)?;
        if found.name.is_some() {
            return Ok(found);
        }
        let pool = Self::parse(xml)?;
        Ok(Identity {
            name: pool.name.or(pool.source.name),
            ..found
        })
    }
}

identified! {
    StorageVolume: "volume", Required, false;
}

#[cfg(test)]
mod tests {
    use virtbus_conf_base::Text;
    use virtbus_conf_base::common::Uuid;

    use super::*;

    const UUID: &str = "c7a5fdbd-edaf-9455-926a-d65c16db1809";

    #[test]
    fn every_kind_is_found() {
        let children = format!("<name>n</name><uuid>{UUID}</uuid>");
        let named = Identity {
            name: Some(Text::from("n")),
            uuid: Uuid::parse(UUID),
            mac: None,
        };
        let only_named = Identity {
            uuid: None,
            ..named.clone()
        };
        let of = |root: &str| format!("<{root}>{children}</{root}>");
        assert_eq!(StoragePool::identify(&of("pool")).unwrap(), named);
        assert_eq!(StorageVolume::identify(&of("volume")).unwrap(), only_named);
        let pool = "<pool type='logical'><source><name>vg</name></source></pool>";
        let name = StoragePool::identify(pool).unwrap().name;
        assert_eq!(name, Some(Text::from("vg")));
    }
}
