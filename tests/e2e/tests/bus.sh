# What the system around the daemon does to it: run by tests/bus.rs in a booted Debian with the daemon installed, as root.
# The bus restarts, polkit comes and goes, somebody wants its name, descriptors run out: it goes on, or is there again with the
# next call, and guests and definitions are what they were. Prints what it checks; the first check that fails ends it.
set -euo pipefail

node=/org/libvirt/QEMU
check() { echo "check: $*"; }
fail() {
    echo "FAILED: $*"
    systemctl status --no-pager virtbusd.service | head -20 || true
    journalctl --no-pager -u virtbusd.service -u polkit.service -u dbus.service -n 80 || true
    exit 1
}
until_true() {    # until_true SECONDS WHAT COMMAND...
    local left=$(($1 * 10)) what=$2
    shift 2
    until "$@" > /dev/null 2>&1; do
        left=$((left - 1))
        [ "$left" -gt 0 ] || fail "waited in vain for $what"
        sleep 0.1
    done
}
connect() { busctl --timeout=60 call org.libvirt $node org.libvirt.Connect "$@"; }
domain() { local path=$1; shift; busctl --timeout=60 call org.libvirt "$path" org.libvirt.Domain "$@"; }
alice() { runuser -u alice -- busctl --timeout=60 --allow-interactive-authorization=no call org.libvirt "$@" 2>&1; }
define() {    # define NAME: prints its path
    connect DomainDefineXML s "<domain type='qemu'><name>$1</name><memory unit='MiB'>64</memory>
<os><type arch='x86_64' machine='q35'>hvm</type></os></domain>" | cut -d '"' -f 2
}
daemon() { systemctl show -P MainPID virtbusd.service; }
emulator() { pgrep -f "qemu-system-x86_64.*guest=$1" | head -1; }
# Everything that must be the same whatever happens.
intact() {
    local pid
    [ "$(connect ListDomains u 0 | cut -d ' ' -f 2)" = 3 ] || fail "$1: there are other guests: $(connect ListDomains u 0)"
    pid=$(emulator runs) || fail "$1: the guest is gone"
    [ "$pid" = "$runner" ] || fail "$1: the guest is another"
    case $(domain "$runs" GetState u 0) in '(ii) 1 '*) ;; *) fail "$1: the guest is $(domain "$runs" GetState u 0)";; esac
    case $(domain "$rests" GetState u 0) in '(ii) 5 '*) ;; *) fail "$1: the other is $(domain "$rests" GetState u 0)";; esac
    [ "$(domain "$rests" GetXMLDesc u 2)" = "$description" ] || fail "$1: the definition is another"
}
works() { domain "$1" Suspend > /dev/null && domain "$1" Resume > /dev/null; }

useradd -m alice
check "a guest runs, two are defined"
runs=$(define runs) rests=$(define rests)
define spare > /dev/null
domain "$runs" Create u 0 > /dev/null
runner=$(emulator runs) description=$(domain "$rests" GetXMLDesc u 2)
intact "at first"

check "the bus reads its configuration anew"
before=$(daemon)
busctl call org.freedesktop.DBus /org/freedesktop/DBus org.freedesktop.DBus ReloadConfig > /dev/null
intact "after that"
[ "$(daemon)" = "$before" ] || fail "the daemon is another"

check "nobody takes the daemon's name away"
answer=$(busctl call org.freedesktop.DBus /org/freedesktop/DBus org.freedesktop.DBus RequestName su org.libvirt 6)
[ "$answer" = 'u 3' ] || fail "the name could be had: $answer"    # replace, do not queue; it exists
if virtbusd --system > /srv/second 2>&1; then fail "there is a second daemon"; fi
grep -q 'cannot take the name' /srv/second || fail "the second daemon says: $(cat /srv/second)"
intact "after that"
[ "$(daemon)" = "$before" ] || fail "the daemon is another"
until_true 20 "the guest to obey" works "$runs"

check "polkit restarts under people's calls"
[ "$(alice $node org.libvirt.Connect ListDomains u 0 | cut -d ' ' -f 2)" = 3 ] || fail "alice sees other guests"
(
    for _ in $(seq 40); do
        alice $node org.libvirt.Connect ListDomains u 0 || true
    done > /srv/asked
) &
asking=$!
for _ in $(seq 3); do systemctl restart polkit.service || fail "polkit does not restart"; done
wait "$asking"
if grep -v '^ao 3 ' /srv/asked; then fail "alice was told that"; fi
[ "$(daemon)" = "$before" ] || fail "the daemon is another"

check "without polkit only root is let in, and with it everybody is again"
systemctl mask --runtime --now polkit.service 2> /dev/null
if answer=$(alice $node org.libvirt.Connect ListDomains u 0); then fail "alice is let in: $answer"; fi
case $answer in *'Access denied'*) ;; *) fail "alice is refused otherwise: $answer";; esac
intact "without polkit"
systemctl unmask --runtime polkit.service 2> /dev/null
answer=$(alice $node org.libvirt.Connect ListDomains u 0) || fail "alice is not let in again: $answer"

check "the bus restarts"
before=$(daemon)
systemctl restart dbus.service
until_true 20 "the bus to answer" busctl status org.freedesktop.DBus
intact "after that"
until_true 20 "the guest to obey" works "$runs"
[ "$(daemon)" != "$before" ] || fail "the daemon lives without a bus"
answer=$(alice $node org.libvirt.Connect ListDomains u 0) || fail "alice is refused: $answer"
[ "$(emulator runs)" = "$runner" ] || fail "the guest is another"

check "the bus restarts again and again"
for _ in $(seq 4); do
    systemctl restart dbus.service
    until_true 20 "the bus to answer" busctl status org.freedesktop.DBus
done
intact "after that"

check "with few descriptors the daemon does what it can"
mkdir -p /run/systemd/system/virtbusd.service.d
printf '[Service]\nLimitNOFILE=24\n' > /run/systemd/system/virtbusd.service.d/few.conf
systemctl daemon-reload
systemctl stop virtbusd.service
intact "with few descriptors"
for _ in $(seq 5); do
    answer=$(domain "$rests" Create u 0 2>&1) && break
done
intact_or_started() { [ "$(connect ListDomains u 0 | cut -d ' ' -f 2)" = 3 ] && [ "$(emulator runs)" = "$runner" ]; }
intact_or_started || fail "something is lost"
rm -r /run/systemd/system/virtbusd.service.d
systemctl daemon-reload
systemctl stop virtbusd.service
domain "$rests" Destroy u 0 > /dev/null 2>&1 || true
intact "with descriptors again"
until_true 20 "the guest to obey" works "$runs"
domain "$runs" Destroy u 0 > /dev/null || fail "the guest cannot be ended"
[ -z "$(emulator runs)" ] || fail "the guest has not ended"
echo "all checks passed"
