//! The shells take the completions, and offer what there is.

use std::path::PathBuf;
use std::process::{Command, Output};

use virtbus_repo_tests::completions::{FOLDER, completions};
use virtbus_repo_tests::tracked;
use virtbus_skip::skip;

fn committed(file: &str) -> PathBuf {
    tracked::root().join(FOLDER).join(file)
}

fn told(done: &Output) -> String {
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{said}");
    assert_eq!(said, "");
    String::from_utf8_lossy(&done.stdout).into_owned()
}

/// What bash offers for the last of these words, and how it is to show that.
fn offered(words: &str) -> Vec<String> {
    // compopt is for the line editor, which is not there: what it is told follows, with a plus.
    let script = format!(
        "compopt() {{ told+=(\"+$2\"); }}; source \"$1\"; COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); \
         _virtbusd virtbusd \"${{COMP_WORDS[-1]}}\" \"${{COMP_WORDS[-2]}}\"; printf '%s\\n' \"${{COMPREPLY[@]}}\" \"${{told[@]}}\""
    );
    let asked = Command::new("bash")
        .args(["--norc", "-c", &script, "bash"])
        .arg(committed("virtbusd.bash"))
        .current_dir(tracked::root().join("data"))
        .output();
    let offered = told(&asked.expect("bash is there, as the scripts are its"));
    offered.split_whitespace().map(ToOwned::to_owned).collect()
}

#[test]
fn bash_offers_options_and_files() {
    let all = offered("virtbusd --");
    for option in ["--system", "--state-dir", "--print-config", "--help"] {
        assert!(all.iter().any(|one| one == option), "no {option}: {all:?}");
    }
    assert_eq!(offered("virtbusd --st"), ["--state-dir"]);
    assert_eq!(
        offered("virtbusd --config virtbusd."),
        ["virtbusd.toml", "+filenames"]
    );
    assert_eq!(offered("virtbusd --state-dir sys"), ["+plusdirs"]);
}

#[test]
fn every_shell_that_is_there_can_read_its_file() {
    let mut missing = Vec::new();
    for completion in completions() {
        let read = Command::new(&completion.shell)
            .arg("-n")
            .arg(committed(completion.file))
            .output();
        match read {
            Ok(done) => assert_eq!(told(&done), ""),
            Err(_) => missing.push(completion.shell),
        }
    }
    if !missing.is_empty() {
        skip!("needs the shells {missing:?}");
    }
}
