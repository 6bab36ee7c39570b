//! Graphical consoles: VNC, SPICE, passwords, screen shots.

use crate::command::commands;
use crate::{Nothing, Secret};

use super::replies;

commands! {
    /// The VNC server; fails if QEMU has none built in.
    QueryVnc = "query-vnc" -> VncInfo;
    /// All VNC servers.
    QueryVncServers = "query-vnc-servers" -> Vec<VncServer>;
    /// The SPICE server; fails if QEMU has none built in.
    QuerySpice = "query-spice" -> SpiceInfo;
    /// Sets a graphical console's password.
    SetPassword(
        /// `vnc` or `spice`.
        protocol: String,
        /// The password.
        password: Secret,
    )[
        /// What happens to clients: `keep`, `fail` or `disconnect`; VNC knows only `keep`.
        connected: String,
        /// Which VNC server, if there are several.
        display: String,
    ] = "set_password" -> Nothing;
    /// Lets a graphical console's password expire.
    ExpirePassword(
        /// `vnc` or `spice`.
        protocol: String,
        /// `now`, `never`, `+SECONDS`, or seconds since 1970.
        time: String,
    )[
        /// Which VNC server, if there are several.
        display: String,
    ] = "expire_password" -> Nothing;
    /// Takes a new certificate for VNC from its files. QEMU 6.0 on.
    DisplayReload(
        /// `vnc`.
        #[serde(rename = "type")]
        kind: String,
    )[
        /// Whether to read the certificates again.
        tls_certs: bool,
    ] = "display-reload" -> Nothing;
    /// Lets a client in: `add_client` with a descriptor that was made known by `getfd`.
    AddClient(
        /// `vnc`, `spice` or a character device's id.
        protocol: String,
        /// The descriptor's name.
        fdname: String,
    )[
        /// Whether authentication is skipped.
        skipauth: bool,
        /// Whether the connection becomes TLS (SPICE).
        tls: bool,
    ] = "add_client" -> Nothing;
    /// Writes a picture of the screen to a file.
    Screendump(
        /// The file; `/dev/fdset/N` is possible.
        filename: String,
    )[
        /// Id of the graphics device; the first one if absent.
        device: String,
        /// Which of its screens.
        head: u32,
        /// `ppm` (the default) or `png` (QEMU 7.1 on).
        format: String,
    ] = "screendump" within 60 -> Nothing;
}

replies! {
    /// The VNC server.
    VncInfo {
        /// Whether it is on.
        enabled: bool,
        /// Address.
        host: Option<String>,
        /// Port.
        service: Option<String>,
        /// `ipv4`, `ipv6` or `unix`.
        family: Option<String>,
        /// How clients are authenticated.
        auth: Option<String>,
        /// Who is connected.
        #[serde(default)]
        clients: Vec<VncClient>,
    }
    /// A VNC client.
    VncClient {
        /// Address.
        host: String,
        /// Port.
        service: String,
        /// `ipv4`, `ipv6` or `unix`.
        family: String,
    }
    /// A VNC server of several.
    VncServer {
        /// Its id.
        id: String,
        /// Where it listens.
        server: Vec<VncClient>,
        /// Who is connected.
        clients: Vec<VncClient>,
    }
    /// The SPICE server.
    SpiceInfo {
        /// Whether it is on.
        enabled: bool,
        /// Whether migration of its clients is done.
        #[serde(default)]
        migrated: bool,
        /// Address.
        host: Option<String>,
        /// Port.
        port: Option<i64>,
        /// Port for TLS.
        tls_port: Option<i64>,
        /// How clients are authenticated.
        auth: Option<String>,
        /// The server library's version.
        compiled_version: Option<String>,
    }
}
