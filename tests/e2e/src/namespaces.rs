//! Tests that run as the first process of fresh namespaces (network, mounts, processes): nothing of the machine is touched, and all that they
//! start is gone when they end, however they end.

use std::process::Command;

use crate::need;

/// Set for a test that is inside.
const INSIDE: &str = "VIRTBUS_INSIDE_NAMESPACES";

/// Runs `work` in namespaces of its own, if this is the test `name` there; outside, runs that test once more inside.
///
/// # Errors
/// What the machine lacks: a reason to skip the test.
///
/// # Panics
/// If the test fails inside, with what it said.
pub fn inside(name: &str, work: impl Future<Output = ()>) -> Result<(), String> {
    if std::env::var_os(INSIDE).is_some() {
        // Where processes are put, and what is mounted by others, is the machine's still.
        sh("mount -t sysfs sysfs /sys && mount -t tmpfs tmpfs /run && ip link set lo up");
        let runtime = tokio::runtime::Runtime::new().map_err(|error| error.to_string())?;
        runtime.block_on(work);
        return Ok(());
    }
    need::root()?;
    need::programs(&["unshare", "ip", "busybox"])?;
    let (possible, said) = run("unshare -n -m -p -f true");
    if !possible {
        return Err(format!("needs to make namespaces: {said}"));
    }
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let output = Command::new("unshare")
        .args(["-n", "-m", "-p", "-f", "--kill-child", "--mount-proc", "--"])
        .arg(program)
        .args([name, "--exact", "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .map_err(|error| error.to_string())?;
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}"
    );
    Ok(())
}

/// Runs a line of the shell; whether it succeeded, and what it said.
#[must_use]
pub fn run(line: &str) -> (bool, String) {
    let output = Command::new("/bin/sh").args(["-c", line]).output();
    let output = output.expect("there is a shell");
    let said = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&said).into_owned(),
    )
}

/// Runs a line of the shell that has to succeed; what it said.
///
/// # Panics
/// If it fails.
pub fn sh(line: &str) -> String {
    let (succeeded, said) = run(line);
    assert!(succeeded, "{line}: {said}");
    said
}
