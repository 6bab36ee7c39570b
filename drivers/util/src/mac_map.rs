//! Which domain has which Ethernet addresses on a network: a JSON file that the resolver's plugin for guests' names reads.
//!
//! The form of the file is libvirt's (its NSS module reads it): an array of objects with `domain` and `macs`.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    domain: String,
    #[serde(default)]
    macs: Vec<String>,
}

/// Ethernet addresses by domain; domains and addresses in the order in which they came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MacMap(Vec<Entry>);

impl MacMap {
    /// Reads a file's content. An empty one is an empty map.
    ///
    /// # Errors
    /// It is not such a file.
    pub fn parse(text: &str) -> Result<Self, serde_json::Error> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        serde_json::from_str(text).map(Self)
    }

    /// The file's content.
    #[must_use]
    pub fn format(&self) -> String {
        let mut text = serde_json::to_string_pretty(&self.0).unwrap_or_else(|_| "[]".to_owned());
        text.push('\n');
        text
    }

    /// The addresses of a domain.
    #[must_use]
    pub fn lookup(&self, domain: &str) -> &[String] {
        let found = self.0.iter().find(|entry| entry.domain == domain);
        found.map_or(&[], |entry| &entry.macs)
    }

    /// Adds an address of a domain, unless it is there.
    pub fn add(&mut self, domain: &str, mac: &str) {
        if let Some(entry) = self.0.iter_mut().find(|entry| entry.domain == domain) {
            if !entry.macs.iter().any(|there| there == mac) {
                entry.macs.push(mac.to_owned());
            }
            return;
        }
        self.0.push(Entry {
            domain: domain.to_owned(),
            macs: vec![mac.to_owned()],
        });
    }

    /// Takes an address of a domain away, and the domain with its last one.
    pub fn remove(&mut self, domain: &str, mac: &str) {
        for entry in self.0.iter_mut().filter(|entry| entry.domain == domain) {
            entry.macs.retain(|there| there != mac);
        }
        self.0.retain(|entry| !entry.macs.is_empty());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_added_is_found_and_survives_the_file() {
        let mut map = MacMap::default();
        map.add("web", "52:54:00:00:00:01");
        map.add("web", "52:54:00:00:00:02");
        map.add("web", "52:54:00:00:00:01");
        map.add("db", "52:54:00:00:00:03");
        let mut again = MacMap::parse(&map.format()).unwrap();
        assert_eq!(again, map);
        assert_eq!(
            again.lookup("web"),
            ["52:54:00:00:00:01", "52:54:00:00:00:02"]
        );
        again.remove("db", "52:54:00:00:00:03");
        assert!(again.lookup("db").is_empty());
        assert!(!again.format().contains("db"));
        assert_eq!(MacMap::parse("").unwrap().format(), "[]\n");
        assert!(MacMap::parse("{}").is_err());
    }
}
