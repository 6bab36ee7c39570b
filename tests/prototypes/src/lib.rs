//! What is to be built on the frame, in small: a driver of a hypervisor on another host, and a row of libvirt's wire protocol. Each takes less than two
//! hundred lines; what takes more is missing in the frame.

pub mod remote;
pub mod rpc;
