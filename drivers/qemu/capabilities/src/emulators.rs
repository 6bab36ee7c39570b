//! Finds emulator binaries by their names.
//!
//! Looks, does not run anything: what a binary can do is `store`'s affair.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::arch;

/// Names under which distributions install an emulator of the host's own architecture, in
/// order of preference.
const HOST_NAMES: [&str; 2] = ["qemu-kvm", "kvm"];

/// The emulator binaries of a host, by architecture.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Emulators(BTreeMap<&'static str, PathBuf>);

impl Emulators {
    /// Where distributions keep them.
    pub const DIRS: [&'static str; 3] = ["/usr/bin", "/usr/libexec", "/usr/local/bin"];

    /// Looks in these directories, the first of which wins. A few dozen `access` calls; blocks no
    /// longer than the file system.
    pub fn find<P: AsRef<Path>>(dirs: &[P]) -> Self {
        Self::find_for(dirs, arch::to_qemu(arch::host()))
    }

    fn find_for<P: AsRef<Path>>(dirs: &[P], host: &str) -> Self {
        let first = |name: &str| {
            let paths = dirs.iter().map(|dir| dir.as_ref().join(name));
            paths.into_iter().find(|path| is_program(path))
        };
        let mut found = BTreeMap::new();
        for target in arch::TARGETS {
            let own = first(&format!("qemu-system-{target}"));
            let path = own.or_else(|| {
                let mut names = HOST_NAMES.iter().filter(|_| target == host);
                names.find_map(|name| first(name))
            });
            if let Some(path) = path {
                found.insert(target, path);
            }
        }
        Self(found)
    }

    /// The emulator for an architecture, by libvirt's name of it. What emulates 64-bit x86 also
    /// does for 32 bits.
    pub fn for_arch(&self, arch: &str) -> Option<&Path> {
        let exact = self.0.get(arch::to_qemu(arch));
        let wider = (arch == "i686").then(|| self.0.get("x86_64")).flatten();
        exact.or(wider).map(PathBuf::as_path)
    }

    /// All, with libvirt's name of the architecture.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Path)> {
        let all = self.0.iter();
        all.map(|(target, path)| (arch::from_qemu(target), path.as_path()))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn is_program(path: &Path) -> bool {
    path.is_file() && rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok()
}

#[cfg(test)]
mod tests {
    use super::Emulators;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    fn program(dir: &Path, name: &str, mode: u32) {
        let path = dir.join(name);
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn binaries_are_found_by_name() {
        let [one, two] = [(), ()].map(|()| tempfile::tempdir().unwrap());
        program(two.path(), "qemu-system-x86_64", 0o755);
        program(one.path(), "qemu-system-x86_64-microvm", 0o755);
        program(one.path(), "qemu-system-arm", 0o755);
        program(two.path(), "qemu-system-arm", 0o755);
        program(one.path(), "qemu-system-s390x", 0o644);
        program(two.path(), "qemu-kvm", 0o755);
        let found = Emulators::find_for(&[one.path(), two.path()], "ppc64");
        let all: Vec<_> = found.iter().collect();
        assert_eq!(
            all,
            [
                ("armv7l", one.path().join("qemu-system-arm").as_path()),
                ("ppc64", two.path().join("qemu-kvm").as_path()),
                ("x86_64", two.path().join("qemu-system-x86_64").as_path()),
            ]
        );
        let x86 = two.path().join("qemu-system-x86_64");
        assert_eq!(found.for_arch("i686"), Some(x86.as_path()));
        assert_eq!(found.for_arch("s390x"), None);
        assert!(Emulators::find(&["/nonexistent"]).is_empty());
    }
}
