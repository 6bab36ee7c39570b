//! `org.libvirt.Secret`: a key or password that drivers need.

use crate::declare::interface;
use crate::numbers::{NoFlags, One};
use virtbus_api::secret::{SecretUsageType, SecretView};

interface! {
    /// A key or password that drivers need and nobody else shall see.
    SECRET = "org.libvirt.Secret", view SecretView;
    methods {
        /// The secret's value, unless it is private.
        read GetValue(flags: NoFlags) -> (value: Vec<u8>): SecretGetValue => |c| {
            c.secrets()?.value(c.id()?).await
        };
        /// The secret as XML, without its value.
        read GetXMLDesc(flags: NoFlags) -> (xml: String): SecretGetXmlDesc => |c| {
            c.secrets()?.xml_desc(c.id()?).await
        };
        /// Gives the secret a value.
        write SetValue(value: Vec<u8>, flags: NoFlags) -> (): SecretSetValue => |c| {
            c.secrets()?.set_value(c.id()?, &value).await
        };
        /// Takes the secret and its value away.
        write Undefine() -> (): SecretUndefine => |c| c.secrets()?.undefine(c.id()?).await;
    }
    properties {
        /// Its UUID, unique for ever.
        UUID: String, emits Const: SecretLookupByUuid => |view| Ok(view.id.uuid.to_string().into());
        /// The name of the thing that it is for.
        UsageID: String, emits Const: SecretLookupByUuid => |view| Ok((&*view.id.usage_id).into());
        /// What kind of thing it is for.
        UsageType: One<SecretUsageType>, emits Const: SecretLookupByUuid => |view| Ok(view.id.usage_type.number().into());
    }
    signals {
        /// The secret has another value.
        ValueChanged();
    }
}
