//! T21: events and errors tell nobody of what he may not see.

use std::path::Path;

use virtbus_tests::{BootedSystem, or_skip};

#[test]
fn root_nobody_hears_of_what_rules_hide() {
    let walker = Path::new(env!("CARGO_BIN_EXE_virtbus-walk"));
    let system = or_skip!(BootedSystem::with_daemon()).walker(walker);
    system.run("threat-21.sh");
}
