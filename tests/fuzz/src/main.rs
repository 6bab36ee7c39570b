//! `virtbus-fuzz`: runs mutated documents through the targets and keeps those that break something.
//!
//! The executions are those of child processes, so that one which runs out of stack or memory ends its worker only.

mod parent;
mod worker;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use virtbus_fuzz::{TARGETS, Target};

/// What goes wrong is told to a person and ends the run.
type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// Runs mutated documents through every document type and keeps those that break something.
///
/// Exits with 1 if there was a finding.
#[derive(Debug, Clone, Parser)]
struct Arguments {
    /// Run this target; may be given again. All of them if there is none.
    #[arg(long, value_name = "NAME")]
    target: Vec<String>,
    /// Executions of each target.
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    executions: u64,
    /// Number of the run: the same number makes the same documents from the same seeds.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Begin with the documents of this folder too; may be given again.
    #[arg(long, value_name = "DIR")]
    seeds: Vec<PathBuf>,
    /// Processes at the same time.
    #[arg(long, value_name = "N", default_value_t = 1)]
    jobs: u64,
    /// Where findings are written: TARGET/KIND-NUMBER.xml, and beside it what was seen in .txt.
    #[arg(long, value_name = "DIR", default_value = "findings")]
    findings: PathBuf,
    /// Run these files through the target instead.
    #[arg(long, value_name = "FILE")]
    replay: Vec<PathBuf>,
    /// Print the names of the targets.
    #[arg(long)]
    list: bool,
    /// Be a worker that does every execution from this one on that is its turn.
    #[arg(long, hide = true, value_name = "N")]
    worker: Option<u64>,
}

impl Arguments {
    /// The targets that are named.
    fn targets(&self) -> Outcome<Vec<&'static Target>> {
        if self.target.is_empty() {
            return Ok(TARGETS.iter().collect());
        }
        let find = |name: &String| {
            let found = TARGETS.iter().find(|target| target.name == name);
            found.ok_or_else(|| format!("there is no target '{name}'; --list shows them").into())
        };
        self.target.iter().map(find).collect()
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("virtbus-fuzz: {error}");
            ExitCode::from(2)
        }
    }
}

/// Whether nothing was found.
fn run(arguments: &Arguments) -> Outcome<bool> {
    let targets = arguments.targets()?;
    if arguments.list {
        for target in TARGETS {
            println!("{}", target.name);
        }
        return Ok(true);
    }
    if let Some(first) = arguments.worker {
        let target = targets.first().ok_or("a worker needs a target")?;
        worker::work(arguments, target, first)?;
        return Ok(true);
    }
    if !arguments.replay.is_empty() {
        return worker::replay(&targets, &arguments.replay);
    }
    parent::run(arguments, &targets)
}
