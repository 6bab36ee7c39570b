//! The rule against what is documented, and against what must hold of any such rule.

use proptest::prelude::*;

use super::super::kind::Long;
use super::*;

/// A job of each kind, and jobs of several kinds.
pub(in crate::jobs) const JOBS: [Job; 21] = [
    Job::new("Query", &[Kind::Query]),
    Job::new("Modify", &[Kind::Modify]),
    Job::new("Suspend", &[Kind::Suspend]),
    Job::new("SteerMigration", &[Kind::SteerMigration]),
    Job::new("Define", &[Kind::Define]),
    Job::new("Agent", &[Kind::Agent]),
    Job::new("Block", &[Kind::Block]),
    Job::new("Abort", &[Kind::Abort]),
    Job::new("Destroy", &[Kind::Destroy]),
    Job::new("Start", &[Kind::Long(Long::Start)]),
    Job::new("Save", &[Kind::Long(Long::Save)]),
    Job::new("Dump", &[Kind::Long(Long::Dump)]),
    Job::new("MigrationOut", &[Kind::Long(Long::MigrationOut)]),
    Job::new("MigrationIn", &[Kind::Long(Long::MigrationIn)]),
    Job::new("Snapshot", &[Kind::Long(Long::Snapshot)]),
    Job::new("Backup", &[Kind::Long(Long::Backup)]),
    Job::new("Undefine", &[Kind::Modify, Kind::Define]),
    Job::new("Revert", &[Kind::Long(Long::Snapshot), Kind::Define]),
    Job::new("Freeze", &[Kind::Modify, Kind::Agent]),
    Job::new("Inspect", &[Kind::Query, Kind::Agent]),
    Job::new("Everything", &[Kind::Modify, Kind::Define, Kind::Agent]),
];

/// All kinds that are not long.
const SHORT: [Kind; 10] = [
    Kind::Query,
    Kind::Modify,
    Kind::Suspend,
    Kind::SteerMigration,
    Kind::Step,
    Kind::Define,
    Kind::Agent,
    Kind::Block,
    Kind::Abort,
    Kind::Destroy,
];

pub(in crate::jobs) fn any_job() -> impl Strategy<Value = Job> {
    prop::sample::select(&JOBS[..])
}

fn one_beside(one: Job, other: Job) -> bool {
    admits(&[one], &other).is_ok()
}

/// What a set of jobs that may all run together looks like: each is taken only if the rule admits it.
fn admitted(asked: &[Job]) -> Vec<Job> {
    let mut running: Vec<Job> = Vec::new();
    for job in asked {
        if admits(&running, job).is_ok() {
            running.push(*job);
        }
    }
    running
}

#[test]
fn jobs_beside_a_long_one_are_those_that_libvirt_documents() {
    use Kind as K;
    // By long job, which jobs of the guest are admitted: libvirt's masks, and Suspend beside Save and Dump.
    let table: [(Long, &[Kind]); 7] = [
        (Long::Start, &[]),
        (Long::Save, &[K::Query, K::Suspend]),
        (Long::Dump, &[K::Query, K::Suspend]),
        (
            Long::MigrationOut,
            &[K::Query, K::Suspend, K::SteerMigration],
        ),
        (Long::MigrationIn, &[]),
        (Long::Snapshot, &[]),
        (Long::Backup, &[K::Query, K::Suspend, K::Modify]),
    ];
    let all = table.map(|(long, _)| long);
    let always = [K::Step, K::Define, K::Agent, K::Block, K::Abort, K::Destroy];
    for (long, kinds) in table {
        for kind in SHORT {
            let wanted = kinds.contains(&kind) || always.contains(&kind);
            assert_eq!(beside(K::Long(long), kind), wanted, "{long:?}, {kind:?}");
        }
        for other in all {
            assert!(
                !beside(K::Long(long), K::Long(other)),
                "{long:?}, {other:?}"
            );
        }
    }
}

#[test]
fn of_short_jobs_only_questions_share_the_guest() {
    use Kind as K;
    let guest = [K::Query, K::Modify, K::Suspend, K::SteerMigration, K::Step];
    for one in guest {
        for other in guest {
            let both_ask = (one, other) == (K::Query, K::Query);
            assert_eq!(beside(one, other), both_ask, "{one:?}, {other:?}");
        }
        for apart in [K::Define, K::Agent, K::Block] {
            assert!(beside(one, apart), "{one:?}, {apart:?}");
        }
    }
    for alone in [K::Define, K::Agent] {
        assert!(!beside(alone, alone), "{alone:?}");
    }
    assert!(beside(K::Define, K::Agent) && beside(K::Block, K::Block));
}

#[test]
fn the_first_job_in_the_way_is_named() {
    let [query, modify, _, _, define, ..] = JOBS;
    let running = [define, query, modify];
    assert_eq!(admits(&running, &query).unwrap_err().name, "Modify");
    assert_eq!(admits(&running, &define).unwrap_err().name, "Define");
    let undefine = JOBS[16];
    assert_eq!(admits(&running, &undefine).unwrap_err().name, "Define");
    assert_eq!(admits::<Job>(&[], &undefine), Ok(()));
}

proptest! {
    #[test]
    fn it_makes_no_difference_which_job_came_first(one in any_job(), other in any_job()) {
        prop_assert_eq!(one_beside(one, other), one_beside(other, one));
    }

    #[test]
    fn a_set_is_admitted_if_each_of_it_is(asked in prop::collection::vec(any_job(), 0..12), job in any_job()) {
        let running = admitted(&asked);
        let each = running.iter().all(|other| one_beside(*other, job));
        prop_assert_eq!(admits(&running, &job).is_ok(), each);
    }

    #[test]
    fn no_two_jobs_that_run_modify_or_are_long(asked in prop::collection::vec(any_job(), 0..24)) {
        let running = admitted(&asked);
        let count = |of: fn(&Kind) -> bool| running.iter().filter(|job| job.kinds.iter().any(of)).count();
        prop_assert!(count(|kind| *kind == Kind::Modify) <= 1);
        prop_assert!(count(|kind| *kind == Kind::Define) <= 1);
        prop_assert!(count(|kind| *kind == Kind::Agent) <= 1);
        prop_assert!(count(|kind| matches!(kind, Kind::Long(_))) <= 1);
    }

    #[test]
    fn ending_and_aborting_are_never_held_up(asked in prop::collection::vec(any_job(), 0..24)) {
        let running = admitted(&asked);
        for kind in [&[Kind::Abort], &[Kind::Destroy], &[Kind::Block]] {
            prop_assert!(admits(&running, &Job::new("now", kind)).is_ok());
        }
    }

    #[test]
    fn what_is_admitted_stays_so_when_a_job_ends(asked in prop::collection::vec(any_job(), 1..12), job in any_job(), end in any::<prop::sample::Index>()) {
        let mut running = admitted(&asked);
        if admits(&running, &job).is_ok() {
            running.remove(end.index(running.len()));
            prop_assert!(admits(&running, &job).is_ok());
        }
    }
}
