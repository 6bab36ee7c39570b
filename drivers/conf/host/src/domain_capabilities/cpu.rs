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

/// `<mode name='host-model'>`: the processor that comes closest to the host's.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct HostModelCpu {
    /// Whether it can be had. If not, there is nothing below.
    #[xml(attr)]
    pub supported: YesNo,
    /// Model.
    #[xml(child)]
    pub model: Option<CpuModel>,
    /// Vendor.
    #[xml(text_child)]
    pub vendor: Option<Text>,
    /// Width of physical addresses.
    #[xml(child)]
    pub maxphysaddr: Option<MaxPhysAddr>,
    /// Features, besides those of the model.
    #[xml(child)]
    pub feature: Vec<CpuFeature>,
}

/// `<model>` in `<mode name='custom'>`.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct CustomModel {
    /// Whether it runs on this host as it is.
    #[xml(attr)]
    pub usable: Usable,
    /// Whether it will go away.
    #[xml(attr)]
    pub deprecated: Option<YesNo>,
    /// Its vendor, or `unknown`.
    #[xml(attr)]
    pub vendor: Option<Text>,
    /// The model that this is another name of.
    #[xml(attr)]
    pub canonical: Option<Text>,
    /// Its name.
    #[xml(text)]
    pub name: Text,
}

/// `<blockers>`: the features for want of which a model is not usable.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct CpuBlockers {
    /// The model.
    #[xml(attr)]
    pub model: Text,
    /// The features.
    #[xml(child_attr = "feature/name")]
    pub feature: Vec<Text>,
}

/// A model with what it lacks.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
#[xml(more(attr = "model", wrap = "blockers", value = Text, optional, doc = "The model again."))]
pub struct CustomCpu {
    /// The model.
    #[xml(child)]
    pub model: CustomModel,
    /// Features that the host lacks.
    #[xml(child_attr = "feature/name", wrap = "blockers")]
    pub blockers: Vec<Text>,
}

/// `<cpu>`: what each mode offers.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
#[xml(more(attr = "supported", wrap = "mode[name=custom]", value = YesNo, optional, doc = "Whether models can be chosen by name."))]
pub struct CpuCapabilities {
    /// The host's processor as it is.
    #[xml(child = "mode[name=host-passthrough]", optional)]
    pub host_passthrough: Support,
    /// All that the hypervisor can do.
    #[xml(child = "mode[name=maximum]", optional)]
    pub maximum: Support,
    /// The processor that comes closest to the host's.
    #[xml(child = "mode[name=host-model]", optional)]
    pub host_model: HostModelCpu,
    /// Models by name, if they can be chosen.
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
