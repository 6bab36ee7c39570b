//! From a [`Plan`] to a running process: the only `unsafe` module of the command runner.
//!
//! The process is made by clone(2) with `CLONE_VFORK`: the calling thread waits until the program
//! has been loaded or could not be. Normally `CLONE_VM` goes with it, so that the daemon's address
//! space is borrowed and not copied. A process that changes its user does get a copy: while it
//! shared the memory of a privileged daemon it could be reached by other processes of the
//! unprivileged user, and the kernel would mark the daemon's own memory as not to be dumped.
//!
//! Rules for [`run_child`] and all it calls, because it runs in the daemon's memory or in a copy
//! made while other threads held locks:
//! no allocation, no lock, no panic, no call that is not async-signal-safe, and ids are changed by
//! bare system calls, since the C library's wrappers would ask the daemon's threads to follow.

use std::ffi::{CString, c_char, c_int, c_void};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::{OnceLock, mpsc};

use nix::libc;
use rustix::pipe::PipeFlags;

use super::plan::{Group, Plan};
use super::{Limit, Resource, Step};
use crate::process::Pidfd;

/// Words of 16 bytes; 64 KiB is far more than the few calls of [`run_child`] use. Untouched pages
/// cost nothing.
const STACK_WORDS: usize = 4096;

/// What the process exits with when its program could not be loaded, as shells have it.
const EXIT_NOT_STARTED: c_int = 127;

/// The kernel's signals are numbered 1 to 64 (MIPS, with more, is not supported).
const LAST_SIGNAL: c_int = 64;
const SIGNAL_SET_BYTES: libc::size_t = 8;

pub(super) struct Failure {
    pub(super) step: Step,
    pub(super) source: io::Error,
}

impl Failure {
    fn new(step: Step, source: impl Into<io::Error>) -> Self {
        Self {
            step,
            source: source.into(),
        }
    }
}

type Started = Result<(i32, Pidfd), Failure>;

/// Starts the process from a thread that lives as long as the daemon.
///
/// The signal at the parent's death comes when the *thread* that made the process ends, and
/// threads of an async runtime come and go.
pub(super) fn spawn_from_keeper(plan: Plan) -> Started {
    type Request = (Plan, mpsc::Sender<Started>);
    static KEEPER: OnceLock<mpsc::Sender<Request>> = OnceLock::new();

    let keeper = KEEPER.get_or_init(|| {
        let (sender, requests) = mpsc::channel::<Request>();
        let body = move || {
            for (plan, reply) in requests {
                // The caller waits below, so there is somebody to take the answer.
                let _ = reply.send(spawn(&plan));
            }
        };
        // If the thread cannot be had, the sender is disconnected, which the send below reports.
        let _ = std::thread::Builder::new()
            .name("cmd-keeper".to_owned())
            .spawn(body);
        sender
    });
    let (reply, answer) = mpsc::channel();
    let no_thread = || Failure::new(Step::Process, io::ErrorKind::OutOfMemory);
    keeper.send((plan, reply)).map_err(|_| no_thread())?;
    answer.recv().map_err(|_| no_thread())?
}

/// Starts the process and returns when its program runs.
pub(super) fn spawn(plan: &Plan) -> Started {
    let (report_read, report_write) =
        rustix::pipe::pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)
            .map_err(|errno| Failure::new(Step::Streams, errno))?;
    let argv = pointers(&plan.argv);
    let envp = pointers(&plan.envp);
    let mut fds: Vec<RawFd> = plan.fds.iter().map(super::plan::Source::raw).collect();
    let mut work = Work {
        plan,
        argv: argv.as_ptr(),
        envp: envp.as_ptr(),
        fds: &mut fds,
        report: report_write.as_raw_fd(),
        // SAFETY: getpid has no preconditions.
        parent: unsafe { libc::getpid() },
    };

    let shared = if plan.user.is_none() {
        libc::CLONE_VM
    } else {
        0
    };
    let flags = libc::CLONE_VFORK | libc::CLONE_PIDFD | libc::SIGCHLD | shared;
    let mut stack = vec![0_u128; STACK_WORDS];
    let mut pidfd: c_int = -1;

    let signals = block_signals().map_err(|errno| Failure::new(Step::Process, errno))?;
    // SAFETY: the stack is large enough, aligned to 16 bytes and lives on until clone returns,
    // which with CLONE_VFORK is when the child no longer uses it. `work` outlives the child for
    // the same reason, and this thread does not touch it meanwhile. `pidfd` is where CLONE_PIDFD
    // stores the descriptor. `run_child` keeps the rules at the top of this file.
    let pid = unsafe {
        libc::clone(
            run_child,
            stack.as_mut_ptr_range().end.cast::<c_void>(),
            flags,
            (&raw mut work).cast::<c_void>(),
            &raw mut pidfd,
        )
    };
    let outcome = if pid < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(pid)
    };
    restore_signals(&signals);
    drop(stack);

    let pid = outcome.map_err(|source| Failure::new(Step::Process, source))?;
    // SAFETY: clone succeeded and so stored a new descriptor that nobody else owns.
    let handle = Pidfd::from_fd(pid, unsafe { OwnedFd::from_raw_fd(pidfd) });
    match read_report(&report_read) {
        None => Ok((pid, handle)),
        Some(failure) => {
            super::child::reap_now(&handle);
            Err(failure)
        }
    }
}

/// The child either runs its program or has exited, so its report is complete or will never come:
/// the pipe is read without waiting.
fn read_report(pipe: &OwnedFd) -> Option<Failure> {
    let mut report = [0_u8; 8];
    match rustix::io::retry_on_intr(|| rustix::io::read(pipe, &mut report)) {
        Ok(8) => {
            let [a, b, c, d, e, f, g, h] = report;
            let step = Step::from_number(u32::from_ne_bytes([a, b, c, d]));
            let errno = i32::from_ne_bytes([e, f, g, h]);
            let source = io::Error::from_raw_os_error(errno);
            Some(Failure::new(step.unwrap_or(Step::Process), source))
        }
        _ => None,
    }
}

fn pointers(strings: &[CString]) -> Vec<*const c_char> {
    let mut pointers: Vec<*const c_char> = strings.iter().map(|text| text.as_ptr()).collect();
    pointers.push(std::ptr::null());
    pointers
}

/// No handler of the daemon may run in the child, which would run it in the daemon's memory.
fn block_signals() -> io::Result<libc::sigset_t> {
    let mut all = MaybeUninit::<libc::sigset_t>::uninit();
    let mut before = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: both sets are ours; sigfillset initializes the one, and pthread_sigmask the other
    // when it returns 0.
    unsafe {
        libc::sigfillset(all.as_mut_ptr());
        match libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr()) {
            0 => Ok(before.assume_init()),
            errno => Err(io::Error::from_raw_os_error(errno)),
        }
    }
}

fn restore_signals(before: &libc::sigset_t) {
    // SAFETY: `before` is an initialized set; a null pointer says that the old one is not wanted.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, before, std::ptr::null_mut()) };
}

/// What the child works with. Pointers into vectors that [`spawn`] keeps alive.
struct Work<'a> {
    plan: &'a Plan,
    argv: *const *const c_char,
    envp: *const *const c_char,
    /// Descriptors in the order of their future numbers; the child changes the entries.
    fds: &'a mut [RawFd],
    report: RawFd,
    parent: libc::pid_t,
}

/// The child's first function. Returns only if the program could not be loaded.
extern "C" fn run_child(work: *mut c_void) -> c_int {
    // SAFETY: `spawn` passes a pointer to a `Work` that lives until this process is done with it.
    let work = unsafe { &mut *work.cast::<Work<'_>>() };
    let step = match become_program(work) {
        Ok(never) => match never {},
        Err(step) => step,
    };
    let errno = last_errno();
    let mut report = [0_u8; 8];
    for (place, byte) in report.iter_mut().zip(
        (step as u32)
            .to_ne_bytes()
            .into_iter()
            .chain(errno.to_ne_bytes()),
    ) {
        *place = byte;
    }
    // SAFETY: the buffer is valid for its length; _exit ends this process without running the
    // daemon's exit handlers.
    unsafe {
        libc::write(work.report, report.as_ptr().cast::<c_void>(), report.len());
        libc::_exit(EXIT_NOT_STARTED)
    }
}

/// Takes every step; an error leaves its number in errno.
fn become_program(work: &mut Work<'_>) -> Result<std::convert::Infallible, Step> {
    let plan = work.plan;
    reset_signal_actions();
    enter_group(plan.group).or(Err(Step::Session))?;
    for procs in &plan.cgroups {
        // "0" means the process that writes.
        write_all(procs.as_raw_fd(), b"0").or(Err(Step::Cgroup))?;
    }
    if let Some(adjustment) = &plan.oom_score_adj {
        set_oom_score(adjustment).or(Err(Step::OomScore))?;
    }
    arrange_fds(work).or(Err(Step::Descriptors))?;
    for (resource, limit) in &plan.rlimits {
        set_rlimit(*resource, *limit).or(Err(Step::ResourceLimit))?;
    }
    if let Some(mask) = plan.umask {
        // SAFETY: umask has no preconditions and cannot fail.
        unsafe { libc::umask(mask) };
    }
    if let Some(user) = &plan.user {
        set_groups(&user.groups).or(Err(Step::Groups))?;
        set_id(libc::SYS_setresgid, user.gid).or(Err(Step::Gid))?;
        set_id(libc::SYS_setresuid, user.uid).or(Err(Step::Uid))?;
    }
    if let Some(dir) = &plan.current_dir {
        // SAFETY: the string ends with NUL.
        check(unsafe { libc::chdir(dir.as_ptr()) }).or(Err(Step::CurrentDir))?;
    }
    // After the change of user, which clears it.
    if let Some(signal) = plan.parent_death_signal {
        die_with_parent(signal, work.parent).or(Err(Step::ParentDeathSignal))?;
    }
    unblock_signals();
    // SAFETY: program, argv and envp are NUL-terminated, the latter two arrays end with null.
    unsafe { libc::execve(plan.program.as_ptr(), work.argv, work.envp) };
    Err(Step::Execute)
}

/// A system call failed; which one and why is in errno.
struct Refused;

fn check(result: c_int) -> Result<c_int, Refused> {
    if result < 0 { Err(Refused) } else { Ok(result) }
}

fn last_errno() -> c_int {
    // SAFETY: the location is this thread's; in a child with shared memory it is that of the
    // calling thread, which is waiting.
    unsafe { *libc::__errno_location() }
}

/// An ignored signal would stay ignored in the program; the daemon ignores SIGPIPE, for one.
fn reset_signal_actions() {
    // Larger than any kernel's `struct sigaction`; all zero is SIG_DFL, no flags, empty mask.
    let default = [0_u64; 8];
    for signal in 1..=LAST_SIGNAL {
        // By the bare call, since the C library refuses the signals that it uses itself, and those
        // too may have been ignored by whoever started the daemon. SIGKILL and SIGSTOP are refused
        // and never changed.
        // SAFETY: the struct is initialized and outlives the call; null: the old one is not wanted.
        unsafe {
            libc::syscall(
                libc::SYS_rt_sigaction,
                signal,
                default.as_ptr(),
                std::ptr::null_mut::<c_void>(),
                SIGNAL_SET_BYTES,
            )
        };
    }
}

fn unblock_signals() {
    let mut none = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: sigemptyset initializes the set.
    unsafe {
        libc::sigemptyset(none.as_mut_ptr());
        libc::sigprocmask(libc::SIG_SETMASK, none.as_ptr(), std::ptr::null_mut());
    }
}

fn enter_group(group: Group) -> Result<(), Refused> {
    // SAFETY: neither call has preconditions.
    match group {
        Group::Inherited => Ok(()),
        Group::Own => check(unsafe { libc::setpgid(0, 0) }).map(drop),
        Group::OwnSession => check(unsafe { libc::setsid() }).map(drop),
    }
}

fn write_all(fd: RawFd, bytes: &[u8]) -> Result<(), Refused> {
    // SAFETY: the buffer is valid for its length. Kernel files take such a short text whole.
    let written = unsafe { libc::write(fd, bytes.as_ptr().cast::<c_void>(), bytes.len()) };
    if written < 0 { Err(Refused) } else { Ok(()) }
}

fn set_oom_score(adjustment: &[u8]) -> Result<(), Refused> {
    let path = c"/proc/self/oom_score_adj";
    // SAFETY: the path ends with NUL; the descriptor is closed with all others later.
    let fd = check(unsafe { libc::open(path.as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC) })?;
    write_all(fd, adjustment)
}

/// Gives the wanted descriptors the numbers 0 to n-1, the report pipe the number n (closed when the
/// program is loaded), and closes all above.
fn arrange_fds(work: &mut Work<'_>) -> Result<(), Refused> {
    let Ok(count) = c_int::try_from(work.fds.len()) else {
        return Err(Refused);
    };
    // First lift everything out of the way, so that no number is overwritten before it is used.
    for fd in work.fds.iter_mut() {
        *fd = lift(*fd, count)?;
    }
    work.report = lift(work.report, count)?;
    for (number, fd) in (0..count).zip(work.fds.iter()) {
        // SAFETY: dup2 has no memory preconditions. The copy has no close-on-exec flag.
        check(unsafe { libc::dup2(*fd, number) })?;
    }
    // SAFETY: as above.
    work.report = check(unsafe { libc::dup3(work.report, count, libc::O_CLOEXEC) })?;
    // SAFETY: nothing in this process uses the closed descriptors any more; the daemon's table is
    // another one.
    let closed =
        unsafe { libc::syscall(libc::SYS_close_range, count + 1, libc::c_uint::MAX, 0_u32) };
    if closed < 0 { Err(Refused) } else { Ok(()) }
}

fn lift(fd: RawFd, count: c_int) -> Result<RawFd, Refused> {
    if fd > count {
        return Ok(fd);
    }
    // SAFETY: F_DUPFD_CLOEXEC takes a number and has no memory preconditions.
    check(unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, count + 1) })
}

fn set_rlimit(resource: Resource, limit: Limit) -> Result<(), Refused> {
    let resource = match resource {
        Resource::Core => libc::RLIMIT_CORE,
        Resource::FileSize => libc::RLIMIT_FSIZE,
        Resource::MemLock => libc::RLIMIT_MEMLOCK,
        Resource::NoFile => libc::RLIMIT_NOFILE,
        Resource::NProc => libc::RLIMIT_NPROC,
    };
    let value = match limit {
        Limit::Max(value) => value,
        Limit::Unlimited => libc::RLIM_INFINITY,
    };
    let both = libc::rlimit {
        rlim_cur: value,
        rlim_max: value,
    };
    // SAFETY: the struct is initialized and outlives the call.
    check(unsafe { libc::setrlimit(resource, &raw const both) }).map(drop)
}

fn set_groups(groups: &[u32]) -> Result<(), Refused> {
    // SAFETY: the list is valid for its length.
    let result = unsafe { libc::syscall(libc::SYS_setgroups, groups.len(), groups.as_ptr()) };
    if result < 0 { Err(Refused) } else { Ok(()) }
}

/// setresuid or setresgid, all three ids alike.
fn set_id(call: libc::c_long, id: u32) -> Result<(), Refused> {
    // SAFETY: the calls take three numbers.
    let result = unsafe { libc::syscall(call, id, id, id) };
    if result < 0 { Err(Refused) } else { Ok(()) }
}

fn die_with_parent(signal: c_int, parent: libc::pid_t) -> Result<(), Refused> {
    // SAFETY: PR_SET_PDEATHSIG takes a number; getppid, _exit have no preconditions.
    unsafe {
        check(libc::prctl(libc::PR_SET_PDEATHSIG, signal))?;
        // If the daemon died before the call, the signal never comes.
        if libc::getppid() != parent {
            libc::_exit(EXIT_NOT_STARTED);
        }
    }
    Ok(())
}
