//! Signals of a guest's processes. Their numbers are those of Linux on x86, whatever the guest is.

use crate::declare::numbered;

numbered! {
    /// A signal to a process of a guest.
    DomainProcessSignal: virDomainProcessSignal, VIR_DOMAIN_PROCESS_SIGNAL_ {
        /// No signal; only whether the process is there.
        Nop = 0,
        /// `SIGHUP`.
        Hup = 1,
        /// `SIGINT`.
        Int = 2,
        /// `SIGQUIT`.
        Quit = 3,
        /// `SIGILL`.
        Ill = 4,
        /// `SIGTRAP`.
        Trap = 5,
        /// `SIGABRT`.
        Abrt = 6,
        /// `SIGBUS`.
        Bus = 7,
        /// `SIGFPE`.
        Fpe = 8,
        /// `SIGKILL`.
        Kill = 9,
        /// `SIGUSR1`.
        Usr1 = 10,
        /// `SIGSEGV`.
        Segv = 11,
        /// `SIGUSR2`.
        Usr2 = 12,
        /// `SIGPIPE`.
        Pipe = 13,
        /// `SIGALRM`.
        Alrm = 14,
        /// `SIGTERM`.
        Term = 15,
        /// `SIGSTKFLT`.
        Stkflt = 16,
        /// `SIGCHLD`.
        Chld = 17,
        /// `SIGCONT`.
        Cont = 18,
        /// `SIGSTOP`.
        Stop = 19,
        /// `SIGTSTP`.
        Tstp = 20,
        /// `SIGTTIN`.
        Ttin = 21,
        /// `SIGTTOU`.
        Ttou = 22,
        /// `SIGURG`.
        Urg = 23,
        /// `SIGXCPU`.
        Xcpu = 24,
        /// `SIGXFSZ`.
        Xfsz = 25,
        /// `SIGVTALRM`.
        Vtalrm = 26,
        /// `SIGPROF`.
        Prof = 27,
        /// `SIGWINCH`.
        Winch = 28,
        /// `SIGPOLL`.
        Poll = 29,
        /// `SIGPWR`.
        Pwr = 30,
        /// `SIGSYS`.
        Sys = 31,
        /// `SIGRTMIN`, the first real-time signal.
        Rt0 = 32,
        /// `SIGRTMIN` + 1.
        Rt1 = 33,
        /// `SIGRTMIN` + 2.
        Rt2 = 34,
        /// `SIGRTMIN` + 3.
        Rt3 = 35,
        /// `SIGRTMIN` + 4.
        Rt4 = 36,
        /// `SIGRTMIN` + 5.
        Rt5 = 37,
        /// `SIGRTMIN` + 6.
        Rt6 = 38,
        /// `SIGRTMIN` + 7.
        Rt7 = 39,
        /// `SIGRTMIN` + 8.
        Rt8 = 40,
        /// `SIGRTMIN` + 9.
        Rt9 = 41,
        /// `SIGRTMIN` + 10.
        Rt10 = 42,
        /// `SIGRTMIN` + 11.
        Rt11 = 43,
        /// `SIGRTMIN` + 12.
        Rt12 = 44,
        /// `SIGRTMIN` + 13.
        Rt13 = 45,
        /// `SIGRTMIN` + 14.
        Rt14 = 46,
        /// `SIGRTMIN` + 15.
        Rt15 = 47,
        /// `SIGRTMIN` + 16.
        Rt16 = 48,
        /// `SIGRTMIN` + 17.
        Rt17 = 49,
        /// `SIGRTMIN` + 18.
        Rt18 = 50,
        /// `SIGRTMIN` + 19.
        Rt19 = 51,
        /// `SIGRTMIN` + 20.
        Rt20 = 52,
        /// `SIGRTMIN` + 21.
        Rt21 = 53,
        /// `SIGRTMIN` + 22.
        Rt22 = 54,
        /// `SIGRTMIN` + 23.
        Rt23 = 55,
        /// `SIGRTMIN` + 24.
        Rt24 = 56,
        /// `SIGRTMIN` + 25.
        Rt25 = 57,
        /// `SIGRTMIN` + 26.
        Rt26 = 58,
        /// `SIGRTMIN` + 27.
        Rt27 = 59,
        /// `SIGRTMIN` + 28.
        Rt28 = 60,
        /// `SIGRTMIN` + 29.
        Rt29 = 61,
        /// `SIGRTMIN` + 30.
        Rt30 = 62,
        /// `SIGRTMIN` + 31.
        Rt31 = 63,
        /// `SIGRTMIN` + 32.
        Rt32 = 64,
    }
}
