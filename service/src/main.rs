//! `virtbusd`: virtualization management as a D-Bus service.
//!
//! The composition root: it reads the command line and the settings, opens the drivers that are built in, and serves them on a
//! bus. It is the only crate that knows every other, and holds nothing that could be a driver's or an interface's affair.

mod access;
mod bus_thread;
mod cli;
mod daemon;
mod descriptors;
mod drivers;
mod logging;
mod mode;
mod ownership;
mod placement;
mod refusal;
mod settings;
mod subsystems;
mod threads;

use std::error::Error;
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use cli::Cli;
use mode::Mode;
use settings::Settings;

/// Threads that run tasks. Reads are answered by the one that reads the bus; the rest is waiting for guests.
const WORKERS: usize = 4;

fn main() -> ExitCode {
    let cli = Cli::parse();
    if cli.print_config {
        return match std::io::stdout().write_all(Settings::sample().as_bytes()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        };
    }
    match start(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let text = chain(&*error);
            // Where logging has not begun, nobody hears of what is logged.
            if libsystemd::logging::connected_to_journal() && tracing::dispatcher::has_been_set() {
                tracing::error!("{text}");
            } else {
                eprintln!("virtbusd: {text}");
            }
            let configuration = is_configuration(&*error);
            if leaves_callers(&*error) {
                refusal::tell_callers(Mode::of(&cli), &text, configuration);
            }
            ExitCode::from(if configuration {
                CONFIGURATION
            } else {
                FAILURE
            })
        }
    }
}

/// The exit status where another try may go well.
const FAILURE: u8 = 1;
/// The exit status where starting again would end in the same way (`EX_CONFIG` of sysexits.h); the unit does not restart after it.
const CONFIGURATION: u8 = 78;

fn is_configuration(error: &(dyn Error + 'static)) -> bool {
    error.is::<settings::SettingsError>()
        || error.is::<virtbus_util::dirs::DirsError>()
        || error
            .downcast_ref::<daemon::DaemonError>()
            .is_some_and(daemon::DaemonError::is_configuration)
}

fn leaves_callers(error: &(dyn Error + 'static)) -> bool {
    error
        .downcast_ref::<daemon::DaemonError>()
        .is_none_or(daemon::DaemonError::leaves_callers)
}

fn start(cli: &Cli) -> Result<(), Box<dyn Error>> {
    virtbus_util::memory::keep_little();
    let plan = plan(cli)?;
    let workers =
        std::thread::available_parallelism().map_or(WORKERS, |cores| cores.get().min(WORKERS));
    threads::expect(workers)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers)
        .thread_name("virtbusd")
        .enable_all()
        .build()?;
    let ended = runtime.block_on(daemon::run(plan));
    // Guests do not need us; whatever still waits for one must not hold up the end.
    runtime.shutdown_timeout(Duration::from_secs(1));
    Ok(ended?)
}

/// What the command line and the settings come to. Logging begins with it.
fn plan(cli: &Cli) -> Result<daemon::Plan, Box<dyn Error>> {
    let mode = Mode::of(cli);
    let dirs = mode.dirs(cli.state_dir.as_deref())?;
    let (path, must_exist) = mode.settings_path(cli, &dirs);
    let settings = Settings::read(&path, must_exist)?;
    let logging = logging::start(&settings.daemon.log);
    let seconds = cli.idle_timeout.unwrap_or(if mode.is_private() {
        0
    } else {
        settings.daemon.idle_timeout
    });
    Ok(daemon::Plan {
        on_demand: match &cli.drivers {
            Some(_) => Vec::new(),
            None => drivers::on_demand(&mode),
        },
        drivers: cli.drivers.clone().unwrap_or_else(|| drivers::usual(&mode)),
        idle_timeout: (seconds > 0).then(|| Duration::from_secs(seconds)),
        mode,
        settings,
        dirs,
        logging,
    })
}

/// An error with its causes, on one line.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        // Some errors of libraries tell their cause themselves.
        if !text.ends_with(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        cause = error.source();
    }
    text
}
