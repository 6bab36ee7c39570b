//! The daemon killed (SIGKILL) in the middle of each kind of change, many times, a little later each time: no definition, no guest
//! and no guest's memory is lost, and nothing is left over. One module a kind of change.

mod autostart;
mod define;
mod dump;
mod managed;
mod rename;
mod rewrite;
mod save;
mod strike;
mod undefine;
