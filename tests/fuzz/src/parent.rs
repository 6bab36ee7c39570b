//! The process that starts workers, adds up what they did, and looks into how one died.

use std::env;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use virtbus_fuzz::{Campaign, Finding, Kind, Mutator, Tally, Target, minimise};

use crate::worker::{dictionary, folder, keep, progress_file, tally};
use crate::{Arguments, Outcome};

/// Runs the targets one after another. Whether nothing was found.
pub(crate) fn run(arguments: &Arguments, targets: &[&'static Target]) -> Outcome<bool> {
    println!(
        "{:<26} {:>10} {:>6} {:>9} {:>9} {:>10} {:>10} {:>9}",
        "", "executions", "taken", "findings", "each", "longest", "memory", "a second"
    );
    let mut all = Tally::default();
    for target in targets {
        let start = Instant::now();
        let sums = run_target(arguments, target)?;
        show(target.name, &sums, start);
        all += sums;
    }
    if targets.len() > 1 {
        println!("{} executions, {} findings", all.executions, all.found);
    }
    Ok(all.found == 0)
}

fn show(name: &str, sums: &Tally, start: Instant) {
    let executions = sums.executions.max(1);
    #[expect(
        clippy::cast_precision_loss,
        reason = "three digits are shown of these"
    )]
    let (taken, speed) = (
        100.0 * sums.held as f64 / executions as f64,
        sums.executions as f64 / start.elapsed().as_secs_f64(),
    );
    let each = sums.time / u32::try_from(executions).unwrap_or(u32::MAX);
    println!(
        "{name:<26} {:>10} {taken:>5.1}% {:>9} {:>6} us {:>7} us {:>6} KiB {speed:>9.0}",
        sums.executions,
        sums.found,
        each.as_micros(),
        sums.longest.as_micros(),
        sums.memory / 1024,
    );
}

fn run_target(arguments: &Arguments, target: &Target) -> Outcome<Tally> {
    fs::create_dir_all(folder(arguments, target))?;
    let jobs = arguments.jobs.clamp(1, arguments.executions.max(1));
    let workers = (0..jobs).map(|first| Ok((first, start(arguments, target, first)?)));
    let mut workers = workers.collect::<Outcome<Vec<(u64, Child)>>>()?;
    let mut sums = Tally::default();
    while let Some((first, worker)) = workers.pop() {
        let output = worker.wait_with_output()?;
        if output.status.success() {
            let line = String::from_utf8_lossy(&output.stdout);
            sums += tally(&line).ok_or("a worker did not say what it did")?;
        } else {
            let at = death(arguments, target, first, &output.status.to_string())?;
            sums += Tally {
                executions: (at - first) / arguments.jobs.max(1) + 1,
                found: 1,
                ..Tally::default()
            };
            let next = at + arguments.jobs.max(1);
            workers.push((next, start(arguments, target, next)?));
        }
    }
    for first in 0..jobs {
        fs::remove_file(progress_file(arguments, target, first))?;
    }
    Ok(sums)
}

fn start(arguments: &Arguments, target: &Target, first: u64) -> Outcome<Child> {
    let mut command = Command::new(env::current_exe()?);
    command
        .args(["--target", target.name])
        .args(["--worker", &first.to_string()])
        .args(["--executions", &arguments.executions.to_string()])
        .args(["--seed", &arguments.seed.to_string()])
        .args(["--jobs", &arguments.jobs.max(1).to_string()])
        .arg("--findings")
        .arg(&arguments.findings);
    for folder in &arguments.seeds {
        command.arg("--seeds").arg(folder);
    }
    Ok(command.stdout(Stdio::piped()).spawn()?)
}

/// Keeps the document that a worker died of, and says which execution that was.
fn death(arguments: &Arguments, target: &Target, first: u64, how: &str) -> Outcome<u64> {
    let progress = fs::read(progress_file(arguments, target, first))?;
    let at = u64::from_le_bytes(progress.try_into().map_err(|_| "a worker died at once")?);
    let (seeds, dictionary) = dictionary(arguments, target)?;
    let mutator = Mutator::new(seeds.of(target), &dictionary);
    let document = Campaign::new(target, mutator, arguments.seed).document(at);
    let folder = folder(arguments, target);
    let tried = folder.join("tried.xml");
    let small = minimise(&document, |text| {
        dies(target, &tried, text).unwrap_or_default()
    });
    let finding = Finding::new(Kind::Death, format!("a worker ended with {how}"));
    keep(&folder, &small, &finding)?;
    fs::remove_file(tried)?;
    Ok(at)
}

/// Whether a process that replays `text` is ended by a signal.
fn dies(target: &Target, file: &Path, text: &[u8]) -> Outcome<bool> {
    fs::write(file, text)?;
    let status = Command::new(env::current_exe()?)
        .args(["--target", target.name, "--replay"])
        .arg(file)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    Ok(status.code().is_none())
}
