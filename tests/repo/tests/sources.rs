//! What Rust sources may say, and how long they may be.

use virtbus_repo_tests::source::{Token, lines_naming, lines_with, tokens};
use virtbus_repo_tests::tracked::{self, File};
use virtbus_skip::skip;

/// A module longer than this has a seam.
const LINES: usize = 800;

/// Tables and test data may be longer, each with its reason.
const LONG: [(&str, &str); 0] = [];

/// Modules that make calls for which there is no safe wrapper. The lint itself is lifted where
/// they are declared.
const UNSAFE: [&str; 4] = [
    // Between fork and exec.
    "drivers/util/src/cmd/sys.rs",
    // Asks the C library to give back what was freed.
    "drivers/util/src/memory.rs",
    // Registers a descriptor with tokio.
    "drivers/util/src/readiness.rs",
    // Opens a tap device.
    "drivers/util/src/tun.rs",
];

/// Code that macros make is not always what the lint thinks of, so `expect` would not hold.
const ALLOW: [(&str, &str); 2] = [
    (
        "drivers/api/src/access/call.rs",
        "whether the last arm can be reached depends on the rows",
    ),
    (
        "interfaces/dbus/src/declare.rs",
        "whether a variable is used depends on the member",
    ),
];

/// The one room that runs programs; tests run what they like.
fn may_run_programs(path: &str) -> bool {
    path.starts_with("drivers/util/") || path.starts_with("tests/")
}

/// Where skipped tests are noted, for all crates.
const SKIPS: &str = "tests/e2e/skip/src/lib.rs";

/// Every source with its tokens, or a reason to skip.
fn sources() -> Result<Vec<(File, Vec<Token>)>, String> {
    let files = tracked::rust_sources()?;
    Ok(files
        .into_iter()
        .map(|file| {
            let tokens = tokens(&file.text);
            let tokens = tokens.unwrap_or_else(|error| panic!("{}: {error}", file.path));
            (file, tokens)
        })
        .collect())
}

fn places(file: &File, lines: &[usize]) -> Vec<String> {
    lines
        .iter()
        .map(|line| format!("{}:{line}", file.path))
        .collect()
}

#[test]
fn every_module_says_first_what_it_is_for() {
    let files = match tracked::rust_sources() {
        Ok(files) => files,
        Err(reason) => skip!("{reason}"),
    };
    let silent: Vec<String> = files
        .into_iter()
        .filter(|file| !file.text.starts_with("//! "))
        .map(|file| file.path)
        .collect();
    assert_eq!(silent, Vec::<String>::new(), "begin with //!");
}

#[test]
fn no_module_is_too_long_for_a_reader() {
    let files = match tracked::rust_sources() {
        Ok(files) => files,
        Err(reason) => skip!("{reason}"),
    };
    let mut wrong = Vec::new();
    for file in files {
        let lines = file.text.lines().count();
        let excused = LONG.iter().any(|(path, _)| *path == file.path);
        if lines > LINES && !excused {
            wrong.push(format!("{}: {lines} lines", file.path));
        }
        if lines <= LINES && excused {
            wrong.push(format!("{} needs no excuse any more", file.path));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn programs_are_run_by_one_type() {
    let sources = match sources() {
        Ok(sources) => sources,
        Err(reason) => skip!("{reason}"),
    };
    let wrong: Vec<String> = sources
        .iter()
        .filter(|(file, _)| !may_run_programs(&file.path))
        .flat_map(|(file, tokens)| places(file, &lines_naming(tokens, "process", "Command")))
        .collect();
    assert_eq!(wrong, Vec::<String>::new(), "use virtbus_util::cmd");
}

#[test]
fn unsafe_is_only_where_it_has_to_be() {
    let sources = match sources() {
        Ok(sources) => sources,
        Err(reason) => skip!("{reason}"),
    };
    let mut wrong = Vec::new();
    for (file, tokens) in &sources {
        let named = UNSAFE.contains(&file.path.as_str());
        let lines = lines_with(tokens, &["unsafe"]);
        if !named {
            wrong.extend(places(file, &lines));
        } else if lines.is_empty() {
            wrong.push(format!("{} has none any more", file.path));
        }
    }
    assert_eq!(wrong, Vec::<String>::new(), "unsafe code");
}

#[test]
fn every_block_of_unsafe_code_says_why_it_is_sound() {
    let files = match tracked::rust_sources() {
        Ok(files) => files,
        Err(reason) => skip!("{reason}"),
    };
    let mut wrong = Vec::new();
    for file in files
        .iter()
        .filter(|file| UNSAFE.contains(&file.path.as_str()))
    {
        let lines: Vec<&str> = file.text.lines().collect();
        for line in lines_with(&tokens(&file.text).unwrap(), &["unsafe", "{"]) {
            // Line numbers begin at 1: the lines above are those before `line - 1`.
            let above = &lines[line.saturating_sub(8)..line];
            if !above.iter().any(|text| text.contains("SAFETY:")) {
                wrong.push(format!("{}:{line}", file.path));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new(), "no SAFETY: above");
}

#[test]
fn lints_are_expected_and_not_allowed() {
    let sources = match sources() {
        Ok(sources) => sources,
        Err(reason) => skip!("{reason}"),
    };
    let mut wrong = Vec::new();
    for (file, tokens) in &sources {
        let mut lines = lines_with(tokens, &["#", "[", "allow"]);
        lines.extend(lines_with(tokens, &["#", "!", "[", "allow"]));
        let excused = ALLOW.iter().any(|(path, _)| *path == file.path);
        if !excused {
            wrong.extend(places(file, &lines));
        } else if lines.is_empty() {
            wrong.push(format!("{} allows nothing any more", file.path));
        }
    }
    assert_eq!(
        wrong,
        Vec::<String>::new(),
        "use #[expect(.., reason = \"..\")]"
    );
}

#[test]
fn every_exception_from_a_lint_has_a_reason() {
    let sources = match sources() {
        Ok(sources) => sources,
        Err(reason) => skip!("{reason}"),
    };
    let mut wrong = Vec::new();
    for (file, tokens) in &sources {
        for (at, window) in tokens.windows(3).enumerate() {
            let texts = [0, 1, 2].map(|index| window[index].text.as_str());
            if !matches!(texts, ["[", "expect" | "allow", "("]) {
                continue;
            }
            let mut inside = tokens[at..].iter().take_while(|token| token.text != "]");
            if !inside.any(|token| token.text == "reason") {
                wrong.push(format!("{}:{}", file.path, window[0].line));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new(), "no reason = \"..\"");
}

#[test]
fn definitions_are_read_without_looking_at_the_host() {
    let sources = match sources() {
        Ok(sources) => sources,
        Err(reason) => skip!("{reason}"),
    };
    let wrong: Vec<String> = sources
        .iter()
        .filter(|(file, _)| {
            file.path.starts_with("drivers/conf/") && !file.path.contains("/tests/")
        })
        .filter(|(file, _)| !file.path.ends_with("/tests.rs"))
        .flat_map(|(file, tokens)| {
            let mut lines = Vec::new();
            for module in ["fs", "env", "process", "os"] {
                lines.extend(lines_with(tokens, &["std", "::", module]));
            }
            places(file, &lines)
        })
        .collect();
    assert_eq!(wrong, Vec::<String>::new(), "conf does no IO");
}

#[test]
fn skipped_tests_are_noted_in_one_way() {
    let sources = match sources() {
        Ok(sources) => sources,
        Err(reason) => skip!("{reason}"),
    };
    // In pieces, so that this is no such text itself.
    let printed = ["\"", "skip"].concat();
    let log = ["VIRTBUS", "SKIP_LOG"].join("_");
    let mut wrong = Vec::new();
    for (file, tokens) in sources.iter().filter(|(file, _)| file.path != SKIPS) {
        for (at, token) in tokens.iter().enumerate() {
            let is_printed = token.text.starts_with(&printed)
                && at >= 3
                && ["print", "println", "eprint", "eprintln"]
                    .contains(&tokens[at - 3].text.as_str());
            if is_printed || token.text.contains(&log) {
                wrong.push(format!("{}:{}", file.path, token.line));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new(), "use virtbus_skip");
}
