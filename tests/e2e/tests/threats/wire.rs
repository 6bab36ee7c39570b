//! T8: lengths and numbers on the wire: lists of a million entries, none at all, values within values, numbers at both ends. Each
//! call is answered, memory comes back, and the next call is answered too.

use std::collections::HashMap;

use serde::Serialize;
use virtbus_tests::campaign::rounds;
use virtbus_tests::client::{CONNECT, DOMAIN, SERVICE};
use virtbus_tests::process::memory;
use virtbus_tests::wait::{LIMIT, patient};
use virtbus_tests::{Testbed, or_skip};
use zbus::{Connection, DynamicType, OwnedObjectPath, Variant};

const TEST: &str = "/org/libvirt/Test";
const MANY: usize = 1_000_000;

/// An object and the bus that it is called over.
struct Called<'a> {
    bus: &'a Connection,
    path: &'a str,
    interface: &'a str,
}

impl Called<'_> {
    /// Makes a call that may be refused, and must be answered.
    async fn answers<B: Serialize + DynamicType>(&self, member: &str, body: &B) {
        let interface = Some(self.interface);
        let call = self
            .bus
            .call_method(Some(SERVICE), self.path, interface, member, body);
        let Ok(answer) = tokio::time::timeout(patient(LIMIT), call).await else {
            panic!("no answer to {member}");
        };
        let refused = matches!(answer, Err(zbus::Error::MethodError(..)));
        assert!(answer.is_ok() || refused, "{member}: {answer:?}");
    }
}

/// A value in so many values.
fn nested(depth: usize) -> Variant<'static> {
    (0..depth).fold(Variant::from(7_u32), |value, _| {
        Variant::Variant(Box::new(value))
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_lengths_and_numbers_say_is_answered() {
    let mut testbed = or_skip!(Testbed::start(&["--drivers", "test"]).await);
    let bus = testbed.client.connection().clone();
    let connect = testbed.client.object(TEST, CONNECT);
    let path: OwnedObjectPath = connect
        .call("DomainLookupByName", &("test",))
        .await
        .unwrap();
    let called = |path, interface| Called {
        bus: &bus,
        path,
        interface,
    };
    let (connect, domain) = (called(TEST, CONNECT), called(path.as_str(), DOMAIN));
    let before = memory(testbed.daemon.pid(), "VmRSS");
    for round in 0..rounds(1, 50) {
        for many in [0, 1, MANY] {
            let bits = vec![true; many];
            domain.answers("PinVcpu", &(0_u32, &bits, 0_u32)).await;
            domain
                .answers("PinIOThread", &(u32::MAX, &bits, u32::MAX))
                .await;
            domain
                .answers("SetGuestVcpus", &(&bits, i32::MIN, 0_u32))
                .await;
            domain
                .answers("SendKey", &(0_u32, 0_u32, vec![u32::MAX; many], 0_u32))
                .await;
            domain.answers("FSFreeze", &(vec![""; many], 0_u32)).await;
            connect
                .answers("BaselineCPU", &(vec![""; many], 0_u32))
                .await;
            connect
                .answers(
                    "NodeGetFreePages",
                    &(vec![0_u32; many], i32::MIN, u32::MAX, 0_u32),
                )
                .await;
            let names = (0..many / 10).map(|number| format!("p{number}"));
            let parameters: HashMap<String, Variant<'_>> =
                names.map(|name| (name, Variant::from(1_u64))).collect();
            domain
                .answers("SetMemoryParameters", &(parameters, 0_u32))
                .await;
        }
        for depth in [1, 8, 20] {
            let parameters = HashMap::from([("hard_limit", nested(depth))]);
            domain
                .answers("SetMemoryParameters", &(parameters, 0_u32))
                .await;
        }
        for number in [0, 1, i64::MAX.unsigned_abs(), u64::MAX] {
            domain
                .answers("MemoryPeek", &(number, u64::MAX - number, 0_u32))
                .await;
            domain
                .answers("BlockPeek", &("vda", u64::MAX, number, 0_u32))
                .await;
        }
        for number in [i32::MIN, -1, i32::MAX] {
            connect.answers("DomainLookupByID", &(number,)).await;
            domain
                .answers("GetCPUStats", &(number, u32::MAX, 0_u32))
                .await;
        }
        let after = memory(testbed.daemon.pid(), "VmRSS");
        println!("round {round}: memory {before} -> {after} KiB");
        // What was received at once is given back, but for what allocators keep.
        assert!(after < before + (96 << 10), "{before} -> {after} KiB");
    }
    assert!(testbed.daemon.exited().is_none());
    testbed.client.domain(path.as_str()).state().await.unwrap();
}
