//! `org.libvirt.Secret`: a key or password that drivers need.

use crate::declare::interface;
use crate::numbers::{NoFlags, One};
use virtbus_api::secret::{SecretUsageType, SecretView};

interface! {
    /// A secret: a key or password that drivers use, such as for storage.
    SECRET = "org.libvirt.Secret", view SecretView;
    methods {
        /// Value of the secret. Refused if the secret is private or has no value.
        read GetValue(flags: NoFlags) -> (value: Vec<u8>): SecretGetValue => |c| {
            c.secrets()?.value(c.id()?).await
        };
        /// Definition of the secret as XML, without its value.
        read GetXMLDesc(flags: NoFlags) -> (xml: String): SecretGetXmlDesc => |c| {
            c.secrets()?.xml_desc(c.id()?).await
        };
        /// Sets the value of the secret, in place of the one that it has.
        write SetValue(value: Vec<u8>, flags: NoFlags) -> (): SecretSetValue => |c| {
            c.secrets()?.set_value(c.id()?, &value).await
        };
        /// Removes the secret and its value. Guests that run keep what they have been given.
        write Undefine() -> (): SecretUndefine => |c| c.secrets()?.undefine(c.id()?).await;
    }
    properties {
        /// UUID of the secret, unique and never changed.
        UUID: String, emits Const: SecretLookupByUuid => |view| Ok(view.id.uuid.to_string().into());
        /// Path or name of what the secret is used for; empty without a usage.
        UsageID: String, emits Const: SecretLookupByUuid => |view| Ok((&*view.id.usage_id).into());
        /// Type of what the secret is used for: volume, Ceph, iSCSI, TLS, vTPM, or none.
        UsageType: One<SecretUsageType>, emits Const: SecretLookupByUuid => |view| Ok(view.id.usage_type.number().into());
    }
    signals {
        /// Sent when the value of the secret was set.
        ValueChanged();
    }
}
