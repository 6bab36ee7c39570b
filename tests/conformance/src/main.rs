//! `virtbus-conformance`: holds the product against a corpus of inputs and expected outputs.
//!
//! The corpus is a folder with `suites.json` and a manifest `SUITE/cases.jsonl` for each suite. The program knows what a
//! suite is about, but no single case, and uses only what the crates offer to everybody. A suite or case that
//! needs something the product does not have yet is *unsupported*: counted apart, never passed.

mod baseline;
mod case;
mod compare;
mod corpus;
mod outcome;
mod report;
mod run;
mod seams;
mod suites;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use baseline::Baseline;
use corpus::Corpus;
use report::{Report, Style};

/// What goes wrong is told to a person and ends the run.
type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Holds Virtbus against a conformance corpus.
///
/// Prints a line per suite, `NAME passed/total (unsupported N)`, and at the end `N passed, M failed`. The exit status is 0 if
/// nothing failed or, with --baseline, if no suite fell below its committed figure; 1 if not; 2 if it could not be
/// found out.
#[derive(Parser, Debug)]
#[command(name = "virtbus-conformance", verbatim_doc_comment)]
struct Options {
    /// The corpus: a folder with suites.json and a folder per suite.
    #[arg(long, value_name = "DIR")]
    corpus: PathBuf,
    /// Only this suite; may be repeated.
    #[arg(long = "suite", value_name = "NAME")]
    suites: Vec<String>,
    /// Only cases whose name contains TEXT.
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["baseline", "write_baseline"])]
    filter: Option<String>,
    /// A JSON object per suite, with the fields suite, passed, failed, unsupported and total, in place of the line.
    #[arg(long)]
    json: bool,
    /// Show each failure with the difference, and why cases are unsupported.
    #[arg(long, short)]
    verbose: bool,
    /// Fail if a suite has passed fewer cases than FILE says.
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Write what has passed to FILE, to be the next baseline.
    #[arg(long, value_name = "FILE")]
    write_baseline: Option<PathBuf>,
}

fn main() -> ExitCode {
    match conform(&Options::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("virtbus-conformance: {error}");
            ExitCode::from(2)
        }
    }
}

/// Runs what is asked for; whether it is good enough.
fn conform(options: &Options) -> Outcome<bool> {
    let corpus = Corpus::open(&options.corpus)?;
    let baseline = match &options.baseline {
        Some(path) => Some(Baseline::read(path)?),
        None => None,
    };
    let mut report = Report::new(Style {
        json: options.json,
        verbose: options.verbose,
    });
    for suite in corpus.chosen(&options.suites)? {
        let mut cases = corpus.cases(&suite)?;
        if let Some(text) = &options.filter {
            cases.retain(|case| case.name.contains(text.as_str()));
            if cases.is_empty() {
                continue;
            }
        }
        let verdicts = run::suite(&suite, &cases);
        report.suite(&suite, &cases, &verdicts)?;
    }
    report.end()?;
    if let Some(path) = &options.write_baseline {
        Baseline::of(&report).write(path)?;
    }
    let Some(baseline) = baseline else {
        return Ok(report.failed() == 0);
    };
    let fallen = baseline.fallen(&report);
    for line in &fallen {
        eprintln!("virtbus-conformance: {line}");
    }
    Ok(fallen.is_empty())
}
