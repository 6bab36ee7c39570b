//! Classes of faults that services of this kind have had in the past, one module a class, with what each must not do here.
//!
//! A driver that comes later adds its cases to the modules of the classes that can apply to it. What needs real users, polkit and
//! systemd is in `threat-NN.sh` beside this folder, run in a booted system by the module of the same number.
//!
//! | module | class |
//! | --- | --- |
//! | `agent` | a guest's agent that answers with anything (T4) |
//! | `flood` | more than one client may have at once: calls, bytes, descriptors, answers (T3, T6, T8) |
//! | `formats` | disks whose content looks like another format (T19) |
//! | `hidden` | events and errors about what the caller may not see (T21) |
//! | `kept` | locks and turns that are kept after a refusal (T3) |
//! | `malformed` | definitions that are damaged or too large (T1, T7, T16) |
//! | `monitor` | an emulator's monitor that answers with anything (T5) |
//! | `paths` | files: links and names in users' directories, descriptors, modes, sockets (T10, T11, T12, T14) |
//! | `programs` | programs that callers name (T2) |
//! | `repetition` | the same call again and again (T16) |
//! | `screens` | ways in that are taken for closed: empty and expired passwords (T18) |
//! | `secrets` | secrets in descriptions, signals, logs, command lines and files (T9) |
//! | `storage` | files that do not answer |
//! | `unasked` | what is done before it is known that the caller has no right to it (T1) |
//! | `wire` | lengths and numbers of messages (T8) |

mod agent;
mod flood;
mod formats;
mod hidden;
mod kept;
mod malformed;
mod monitor;
mod paths;
mod programs;
mod repetition;
mod screens;
mod secrets;
mod storage;
mod unasked;
mod wire;
