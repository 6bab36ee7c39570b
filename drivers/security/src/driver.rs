//! The security driver as hypervisor drivers see it: the API's trait over what this crate has.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::str::FromStr;

use virtbus_api::domain::SecurityLabel;
use virtbus_api::security::{
    Access as ApiAccess, FileId, Prepared as ApiPrepared, Resource as ApiResource, Security,
    SecurityModel,
};
use virtbus_api::{Error, ErrorCode, ErrorDomain, Result, Uuid};

use crate::dac::{Access, Dac, Departure, Holder, Identity, Prepared, Record, Resource};

fn failed(error: &dyn std::error::Error) -> Error {
    Error::chain(ErrorCode::SystemError, ErrorDomain::Security, error)
}

impl Security for Dac {
    fn models(&self) -> Vec<SecurityModel> {
        vec![SecurityModel {
            model: "dac".to_owned(),
            doi: "0".to_owned(),
            base_label: Some(label(self.identity())),
        }]
    }

    fn labels(&self, _: Uuid) -> Vec<SecurityLabel> {
        vec![SecurityLabel {
            label: label(self.identity()),
            enforcing: true,
        }]
    }

    fn prepare(
        &self,
        guest: Uuid,
        part: u32,
        resources: &[ApiResource],
    ) -> Result<Box<dyn ApiPrepared>> {
        let resources: Vec<Resource> = resources
            .iter()
            .map(|resource| Resource {
                path: resource.path.clone(),
                access: access(resource.access),
            })
            .collect();
        let prepared = Self::prepare(self, Holder::of_part(guest.into_bytes(), part), &resources)
            .map_err(|error| failed(&error))?;
        Ok(Box::new(prepared))
    }

    fn owner_before(&self, path: &Path) -> Option<u32> {
        Self::owner_before(path)
    }

    fn restore(&self, record: &str) {
        match Record::from_str(record) {
            Ok(record) => {
                for error in Self::restore(self, &record, Departure::Ended) {
                    let error = failed(&error);
                    tracing::warn!(%error, "a guest's file cannot be given back, ignoring");
                }
            }
            Err(error) => {
                tracing::error!(%error, "a record of files' owners cannot be read, ignoring");
            }
        }
    }
}

/// A user and a group as libvirt writes them: numbers, not names.
fn label(identity: &Identity) -> String {
    let owner = identity.owner();
    format!("+{}:+{}", owner.uid, owner.gid)
}

const fn access(access: ApiAccess) -> Access {
    match access {
        ApiAccess::ReadOnly => Access::ReadOnly,
        ApiAccess::Shared => Access::Shared,
        ApiAccess::ReadWrite => Access::ReadWrite,
    }
}

impl ApiPrepared for Prepared {
    fn record(&self) -> String {
        Self::record(self).to_string()
    }

    fn apply(&mut self) -> Result<()> {
        Self::apply(self).map_err(|error| failed(&error))
    }
    fn descriptor(&self, path: &Path) -> Result<OwnedFd> {
        Self::descriptor(self, path).map_err(|error| failed(&error))
    }

    fn check_opened(&self, process: i32, also: &[(FileId, ApiAccess)]) -> Result<()> {
        let also = also.iter();
        let also: Vec<_> = also
            .map(|(id, may)| ((id.device, id.inode), access(*may)))
            .collect();
        Self::check_opened(self, process, &also).map_err(|error| failed(&error))
    }
}
