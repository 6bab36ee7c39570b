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

/// `<seclabel>`: a security label of a guest's process and files.
///
/// Labels that a driver added are not written for older releases.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct SecLabel {
    /// Who chooses the label: `dynamic` lets the driver make a unique one, `static` takes the one given, `none`
    /// confines nothing.
    #[xml(attr = "type", when = is_visible)]
    pub kind: Option<SecLabelType>,
    /// Name of the security driver: `selinux`, `apparmor` or `dac`.
    #[xml(attr, when = is_visible)]
    pub model: Option<Text>,
    /// Whether the driver labels the files of the guest (disk images and others) before it starts.
    #[xml(attr, when = has_relabel)]
    pub relabel: Option<YesNo>,
    /// Label of the guest's process; for `dac` user and group as `+UID:+GID` or names.
    #[xml(text_child, when = is_visible)]
    pub label: Option<Text>,
    /// Label of the guest's files; written for running guests, ignored when read.
    #[xml(text_child, when = has_image_label)]
    pub imagelabel: Option<Text>,
    /// Label from which the driver derives the dynamic one, instead of its default.
    #[xml(text_child, when = has_base_label)]
    pub baselabel: Option<Text>,
    /// Marks a label that a driver added; such labels are left out for older releases, and the mark is never in XML.
    #[xml(flat)]
    pub implicit: Implicit,
}

/// Marks what a driver added by itself. It is not part of any document.
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

/// `<seclabel>` of one file or device: overrides the guest's label for it.
#[derive(Describe, Debug, Clone, Default, PartialEq, Eq)]
pub struct DeviceLabel {
    /// Name of the security driver that the label is for; absent means all of them.
    #[xml(attr)]
    pub model: Option<Text>,
    /// Whether the driver labels the file; absent if `labelskip` is written.
    #[xml(attr, absent = "yes")]
    pub relabel: Option<YesNo>,
    /// Whether labelling the file failed because its file system has no labels; running guests only.
    #[xml(attr, value = YesNo, optional, conditional, absent = "no")]
    pub labelskip: bool,
    /// Label that the file is given, instead of the guest's.
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

/// `<seclabel>`s of one file or device, one for each security driver.
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
