//! Interfaces of the host, which is made up.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use virtbus_api::interface::{
    InterfaceDefineFlags, InterfaceId, InterfaceView, InterfaceXmlFlags, Interfaces,
};
use virtbus_api::listing::Views;
use virtbus_api::object::{IdRef, Kind, View};
use virtbus_api::{Error, ErrorCode, ErrorDomain, Result, naming};
use virtbus_conf_base::Flags;
use virtbus_conf_host::interface::{Interface as Definition, InterfaceKind};

use crate::driver::{State, Test};
use crate::error;

/// An interface as the driver keeps it.
#[derive(Debug, Clone)]
pub(crate) struct HostInterface {
    pub(crate) name: Arc<str>,
    definition: Arc<Definition>,
    view: Arc<InterfaceView>,
}

/// Reads a configuration, completes and checks it.
pub(crate) fn parse(xml: &str, strict: bool) -> Result<Definition> {
    let mut definition = if strict {
        Definition::parse_strict(xml).map_err(|error| error::schema(&error))?
    } else {
        Definition::parse(xml).map_err(|error| error::xml(&error))?
    };
    definition.complete();
    definition.validate().map_err(|error| error::conf(&error))?;
    Ok(definition)
}

/// The address that a configuration gives an interface.
fn given_mac(definition: &Definition) -> Option<String> {
    match &definition.kind {
        InterfaceKind::Ethernet(ethernet) => ethernet.mac.as_deref().map(str::to_ascii_lowercase),
        InterfaceKind::Bridge(_) | InterfaceKind::Bond(_) | InterfaceKind::Vlan(_) => None,
    }
}

/// The address that the host makes up for an interface whose configuration gives none: one that is administered locally, and always the
/// same for the same name as long as no other interface has it.
fn made_up_mac(name: &str, is_taken: impl Fn(&str) -> bool) -> String {
    let mut hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    });
    loop {
        let [a, b, c, d, e, ..] = hash.to_le_bytes();
        let mac = format!("02:{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}");
        if !is_taken(&mac) {
            return mac;
        }
        hash = hash.wrapping_add(1);
    }
}

impl State {
    /// Adds an interface, or gives the configuration to the one that is there; how that was before, and what is known now.
    pub(crate) fn put_interface(
        &mut self,
        definition: Definition,
        active: bool,
    ) -> Result<(Option<Arc<InterfaceView>>, Arc<InterfaceView>)> {
        let name: Arc<str> = definition.name.as_deref().unwrap_or_default().into();
        let before = self.interfaces.get(&name);
        let before = before.map(|interface| Arc::clone(&interface.view));
        let mac = given_mac(&definition).unwrap_or_else(|| {
            made_up_mac(&name, |mac| {
                let mut others = self.interfaces.values();
                others.any(|other| other.name != name && *other.view.id.mac == *mac)
            })
        });
        let id = InterfaceId {
            name: Arc::clone(&name),
            mac: mac.into(),
        };
        let there = self.interfaces.values();
        let there = there.map(|interface| IdRef::Interface(&interface.view.id));
        naming::claim(IdRef::Interface(&id), there)?;
        let active = before.as_ref().map_or(active, |view| view.active);
        let view = Arc::new(InterfaceView { id, active });
        let interface = HostInterface {
            name: Arc::clone(&name),
            definition: Arc::new(definition),
            view: Arc::clone(&view),
        };
        self.interfaces.insert(name, interface);
        Ok((before, view))
    }
}

fn not_found(name: &str) -> Error {
    Error::not_found(Kind::Interface, "name", name)
}

impl Test {
    fn set_interface(&self, id: &InterfaceId, active: bool) -> Result<()> {
        let mut state = self.lock();
        let interface = state
            .interfaces
            .get_mut(&id.name)
            .ok_or_else(|| not_found(&id.name))?;
        if interface.view.active == active {
            let is = if active {
                "already active"
            } else {
                "not active"
            };
            return Err(Error::operation_invalid(format!(
                "interface '{}' is {is}",
                id.name
            )));
        }
        let before = Arc::clone(&interface.view);
        interface.view = Arc::new(InterfaceView {
            active,
            ..(*before).clone()
        });
        let after = Arc::clone(&interface.view);
        self.announce(Some(before.into()), Some(after.into()), []);
        state.touched = true;
        Ok(())
    }
}

fn no_change() -> Error {
    Error::operation_invalid(
        "no change of interfaces is under way; call InterfaceChangeBegin first",
    )
}

#[async_trait]
impl Interfaces for Test {
    async fn views(&self) -> Result<Views<InterfaceView>> {
        Ok(self
            .lock()
            .interfaces
            .values()
            .map(|interface| Arc::clone(&interface.view))
            .collect())
    }

    async fn view(&self, name: &str) -> Result<Arc<InterfaceView>> {
        let state = self.lock();
        let interface = state.interfaces.get(name).ok_or_else(|| not_found(name))?;
        Ok(Arc::clone(&interface.view))
    }

    async fn view_by_mac(&self, mac: &str) -> Result<Arc<InterfaceView>> {
        let state = self.lock();
        let mac = mac.to_ascii_lowercase();
        let mut found = state
            .interfaces
            .values()
            .filter(|interface| *interface.view.id.mac == *mac);
        match (found.next(), found.next()) {
            (Some(interface), None) => Ok(Arc::clone(&interface.view)),
            (None, _) => Err(Error::not_found(Kind::Interface, "MAC address", mac)),
            (Some(_), Some(_)) => Err(Error::new(
                ErrorCode::MultipleInterfaces,
                ErrorDomain::Test,
                format!("several interfaces have the MAC address '{mac}'"),
            )),
        }
    }

    async fn xml_desc(&self, id: &InterfaceId, _flags: InterfaceXmlFlags) -> Result<String> {
        let state = self.lock();
        let interface = state
            .interfaces
            .get(&id.name)
            .ok_or_else(|| not_found(&id.name))?;
        Ok(interface.definition.format(Flags::empty()))
    }

    async fn identify_xml(&self, xml: &str) -> Result<InterfaceId> {
        let found = Definition::identify(xml).map_err(|error| error::xml(&error))?;
        Ok(InterfaceId {
            name: found.name.unwrap_or_default().as_str().into(),
            mac: found.mac.unwrap_or_default().to_ascii_lowercase().into(),
        })
    }

    async fn define_xml(
        &self,
        xml: &str,
        flags: InterfaceDefineFlags,
    ) -> Result<Arc<InterfaceView>> {
        let definition = parse(xml, flags.contains(InterfaceDefineFlags::VALIDATE))?;
        let mut state = self.lock();
        let (before, after) = state.put_interface(definition, false)?;
        state.touched = true;
        let before = before.map(View::from);
        self.announce(before, Some(Arc::clone(&after).into()), []);
        Ok(after)
    }

    async fn undefine(&self, id: &InterfaceId) -> Result<()> {
        let mut state = self.lock();
        let gone = state
            .interfaces
            .remove(&id.name)
            .ok_or_else(|| not_found(&id.name))?;
        state.touched = true;
        self.announce(Some(gone.view.into()), None, []);
        Ok(())
    }

    async fn create(&self, id: &InterfaceId) -> Result<()> {
        self.set_interface(id, true)
    }

    async fn destroy(&self, id: &InterfaceId) -> Result<()> {
        self.set_interface(id, false)
    }

    async fn change_begin(&self) -> Result<()> {
        let mut state = self.lock();
        if state.interfaces_before.is_some() {
            return Err(Error::operation_invalid(
                "a change of interfaces is already under way",
            ));
        }
        state.interfaces_before = Some(state.interfaces.clone());
        state.touched = true;
        Ok(())
    }

    async fn change_commit(&self) -> Result<()> {
        self.lock()
            .interfaces_before
            .take()
            .map(drop)
            .ok_or_else(no_change)
    }

    async fn change_rollback(&self) -> Result<()> {
        let mut state = self.lock();
        let State {
            interfaces,
            interfaces_before,
            ..
        } = &mut *state;
        let before = interfaces_before.take().ok_or_else(no_change)?;
        let views = |interfaces: &BTreeMap<Arc<str>, HostInterface>| -> Vec<_> {
            let views = interfaces.values().map(|interface| &interface.view);
            views.map(Arc::clone).collect()
        };
        let was = views(interfaces);
        *interfaces = before;
        self.announce_all(&was, &views(interfaces), |view| &view.id.name);
        Ok(())
    }
}
