//! `<cpu>`: the modes of processors, and the models that can be chosen.

use virtbus_conf_base::cpu::{CpuFeature, CpuModel, MaxPhysAddr};
use virtbus_xml::{Content, Describe, Node, Result, Text, Writer, Xml, YesNo, xml_names};

use super::Support;

xml_names! {
    /// Whether a model runs on this host as it is.
    pub enum Usable {
        Yes = "yes",
        No = "no",
        Unknown = "unknown",
    }
}

/// `<mode name='host-model'>`: the processor that a guest gets with this mode, a named model close to the host's.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct HostModelCpu {
    /// Whether the mode is supported. If not, nothing else is told.
    #[xml(attr)]
    pub supported: YesNo,
    /// Named model that the guest gets.
    #[xml(child)]
    pub model: Option<CpuModel>,
    /// Vendor of the host's processor.
    #[xml(text_child)]
    pub vendor: Option<Text>,
    /// Width of physical addresses that the guest gets.
    #[xml(child)]
    pub maxphysaddr: Option<MaxPhysAddr>,
    /// Features that are added to the model or removed from it.
    #[xml(child)]
    pub feature: Vec<CpuFeature>,
}

/// `<model>` in `<mode name='custom'>`: a processor model that can be named.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct CustomModel {
    /// Whether the host has all features of the model; `unknown` if the hypervisor does not tell.
    #[xml(attr)]
    pub usable: Usable,
    /// Whether the hypervisor has announced that the model will be removed.
    #[xml(attr)]
    pub deprecated: Option<YesNo>,
    /// Vendor of the model, or `unknown`.
    #[xml(attr)]
    pub vendor: Option<Text>,
    /// Full name of the model, if this name is an alias.
    #[xml(attr)]
    pub canonical: Option<Text>,
    /// Name of the model, as in `<model>` of a definition.
    #[xml(text)]
    pub name: Text,
}

/// `<blockers>`: features of a model that the host lacks, so that the model is not usable.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct CpuBlockers {
    /// Name of the model that is not usable.
    #[xml(attr)]
    pub model: Text,
    /// Names of the features that the host lacks.
    #[xml(child_attr = "feature/name")]
    pub feature: Vec<Text>,
}

/// A processor model, and the features of it that the host lacks.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
#[xml(more(attr = "model", wrap = "blockers", value = Text, optional, doc = "Name of the model that the blockers belong to."))]
pub struct CustomCpu {
    /// Name, vendor and usability of the model.
    #[xml(child)]
    pub model: CustomModel,
    /// Names of the model's features that the host lacks.
    #[xml(child_attr = "feature/name", wrap = "blockers")]
    pub blockers: Vec<Text>,
}

/// `<cpu>`: what each processor mode offers.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
#[xml(more(attr = "supported", wrap = "mode[name=custom]", value = YesNo, optional, doc = "Whether processor models can be chosen by name."))]
pub struct CpuCapabilities {
    /// Whether a guest can have exactly the host's processor.
    #[xml(child = "mode[name=host-passthrough]", optional)]
    pub host_passthrough: Support,
    /// Whether a guest can have every feature that the hypervisor supports.
    #[xml(child = "mode[name=maximum]", optional)]
    pub maximum: Support,
    /// Whether a guest can have a model close to the host's processor, and which one.
    #[xml(child = "mode[name=host-model]", optional)]
    pub host_model: HostModelCpu,
    /// Processor models that can be chosen by name.
    #[xml(flat, value = CustomCpu, wrap = "mode[name=custom]")]
    pub custom: Option<Vec<CustomCpu>>,
}

impl Default for CpuCapabilities {
    /// Nothing is supported.
    fn default() -> Self {
        Self {
            host_passthrough: Support::NO,
            maximum: Support::NO,
            host_model: HostModelCpu {
                supported: YesNo::No,
                model: None,
                vendor: None,
                maxphysaddr: None,
                feature: Vec::new(),
            },
            custom: None,
        }
    }
}

impl Content for CpuCapabilities {
    fn parse(node: Node<'_>) -> Result<Self> {
        let mut cpu = Self::default();
        for mode in node.children("mode") {
            match mode.attr("name") {
                Some("host-passthrough") => cpu.host_passthrough = Support::parse(mode)?,
                Some("maximum") => cpu.maximum = Support::parse(mode)?,
                Some("host-model") => cpu.host_model = HostModelCpu::parse(mode)?,
                Some("custom") => {
                    let supported = mode.attr_req::<YesNo>("supported")? == YesNo::Yes;
                    cpu.custom = supported.then(|| read_models(mode)).transpose()?;
                }
                Some(other) => {
                    return Err(mode.bad_attr("name", other, "a mode of processors"));
                }
                None => return Err(mode.missing_attr("name")),
            }
        }
        Ok(cpu)
    }

    fn attrs(&self, _: &mut Writer) {}

    fn children(&self, w: &mut Writer) {
        let modes: [(&str, &dyn Content); 3] = [
            ("host-passthrough", &self.host_passthrough),
            ("maximum", &self.maximum),
            ("host-model", &self.host_model),
        ];
        for (name, mode) in modes {
            w.begin("mode");
            w.attr_str("name", name);
            mode.attrs(w);
            mode.children(w);
            w.end("mode");
        }
        w.begin("mode");
        w.attr_str("name", "custom");
        w.attr_str(
            "supported",
            if self.custom.is_some() { "yes" } else { "no" },
        );
        for cpu in self.custom.iter().flatten() {
            w.element("model", &cpu.model);
            if !cpu.blockers.is_empty() {
                w.begin("blockers");
                w.attr_str("model", &cpu.model.name);
                for feature in &cpu.blockers {
                    w.attr_element("feature", "name", feature);
                }
                w.end("blockers");
            }
        }
        w.end("mode");
    }
}

fn read_models(node: Node<'_>) -> Result<Vec<CustomCpu>> {
    let mut models: Vec<CustomCpu> = node
        .children("model")
        .map(|model| {
            Ok(CustomCpu {
                model: CustomModel::parse(model)?,
                blockers: Vec::new(),
            })
        })
        .collect::<Result<_>>()?;
    // Blockers stand in the order of the models.
    let mut rest = models.iter_mut();
    for node in node.children("blockers") {
        let blockers = CpuBlockers::parse(node)?;
        let Some(cpu) = rest.find(|cpu| cpu.model.name == blockers.model) else {
            return Err(node.bad_attr("model", &blockers.model, "a <model> given before"));
        };
        cpu.blockers = blockers.feature;
    }
    Ok(models)
}
