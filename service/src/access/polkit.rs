//! polkit decides, on a GLib thread of its own; answers are cached.
//!
//! An action that a rule grants or refuses is settled by that. Where polkit's answer is that the caller could
//! authenticate as an administrator and would keep that for a while, the coarse action of the old read-write socket
//! (`org.libvirt.unix.manage`) counts as well, and it is the one that a dialog asks for: one password opens the whole
//! service for some minutes, as it always did, instead of one for each of a hundred actions.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use polkit::{Authority, AuthorizationResult, CheckAuthorizationFlags, Details, SystemBusName};
use tokio::sync::{mpsc, oneshot};
use virtbus_api::access::{
    Authorizer, Caller, Default as Who, Object, ObjectClass, Permission, Verdict,
};

use super::cache::{Action, Cache, Question};
use super::rules::Rules;

/// The coarse actions, by what a permission's default is.
const MONITOR: &str = "org.libvirt.unix.monitor";
const MANAGE: &str = "org.libvirt.unix.manage";

/// polkit has so long to answer when no person is asked.
const DEADLINE: Duration = Duration::from_secs(25);

/// The rules are looked through again after so long; polkit tells when it has read them anew, but not before the first
/// question has gone to it.
const RULES_LIFETIME: Duration = Duration::from_secs(1);

/// A person has so long to type a password.
const PATIENCE: Duration = Duration::from_secs(300);

/// One check on its way to the GLib thread.
struct Check {
    subject: String,
    action: String,
    details: Vec<(&'static str, String)>,
    interactive: bool,
    answer: oneshot::Sender<Answer>,
}

/// What polkit says of one action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Yes,
    No,
    /// The caller could authenticate; whether that would be kept for a while.
    Challenge {
        kept: bool,
    },
    /// There is no polkit, or it did not answer.
    Absent,
}

/// What the GLib thread and its callers share.
#[derive(Default)]
struct Known {
    cache: Cache,
    rules: Mutex<Option<(Instant, Rules)>>,
}

/// Asks polkit.
pub(crate) struct Polkit {
    known: Arc<Known>,
    /// The way to the thread, which is started by the first caller who is not root.
    thread: OnceLock<mpsc::UnboundedSender<Check>>,
}

impl Polkit {
    pub(crate) fn new() -> Self {
        Self {
            known: Arc::default(),
            thread: OnceLock::new(),
        }
    }

    async fn ask(
        &self,
        caller: &Caller,
        action: String,
        details: &[(&'static str, String)],
        interactive: bool,
    ) -> Answer {
        let (answer, answered) = oneshot::channel();
        let check = Check {
            subject: caller.name.to_string(),
            action,
            details: details.to_vec(),
            interactive,
            answer,
        };
        let thread = self.thread.get_or_init(|| start(Arc::clone(&self.known)));
        if thread.send(check).is_err() {
            return Answer::Absent;
        }
        let patience = if interactive { PATIENCE } else { DEADLINE };
        match tokio::time::timeout(patience, answered).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) | Err(_) => Answer::Absent,
        }
    }

    async fn decide(
        &self,
        caller: &Caller,
        permission: Permission,
        details: &[(&'static str, String)],
    ) -> Verdict {
        // Whoever may not even look is kept out altogether, as by libvirt's read-only socket.
        if self.may_look(caller).await != Verdict::Granted {
            return Verdict::Denied;
        }
        let action = permission.action();
        match self.ask(caller, action.clone(), details, false).await {
            Answer::Yes => return Verdict::Granted,
            Answer::No | Answer::Absent => return Verdict::Denied,
            Answer::Challenge { kept: true } => {}
            // A rule wants a password each time: the coarse action must not get around that.
            Answer::Challenge { kept: false } => {
                return if caller.interactive {
                    self.dialog(caller, action, details).await
                } else {
                    Verdict::Challenge
                };
            }
        }
        let coarse = match permission.default() {
            Who::Anybody => MONITOR,
            Who::Administrator => MANAGE,
        };
        match self.ask(caller, coarse.to_owned(), &[], false).await {
            Answer::Yes => Verdict::Granted,
            Answer::Challenge { .. } if caller.interactive => {
                self.dialog(caller, coarse.to_owned(), &[]).await
            }
            Answer::Challenge { .. } => Verdict::Challenge,
            Answer::No | Answer::Absent => Verdict::Denied,
        }
    }

    /// The object's attributes, if any rule looks at them. Where none does, one answer holds for all objects of the class, and
    /// a page with a hundred guests costs a handful of questions.
    fn details(&self, object: &dyn Object) -> Vec<(&'static str, String)> {
        if self.tells_apart(object.class()) {
            object.details()
        } else {
            Vec::new()
        }
    }

    /// Whether the caller may connect at all; asked once in a few seconds.
    async fn may_look(&self, caller: &Caller) -> Verdict {
        let question = Question {
            caller: Arc::clone(&caller.name),
            action: Action::Coarse(MONITOR),
            details: Vec::new(),
        };
        if let Some(verdict) = self.known.cache.get(&question) {
            return verdict;
        }
        let verdict = match self.ask(caller, MONITOR.to_owned(), &[], false).await {
            Answer::Yes | Answer::Challenge { .. } => Verdict::Granted,
            Answer::No | Answer::Absent => Verdict::Denied,
        };
        self.known.cache.put(question, verdict);
        verdict
    }

    async fn dialog(
        &self,
        caller: &Caller,
        action: String,
        details: &[(&'static str, String)],
    ) -> Verdict {
        match self.ask(caller, action, details, true).await {
            Answer::Yes => Verdict::Granted,
            Answer::Challenge { .. } => Verdict::Challenge,
            Answer::No | Answer::Absent => Verdict::Denied,
        }
    }
}

#[async_trait]
impl Authorizer for Polkit {
    async fn check(&self, caller: &Caller, permission: Permission, object: &dyn Object) -> Verdict {
        if caller.uid == Some(0) {
            return Verdict::Granted;
        }
        if caller.uid.is_none() {
            // The bus does not know the caller (any more); nobody else would.
            return Verdict::Denied;
        }
        let question = Question {
            caller: Arc::clone(&caller.name),
            action: Action::Fine(permission),
            details: self.details(object),
        };
        match self.known.cache.get(&question) {
            Some(Verdict::Challenge) if caller.interactive => {}
            Some(verdict) => return verdict,
            None => {}
        }
        let verdict = self.decide(caller, permission, &question.details).await;
        if !(caller.interactive && verdict == Verdict::Challenge) {
            self.known.cache.put(question, verdict);
        }
        verdict
    }

    fn tells_apart(&self, class: ObjectClass) -> bool {
        let mut rules = self
            .known
            .rules
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let fresh = rules
            .as_ref()
            .is_some_and(|(since, _)| since.elapsed() < RULES_LIFETIME);
        if !fresh {
            *rules = None;
        }
        let (_, rules) = rules.get_or_insert_with(|| (Instant::now(), Rules::installed()));
        rules.tell_apart(class)
    }
}

/// Starts the GLib thread. It ends when the authorizer is dropped.
fn start(known: Arc<Known>) -> mpsc::UnboundedSender<Check> {
    let (sender, receiver) = mpsc::unbounded_channel();
    let spawned = std::thread::Builder::new()
        .name("polkit".to_owned())
        .spawn(move || serve(&known, receiver));
    if let Err(error) = spawned {
        tracing::error!(%error, "no thread for polkit, so only root is let in");
    }
    sender
}

fn serve(known: &Arc<Known>, mut checks: mpsc::UnboundedReceiver<Check>) {
    let context = glib::MainContext::new();
    let served = context.with_thread_default(|| {
        context.block_on(async {
            let mut authority = None;
            while let Some(check) = checks.recv().await {
                if authority.is_none() {
                    authority = connect(known).await;
                }
                match &authority {
                    Some(authority) => drop(context.spawn_local(answer(authority.clone(), check))),
                    None => drop(check.answer.send(Answer::Absent)),
                }
            }
        });
    });
    if let Err(error) = served {
        tracing::error!(%error, "polkit's thread cannot run, so only root is let in");
    }
}

async fn connect(known: &Arc<Known>) -> Option<Authority> {
    match Authority::async__future().await {
        Ok(authority) => {
            let known = Arc::clone(known);
            authority.connect_changed(move |_| {
                tracing::debug!("polkit has changed");
                known.cache.clear();
                known
                    .rules
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .take();
            });
            Some(authority)
        }
        Err(error) => {
            tracing::warn!(%error, "there is no polkit, so only root is let in");
            None
        }
    }
}

async fn answer(authority: Authority, check: Check) {
    let subject = SystemBusName::new(&check.subject);
    let details = Details::new();
    for (name, value) in &check.details {
        details.insert(name, Some(value));
    }
    let flags = if check.interactive {
        CheckAuthorizationFlags::ALLOW_USER_INTERACTION
    } else {
        CheckAuthorizationFlags::NONE
    };
    let result = authority
        .check_authorization_future(&subject, &check.action, Some(&details), flags)
        .await;
    let answer = match result {
        Ok(result) => meaning(&result),
        Err(error) => {
            tracing::warn!(action = check.action, %error, "polkit does not answer");
            Answer::Absent
        }
    };
    // Whoever asked may have given up.
    let _ = check.answer.send(answer);
}

fn meaning(result: &AuthorizationResult) -> Answer {
    if result.is_authorized() {
        Answer::Yes
    } else if result.is_challenge() {
        Answer::Challenge {
            kept: result.is_retains_authorization(),
        }
    } else {
        Answer::No
    }
}
