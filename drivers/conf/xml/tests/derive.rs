//! What `#[derive(Xml)]` makes of a type.

use virtbus_xml::{
    Content, Describe, Document, ErrorKind, Flags, Hex, Kib, Kind, Occurs, OnOff, Part, Text, Way,
    Xml, XmlError, xml_names,
};

xml_names! {
    /// Where a disk is attached.
    pub enum Bus {
        Ide = "ide",
        Scsi = "scsi" | "SCSI",
    }
}

#[derive(Xml, Debug, Clone, PartialEq)]
struct FileSource {
    #[xml(attr)]
    file: Option<Text>,
    #[xml(text_child = "slice", wrap = "slices")]
    slices: Vec<u32>,
}

#[derive(Xml, Debug, Clone, PartialEq)]
struct DevSource {
    #[xml(attr)]
    dev: Text,
}

#[derive(Xml, Debug, Clone, PartialEq)]
#[xml(tag = "type", body = "source")]
enum Source {
    #[xml("file", default)]
    File(FileSource),
    #[xml("block")]
    Block(DevSource),
    #[xml("none")]
    None,
}

#[derive(Xml, Debug, Clone, PartialEq)]
#[xml(tag = "type")]
enum Address {
    #[xml("pci")]
    Pci(Pci),
    #[xml("unassigned")]
    Unassigned,
}

#[derive(Xml, Debug, Clone, PartialEq)]
struct Pci {
    #[xml(attr)]
    bus: Hex<2>,
}

#[derive(Xml, Debug, Clone, PartialEq)]
struct Disk {
    #[xml(flat, late)]
    source: Source,
    #[xml(attr)]
    bus: Bus,
    #[xml(attr)]
    copy_on_read: Option<OnOff>,
    #[xml(flag)]
    readonly: bool,
    #[xml(child_attr = "alias/name", when = live)]
    alias: Option<Text>,
    #[xml(child)]
    size: Kib,
    #[xml(child)]
    address: Option<Address>,
}

fn live(_: &Disk, flags: Flags) -> bool {
    !flags.contains(Flags::INACTIVE)
}

fn read(text: &str) -> Result<Disk, XmlError> {
    Document::parse(text)?.read("disk")
}

const WHOLE: &str = "<disk type='file' bus='scsi' copy_on_read='on'>
  <readonly/>
  <alias name='d&apos;0'/>
  <size unit='KiB'>1024</size>
  <address type='pci' bus='0x0a'/>
  <source file='/a'>
    <slices>
      <slice>1</slice>
      <slice>2</slice>
    </slices>
  </source>
</disk>
";

#[test]
fn round_trip() {
    let disk = read(WHOLE).unwrap();
    assert_eq!(disk.to_xml("disk", Flags::empty()), WHOLE);
    assert_eq!(
        disk.source,
        Source::File(FileSource {
            file: Some("/a".into()),
            slices: vec![1, 2]
        })
    );
    assert!(!disk.to_xml("disk", Flags::INACTIVE).contains("alias"));
}

#[test]
fn order_of_input_does_not_matter_and_absence_is_kept() {
    let disk =
        read("<disk bus='SCSI'><address type='unassigned'/><size unit='MiB'>1</size></disk>")
            .unwrap();
    assert_eq!(
        disk.to_xml("disk", Flags::empty()),
        "<disk type='file' bus='scsi'>\n  <size unit='KiB'>1024</size>\n  <address type='unassigned'/>\n</disk>\n"
    );
    let disk = read("<disk bus='ide' type='none'><source file='x'/><size>1</size></disk>").unwrap();
    assert_eq!((disk.source.as_str(), disk.readonly), ("none", false));
}

#[test]
fn errors_name_element_and_attribute() {
    let cases = [
        (
            "<disk><size>1</size></disk>",
            ErrorKind::Missing,
            "disk",
            Some("bus"),
        ),
        (
            "<disk bus='x'><size>1</size></disk>",
            ErrorKind::Invalid,
            "disk",
            Some("bus"),
        ),
        ("<disk bus='ide'/>", ErrorKind::Missing, "disk", None),
        (
            "<disk bus='ide' type='block'><size>1</size></disk>",
            ErrorKind::Missing,
            "source",
            Some("dev"),
        ),
        (
            "<disk bus='ide' type='tape'><size>1</size></disk>",
            ErrorKind::Invalid,
            "disk",
            Some("type"),
        ),
        (
            "<disk bus='ide'><size>x</size></disk>",
            ErrorKind::Invalid,
            "size",
            None,
        ),
        (
            "<disk bus='ide'><size>1</size><address/></disk>",
            ErrorKind::Missing,
            "address",
            Some("type"),
        ),
        (
            "<disk bus='ide'><size>1</size><address type='pci' bus='0x'/></disk>",
            ErrorKind::Invalid,
            "address",
            Some("bus"),
        ),
        ("<other/>", ErrorKind::Invalid, "other", None),
    ];
    for (text, kind, element, attribute) in cases {
        let e = read(text).expect_err(text);
        assert_eq!(
            (e.kind(), e.element(), e.attribute()),
            (kind, Some(element), attribute),
            "{e}"
        );
        assert_eq!(e.line(), Some(1));
    }
    let message = read("<disk bus='x'/>").unwrap_err().to_string();
    assert_eq!(
        message,
        "line 1, column 7: attribute 'bus' of <disk>: 'x' is not one of 'ide', 'scsi'"
    );
}

#[test]
fn every_name_goes_both_ways() {
    for bus in Bus::ALL {
        assert_eq!(Bus::from_name(bus.as_str()), Some(bus));
    }
    assert_eq!(Address::NAMES, ["pci", "unassigned"]);
}

#[derive(Xml, Debug, Clone, PartialEq)]
struct Label {
    #[xml(attr)]
    color: Option<Text>,
    #[xml(text_child)]
    line: Vec<Text>,
}

#[derive(Xml, Debug, Clone, PartialEq)]
struct Crate {
    #[xml(flat)]
    label: Option<Box<Label>>,
    #[xml(attr)]
    size: u32,
}

#[test]
fn a_part_that_says_nothing_is_absent() {
    let read = |text: &str| Document::parse(text).unwrap().read::<Crate>("box").unwrap();
    assert_eq!(read("<box size='1'/>").label, None);
    for text in [
        "<box size='1'/>\n",
        "<box color='red' size='1'/>\n",
        "<box size='1'>\n  <line>a</line>\n</box>\n",
    ] {
        assert_eq!(read(text).to_xml("box", Flags::empty()), text);
    }
}

fn part<'a>(parts: &'a [Part], name: &str) -> &'a Part {
    parts
        .iter()
        .find(|part| part.name == name)
        .expect("it is declared")
}

#[test]
fn what_is_declared_is_told() {
    let disk = Disk::describe();
    assert!(disk.type_name.ends_with("::Disk"), "{}", disk.type_name);
    let bus = part(disk.parts, "bus");
    assert_eq!(bus.occurs, Occurs::Required);
    let Kind::Attribute(values) = &bus.kind else {
        panic!("{bus:?}")
    };
    assert_eq!(values.words(), ["ide", "scsi"]);
    assert_eq!(values.expected(), "one of 'ide', 'scsi'");
    let alias = part(disk.parts, "alias");
    assert!(matches!(alias.kind, Kind::AttributeElement("name", _)));
    assert!(alias.conditional && alias.occurs == Occurs::Optional);
    let Kind::Flat(source) = disk.parts[0].kind else {
        panic!("{:?}", disk.parts[0])
    };
    let [kind] = source().parts else {
        panic!("{:?}", source())
    };
    let Kind::Choice(choice) = &kind.kind else {
        panic!("{kind:?}")
    };
    assert_eq!((kind.name, kind.occurs), ("type", Occurs::Optional));
    assert_eq!(choice.body, Some("source"));
    let names: Vec<_> = choice
        .variants
        .iter()
        .map(|v| (v.name, v.default))
        .collect();
    assert_eq!(names, [("file", true), ("block", false), ("none", false)]);
    let Kind::Flat(file) = choice.variants[0].parts[0].kind else {
        panic!("{:?}", choice.variants[0])
    };
    let slices = part(file().parts, "slice");
    assert_eq!(slices.occurs, Occurs::Many);
    assert_eq!(slices.within[0].name, "slices");
}

/// A terminal.
#[derive(Describe)]
#[xml(more(attr = "tty", value = Text, optional, doc = "For older clients."))]
#[expect(dead_code, reason = "described only")]
struct Terminal {
    /// Its end.
    #[xml(child = "end[type=master]", value = Label, optional)]
    end: u8,
    #[xml(named = "state", wrap = "caps", many, value = Bus)]
    caps: Vec<u8>,
    #[xml(skip)]
    open: bool,
    #[xml(child = "notes", foreign)]
    notes: Text,
}

#[test]
fn what_is_read_by_hand_is_described_by_the_same_attributes() {
    let terminal = Terminal::describe();
    assert_eq!(terminal.doc, "A terminal.");
    let names: Vec<_> = terminal.parts.iter().map(|part| part.name).collect();
    assert_eq!(names, ["end", "", "notes", "tty"]);
    let [end, caps, notes, tty] = terminal.parts else {
        panic!("{terminal:?}")
    };
    assert_eq!(
        (end.doc, end.fixed),
        ("Its end.", &[("type", "master")][..])
    );
    assert!(matches!(caps.kind, Kind::Named(_, Some("state"))));
    assert!(matches!(notes.kind, Kind::Foreign));
    assert_eq!(
        (tty.doc, tty.occurs),
        ("For older clients.", Occurs::Optional)
    );
}

/// What a lock is known by.
#[derive(Describe)]
#[expect(dead_code, reason = "described only")]
enum Lock {
    /// By its place.
    #[xml(attr = "path", told = "an absolute path")]
    Path(Text),
    /// By its name.
    #[xml(
        attr = "kind",
        told = "one of 'lease', 'file'",
        absent = "file",
        conditional
    )]
    Kind(Text),
    /// As older clients say it.
    #[xml(flag = "old", input)]
    Old,
    /// When it was taken.
    #[xml(text_child = "since", told = "it's a time", output)]
    Since(Text),
}

#[test]
fn what_no_type_tells_is_told_by_attributes() {
    let lock = Lock::describe();
    assert!(lock.alternatives && !Disk::describe().alternatives);
    let values = |name: &str| match &part(lock.parts, name).kind {
        Kind::Attribute(values) | Kind::TextElement(values) => *values,
        other => panic!("{other:?}"),
    };
    assert_eq!(values("path").expected(), "an absolute path");
    assert_eq!(values("path").words(), [""; 0]);
    assert_eq!(values("kind").words(), ["lease", "file"]);
    assert_eq!(values("since").words(), [""; 0]);
    let kind = part(lock.parts, "kind");
    assert_eq!((kind.absent, kind.conditional), ("file", true));
    let ways = lock.parts.iter().map(|part| part.way);
    assert!(ways.eq([Way::Both, Way::Both, Way::In, Way::Out]));
}
