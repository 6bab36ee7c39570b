//! Devices of the host, which is made up; virtual ports of its fibre channel adapters can be made.

use std::sync::Arc;

use async_trait::async_trait;
use virtbus_api::event::Event;
use virtbus_api::listing::Views;
use virtbus_api::node_device::{
    NodeDeviceDefineFlags, NodeDeviceEvent, NodeDeviceId, NodeDeviceLifecycle, NodeDeviceView,
    NodeDeviceXmlFlags, NodeDevices,
};
use virtbus_api::object::{IdRef, Kind};
use virtbus_api::{Error, ErrorCode, ErrorDomain, Result, naming};
use virtbus_conf_base::{Flags, format_text};
use virtbus_conf_host::node_device::{Capability, NodeDevice as Definition, ScsiHost};

use crate::driver::{State, Test};
use crate::error;

/// A device as the driver keeps it.
#[derive(Debug)]
pub(crate) struct Device {
    pub(crate) name: Arc<str>,
    definition: Arc<Definition>,
    view: Arc<NodeDeviceView>,
    /// Whether it was made here.
    virtual_port: bool,
}

/// Reads a description.
pub(crate) fn parse(xml: &str, strict: bool) -> Result<Definition> {
    if strict {
        Definition::parse_strict(xml).map_err(|error| error::schema(&error))
    } else {
        Definition::parse(xml).map_err(|error| error::xml(&error))
    }
}

impl Device {
    pub(crate) fn new(definition: Definition) -> Result<Self> {
        let name: Arc<str> = definition
            .name
            .as_deref()
            .ok_or_else(|| Error::invalid_argument("the device has no <name>"))?
            .into();
        let parent = definition
            .parent
            .as_ref()
            .and_then(|parent| parent.name.as_deref());
        let capabilities = definition
            .kinds()
            .into_iter()
            .map(|kind| kind.as_str().into())
            .collect();
        Ok(Self {
            view: Arc::new(NodeDeviceView {
                id: NodeDeviceId {
                    name: Arc::clone(&name),
                },
                parent: parent.map(Into::into),
                capabilities,
                active: true,
                persistent: false,
                autostart: false,
            }),
            name,
            definition: Arc::new(definition),
            virtual_port: false,
        })
    }

    fn scsi_host(&self) -> Option<&ScsiHost> {
        self.definition.scsi_host()
    }
}

impl State {
    /// Adds a device, which must be new.
    pub(crate) fn put_device(&mut self, device: Device) -> Result<()> {
        let there = self.devices.values();
        let there = there.map(|device| IdRef::NodeDevice(&device.view.id));
        if naming::claim(IdRef::NodeDevice(&device.view.id), there)? {
            return Err(Error::invalid_argument(format!(
                "device '{}' is defined twice",
                device.name
            )));
        }
        self.devices.insert(Arc::clone(&device.name), device);
        Ok(())
    }
}

fn not_found(name: &str) -> Error {
    Error::not_found(Kind::NodeDevice, "name", name)
}

#[async_trait]
impl NodeDevices for Test {
    async fn views(&self) -> Result<Views<NodeDeviceView>> {
        Ok(self
            .lock()
            .devices
            .values()
            .map(|device| Arc::clone(&device.view))
            .collect())
    }

    async fn view(&self, name: &str) -> Result<Arc<NodeDeviceView>> {
        let state = self.lock();
        let device = state.devices.get(name).ok_or_else(|| not_found(name))?;
        Ok(Arc::clone(&device.view))
    }

    async fn view_by_wwn(&self, wwnn: &str, wwpn: &str) -> Result<Arc<NodeDeviceView>> {
        let state = self.lock();
        let found = state.devices.values().find(|device| {
            let port = device.scsi_host().and_then(|host| host.fc_host.as_ref());
            port.is_some_and(|port| {
                port.wwnn.as_deref() == Some(wwnn) && port.wwpn.as_deref() == Some(wwpn)
            })
        });
        let found = found.ok_or_else(|| {
            Error::not_found(
                Kind::NodeDevice,
                "WWNN and WWPN",
                format_args!("{wwnn}, {wwpn}"),
            )
        })?;
        Ok(Arc::clone(&found.view))
    }

    async fn xml_desc(&self, id: &NodeDeviceId, flags: NodeDeviceXmlFlags) -> Result<String> {
        let state = self.lock();
        let device = state
            .devices
            .get(&id.name)
            .ok_or_else(|| not_found(&id.name))?;
        let inactive = flags.contains(NodeDeviceXmlFlags::INACTIVE);
        Ok(device.definition.format(if inactive {
            Flags::INACTIVE
        } else {
            Flags::empty()
        }))
    }

    async fn create_xml(
        &self,
        xml: &str,
        flags: NodeDeviceDefineFlags,
    ) -> Result<Arc<NodeDeviceView>> {
        let mut definition = parse(xml, flags.contains(NodeDeviceDefineFlags::VALIDATE))?;
        let mut state = self.lock();
        let Some(port) = definition.scsi_host().and_then(|host| host.fc_host.clone()) else {
            return Err(Error::invalid_argument(
                "unsupported device: the test driver creates only virtual ports (capability 'scsi_host' with 'fc_host')",
            ));
        };
        if port.wwnn.is_none() || port.wwpn.is_none() {
            return Err(Error::invalid_argument(
                "a virtual port needs a <wwnn> and a <wwpn>",
            ));
        }
        let parent = definition
            .parent
            .as_ref()
            .and_then(|parent| parent.name.clone());
        let wanted = parent.as_deref();
        let can = |device: &&Device| {
            device
                .scsi_host()
                .is_some_and(|host| host.vport_ops.is_some())
        };
        let parent = match wanted {
            Some(name) => state.devices.get(name).ok_or_else(|| not_found(name))?,
            None => state.devices.values().find(can).ok_or_else(|| {
                Error::new(
                    ErrorCode::NoNodeDevice,
                    ErrorDomain::Test,
                    "the host has no adapter that supports virtual ports",
                )
            })?,
        };
        if !can(&parent) {
            return Err(Error::invalid_argument(format!(
                "device '{}' does not support virtual ports",
                parent.name
            )));
        }
        let parent = Arc::clone(&parent.name);
        let hosts = state
            .devices
            .values()
            .filter_map(|device| device.scsi_host()?.host);
        let number = hosts.max().unwrap_or(0) + 1;
        definition.name = Some(format_text!("scsi_host{number}"));
        definition.parent.get_or_insert_default().name = Some(format_text!("{parent}"));
        for capability in &mut definition.capabilities {
            if let Capability::ScsiHost(host) = capability {
                host.host = Some(number);
                host.unique_id = Some(number - 1);
            }
        }
        let mut device = Device::new(definition)?;
        device.virtual_port = true;
        let view = Arc::clone(&device.view);
        state.put_device(device)?;
        state.touched = true;
        let created = NodeDeviceEvent::Lifecycle(NodeDeviceLifecycle::Created);
        let events = [Event::NodeDevice(view.id.clone(), created)];
        self.announce(None, Some(Arc::clone(&view).into()), events);
        Ok(view)
    }

    async fn destroy(&self, id: &NodeDeviceId) -> Result<()> {
        let mut state = self.lock();
        let device = state
            .devices
            .get(&id.name)
            .ok_or_else(|| not_found(&id.name))?;
        // A virtual port is one whose parent can have them, also if it was there from the beginning.
        let parent = device
            .view
            .parent
            .as_ref()
            .and_then(|parent| state.devices.get(parent));
        let below = parent
            .and_then(Device::scsi_host)
            .is_some_and(|host| host.vport_ops.is_some());
        if !device.virtual_port && !below {
            return Err(Error::operation_invalid(format!(
                "device '{}' is not a virtual port",
                id.name
            )));
        }
        let device = state
            .devices
            .remove(&id.name)
            .ok_or_else(|| not_found(&id.name))?;
        state.touched = true;
        let deleted = NodeDeviceEvent::Lifecycle(NodeDeviceLifecycle::Deleted);
        let events = [Event::NodeDevice(id.clone(), deleted)];
        self.announce(Some(device.view.into()), None, events);
        Ok(())
    }
}
