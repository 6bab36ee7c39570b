//! Elements of single hypervisors, each in a name space of its own.
//!
//! A name space is declared on `<domain>` if something of it is there.

use virtbus_xml::{Content, Describe, ErrorKind, Node, Result, Text, Value, Writer, xml_names};

/// Name space of QEMU.
pub const QEMU_URI: &str = "http://libvirt.org/schemas/domain/qemu/1.0";
/// Name space of LXC.
pub const LXC_URI: &str = "http://libvirt.org/schemas/domain/lxc/1.0";
/// Name space of bhyve.
pub const BHYVE_URI: &str = "http://libvirt.org/schemas/domain/bhyve/1.0";
/// Name space of Xen.
pub const XEN_URI: &str = "http://libvirt.org/schemas/domain/xen/1.0";
/// Name space of VMware.
pub const VMWARE_URI: &str = "http://libvirt.org/schemas/domain/vmware/1.0";

/// `<qemu:env>`: a variable of QEMU's environment.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
pub struct QemuEnv {
    /// Name of the environment variable.
    #[xml(attr, told = "the name of a variable: letters, digits and underscores")]
    pub name: Text,
    /// Value of the environment variable; empty if absent.
    #[xml(attr)]
    pub value: Option<Text>,
}

xml_names! {
    /// What QEMU does about deprecated commands.
    pub enum DeprecationBehavior {
        None = "none",
        Omit = "omit",
        Reject = "reject",
        Crash = "crash",
    }
}

xml_names! {
    /// Type of a property of a QEMU device.
    pub enum OverrideType {
        String = "string",
        Signed = "signed",
        Unsigned = "unsigned",
        Bool = "bool",
        Remove = "remove",
    }
}

/// `<qemu:property>`: a property of a device that is set or removed.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
pub struct QemuProperty {
    /// Name of the property, as QEMU knows it.
    #[xml(attr)]
    pub name: Text,
    /// Type of the value: `string`, `signed`, `unsigned`, `bool`; `remove` leaves the property out.
    #[xml(attr = "type")]
    pub kind: OverrideType,
    /// Value of the property; `remove` has none.
    #[xml(attr)]
    pub value: Option<Text>,
}

/// `<qemu:device>`: properties of one device that are overridden.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
pub struct QemuDeviceOverride {
    /// Alias of the device whose properties are overridden.
    #[xml(attr)]
    pub alias: Text,
    /// Properties of the device that the guest sees (frontend).
    #[xml(child = "qemu:property", wrap = "qemu:frontend")]
    pub frontend: Vec<QemuProperty>,
}

/// Elements of QEMU, which bypass all checks and taint the guest.
#[derive(Describe, Debug, Clone, Default, PartialEq, Eq)]
pub struct QemuNamespace {
    /// Argument that is added to QEMU's command line.
    #[xml(child_attr = "qemu:arg/value", wrap = "qemu:commandline")]
    pub arg: Vec<Text>,
    /// Variable that is added to QEMU's environment.
    #[xml(child = "qemu:env", wrap = "qemu:commandline")]
    pub env: Vec<QemuEnv>,
    /// QEMU capability that is assumed although it was not detected.
    #[xml(child_attr = "qemu:add/capability", wrap = "qemu:capabilities")]
    pub capability_add: Vec<Text>,
    /// QEMU capability that is ignored although it was detected.
    #[xml(child_attr = "qemu:del/capability", wrap = "qemu:capabilities")]
    pub capability_del: Vec<Text>,
    /// How QEMU treats deprecated commands of the monitor: `none`, `omit`, `reject` or `crash`.
    #[xml(child_attr = "qemu:deprecation/behavior")]
    pub deprecation: Option<DeprecationBehavior>,
    /// Properties of devices that are overridden.
    #[xml(child = "qemu:device", wrap = "qemu:override")]
    pub overrides: Vec<QemuDeviceOverride>,
}

xml_names! {
    /// Where a container's name space comes from.
    pub enum LxcShareKind {
        Name = "name",
        Netns = "netns",
        Pid = "pid",
    }
}

/// A Linux namespace that a container shares with others.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
pub struct LxcShare {
    /// What the namespace is taken from: `name` another container, `netns` a network namespace, `pid` a process.
    #[xml(attr = "type")]
    pub kind: LxcShareKind,
    /// Name of the container, name of the network namespace, or process ID.
    #[xml(attr)]
    pub value: Text,
}

/// Elements of LXC: namespaces that a container shares.
#[derive(Describe, Debug, Clone, Default, PartialEq, Eq)]
pub struct LxcNamespace {
    /// Network namespace that the container shares.
    #[xml(child = "lxc:sharenet", wrap = "lxc:namespace")]
    pub sharenet: Option<LxcShare>,
    /// Namespace of interprocess communication that the container shares.
    #[xml(child = "lxc:shareipc", wrap = "lxc:namespace")]
    pub shareipc: Option<LxcShare>,
    /// Namespace of the host name (UTS) that the container shares.
    #[xml(child = "lxc:shareuts", wrap = "lxc:namespace")]
    pub shareuts: Option<LxcShare>,
}

/// Elements of single hypervisors, in XML name spaces of their own.
#[derive(Describe, Debug, Clone, Default, PartialEq, Eq)]
pub struct Namespaces {
    /// Elements of QEMU: arguments, environment, capabilities, properties.
    #[xml(flat)]
    pub qemu: QemuNamespace,
    /// Elements of LXC: shared namespaces.
    #[xml(flat)]
    pub lxc: LxcNamespace,
    /// Argument that is added to bhyve's command line.
    #[xml(child_attr = "bhyve:arg/value", wrap = "bhyve:commandline")]
    pub bhyve_arg: Vec<Text>,
    /// Argument that is added to the command line of Xen's device model.
    #[xml(child_attr = "xen:arg/value", wrap = "xen:commandline")]
    pub xen_arg: Vec<Text>,
    /// Path of the data centre in VMware's inventory; written by the driver.
    #[xml(text_child = "vmware:datacenterpath")]
    pub vmware_datacenterpath: Option<Text>,
}

/// `value=` of each `name` inside of each `outer`.
fn values(node: Node<'_>, uri: &str, outer: &str, name: &str, attr: &str) -> Result<Vec<Text>> {
    let mut found = Vec::new();
    for outer in node.children_in(uri, outer) {
        for inner in outer.children_in(uri, name) {
            found.push(inner.attr_req(attr)?);
        }
    }
    Ok(found)
}

fn is_variable(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes
        .next()
        .is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

fn parse_env(node: Node<'_>) -> Result<Vec<QemuEnv>> {
    let mut env = Vec::new();
    for outer in node.children_in(QEMU_URI, "commandline") {
        for inner in outer.children_in(QEMU_URI, "env") {
            let name: Text = inner.attr_req("name")?;
            if !is_variable(&name) {
                return Err(inner.bad_attr(
                    "name",
                    &name,
                    "the name of a variable: letters, digits and underscores",
                ));
            }
            env.push(QemuEnv {
                name,
                value: inner.attr_opt("value")?,
            });
        }
    }
    Ok(env)
}

fn parse_property(node: Node<'_>) -> Result<QemuProperty> {
    let property = QemuProperty {
        name: node.attr_req("name")?,
        kind: node.attr_req("type")?,
        value: node.attr_opt("value")?,
    };
    let value = property.value.as_deref().unwrap_or_default();
    let (fits, expected) = match property.kind {
        OverrideType::Remove => (property.value.is_none(), "given with type 'remove'"),
        OverrideType::String => (property.value.is_some(), "text"),
        OverrideType::Signed => (i64::from_text(value).is_some(), "a whole number"),
        OverrideType::Unsigned => (
            u64::from_text(value).is_some(),
            "a whole number that is not negative",
        ),
        OverrideType::Bool => (matches!(value, "true" | "false"), "one of 'true', 'false'"),
    };
    match (fits, &property.value) {
        (true, _) => Ok(property),
        (false, None) => Err(node.missing_attr("value")),
        (false, Some(_)) if property.kind == OverrideType::Remove => Err(node.attr_error(
            "value",
            ErrorKind::Invalid,
            "a property of type 'remove' cannot have a value",
        )),
        (false, Some(value)) => Err(node.bad_attr("value", value, expected)),
    }
}

fn parse_overrides(node: Node<'_>) -> Result<Vec<QemuDeviceOverride>> {
    let mut overrides = Vec::new();
    for outer in node.children_in(QEMU_URI, "override") {
        for device in outer.children_in(QEMU_URI, "device") {
            let mut frontend = Vec::new();
            for side in device.children_in(QEMU_URI, "frontend") {
                for property in side.children_in(QEMU_URI, "property") {
                    frontend.push(parse_property(property)?);
                }
            }
            overrides.push(QemuDeviceOverride {
                alias: device.attr_req("alias")?,
                frontend,
            });
        }
    }
    Ok(overrides)
}

impl QemuNamespace {
    fn parse(node: Node<'_>) -> Result<Self> {
        let deprecation = match node.children_in(QEMU_URI, "deprecation").next() {
            None => None,
            Some(node) => Some(node.attr_req("behavior")?),
        };
        Ok(Self {
            arg: values(node, QEMU_URI, "commandline", "arg", "value")?,
            env: parse_env(node)?,
            capability_add: values(node, QEMU_URI, "capabilities", "add", "capability")?,
            capability_del: values(node, QEMU_URI, "capabilities", "del", "capability")?,
            deprecation,
            overrides: parse_overrides(node)?,
        })
    }

    fn write(&self, w: &mut Writer) {
        if !self.arg.is_empty() || !self.env.is_empty() {
            w.begin("qemu:commandline");
            for arg in &self.arg {
                w.attr_element("qemu:arg", "value", arg);
            }
            for env in &self.env {
                w.begin("qemu:env");
                w.attr("name", &env.name);
                w.attr_opt("value", &env.value);
                w.end("qemu:env");
            }
            w.end("qemu:commandline");
        }
        if !self.capability_add.is_empty() || !self.capability_del.is_empty() {
            w.begin("qemu:capabilities");
            for name in &self.capability_add {
                w.attr_element("qemu:add", "capability", name);
            }
            for name in &self.capability_del {
                w.attr_element("qemu:del", "capability", name);
            }
            w.end("qemu:capabilities");
        }
        if !self.overrides.is_empty() {
            w.begin("qemu:override");
            for device in &self.overrides {
                device.write(w);
            }
            w.end("qemu:override");
        }
        if let Some(behavior) = &self.deprecation {
            w.attr_element("qemu:deprecation", "behavior", behavior);
        }
    }
}

impl QemuDeviceOverride {
    fn write(&self, w: &mut Writer) {
        w.begin("qemu:device");
        w.attr("alias", &self.alias);
        if !self.frontend.is_empty() {
            w.begin("qemu:frontend");
            for property in &self.frontend {
                w.begin("qemu:property");
                w.attr("name", &property.name);
                w.attr("type", &property.kind);
                w.attr_opt("value", &property.value);
                w.end("qemu:property");
            }
            w.end("qemu:frontend");
        }
        w.end("qemu:device");
    }
}

impl LxcNamespace {
    fn parse(node: Node<'_>) -> Result<Self> {
        let mut lxc = Self::default();
        for outer in node.children_in(LXC_URI, "namespace") {
            for (name, share) in [
                ("sharenet", &mut lxc.sharenet),
                ("shareipc", &mut lxc.shareipc),
                ("shareuts", &mut lxc.shareuts),
            ] {
                if let Some(inner) = outer.children_in(LXC_URI, name).next() {
                    *share = Some(LxcShare {
                        kind: inner.attr_req("type")?,
                        value: inner.attr_req("value")?,
                    });
                }
            }
        }
        Ok(lxc)
    }

    fn write(&self, w: &mut Writer) {
        let shares = [
            ("lxc:sharenet", &self.sharenet),
            ("lxc:shareipc", &self.shareipc),
            ("lxc:shareuts", &self.shareuts),
        ];
        if shares.iter().all(|(_, share)| share.is_none()) {
            return;
        }
        w.begin("lxc:namespace");
        for (name, share) in shares {
            if let Some(share) = share {
                w.begin(name);
                w.attr("type", &share.kind);
                w.attr("value", &share.value);
                w.end(name);
            }
        }
        w.end("lxc:namespace");
    }
}

fn write_args(args: &[Text], prefix: &str, w: &mut Writer) {
    if !args.is_empty() {
        let (outer, inner) = (format!("{prefix}:commandline"), format!("{prefix}:arg"));
        w.begin(&outer);
        for arg in args {
            w.attr_element(&inner, "value", arg);
        }
        w.end(&outer);
    }
}

impl Content for Namespaces {
    fn parse(node: Node<'_>) -> Result<Self> {
        let path = node.children_in(VMWARE_URI, "datacenterpath").next();
        Ok(Self {
            qemu: QemuNamespace::parse(node)?,
            lxc: LxcNamespace::parse(node)?,
            bhyve_arg: values(node, BHYVE_URI, "commandline", "arg", "value")?,
            xen_arg: values(node, XEN_URI, "commandline", "arg", "value")?,
            vmware_datacenterpath: path.map_or(Ok(None), |n| n.text_opt())?,
        })
    }

    fn attrs(&self, w: &mut Writer) {
        let declared = [
            (
                "xmlns:qemu",
                QEMU_URI,
                self.qemu != QemuNamespace::default(),
            ),
            ("xmlns:lxc", LXC_URI, self.lxc != LxcNamespace::default()),
            ("xmlns:bhyve", BHYVE_URI, !self.bhyve_arg.is_empty()),
            ("xmlns:xen", XEN_URI, !self.xen_arg.is_empty()),
            (
                "xmlns:vmware",
                VMWARE_URI,
                self.vmware_datacenterpath.is_some(),
            ),
        ];
        for (name, uri, _) in declared.into_iter().filter(|(_, _, used)| *used) {
            w.attr_str(name, uri);
        }
    }

    fn children(&self, w: &mut Writer) {
        self.qemu.write(w);
        self.lxc.write(w);
        write_args(&self.bhyve_arg, "bhyve", w);
        write_args(&self.xen_arg, "xen", w);
        if let Some(path) = &self.vmware_datacenterpath {
            w.text_element("vmware:datacenterpath", path);
        }
    }
}
