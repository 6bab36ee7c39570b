//! A process that does executions of one target, and writes down what they found.
//!
//! It says at its end what it did, and before each execution in a file which one that is.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::thread;

use virtbus_fuzz::campaign::examine;
use virtbus_fuzz::{Campaign, Dictionary, Finding, Mutator, Seeds, Tally, Target, minimise};

use crate::{Arguments, Outcome};

/// Tasks of the daemon run on stacks of this size, which is what tokio gives its threads.
const STACK: usize = 2 << 20;

/// Runs `work` on a stack as the daemon has it.
fn on_small_stack<T: Send>(work: impl FnOnce() -> T + Send) -> Outcome<T> {
    thread::scope(|scope| {
        let builder = thread::Builder::new().stack_size(STACK);
        let thread = builder.spawn_scoped(scope, work)?;
        thread.join().map_err(|_| "the worker panicked".into())
    })
}

/// The file that tells which execution a worker is at.
pub(crate) fn progress_file(arguments: &Arguments, target: &Target, first: u64) -> PathBuf {
    let turn = first % arguments.jobs.max(1);
    folder(arguments, target).join(format!("progress-{turn}"))
}

/// Where findings of `target` go.
pub(crate) fn folder(arguments: &Arguments, target: &Target) -> PathBuf {
    arguments.findings.join(target.name)
}

/// All that documents are made from.
pub(crate) fn dictionary(arguments: &Arguments, target: &Target) -> Outcome<(Seeds, Dictionary)> {
    let mut seeds = Seeds::own()?;
    for folder in &arguments.seeds {
        let added = seeds.add(folder);
        added.map_err(|e| format!("the seeds in '{}': {e}", folder.display()))?;
    }
    let own = seeds.of(target);
    if own.is_empty() {
        return Err(format!("target '{}' has no seeds", target.name).into());
    }
    let dictionary = Dictionary::of(target, &own);
    Ok((seeds, dictionary))
}

/// Does the executions `first`, `first + jobs`, and so on.
pub(crate) fn work(arguments: &Arguments, target: &Target, first: u64) -> Outcome<()> {
    fs::create_dir_all(folder(arguments, target))?;
    let (seeds, dictionary) = dictionary(arguments, target)?;
    let mutator = Mutator::new(seeds.of(target), &dictionary);
    let progress = File::create(progress_file(arguments, target, first))?;
    let mut campaign = Campaign::new(target, mutator, arguments.seed);
    let jobs = usize::try_from(arguments.jobs.max(1))?;
    on_small_stack(|| {
        for execution in (first..arguments.executions).step_by(jobs) {
            progress.write_all_at(&execution.to_le_bytes(), 0)?;
            if let Some((document, finding)) = campaign.execute(execution) {
                let same = |text: &[u8]| {
                    let other = examine(target, text).finding;
                    other.is_some_and(|other| other.fingerprint() == finding.fingerprint())
                };
                let small = minimise(&document, same);
                let seen = examine(target, &small).finding.unwrap_or(finding);
                keep(&folder(arguments, target), &small, &seen)?;
            }
        }
        Ok::<(), std::io::Error>(())
    })??;
    println!("{}", line(&campaign.tally()));
    Ok(())
}

/// Writes a finding and its text.
pub(crate) fn keep(folder: &Path, text: &[u8], finding: &Finding) -> std::io::Result<()> {
    let name = format!("{}-{:016x}", finding.kind.as_str(), finding.fingerprint());
    let path = folder.join(name);
    if path.with_extension("xml").exists() {
        return Ok(());
    }
    fs::write(path.with_extension("xml"), text)?;
    fs::write(path.with_extension("txt"), format!("{finding}\n"))?;
    let first = finding.to_string();
    let first = first.lines().next().unwrap_or_default();
    eprintln!("{}: {first}", path.with_extension("xml").display());
    Ok(())
}

/// The sums as a worker prints them.
fn line(tally: &Tally) -> String {
    let nanos = |time: std::time::Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    let numbers = [
        tally.executions,
        tally.held,
        tally.found,
        tally.bytes,
        nanos(tally.time),
        nanos(tally.longest),
        u64::try_from(tally.memory).unwrap_or(u64::MAX),
    ];
    numbers.map(|number| number.to_string()).join(" ")
}

/// Reads what [`line`] made.
pub(crate) fn tally(line: &str) -> Option<Tally> {
    let numbers: Vec<u64> = line
        .split_whitespace()
        .map_while(|word| word.parse().ok())
        .collect();
    let [executions, held, found, bytes, time, longest, memory] = numbers.try_into().ok()?;
    Some(Tally {
        executions,
        held,
        found,
        bytes,
        time: std::time::Duration::from_nanos(time),
        longest: std::time::Duration::from_nanos(longest),
        memory: usize::try_from(memory).ok()?,
    })
}

/// Runs files through every one of `targets`, and says what came of them. Whether nothing was found.
pub(crate) fn replay(targets: &[&'static Target], files: &[PathBuf]) -> Outcome<bool> {
    let mut clean = true;
    for file in files {
        let document = fs::read(file).map_err(|e| format!("'{}': {e}", file.display()))?;
        for target in targets {
            let examined = on_small_stack(|| examine(target, &document))?;
            let seen = match (&examined.finding, examined.held) {
                (Some(finding), _) => finding.to_string(),
                (None, true) => "held".to_owned(),
                (None, false) => "refused".to_owned(),
            };
            clean &= examined.finding.is_none();
            println!(
                "{} {}: {seen} ({:?}, {} bytes of memory)",
                target.name,
                file.display(),
                examined.time,
                examined.memory
            );
        }
    }
    Ok(clean)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_survive_being_printed() {
        let sums = Tally {
            executions: 1,
            held: 2,
            found: 3,
            bytes: 4,
            time: std::time::Duration::from_nanos(5),
            longest: std::time::Duration::from_nanos(6),
            memory: 7,
        };
        assert_eq!(tally(&line(&sums)), Some(sums));
        assert_eq!(tally("1 2 x"), None);
    }
}
