//! Waiting, its end, and what becomes of jobs whose callers or tasks fail.

use std::task::{Context, Waker};

use tokio::sync::mpsc;
use virtbus_api::domain::{DomainBlockJobType, DomainJobType, JobProgress};
use virtbus_api::typed::TypedParameters;

use super::super::kind::Long;
use super::super::progress::Amounts;
use super::*;

const MODIFY: Job = Job::new("Reset", &[Kind::Modify]);
const SUSPEND: Job = Job::new("Suspend", &[Kind::Suspend]);
const DEFINE: Job = Job::new("DefineXML", &[Kind::Define]);
const AGENT: Job = Job::new("InterfaceAddresses", &[Kind::Agent]);
const BLOCK: Job = Job::new("BlockCopy", &[Kind::Block]);
const SAVE: Job = Job::new("Save", &[Kind::Long(Long::Save)]);
const SECOND: Duration = Duration::from_secs(1);

fn jobs() -> Jobs {
    Jobs::new(ErrorDomain::Qemu)
}

async fn turn(jobs: &Jobs, job: Job) -> Result<Turn> {
    jobs.turn("web", job, 30 * SECOND).await
}

#[tokio::test(start_paused = true)]
async fn the_job_in_the_way_is_named_with_its_time_when_waiting_ends() {
    let jobs = jobs();
    let save = turn(&jobs, SAVE).await.unwrap();
    tokio::time::sleep(15 * SECOND).await;
    let error = turn(&jobs, MODIFY).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::OperationTimeout);
    let wanted = "Reset waited 30 s for domain 'web', which is busy with Save for 45 s";
    assert_eq!(error.message, wanted);
    // Whoever waits behind another is told of the job that runs.
    let waiting = jobs.clone();
    let first = turn(&jobs, SUSPEND).await.unwrap();
    let second = tokio::spawn(async move { turn(&waiting, SUSPEND).await.map(drop) });
    tokio::task::yield_now().await;
    let third = jobs.turn("web", SUSPEND, SECOND).await.unwrap_err();
    assert!(third.message.contains("busy with Suspend"), "{third}");
    drop((save, first));
    second.await.unwrap().unwrap();
    turn(&jobs, MODIFY).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_save_holds_up_only_what_may_not_run_beside_it() {
    let jobs = jobs();
    let save = turn(&jobs, SAVE).await.unwrap();
    for job in [SUSPEND, DEFINE, AGENT, BLOCK] {
        jobs.turn("web", job, Duration::ZERO).await.unwrap();
    }
    let step = save.step().await;
    for job in [DEFINE, AGENT, BLOCK] {
        jobs.turn("web", job, Duration::ZERO).await.unwrap();
    }
    jobs.turn("web", SUSPEND, SECOND).await.unwrap_err();
    drop(step);
    turn(&jobs, SUSPEND).await.unwrap();
    assert!(turn(&jobs, SAVE).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn so_many_wait_and_the_next_is_refused() {
    let jobs = jobs();
    let running = turn(&jobs, MODIFY).await.unwrap();
    let mut context = Context::from_waker(Waker::noop());
    let mut waiting: Vec<_> = (0..WAITING)
        .map(|_| Box::pin(jobs.turn("web", MODIFY, SECOND)))
        .collect();
    for one in &mut waiting {
        assert!(one.as_mut().poll(&mut context).is_pending());
    }
    let refused = turn(&jobs, MODIFY).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::ResourceBusy);
    // Whoever is never held up is not refused; and whoever gives up makes room.
    let destroy = Job::new("Destroy", &[Kind::Destroy]);
    turn(&jobs, destroy).await.unwrap();
    waiting.pop();
    let mut last = Box::pin(jobs.turn("web", MODIFY, SECOND));
    assert!(last.as_mut().poll(&mut context).is_pending());
    drop((running, waiting));
    last.await.unwrap();
}

#[tokio::test]
async fn a_job_that_panics_frees_the_domain() {
    let jobs = jobs();
    let limit = SECOND;
    let broken = async move {
        if limit.as_secs() == 1 {
            panic!("on purpose")
        } else {
            Ok(())
        }
    };
    let error = jobs.run("web", MODIFY, limit, broken).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::InternalError);
    assert!(error.message.contains("Reset of domain 'web'"), "{error}");
    assert_eq!(jobs.busy(), None);
    jobs.run("web", MODIFY, limit, async { Ok(()) })
        .await
        .unwrap();
}

#[tokio::test]
async fn a_caller_that_goes_away_does_not_stop_its_job() {
    let jobs = jobs();
    let (sender, receiver) = oneshot::channel();
    let (go, gone) = oneshot::channel::<()>();
    let work = async move {
        let _ = gone.await;
        let _ = sender.send(());
        Ok(())
    };
    {
        let mut run = std::pin::pin!(jobs.run("web", MODIFY, SECOND, work));
        let mut context = Context::from_waker(Waker::noop());
        assert!(run.as_mut().poll(&mut context).is_pending());
    }
    go.send(()).unwrap();
    receiver.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_long_job_goes_on_after_the_call_that_began_it() {
    let jobs = jobs();
    let kept = jobs.run_with("web", SAVE, SECOND, |turn| async move { Ok(turn) });
    let kept = kept.await.unwrap();
    assert!(jobs.turn("web", MODIFY, SECOND).await.is_err());
    assert!(jobs.busy().is_some());
    drop(kept);
    turn(&jobs, MODIFY).await.unwrap();
}

struct Hears(mpsc::UnboundedSender<(Option<JobProgress>, Option<TypedParameters>)>);

impl Audience for Hears {
    fn hear(&self, job: Option<JobProgress>, completed: Option<TypedParameters>) {
        self.0.send((job, completed)).unwrap();
    }
}

#[tokio::test]
async fn progress_is_told_read_and_kept_beside_that_of_disks() {
    let jobs = jobs();
    assert!(jobs.long().is_none());
    assert_eq!(jobs.abort(), Aborting::Nothing);
    let (sender, mut heard) = mpsc::unbounded_channel();
    let audience: Arc<dyn Audience> = Arc::new(Hears(sender));
    let save = turn(&jobs, SAVE).await.unwrap();
    let copy = turn(&jobs, BLOCK).await.unwrap();
    let info = BlockJobInfo {
        kind: DomainBlockJobType::Copy,
        bandwidth: 0,
        cur: 1,
        end: 2,
    };
    let disk = copy.block_progress("vda", info);
    let other = copy.block_progress("vdb", info);

    let saving = DomainJobOperation::Save;
    let progress = save.progress(saving, false, Arc::clone(&audience));
    assert_eq!(jobs.abort(), Aborting::Impossible);
    drop(progress);
    let progress = save.progress(saving, true, audience);
    progress.set(Amounts {
        total: 200,
        remaining: 50,
    });
    let report = jobs.long().unwrap();
    assert_eq!(report.kind(), DomainJobType::Unbounded);
    assert_eq!(report.info().mem_processed, 150);
    assert_eq!(jobs.abort(), Aborting::Told);
    progress.aborted().await;
    progress.completed();
    assert!(jobs.long().is_none());
    assert_eq!(jobs.completed(true).unwrap().info().mem_remaining, 0);
    assert!(jobs.completed(false).is_some() && jobs.completed(true).is_none());

    let mut percents = Vec::new();
    let mut completed = 0;
    while let Ok((job, stats)) = heard.try_recv() {
        percents.push(job.map(|job| job.percent));
        completed += usize::from(stats.is_some());
    }
    assert_eq!(
        percents,
        [Some(0), None, Some(0), Some(75), Some(100), None]
    );
    assert_eq!(completed, 1);

    disk.set(BlockJobInfo { cur: 2, ..info });
    let mut listed = jobs.blocks();
    listed.sort_by(|one, other| one.0.cmp(&other.0));
    let listed: Vec<_> = listed
        .iter()
        .map(|(disk, info)| (&**disk, info.cur))
        .collect();
    assert_eq!(listed, [("vda", 2), ("vdb", 1)]);
    drop((disk, other));
    assert!(jobs.blocks().is_empty());
}
