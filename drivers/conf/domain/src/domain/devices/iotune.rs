//! Limits of a disk's throughput.

use virtbus_xml::{Content, Describe, Node, Result, Text, Writer};

/// Where the name of the group stands: limits of one disk and those of a group have it in different places.
#[derive(Clone, Copy, PartialEq, Eq)]
enum NameAt {
    BeforeLengths,
    End,
}

macro_rules! limits {
    ($($(#[$meta:meta])* $field:ident),+ ; $($(#[$lmeta:meta])* $length:ident),+ $(,)?) => {
        /// `<iotune>` or `<throttlegroup>`: limits per second; 0 is none.
        ///
        /// A total excludes separate limits for reads and writes.
        #[derive(Describe, Debug, Clone, Default, PartialEq, Eq)]
        pub struct IoTune {
            $($(#[$meta])* #[xml(text_child, optional)] pub $field: u64,)+
            /// Size of an operation that counts as one, in bytes.
            #[xml(text_child, optional)]
            pub size_iops_sec: u64,
            /// Name of the group that shares the limits.
            #[xml(text_child)]
            pub group_name: Option<Text>,
            $($(#[$lmeta])* #[xml(text_child, optional)] pub $length: u64,)+
        }

        impl Content for IoTune {
            fn parse(node: Node<'_>) -> Result<Self> {
                Ok(Self {
                    $($field: limit(node, stringify!($field))?,)+
                    size_iops_sec: limit(node, "size_iops_sec")?,
                    group_name: node.text_child_opt("group_name")?,
                    $($length: limit(node, stringify!($length))?,)+
                })
            }

            fn attrs(&self, _: &mut Writer) {}

            fn children(&self, w: &mut Writer) {
                self.write(NameAt::BeforeLengths, w);
            }
        }

        impl IoTune {
            fn write(&self, name_at: NameAt, w: &mut Writer) {
                let write = |w: &mut Writer, name: &str, value: u64| {
                    if value > 0 {
                        w.text_element(name, &value);
                    }
                };
                $(write(w, stringify!($field), self.$field);)+
                write(w, "size_iops_sec", self.size_iops_sec);
                let name = |w: &mut Writer| {
                    if let Some(name) = &self.group_name {
                        w.text_element("group_name", name);
                    }
                };
                if name_at == NameAt::BeforeLengths {
                    name(w);
                }
                $(write(w, stringify!($length), self.$length);)+
                if name_at == NameAt::End {
                    name(w);
                }
            }
        }
    };
}

fn limit(node: Node<'_>, name: &str) -> Result<u64> {
    Ok(node.text_child_opt(name)?.unwrap_or(0))
}

limits! {
    /// Bytes.
    total_bytes_sec,
    /// Bytes read.
    read_bytes_sec,
    /// Bytes written.
    write_bytes_sec,
    /// Operations.
    total_iops_sec,
    /// Reads.
    read_iops_sec,
    /// Writes.
    write_iops_sec,
    /// Bytes in a burst.
    total_bytes_sec_max,
    /// Bytes read in a burst.
    read_bytes_sec_max,
    /// Bytes written in a burst.
    write_bytes_sec_max,
    /// Operations in a burst.
    total_iops_sec_max,
    /// Reads in a burst.
    read_iops_sec_max,
    /// Writes in a burst.
    write_iops_sec_max;
    /// Seconds that a burst of bytes may last.
    total_bytes_sec_max_length,
    /// Seconds that a burst of bytes read may last.
    read_bytes_sec_max_length,
    /// Seconds that a burst of bytes written may last.
    write_bytes_sec_max_length,
    /// Seconds that a burst of operations may last.
    total_iops_sec_max_length,
    /// Seconds that a burst of reads may last.
    read_iops_sec_max_length,
    /// Seconds that a burst of writes may last.
    write_iops_sec_max_length,
}

impl IoTune {
    /// Whether any limit is set, whatever the group.
    pub fn has_any(&self) -> bool {
        Self {
            group_name: None,
            ..self.clone()
        } != Self::default()
    }
}

/// `<throttlegroups>`: limits that disks can share.
#[derive(Describe, Debug, Clone, Default, PartialEq, Eq)]
pub struct ThrottleGroups {
    /// The groups, each with a name.
    #[xml(child)]
    pub throttlegroup: Vec<IoTune>,
}

impl Content for ThrottleGroups {
    fn parse(node: Node<'_>) -> Result<Self> {
        Ok(Self {
            throttlegroup: node.child_vec("throttlegroup")?,
        })
    }

    fn attrs(&self, _: &mut Writer) {}

    fn children(&self, w: &mut Writer) {
        for group in &self.throttlegroup {
            w.begin("throttlegroup");
            group.write(NameAt::End, w);
            w.end("throttlegroup");
        }
    }
}
