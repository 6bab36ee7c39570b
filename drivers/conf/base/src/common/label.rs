//! Security labels of guests and of single files.

use virtbus_xml::{
    Content, Describe, ErrorKind, Flags, Node, Result, Text, Writer, Xml, YesNo, xml_names,
};

xml_names! {
    /// Who chooses a guest's label.
    pub enum SecLabelType {
        Dynamic = "dynamic",
        Static = "static",
        None = "none",
    }
}

/// `<seclabel>` of a guest.
///
/// Labels that a driver added are not written for older releases.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct SecLabel {
    /// Who chooses the label.
    #[xml(attr = "type", when = is_visible)]
    pub kind: Option<SecLabelType>,
    /// The security driver: `selinux`, `apparmor`, `dac`.
    #[xml(attr, when = is_visible)]
    pub model: Option<Text>,
    /// Whether the guest's files are labelled too.
    #[xml(attr, when = has_relabel)]
    pub relabel: Option<YesNo>,
    /// The label of the process.
    #[xml(text_child, when = is_visible)]
    pub label: Option<Text>,
    /// The label of the files; output only.
    #[xml(text_child, when = has_image_label)]
    pub imagelabel: Option<Text>,
    /// What a dynamic label is made from.
    #[xml(text_child, when = has_base_label)]
    pub baselabel: Option<Text>,
    /// Added by a driver, not by the user; such labels are left out for older releases. Never in XML.
    #[xml(flat)]
    pub implicit: Implicit,
}

/// Marks what a driver added by itself. Not part of any document.
#[derive(Describe, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Implicit(#[xml(skip)] pub bool);

impl Content for Implicit {
    fn parse(_: Node<'_>) -> Result<Self> {
        Ok(Self(false))
    }

    fn attrs(&self, _: &mut Writer) {}

    fn children(&self, _: &mut Writer) {}
}

fn is_visible(label: &SecLabel, flags: Flags) -> bool {
    let added = label.implicit.0 && matches!(label.model.as_deref(), Some("dac" | "none"));
    !(added && flags.contains(Flags::MIGRATABLE))
}

fn has_relabel(label: &SecLabel, flags: Flags) -> bool {
    label.kind != Some(SecLabelType::None) && is_visible(label, flags)
}

fn has_image_label(label: &SecLabel, flags: Flags) -> bool {
    label.relabel != Some(YesNo::No) && is_visible(label, flags)
}

fn has_base_label(label: &SecLabel, flags: Flags) -> bool {
    label.kind != Some(SecLabelType::Static) && is_visible(label, flags)
}

/// `<seclabel>` of one file or device: an exception from the guest's.
#[derive(Describe, Debug, Clone, Default, PartialEq, Eq)]
pub struct DeviceLabel {
    /// The security driver.
    #[xml(attr)]
    pub model: Option<Text>,
    /// Whether to label the file; nothing is said with `labelskip`.
    #[xml(attr, absent = "yes")]
    pub relabel: Option<YesNo>,
    /// The file could not be labelled; running guests only.
    #[xml(attr, value = YesNo, optional, conditional, absent = "no")]
    pub labelskip: bool,
    /// The label.
    #[xml(text_child)]
    pub label: Option<Text>,
}

impl DeviceLabel {
    /// Whether the label is written at all for these `flags`.
    fn is_visible(&self, flags: Flags) -> bool {
        // With `labelskip`, nothing is said about labelling.
        let relabels = self.relabel != Some(YesNo::No) || self.labelskip;
        let empty = self.label.is_none() && relabels;
        !(empty && flags.contains(Flags::INACTIVE))
    }

    /// Drops what only a running guest says.
    pub fn strip_live(labels: &mut Vec<Self>) {
        labels.retain(|label| label.is_visible(Flags::INACTIVE));
    }

    /// Whether one of `labels` is written for these `flags`.
    pub fn any_visible(labels: &[Self], flags: Flags) -> bool {
        labels.iter().any(|label| label.is_visible(flags))
    }

    /// Writes `<seclabel>` for each label that is to be seen.
    pub fn write_all(labels: &[Self], w: &mut Writer) {
        let flags = w.flags();
        for label in labels.iter().filter(|l| l.is_visible(flags)) {
            w.element("seclabel", label);
        }
    }
}

impl Content for DeviceLabel {
    fn parse(node: Node<'_>) -> Result<Self> {
        let labelskip = node.attr_opt("labelskip")? == Some(YesNo::Yes);
        let relabel = Some(node.attr_opt("relabel")?.unwrap_or(YesNo::Yes));
        let label = Self {
            model: node.attr_opt("model")?,
            relabel: relabel.filter(|_| !labelskip),
            labelskip,
            label: node.text_child_opt("label")?,
        };
        if label.label.is_some() && relabel == Some(YesNo::No) {
            return Err(node.error(
                ErrorKind::Invalid,
                "a label makes no sense where labelling is turned off",
            ));
        }
        Ok(label)
    }

    fn attrs(&self, w: &mut Writer) {
        w.attr_opt("model", &self.model);
        if self.labelskip {
            w.attr_str("labelskip", "yes");
        } else {
            w.attr("relabel", &self.relabel.unwrap_or(YesNo::Yes));
        }
    }

    fn children(&self, w: &mut Writer) {
        if let Some(label) = &self.label {
            w.text_element("label", label);
        }
    }
}

/// `<seclabel>`s of one file, written together.
#[derive(Describe, Debug, Clone, Default, PartialEq, Eq)]
pub struct DeviceLabels(#[xml(child = "seclabel")] pub Vec<DeviceLabel>);

impl Content for DeviceLabels {
    fn parse(node: Node<'_>) -> Result<Self> {
        node.child_vec("seclabel").map(Self)
    }

    fn attrs(&self, _: &mut Writer) {}

    fn children(&self, w: &mut Writer) {
        DeviceLabel::write_all(&self.0, w);
    }
}
