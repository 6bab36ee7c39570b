//! What anybody may do by default is to look: no call that changes something may be among it.
//!
//! libvirt refuses writes on a read-only connection before it asks for permissions; here the
//! permissions are all there is.

use virtbus_api::access::{Call, Default as Who, When};
use virtbus_repo_tests::source::{lines_with, tokens};
use virtbus_repo_tests::tracked;
use virtbus_skip::skip;

/// Words in the names of calls that look, connect, or listen.
const LOOKING: [&str; 17] = [
    "Auth",
    "Baseline",
    "Callback",
    "Close",
    "Compare",
    "Current",
    "Event",
    "Get",
    "Has",
    "InterfaceAddresses",
    "Is",
    "List",
    "Lookup",
    "Num",
    "Open",
    "Stats",
    "SupportsFeature",
];

/// Calls whose row in libvirt's table leaves them open to anybody, so that no interface may offer
/// them as they are, and what it is to offer.
const NOT_OFFERED: [(&str, &str); 1] = [(
    "DomainSetSchedulerParameters",
    "DomainSetSchedulerParametersFlags, which asks for domain.write",
)];

fn is_open_to_anybody(call: Call) -> bool {
    !call
        .rules()
        .iter()
        .any(|rule| rule.when == When::Always && rule.permission.default() == Who::Administrator)
}

#[test]
fn calls_that_change_something_are_the_administrators() {
    let open: Vec<&str> = Call::ALL
        .iter()
        .filter(|call| is_open_to_anybody(**call))
        .map(|call| call.name())
        .filter(|name| !LOOKING.iter().any(|word| name.contains(word)))
        .filter(|name| !NOT_OFFERED.iter().any(|(excused, _)| excused == name))
        .collect();
    assert_eq!(open, Vec::<&str>::new(), "open to anybody");
}

#[test]
fn calls_that_libvirt_leaves_open_are_not_offered() {
    let files = match tracked::rust_sources() {
        Ok(files) => files,
        Err(reason) => skip!("{reason}"),
    };
    let mut wrong = Vec::new();
    for file in files
        .iter()
        .filter(|file| file.path.starts_with("interfaces/"))
    {
        let tokens = tokens(&file.text).unwrap();
        for (call, instead) in NOT_OFFERED {
            for line in lines_with(&tokens, &[call]) {
                wrong.push(format!("{}:{line}: offer {instead}", file.path));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}
