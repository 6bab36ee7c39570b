//! What a connection begins with: the description of a node, `test:///default`'s own or that of a file.
//!
//! A node file is libvirt's: `<node>` with `<cpu>`, `<memory>` (KiB), and objects, inline or by `file=`. A domain may say in the name space
//! of the test driver what it is at first.

use std::path::{Path, PathBuf};

use virtbus_api::connection::NodeInfo;
use virtbus_conf_base::{Fragment, FragmentNode};
use virtbus_conf_domain::domain::Domain;

/// Name space of what domains are at first.
pub(crate) const TEST_URI: &str = "http://libvirt.org/schemas/domain/test/1.0";

/// `test:///default`.
const DEFAULT: &str = include_str!("default/node.xml");

/// A node file that cannot be used: which file, and why.
#[derive(Debug)]
pub struct NodeFileError {
    file: PathBuf,
    reason: String,
}

impl std::fmt::Display for NodeFileError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.file.display(), self.reason)
    }
}

impl std::error::Error for NodeFileError {}

/// A domain, and what it is at first.
#[derive(Debug)]
pub(crate) struct FirstDomain {
    pub(crate) xml: String,
    /// `virDomainState`; running if nothing is said.
    pub(crate) state: u32,
    pub(crate) transient: bool,
    pub(crate) managed_save: bool,
    pub(crate) snapshots: Vec<String>,
    pub(crate) checkpoints: Vec<String>,
}

/// A pool and its volumes.
#[derive(Debug)]
pub(crate) struct FirstPool {
    pub(crate) xml: String,
    pub(crate) volumes: Vec<String>,
}

/// All of it.
#[derive(Debug)]
pub(crate) struct NodeFile {
    pub(crate) info: NodeInfo,
    pub(crate) domains: Vec<FirstDomain>,
    pub(crate) networks: Vec<String>,
    pub(crate) interfaces: Vec<String>,
    pub(crate) pools: Vec<FirstPool>,
    pub(crate) devices: Vec<String>,
}

impl NodeFile {
    /// `test:///default`'s.
    pub(crate) fn default_node() -> Result<Self, NodeFileError> {
        Self::parse(DEFAULT, Path::new("/default"))
    }

    /// Reads a file, and the files it names. Blocks.
    pub(crate) fn read(path: &Path) -> Result<Self, NodeFileError> {
        Self::parse(&read(path)?, path)
    }

    fn parse(text: &str, path: &Path) -> Result<Self, NodeFileError> {
        let root = parse(text, path)?;
        if root.name != "node" {
            return Err(wrong(
                path,
                format!("the document is <{}>, not <node>", root.name),
            ));
        }
        let mut node = Self {
            info: NodeInfo {
                model: "i686".to_owned(),
                memory: 3_145_728,
                cpus: 16,
                mhz: 1400,
                nodes: 2,
                sockets: 2,
                cores: 2,
                threads: 2,
            },
            domains: Vec::new(),
            networks: Vec::new(),
            interfaces: Vec::new(),
            pools: Vec::new(),
            devices: Vec::new(),
        };
        for child in root.elements() {
            let place = Object::of(&root, child, path)?;
            match child.name.as_str() {
                "cpu" => read_cpu(child, &mut node.info, path)?,
                "memory" => node.info.memory = number(child, path)?,
                "domain" => node
                    .domains
                    .push(first_domain(&place.element, &place.file)?),
                "network" => node.networks.push(place.element.to_text()),
                "interface" => node.interfaces.push(place.element.to_text()),
                "pool" => node.pools.push(first_pool(child, &place)?),
                "device" => node.devices.push(place.element.to_text()),
                other => {
                    return Err(wrong(
                        path,
                        format!("unsupported element <{other}> in <node>"),
                    ));
                }
            }
        }
        Ok(node)
    }
}

/// An element of a node file: itself, or the document of the file that it names.
struct Object {
    element: Fragment,
    file: PathBuf,
}

impl Object {
    fn of(parent: &Fragment, element: &Fragment, path: &Path) -> Result<Self, NodeFileError> {
        match attribute(element, "file") {
            None => Ok(Self {
                element: parent.lift(element),
                file: path.to_owned(),
            }),
            Some(file) => {
                let file = path.parent().unwrap_or(Path::new("/")).join(file);
                Ok(Self {
                    element: parse(&read(&file)?, &file)?,
                    file,
                })
            }
        }
    }
}

fn first_domain(element: &Fragment, path: &Path) -> Result<FirstDomain, NodeFileError> {
    let mut first = FirstDomain {
        xml: element.to_text(),
        state: 1,
        transient: false,
        managed_save: false,
        snapshots: Vec::new(),
        checkpoints: Vec::new(),
    };
    for child in element
        .elements()
        .filter(|child| child.namespace.as_deref() == Some(TEST_URI))
    {
        let flag = || Ok::<_, NodeFileError>(number::<u32>(child, path)? != 0);
        match local_name(child) {
            "runstate" => first.state = number(child, path)?,
            "transient" => first.transient = flag()?,
            "hasmanagedsave" => first.managed_save = flag()?,
            "domainsnapshot" => {
                first
                    .snapshots
                    .push(moment(element, child, path, "domainsnapshot")?);
            }
            "domaincheckpoint" => {
                first
                    .checkpoints
                    .push(moment(element, child, path, "domaincheckpoint")?);
            }
            other => return Err(wrong(path, format!("<test:{other}> is not known"))),
        }
    }
    // Refused here, with the file's name.
    Domain::parse(&first.xml).map_err(|error| wrong(path, error.to_string()))?;
    Ok(first)
}

/// A snapshot or checkpoint, whose root is in the name space of the test driver.
fn moment(
    parent: &Fragment,
    child: &Fragment,
    path: &Path,
    name: &str,
) -> Result<String, NodeFileError> {
    if let Some(file) = attribute(child, "file") {
        return read(&path.parent().unwrap_or(Path::new("/")).join(file));
    }
    let mut plain = parent.lift(child);
    name.clone_into(&mut plain.name);
    plain.namespace = None;
    Ok(plain.to_text())
}

fn first_pool(child: &Fragment, place: &Object) -> Result<FirstPool, NodeFileError> {
    let mut volumes = Vec::new();
    let inline = attribute(child, "file").is_none();
    for volume in child.elements().filter(|child| child.name == "volume") {
        volumes.push(Object::of(child, volume, &place.file)?.element.to_text());
    }
    let mut pool = place.element.clone();
    if inline {
        pool.children
            .retain(|child| !matches!(child, FragmentNode::Element(e) if e.name == "volume"));
    }
    Ok(FirstPool {
        xml: pool.to_text(),
        volumes,
    })
}

fn read_cpu(cpu: &Fragment, info: &mut NodeInfo, path: &Path) -> Result<(), NodeFileError> {
    for child in cpu.elements() {
        match child.name.as_str() {
            "model" => info.model = text(child),
            "mhz" => info.mhz = number(child, path)?,
            "active" => info.cpus = number(child, path)?,
            "nodes" => info.nodes = number(child, path)?,
            "sockets" => info.sockets = number(child, path)?,
            "cores" => info.cores = number(child, path)?,
            "threads" => info.threads = number(child, path)?,
            other => {
                return Err(wrong(
                    path,
                    format!("unsupported element <{other}> in <cpu>"),
                ));
            }
        }
    }
    Ok(())
}

fn attribute<'f>(element: &'f Fragment, name: &str) -> Option<&'f str> {
    let (_, value) = element
        .attributes
        .iter()
        .find(|(attribute, _)| attribute == name)?;
    Some(value)
}

fn local_name(element: &Fragment) -> &str {
    element
        .name
        .split_once(':')
        .map_or(&element.name, |(_, name)| name)
}

fn text(element: &Fragment) -> String {
    let texts = element.children.iter().filter_map(|child| match child {
        FragmentNode::Text(text) => Some(text.trim()),
        _ => None,
    });
    texts.collect()
}

fn number<N: std::str::FromStr>(element: &Fragment, path: &Path) -> Result<N, NodeFileError> {
    let text = text(element);
    text.parse().map_err(|_| {
        wrong(
            path,
            format!("<{}> is '{text}', not a number in range", element.name),
        )
    })
}

fn parse(text: &str, path: &Path) -> Result<Fragment, NodeFileError> {
    Fragment::parse_document(text).map_err(|error| wrong(path, error.to_string()))
}

fn read(path: &Path) -> Result<String, NodeFileError> {
    std::fs::read_to_string(path).map_err(|error| wrong(path, error.to_string()))
}

fn wrong(path: &Path, reason: String) -> NodeFileError {
    NodeFileError {
        file: path.to_owned(),
        reason,
    }
}
