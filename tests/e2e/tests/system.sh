# The daemon as a distribution ships it: run by tests/system.rs in a booted Debian, as root.
# Prints what it checks; the first check that fails ends it.
set -euo pipefail

guest=/guest
connect=(org.libvirt /org/libvirt/QEMU org.libvirt.Connect)
check() { echo "check: $*"; }
fail() {
    echo "FAILED: $*"
    systemctl status --no-pager virtbusd.service | head -20 || true
    journalctl --no-pager -u virtbusd.service -n 40 || true
    exit 1
}
until_true() {    # until_true SECONDS WHAT COMMAND...
    local left=$(($1 * 10)) what=$2
    shift 2
    until "$@"; do
        left=$((left - 1))
        [ "$left" -gt 0 ] || fail "waited in vain for $what"
        sleep 0.1
    done
}
active() { [ "$(systemctl is-active virtbusd.service)" = active ]; }
says() { grep -q "$1" /srv/guest.console 2>/dev/null; }
emulator() { pgrep -f 'qemu-system-x86_64.*guest=shipped' | head -1; }
no_emulator() { [ -z "$(emulator)" ]; }
as_alice() { runuser -u alice -- "$@" 2>&1; }

useradd -m alice

check "nobody called: the daemon does not run"
! active || fail "the daemon runs before anybody called"

check "the first call starts it, by either name"
[ "$(busctl call "${connect[@]}" ListDomains u 0)" = 'ao 0' ] || fail "there are guests already"
until_true 50 "systemd to know that the daemon runs" active    # the name comes first
busctl status org.virtbus > /dev/null || fail "org.virtbus is not owned"
[ "$(systemctl show -P NotifyAccess virtbusd)" = main ] || fail "the unit is another"

check "systemctl asks how it logs, and changes it"
log_level() { systemctl service-log-level virtbusd.service "$@"; }
log_target() { systemctl service-log-target virtbusd.service "$@"; }
journal_has() { journalctl --sync; journalctl -q --no-pager -t virtbusd "$@" | grep -q .; }
[ "$(log_level)" = info ] || fail "it logs $(log_level)"
[ "$(log_target)" = journal ] || fail "it logs to $(log_target)"
journal_has -p debug --grep 'log level was changed' && fail "somebody was here before"
log_level debug || fail "no other level"
[ "$(log_level)" = debug ] || fail "it logs $(log_level)"
journal_has -p info --grep 'log level was changed' || fail "the journal does not have it, or not as information"
journal_has -p notice --grep 'log level was changed' && fail "information has a priority that is too high"
as_alice busctl --allow-interactive-authorization=no set-property org.libvirt /org/freedesktop/LogControl1 org.freedesktop.LogControl1 LogLevel s emerg > /dev/null && fail "alice may change it"
log_target console || fail "no other target"
[ "$(log_target)" = console ] || fail "it logs to $(log_target)"
log_target kmsg 2> /dev/null && fail "it cannot log to the kernel"
log_target auto && log_level info || fail "no way back"
[ "$(log_level) $(log_target)" = 'info journal' ] || fail "it logs $(log_level) to $(log_target)"

check "anybody may look, nobody but root may change"
as_alice busctl call "${connect[@]}" ListDomains u 0 > /dev/null || fail "alice may not look"
xml="<domain type='qemu'><name>alices</name><memory>65536</memory><os><type>hvm</type></os></domain>"
refused=$(as_alice busctl --allow-interactive-authorization=no call "${connect[@]}" DomainDefineXML s "$xml") && fail "alice may define guests"
case $refused in *"denied"*|*"uthoriz"*) ;; *) fail "alice was refused for another reason: $refused";; esac
[ "$(busctl call "${connect[@]}" ListDomains u 0)" = 'ao 0' ] || fail "alice's guest is there"

check "a guest runs as virtbus-qemu"
mkdir -p /srv/boot && cp "$guest/vmlinux" "$guest/initrd" /srv/boot/
xml="<domain type='qemu'><name>shipped</name><memory unit='MiB'>128</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='q35'>hvm</type><kernel>/srv/boot/vmlinux</kernel><initrd>/srv/boot/initrd</initrd>
<cmdline>console=ttyS0 quiet panic=-1 no_timer_check tiny.nodhcp</cmdline></os><features><acpi/></features>
<devices><serial type='file'><source path='/srv/guest.console'/></serial></devices></domain>"
domain=$(busctl call "${connect[@]}" DomainDefineXML s "$xml" | sed -n 's/^o "\(.*\)"$/\1/p')
busctl --timeout=60 call org.libvirt "$domain" org.libvirt.Domain Create u 0 || fail "the guest does not start"
until_true 100 "the guest" says 'TINY-GUEST READY'
pid=$(emulator)
[ "$(stat -c %U "/proc/$pid")" = virtbus-qemu ] || fail "the guest runs as $(stat -c %U "/proc/$pid")"

check "a guest is in a scope of its own"
grep -q 'virtbusd\.service' "/proc/$pid/cgroup" && fail "the guest is in the daemon's group: $(cat "/proc/$pid/cgroup")"
grep -q '\.scope' "/proc/$pid/cgroup" || fail "the guest is in no scope: $(cat "/proc/$pid/cgroup")"

check "the daemon is restarted, the guest runs on"
systemctl restart virtbusd.service || fail "no restart"
[ "$(emulator)" = "$pid" ] || fail "the guest is gone or another"
until_true 50 "the guest to be known" sh -c "busctl call org.libvirt $domain org.libvirt.Domain GetState u 0 | grep -q '^(ii) 1 '"

check "killed by an administrator, it comes back and the guest runs on"
systemctl kill -s KILL --kill-whom=main virtbusd.service
until_true 50 "the daemon to come back" active
[ "$(emulator)" = "$pid" ] || fail "the guest is gone or another"

check "alice may not touch root's guest"
as_alice busctl --allow-interactive-authorization=no call org.libvirt "$domain" org.libvirt.Domain Destroy u 0 > /dev/null && fail "alice may destroy it"
[ "$(emulator)" = "$pid" ] || fail "the guest is gone"

check "destroyed and undefined, nothing is left"
busctl call org.libvirt "$domain" org.libvirt.Domain Destroy u 0 || fail "no destroy"
busctl call org.libvirt "$domain" org.libvirt.Domain Undefine u 0 || fail "no undefine"
until_true 50 "the guest's process to go" no_emulator
left=$(systemctl list-units --all --no-legend --plain --type=scope | grep -i shipped || true)
[ -z "$left" ] || fail "scopes are left: $left"
left=$(systemctl --failed --no-legend --plain | grep -i virtbus || true)
[ -z "$left" ] || fail "units have failed: $left"

check "stopped when asked"
systemctl stop virtbusd.service || fail "no stop"
[ "$(systemctl show -P Result virtbusd.service)" = success ] || fail "it ended with $(systemctl show -P Result virtbusd.service)"
echo "all checks passed"
