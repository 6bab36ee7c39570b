//! What documents declare: documents made from it, read and written again, and reference pages.

mod coverage;
mod declared;
mod dice;
mod identity;
mod kinds;
mod linear;
mod make;
mod pages;
mod property;
mod samples;
mod walk;
