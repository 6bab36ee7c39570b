//! Completion of the daemon's options in shells, generated from their declaration.
//!
//! The options are declared in the daemon, which is a program and no library; so its module is taken in here by its path.

use clap::{CommandFactory, ValueEnum};
use clap_complete::Shell;

#[path = "../../../service/src/cli.rs"]
mod cli;

/// The folder that the files are in.
pub const FOLDER: &str = "data/completions";

/// The shells that there are completions for.
const SHELLS: [(Shell, &str); 3] = [
    (Shell::Bash, "virtbusd.bash"),
    (Shell::Zsh, "_virtbusd"),
    (Shell::Fish, "virtbusd.fish"),
];

/// A file for a shell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    /// The shell's program.
    pub shell: String,
    /// The file's name.
    pub file: &'static str,
    /// What is in it.
    pub text: String,
}

/// The completions as they are to be committed.
///
/// # Panics
/// If clap writes anything but UTF-8.
#[must_use]
pub fn completions() -> Vec<Completion> {
    let generate = |(shell, file): (Shell, &'static str)| {
        let mut text = Vec::new();
        clap_complete::generate(shell, &mut cli::Cli::command(), "virtbusd", &mut text);
        let name = shell.to_possible_value();
        Completion {
            shell: name.map_or_else(String::new, |name| name.get_name().to_owned()),
            file,
            text: String::from_utf8(text).expect("options are described in UTF-8"),
        }
    };
    SHELLS.into_iter().map(generate).collect()
}
