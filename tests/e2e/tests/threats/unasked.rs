//! T1: what a caller without rights makes the daemon do before it is known that there are none. That each member is refused is tried by
//! `walk.sh`; here is what that costs.

use std::path::Path;

use virtbus_tests::{BootedSystem, or_skip};

#[test]
fn root_documents_of_somebody_without_rights_cost_little() {
    let walker = Path::new(env!("CARGO_BIN_EXE_virtbus-walk"));
    let system = or_skip!(BootedSystem::with_daemon()).walker(walker);
    system.run("threat-01.sh");
}
