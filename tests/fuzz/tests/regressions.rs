//! Texts that once broke something: `regressions/TARGET/NAME.xml`, each named for what it broke.

use std::fs;
use std::path::Path;

use virtbus_fuzz::TARGETS;
use virtbus_fuzz::campaign::examine;
use virtbus_fuzz::seeds::xml_files;

#[test]
fn nothing_breaks_again() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("regressions");
    let mut tried = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let folder = entry.unwrap().path();
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        let target = TARGETS.iter().find(|target| target.name == name);
        let target = target.unwrap_or_else(|| panic!("there is no target '{name}'"));
        for file in xml_files(&folder).unwrap() {
            let finding = examine(target, &fs::read(&file).unwrap()).finding;
            assert_eq!(finding, None, "{}", file.display());
            tried += 1;
        }
    }
    assert!(tried > 0);
}
