//! Who waits for whom, one case after the other and at random.

use std::collections::HashSet;

use proptest::prelude::*;

use super::super::kind::{Kind, Long};
use super::super::rule::tests::any_job;
use super::*;

const QUERY: Job = Job::new("Query", &[Kind::Query]);
const MODIFY: Job = Job::new("Modify", &[Kind::Modify]);
const SUSPEND: Job = Job::new("Suspend", &[Kind::Suspend]);
const SAVE: Job = Job::new("Save", &[Kind::Long(Long::Save)]);
const STEP: Job = Job::new("Save", &[Kind::Step]);

/// A queue whose jobs are known by their numbers, with what is expected of it.
#[derive(Default)]
struct Model {
    queue: Queue<usize>,
    /// By number: its job, and its id unless it has left.
    asked: Vec<(Job, Option<Id>)>,
    running: HashSet<usize>,
}

impl Model {
    fn ask_at(&mut self, job: Job, place: Place) -> Result<usize, Full> {
        let number = self.asked.len();
        let (id, woken) = self.queue.ask(job, place, number, Instant::now())?;
        self.asked.push((job, Some(id)));
        self.running.extend(woken);
        Ok(number)
    }

    fn ask(&mut self, job: Job) -> usize {
        let place = Place::Last { most: usize::MAX };
        self.ask_at(job, place).expect("there is room")
    }

    fn leave(&mut self, number: usize) {
        let Some(id) = self.asked[number].1.take() else {
            return;
        };
        let woken = self.queue.leave(id, Instant::now());
        self.running.remove(&number);
        self.running.extend(woken);
    }

    fn runs(&self, number: usize) -> bool {
        self.running.contains(&number)
    }

    /// Those that wait, in the order of asking.
    fn waiting(&self) -> Vec<usize> {
        let there = (0..self.asked.len()).filter(|at| self.asked[*at].1.is_some());
        there.filter(|at| !self.runs(*at)).collect()
    }

    fn in_the_way(&self, number: usize) -> Option<&'static str> {
        let running = self.queue.in_the_way(self.asked[number].1?)?;
        Some(running.job.name)
    }
}

#[test]
fn questions_that_keep_coming_do_not_starve_a_change() {
    let mut model = Model::default();
    let first = model.ask(QUERY);
    let change = model.ask(MODIFY);
    let second = model.ask(QUERY);
    assert!(model.runs(first) && !model.runs(change) && !model.runs(second));
    assert_eq!(model.in_the_way(second), Some("Query"));
    model.leave(first);
    assert!(model.runs(change) && !model.runs(second));
    assert_eq!(model.in_the_way(second), Some("Modify"));
    model.leave(change);
    assert!(model.runs(second));
}

#[test]
fn a_change_that_waits_for_a_save_holds_up_nothing_that_may_run_beside_the_save() {
    let mut model = Model::default();
    let save = model.ask(SAVE);
    let change = model.ask(MODIFY);
    let (suspend, query) = (model.ask(SUSPEND), model.ask(QUERY));
    assert!(model.runs(save) && !model.runs(change) && model.runs(suspend));
    assert_eq!(model.in_the_way(change), Some("Save"));
    assert_eq!(model.in_the_way(query), Some("Suspend"));
    model.leave(suspend);
    assert!(model.runs(query));
    // When it is over, the change is the next.
    model.leave(save);
    let later = model.ask(QUERY);
    assert!(!model.runs(change) && !model.runs(later));
    model.leave(query);
    assert!(model.runs(change) && !model.runs(later));
}

#[test]
fn a_step_of_a_long_job_goes_before_all_that_wait() {
    let mut model = Model::default();
    let save = model.ask(SAVE);
    let (first, second) = (model.ask(SUSPEND), model.ask(SUSPEND));
    let step = model.ask_at(STEP, Place::First).unwrap();
    assert!(model.runs(save) && model.runs(first) && !model.runs(step));
    model.leave(first);
    assert!(model.runs(step) && !model.runs(second));
    model.leave(step);
    assert!(model.runs(second));
}

#[test]
fn so_many_may_wait_and_no_more() {
    let mut model = Model::default();
    let place = Place::Last { most: 2 };
    let running = model.ask_at(MODIFY, place).unwrap();
    let waiting = [(); 2].map(|()| model.ask_at(MODIFY, place).unwrap());
    assert_eq!(model.ask_at(MODIFY, place), Err(Full));
    // What does not have to wait is not refused, nor are steps.
    let now = Job::new("Destroy", &[Kind::Destroy]);
    let now = model.ask_at(now, place).unwrap();
    assert!(model.runs(now));
    model.ask_at(STEP, Place::First).unwrap();
    model.leave(running);
    model.leave(waiting[0]);
    assert!(model.ask_at(MODIFY, place).is_ok());
}

#[derive(Debug, Clone)]
enum Move {
    Ask(Job),
    Leave(prop::sample::Index),
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let ask = any_job().prop_map(Move::Ask);
    let leave = any::<prop::sample::Index>().prop_map(Move::Leave);
    prop::collection::vec(prop_oneof![3 => ask, 2 => leave], 1..80)
}

/// What must hold after each move.
fn check(model: &Model) -> Result<(), TestCaseError> {
    let running: Vec<Job> = model.queue.running().iter().map(|one| one.job).collect();
    for (at, job) in running.iter().enumerate() {
        prop_assert_eq!(admits(&running[..at], job), Ok(()));
    }
    prop_assert_eq!(running.len(), model.running.len());
    let waiting = model.waiting();
    for (at, number) in waiting.iter().enumerate() {
        let job = model.asked[*number].0;
        let held = admits(&running, &job).is_err();
        // Nobody waits without a reason, and whoever does can be told of it.
        let behind = waiting[..at].iter().any(|earlier| {
            let earlier = model.asked[*earlier].0;
            !model.queue.waits_for_long(&earlier) && admits([&earlier], &job).is_err()
        });
        prop_assert!(held || behind, "{job:?} waits for nothing");
        prop_assert!(model.in_the_way(*number).is_some(), "{job:?}");
    }
    Ok(())
}

proptest! {
    #[test]
    fn the_rule_holds_whoever_comes_and_goes(moves in moves()) {
        let mut model = Model::default();
        for next in moves {
            match next {
                Move::Ask(job) => {
                    // Whoever comes late passes nobody that it excludes, unless that one waits for a long job.
                    let waited = model.waiting().into_iter().map(|number| model.asked[number].0);
                    let first: Vec<Job> = waited.filter(|job| !model.queue.waits_for_long(job)).collect();
                    let number = model.ask(job);
                    prop_assert!(!model.runs(number) || admits(&first, &job).is_ok(), "{job:?} passed one of {first:?}");
                }
                Move::Leave(index) => {
                    let there: Vec<usize> = (0..model.asked.len()).filter(|at| model.asked[*at].1.is_some()).collect();
                    if !there.is_empty() {
                        let gone = there[index.index(there.len())];
                        let ran = model.running.clone();
                        model.leave(gone);
                        // Whoever ran goes on.
                        prop_assert!(ran.iter().all(|one| *one == gone || model.runs(*one)));
                    }
                }
            }
            check(&model)?;
        }
        // Everybody has a turn in the end.
        let mut left = model.asked.len() + 1;
        while let Some(one) = model.running.iter().min().copied() {
            prop_assert!(left > 0);
            left -= 1;
            model.leave(one);
        }
        prop_assert_eq!(model.waiting(), Vec::<usize>::new());
    }

    #[test]
    fn of_jobs_that_exclude_one_another_the_first_asked_runs_first(jobs in prop::collection::vec(prop::sample::select(&[MODIFY, SUSPEND, QUERY][..]), 1..24)) {
        let mut model = Model::default();
        let mut began: Vec<usize> = Vec::new();
        for job in &jobs {
            model.ask(*job);
        }
        while !model.running.is_empty() {
            let mut now: Vec<usize> = model.running.iter().copied().filter(|one| !began.contains(one)).collect();
            now.sort_unstable();
            began.extend(now);
            let oldest = model.running.iter().min().copied().expect("there is one");
            model.leave(oldest);
        }
        prop_assert_eq!(began, (0..jobs.len()).collect::<Vec<_>>());
    }
}
