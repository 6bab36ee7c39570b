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
        /// `<iotune>` or `<throttlegroup>`: limits on a disk's throughput; 0 or absent means no limit.
        ///
        /// A total excludes separate limits for reads and writes.
        #[derive(Describe, Debug, Clone, Default, PartialEq, Eq)]
        pub struct IoTune {
            $($(#[$meta])* #[xml(text_child, optional)] pub $field: u64,)+
            /// Size in bytes of an operation that counts as one; larger ones count as several.
            #[xml(text_child, optional)]
            pub size_iops_sec: u64,
            /// Name of the group; disks with the same name share the limits.
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
    /// Limit on reads and writes together, in bytes per second.
    total_bytes_sec,
    /// Limit on reads, in bytes per second.
    read_bytes_sec,
    /// Limit on writes, in bytes per second.
    write_bytes_sec,
    /// Limit on read and write operations together, per second.
    total_iops_sec,
    /// Limit on read operations per second.
    read_iops_sec,
    /// Limit on write operations per second.
    write_iops_sec,
    /// Limit on reads and writes together during a burst, in bytes per second.
    total_bytes_sec_max,
    /// Limit on reads during a burst, in bytes per second.
    read_bytes_sec_max,
    /// Limit on writes during a burst, in bytes per second.
    write_bytes_sec_max,
    /// Limit on read and write operations together during a burst, per second.
    total_iops_sec_max,
    /// Limit on read operations during a burst, per second.
    read_iops_sec_max,
    /// Limit on write operations during a burst, per second.
    write_iops_sec_max;
    /// Longest burst of `total_bytes_sec_max`, in seconds; 1 if absent.
    total_bytes_sec_max_length,
    /// Longest burst of `read_bytes_sec_max`, in seconds; 1 if absent.
    read_bytes_sec_max_length,
    /// Longest burst of `write_bytes_sec_max`, in seconds; 1 if absent.
    write_bytes_sec_max_length,
    /// Longest burst of `total_iops_sec_max`, in seconds; 1 if absent.
    total_iops_sec_max_length,
    /// Longest burst of `read_iops_sec_max`, in seconds; 1 if absent.
    read_iops_sec_max_length,
    /// Longest burst of `write_iops_sec_max`, in seconds; 1 if absent.
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

/// `<throttlegroups>`: limits on throughput that disks can share.
#[derive(Describe, Debug, Clone, Default, PartialEq, Eq)]
pub struct ThrottleGroups {
    /// Throttle groups, each with a name that disks refer to.
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
