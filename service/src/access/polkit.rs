//! polkit decides, on a GLib thread of its own; answers are cached.
//!
//! An action about which a rule decides is settled by that. Where none does, the default of most actions is that an administrator
//! authenticates and keeps that for a while, and the coarse action of the old read-write socket
//! (`org.libvirt.unix.manage`) counts as well, and it is the one that a dialog asks for: one password opens the whole
//! service for some minutes, as it always did, instead of one for each of a hundred actions.
//!
//! A rule may answer what is the default, too. The two are told apart by a second question with the detail [`UNDECIDED`]: the last of all
//! rules, which is installed with the daemon, answers it with another challenge, and whoever decided before says the same again.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use polkit::{Authority, AuthorizationResult, CheckAuthorizationFlags, Details};
use tokio::sync::{mpsc, oneshot};
use virtbus_api::access::{
    Authorizer, Caller, Default as Who, Object, ObjectClass, Permission, Verdict,
};

use super::cache::{Action, Cache, Question};
use super::rules::attribute_prefix;
use super::rules::watch::Watched;
use super::subject::Subject;
use super::turns::{Turn, Turns};

/// The coarse actions, by what a permission's default is.
const MONITOR: &str = "org.libvirt.unix.monitor";
const MANAGE: &str = "org.libvirt.unix.manage";

/// The detail by which the last rule ([`super::rules::LAST`]) knows that only this is asked: whether it is reached.
const UNDECIDED: &str = "virtbus_undecided";

/// polkit has so long to answer when no person is asked.
const DEADLINE: Duration = Duration::from_secs(25);

/// So many restarts of polkit may come between a question and its answer. Nobody is asked for a password twice.
const RESTARTS: u32 = 10;

/// The bus says of a polkit that has just ended what it says of one that is not installed; so often it is asked again even so.
const GONE: u32 = 3;

/// Between two attempts to ask a polkit that is coming or going.
const MOMENT: Duration = Duration::from_millis(20);

/// A person has so long to type a password.
const PATIENCE: Duration = Duration::from_secs(300);

/// One check on its way to the GLib thread.
struct Check {
    subject: Subject,
    action: String,
    details: Vec<(&'static str, String)>,
    interactive: bool,
    answer: oneshot::Sender<Answer>,
    /// Whoever asked may give up, and the question is on its way until polkit has answered.
    _turn: Turn,
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

/// What polkit's answers come to for a caller of whom nothing is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Decision {
    Granted,
    Denied,
    /// The caller could authenticate, for one of the two.
    Challenge(Dialog),
}

/// What a dialog asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dialog {
    /// The action itself, each time.
    Action,
    /// Everything, kept for a while.
    Coarse,
}

/// What the GLib thread and its callers share.
#[derive(Default)]
struct Known {
    cache: Cache<Decision>,
    /// What people who are being asked say; kept for those only who asked while the dialog was up.
    dialogs: Cache<Verdict>,
}

/// Asks polkit. What its rules look at is known to [`Watched`], whose turn a question has to [`Turns`].
pub(crate) struct Polkit {
    known: Arc<Known>,
    /// The way to the thread, which is started by the first caller who is not root.
    thread: OnceLock<mpsc::UnboundedSender<Check>>,
    rules: Arc<Watched>,
    turns: Turns,
    /// Whoever runs guests, if not root: a guest that has got hold of its emulator has no business here.
    guests: Option<u32>,
}

impl Polkit {
    /// Asks for everybody but root, and the user as whom guests run, who is refused everything.
    pub(crate) fn new(guests: Option<u32>) -> Self {
        let known: Arc<Known> = Arc::default();
        let forgetting = Arc::clone(&known);
        Self {
            known,
            thread: OnceLock::new(),
            // An answer to a question without details may be another one with them.
            rules: Watched::start(move || forgetting.cache.clear()),
            turns: Turns::new(),
            guests: guests.filter(|uid| *uid != 0),
        }
    }

    /// Asks while a person may be asked, or quickly.
    async fn ask(
        &self,
        caller: &Caller,
        action: String,
        details: &[(&'static str, String)],
        interactive: bool,
    ) -> Answer {
        let (Some(uid), Some(subject)) = (caller.uid(), Subject::of(caller)) else {
            return Answer::Absent;
        };
        let patience = if interactive { PATIENCE } else { DEADLINE };
        let turn = async {
            if interactive {
                self.turns.dialog(uid).await
            } else {
                self.turns.question(uid).await
            }
        };
        let Ok(turn) = tokio::time::timeout(patience, turn).await else {
            return Answer::Absent;
        };
        let (answer, answered) = oneshot::channel();
        let check = Check {
            subject,
            action,
            details: details.to_vec(),
            interactive,
            answer,
            _turn: turn,
        };
        let thread = self.thread.get_or_init(|| {
            let (known, rules) = (Arc::clone(&self.known), Arc::clone(&self.rules));
            start(move || {
                rules.look_again();
                known.cache.clear();
            })
        });
        if thread.send(check).is_err() {
            return Answer::Absent;
        }
        match tokio::time::timeout(patience, answered).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) | Err(_) => Answer::Absent,
        }
    }

    /// Decides without asking anybody for a password; `None` if there is no polkit.
    async fn decide(
        &self,
        caller: &Caller,
        permission: Permission,
        details: &[(&'static str, String)],
    ) -> Option<Decision> {
        // Whoever may not even look is kept out altogether, as by libvirt's read-only socket.
        if self.decide_coarsely(caller, MONITOR).await? == Decision::Denied {
            return Some(Decision::Denied);
        }
        match self.ask(caller, permission.action(), details, false).await {
            Answer::Yes => return Some(Decision::Granted),
            Answer::No => return Some(Decision::Denied),
            Answer::Absent => return None,
            Answer::Challenge { kept } => {
                let is_default = kept && self.is_undecided(caller, permission, details).await?;
                if !is_default {
                    // A rule wants a password: the coarse action must not get around that.
                    return Some(Decision::Challenge(Dialog::Action));
                }
            }
        }
        self.decide_coarsely(caller, coarse(permission)).await
    }

    /// Whether it is certain that no rule decided about an action that the caller could authenticate for and keep; `None` if there is no
    /// polkit.
    async fn is_undecided(
        &self,
        caller: &Caller,
        permission: Permission,
        details: &[(&'static str, String)],
    ) -> Option<bool> {
        if permission.default() == Who::Anybody || self.rules.rules().why_not_last().is_some() {
            return Some(false);
        }
        let mut marked = details.to_vec();
        marked.push((UNDECIDED, "yes".to_owned()));
        match self.ask(caller, permission.action(), &marked, false).await {
            Answer::Challenge { kept } => Some(!kept),
            Answer::Absent => None,
            // Decided in the meantime: the next question has it.
            Answer::Yes | Answer::No => Some(false),
        }
    }

    /// The same for one of the coarse actions; asked once in a few seconds.
    async fn decide_coarsely(&self, caller: &Caller, action: &'static str) -> Option<Decision> {
        let Some(subject) = Subject::of(caller) else {
            return Some(Decision::Denied);
        };
        let question = Question::coarse(subject, action);
        let ask = async || match self.ask(caller, action.to_owned(), &[], false).await {
            Answer::Yes => Some(Decision::Granted),
            Answer::No => Some(Decision::Denied),
            Answer::Absent => None,
            Answer::Challenge { .. } => Some(Decision::Challenge(Dialog::Coarse)),
        };
        self.known.cache.get_or_ask(&question, ask).await
    }

    /// The object's attributes, as far as rules look at them. Where none looks at those of the class, one answer holds for all its
    /// objects, and a page with a hundred guests costs a handful of questions; the driver is the same for all of them.
    fn details(&self, object: &dyn Object) -> Vec<(&'static str, String)> {
        let mut details = object.details();
        if !self.tells_apart(object.class()) {
            details.retain(|(name, _)| name.starts_with(attribute_prefix(ObjectClass::Connect)));
        }
        details
    }

    /// Lets the caller be asked for a password.
    async fn dialog(
        &self,
        caller: &Caller,
        action: String,
        details: &[(&'static str, String)],
    ) -> Verdict {
        match self.ask(caller, action, details, true).await {
            Answer::Yes => Verdict::Granted,
            Answer::Challenge { .. } => Verdict::Challenge,
            Answer::No => Verdict::Denied,
            Answer::Absent => Verdict::Unknown,
        }
    }
}

/// The coarse action that counts beside a permission.
const fn coarse(permission: Permission) -> &'static str {
    match permission.default() {
        Who::Anybody => MONITOR,
        Who::Administrator => MANAGE,
    }
}

#[async_trait]
impl Authorizer for Polkit {
    async fn check(&self, caller: &Caller, permission: Permission, object: &dyn Object) -> Verdict {
        if caller.uid() == Some(0) {
            return Verdict::Granted;
        }
        let Some(subject) = Subject::of(caller) else {
            // Nobody knows the caller: the bus does not (any more), or it is on another host.
            return Verdict::Denied;
        };
        if caller.uid() == self.guests {
            return Verdict::Denied;
        }
        let question = Question {
            caller: subject.clone(),
            action: Action::Fine(permission),
            details: self.details(object),
        };
        let details = &question.details;
        let ask = async || self.decide(caller, permission, details).await;
        match self.known.cache.get_or_ask(&question, ask).await {
            Some(Decision::Granted) => Verdict::Granted,
            Some(Decision::Denied) => Verdict::Denied,
            None => Verdict::Unknown,
            Some(Decision::Challenge(_)) if !caller.is_interactive() => Verdict::Challenge,
            // Asked for each time, and so not kept.
            Some(Decision::Challenge(Dialog::Action)) => {
                self.dialog(caller, permission.action(), details).await
            }
            Some(Decision::Challenge(Dialog::Coarse)) => {
                let action = coarse(permission);
                let coarse = Question::coarse(subject, action);
                // A hundred calls at once put up one dialog, since one answer opens everything.
                let ask = async || Some(self.dialog(caller, action.to_owned(), &[]).await);
                let verdict = self.known.dialogs.ask_together(&coarse, ask).await;
                let verdict = verdict.unwrap_or(Verdict::Unknown);
                if verdict == Verdict::Granted {
                    self.known.cache.put(coarse, Decision::Granted);
                    self.known.cache.put(question, Decision::Granted);
                }
                verdict
            }
        }
    }

    fn tells_apart(&self, class: ObjectClass) -> bool {
        self.rules.rules().tell_apart(class)
    }
}

/// Starts the GLib thread. It ends when the authorizer is dropped. `changed` is called there when polkit has other rules, or is another one,
/// which has read what it finds.
fn start(changed: impl Fn() + Send + Sync + 'static) -> mpsc::UnboundedSender<Check> {
    let (sender, receiver) = mpsc::unbounded_channel();
    let spawned = std::thread::Builder::new()
        .name("polkit".to_owned())
        .spawn(move || serve(&Arc::new(changed), receiver));
    if let Err(error) = spawned {
        tracing::error!(%error, "the polkit thread cannot be started, so only root is admitted");
    }
    sender
}

fn serve(
    changed: &Arc<impl Fn() + Send + Sync + 'static>,
    mut checks: mpsc::UnboundedReceiver<Check>,
) {
    // The default one: polkit's library makes its proxy in a thread of its own, and so polkit's signals go here.
    let context = glib::MainContext::default();
    let served = context.with_thread_default(|| {
        context.block_on(async {
            let mut authority = None;
            while let Some(check) = checks.recv().await {
                if authority.is_none() {
                    authority = connect(changed).await;
                }
                match &authority {
                    Some(authority) => drop(context.spawn_local(answer(authority.clone(), check))),
                    None => drop(check.answer.send(Answer::Absent)),
                }
            }
        });
    });
    if let Err(error) = served {
        tracing::error!(%error, "the polkit thread cannot run, so only root is admitted");
    }
}

async fn connect(changed: &Arc<impl Fn() + Send + Sync + 'static>) -> Option<Authority> {
    match Authority::async__future().await {
        Ok(authority) => {
            let rules_have_changed = Arc::clone(changed);
            authority.connect_changed(move |_| {
                tracing::debug!("polkit has changed");
                rules_have_changed();
            });
            let is_another = Arc::clone(changed);
            authority.connect_owner_notify(move |_| {
                tracing::debug!("polkit has come or gone");
                is_another();
            });
            // Until now nobody heard of it.
            changed();
            Some(authority)
        }
        Err(error) => {
            tracing::warn!(%error, "polkit is not available, so only root is admitted");
            None
        }
    }
}

async fn answer(authority: Authority, check: Check) {
    let Some(subject) = check.subject.of_polkit() else {
        // Whoever asked may have given up.
        let _ = check.answer.send(Answer::No);
        return;
    };
    let details = Details::new();
    for (name, value) in &check.details {
        details.insert(name, Some(value));
    }
    let flags = if check.interactive {
        CheckAuthorizationFlags::ALLOW_USER_INTERACTION
    } else {
        CheckAuthorizationFlags::NONE
    };
    let (mut again, mut gone) = if check.interactive {
        (0, 0)
    } else {
        (RESTARTS, GONE)
    };
    let answer = loop {
        let result = authority
            .check_authorization_future(&subject, &check.action, Some(&details), flags)
            .await;
        match result {
            Ok(result) => break meaning(&result),
            // Whoever it is about has left the bus, and never comes back.
            Err(error) if error.matches(gio::DBusError::NameHasNoOwner) => break Answer::No,
            // It ended before it had answered, and is started again by the next question.
            Err(error) if again > 0 && error.matches(gio::DBusError::NoReply) => again -= 1,
            Err(error) if gone > 0 && error.matches(gio::DBusError::ServiceUnknown) => {
                gone -= 1;
                glib::timeout_future(MOMENT).await;
            }
            // What else may be wrong while it comes or goes is over in a moment; that there is none is not.
            Err(error) if again > 0 && !error.matches(gio::DBusError::ServiceUnknown) => {
                again -= 1;
                glib::timeout_future(MOMENT).await;
            }
            Err(error) => {
                tracing::warn!(action = check.action, "polkit does not answer: {error}");
                break Answer::Absent;
            }
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
