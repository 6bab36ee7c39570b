//! Manual pages that are generated: one for each interface on the bus, and one for the settings.
//!
//! They come from what is committed for machines already: the introspection and the sample settings, each compared with
//! its declaration by a test of its own.

mod interface;
mod roff;
mod settings;

/// The folder that the pages are in, beside those that are written by hand.
pub const FOLDER: &str = "data/man";

/// The generated pages: file name and text.
///
/// # Errors
/// What cannot be understood of the sample settings.
///
/// # Panics
/// If the introspection is not well-formed.
pub fn pages(sample_settings: &str) -> Result<Vec<(String, String)>, String> {
    let documents = virtbus_dbus::documents();
    let names: Vec<String> = documents
        .iter()
        .map(|(file, _)| file.trim_end_matches(".xml").to_owned())
        .collect();
    let mut pages: Vec<(String, String)> = documents
        .iter()
        .map(|(_, xml)| {
            let interface = interface::Interface::read(xml);
            (format!("{}.5", interface.name), interface.page(&names))
        })
        .collect();
    pages.push((
        "virtbusd.toml.5".to_owned(),
        settings::page(sample_settings)?,
    ));
    Ok(pages)
}
