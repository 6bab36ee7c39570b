//! Programs that callers name (T2): the daemon runs none that others than its user could exchange, and on the system bus none but
//! those that the settings allow, also to find out what they can do.

use std::os::unix::fs::chown;
use std::path::Path;

use virtbus_tests::{BootedSystem, CallError, DomainXml, Testbed, need, or_skip};

/// A user who is nobody here.
const OTHER: u32 = 65_534;

#[test]
fn root_only_emulators_that_the_settings_allow_are_run() {
    let system = or_skip!(BootedSystem::with_daemon());
    system.run("threat-02.sh");
}

/// What every call is answered that may run a program.
async fn refusals(testbed: &Testbed, program: &Path) -> Vec<(&'static str, CallError)> {
    let xml = DomainXml::small("foreign").emulator(program).xml();
    let path = program.to_string_lossy().into_owned();
    let connect = testbed.client.qemu();
    let body = (path.as_str(), "", "", "", 0_u32);
    let capabilities = connect
        .call::<_, String>("GetDomainCapabilities", &body)
        .await;
    let answers = [
        ("define", testbed.client.define(&xml).await.map(drop)),
        ("create", testbed.client.create(&xml, 0).await.map(drop)),
        ("capabilities", capabilities.map(drop)),
    ];
    let refused = answers.map(|(what, answer)| (what, answer.expect_err(what)));
    refused.into_iter().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn root_a_program_that_another_user_could_exchange_is_not_run() {
    or_skip!(need::root());
    let testbed = or_skip!(Testbed::with_qemu().await);
    let ran = testbed.path("ran");
    let text = format!("#!/bin/sh\ntouch '{}'\n", ran.display());
    let theirs = testbed.script("theirs", &text);
    chown(&theirs, Some(OTHER), None).expect("root may do that");
    let folder = testbed.path("folder");
    std::fs::create_dir(&folder).expect("there is room");
    let inside = testbed.script("folder/program", &text);
    chown(&folder, Some(OTHER), None).expect("root may do that");
    let link = testbed.path("link");
    std::os::unix::fs::symlink(&inside, &link).expect("there is room");
    for program in [&theirs, &inside, &link] {
        for (what, refused) in refusals(&testbed, program).await {
            let (text, name) = (refused.to_string(), program.to_string_lossy());
            assert!(
                text.contains(&*name) && text.contains("belongs to user 'nobody'"),
                "{what}: {text}"
            );
        }
    }
    let nowhere = Path::new("/nonexistent/emulator");
    for (what, refused) in refusals(&testbed, nowhere).await {
        assert!(
            refused.to_string().contains("does not exist"),
            "{what}: {refused}"
        );
    }
    assert!(!ran.exists(), "a program was run");
    assert_eq!(testbed.client.list(0).await.unwrap(), Vec::<String>::new());
}
