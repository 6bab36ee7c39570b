//! How a test says that it cannot run here: `skip!("no /dev/net/tun")`, or `or_skip!(need())`
//! where something else knows the reason.
//!
//! Rust's test runners know only passed and failed, and call a test that returns early
//! passed. So that `make test` can tell the truth, the macro writes the test's name and the
//! reason to the file that `VIRTBUS_SKIP_LOG` names, and `tests/testbed/run-tests` takes
//! those off its count. Has no dependencies, so that any crate may use it in its tests; it
//! does not find out whether a test can run.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;

/// The environment variable that names the file in which skipped tests are collected.
pub const SKIP_LOG: &str = "VIRTBUS_SKIP_LOG";

/// Ends the test it stands in: reports why the test cannot run, and returns from it.
///
/// Takes what `format!` takes. A test that returns a value gives it first, after a colon:
/// `skip!(return Ok(()); "no root")`.
#[macro_export]
macro_rules! skip {
    (return $value:expr; $($reason:tt)+) => {{
        $crate::report(module_path!(), &format!($($reason)+));
        return $value;
    }};
    ($($reason:tt)+) => {{
        $crate::report(module_path!(), &format!($($reason)+));
        return;
    }};
}

/// What a test needs, out of a `Result` whose error says why the test cannot run: then it is
/// skipped, as by [`skip!`].
#[macro_export]
macro_rules! or_skip {
    ($needed:expr) => {
        match $needed {
            Ok(had) => had,
            Err(reason) => $crate::skip!("{reason}"),
        }
    };
}

/// Prints that the running test of `module` is skipped, and notes it in the skip log.
///
/// Use [`skip!`]: this does not end the test. A log that cannot be written to is said on
/// standard error; the count is then too high by one.
pub fn report(module: &str, reason: &str) {
    let thread = std::thread::current();
    let test = test_name(module, thread.name());
    let reason = reason.replace(['\n', '\t'], " ");
    println!("skipped: {test}: {reason}");
    let Some(path) = std::env::var_os(SKIP_LOG).filter(|path| !path.is_empty()) else {
        return;
    };
    let path = Path::new(&path);
    if let Err(error) = note(path, &test, &reason) {
        eprintln!("cannot note the skip in '{}': {error}", path.display());
    }
}

/// Appends one line, by one write, because tests run side by side.
fn note(log: &Path, test: &str, reason: &str) -> io::Result<()> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(log)?
        .write_all(format!("{test}\t{reason}\n").as_bytes())
}

/// The test's name as people know it: the crate and what the test harness calls the thread.
fn test_name(module: &str, thread: Option<&str>) -> String {
    let crate_name = module.split("::").next().unwrap_or(module);
    match thread {
        Some(name) if name != "main" => format!("{crate_name}::{name}"),
        // Run on the main thread (one test at a time): nextest tells the name, else nobody.
        _ => match std::env::var("NEXTEST_TEST_NAME") {
            Ok(name) => format!("{crate_name}::{name}"),
            Err(_) => module.to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_names_carry_crate_and_test() {
        assert_eq!(
            test_name("net::tests", Some("tests::bridge")),
            "net::tests::bridge"
        );
        assert_eq!(test_name("net", Some("bridge")), "net::bridge");
    }

    #[test]
    fn notes_are_lines_one_below_the_other() {
        let log = std::env::temp_dir().join(format!("virtbus-skip-{}", std::process::id()));
        for test in ["net::bridge", "net::tap"] {
            note(&log, test, "no /dev/net/tun").unwrap();
        }
        let text = std::fs::read_to_string(&log).unwrap();
        std::fs::remove_file(&log).unwrap();
        assert_eq!(
            text,
            "net::bridge\tno /dev/net/tun\nnet::tap\tno /dev/net/tun\n"
        );
    }
}
