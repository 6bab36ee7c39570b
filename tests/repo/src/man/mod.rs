//! Manual pages that are generated: one for each interface on the bus, one for numbers, one for the permissions, and one for the settings.
//!
//! They come from what is committed for machines already (the introspection and the sample settings, each compared with
//! its declaration by a test of its own), and numbers from their declarations.

mod interface;
mod numbers;
mod permissions;
mod roff;
mod settings;

/// The folder that the pages are in, beside those that are written by hand.
pub const FOLDER: &str = "data/man";

/// The page of the settings.
pub const SETTINGS: &str = "virtbusd.toml.5";

/// The pages of interfaces: file name and text.
///
/// # Panics
/// If the introspection is not well-formed.
#[must_use]
pub fn interface_pages() -> Vec<(String, String)> {
    let documents = virtbus_dbus::documents();
    let numbers = virtbus_dbus::numbers();
    let names: Vec<String> = documents
        .iter()
        .map(|(file, _)| file.trim_end_matches(".xml").to_owned())
        .collect();
    documents
        .iter()
        .map(|(_, xml)| {
            let interface = interface::Interface::read(xml);
            (
                format!("{}.5", interface.name),
                interface.page(&names, &numbers),
            )
        })
        .collect()
}

/// The page of numbers.
pub const NUMBERS: &str = "virtbus-numbers.7";

/// The page that tells what numbers mean.
#[must_use]
pub fn numbers_page() -> String {
    numbers::page(&virtbus_dbus::numbers())
}

/// The page of permissions.
pub const PERMISSIONS: &str = "virtbus-permissions.7";

/// The page that tells what each permission amounts to.
#[must_use]
pub fn permissions_page() -> String {
    permissions::page(&virtbus_dbus::documents())
}

/// The page of the settings, from the sample file.
///
/// # Errors
/// What cannot be understood of it.
pub fn settings_page(sample: &str) -> Result<String, String> {
    settings::page(sample)
}
