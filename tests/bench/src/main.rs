//! `virtbus-bench`: how fast the daemon is.
//!
//! Prints one line per figure: what the daemon needs, what a yardstick needs in the same run, their ratio, and the ratio or
//! amount aimed at. Rounds of the two alternate, so that a machine which becomes slower meanwhile slows both. It judges
//! nothing: its exit status says only whether it could measure. Run it with `make bench`, which builds as for installing.

mod bed;
mod by_hand;
mod documents;
mod figure;
mod flood;
mod guests;
mod lists;
mod networks;
mod rates;
mod reads;
mod scale;
mod served;
mod starts;
mod yardstick;

use std::process::ExitCode;

use bed::Bed;
use figure::Report;

/// What goes wrong is told to a person and ends the run.
type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// The parts of a run, in order.
const PARTS: [&str; 8] = [
    "documents",
    "guests",
    "reads",
    "lists",
    "flood",
    "scale",
    "networks",
    "starts",
];

/// How much is measured.
#[derive(Debug, Clone, Copy)]
struct Effort {
    /// Rounds of what takes microseconds; each round is many calls.
    rounds: usize,
    /// Calls of one round.
    calls: usize,
    /// Rounds of what starts a process.
    starts: usize,
    /// Domains that are many.
    domains: usize,
}

const FULL: Effort = Effort {
    rounds: 21,
    calls: 300,
    starts: 15,
    domains: 1000,
};

const QUICK: Effort = Effort {
    rounds: 5,
    calls: 100,
    starts: 5,
    domains: 100,
};

const HELP: &str = "\
Usage: virtbus-bench [--quick] [PART...]

Measures the daemon against yardsticks in the same run and prints one line per figure.
Parts: documents, guests, reads, lists, flood, scale, networks, starts; all of them if none is named.
--quick: fewer rounds and fewer domains, to see that it works; the figures say little.
The daemon is the virtbusd beside this program, or the one that $VIRTBUSD names.
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let ended = match words.as_slice() {
        ["--help" | "-h"] => {
            print!("{HELP}");
            Ok(())
        }
        [yardstick::WORD, address] => yardstick::serve(address),
        [networks::WORD, rounds] => rounds
            .parse()
            .map_err(Into::into)
            .and_then(|rounds| waited(networks::inside(rounds))),
        words => parts(words).and_then(|(effort, parts)| measure(effort, &parts)),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("virtbus-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What the command line asks for.
fn parts<'a>(words: &[&'a str]) -> Outcome<(Effort, Vec<&'a str>)> {
    let mut effort = FULL;
    let mut chosen = Vec::new();
    for word in words {
        match *word {
            "--quick" => effort = QUICK,
            part if PARTS.contains(&part) => chosen.push(part),
            other => return Err(format!("there is no part '{other}'; --help tells more").into()),
        }
    }
    if chosen.is_empty() {
        chosen.extend(PARTS);
    }
    Ok((effort, chosen))
}

fn measure(effort: Effort, parts: &[&str]) -> Outcome<()> {
    waited(run(effort, parts))
}

fn waited(work: impl Future<Output = Outcome<()>>) -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        tokio::select! {
            measured = work => measured,
            // What was started is ended by its owners as they are dropped.
            _ = tokio::signal::ctrl_c() => Err("interrupted".into()),
        }
    })
}

async fn run(effort: Effort, parts: &[&str]) -> Outcome<()> {
    let mut report = Report::begin();
    let mut bed = None;
    for part in parts {
        if *part == "documents" {
            if let Err(error) = documents::measure(effort, &mut report) {
                report.missing(part, &error.to_string());
            }
            continue;
        }
        let bed = match &mut bed {
            Some(bed) => bed,
            none => {
                let started = Bed::start().await?;
                report.bed(&started);
                none.insert(started)
            }
        };
        let done = match *part {
            "guests" => guests::measure(bed, effort, &mut report).await,
            "reads" => reads::measure(bed, effort, &mut report).await,
            "flood" => flood::measure(bed, effort, &mut report).await,
            "scale" => scale::measure(bed, effort, &mut report).await,
            "lists" => lists::measure(bed, effort, &mut report).await,
            "networks" => networks::measure(bed, effort, &mut report).await,
            _ => starts::measure(bed, effort, &mut report).await,
        };
        // The other parts say something without it.
        if let Err(error) = done {
            report.missing(part, &error.to_string());
        }
    }
    report.end()
}
