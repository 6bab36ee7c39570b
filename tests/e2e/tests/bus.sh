# What the system around the daemon does to it: run by tests/bus.rs in a booted Debian with the daemon installed, as root.
# The bus restarts, polkit comes and goes, somebody wants its name, descriptors run out: it goes on, or is there again with the
# next call, and guests and definitions are what they were.
# shellcheck shell=bash source-path=SCRIPTDIR source=prelude.sh
. "$(dirname "$0")/prelude.sh"

tiny() {    # tiny NAME: the document of a guest that is up as soon as its emulator is
    echo "<domain type='qemu'><name>$1</name><memory unit='MiB'>64</memory>
<os><type arch='x86_64' machine='q35'>hvm</type></os></domain>"
}
# Everything that must be the same whatever happens.
intact() {
    local pid
    [ "$(guests root)" = 3 ] || fail "$1: there are other guests: $(connect root ListDomains u 0)"
    pid=$(emulator runs) || fail "$1: the guest is gone"
    [ "$pid" = "$runner" ] || fail "$1: the guest is another"
    in_state 1 "$runs" "$1: the guest"
    in_state 5 "$rests" "$1: the other"
    [ "$(domain root "$rests" GetXMLDesc u 2)" = "$description" ] || fail "$1: the definition is another"
}
works() { domain root "$1" Suspend > /dev/null && domain root "$1" Resume > /dev/null; }

users alice
check "a guest runs, two are defined"
runs=$(define "$(tiny runs)")
rests=$(define "$(tiny rests)")
define "$(tiny spare)" > /dev/null
allowed domain root "$runs" Create u 0
runner=$(emulator runs) description=$(domain root "$rests" GetXMLDesc u 2)
intact "at first"

check "the bus reads its configuration anew"
before=$(unit MainPID)
busctl call org.freedesktop.DBus /org/freedesktop/DBus org.freedesktop.DBus ReloadConfig > /dev/null
intact "after that"
[ "$(unit MainPID)" = "$before" ] || fail "the daemon is another"

check "nobody takes the daemon's name away"
answer=$(busctl call org.freedesktop.DBus /org/freedesktop/DBus org.freedesktop.DBus RequestName su org.libvirt 6)
[ "$answer" = 'u 3' ] || fail "the name could be had: $answer"    # replace, do not queue; it exists
if virtbusd --system > /srv/second 2>&1; then fail "there is a second daemon"; fi
grep -q "another virtbusd (process $before) uses the directory" /srv/second || fail "the second daemon says: $(cat /srv/second)"
if virtbusd --system --state-dir /srv/other > /srv/second 2>&1; then fail "there is a second daemon with directories of its own"; fi
grep -q 'cannot take the name' /srv/second || fail "the second daemon says: $(cat /srv/second)"
intact "after that"
[ "$(unit MainPID)" = "$before" ] || fail "the daemon is another"
until_true 20 "the guest to obey" works "$runs"

check "polkit restarts under people's calls"
[ "$(guests alice)" = 3 ] || fail "alice sees other guests"
(
    for _ in $(seq 40); do
        connect alice ListDomains u 0 || true
    done > /srv/asked
) &
asking=$!
for _ in $(seq 3); do systemctl restart polkit.service || fail "polkit does not restart"; done
wait "$asking"
if grep -v '^ao 3 ' /srv/asked; then fail "alice was told that"; fi
[ "$(unit MainPID)" = "$before" ] || fail "the daemon is another"

check "without polkit only root is let in, and with it everybody is again"
systemctl mask --runtime --now polkit.service 2> /dev/null
answer=$(connect alice ListDomains u 0) && fail "alice is let in without polkit"
case $answer in *'polkit does not answer'*) ;; *) fail "another error: $answer";; esac
intact "without polkit"
systemctl unmask --runtime polkit.service 2> /dev/null
allowed connect alice ListDomains u 0

check "the bus restarts"
before=$(unit MainPID)
systemctl restart dbus.service
until_true 20 "the bus to answer" busctl status org.freedesktop.DBus
intact "after that"
until_true 20 "the guest to obey" works "$runs"
[ "$(unit MainPID)" != "$before" ] || fail "the daemon lives without a bus"
allowed connect alice ListDomains u 0
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
    domain root "$rests" Create u 0 > /dev/null && break
done
intact_or_started() { [ "$(guests root)" = 3 ] && [ "$(emulator runs)" = "$runner" ]; }
intact_or_started || fail "something is lost"
rm -r /run/systemd/system/virtbusd.service.d
systemctl daemon-reload
systemctl stop virtbusd.service
domain root "$rests" Destroy u 0 > /dev/null || true
intact "with descriptors again"
until_true 20 "the guest to obey" works "$runs"
allowed domain root "$runs" Destroy u 0
[ -z "$(emulator runs)" ] || fail "the guest has not ended"
echo "all checks passed"
